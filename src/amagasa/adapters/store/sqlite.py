"""A node's store in one SQLite file.

Durability. `synchronous=FULL`: a commit has reached the disk before `write()` ends. NORMAL would only promise that
position and alerts roll back *together* after a power loss, which keeps the ingest right; but a spent sign-in link
would be good again, a release officer's no would be forgotten, and what was delivered would be sent a second time.
The price is one fsync a transaction: 0.16 ms instead of 0.08 ms on the machine where bench/store.py was first run,
and a transaction carries a whole chunk of records.

Concurrency. One writer at a time: a lock in this process, `BEGIN IMMEDIATE` and a busy timeout towards others.
Readers have connections of their own, which cannot write, and see one snapshot from the moment the context opens;
WAL lets them go on while the writer works. A context kept open for long keeps the WAL from being emptied.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from amagasa.adapters.store.faults import fault_of, worded
from amagasa.adapters.store.reading import SqlReading
from amagasa.adapters.store.schema import bring_up_to_date, copy_to
from amagasa.adapters.store.writing import SqlWriting
from amagasa.app.ports import Reading, Store, Writing
from amagasa.vocab.errors import WorldError

BUSY_TIMEOUT_S: Final = 5.0
# Doors answer on a handful of threads; beyond this a reader waits, and after 10 s is told so.
READERS: Final = 32
READER_WAIT_S: Final = 10.0
_PRAGMAS: Final = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",  # 16 MB a connection
    "PRAGMA journal_size_limit = 67108864",  # 64 MB: a WAL grown by one long reader shrinks again
)


WAL_RETRY_S = 0.02


def open_store(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Store:
    """Open the store at `path`, making it (0600) or bringing its schema up to date. Its folder must exist.

    Raises WorldError: AMG-STORE-OPEN, AMG-STORE-CORRUPT, AMG-STORE-LOCKED, AMG-STORE-READONLY, AMG-STORE-FULL, and
    those of `schema.bring_up_to_date`.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise WorldError(
            "AMG-STORE-OPEN",
            f"the store cannot be opened: {path}",
            got=error.strerror or str(error),
            then="nothing was changed; check that its folder exists and is yours",
        ) from error
    store = SqliteStore(path, busy_timeout_s=busy_timeout_s)
    try:
        store.prepare()
    except BaseException:
        store.close()
        raise
    return store


class SqliteStore:
    """`app.ports.Store`. Made by `open_store`."""

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._writer = engine_for(path, busy_timeout_s, is_writer=True)
        self._readers = engine_for(path, busy_timeout_s, is_writer=False)
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._is_closed = False

    def prepare(self) -> None:
        """WAL, and the schema this program writes."""
        with worded(self._path):
            with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
                use_wal(connection)
            bring_up_to_date(self._readers, self._writer, self._path)

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """A snapshot: what is committed later is not seen, however long the context stays open."""
        self._check_open()
        with worded(self._path), self._readers.connect() as connection, connection.begin():
            # BEGIN alone takes no snapshot; the first read does.
            connection.exec_driver_sql("SELECT 1 FROM alembic_version").scalar()
            yield SqlReading(connection)

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """The one transaction at this time. An exception inside rolls all of it back.

        Opened a second time on the same thread it raises RuntimeError instead of waiting for itself for ever.
        """
        self._check_open()
        if self._owner == threading.get_ident():
            message = "write() inside write() on one thread"
            raise RuntimeError(message)
        with self._lock:
            self._owner = threading.get_ident()
            try:
                with worded(self._path), self._writer.begin() as connection:
                    writing = SqlWriting(connection)
                    yield writing
                    writing.finish()
            finally:
                self._owner = None

    def check(self) -> tuple[str, ...]:
        """SQLite's own integrity check and foreign keys."""
        self._check_open()
        try:
            with self._readers.connect() as connection:
                said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(100)")]
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        except Exception as error:
            fault = fault_of(getattr(error, "orig", error), self._path)
            if fault is None:
                raise
            return (str(fault),)
        foreign = tuple(f"a row of {row[0]} names a row of {row[2]} which is not there" for row in broken[:100])
        return tuple(line for line in said if line != "ok") + foreign

    def backup(self, target: Path) -> None:
        """Readers and the writer go on meanwhile."""
        self._check_open()
        try:
            with worded(self._path):
                copy_to(self._path, target)
        except OSError as error:
            raise WorldError(
                "AMG-STORE-COPY",
                f"the copy cannot be written: {target}",
                got=error.strerror or str(error),
                then="the store itself is untouched",
            ) from error

    def close(self) -> None:
        """Wait for the writer, then let go of the file. Closing twice is fine."""
        with self._lock:
            self._is_closed = True
            self._readers.dispose()
            self._writer.dispose()

    def _check_open(self) -> None:
        if self._is_closed:
            message = "the store is closed"
            raise RuntimeError(message)


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL. SQLite refuses at once while another opens the same new file: the waiting is ours."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def engine_for(path: Path, busy_timeout_s: float, *, is_writer: bool) -> Engine:
    """Connections to one file: one that writes (BEGIN IMMEDIATE), or several that cannot."""
    # isolation_level None: the driver leaves BEGIN to us, so it is IMMEDIATE where it must be and never missing.
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=256
        ),
        poolclass=QueuePool,
        pool_size=1 if is_writer else 4,
        max_overflow=0 if is_writer else READERS - 4,
        pool_timeout=READER_WAIT_S,
    )

    def on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if not is_writer:
            connection.execute("PRAGMA query_only = ON")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine

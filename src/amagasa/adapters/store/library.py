"""`app.taxii_library.Library` in one SQLite file beside the store: what other tools put there cannot slow the watch."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store.faults import worded
from amagasa.adapters.store.library_tables import (
    COLLECTIONS,
    METADATA,
    OBJECTS,
    READERS,
    ROOTS,
    SERVER,
    STATUSES,
    VERSION,
)
from amagasa.adapters.store.sqlite import BUSY_TIMEOUT_S, engine_for, use_wal
from amagasa.app.taxii_library import (
    Collection,
    Discovery,
    Document,
    Leaf,
    Library,
    LibraryReading,
    LibraryWriting,
    Reader,
    Root,
    Shelved,
    Want,
    Which,
)
from amagasa.vocab.errors import WorldError

LIBRARY_FILE: Final = "library.db"
STATUS_KEPT: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PART: Final = 500  # values of one statement


def open_library(folder: Path) -> Library:
    """The library in a node's folder; its file is made (0600) when it is first written.

    Raises WorldError: AMG-STORE-OPEN, AMG-STORE-CORRUPT, AMG-STORE-NEWER.
    """
    return SqliteLibrary(folder / LIBRARY_FILE)


class SqliteLibrary:
    """Made by `open_library`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_ready = False
        self._writer = engine_for(path, BUSY_TIMEOUT_S, is_writer=True)
        self._readers = engine_for(path, BUSY_TIMEOUT_S, is_writer=False)

    @contextmanager
    def read(self) -> Iterator[LibraryReading]:
        """A snapshot."""
        self._prepare()
        with worded(self._path), self._readers.connect() as connection, connection.begin():
            yield _Reading(connection)

    @contextmanager
    def write(self) -> Iterator[LibraryWriting]:
        """A transaction."""
        self._prepare()
        with self._lock, worded(self._path), self._writer.begin() as connection:
            yield _Writing(connection)

    def _prepare(self) -> None:
        with self._lock:
            if self._is_ready:
                return
            with worded(self._path):
                try:
                    os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
                except OSError as error:
                    raise WorldError(
                        "AMG-STORE-OPEN", f"the library cannot be opened: {self._path}", got=str(error.strerror)
                    ) from None
                with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
                    use_wal(connection)
                    found = connection.execute("PRAGMA user_version").fetchone()[0]
                    if found > VERSION:
                        raise WorldError(
                            "AMG-STORE-NEWER",
                            f"a newer Amagasa wrote this library: {self._path}",
                            expected=f"version {VERSION}",
                            got=f"version {found}",
                            then="nothing was changed; use the newer program",
                        )
                with self._writer.begin() as writing:
                    METADATA.create_all(writing)
                    writing.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
            self._is_ready = True


class _Reading:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def discovery(self) -> Discovery | None:
        content = self._connection.execute(select(SERVER.c.content)).scalar()
        return None if content is None else msgspec.json.decode(content, type=Discovery)

    def roots(self) -> tuple[Root, ...]:
        rows = self._connection.execute(select(ROOTS.c.content).order_by(ROOTS.c.position)).scalars()
        return tuple(msgspec.json.decode(row, type=Root) for row in rows)

    def collections(self, root: str) -> tuple[Collection, ...]:
        asked = select(COLLECTIONS.c.content).where(COLLECTIONS.c.root == root).order_by(COLLECTIONS.c.position)
        return tuple(msgspec.json.decode(row, type=Collection) for row in self._connection.execute(asked).scalars())

    def objects(self, root: str, collection: str, want: Want) -> Leaf:
        asked = _asked(root, collection, want).order_by(OBJECTS.c.added_us, OBJECTS.c.seq).limit(want.limit + 1)
        if want.added_after is not None:
            here, after = OBJECTS.c.added_us, _us(want.added_after)
            asked = asked.where(
                here > after
                if want.after_seq is None
                else or_(here > after, and_(here == after, OBJECTS.c.seq > want.after_seq))
            )
        found = [_shelved(row) for row in self._connection.execute(asked)]
        return Leaf(tuple(found[: want.limit]), len(found) > want.limit)

    def holds(self, root: str, collection: str, object_id: str) -> bool:
        asked = select(OBJECTS.c.seq).where(*_of(root, collection), OBJECTS.c.object_id == object_id).limit(1)
        return self._connection.execute(asked).scalar() is not None

    def n_versions(self, root: str, collection: str) -> int:
        return int(
            self._connection.execute(
                select(func.count()).select_from(OBJECTS).where(*_of(root, collection))
            ).scalar_one()
        )

    def status(self, root: str, status_id: str) -> bytes | None:
        asked = select(STATUSES.c.content).where(STATUSES.c.root == root, STATUSES.c.id == status_id)
        content: bytes | None = self._connection.execute(asked).scalar()
        return content

    def reader(self, name: str) -> Reader | None:
        content = self._connection.execute(select(READERS.c.content).where(READERS.c.name == name)).scalar()
        return None if content is None else msgspec.json.decode(content, type=Reader)

    def readers(self) -> tuple[Reader, ...]:
        rows = self._connection.execute(select(READERS.c.content).order_by(READERS.c.name)).scalars()
        return tuple(msgspec.json.decode(row, type=Reader) for row in rows)


class _Writing(_Reading):
    def put_server(self, document: Document) -> None:
        run = self._connection.execute
        if document.discovery is not None or self.discovery() is None:
            run(delete(SERVER))
            run(insert(SERVER).values(content=msgspec.json.encode(document.discovery or Discovery(title="TAXII"))))
        for root in document.roots:
            for table in (OBJECTS, COLLECTIONS, STATUSES):
                run(delete(table).where(table.c.root == root.name))
            run(delete(ROOTS).where(ROOTS.c.name == root.name))
            run(insert(ROOTS).values(name=root.name, content=msgspec.json.encode(root)))
        for one in document.collections:
            run(insert(COLLECTIONS).values(root=one.root, id=one.id, content=msgspec.json.encode(one)))
        by_place: dict[tuple[str, str], list[Shelved]] = {}
        for place_root, collection, shelved in document.objects:
            by_place.setdefault((place_root, collection), []).append(shelved)
        for (place_root, collection), objects in by_place.items():
            self.add(place_root, collection, objects)
        for name, status in document.statuses:
            self.put_status(name, str(status["id"]), msgspec.json.encode(status), now=datetime.now(UTC))

    def add(self, root: str, collection: str, objects: Sequence[Shelved]) -> None:
        rows = [
            {
                "root": root,
                "collection": collection,
                "object_id": one.object_id,
                "object_type": one.object_type,
                "spec_version": one.spec_version,
                "version": one.version,
                # What has no version of its own has one alone, whenever it comes.
                "version_us": _us(one.version_at) if one.version else 0,
                "added_us": _us(one.added_at),
                "is_latest": False,
                "is_first": False,
                "is_last": False,
                "content": one.content,
            }
            for one in objects
        ]
        if rows:
            self._connection.execute(insert(OBJECTS).on_conflict_do_nothing(), rows)
        self._mark(root, collection, [one.object_id for one in objects])

    def remove(self, root: str, collection: str, want: Want) -> int:
        rows = self._connection.execute(_asked(root, collection, want)).all()
        for at in range(0, len(rows), _PART):
            self._connection.execute(
                delete(OBJECTS).where(OBJECTS.c.seq.in_([row.seq for row in rows[at : at + _PART]]))
            )
        self._mark(root, collection, [row.object_id for row in rows])
        return len(rows)

    def put_status(self, root: str, status_id: str, content: bytes, *, now: datetime) -> None:
        self._connection.execute(delete(STATUSES).where(STATUSES.c.kept_us < _us(now - STATUS_KEPT)))
        row = {"root": root, "id": status_id, "kept_us": _us(now), "content": content}
        self._connection.execute(insert(STATUSES).values(row).on_conflict_do_update(set_=row))

    def put_reader(self, reader: Reader) -> None:
        row = {"name": reader.name, "content": msgspec.json.encode(reader)}
        self._connection.execute(insert(READERS).values(row).on_conflict_do_update(set_=row))

    def drop_reader(self, name: str) -> bool:
        return self._connection.execute(delete(READERS).where(READERS.c.name == name)).rowcount > 0

    def _mark(self, root: str, collection: str, ids: Sequence[str]) -> None:
        """Say anew which versions of these objects are of the latest specification, the first, and the last."""
        once = list(dict.fromkeys(ids))
        for at in range(0, len(once), _PART):
            here = and_(*_of(root, collection), OBJECTS.c.object_id.in_(once[at : at + _PART]))
            inner = OBJECTS.alias()
            same = and_(
                inner.c.root == root, inner.c.collection == collection, inner.c.object_id == OBJECTS.c.object_id
            )
            latest = select(func.max(inner.c.spec_version)).where(same).scalar_subquery()
            ours = and_(same, inner.c.spec_version == OBJECTS.c.spec_version)
            least = select(func.min(inner.c.version_us)).where(ours).scalar_subquery()
            most = select(func.max(inner.c.version_us)).where(ours).scalar_subquery()
            is_latest = OBJECTS.c.spec_version == latest
            self._connection.execute(
                update(OBJECTS)
                .where(here)
                .values(
                    is_latest=is_latest,
                    is_first=and_(is_latest, OBJECTS.c.version_us == least),
                    is_last=and_(is_latest, OBJECTS.c.version_us == most),
                )
            )


def _of(root: str, collection: str) -> tuple[Any, Any]:
    return OBJECTS.c.root == root, OBJECTS.c.collection == collection


def _asked(root: str, collection: str, want: Want) -> Select[Any]:
    """The rows of all pages. Specifications choose first, versions among what is left, then the other filters."""
    asked = select(OBJECTS).where(*_of(root, collection))
    if want.ids:
        asked = asked.where(OBJECTS.c.object_id.in_(want.ids))
    if want.types:
        asked = asked.where(OBJECTS.c.object_type.in_(want.types))
    if want.spec_versions:
        asked = asked.where(OBJECTS.c.spec_version.in_(want.spec_versions))
    elif Which.ALL in want.words or want.versions or Which.FIRST in want.words:
        asked = asked.where(OBJECTS.c.is_latest)
    if Which.ALL in want.words:
        return asked
    chosen: list[Any] = [OBJECTS.c.version_us.in_([_us(one) for one in want.versions])] if want.versions else []
    for word, mark, choose in ((Which.FIRST, OBJECTS.c.is_first, func.min), (Which.LAST, OBJECTS.c.is_last, func.max)):
        if word in want.words:
            chosen.append(_ends(root, collection, want, choose) if want.spec_versions else mark)
    return asked.where(or_(*chosen))


def _ends(root: str, collection: str, want: Want, choose: Any) -> Any:
    """The first or the last versions among those of some specifications: no mark says these."""
    inner = OBJECTS.alias()
    ends = (
        select(inner.c.object_id, choose(inner.c.version_us))
        .where(inner.c.root == root, inner.c.collection == collection, inner.c.spec_version.in_(want.spec_versions))
        .group_by(inner.c.object_id)
    )
    return tuple_(OBJECTS.c.object_id, OBJECTS.c.version_us).in_(ends)


def _shelved(row: Row[Any]) -> Shelved:
    made = Shelved(
        seq=row.seq,
        object_id=row.object_id,
        object_type=row.object_type,
        spec_version=row.spec_version,
        version=row.version,
        version_at=_instant(row.version_us),
        added_at=_instant(row.added_us),
        content=row.content,
    )
    return made if made.version else replace(made, version_at=made.added_at)


def _us(instant: datetime) -> int:
    return (instant.astimezone(UTC) - _EPOCH) // _MICROSECOND


def _instant(us: int) -> datetime:
    return _EPOCH + us * _MICROSECOND

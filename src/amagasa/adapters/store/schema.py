"""The schema on disk: made new, brought up to date after a copy, or refused where it is newer than this program."""

import importlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from amagasa.vocab.errors import WorldError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Revisions from the first to the one this program writes; a test compares them with the folder.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
HEAD: Final = REVISIONS[-1]


def bring_up_to_date(reader: Engine, writer: Engine, path: Path) -> None:
    """Leave the store at HEAD. An older one is copied first, to `<name>.before-<revision>` beside it.

    Raises WorldError: AMG-STORE-NEWER, AMG-STORE-FOREIGN (a database of something else), AMG-STORE-MIGRATION.
    """
    with reader.connect() as connection:
        found = revision_of(connection, path)
    if found == HEAD:
        return
    copy = None
    if found is not None:
        copy = _free_name(path.with_name(f"{path.name}.before-{found}"))
        copy_to(path, copy)
    with writer.begin() as connection:
        # Another process may have done it in between: the answer under the writer's lock counts.
        if revision_of(connection, path) != HEAD:
            _upgrade(connection, path, copy)


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision on disk, None for an empty database."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    found = None
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if not isinstance(found, str):
        raise WorldError(
            "AMG-STORE-FOREIGN",
            f"this database is not a node's store: {path}",
            then="nothing was changed; name another file",
        )
    if found not in REVISIONS:
        raise WorldError(
            "AMG-STORE-NEWER",
            f"the store was written by a newer amagasa: {path}",
            expected=f"revision {HEAD} or older",
            got=found,
            then="nothing was changed; install the newer amagasa, or restore a backup from before",
        )
    return found


def copy_to(path: Path, target: Path) -> None:
    """One consistent copy, mode 0600, through SQLite's online backup. Raises WorldError where `target` exists."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise WorldError(
            "AMG-STORE-COPY",
            f"the copy of the store would overwrite {target}",
            then="nothing was changed; move that file away and try again",
        ) from error
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _free_name(wanted: Path) -> Path:
    """`wanted`, or with a number behind it: the copy of an attempt that failed is never overwritten."""
    names = (wanted, *(wanted.with_name(f"{wanted.name}.{n}") for n in range(2, 1000)))
    return next((name for name in names if not name.exists()), wanted)


def _upgrade(connection: Connection, path: Path, copy: Path | None) -> None:
    # By name, and here alone: alembic takes a quarter of a start to load, and hardly any start has to migrate.
    migrating = importlib.import_module(f"{__package__}.migrating")
    try:
        migrating.upgrade(connection, MIGRATIONS, HEAD)
    except Exception as error:
        kept = "" if copy is None else f"; a copy from before is at {copy}"
        raise WorldError(
            "AMG-STORE-MIGRATION",
            f"the store could not be brought up to date: {path}",
            got=str(error),
            then=f"nothing was changed{kept}",
        ) from error

"""What SQLite says when the world fails, in words a person can act on."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from amagasa.vocab.errors import AmagasaError, BadInputError, WorldError

_KEPT: Final = "nothing of this transaction was kept; what was committed before is safe"
# Prefix of SQLite's result code -> (our code, what failed, what happens next). https://www.sqlite.org/rescode.html
_WORDS: Final = (
    (
        "SQLITE_FULL",
        "AMG-STORE-FULL",
        "the disk of the store is full",
        f"{_KEPT}; make room; a node tries again by itself",
    ),
    ("SQLITE_READONLY", "AMG-STORE-READONLY", "the store cannot be written", f"{_KEPT}; check who owns the folder"),
    ("SQLITE_BUSY", "AMG-STORE-LOCKED", "another process holds the store", f"{_KEPT}; end it, or wait and try again"),
    ("SQLITE_LOCKED", "AMG-STORE-LOCKED", "another process holds the store", f"{_KEPT}; end it, or wait and try again"),
    ("SQLITE_CORRUPT", "AMG-STORE-CORRUPT", "the store is damaged", "restore the newest backup of the folder"),
    (
        "SQLITE_NOTADB",
        "AMG-STORE-CORRUPT",
        "this file is not a store",
        "restore the newest backup, or name another file",
    ),
    ("SQLITE_CANTOPEN", "AMG-STORE-OPEN", "the store cannot be opened", "check that its folder exists and is yours"),
    ("SQLITE_PERM", "AMG-STORE-OPEN", "the store cannot be opened", "check who owns the folder"),
    ("SQLITE_IOERR", "AMG-STORE-IO", "the disk of the store failed", f"{_KEPT}; look at the disk, then start again"),
    ("SQLITE_NOMEM", "AMG-STORE-IO", "no memory was left for the store", _KEPT),
)


def fault_of(error: BaseException | None, path: Path) -> AmagasaError | None:
    """The coded error for what the driver raised; None where it is our own mistake (a broken constraint, bad SQL)."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_TOOBIG" or isinstance(error, sqlite3.DataError):
        return BadInputError("AMG-STORE-VALUE", "one value is too large for the store", got=str(error), then=_KEPT)
    for prefix, code, what, then in _WORDS:
        if name.startswith(prefix):
            return WorldError(code, f"{what}: {path}", got=str(error), then=then)
    if "file is not a database" in str(error):
        return WorldError("AMG-STORE-CORRUPT", f"this file is not a store: {path}", then="restore the newest backup")
    return None


@contextmanager
def worded(path: Path) -> Iterator[None]:
    """Turns what the driver raises inside into coded errors; our own mistakes pass as they are."""
    try:
        yield
    except DBAPIError as error:
        fault = fault_of(error.orig, path)
        if fault is None:
            raise
        raise fault from error
    except sqlite3.Error as error:
        fault = fault_of(error, path)
        if fault is None:
            raise
        raise fault from error
    except PoolTimeoutError as error:
        raise WorldError(
            "AMG-STORE-BUSY",
            "too many readers hold the store at once",
            then="nothing was read; try again in a moment",
        ) from error

"""Wiring of backups: what writes an archive, what reads one, and consistent copies of databases."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from amagasa.adapters.archive.passphrase import MIN_CHARACTERS, open_keys, seal_keys
from amagasa.adapters.archive.putting_back import put_back, refuse_taken
from amagasa.adapters.archive.reading import Checked, check, room_at
from amagasa.adapters.archive.writing import SEALED, Packing, packing
from amagasa.adapters.lake.blocks import tail_name
from amagasa.adapters.lake.places import TOMBSTONES, folder_of
from amagasa.adapters.store.faults import worded
from amagasa.adapters.store.schema import copy_to
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.ports import Store
from amagasa.vocab.errors import WorldError

__all__ = [
    "MIN_CHARACTERS",
    "SEALED",
    "TOMBSTONES",
    "Checked",
    "Packing",
    "check",
    "open_keys",
    "put_back",
    "refuse_taken",
    "room_at",
    "seal_keys",
]
SQLITE_HEAD: Final = b"SQLite format 3\0"


def new_archive(target: Path) -> AbstractContextManager[Packing]:
    """An archive under `target` when the block ends well. Raises as `writing.packing`."""
    return packing(target)


def copy_of(database: Path, target: Path) -> None:
    """One consistent copy of a database while others write to it. Raises WorldError (AMG-BACKUP-ROOM and others)."""
    if (needed := database.stat().st_size if database.exists() else 0) > room_at(target.parent):
        raise WorldError(
            "AMG-BACKUP-ROOM",
            f"there is no room to copy {database.name}",
            expected=f"{needed:,} bytes free beside the backup while it is made",
            got=f"{room_at(target.parent):,} bytes",
            then="nothing was written; the node is untouched",
        )
    with worded(database):
        copy_to(database, target)


def opened_copy(path: Path) -> Store:
    """The store of a copy. Raises WorldError."""
    return open_store(path)


def tails_of(lake: Path, heads: Mapping[str, tuple[int, ...]]) -> list[Path]:
    """The files of the lake that records stand in which are not packed yet, by source and number."""
    return [folder_of(lake, source) / tail_name(number) for source, tails in heads.items() for number in tails]

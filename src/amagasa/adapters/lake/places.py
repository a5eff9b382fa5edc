"""Where the lake of a source is, and what was let go of it."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.vocab.text import folder_name

NAME_FILE: Final = "source"
TOMBSTONES: Final = "tombstones.ndjson"


class Tombstone(Struct, frozen=True, kw_only=True):
    """A segment that was let go: the chain still goes over it, from `previous` to `digest`."""

    number: int
    previous: str
    digest: str
    n_records: int
    n_raw_bytes: int
    n_bytes: int
    first_at: datetime
    last_at: datetime
    why: str
    let_go_at: datetime


def folder_of(lake: Path, source: str) -> Path:
    """Of this source; its name may hold anything, the folder's only plain characters."""
    return lake / folder_name(source)


def source_of(folder: Path) -> str | None:
    """The name of the source; None where this is no lake of one."""
    try:
        return (folder / NAME_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def tombstones_of(folder: Path) -> tuple[Tombstone, ...]:
    """What was let go, oldest first. A last line cut short by a kill is passed over: its segment is still there."""
    try:
        lines = (folder / TOMBSTONES).read_bytes().splitlines()
    except OSError:
        return ()
    found: list[Tombstone] = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Tombstone))
        except msgspec.DecodeError:
            continue
    return tuple({one.number: one for one in found}.values())


def add_tombstone(folder: Path, tombstone: Tombstone) -> None:
    """Note it, on the disk before the segment goes. Raises OSError."""
    with (folder / TOMBSTONES).open("ab") as file:
        file.write(msgspec.json.encode(tombstone) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def numbers_of(folder: Path, pattern: str) -> list[int]:
    """Numbers of the files `*.seg`, `*.idx` or `tail-*` (as `pattern` says), ascending."""
    return sorted(int(found[0]) for path in folder.glob(pattern) if (found := re.findall(r"[0-9]{8,}", path.name)))

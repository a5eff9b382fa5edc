"""Where a log went: finding rotated, packed or copied logs beside the one that is followed."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from amagasa.adapters.source.log_bytes import LogBytes, Place, fits, open_log

# A folder with more names than this is not searched to its end.
MAX_NAMES: Final = 100_000
_PACKED: Final = (".gz", ".zst", ".bz2", ".xz")
_NUMBER: Final = re.compile(r"\.([0-9]{1,4})(?:\.(?:gz|zst|bz2|xz))?\Z")


class Neighbour(Struct, frozen=True, kw_only=True):
    """A file which may hold what the followed one held before."""

    path: str
    key: tuple[int, int]
    mtime_ns: int
    is_packed: bool


def neighbours(path: str, inodes: Collection[int] = ()) -> list[Neighbour]:
    """Rotated forms of `path` by their names: `name.1`, `name-20260101`, `stem-20260101.ext`, packed too; `name.gz`.

    Whatever its name, a file with one of `inodes` counts. Oldest first. One that is being packed right now (its plain
    form is still there) counts as plain only. Raises OSError where the folder cannot be read.
    """
    folder, name, stem, ext = Path(path).parent, Path(path).name, Path(path).stem, Path(path).suffix
    number = r"[0-9][0-9A-Za-z_.:+-]{0,40}?"
    pattern = re.compile(
        rf"(?:{re.escape(name)}[._-]{number}|{re.escape(stem)}[._-]{number}{re.escape(ext)})(\.gz|\.zst|\.bz2|\.xz)?"
        rf"|{re.escape(name)}(?:\.gz|\.zst|\.bz2|\.xz)"
    )
    found: dict[str, Neighbour] = {}
    with os.scandir(folder) as entries:
        for _, entry in zip(range(MAX_NAMES), entries, strict=False):
            is_ours = pattern.fullmatch(entry.name) or (entry.inode() in inodes and entry.name != name)
            if is_ours and entry.is_file():
                found[entry.name] = _neighbour(entry.path, entry.stat())
    kept = [one for name, one in found.items() if not one.is_packed or Path(name).stem not in found]
    return sorted(kept, key=_age)


def neighbour_of(path: str) -> Neighbour | None:
    """The file at `path` itself; None where there is none. Raises OSError where that cannot be told."""
    try:
        return _neighbour(path, Path(path).stat())
    except FileNotFoundError:
        return None


def _neighbour(path: str, status: os.stat_result) -> Neighbour:
    return Neighbour(
        path=path,
        key=(status.st_dev, status.st_ino),
        mtime_ns=status.st_mtime_ns,
        is_packed=path.endswith(_PACKED),
    )


def _age(one: Neighbour) -> tuple[int, int, str]:
    # Clocks of file systems tick every few milliseconds; of equals, `.2` is older than `.1`, dates sort as written.
    numbers = _NUMBER.findall(one.path)
    return one.mtime_ns, -int(numbers[-1]) if numbers else 0, one.path


def find(place: Place, candidates: list[Neighbour]) -> tuple[Neighbour, LogBytes] | None:
    """The file which holds the bytes that `place` speaks of: the same inode, else the same content."""
    same = [one for one in candidates if one.key == (place.device, place.inode)]
    others = [one for one in reversed(candidates) if one not in same] if place.n_head else []
    for one, log in _opened([*same, *others]):
        if fits(log, place):
            return one, log
        log.close()
    return None


def _opened(candidates: list[Neighbour]) -> Iterator[tuple[Neighbour, LogBytes]]:
    for one in candidates:
        try:
            log = open_log(one.path)
        except OSError:
            # Gone or closed to us meanwhile: the caller says that what it looked for was not found.
            continue
        yield one, log

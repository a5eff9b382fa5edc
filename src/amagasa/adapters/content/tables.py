"""Tables of indicators on disk, mapped into memory: made once, then a start costs nearly nothing.

Every process which looks with a list maps the same file, so they share its pages. A file carries its own hash and is
replaced by renaming; one that does not fit is as if it were not there. The hash is compared once a boot, and again
whenever the file changed (`unchanged`). Where the disk takes nothing, a table lives in
memory: slower to start, not wrong.
"""

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from amagasa.adapters.content.unchanged import Unchanged
from amagasa.detect.indicators.building import Piece
from amagasa.detect.indicators.table import Table

SUFFIX: Final = ".amgi"
# Beyond this the tables go that were used longest ago: a list that is renewed each day leaves one behind each day.
MAX_TABLES_BYTES: Final = 1024 * 1024 * 1024
_DIGEST_BYTES: Final = 32
_READ_BYTES: Final = 1 << 20


class Tables:
    """Tables by name below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unchanged = Unchanged(folder)

    def open(self, key: str) -> Table | None:
        """The table of this name, mapped; None where there is none that can be relied on."""
        path = self.path(key)
        try:
            with path.open("rb") as file:
                if self.unchanged.known(path.name, file.fileno()) is None and not self._is_whole(path, file.fileno()):
                    return None
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None
        try:
            return Table(memoryview(mapped)[_DIGEST_BYTES:])
        except ValueError:
            return None

    def keep(self, key: str, pieces: Iterable[Piece]) -> Table:
        """Write a table and map it; one in memory where the disk would not take it."""
        held: list[Piece] = []
        if self._is_written(key, _remembered(pieces, held)):
            table = self.open(key)
            if table is not None:
                self._trim(key)
                return table
        return Table(b"".join(held))

    def path(self, key: str) -> Path:
        """Where the table of this name is, or would be."""
        return self._folder / (key + SUFFIX)

    def _is_whole(self, path: Path, descriptor: int) -> bool:
        beginning = self.unchanged.begun(descriptor)
        if not _is_whole(descriptor):
            return False
        self.unchanged.remember(path.name, descriptor, beginning, "")
        return True

    def _is_written(self, key: str, pieces: Iterator[Piece]) -> bool:
        handle, name = -1, ""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        except OSError:
            for _ in pieces:
                pass  # kept by `_remembered`
            return False
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        is_full = False
        with os.fdopen(handle, "wb", buffering=0) as file:
            file.seek(_DIGEST_BYTES)
            for piece in pieces:
                digest.update(piece)
                is_full = is_full or not _is_taken(file.fileno(), piece)
            file.seek(0)
            is_full = is_full or not _is_taken(file.fileno(), digest.digest())
        try:
            if not is_full:
                Path(name).replace(self.path(key))
        except OSError:
            is_full = True
        if is_full:
            Path(name).unlink(missing_ok=True)
        return not is_full

    def _trim(self, newest: str) -> None:
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*" + SUFFIX):
            try:
                status = path.stat()
            except OSError:
                continue  # another process removed it
            used_at = max(status.st_mtime, self.unchanged.last_used_at(path.name))
            files.append((used_at, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= MAX_TABLES_BYTES:
                return
            if path != self.path(newest):
                path.unlink(missing_ok=True)
                self.unchanged.forget(path.name)
                total -= size


def _remembered(pieces: Iterable[Piece], held: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        held.append(piece)
        yield piece


def _is_taken(descriptor: int, piece: Piece) -> bool:
    data = memoryview(piece)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return False
    return True


def _is_whole(descriptor: int) -> bool:
    """Whether the body is what was written. Read, not mapped, so that it does not count as ours."""
    stored = os.read(descriptor, _DIGEST_BYTES)
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    while block := os.read(descriptor, _READ_BYTES):
        digest.update(block)
    return digest.digest() == stored

"""A file to be read, or whole lines of one: named, not open yet, so that whichever process is free can read it."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from amagasa.adapters.source.faults import PATH_CHARACTERS, special_fault, world_fault
from amagasa.adapters.source.layers import HEAD_BYTES, Reader
from amagasa.adapters.source.lines import Item, LineCutter
from amagasa.adapters.source.stream import BLOCK_BYTES, UNREADABLE, BrokenSourceError, Budget, Stream
from amagasa.event.mapped import format_of
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Chunk, Format, LinesRead, SourceFault
from amagasa.vocab.text import show

# A file of fewer is better left to the process that has learnt what stands in it.
MIN_PIECES: Final = 4
# Where no line ends for so long, a file is not cut.
_LONGEST_BYTES: Final = 4 * 1_048_576


class FileStream(Struct, frozen=True, kw_only=True):
    """The records of a file, whatever it holds. `form` is the format that the caller insists on, or its `mapping`."""

    path: str
    form: Format | None
    mapping: LogMapping | None = None

    def __iter__(self) -> Iterator[Item]:
        """Open it and read it to its end."""
        try:
            file = _opened(self.path)
        except (OSError, ValueError) as error:
            yield world_fault(self.path, error)
            return
        with file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                yield special_fault(self.path, mode)
                return
            budget = Budget()
            reader = Reader(budget=budget, form=self.form, read_at=datetime.now(UTC))
            items = reader.read(show(self.path, PATH_CHARACTERS), Stream(blocks_of(file, budget)), file)
            yield from mapped(items, self.mapping)

    @property
    def is_later(self) -> bool:
        """It is whole."""
        return False

    def pieces(self, n_bytes: int) -> "Sequence[FileStream | FilePiece]":
        """The same in pieces of about `n_bytes`, in order: itself where it is short, or no plain lines."""
        try:
            with _opened(self.path) as file:
                size = os.fstat(file.fileno()).st_size
                if size < MIN_PIECES * n_bytes:
                    return (self,)
                read_at = datetime.now(UTC)
                reader = Reader(budget=Budget(), form=self.form, read_at=read_at)
                form = reader.line_format(show(self.path, PATH_CHARACTERS), file.read(HEAD_BYTES))
                ends = _line_ends(file, size, n_bytes) if form is not None else []
        except (OSError, ValueError):
            return (self,)  # whoever reads it says what is wrong
        if form is None or not ends:
            return (self,)
        bounds = zip((0, *ends), (*ends, None), strict=True)
        return tuple(
            FilePiece(path=self.path, form=form, start=start, end=end, read_at=read_at, mapping=self.mapping)
            for start, end in bounds
        )


class FilePiece(Struct, frozen=True, kw_only=True):
    """The lines of a plain file from byte `start` to before byte `end` (None: to its end).

    Where it is not the first, its records are numbered as if one line stood before it. Its last item is `LinesRead`.
    """

    path: str
    form: Format
    start: int
    end: int | None
    read_at: datetime
    mapping: LogMapping | None = None

    @property
    def is_later(self) -> bool:
        """Whether another comes before it."""
        return self.start > 0

    def pieces(self, _n_bytes: int) -> "Sequence[FilePiece]":
        """It is one."""
        return (self,)

    def __iter__(self) -> Iterator[Item | LinesRead]:
        """Open the file and read the piece."""
        yield from mapped(self._read(), self.mapping)

    def _read(self) -> Iterator[Item | LinesRead]:
        first = 2 if self.is_later else 1
        cutter = LineCutter(show(self.path, PATH_CHARACTERS), self.form, self.read_at, first)
        fault: SourceFault | None = None
        try:
            with _opened(self.path) as file:
                file.seek(self.start)
                for block in blocks_of(file, Budget(), None if self.end is None else self.end - self.start):
                    yield from cutter.feed(block)
        except (OSError, ValueError) as error:
            fault = world_fault(self.path, error)
        except BrokenSourceError as error:
            fault = error.fault(show(self.path, PATH_CHARACTERS))
        yield from cutter.end()
        if fault is not None:
            yield fault
        yield LinesRead(n=cutter.record - first)


Part = TypeVar("Part", bound=Item | LinesRead)


def mapped(items: Iterable[Part], mapping: LogMapping | None) -> Iterator[Part]:
    """The same, the mapping said of each chunk of lines."""
    if mapping is None:
        yield from items
        return
    form = format_of(mapping)
    for item in items:
        yield replace(item, mapping=mapping) if isinstance(item, Chunk) and item.format is form else item


def blocks_of(file: IO[bytes], budget: Budget, n_bytes: int | None = None) -> Iterator[bytes]:
    """What is left of an open file, or `n_bytes` of it. Raises BrokenSourceError."""
    left = n_bytes
    while left is None or left > 0:
        try:
            block = file.read(BLOCK_BYTES if left is None else min(left, BLOCK_BYTES))
        except OSError as error:
            raise BrokenSourceError(f"reading failed: {error.strerror or error}", UNREADABLE) from None
        if not block:
            return
        if left is not None:
            left -= len(block)
        budget.take_packed(len(block))
        yield block


def _opened(path: str) -> IO[bytes]:
    # What was a file a moment ago may be a pipe now: opening must not wait for a writer.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def _line_ends(file: IO[bytes], size: int, n_bytes: int) -> list[int]:
    """Places behind line ends, each the first behind a multiple of `n_bytes`; none where a line is too long."""
    ends: list[int] = []
    for nominal in range(n_bytes, size - n_bytes // 2, n_bytes):
        file.seek(nominal)
        rest = file.readline(_LONGEST_BYTES)
        if not rest.endswith(b"\n"):
            return []
        at = nominal + len(rest)
        if not ends or at > ends[-1]:
            ends.append(at)
    return ends

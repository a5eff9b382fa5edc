"""Hits in the order of their time, however many: sorted in memory, beyond a limit as runs in a temporary file."""

import heapq
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from amagasa.detect.correlation.hit import Hit
from amagasa.vocab.errors import WorldError

# Some 700 bytes each; beyond it a sorted run goes to disk.
IN_MEMORY: Final = 100_000
# Of one run, read back at once.
BLOCK: Final = 1_000
_LENGTH_BYTES: Final = 4


class SortedHits:
    """`app.correlation_ports.HitSorter`. The file has no name and is gone with the process, however that ends."""

    def __init__(self, *, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._held: list[Hit] = []
        self._runs: list[tuple[int, int]] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, hits: Sequence[Hit]) -> None:
        """Take them in. Raises WorldError (AMG-SPOOL) where the disk cannot hold a run."""
        self._held.extend(hits)
        if len(self._held) >= self._in_memory:
            self._put_away()

    def ordered(self) -> Iterator[Hit]:
        """All of them by `Hit.place`. Raises WorldError as `add`."""
        self._held.sort(key=_place)
        yield from heapq.merge(*(self._run(start, end) for start, end in self._runs), self._held, key=_place)

    def _put_away(self) -> None:
        self._held.sort(key=_place)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="amagasa-")  # noqa: SIM115 - closed at the end of the run
            start = self._file.seek(0, 2)
            for first in range(0, len(self._held), BLOCK):
                block = msgspec.msgpack.encode(self._held[first : first + BLOCK])
                self._file.write(len(block).to_bytes(_LENGTH_BYTES, "big") + block)
            self._runs.append((start, self._file.tell()))
        except OSError as problem:
            raise _failed(problem) from None
        self._held = []

    def _run(self, place: int, end: int) -> Iterator[Hit]:
        file = self._file
        while file is not None and place < end:
            try:
                file.seek(place)
                length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
                block = file.read(length)
            except OSError as problem:
                raise _failed(problem) from None
            yield from msgspec.msgpack.decode(block, type=list[Hit])
            place += _LENGTH_BYTES + length


def _place(hit: Hit) -> tuple[int, str, str, int, str]:
    return hit.place


def _failed(problem: OSError) -> WorldError:
    return WorldError(
        "AMG-SPOOL",
        "what correlations look at does not fit into memory, nor onto the disk",
        expected=f"room in {tempfile.gettempdir()} (TMPDIR)",
        got=problem.strerror or str(problem),
        then="nothing was correlated; make room, or name another TMPDIR, and run again",
    )

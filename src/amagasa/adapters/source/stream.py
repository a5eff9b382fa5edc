"""Bytes as they come: a stream that can be looked into before it is read, and what can go wrong with it."""

from collections.abc import Iterator
from typing import Final

from amagasa.event.record import SourceFault

BLOCK_BYTES: Final = 262_144

MISSING: Final = "AMG-SOURCE-001"
FORBIDDEN: Final = "AMG-SOURCE-002"
SPECIAL: Final = "AMG-SOURCE-003"
LOOP: Final = "AMG-SOURCE-004"
UNKNOWN: Final = "AMG-SOURCE-005"
DAMAGED: Final = "AMG-SOURCE-006"
BOMB: Final = "AMG-SOURCE-007"
NESTED: Final = "AMG-SOURCE-008"
UNREADABLE: Final = "AMG-SOURCE-009"
MEMBER: Final = "AMG-SOURCE-010"

# A packed file may grow this far whatever its ratio: small files of equal lines pack 10,000 to 1.
FREE_BYTES: Final = 1_073_741_824
# Beyond, at most so many times its packed size: deflate cannot exceed 1,032, and the logs measured stay under 150.
MAX_RATIO: Final = 1_000


class BrokenSourceError(Exception):
    """The rest of a stream cannot be read. Never leaves this family: it becomes a `SourceFault` at its file."""

    def __init__(self, why: str, code: str) -> None:
        super().__init__(why)
        self.why = why
        self.code = code

    def fault(self, path: str) -> SourceFault:
        """The value that callers see."""
        return SourceFault(path=path, why=self.why, code=self.code)


class Budget:
    """How much one file may unpack to, all its layers and members together."""

    def __init__(self) -> None:
        self._packed = 0
        self._unpacked = 0

    def take_packed(self, n_bytes: int) -> None:
        """Count bytes read from the disk."""
        self._packed += n_bytes

    def take_unpacked(self, n_bytes: int) -> None:
        """Count bytes that came out of a packed layer. Raises BrokenSourceError where they are too many."""
        self._unpacked += n_bytes
        if self._unpacked > max(FREE_BYTES, self._packed * MAX_RATIO):
            why = (
                f"it unpacks to more than {MAX_RATIO} times its size; expected a packed log; "
                f"stopped after {self._unpacked} bytes"
            )
            raise BrokenSourceError(why, BOMB)


class Stream:
    """A reader over blocks of bytes. What came before an error is delivered before the error is raised."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = b""
        self._error: BrokenSourceError | None = None
        self._is_done = False

    def peek(self, n_bytes: int) -> bytes:
        """At least `n_bytes` of what comes next (fewer at the end), without taking them. Never raises."""
        parts = [self._held]
        n_held = len(self._held)
        while n_held < n_bytes and not self._is_done:
            block = self._pull()
            parts.append(block)
            n_held += len(block)
        self._held = b"".join(parts)
        return self._held

    def read(self, n_bytes: int = BLOCK_BYTES) -> bytes:
        """Exactly `n_bytes`, fewer only at the end or before an error; b"" at the end. Raises BrokenSourceError."""
        held = self.peek(n_bytes)
        if not held and self._error is not None:
            raise self._error
        self._held = held[n_bytes:]
        return held[:n_bytes]

    def blocks(self) -> Iterator[bytes]:
        """All that is left, in blocks of any size. Raises BrokenSourceError after the last good byte."""
        if self._held:
            held, self._held = self._held, b""
            yield held
        while not self._is_done:
            if block := self._pull():
                yield block
        if self._error is not None:
            raise self._error

    def _pull(self) -> bytes:
        try:
            return next(self._blocks)
        except StopIteration:
            self._is_done = True
        except BrokenSourceError as error:
            self._error = error
            self._is_done = True
        return b""

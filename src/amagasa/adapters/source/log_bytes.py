"""Bytes of one log file, grown or packed, by position; and the fingerprint by which it is known again."""

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import IO, Final, Protocol

from msgspec import Struct

from amagasa.adapters.source.stream import BLOCK_BYTES, DAMAGED, BrokenSourceError, Budget, Stream
from amagasa.adapters.source.unpack import layer_of

# Two logs that begin alike (a banner) still differ at the place that was read last, so both ends are kept.
HEAD_BYTES: Final = 1_024
TAIL_BYTES: Final = 256


class Place(Struct, frozen=True, kw_only=True):
    """How far one file was read, and how to know it again under another name, packed or copied.

    `head` and `tail` are digests of the first `n_head` bytes and of the last bytes (256 at most) before `offset`.
    `size` and `mtime_ns` are the file's at that time. `header` is what its rows stand under, where they are rows.
    """

    device: int
    inode: int
    offset: int
    n_head: int
    head: str
    tail: str
    size: int
    mtime_ns: int
    header: str = ""


class LogBytes(Protocol):
    """Bytes by position; reading forward is always possible, reading back only in a plain file."""

    @property
    def is_packed(self) -> bool:
        """Whether the bytes are unpacked on the way."""

    def at(self, offset: int, n_bytes: int) -> bytes:
        """`n_bytes` at `offset`, fewer at the end. Raises OSError; BrokenSourceError for damaged packed data."""

    def status(self) -> os.stat_result:
        """Of the file as it lies there."""

    def close(self) -> None:
        """Close the file."""


class PlainBytes:
    """An open file; it stays the same file whatever happens to its name."""

    is_packed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def at(self, offset: int, n_bytes: int) -> bytes:
        """See LogBytes."""
        parts = []
        # An idle log is asked again and again for a megabyte that is not there: room is made for what is.
        n_bytes = min(n_bytes, os.fstat(self._descriptor).st_size - offset)
        while n_bytes > 0 and (part := os.pread(self._descriptor, n_bytes, offset)):
            parts.append(part)
            offset += len(part)
            n_bytes -= len(part)
        return b"".join(parts)

    def status(self) -> os.stat_result:
        """See LogBytes."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """See LogBytes."""
        os.close(self._descriptor)


class PackedBytes:
    """A rotated log that was packed: unpacked on the way, forward only."""

    is_packed = True

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "rb")
        budget = Budget()
        stream = Stream(_blocks(self._file, budget))
        layer = layer_of(stream.peek(16))
        self._blocks = (Stream(layer(stream, budget)) if layer else stream).blocks()
        self._start = 0
        self._held = b""

    def at(self, offset: int, n_bytes: int) -> bytes:
        """Raises BrokenSourceError where the packed data are damaged, after what came before."""
        while self._start + len(self._held) < offset + n_bytes:
            if self._start + len(self._held) <= offset:
                self._start += len(self._held)
                self._held = b""
            block = next(self._blocks, b"")
            if not block:
                break
            self._held += block
        if (n_past := offset - self._start) > 0:
            # What lies before is not asked for again, except the tail before the offset that is read next.
            n_dropped = min(max(0, n_past - TAIL_BYTES), len(self._held))
            self._held = self._held[n_dropped:]
            self._start += n_dropped
        begin = offset - self._start
        return self._held[begin : begin + n_bytes] if begin >= 0 else b""

    def status(self) -> os.stat_result:
        """See LogBytes."""
        return os.fstat(self._file.fileno())

    def close(self) -> None:
        """See LogBytes."""
        self._file.close()


def open_log(path: str) -> LogBytes:
    """The log at `path`. Raises OSError, also where it is no regular file (IsADirectoryError for all of these)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(0, "it is no regular file", path)
    log = PlainBytes(descriptor)
    return PackedBytes(descriptor) if layer_of(log.at(0, 16)) is not None else log


def digest(data: bytes) -> str:
    """A short name for some bytes; not secret, not forgeable by chance."""
    return hashlib.sha256(data).hexdigest()[:32]


def fits(log: LogBytes, place: Place) -> bool:
    """Whether the bytes of `log` up to the place are those that were read."""
    n_tail = min(TAIL_BYTES, place.offset)
    try:
        if digest(log.at(0, place.n_head)) != place.head:
            return False
        return digest(log.at(place.offset - n_tail, n_tail)) == place.tail
    except BrokenSourceError:
        return False


def _blocks(file: IO[bytes], budget: Budget) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise BrokenSourceError(f"reading failed: {error.strerror}", DAMAGED) from None
        if not block:
            return
        budget.take_packed(len(block))
        yield block

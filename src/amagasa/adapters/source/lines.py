"""Bytes -> chunks of whole lines, of bounded size, with the number of each line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from amagasa.adapters.source.stream import BrokenSourceError
from amagasa.event.audit_event import whole_events
from amagasa.event.lines import MAX_LINE_BYTES, too_long
from amagasa.event.native import count_line_feeds
from amagasa.event.record import Chunk, Format, Reject, SourceFault

# Big enough that the cost of a chunk vanishes (measured with the Windows corpus), small enough for many at once.
CHUNK_BYTES: Final = 1_048_576

Item = Chunk | Reject | SourceFault


class LineCutter:
    """Cuts a growing text into chunks. Feed it blocks; what has no line end yet is held, at most one line long."""

    def __init__(self, path: str, form: Format, read_at: datetime, first_record: int = 1) -> None:
        self._path = path
        self._form = form
        self._read_at = read_at
        self._record = first_record
        self._parts: list[bytes] = []
        self._n_held = 0
        self._has_line = False
        self._n_skipped = 0

    @property
    def record(self) -> int:
        """Number of the record which the next byte fed, or the held part of a line, belongs to."""
        return self._record

    def feed(self, block: bytes) -> Iterator[Chunk | Reject]:
        """Take `block`; give a chunk as soon as one is full."""
        if self._n_skipped:
            at = block.find(b"\n")
            if at < 0:
                self._n_skipped += len(block)
                return
            yield self._end_skipping(at)
            block = block[at + 1 :]
        if not block:
            return
        self._parts.append(block)
        self._n_held += len(block)
        self._has_line = self._has_line or b"\n" in block
        if self._n_held >= CHUNK_BYTES:
            yield from self.flush()

    def flush(self, *, is_last: bool = False) -> Iterator[Chunk | Reject]:
        """Give all whole lines held, but for an event whose rest may come; an endless line is given up."""
        if self._has_line:
            last = next(place for place in reversed(range(len(self._parts))) if b"\n" in self._parts[place])
            part = self._parts[last]
            at = part.rfind(b"\n") + 1
            data = b"".join((*self._parts[:last], memoryview(part)[:at]))
            whole = whole_events(data) if self._form is Format.SYSLOG and not is_last else len(data)
            if whole:
                yield self._chunk(data[:whole])
            self._parts = [one for one in (data[whole:], part[at:], *self._parts[last + 1 :]) if one]
            self._n_held = sum(map(len, self._parts))
            self._has_line = whole < len(data)
        if self._n_held > MAX_LINE_BYTES:
            self._n_skipped = self._n_held
            self._parts, self._n_held = [], 0

    def end(self) -> Iterator[Chunk | Reject]:
        """Give what is left, the last line even without its line end."""
        yield from self.flush(is_last=True)
        if self._n_skipped:
            yield self._end_skipping(0)
        elif self._parts:
            yield self._chunk(b"".join(self._parts))
        self._parts, self._n_held = [], 0

    def _chunk(self, data: bytes) -> Chunk:
        chunk = Chunk(path=self._path, format=self._form, first_record=self._record, data=data, read_at=self._read_at)
        self._record += count_line_feeds(data) + (not data.endswith(b"\n"))
        return chunk

    def _end_skipping(self, n_bytes: int) -> Reject:
        reject = too_long(self._path, self._record, self._n_skipped + n_bytes)
        self._n_skipped = 0
        self._record += 1
        return reject


def chunks_of(path: str, form: Format, blocks: Iterator[bytes], read_at: datetime) -> Iterator[Item]:
    """All chunks of one file or member; last the fault where its rest cannot be read."""
    cutter = LineCutter(path, form, read_at)
    fault: SourceFault | None = None
    try:
        for block in blocks:
            yield from cutter.feed(block)
    except BrokenSourceError as error:
        fault = error.fault(path)
    yield from cutter.end()
    if fault is not None:
        yield fault

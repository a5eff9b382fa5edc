"""Keeps the records of one source. One writer a source: the process that reads it.

What is added stands in a tail at once. A tail that is large or old enough is packed beside, in a thread, and goes into
the segment at hand; only then does the head that is handed out name it there. A head that was committed says how far
the lake counts: at the next start what is behind it is cut off, and will be read again. So the lake and the position of
the source are never apart, whatever instant the process is killed at. The disk is asked to keep what was written once
a second: a machine that loses its power may lose as much, and then that is said.

Where there is no room the records are looked at all the same; that they are not kept is counted and told.
"""

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.blocks import IndexEntry, Packed, SegmentHead
from amagasa.adapters.lake.index import mend_index, records_kept
from amagasa.app.lake_ports import LakeHead, Missed
from amagasa.event.record import Chunk
from amagasa.event.words import WordTable
from amagasa.vocab.errors import WorldError

PACK_AFTER: Final = timedelta(minutes=10)
SEGMENT_AFTER: Final = timedelta(days=1)
MAX_WAITING: Final = 128  # tails, half a GiB on the disk; beyond it reading waits for the packing
MAX_MISSED: Final = 100
MAX_UNCOMMITTED_BYTES: Final = 32 * 1_048_576
_NO_ROOM: Final = "it could not be written"


class Packer:
    """Packs in a thread of its own, for all sources."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "lake")
        self._table = WordTable()

    def pack(self, tail: Path, n_bytes: int) -> "Future[Packed]":
        """The first bytes of a tail, in the order in which it is asked. It is read anew: waiting costs no memory."""
        return self._pool.submit(self._packed, tail, n_bytes)

    def drain(self) -> None:
        """Return when all that was asked is packed."""
        self._pool.submit(int).result()

    def _packed(self, tail: Path, n_bytes: int) -> Packed:
        return blocks.pack([chunk for chunk, _ in blocks.frames_of(records_kept(tail, n_bytes))], self._table)

    def close(self) -> None:
        """When all is packed."""
        self._pool.shutdown()


class _Tail:
    def __init__(self, number: int) -> None:
        self.number = number
        self.n_bytes = 0
        self.n_raw_bytes = 0
        self.first_at: datetime | None = None
        self.packed: Future[Packed] | None = None


class SourceWriter:
    """The lake of one source, from its committed head on. Raises WorldError (AMG-LAKE-OPEN) where it cannot be opened.

    Time comes with the chunks.
    """

    def __init__(self, lake: Path, source: str, head: LakeHead | None, packer: Packer, *, now: datetime) -> None:
        self._folder = places.folder_of(lake, source)
        self._source = source
        self._packer = packer
        self._head = head or LakeHead()
        self._tails: deque[_Tail] = deque()
        self._segment = -1
        self._index = -1
        self._tail_file = -1
        self._index_end = 0
        self._n_segment_raw = 0
        self._segment_at = now
        self._unsynced: set[int] = set()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._folder / places.NAME_FILE).write_text(source, encoding="utf-8")
            self._recover(now)
        except OSError as problem:
            raise WorldError(
                "AMG-LAKE-OPEN",
                "the lake of a source cannot be opened",
                expected="a folder of the user who runs the node, and room on its disk",
                got=f"{self._folder}: {problem.strerror}",
                then="it is tried again; nothing is read meanwhile",
            ) from None

    @property
    def folder(self) -> Path | None:
        """Where it is."""
        return self._folder

    def add(self, chunk: Chunk) -> None:
        """Keep the records of a chunk."""
        if not chunk.data:
            return
        head = blocks.frame_head(chunk)
        try:
            tail = self._open_tail()
            _write_all(self._tail_file, head, tail.n_bytes)
            _write_all(self._tail_file, chunk.data, tail.n_bytes + len(head))
        except OSError as problem:
            self._miss(chunk, problem.strerror or _NO_ROOM)
            return
        self._unsynced.add(self._tail_file)
        tail.n_bytes += len(head) + len(chunk.data)
        tail.n_raw_bytes += len(chunk.data)
        tail.first_at = tail.first_at or chunk.read_at
        n = blocks.n_records(chunk.data)
        before = self._head
        self._head = replace(before, n_records=before.n_records + n, n_raw_bytes=before.n_raw_bytes + len(chunk.data))
        if tail.n_raw_bytes >= blocks.BLOCK_BYTES:
            self._seal(chunk.read_at)

    def rest(self, now: datetime) -> bool:
        """Between chunks: pack what is old, take in what is packed. Whether the head has changed."""
        last = self._tails[-1] if self._tails else None
        if last is not None and last.packed is None and (last.first_at or now) + PACK_AFTER <= now:
            self._seal(now)
        before = self._head
        self._take_packed(is_waiting=False, now=now)
        return self._head is not before

    def finish(self, now: datetime) -> None:
        """Pack all that is there, and wait for it: the chain is whole while nobody reads the source."""
        if self._tails and self._tails[-1].packed is None:
            self._seal(now)
        for _ in range(len(self._tails)):
            self._take_packed(is_waiting=True, now=now)

    def head(self) -> LakeHead:
        """How far it goes now."""
        return replace(self._head, tails=tuple((tail.number, tail.n_bytes) for tail in self._tails))

    def settled(self, head: LakeHead) -> None:
        """This head is committed: tails before the first that it names are not needed any more."""
        first = head.tails[0][0] if head.tails else head.next_tail
        for number in places.numbers_of(self._folder, "tail-*"):
            if number < first:
                (self._folder / blocks.tail_name(number)).unlink(missing_ok=True)

    def sync(self) -> None:
        """Have the disk keep what was written."""
        for descriptor in tuple(self._unsynced):
            self._unsynced.discard(descriptor)
            os.fdatasync(descriptor)

    def close(self) -> None:
        """Pack nothing more; what is in tails stays there."""
        for descriptor in (self._segment, self._index, self._tail_file):
            if descriptor >= 0:
                os.close(descriptor)
        self._segment = self._index = self._tail_file = -1
        self._unsynced.clear()

    def _open_tail(self) -> _Tail:
        last = self._tails[-1] if self._tails else None
        if last is not None and last.packed is None:
            return last
        tail = _Tail(self._head.next_tail)
        path = self._folder / blocks.tail_name(tail.number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._leave_tail()
        self._tail_file = descriptor
        self._tails.append(tail)
        self._head = replace(self._head, next_tail=tail.number + 1)
        return tail

    def _leave_tail(self) -> None:
        if self._tail_file >= 0:
            self._unsynced.discard(self._tail_file)
            os.close(self._tail_file)
            self._tail_file = -1

    def _seal(self, now: datetime) -> None:
        self._pack(self._tails[-1])
        self._take_packed(is_waiting=False, now=now)
        if len(self._tails) > MAX_WAITING:
            self._take_packed(is_waiting=True, now=now)

    def _pack(self, tail: _Tail) -> None:
        tail.packed = self._packer.pack(self._folder / blocks.tail_name(tail.number), tail.n_bytes)

    def _take_packed(self, *, is_waiting: bool, now: datetime) -> None:
        """Write what is packed, in order; with `is_waiting` at least the first."""
        while self._tails and (packed := self._tails[0].packed) is not None:
            if not (packed.done() or is_waiting):
                return
            try:
                self._write(packed.result(), now)
            except OSError:
                if packed.exception() is not None:
                    self._pack(self._tails[0])
                return  # tried again; it still stands in its tail
            self._tails.popleft()
            is_waiting = False

    def _write(self, packed: Packed, now: datetime) -> None:
        if not self._head.segment or self._n_segment_raw >= blocks.SEGMENT_BYTES or self._is_segment_old(now):
            self._begin_segment(now)
        head = self._head
        before = bytes.fromhex(head.digest)
        entry = blocks.entry_of(packed, offset=head.n_bytes, before=before)
        _write_all(self._segment, packed.block, head.n_bytes)
        self._unsynced.add(self._segment)
        indexed = blocks.encode_entry(entry, packed.words)
        _write_all(self._index, indexed, self._index_end)
        self._index_end += len(indexed)
        self._n_segment_raw += packed.head.n_raw_bytes
        digest = blocks.digest_of(before, packed.block).hex()
        self._head = replace(head, n_bytes=head.n_bytes + len(packed.block), digest=digest)

    def _is_segment_old(self, now: datetime) -> bool:
        return self._n_segment_raw > 0 and now - self._segment_at >= SEGMENT_AFTER

    def _begin_segment(self, now: datetime) -> None:
        number = self._head.segment + 1
        start = blocks.encode_segment_head(
            SegmentHead(source=self._source, number=number, previous=self._head.digest, began_at=now)
        )
        segment = self._opened(blocks.segment_name(number))
        try:
            _write_all(segment, start, 0)
            index = self._opened(blocks.index_name(number))
        except OSError:
            os.close(segment)
            raise
        os.fdatasync(segment)
        for descriptor in (self._segment, self._index):
            if descriptor >= 0:
                os.fdatasync(descriptor)
                os.close(descriptor)
                self._unsynced.discard(descriptor)
        self._segment, self._index = segment, index
        self._index_end, self._n_segment_raw, self._segment_at = 0, 0, now
        self._head = replace(self._head, segment=number, n_bytes=len(start), digest=blocks.digest_of(b"", start).hex())

    def _opened(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def _miss(self, chunk: Chunk, why: str) -> None:
        """Note that records are not kept."""
        self._head = missing(self._head, chunk, why)

    def _recover(self, now: datetime) -> None:
        """Put the files back to what was committed."""
        head = self._head
        for number in places.numbers_of(self._folder, "*.seg"):
            if number > head.segment:
                self._put_aside(number)
        if head.segment:
            self._recover_segment(now)
        named = dict(head.tails)
        for number in places.numbers_of(self._folder, "tail-*"):
            if number not in named:
                (self._folder / blocks.tail_name(number)).unlink(missing_ok=True)
        for number, n_bytes in head.tails:
            self._recover_tail(number, n_bytes, now)

    def _put_aside(self, number: int) -> None:
        """A segment that was begun and never committed. One of some size stays: the store is an older copy."""
        path = self._folder / blocks.segment_name(number)
        if path.stat().st_size > MAX_UNCOMMITTED_BYTES:
            path.replace(self._folder / f"aside-{number:08d}")
        path.unlink(missing_ok=True)
        (self._folder / blocks.index_name(number)).unlink(missing_ok=True)

    def _recover_segment(self, now: datetime) -> None:
        head = self._head
        path = self._folder / blocks.segment_name(head.segment)
        self._segment = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._segment).st_size
        if size < head.n_bytes:
            # The machine lost its power, or somebody cut it: what is left of it stays, and a new segment begins.
            os.close(self._segment)
            self._segment = -1
            self._lose(head.n_bytes - size, f"segment {head.segment} is shorter than what was committed", now)
            self._n_segment_raw = blocks.SEGMENT_BYTES
            return
        os.ftruncate(self._segment, head.n_bytes)
        entries = mend_index(self._folder, head.segment, head.n_bytes)
        self._index = os.open(self._folder / blocks.index_name(head.segment), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        self._index_end = os.fstat(self._index).st_size
        self._n_segment_raw = sum(entry.n_raw_bytes for entry in entries)
        self._segment_at = _began_at(entries, now)

    def _recover_tail(self, number: int, n_bytes: int, now: datetime) -> None:
        path = self._folder / blocks.tail_name(number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(descriptor).st_size
        if size < n_bytes:
            self._lose(n_bytes - size, f"tail {number} is shorter than what was committed", now)
        os.ftruncate(descriptor, min(size, n_bytes))
        tail = _Tail(number)
        for chunk, end in blocks.frames_of(records_kept(path, n_bytes)):
            tail.first_at = tail.first_at or chunk.read_at
            tail.n_bytes = end
            tail.n_raw_bytes += len(chunk.data)
        os.ftruncate(descriptor, tail.n_bytes)
        is_last = number == self._head.tails[-1][0]
        if not tail.n_bytes:
            os.close(descriptor)
            return
        self._tails.append(tail)
        if is_last and tail.n_raw_bytes < blocks.BLOCK_BYTES:
            self._tail_file = descriptor
        else:
            os.close(descriptor)
            self._pack(tail)

    def _lose(self, n_bytes: int, why: str, now: datetime) -> None:
        one = Missed(n_bytes=n_bytes, first_at=now, last_at=now, why=why)
        self._head = replace(self._head, missed=(*self._head.missed, one)[-MAX_MISSED:])


class NotKept:
    """In the place of a writer where a lake cannot be opened: it keeps nothing, and notes that."""

    def __init__(self, head: LakeHead | None, why: str) -> None:
        self._head = head or LakeHead()
        self._why = why
        self.folder: Path | None = None

    def add(self, chunk: Chunk) -> None:
        """Note what is not kept."""
        self._head = missing(self._head, chunk, self._why)

    def rest(self, now: datetime) -> bool:
        """Nothing changes by itself."""
        del now
        return False

    def finish(self, now: datetime) -> None:
        """Nothing is to be done."""

    def head(self) -> LakeHead:
        """As it was committed, and what was missed since."""
        return self._head

    def settled(self, head: LakeHead) -> None:
        """Nothing is to be done."""

    def sync(self) -> None:
        """Nothing is to be done."""

    def close(self) -> None:
        """Nothing is to be done."""


def missing(head: LakeHead, chunk: Chunk, why: str) -> LakeHead:
    """The head with a note that the records of a chunk are not kept; for the same reason soon again it is one note."""
    missed = head.missed
    last = missed[-1] if missed else None
    if last is not None and last.why == why and chunk.read_at - last.last_at < PACK_AFTER:
        one = replace(last, n_bytes=last.n_bytes + len(chunk.data), last_at=max(last.last_at, chunk.read_at))
        return replace(head, missed=(*missed[:-1], one))
    one = Missed(n_bytes=len(chunk.data), first_at=chunk.read_at, last_at=chunk.read_at, why=why)
    return replace(head, missed=(*missed, one)[-MAX_MISSED:])


def _began_at(entries: list[IndexEntry], now: datetime) -> datetime:
    return min((entry.first_at for entry in entries), default=now)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Raises OSError where not all could be written; nothing counts then."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        if not written:
            raise OSError(28, _NO_ROOM)
        offset += written
        view = view[written:]

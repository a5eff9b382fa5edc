"""Reads what is committed of a lake, by its parts, passing by those which hold nothing that is asked for."""

import mmap
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.blocks import DamagedError, IndexEntry
from amagasa.adapters.lake.index import blocks_of as _blocks_of
from amagasa.adapters.lake.index import made_again, records_kept
from amagasa.app.lake_ports import Kept, LakeHead, LakePart, LakeSize, MayHold, Missed, Passed, Unlooked
from amagasa.event.words import WordTable

RETENTION: Final = "AMG-LAKE-RETENTION"
GONE: Final = "AMG-LAKE-GONE"
DAMAGED: Final = "AMG-LAKE-DAMAGED"
NOT_KEPT: Final = "AMG-LAKE-NOT-KEPT"
# The clock of whoever wrote a record may run ahead of ours.
AHEAD: Final = timedelta(days=1)
_TRIES: Final = 3
_HEAD_BYTES: Final = 65_536

Heads = Callable[[], Mapping[str, LakeHead]]


class FolderLake:
    """`app.lake_ports.Lake` on this machine's disk. `heads` asks the store what is committed."""

    def __init__(self, folder: Path, heads: Heads) -> None:
        self._folder = folder
        self._heads = heads

    def sources(self) -> tuple[str, ...]:
        """See the port."""
        return tuple(sorted(self._heads()))

    def records(
        self,
        source: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        may_hold: MayHold | None = None,
    ) -> Iterator[LakePart]:
        """See the port."""
        del until
        folder = places.folder_of(self._folder, source)
        head, tails = self._committed(source, folder)
        for missed in head.missed:
            if since is None or missed.last_at + AHEAD >= since:
                yield _not_kept(source, missed)
        known = set(places.numbers_of(folder, "*.seg"))
        stones = {stone.number: stone for stone in places.tombstones_of(folder)}
        for number in range(1, head.segment + 1):
            if number in stones:
                stone = stones[number]
                if since is None or stone.last_at + AHEAD >= since:
                    yield _let_go(source, stone)
            elif number not in known:
                why = "its file is not there, and no tombstone says that it was let go"
                yield Unlooked(source=source, what=f"segment {number}", why=why, code=GONE)
            else:
                end = head.n_bytes if number == head.segment else None
                yield from _Segment(source, folder, number, end).parts(since, may_hold)
        yield from tails

    def sizes(self) -> tuple[LakeSize, ...]:
        """See the port."""
        return tuple(self._size(source, head) for source, head in sorted(self._heads().items()))

    def _committed(self, source: str, folder: Path) -> tuple[LakeHead, list[LakePart]]:
        """The head, and what stands in its tails. A tail may just have been packed: then the head has moved on."""
        for at in range(_TRIES):
            head = self._heads().get(source, LakeHead())
            parts: list[LakePart] = []
            for number, n_bytes in head.tails:
                try:
                    data = records_kept(folder / blocks.tail_name(number), n_bytes)
                except OSError as problem:
                    if at < _TRIES - 1:
                        break
                    why = f"its file cannot be read: {problem.strerror}"
                    parts.append(Unlooked(source=source, what=f"tail {number}", why=why, code=GONE))
                    continue
                parts += _tail_parts(source, number, data, n_bytes)
            else:
                return head, parts
        return head, parts

    def _size(self, source: str, head: LakeHead) -> LakeSize:
        folder = places.folder_of(self._folder, source)
        entries: list[IndexEntry] = []
        n_bytes, n_segments = 0, 0
        for number in places.numbers_of(folder, "*.seg"):
            if number > head.segment:
                continue
            index = folder / blocks.index_name(number)
            found = [entry for entry, _, _ in blocks.entries_of(index.read_bytes())] if index.exists() else []
            entries += [one for one in found if number < head.segment or one.offset < head.n_bytes]
            n_bytes += (folder / blocks.segment_name(number)).stat().st_size
            n_bytes += index.stat().st_size if index.exists() else 0
            n_segments += 1
        tails = [part for part in self._committed(source, folder)[1] if isinstance(part, Kept)]
        parts: list[IndexEntry | Kept] = [*entries, *tails]
        n_bytes += sum(n for _, n in head.tails)
        return LakeSize(
            source=source,
            n_segments=n_segments,
            n_records=sum(one.n_records for one in parts),
            n_raw_bytes=sum(one.n_raw_bytes for one in parts),
            n_bytes=n_bytes,
            n_records_ever=head.n_records,
            first_at=min((one.first_at for one in parts), default=None),
            last_at=max((one.last_at for one in parts), default=None),
            n_let_go=sum(stone.n_records for stone in places.tombstones_of(folder)),
            missed=head.missed,
            digest=head.digest,
        )


class _Segment:
    def __init__(self, source: str, folder: Path, number: int, end: int | None) -> None:
        self._source = source
        self._number = number
        self._path = folder / blocks.segment_name(number)
        self._index = folder / blocks.index_name(number)
        self._end = end

    def parts(self, since: datetime | None, may_hold: MayHold | None) -> Iterator[LakePart]:
        """Block after block; what the index lacks is read from the segment."""
        covered, n = 0, 0
        try:
            with self._path.open("rb") as file, self._open_index() as view:
                for n, (entry, words, _) in enumerate(blocks.entries_of(view), 1):
                    if self._end is not None and entry.offset + entry.n_bytes > self._end:
                        break
                    covered = entry.offset + entry.n_bytes
                    is_old = since is not None and entry.last_at + AHEAD < since
                    if is_old or (may_hold is not None and not may_hold(words, entry.formats)):
                        yield Passed(source=self._source, n_raw_bytes=entry.n_raw_bytes, n_records=entry.n_records)
                        continue
                    file.seek(entry.offset)
                    yield self._kept(entry, n, file.read(entry.n_bytes))
            yield from self._rest(covered, n, since, may_hold)
        except OSError as problem:
            yield self._unlooked(f"it cannot be read: {problem.strerror}", GONE)

    def _open_index(self) -> "memoryview":
        try:
            with self._index.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):
            return memoryview(b"")

    def _kept(self, entry: IndexEntry, number: int, block: bytes) -> LakePart:
        if len(block) != entry.n_bytes:
            return self._unlooked(f"block {number}: it is cut short", DAMAGED, entry)
        try:
            _, chunks = blocks.unpack(block)
        except DamagedError as problem:
            return self._unlooked(f"block {number}: {problem}", DAMAGED, entry)
        return Kept(
            source=self._source,
            segment=self._number,
            block=number,
            n_raw_bytes=entry.n_raw_bytes,
            n_records=entry.n_records,
            first_at=entry.first_at,
            last_at=entry.last_at,
            chunks=chunks,
        )

    def _rest(self, covered: int, n: int, since: datetime | None, may_hold: MayHold | None) -> Iterator[LakePart]:
        """The blocks that the index does not name."""
        size = self._path.stat().st_size if self._end is None else self._end
        if covered >= size:
            return
        table = WordTable()
        try:
            for offset, before, block in _blocks_of(self._path, size):
                if offset < covered:
                    continue
                n += 1
                entry, words = made_again(offset, before, block, table)
                is_old = since is not None and entry.last_at + AHEAD < since
                if is_old or (may_hold is not None and not may_hold(words, entry.formats)):
                    yield Passed(source=self._source, n_raw_bytes=entry.n_raw_bytes, n_records=entry.n_records)
                else:
                    yield self._kept(entry, n, block)
        except DamagedError as problem:
            yield self._unlooked(f"behind block {n}: {problem}; the rest of the segment was not looked at", DAMAGED)

    def _unlooked(self, why: str, code: str, entry: IndexEntry | None = None) -> Unlooked:
        return Unlooked(
            source=self._source,
            what=f"segment {self._number}",
            why=why,
            code=code,
            first_at=entry.first_at if entry else None,
            last_at=entry.last_at if entry else None,
        )


def _tail_parts(source: str, number: int, data: bytes, n_bytes: int) -> Iterator[LakePart]:
    chunks, end = [], 0
    for chunk, at in blocks.frames_of(data):
        chunks.append(chunk)
        end = at
    if chunks:
        yield Kept(
            source=source,
            segment=0,
            block=number,
            n_raw_bytes=sum(len(chunk.data) for chunk in chunks),
            n_records=sum(blocks.n_records(chunk.data) for chunk in chunks),
            first_at=min(chunk.read_at for chunk in chunks),
            last_at=max(chunk.read_at for chunk in chunks),
            chunks=tuple(chunks),
        )
    if end < n_bytes:
        why = f"{n_bytes - end} bytes of what was committed are not there"
        yield Unlooked(source=source, what=f"tail {number}", why=why, code=DAMAGED)


def _let_go(source: str, stone: places.Tombstone) -> Unlooked:
    return Unlooked(
        source=source,
        what=f"segment {stone.number}",
        why=f"{stone.n_records} records were let go: {stone.why}",
        code=RETENTION,
        is_by_retention=True,
        first_at=stone.first_at,
        last_at=stone.last_at,
    )


def _not_kept(source: str, missed: Missed) -> Unlooked:
    return Unlooked(
        source=source,
        what=f"{missed.n_bytes} bytes",
        why=f"they are not in the lake: {missed.why}",
        code=NOT_KEPT,
        first_at=missed.first_at,
        last_at=missed.last_at,
    )

"""Whether a lake is what was written: its chain, block by block, up to the digest that was committed."""

import hashlib
from pathlib import Path

from msgspec import Struct

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.blocks import DamagedError
from amagasa.adapters.lake.index import blocks_of, records_kept
from amagasa.app.lake_ports import LakeHead


class Proof(Struct, frozen=True, kw_only=True):
    """What was found of one source. `fault` is "" where everything fits, else the first thing that does not.

    `n_unchained` records stand in tails, which the chain takes in within ten minutes.
    """

    source: str
    n_segments: int
    n_blocks: int
    n_records: int
    n_unchained: int
    n_let_go: int
    digest: str
    fault: str = ""


class _Walk:
    def __init__(self, folder: Path, source: str, head: LakeHead) -> None:
        self.folder, self.source, self.head = folder, source, head
        self.n_segments = self.n_blocks = self.n_records = self.n_unchained = 0

    def go(self) -> None:
        """Raises DamagedError at the first thing that does not fit, OSError where a file cannot be read."""
        stones = {stone.number: stone for stone in places.tombstones_of(self.folder)}
        last = ""
        for number in range(1, self.head.segment + 1):
            path = self.folder / blocks.segment_name(number)
            if not path.exists() and number in stones:
                if stones[number].previous != last:
                    raise DamagedError(f"the tombstone of segment {number} does not follow the segment before it")
                last = stones[number].digest
            else:
                last = self._segment(number, path, last)
        if last != self.head.digest:
            raise DamagedError("the chain does not end with the digest that was committed")
        for number, n_bytes in self.head.tails:
            self._tail(number, n_bytes)

    def _segment(self, number: int, path: Path, previous: str) -> str:
        end = self.head.n_bytes if number == self.head.segment else None
        head, start = blocks.decode_segment_head(records_kept(path, 65_536))
        if (head.source, head.number, head.previous) != (self.source, number, previous):
            raise DamagedError(f"the head of segment {number} does not follow the segment before it")
        words = self._words(number)
        digest = blocks.digest_of(b"", records_kept(path, start))
        self.n_segments += 1
        try:
            for n, (offset, before, block) in enumerate(blocks_of(path, end), 1):
                block_head, _ = blocks.unpack(block)
                digest = blocks.digest_of(before, block)
                self.n_blocks += 1
                self.n_records += block_head.n_records
                _same(words.get(offset, block_head.words), block_head.words, n)
        except DamagedError as problem:
            raise DamagedError(f"segment {number}: {problem}") from None
        return digest.hex()

    def _words(self, number: int) -> dict[int, str]:
        index = self.folder / blocks.index_name(number)
        data = index.read_bytes() if index.exists() else b""
        return {entry.offset: hashlib.sha256(words).hexdigest() for entry, words, _ in blocks.entries_of(data)}

    def _tail(self, number: int, n_bytes: int) -> None:
        data = records_kept(self.folder / blocks.tail_name(number), n_bytes)
        end = 0
        for chunk, at in blocks.frames_of(data):
            self.n_unchained += blocks.n_records(chunk.data)
            end = at
        if end != n_bytes:
            raise DamagedError(f"tail {number} is not as long as what was committed")


def _same(words: str, written: str, block: int) -> None:
    if words != written:
        raise DamagedError(f"the filter of block {block} is not the one that was written")


def prove(lake: Path, source: str, head: LakeHead) -> Proof:
    """Read everything that is there of this source and compare. Raises nothing for what the disk holds."""
    folder = places.folder_of(lake, source)
    walk = _Walk(folder, source, head)
    fault = ""
    try:
        walk.go()
    except DamagedError as problem:
        fault = str(problem)
    except OSError as problem:
        fault = f"{Path(problem.filename or folder).name} cannot be read: {problem.strerror}"
    return Proof(
        source=source,
        n_segments=walk.n_segments,
        n_blocks=walk.n_blocks,
        n_records=walk.n_records,
        n_unchained=walk.n_unchained,
        n_let_go=sum(stone.n_records for stone in places.tombstones_of(folder)),
        digest=head.digest,
        fault=fault,
    )

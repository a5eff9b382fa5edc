"""What is let go: whole segments, the oldest first, when their time or the room is over. A tombstone stays of each."""

from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.index import records_kept
from amagasa.adapters.lake.places import Tombstone


def let_go(folder: Path, *, keep: timedelta, quota_bytes: int, last: int, now: datetime) -> tuple[Tombstone, ...]:
    """Let go of segments before number `last` (the one at hand): those last read `keep` ago, and beyond the quota.

    The tombstone is on the disk before the segment goes: after a kill in between it goes now. Raises OSError.
    """
    dead = {one.number for one in places.tombstones_of(folder)}
    numbers = places.numbers_of(folder, "*.seg")
    sizes = {number: _size(folder, number) for number in numbers}
    gone: list[Tombstone] = []
    for number in numbers:
        if number >= last:
            break
        if number not in dead:
            is_over = sum(sizes.values()) > quota_bytes
            stone = _tombstone(folder, number, sizes[number], now)
            if not is_over and stone.last_at + keep > now:
                break
            why = "the quota is used up" if is_over else "its time is over"
            stone = replace(stone, why=why)
            places.add_tombstone(folder, stone)
            gone.append(stone)
        (folder / blocks.segment_name(number)).unlink(missing_ok=True)
        (folder / blocks.index_name(number)).unlink(missing_ok=True)
        sizes.pop(number)
    return tuple(gone)


def _size(folder: Path, number: int) -> int:
    names = (blocks.segment_name(number), blocks.index_name(number))
    return sum((folder / name).stat().st_size for name in names if (folder / name).exists())


def _tombstone(folder: Path, number: int, n_bytes: int, now: datetime) -> Tombstone:
    """As of the index; of one that cannot be read, as the next segment's head says."""
    index = folder / blocks.index_name(number)
    entries = [entry for entry, _, _ in blocks.entries_of(index.read_bytes())] if index.exists() else []
    following, _ = blocks.decode_segment_head(records_kept(folder / blocks.segment_name(number + 1), 65_536))
    own, _ = blocks.decode_segment_head(records_kept(folder / blocks.segment_name(number), 65_536))
    return Tombstone(
        number=number,
        previous=own.previous,
        digest=following.previous,
        n_records=sum(entry.n_records for entry in entries),
        n_raw_bytes=sum(entry.n_raw_bytes for entry in entries),
        n_bytes=n_bytes,
        first_at=min((entry.first_at for entry in entries), default=own.began_at),
        last_at=max((entry.last_at for entry in entries), default=following.began_at),
        why="",
        let_go_at=now,
    )

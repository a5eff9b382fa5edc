"""What use cases ask of the lake, in which every record is kept as it came."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from amagasa.event.record import Chunk, Format


class Missed(Struct, frozen=True, kw_only=True):
    """Records that were looked at and could not be kept, or were lost, and why."""

    n_bytes: int
    first_at: datetime
    last_at: datetime
    why: str


class LakeHead(Struct, frozen=True, kw_only=True):
    """How far the lake of one source goes, committed with the source's position: what is behind it does not count.

    `digest` (SHA-256, hex) stands for segment number `segment` up to byte `n_bytes`, and by the chain for all before.
    `tails` are the files not packed yet: (number, bytes). Totals count since the source was added.
    """

    segment: int = 0
    n_bytes: int = 0
    digest: str = ""
    tails: tuple[tuple[int, int], ...] = ()
    next_tail: int = 1
    n_records: int = 0
    n_raw_bytes: int = 0
    missed: tuple[Missed, ...] = ()


# Under this key the head stands in the position of its source: both are committed as one.
LAKE: Final = "lake"


def head_in(token: Mapping[str, Any] | None) -> LakeHead | None:
    """The head that stands in a position's token; None where nothing was ever kept of the source."""
    held = (token or {}).get(LAKE)
    return None if held is None else msgspec.convert(held, LakeHead)


class Unlooked(Struct, frozen=True, kw_only=True):
    """A part of the lake that could not be looked at. Never the same as one in which nothing was found.

    `is_by_retention`: it was let go when its time or the room was over, as the tombstone says.
    """

    source: str
    what: str
    why: str
    code: str
    is_by_retention: bool = False
    first_at: datetime | None = None
    last_at: datetime | None = None


class Passed(Struct, frozen=True, kw_only=True):
    """A block that was passed by: its filter, or its time, says that nothing asked for is in there."""

    source: str
    n_raw_bytes: int
    n_records: int


class Kept(Struct, frozen=True, kw_only=True):
    """Records as they came: those of one block, or not packed yet (`segment` 0). `chunks` hold them in order."""

    source: str
    segment: int
    block: int
    n_raw_bytes: int
    n_records: int
    first_at: datetime
    last_at: datetime
    chunks: tuple[Chunk, ...]


# The filter of a block and the formats in it -> whether what is asked for may be in it. None: every block.
MayHold: TypeAlias = Callable[[bytes | memoryview, tuple[Format, ...]], bool]
LakePart: TypeAlias = Kept | Passed | Unlooked


class LakeSize(Struct, frozen=True, kw_only=True):
    """Of the lake of one source: what is in it now."""

    source: str
    n_segments: int
    n_records: int
    n_raw_bytes: int
    n_bytes: int
    n_records_ever: int
    first_at: datetime | None
    last_at: datetime | None
    n_let_go: int
    missed: tuple[Missed, ...]
    digest: str


class Lake(Protocol):
    """The records of a node, as committed when asked. Raises WorldError where the store cannot be read."""

    def sources(self) -> tuple[str, ...]:
        """Sources of which something was ever kept."""

    def records(
        self,
        source: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        may_hold: MayHold | None = None,
    ) -> Iterator[LakePart]:
        """The parts in the order in which they were read.

        Those read before `since` are passed by (a record is never younger than its reading). What was read after
        `until` may be older than it: its records are given all the same, for the caller to look at their own times.
        """

    def sizes(self) -> tuple[LakeSize, ...]:
        """Of each source."""

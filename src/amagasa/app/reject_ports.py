"""Records that could not be read, kept as they came: what is said of them between worker, store and doors."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.record import Format

# Under this key the head stands in the position of its source: both are committed as one.
REJECTS: Final = "rejects"


class Mark(Struct, frozen=True, kw_only=True, order=True):
    """A place in the file of rejects: byte `offset` of its part number `part` (from 1)."""

    part: int = 1
    offset: int = 0


class RejectHead(Struct, frozen=True, kw_only=True):
    """What the file of rejects of a source holds: from `start` to `end`, committed with the source's position.

    `until`: rejects before it are being fed again; None where nobody asked. Totals count since the source was added:
    `n_mended` were read when fed again, `n_let_go` were the oldest when there was no room any more, `n_unkept` could
    not be written or had no bytes to keep, `n_damaged` could not be read back.
    """

    start: Mark = Mark()
    end: Mark = Mark()
    until: Mark | None = None
    n_kept: int = 0
    n_mended: int = 0
    n_let_go: int = 0
    n_unkept: int = 0
    n_damaged: int = 0


class Rejected(Struct, frozen=True, kw_only=True):
    """A record which could not be read: where it stood, why, when, and its bytes as they came."""

    path: str
    record: int
    why: str
    code: str
    read_at: datetime
    form: Format
    raw: bytes


class Found(Struct, frozen=True, kw_only=True):
    """Rejects from a mark on, and the mark behind them. `n_damaged` of them could not be read back."""

    rejected: tuple[Rejected, ...]
    behind: Mark
    n_damaged: int = 0


class RejectFiles(Protocol):
    """Reads the files of rejects of all sources."""

    def read(self, source: str, start: Mark, end: Mark, *, max_bytes: int, limit: int) -> Found:
        """Whole rejects from `start`: at most `limit` and about `max_bytes`, none behind `end`. Raises WorldError."""


def reject_head_in(token: Mapping[str, Any] | None) -> RejectHead:
    """The head that stands in a position's token; an empty one where nothing was ever kept."""
    held = (token or {}).get(REJECTS)
    return RejectHead() if held is None else msgspec.convert(held, RejectHead)


def still_to_feed(before: Mapping[str, Any], token: dict[str, Any]) -> dict[str, Any]:
    """The new `token`, with the wish to feed rejects again that was committed `before` and which it does not know of.

    A batch that was on its way when somebody asked must not undo that.
    """
    wanted = reject_head_in(before).until
    head = reject_head_in(token)
    if wanted is None or head.until is not None or head.start >= wanted:
        return token
    return token | {REJECTS: msgspec.to_builtins(replace(head, until=wanted))}

"""The hand-over of a watch: what one officer leaves to the next, and that the next has taken it.

Incidents change hands when the watch is taken, not when it is left: until somebody says "taken" they are still with
whoever leaves. One hand-over of an officer is open at a time; a newer one takes its place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

KEPT: Final = 20
MOST_GIVEN: Final = 200


class Given(Struct, frozen=True, kw_only=True):
    """An incident as it stood when it was left. `score` is NCISS, `impact` the loss to missions, both 0 to 100."""

    incident_id: str
    title: str
    severity: int
    stage: str
    score: int
    impact: int


class Handover(Struct, frozen=True, kw_only=True):
    """`to` "": to whoever takes the next watch. `taken_at` None: nobody has taken it yet.

    `n_open`, `n_done` and `n_held` are the queue of that instant: open, closed in the shift, held back.
    """

    number: int
    at: datetime
    by: str
    to: str
    note: str
    given: tuple[Given, ...]
    n_open: int
    n_done: int
    n_held: int
    taken_at: datetime | None = None
    taken_by: str = ""


def leave(held: Sequence[Handover], new: Handover) -> tuple[Handover, ...]:
    """With the new one, the newest first, the last 20; an open one of the same officer goes."""
    number = max((one.number for one in held), default=0) + 1
    rest = [one for one in held if one.taken_at is not None or one.by != new.by]
    return (replace(new, number=number), *rest)[:KEPT]


def may_take(one: Handover, name: str) -> bool:
    """Whether it is open, and his or hers to take."""
    return one.taken_at is None and name != one.by and one.to in {"", name}


def take(held: Iterable[Handover], number: int, *, by: str, now: datetime) -> tuple[Handover, ...]:
    """With this one taken."""
    return tuple(replace(one, taken_at=now, taken_by=by) if one.number == number else one for one in held)

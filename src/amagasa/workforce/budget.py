"""The alert budget: how many incidents a shift can read, and what becomes of those above it.

Nothing is dropped. Of the open incidents, in their order, so many as the shift can still read are to be read. Of the
rest those as grave as `OFFER_FROM` (NCISS's "high") are offered to the ally's pool, and the others are deferred to the
next shift; each with its reason. What was folded into others is counted beside.

The budget is set by a person, or learnt from what shifts before this one closed: their median, and never less than
`LEAST`, since a quiet week says nothing of what people can read.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Final

from msgspec import Struct

LEARN_FROM: Final = timedelta(days=14)
# Shifts in which somebody closed something; of fewer than these nothing is learnt.
LEARN_SHIFTS: Final = 5
LEAST: Final = 20
# Until somebody says or shows otherwise: eight minutes an incident for one watch officer.
USUAL: Final = 60
MOST: Final = 10_000
OFFER_FROM: Final = 65


class Shifts(Struct, frozen=True, kw_only=True):
    """How a party works: hours of a shift (a part of a day), at which hour (UTC) one begins, and the budget's limits.

    `usual` and `least` are incidents a shift; incidents of NCISS `offer_from` and more are not left waiting.
    """

    hours: int = 8
    begins_at_utc: int = 0
    usual: int = USUAL
    least: int = LEAST
    offer_from: int = OFFER_FROM


DEFAULT: Final = Shifts()
_HOUR_S: Final = 3_600


class BudgetSource(StrEnum):
    """Where the number comes from."""

    SET = "set"
    LEARNT = "learnt"
    USUAL = "usual"


class Fate(StrEnum):
    """What becomes of an incident in this shift."""

    READ = "read"
    DEFERRED = "deferred"
    OFFERED = "offered"


class Budget(Struct, frozen=True, kw_only=True):
    """Incidents that one shift can read, and where the number comes from (`n_shifts` it was learnt from)."""

    n_per_shift: int
    source: BudgetSource
    n_shifts: int = 0


class Held(Struct, frozen=True, kw_only=True):
    """How many of the open incidents are to be read in what is left of the shift, and how many are held back."""

    n_left: int
    n_done: int


def budget_of(n_set: int | None, closed_at: Sequence[datetime], *, now: datetime, shifts: Shifts = DEFAULT) -> Budget:
    """The budget: the number set, else what was learnt from when people closed incidents, else the usual one."""
    if n_set is not None:
        return Budget(n_per_shift=n_set, source=BudgetSource.SET)
    this = _shift_of(now, shifts)
    began = [_shift_of(at, shifts) for at in closed_at if now - LEARN_FROM <= at]
    done = Counter(shift for shift in began if shift != this)
    if len(done) < LEARN_SHIFTS:
        return Budget(n_per_shift=shifts.usual, source=BudgetSource.USUAL)
    learnt = max(shifts.least, round(median(done.values())))
    return Budget(n_per_shift=learnt, source=BudgetSource.LEARNT, n_shifts=len(done))


def held_of(budget: Budget, closed_at: Sequence[datetime], *, now: datetime, shifts: Shifts = DEFAULT) -> Held:
    """What is left of this shift's budget. What was closed in it counts as read."""
    this = _shift_of(now, shifts)
    n_done = sum(_shift_of(at, shifts) == this for at in closed_at)
    return Held(n_left=max(0, budget.n_per_shift - n_done), n_done=n_done)


def fate_of(place: int, score: int, held: Held, *, has_ally: bool, shifts: Shifts = DEFAULT) -> Fate:
    """Of the open incident at this place (1 is the first)."""
    if place <= held.n_left:
        return Fate.READ
    return Fate.OFFERED if has_ally and score >= shifts.offer_from else Fate.DEFERRED


def shift_began_at(now: datetime, shifts: Shifts = DEFAULT) -> datetime:
    """The shift that `now` lies in."""
    began = _shift_of(now, shifts) * shifts.hours * _HOUR_S + shifts.begins_at_utc * _HOUR_S
    return datetime.fromtimestamp(began, now.tzinfo)


def _shift_of(at: datetime, shifts: Shifts) -> int:
    return int((at.timestamp() - shifts.begins_at_utc * _HOUR_S) // (shifts.hours * _HOUR_S))

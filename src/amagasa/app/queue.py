"""The queue: open incidents in their order, how far the shift's budget reaches, and what becomes of the rest."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.app.case_views import BudgetView, QueuedView, QueueView
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Reading, Store
from amagasa.app.views import incident_view
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import DeedKind
from amagasa.incident.score import level_of
from amagasa.vocab.errors import BadInputError
from amagasa.workforce.budget import (
    DEFAULT,
    LEARN_FROM,
    MOST,
    Budget,
    Fate,
    Held,
    Shifts,
    budget_of,
    fate_of,
    held_of,
    shift_began_at,
)

SHOWN: Final = 200
ENTITIES_SHOWN: Final = 3
_KEPT: Final = "triage.budget"


class Kept(Struct, frozen=True, kw_only=True):
    """What a person set; None: it is learnt."""

    n_per_shift: int | None = None


def queue(
    store: Store, actor: Actor, *, has_ally: bool, now: datetime, limit: int = SHOWN, shifts: Shifts = DEFAULT
) -> QueueView:
    """The first `limit` of the queue. Costs as much as it shows, whatever is in the store."""
    require(actor, Act.READ)
    with store.read() as reading:
        rows = reading.cases.queue(limit=limit + 1)
        n_open = reading.n_by_status()[Status.OPEN]
        budget, held = _budget(reading, now, shifts)
        n_grave = reading.cases.n_graver(shifts.offer_from, beyond=held.n_left) if has_ally else 0
        n_alone = reading.cases.n_alone()
    queued = [
        _queued(
            place, row, fate_of(place, row[2], held, has_ally=has_ally, shifts=shifts), reach=(held, budget), now=now
        )
        for place, row in enumerate(rows[:limit], 1)
    ]
    n_read = min(held.n_left, n_open)
    return QueueView(
        now_at=now,
        budget=BudgetView(
            n_per_shift=budget.n_per_shift,
            source=budget.source.value,
            n_shifts=budget.n_shifts,
            shift_began_at=shift_began_at(now, shifts),
            offer_from=shifts.offer_from,
            n_done=held.n_done,
            n_left=held.n_left,
        ),
        incidents=queued,
        n_open=n_open,
        n_read=n_read,
        n_deferred=max(0, n_open - n_read - n_grave),
        n_offered=n_grave,
        n_alone_alerts=n_alone,
        is_cut=len(rows) > limit,
    )


def set_budget(
    store: Store, actor: Actor, n_per_shift: int | None, *, now: datetime, shifts: Shifts = DEFAULT
) -> Budget:
    """Say how many incidents a shift can read; None: let it be learnt. Raises BadInputError outside 1 to 10,000."""
    require(actor, Act.TRIAGE)
    if n_per_shift is not None and not 1 <= n_per_shift <= MOST:
        raise BadInputError(
            "AMG-BUDGET",
            "a shift cannot read so many incidents",
            expected=f"1 to {MOST}, or nothing to let it be learnt",
            got=str(n_per_shift),
            then="nothing was changed",
        )
    with store.write() as tx:
        tx.save_meta(_KEPT, msgspec.json.encode(Kept(n_per_shift=n_per_shift)).decode())
        return _budget(tx, now, shifts)[0]


def _budget(reading: Reading, now: datetime, shifts: Shifts) -> tuple[Budget, Held]:
    noted = reading.meta(_KEPT)
    kept = Kept() if noted is None else msgspec.json.decode(noted, type=Kept)
    closed_at = reading.cases.done_at(DeedKind.CLOSE, since=now - LEARN_FROM)
    budget = budget_of(kept.n_per_shift, closed_at, now=now, shifts=shifts)
    return budget, held_of(budget, closed_at, now=now, shifts=shifts)


def _queued(
    place: int, row: tuple[Incident, int, int], fate: Fate, *, reach: tuple[Held, Budget], now: datetime
) -> QueuedView:
    incident, impact, score = row
    return QueuedView(
        incident=incident_view(incident, n_entities=ENTITIES_SHOWN),
        rank=place,
        impact=impact,
        score=score,
        level=level_of(score),
        waits_s=max(0.0, (now - incident.created_at).total_seconds()),
        fate=fate.value,
        why=_why(fate, place, score=score, held=reach[0], budget=reach[1]),
    )


def _why(fate: Fate, place: int, *, score: int, held: Held, budget: Budget) -> str:
    if fate is Fate.READ:
        return f"place {place} of the {held.n_left} that this shift can still read"
    beyond = f"place {place}, and this shift can still read {held.n_left} (its budget is {budget.n_per_shift})"
    if fate is Fate.OFFERED:
        return f"{beyond}; score {score} is too grave to wait: offer it to the ally"
    return f"{beyond}; waits for the next shift"

"""How much a party gave of its daily budget, counted in the transaction of each release."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from amagasa.app.ports import Bond, Crossing, Reading, Writing
from amagasa.share.terms import Budget


class Spent(Struct, frozen=True, kw_only=True):
    """Of one day (UTC)."""

    day: str = ""
    n_objects: int = 0
    n_bytes: int = 0


def spent_of(reading: Reading, agreement_id: str, now: datetime) -> Spent:
    """What left, or is to leave, since midnight UTC."""
    day = now.astimezone(UTC).date().isoformat()
    noted = reading.meta(_key(agreement_id))
    spent = Spent() if noted is None else msgspec.json.decode(noted, type=Spent)
    return spent if spent.day == day else Spent(day=day)


def budget_of(bond: Bond) -> Budget | None:
    """Ours; None where the agreement sets none."""
    return bond.agreement.budget_of(bond.agreement.ally_of(bond.ally.id).id)


def is_within(budget: Budget, spent: Spent, crossing: Crossing) -> bool:
    """Whether there is room for this one as well."""
    n_objects, n_bytes = budget.n_objects_a_day, budget.n_bytes_a_day
    return (n_objects is None or spent.n_objects < n_objects) and (
        n_bytes is None or spent.n_bytes + len(crossing.content) <= n_bytes
    )


def spend(tx: Writing, agreement_id: str, crossing: Crossing, now: datetime) -> None:
    """Count it."""
    before = spent_of(tx, agreement_id, now)
    after = Spent(day=before.day, n_objects=before.n_objects + 1, n_bytes=before.n_bytes + len(crossing.content))
    tx.save_meta(_key(agreement_id), msgspec.json.encode(after).decode())


def _key(agreement_id: str) -> str:
    return f"budget:{agreement_id}"

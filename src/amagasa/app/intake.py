"""How much an ally may bring in a day: enough for what waited while the line was cut, not enough to fill the disk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.ports import Bond, Reading, Writing
from amagasa.app.sharing import version_of
from amagasa.share.verdict import Admission, Admitted, Refusal

# Where the agreement sets no budget for the ally.
OBJECTS_A_DAY: Final = 1_000_000
BYTES_A_DAY: Final = 2 * 1024 * 1024 * 1024
# Of the agreed budget: a day is counted where it is spent, and what waited for two days comes at once.
DAYS_AT_ONCE: Final = 3
CODE: Final = "AMG-ADMIT-QUOTA"


class Taken(Struct, frozen=True, kw_only=True):
    """What came of one ally under one agreement on one day (UTC)."""

    day: str = ""
    n_objects: int = 0
    n_bytes: int = 0


def limits_of(bond: Bond) -> tuple[int, int]:
    """(objects, bytes) that the ally may bring on one day."""
    budget = bond.agreement.budget_of(bond.ally.id)
    n_objects = budget.n_objects_a_day if budget is not None else None
    n_bytes = budget.n_bytes_a_day if budget is not None else None
    return (
        OBJECTS_A_DAY if n_objects is None else DAYS_AT_ONCE * n_objects,
        BYTES_A_DAY if n_bytes is None else DAYS_AT_ONCE * n_bytes,
    )


def within_quota(
    tx: Writing, admission: Admission, bond: Bond, held: Mapping[str, Mapping[str, Any]], *, now: datetime
) -> Admission:
    """The same, with what is too much for today refused, and the rest counted.

    What takes something back always comes in, and a version that is held costs nothing.
    """
    taken, limits = taken_today(tx, bond, now), limits_of(bond)
    n_objects, n_bytes = taken.n_objects, taken.n_bytes
    admitted: list[Admitted] = []
    refused: list[Refusal] = []
    for one in admission.admitted:
        is_held = version_of(held.get(one.object["id"], {})) == version_of(one.object) and one.object["id"] in held
        size = 0 if is_held else len(msgspec.json.encode(one.object))
        is_free = is_held or one.object.get("revoked") is True
        if not is_free and (n_objects >= limits[0] or n_bytes + size > limits[1]):
            refused.append(_too_much(one, limits))
            continue
        admitted.append(one)
        n_objects, n_bytes = n_objects + (not is_held), n_bytes + size
    if (n_objects, n_bytes) != (taken.n_objects, taken.n_bytes):
        after = Taken(day=taken.day, n_objects=n_objects, n_bytes=n_bytes)
        tx.save_meta(_key(bond), msgspec.json.encode(after).decode())
    return Admission(admitted=tuple(admitted), refused=(*admission.refused, *refused))


def taken_today(reading: Reading, bond: Bond, now: datetime) -> Taken:
    """What came since midnight UTC."""
    day = now.astimezone(UTC).date().isoformat()
    kept = reading.meta(_key(bond))
    taken = msgspec.json.decode(kept, type=Taken) if kept else Taken()
    return taken if taken.day == day else Taken(day=day)


def _too_much(one: Admitted, limits: tuple[int, int]) -> Refusal:
    return Refusal(
        object_id=one.object["id"],
        object_type=one.object["type"],
        why=f"the ally brought more today than {limits[0]} objects or {limits[1]} bytes",
        code=CODE,
    )


def _key(bond: Bond) -> str:
    return f"intake:{bond.agreement.id}"

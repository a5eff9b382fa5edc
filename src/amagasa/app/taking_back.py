"""Of what was taken back it is kept whose receipt is awaited and to whom one is owed, in the transaction of the act."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amagasa.app.ports import Bond, Crossing, CrossingState, Direction, Writing
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.share.agreement import Agreement

# Where the agreement names no clock.
WITHIN_S: Final = 3_600


def expect(tx: Writing, crossings: Sequence[Crossing], *, now: datetime) -> None:
    """From now on the receipt of each of these that takes something back is awaited."""
    for one in crossings:
        if one.direction is Direction.OUT and one.state is CrossingState.PENDING and _is_revoked(one.content):
            awaited = TakenBack(
                agreement=one.agreement,
                way=Way.AWAITED,
                object_id=one.object_id,
                version=one.version,
                cause=one.known_as,
                asked_at=now,
            )
            tx.receipts.save(awaited)


def owe(
    tx: Writing,
    bond: Bond,
    objects: Sequence[Mapping[str, Any]],
    *,
    stopped: Collection[str],
    elsewhere: Collection[str],
    now: datetime,
) -> None:
    """The ally took these back; `stopped` were in use, `elsewhere` are those looked for on another's word."""
    for obj in objects:
        if obj.get("revoked") is True:
            is_stopped = obj["id"] in stopped
            owed = TakenBack(
                agreement=bond.agreement.id,
                way=Way.OWED,
                object_id=obj["id"],
                version=str(obj.get("modified", "")),
                cause=obj["id"],
                asked_at=now,
                n_stopped=int(is_stopped),
                is_elsewhere=obj["id"] in elsewhere,
                done_at=None if is_stopped else now,
            )
            tx.receipts.save(owed)


def due_at(one: TakenBack, agreement: Agreement) -> datetime:
    """Until when the ally's receipt is to be here, by the agreement's clock."""
    within = agreement.clocks.retract_within_s
    return one.asked_at + timedelta(seconds=WITHIN_S if within is None else within)


def _is_revoked(content: bytes) -> bool:
    # Canonical JSON of ours has no space between: most are told apart without being decoded.
    return b'"revoked":true' in content and msgspec.json.decode(content).get("revoked") is True

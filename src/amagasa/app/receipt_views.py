"""Retractions in the share log: acknowledged, awaited or overdue."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from amagasa.app.ports import Reading
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.app.taking_back import due_at
from amagasa.app.views import CrossingView, ReceiptView
from amagasa.share.agreement import Agreement


def with_receipts(
    reading: Reading, views: Sequence[CrossingView], agreements: Sequence[Agreement], *, now: datetime
) -> list[CrossingView]:
    """The same, each retraction of ours with its receipt."""
    known = {one.id: one for one in sorted(agreements, key=lambda one: one.version)}
    awaited: dict[tuple[str, str], TakenBack] = {}
    for agreement in known:
        ids = [one.object_id for one in views if one.agreement == agreement and one.direction == "out"]
        awaited |= {(agreement, one.object_id): one for one in reading.receipts.of(agreement, Way.AWAITED, ids)}
    told = []
    for view in views:
        one = awaited.get((view.agreement, view.object_id))
        if one is None or one.version != view.version:
            told.append(view)
            continue
        due = due_at(one, known[view.agreement])
        receipt = one.signed.receipt if one.signed is not None else None
        told.append(
            replace(
                view,
                receipt=ReceiptView(
                    due_at=due,
                    is_overdue=one.done_at is None and due < now,
                    done_at=one.done_at,
                    n_onward=receipt.n_onward if receipt is not None else 0,
                    n_onward_done=receipt.n_onward_done if receipt is not None else 0,
                ),
            )
        )
    return told


def n_awaited(reading: Reading, agreement: Agreement, *, now: datetime) -> tuple[int, int]:
    """(receipts awaited under this agreement, of them overdue); the oldest 500 are looked at."""
    late = sum(due_at(one, agreement) < now for one in reading.receipts.open(agreement.id, Way.AWAITED))
    return reading.receipts.n_open(agreement.id, Way.AWAITED), late

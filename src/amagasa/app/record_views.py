"""The record of an agreement as people see it: how long, how far the ally stands by it, and what was found wrong."""

from datetime import datetime

from msgspec import Struct

from amagasa.app.clocks import missed_of
from amagasa.app.consulting import talks_of
from amagasa.app.head_book import head_book
from amagasa.app.ports import Reading
from amagasa.app.receipt_views import n_awaited
from amagasa.share.agreement import Agreement
from amagasa.vocab.text import show


class RecordFaultView(Struct, frozen=True, kw_only=True):
    """What was wrong with a head that the ally showed, or with our own record."""

    at: datetime
    code: str
    why: str


class MissedView(Struct, frozen=True, kw_only=True):
    """A clock of the agreement that ran out: `is_ours` where this side must act; of `n` things `what` is the oldest."""

    clock: str
    is_ours: bool
    due_at: datetime
    n: int
    what: str


class TalkView(Struct, frozen=True, kw_only=True):
    """A serious incident on which the parties consult; `word` is "" until whoever owes it has spoken."""

    object_id: str
    is_ours: bool
    since: datetime
    word: str
    said_at: datetime | None


class RecordView(Struct, frozen=True, kw_only=True):
    """Of `n_leaves` the ally countersigned the first `n_countersigned`; we the first `n_theirs` of its own record.

    `exchanged_at` is when heads were last exchanged by themselves, None where that never was. The receipts are those
    of what we took back.
    """

    n_leaves: int
    n_countersigned: int
    countersigned_at: str
    n_theirs: int
    exchanged_at: datetime | None
    faults: list[RecordFaultView]
    n_receipts_awaited: int = 0
    n_receipts_overdue: int = 0
    missed: list[MissedView] = []
    talks: list[TalkView] = []


def record_view(reading: Reading, terms: Agreement, *, now: datetime) -> RecordView:
    """Of this agreement; zeros where nothing is recorded."""
    agreement = terms.id
    n_waiting, n_late = n_awaited(reading, terms, now=now)
    book = head_book(reading, agreement)
    ours, theirs = (heads[-1].head if heads else None for heads in (book.ours, book.theirs))
    return RecordView(
        n_leaves=reading.ledgers.frontier(agreement).n,
        n_countersigned=ours.n_leaves if ours is not None else 0,
        countersigned_at=ours.at if ours is not None else "",
        n_theirs=theirs.n_leaves if theirs is not None else 0,
        exchanged_at=book.exchanged_at,
        faults=[
            RecordFaultView(at=fault.at, code=fault.code, why=show(fault.why, 600)) for fault in reversed(book.faults)
        ],
        n_receipts_awaited=n_waiting,
        n_receipts_overdue=n_late,
        missed=[
            MissedView(clock=one.clock.value, is_ours=one.is_ours, due_at=one.due_at, n=one.n, what=show(one.what))
            for one in missed_of(reading, agreement)
        ],
        talks=[
            TalkView(
                object_id=show(one.object_id),
                is_ours=one.is_ours,
                since=one.since,
                word=one.word.answer.value if one.word is not None else "",
                said_at=one.word.at if one.word is not None else None,
            )
            for one in reversed(talks_of(reading, agreement)[-20:])
        ],
    )

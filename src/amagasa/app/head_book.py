"""The tree heads of a record that both parties stand by, and what was found wrong with some: kept in the store."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.ports import Reading, Writing
from amagasa.share.heads import thinned
from amagasa.share.ledger import SignedHead
from amagasa.share.restart import SignedRestart

MAX_FAULTS: Final = 20
# Of one kind within a day: a liar makes new false heads for ever, and each one more proves no more.
MAX_ALIKE: Final = 5
_DAY: Final = timedelta(days=1)


class FoundFault(Struct, frozen=True, kw_only=True):
    """What was wrong with a head, with the heads that prove it: the one shown, and the one held before."""

    at: datetime
    code: str
    why: str
    evidence: tuple[SignedHead, ...] = ()


class HeadBook(Struct, frozen=True, kw_only=True):
    """Of one agreement. `ours` were countersigned by the ally, `theirs` by us; the newest last.

    `exchanged_at` is when the ally's node last took part; None where it never did. `restarts` are the statements by
    which a record began anew, agreed by both, and `settled` the faults that led to them.
    """

    ours: tuple[SignedHead, ...] = ()
    theirs: tuple[SignedHead, ...] = ()
    faults: tuple[FoundFault, ...] = ()
    exchanged_at: datetime | None = None
    settled: tuple[FoundFault, ...] = ()
    restarts: tuple[SignedRestart, ...] = ()

    def with_ours(self, head: SignedHead) -> "HeadBook":
        """One more that the ally countersigned; an older one, or the same, changes nothing."""
        return replace(self, ours=_added(self.ours, head))

    def with_theirs(self, head: SignedHead) -> "HeadBook":
        """One more that we countersigned."""
        return replace(self, theirs=_added(self.theirs, head))

    def with_fault(self, fault: FoundFault) -> "HeadBook":
        """One more; of too many the first and the latest stay."""
        faults = (*self.faults, fault)
        return replace(self, faults=(faults[0], *faults[-MAX_FAULTS + 1 :]) if len(faults) > MAX_FAULTS else faults)

    def knows(self, code: str, head: SignedHead | None, *, now: datetime, why: str = "") -> bool:
        """Whether it was found before, in a head of as many leaves and the same root; or often enough lately."""
        alike = [fault for fault in self.faults if fault.code == code]
        if head is None:
            is_same = any(fault.why == why for fault in alike)
        else:
            tree = (head.head.n_leaves, head.head.root)
            is_same = any((one.head.n_leaves, one.head.root) == tree for fault in alike for one in fault.evidence[:1])
        return is_same or sum(now - fault.at < _DAY for fault in alike) >= MAX_ALIKE


def head_book(reading: Reading, agreement: str) -> HeadBook:
    """As it is kept; an empty one where nothing is."""
    kept = reading.meta(_key(agreement))
    return msgspec.json.decode(kept, type=HeadBook) if kept else HeadBook()


def keep_head_book(tx: Writing, agreement: str, book: HeadBook) -> None:
    """Replace it."""
    tx.save_meta(_key(agreement), msgspec.json.encode(book).decode())


def _added(heads: tuple[SignedHead, ...], head: SignedHead) -> tuple[SignedHead, ...]:
    if heads and head.head.n_leaves <= heads[-1].head.n_leaves:
        return heads
    return thinned((*heads, head))


def _key(agreement: str) -> str:
    return f"heads:{agreement}"

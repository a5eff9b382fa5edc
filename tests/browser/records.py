"""A record with an ally: leaves of every kind, heads that both signed, and an alarm."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from amagasa.adapters.seal.keys import PartyKeys
from amagasa.app.head_book import FoundFault, HeadBook, head_book, keep_head_book
from amagasa.app.heads import root_at
from amagasa.app.ports import Bond, Crossing, CrossingState, Direction, Store
from amagasa.app.recording import record
from amagasa.share.agreement import Agreement, Party
from amagasa.share.ledger import Act, Head, SignedHead, counter_bytes, head_bytes, to_text
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import to_rfc3339
from tests.browser import seed

_KINDS = (
    (Direction.OUT, CrossingState.WANTING, None, "incident", ""),
    (Direction.OUT, CrossingState.PENDING, Act.CONSENT, "incident", ""),
    (Direction.OUT, CrossingState.DELIVERED, None, "incident", ""),
    (Direction.IN, CrossingState.ADMITTED, None, "indicator", ""),
    (Direction.IN, CrossingState.REFUSED, None, "indicator", "no clause lets tools in [AMG-ADMIT-CLAUSE]"),
    (Direction.OUT, CrossingState.WITHHELD, None, "malware", "no clause lets it out [AMG-RELEASE-CLAUSE]"),
)


def bond_of(agreement: Agreement) -> Bond:
    return Bond(agreement=agreement, ally=agreement.ally_of(seed.JAPAN.id))


def with_leaves(store: Store, n: int, now: datetime, *, terms: Agreement | None = None) -> None:
    """`n` acts, minutes apart, the last one now."""
    agreement = terms or seed.agreement()
    for number in range(n):
        direction, state, act, kind, why = _KINDS[number % len(_KINDS)]
        at = now - timedelta(minutes=n - number)
        crossing = Crossing(
            ally=agreement.ally_of(seed.JAPAN.id).id,
            agreement=agreement.id,
            direction=direction,
            state=state,
            object_id=stable_id(kind, str(number)),
            object_type=kind,
            version=to_rfc3339(at),
            clause="incidents",
            marking="amber+strict" if kind == "incident" else "green",
            content=b'{"type": "%d"}' % number,
            decided_by="sato" if act is Act.CONSENT else "",
            why=why,
            created_at=at,
        )
        with store.write() as tx:
            record(tx, bond_of(agreement), [crossing], now=at, act=act)


def with_heads(store: Store, n_leaves: int, now: datetime, *, n_theirs: int = 12) -> None:
    """Our tree of so many leaves, countersigned by the ally, and one of the ally's."""
    agreement = seed.agreement()
    with store.write() as tx:
        root = root_at(tx, agreement.id, n_leaves) or ""
        book = head_book(tx, agreement.id).with_ours(
            both(Head(agreement=agreement.id, party=seed.JAPAN.id, n_leaves=n_leaves, root=root, at=to_rfc3339(now)))
        )
        theirs = Head(
            agreement=agreement.id, party=seed.STATES.id, n_leaves=n_theirs, root="cd" * 32, at=to_rfc3339(now)
        )
        keep_head_book(tx, agreement.id, replace(book.with_theirs(both(theirs)), exchanged_at=now))


def with_fork(store: Store, now: datetime) -> None:
    """The ally signed two records of one length."""
    agreement = seed.agreement()
    shown = Head(agreement=agreement.id, party=seed.STATES.id, n_leaves=12, root="ef" * 32, at=to_rfc3339(now))
    with store.write() as tx:
        book: HeadBook = head_book(tx, agreement.id)
        why = f"it signed two records of the same length: 12 leaves {seed.HOSTILE} [AMG-HEAD-FORKED]"
        fault = FoundFault(at=now, code="AMG-HEAD-FORKED", why=why, evidence=(both(shown), *book.theirs[-1:]))
        keep_head_book(tx, agreement.id, book.with_fault(fault))


def both(head: Head) -> SignedHead:
    """Signed by its party and countersigned by the other."""
    keys: dict[str, tuple[PartyKeys, Party]] = {
        seed.JAPAN.id: (seed.JAPAN_KEYS, seed.JAPAN),
        seed.STATES.id: (seed.STATES_KEYS, seed.STATES),
    }
    own = keys.pop(head.party)[0]
    ((other, party),) = keys.values()
    signed = SignedHead(head=head, signature=to_text(own.sign(head_bytes(head))))
    return replace(signed, ally=party.id, countersignature=to_text(other.sign(counter_bytes(signed, party.id))))

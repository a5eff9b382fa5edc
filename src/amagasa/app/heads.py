"""Both parties show each other the heads of their records, over the link and by themselves.

One question and one answer: each holds its sender's newest head with the proof that it goes on from the last one that
the other countersigned, and the sender's countersignature under the newest head of the other that it found true. What
is found false is a leaf of our own record, an alert, and stands in `ally status`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.agreements import Signer
from amagasa.app.alarms import Alarm, raise_alarm
from amagasa.app.clocks import Late, hear_late, is_to_acknowledge, own_late
from amagasa.app.consulting import Word, has_untold, hear_words, said_now, to_say
from amagasa.app.head_book import FoundFault, HeadBook, head_book, keep_head_book
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Store, Writing
from amagasa.app.quarantine import Notice, hear, notices, tell_of
from amagasa.app.receipts import is_urgent, reopen, take, to_tell, told_now
from amagasa.app.recording import record
from amagasa.app.signals import Signals
from amagasa.share.heads import HeadFault, Shown, Whose, fault_of, proof_between, wants_proof
from amagasa.share.ledger import (
    Act,
    Head,
    SignedHead,
    counter_bytes,
    head_bytes,
    is_countersigned,
    is_signed,
    to_text,
)
from amagasa.share.merkle import Frontier, SubtreeRoot, range_root
from amagasa.share.receipt import SignedReceipt
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

MESSAGE_BYTES: Final = 32_768

_WHY: Final = {
    HeadFault.FORGED: "a head of its record does not bear its signature",
    HeadFault.OTHER: "a head is of another record",
    HeadFault.OLD: "its record counts fewer leaves than when this node countersigned it",
    HeadFault.FORKED: "it signed two records of the same length",
    HeadFault.REWRITTEN: "its record does not go on from the one that this node countersigned",
    HeadFault.LOST: "this node's own record is not the one that the ally countersigned",
}
_TITLE: Final = "The record of an agreement was altered"
FORGED_RECEIPT: Final = "AMG-RECEIPT-FORGED"
_FORGED_TITLE: Final = "An ally gave a false receipt"


class Exchange(Struct, frozen=True, kw_only=True):
    """What one side says. `held`: the newest head of the other's record that the sender countersigned.

    With a question come receipts of what was taken back; the answer says of which objects they `got` there. `aside` is
    what the sender put aside of the other's as noise (`app.quarantine`), `words` are its first words on serious
    incidents (`app.consulting`), `late` is what of its own is late (`app.clocks`).
    """

    agreement: str
    shown: Shown
    held: SignedHead | None = None
    receipts: tuple[SignedReceipt, ...] = ()
    got: tuple[str, ...] = ()
    aside: tuple[Notice, ...] = ()
    words: tuple[Word, ...] = ()
    late: Late | None = None


class HeadsDesk(Struct, frozen=True, kw_only=True):
    """What the exchange needs of the node. `party` is ours. Every method blocks on the store."""

    store: Store
    signals: Signals
    signer: Signer
    party: str
    book: AgreementBook

    def is_urgent(self, bond: Bond, *, now: datetime) -> bool:
        """Whether a receipt or a word waits to be told, or half of the clock of acknowledging is over."""
        with self.store.read() as reading:
            agreement = bond.agreement.id
            is_owed = is_urgent(reading, agreement) or has_untold(reading, agreement)
            return is_owed or is_to_acknowledge(reading, bond, now=now)

    def question(self, bond: Bond, *, since: int | None = None, now: datetime) -> bytes:
        """What to ask the ally; the proof begins at the newest head that it countersigned, or at `since`."""
        with self.store.read() as reading:
            said = self._said(reading, bond, since=since, now=now)
            return msgspec.json.encode(replace(said, receipts=to_tell(reading, bond, self.signer)))

    def answer(self, bond: Bond, body: bytes, *, now: datetime) -> bytes:
        """What to say to the ally's question. Raises BadInputError (AMG-HEAD-FORM) where it is none."""
        asked = _read(body)
        self._hear_aside(bond, asked, now=now)
        with self.store.write() as tx:
            self._take(tx, bond, asked, now=now)
            hear_words(tx, bond, asked.words, now=now)
            got = self._take_receipts(tx, bond, asked.receipts, now=now)
            further = reopen(tx, self.book, bond, got)
            since = asked.held.head.n_leaves if asked.held is not None else 0
            answer = replace(self._said(tx, bond, since=since, now=now), got=tuple(got))
        self._alarm(bond, now)
        for ally in further:
            self.signals.publish("outbox", {"ally": ally})
        if got:
            self.signals.publish("crossing", {"ids": []})
        return msgspec.json.encode(answer)

    def hear(self, bond: Bond, body: bytes, *, question: bytes, now: datetime) -> int | None:
        """The ally's answer to the question; where it wants a proof from another head, how many leaves that has.

        Then ask once more. Raises BadInputError (AMG-HEAD-FORM) where it is none.
        """
        told = _read(body)
        self._hear_aside(bond, told, now=now)
        with self.store.write() as tx:
            known = head_book(tx, bond.agreement.id).ours
            self._take(tx, bond, told, now=now)
            hear_words(tx, bond, told.words, now=now)
            said_now(tx, bond, msgspec.json.decode(question, type=Exchange).words, now=now)
            if told.got:
                got = set(told.got)
                given = msgspec.json.decode(question, type=Exchange).receipts
                told_now(tx, bond, [one for one in given if one.receipt.object_id in got], now=now)
            ours = head_book(tx, bond.agreement.id).ours
        self._alarm(bond, now)
        held = told.held.head.n_leaves if told.held is not None else 0
        newest = known[-1].head.n_leaves if known else 0
        return held if held != newest and ours == known else None

    def standing(self, reading: Reading, agreement: str) -> HeadBook:
        """For whoever shows it."""
        return head_book(reading, agreement)

    def _said(self, reading: Reading, bond: Bond, *, since: int | None, now: datetime) -> Exchange:
        agreement = bond.agreement.id
        book, tree = head_book(reading, agreement), reading.ledgers.frontier(agreement)
        newest = book.ours[-1] if book.ours else None
        if since is None:
            since = newest.head.n_leaves if newest is not None else 0
        if newest is None or newest.head.n_leaves != tree.n:
            head = Head(
                agreement=agreement, party=self.party, n_leaves=tree.n, root=tree.root.hex(), at=to_rfc3339(now)
            )
            newest = SignedHead(head=head, signature=to_text(self.signer.sign(head_bytes(head))))
        proof = proof_between(since, tree.n, subtrees_of(reading, agreement))
        return Exchange(
            agreement=agreement,
            shown=Shown(head=newest, since=since, proof=proof),
            held=book.theirs[-1] if book.theirs else None,
            aside=notices(reading, agreement),
            words=to_say(reading, agreement),
            late=own_late(reading, agreement),
        )

    def _take(self, tx: Writing, bond: Bond, told: Exchange, *, now: datetime) -> None:
        """Judge what the ally showed, and keep its countersignature of ours."""
        agreement = bond.agreement.id
        hear_late(tx, agreement, told.late)
        book = replace(head_book(tx, agreement), exchanged_at=now)
        if told.held is not None:
            book = self._countersigned(tx, bond, told.held, book, now=now)
        whose = Whose(agreement=agreement, party=bond.ally.id, key=bond.ally.key)
        fault = fault_of(told.shown, whose, book.theirs)
        # A proof that begins elsewhere proves neither: what we hold goes back, and the ally shows it once more.
        if fault is not HeadFault.REWRITTEN or wants_proof(told.shown, book.theirs) is None:
            if fault is None:
                book = book.with_theirs(self._counter(told.shown.head))
            else:
                book = _found(tx, bond, fault, (told.shown.head, *book.theirs[-1:]), book=book, now=now)
        keep_head_book(tx, agreement, book)

    def _hear_aside(self, bond: Bond, told: Exchange, *, now: datetime) -> None:
        if told.aside:
            with self.store.write() as tx:
                heard = hear(tx, bond, told.aside)
            tell_of(self.store, self.signals, bond, heard, now=now)

    def _take_receipts(self, tx: Writing, bond: Bond, receipts: Sequence[SignedReceipt], *, now: datetime) -> list[str]:
        got, false = take(tx, bond, receipts, now=now)
        book = head_book(tx, bond.agreement.id)
        for why in false:
            if not book.knows(FORGED_RECEIPT, None, now=now, why=why):
                book = book.with_fault(FoundFault(at=now, code=FORGED_RECEIPT, why=why))
                record(tx, bond, [_leaf_of(bond, why, b"", now)], now=now, act=Act.ALARM)
        if false:
            keep_head_book(tx, bond.agreement.id, book)
        return got

    def _countersigned(self, tx: Writing, bond: Bond, held: SignedHead, book: HeadBook, *, now: datetime) -> HeadBook:
        """What the ally says it countersigned: it must bear both signatures, and our record must still hold it."""
        head, ours = held.head, bond.agreement.ally_of(bond.ally.id)
        is_true = is_signed(held, ours.key) and is_countersigned(held, bond.ally.id, bond.ally.key)
        if (head.agreement, head.party) != (bond.agreement.id, self.party) or not is_true:
            return _found(tx, bond, HeadFault.FORGED, (held,), book=book, now=now)
        if not _holds(tx, head):
            return _found(tx, bond, HeadFault.LOST, (held, *book.ours[-1:]), book=book, now=now)
        return book.with_ours(held)

    def _counter(self, head: SignedHead) -> SignedHead:
        bare = replace(head, ally="", countersignature="")
        value = self.signer.sign(counter_bytes(bare, self.party))
        return replace(bare, ally=self.party, countersignature=to_text(value))

    def _alarm(self, bond: Bond, now: datetime) -> None:
        with self.store.read() as reading:
            faults = head_book(reading, bond.agreement.id).faults
        for fault in faults:
            if fault.at == now:
                title = _FORGED_TITLE if fault.code == FORGED_RECEIPT else _TITLE
                alarm = Alarm(code=fault.code, title=title, ally=bond.ally.name, why=fault.why)
                raise_alarm(self.store, self.signals, alarm, now=now)
        self.signals.publish("ledger", {"agreement": bond.agreement.id})


def root_at(reading: Reading, agreement: str, n: int) -> str | None:
    """The root of the first `n` leaves, in hex; None where the record does not hold so many."""
    if not 0 <= n <= reading.ledgers.frontier(agreement).n:
        return None
    return range_root((0, n), subtrees_of(reading, agreement)).hex() if n else Frontier().root.hex()


def subtrees_of(reading: Reading, agreement: str) -> SubtreeRoot:
    """The roots from which proofs about this record are made, while `reading` is open."""
    return lambda level, index: reading.ledgers.subtree(agreement, level, index)


def _holds(reading: Reading, head: Head) -> bool:
    return root_at(reading, head.agreement, head.n_leaves) == head.root


def _read(body: bytes) -> Exchange:
    try:
        told = msgspec.json.decode(body, type=Exchange) if len(body) <= MESSAGE_BYTES else None
        why = f"{len(body)} bytes"
    except (ValueError, RecursionError) as error:
        told, why = None, str(error)
    if told is None:
        expected = f"JSON of at most {MESSAGE_BYTES} bytes (docs/ledger.md)"
        raise BadInputError("AMG-HEAD-FORM", "this is no exchange of tree heads", expected=expected, got=show(why))
    return told


def _found(
    tx: Writing, bond: Bond, fault: HeadFault, evidence: Sequence[SignedHead], *, book: HeadBook, now: datetime
) -> HeadBook:
    """Keep the fault with its proof, and a leaf for it; the same again changes nothing."""
    if book.knows(fault, evidence[0], now=now):
        return book
    counts = " and ".join(f"{one.head.n_leaves} leaves signed {show(one.head.at, 40)}" for one in evidence)
    why = f"{_WHY[fault]}: {counts} [{fault}]"
    leaf = _leaf_of(bond, why, msgspec.json.encode(list(evidence)), now)
    record(tx, bond, [leaf], now=now, act=Act.ALARM)
    return book.with_fault(FoundFault(at=now, code=fault, why=why, evidence=tuple(evidence)))


def _leaf_of(bond: Bond, why: str, content: bytes, now: datetime) -> Crossing:
    """What the leaf of an alarm is made of."""
    return Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.IN,
        state=CrossingState.REFUSED,
        object_id="",
        object_type="",
        version="",
        content=content,
        why=why,
        created_at=now,
    )

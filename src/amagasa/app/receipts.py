"""What was taken back, until every holder has signed that it looks for it no longer.

The holder's node owes a receipt from the transaction that admits the retraction on; it signs once the worker that looks
at records runs without what was in use. Receipts ride along with the tree heads (`app.heads`).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from amagasa.app.agreements import Signer
from amagasa.app.alarms import Alarm, raise_alarm
from amagasa.app.ports import (
    AgreementBook,
    Bond,
    Crossing,
    CrossingState,
    Direction,
    Reading,
    Store,
    Writing,
)
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.app.recording import record
from amagasa.app.signals import Signals
from amagasa.app.taking_back import due_at
from amagasa.share.ledger import Act, to_text
from amagasa.share.receipt import Receipt, SignedReceipt, is_true_receipt, receipt_bytes
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

MAX_TOLD: Final = 20  # in one message
OVERDUE: Final = "AMG-RETRACT-OVERDUE"


def settle(
    store: Store, signals: Signals, book: AgreementBook, *, ids: Collection[str] | None, before: datetime, now: datetime
) -> None:
    """The worker looks no longer with these (None: with nothing but what is held), as things stood at `before`."""
    if ids is not None and not ids:
        return
    told: set[str] = set()
    for bond in book.bonds():
        with store.read() as reading:
            owed = reading.receipts.open(bond.agreement.id, Way.OWED)
        due = [one for one in owed if one.done_at is None and one.asked_at <= before]
        due = [one for one in due if ids is None or one.object_id in ids]
        if not due:
            continue
        with store.write() as tx:
            held = {item.id for item in tx.content_items([one.object_id for one in due]) if item.origin == bond.ally.id}
            for one in due:
                if one.object_id not in held:
                    tx.receipts.save(replace(one, done_at=now))
                    told.add(bond.ally.id)
    for ally in told:
        signals.publish("outbox", {"ally": ally})


def is_urgent(reading: Reading, agreement: str) -> bool:
    """Whether a receipt waits to be told."""
    return any(one.done_at is not None for one in reading.receipts.open(agreement, Way.OWED, limit=MAX_TOLD))


def to_tell(reading: Reading, bond: Bond, signer: Signer) -> tuple[SignedReceipt, ...]:
    """Signed receipts for what is looked for no longer and was not told yet."""
    party = bond.agreement.ally_of(bond.ally.id).id
    owed = reading.receipts.open(bond.agreement.id, Way.OWED)
    done = [one for one in owed if one.done_at is not None][:MAX_TOLD]
    return tuple(_signed(reading, one, party, signer) for one in done)


def _signed(reading: Reading, one: TakenBack, party: str, signer: Signer) -> SignedReceipt:
    onward = [other for other in reading.receipts.caused_by(one.object_id) if other.agreement != one.agreement]
    receipt = Receipt(
        agreement=one.agreement,
        object_id=one.object_id,
        version=one.version,
        holder=party,
        at=to_rfc3339(one.done_at or one.asked_at),
        n_stopped=one.n_stopped,
        is_elsewhere=one.is_elsewhere,
        n_onward=len(onward),
        n_onward_done=sum(other.done_at is not None for other in onward),
    )
    return SignedReceipt(receipt=receipt, signature=to_text(signer.sign(receipt_bytes(receipt))))


def told_now(tx: Writing, bond: Bond, taken: Sequence[SignedReceipt], *, now: datetime) -> None:
    """The ally has these of our receipts."""
    agreement = bond.agreement.id
    for signed in taken:
        owed = tx.receipts.get(agreement, Way.OWED, signed.receipt.object_id)
        if owed is not None and owed.version == signed.receipt.version and owed.is_open:
            tx.receipts.save(replace(owed, told_at=now, signed=signed))
            _leaf(tx, bond, signed, Direction.IN, now=now)


def take(tx: Writing, bond: Bond, given: Sequence[SignedReceipt], *, now: datetime) -> tuple[list[str], list[str]]:
    """Keep the ally's receipts: (objects of those that count, why others are false)."""
    agreement, got, false = bond.agreement.id, [], []
    for signed in given[:MAX_TOLD]:
        awaited = tx.receipts.get(agreement, Way.AWAITED, signed.receipt.object_id)
        why = _false(signed, awaited, bond)
        if why:
            false.append(f"{why}: {show(signed.receipt.object_id)} [AMG-RECEIPT-FORGED]")
            continue
        got.append(signed.receipt.object_id)
        if awaited is not None and awaited.version == signed.receipt.version and awaited.signed != signed:
            tx.receipts.save(replace(awaited, done_at=awaited.done_at or now, signed=signed))
            _leaf(tx, bond, signed, Direction.OUT, now=now)
    return got, false


def reopen(tx: Writing, book: AgreementBook, bond: Bond, got: Sequence[str]) -> list[str]:
    """What a holder further on acknowledged is told once more to whoever took it back from us; their identities."""
    allies: list[str] = []
    for awaited in tx.receipts.of(bond.agreement.id, Way.AWAITED, got):
        for other in book.bonds():
            owed = tx.receipts.get(other.agreement.id, Way.OWED, awaited.cause)
            if owed is not None and other.agreement.id != bond.agreement.id and owed.told_at is not None:
                tx.receipts.save(replace(owed, told_at=None))
                allies.append(other.ally.id)
    return allies


def find_overdue(store: Store, signals: Signals, book: AgreementBook, *, now: datetime) -> None:
    """An alarm and a leaf for each receipt that is overdue, once. Raises WorldError."""
    for bond in book.bonds():
        with store.read() as reading:
            awaited = reading.receipts.open(bond.agreement.id, Way.AWAITED)
        late = [one for one in awaited if one.alarmed_at is None and due_at(one, bond.agreement) < now]
        if not late:
            continue
        with store.write() as tx:
            for one in late:
                tx.receipts.save(replace(one, alarmed_at=now))
            leaves = [_overdue_leaf(bond, one, now) for one in late]
            record(tx, bond, leaves, now=now, act=Act.ALARM)
        title = "An ally does not acknowledge what was taken back"
        alarm = Alarm(code=OVERDUE, title=title, ally=bond.ally.name, why=leaves[0].why, level=Level.MEDIUM)
        raise_alarm(store, signals, alarm, now=now)
        signals.publish("crossing", {"ids": []})


def _false(signed: SignedReceipt, awaited: TakenBack | None, bond: Bond) -> str:
    if not is_true_receipt(signed, agreement=bond.agreement.id, holder=bond.ally.id, key=bond.ally.key):
        return "a receipt does not bear the ally's signature"
    return "" if awaited is not None else "a receipt of what was never taken back"


def _overdue_leaf(bond: Bond, one: TakenBack, now: datetime) -> Crossing:
    why = f"no receipt of the retraction of {show(one.object_id)} within the clock [{OVERDUE}]"
    return Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.OUT,
        state=CrossingState.DELIVERED,
        object_id=one.object_id,
        object_type=one.object_id.partition("--")[0],
        version=one.version,
        why=why,
        created_at=now,
    )


def _leaf(tx: Writing, bond: Bond, signed: SignedReceipt, way: Direction, *, now: datetime) -> None:
    receipt = signed.receipt
    onward = f"; {receipt.n_onward_done} of {receipt.n_onward} further holders, too" if receipt.n_onward else ""
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=way,
        state=CrossingState.DELIVERED if way is Direction.OUT else CrossingState.ADMITTED,
        object_id=receipt.object_id,
        object_type=receipt.object_id.partition("--")[0],
        version=receipt.version,
        content=msgspec.json.encode(signed),
        why=f"{show(receipt.holder)} looks for it no longer since {show(receipt.at, 40)}{onward}",
        created_at=now,
    )
    record(tx, bond, [leaf], now=now, act=Act.RECEIPT)

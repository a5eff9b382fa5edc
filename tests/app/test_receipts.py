"""What is taken back is acknowledged by each holder's signature, or shown as overdue."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.heads import Exchange
from amagasa.app.pages import Page
from amagasa.app.permissions import NODE, Actor, Role
from amagasa.app.ports import Crossing, CrossingState
from amagasa.app.queries import Queries
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.app.receipts import OVERDUE, find_overdue, settle
from amagasa.app.receiving import receive
from amagasa.app.retracting import retract
from amagasa.app.telling import Telling
from amagasa.app.views import ReceiptView
from amagasa.share.ledger import Act
from amagasa.share.receipt import Receipt, SignedReceipt, receipt_bytes
from amagasa.share.terms import Handling
from amagasa.share.terms import Role as PartyRole
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp
from tests.app.sides import Side
from tests.entry.link_papers import make_agreement
from tests.entry.link_world import SECRET, Node, agree, two_nodes

OFFICER = Actor(name="sato", roles=frozenset({Role.RELEASE_OFFICER}))


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_nodes(tmp_path) as (japan, states):
        both = Side(japan, 1), Side(states, 2)
        agree(japan, states)
        yield both


def deliver(giver: Node, taker: Side, crossing: Crossing, *, pass_on: Telling | None = None) -> None:
    node = taker.node
    given = (node.store, node.signals, giver.party.id, [json.loads(crossing.content)])
    passed = pass_on.pass_on if pass_on is not None else None
    assert not receive(*given, book=node.book, now=node.clock.now(), pass_on=passed).refused
    with giver.store.write() as tx:
        tx.update_crossing(replace(crossing, state=CrossingState.DELIVERED, delivered_at=giver.clock.now()))


def taken_back(giver: Side, taker: Side, *, pass_on: Telling | None = None) -> Crossing:
    """An indicator that was released, delivered and taken back; the retraction is delivered, too."""
    (made,) = giver.node.release([giver.node.indicator()])
    deliver(giver.node, taker, made, pass_on=pass_on)
    for side in (giver, taker):
        side.node.clock.advance(60)
    allies = (taker.node.party.id,)
    given = (giver.node.store, giver.node.signals, OFFICER, made.object_id)
    (sent,) = retract(*given, why="wrong", now=giver.node.clock.now(), allies=allies).sent
    deliver(giver.node, taker, sent, pass_on=pass_on)
    return sent


def worker_stopped(side: Side) -> None:
    node, now = side.node, side.node.clock.now()
    settle(node.store, node.signals, node.book, ids=None, before=now, now=now)


def awaited(side: Side) -> TakenBack:
    with side.node.store.read() as reading:
        (bond,) = side.node.book.bonds()
        rows = reading.crossings(Page(limit=50), direction=None)[0]
        (one,) = reading.receipts.of(bond.agreement.id, Way.AWAITED, [row.object_id for row in rows])
        return one


def shown(side: Side) -> ReceiptView:
    queries = Queries(side.node.store, {})
    found = queries.crossings(NODE, Page(limit=50), ally=None, direction=None, state=None)
    found = queries.with_receipts(found, side.node.agreements, now=side.node.clock.now())
    (receipt,) = (one.receipt for one in found.crossings if one.receipt is not None)
    return receipt


def test_retraction_is_acknowledged_once_the_worker_looks_no_longer(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    taken_back(japan, states)
    states.ask(japan)
    assert shown(japan).done_at is None
    worker_stopped(states)
    assert states.desk.is_urgent(states.bond, now=states.node.clock.now())
    states.ask(japan)
    receipt = shown(japan)
    assert (receipt.done_at, receipt.is_overdue) == (japan.node.clock.now(), False)
    signed = awaited(japan).signed
    assert signed is not None
    assert (signed.receipt.n_stopped, signed.receipt.is_elsewhere) == (1, False)
    assert japan.leaves()[-1].act is states.leaves()[-1].act is Act.RECEIPT
    assert not states.desk.is_urgent(states.bond, now=states.node.clock.now())


def test_receipt_whose_answer_was_lost_is_told_again_and_counts_once(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    taken_back(japan, states)
    worker_stopped(states)
    question = states.desk.question(states.bond, now=states.node.clock.now())
    japan.desk.answer(japan.bond, question, now=japan.node.clock.now())
    states.ask(japan)
    assert [leaf.act for leaf in japan.leaves()].count(Act.RECEIPT) == 1
    assert not states.desk.is_urgent(states.bond, now=states.node.clock.now())


def test_worker_that_started_before_the_retraction_settles_nothing(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    taken_back(japan, states)
    node, now = states.node, states.node.clock.now()
    settle(node.store, node.signals, node.book, ids=None, before=now - timedelta(seconds=1), now=now)
    settle(node.store, node.signals, node.book, ids=["another"], before=now, now=now)
    assert not states.desk.is_urgent(states.bond, now=states.node.clock.now())


def test_retraction_that_nobody_acknowledges_is_overdue_once(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    taken_back(japan, states)
    japan.node.clock.advance(3_601)
    assert shown(japan).is_overdue
    for _ in range(2):
        find_overdue(japan.node.store, japan.node.signals, japan.node.book, now=japan.node.clock.now())
    assert japan.alarms() == [OVERDUE]
    assert [leaf.act for leaf in japan.leaves()].count(Act.ALARM) == 1
    worker_stopped(states)
    states.ask(japan)
    assert not shown(japan).is_overdue


def forged(states: Side, object_id: str, version: str, signer: Side) -> bytes:
    receipt = Receipt(
        agreement=states.name,
        object_id=object_id,
        version=version,
        holder=states.node.party.id,
        at="2026-11-23T05:00:00Z",
        n_stopped=1,
    )
    signed = SignedReceipt(receipt=receipt, signature=_text(signer.keys.sign(receipt_bytes(receipt))))
    question = msgspec.json.decode(states.desk.question(states.bond, now=states.node.clock.now()), type=Exchange)
    return msgspec.json.encode(replace(question, receipts=(signed,)))


def _text(value: bytes) -> str:
    return msgspec.json.encode(value).decode().strip('"').rstrip("=").replace("+", "-").replace("/", "_")


@pytest.mark.parametrize("is_signed_by_another", [True, False])
def test_forged_receipt_counts_for_nothing_and_is_an_alarm(
    sides: tuple[Side, Side], is_signed_by_another: object
) -> None:
    japan, states = sides
    sent = taken_back(japan, states)
    if is_signed_by_another:
        message = forged(states, sent.object_id, sent.version, japan)
    else:
        message = forged(states, "indicator--00000000-0000-4000-8000-000000000009", sent.version, states)
    answer = msgspec.json.decode(japan.desk.answer(japan.bond, message, now=japan.node.clock.now()), type=Exchange)
    assert answer.got == ()
    assert shown(japan).done_at is None
    assert [one.code for one in japan.book().faults] == ["AMG-RECEIPT-FORGED"]
    assert japan.alarms() == ["AMG-RECEIPT-FORGED"]


def test_retraction_reaches_a_third_holder_and_its_receipt_comes_back_through_the_second(
    sides: tuple[Side, Side], tmp_path: Path
) -> None:
    japan, states = sides
    third = Node(tmp_path, "australia", "AU", PartyRole.SUPPORTED)
    australia = Side(third, 3)
    (first,) = japan.node.agreements
    ours, theirs = first.clauses
    first = replace(first, clauses=(replace(ours, handling=Handling(onward=(third.party.id,))), theirs))
    second = make_agreement(states.node.party, third.party)
    mine, yours = second.clauses
    second = replace(second, clauses=(replace(mine, behalf=(japan.node.party.id,)), yours))
    japan.node.agreements[:], states.node.agreements[:], third.agreements[:] = [first], [first, second], [second]
    telling = Telling(
        store=states.node.store,
        signals=states.node.signals,
        party=states.node.party,
        book=states.node.book,
        secret=SECRET,
        marking=Tlp.AMBER,
        min_severity=Severity.LOW,
    )
    with_japan, with_australia = states.node.book.bonds()
    taken_back(japan, states, pass_on=telling)
    for passed in states.node.crossings():
        deliver(states.node, australia, passed)
    now = states.node.clock.now()
    settle(states.node.store, states.node.signals, states.node.book, ids=None, before=now, now=now)

    def tell_japan() -> None:
        question = states.desk.question(with_japan, now=now)
        answer = japan.desk.answer(japan.bond, question, now=now)
        states.desk.hear(with_japan, answer, question=question, now=now)

    tell_japan()
    assert (shown(japan).n_onward, shown(japan).n_onward_done) == (1, 0)
    settle(third.store, third.signals, third.book, ids=None, before=now, now=now)
    question = australia.desk.question(australia.bond, now=now)
    states.desk.answer(with_australia, question, now=now)
    assert states.desk.is_urgent(with_japan, now=now)
    tell_japan()
    assert (shown(japan).n_onward, shown(japan).n_onward_done) == (1, 1)
    third.store.close()

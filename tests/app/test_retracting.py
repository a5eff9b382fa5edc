"""What is taken back is revoked at the ally, stops what it activated, and does not come again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.app.deciding import Deciding
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Crossing, CrossingState
from amagasa.app.receiving import receive
from amagasa.app.retracting import Retraction, retract
from amagasa.app.sharing import may_still_leave
from amagasa.share.agreement import Consent
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.entry.link_world import SECRET, Node, agree, two_nodes

OFFICER = Actor(name="sato", roles=frozenset({Role.RELEASE_OFFICER}))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


def deliver(japan: Node, states: Node, crossing: Crossing) -> None:
    obj = json.loads(crossing.content)
    got = receive(states.store, states.signals, japan.party.id, [obj], book=states.book, now=states.clock.now())
    assert not got.refused
    with japan.store.write() as tx:
        tx.update_crossing(replace(crossing, state=CrossingState.DELIVERED, delivered_at=japan.clock.now()))


def take_back(japan: Node, states: Node, object_id: str, actor: Actor = OFFICER) -> Retraction:
    return retract(
        japan.store, japan.signals, actor, object_id, why="wrong", now=japan.clock.now(), allies=(states.party.id,)
    )


def held_by(node: Node) -> list[str]:
    with node.store.read() as reading:
        return [item.id for item in reading.content()]


def test_retraction_stops_at_the_ally_what_it_activated(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    deliver(japan, states, made)
    assert held_by(states) == [made.object_id]
    japan.clock.advance(60)
    states.clock.advance(60)
    (sent,) = take_back(japan, states, made.object_id).sent
    assert (sent.state, json.loads(sent.content)["revoked"]) == (CrossingState.PENDING, True)
    deliver(japan, states, sent)
    assert held_by(states) == []


def test_no_later_version_leaves_after_a_retraction(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    deliver(japan, states, made)
    take_back(japan, states, made.object_id)
    japan.clock.advance(600)
    assert japan.release([japan.indicator(seconds=600)]) == ()


def test_what_has_not_left_does_not_leave(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.indicator()])
    done = take_back(japan, states, made.object_id)
    assert (len(done.sent), [one.state for one in done.held]) == (0, [CrossingState.REFUSED])
    assert japan.release([japan.indicator(seconds=5)]) == ()


def test_version_that_left_is_taken_back_while_a_newer_one_waits(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    deliver(japan, states, made)
    japan.clock.advance(1)
    japan.release([japan.indicator(seconds=1)])
    done = take_back(japan, states, made.object_id)
    assert (len(done.sent), len(done.held)) == (1, 1)


def test_retraction_is_a_leaf_of_the_record(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    deliver(japan, states, made)
    take_back(japan, states, made.object_id)
    with japan.store.read() as reading:
        acts = [leaf.act for leaf in reading.ledgers.leaves(made.agreement)]
    assert acts[-1] is Act.RETRACTION


def test_retraction_of_nothing_and_by_nobody_is_refused(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    with pytest.raises(BadInputError, match="AMG-RETRACT-NOTHING"):
        take_back(japan, states, "indicator--00000000-0000-4000-8000-000000000000")
    with pytest.raises(DeniedError):
        take_back(japan, states, made.object_id, Actor(name="x", roles=frozenset({Role.ANALYST})))


def test_retraction_leaves_although_the_clause_is_gone(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator()])
    deliver(japan, states, made)
    (before,) = japan.agreements
    japan.agreements[:] = [replace(before, clauses=())]
    (sent,) = take_back(japan, states, made.object_id).sent
    (bond,) = japan.book.bonds()
    assert may_still_leave(sent, bond)
    assert not may_still_leave(made, bond)


def test_what_was_taken_back_before_it_left_cannot_be_approved(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.indicator()])
    take_back(japan, states, made.object_id)
    desk = Deciding(store=japan.store, signals=japan.signals, book=japan.book, secret=SECRET)
    with pytest.raises(BadInputError, match="AMG-SHARE-DECIDED"):
        desk.decide(OFFICER, made.id, approve=True, version="", now=japan.clock.now())

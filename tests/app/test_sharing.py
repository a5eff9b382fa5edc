from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.app.deciding import Deciding
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Crossing, CrossingState
from amagasa.app.sharing import in_force, preview, release_changes
from amagasa.share.agreement import Consent
from amagasa.share.verdict import Released, Wanting, Withheld
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.tlp import Tlp
from tests.entry.link_papers import NOW, make_agreement
from tests.entry.link_world import SECRET, Node, agree, two_nodes

OFFICER = Actor(name="sato", roles=frozenset({Role.RELEASE_OFFICER}))
ANALYST = Actor(name="tanaka", roles=frozenset({Role.ANALYST}))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


@pytest.fixture
def japan(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


def desk(node: Node) -> Deciding:
    return Deciding(store=node.store, signals=node.signals, book=node.book, secret=SECRET)


def deliver(node: Node, crossing: Crossing) -> None:
    with node.store.write() as tx:
        tx.update_crossing(
            replace(crossing, state=CrossingState.DELIVERED, delivered_at=node.clock.now(), next_try_at=None)
        )


def test_release_automatic_clause_makes_a_pending_crossing(japan: Node, nodes: tuple[Node, Node]) -> None:
    indicator = japan.indicator()
    (made,) = japan.release([indicator])
    assert japan.crossings() == [made]
    assert (made.state, made.clause, made.marking) == (CrossingState.PENDING, "1", "amber")
    assert (made.object_id, made.version, made.next_try_at) == (indicator["id"], indicator["modified"], None)
    assert japan.heard == [("crossing", {"ids": [made.id]}), ("outbox", {"ally": nodes[1].party.id})]


def test_release_consent_clause_makes_a_wanting_crossing_and_rings_no_bell(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.indicator()])
    assert made.state is CrossingState.WANTING
    assert made.content
    assert [topic for topic, _ in japan.heard] == ["crossing"]


def test_release_withheld_is_kept_once_with_its_reason(japan: Node) -> None:
    red = japan.indicator(marking=Tlp.RED)
    (made,) = japan.release([red])
    assert (made.state, made.content) == (CrossingState.WITHHELD, b"")
    assert "AMG-SHARE-CEILING" in made.why
    assert japan.release([red]) == ()
    (grown,) = japan.release([japan.indicator(marking=Tlp.RED, seconds=1)])
    assert [one.version for one in japan.crossings()] == [grown.version]


def test_release_without_agreement_in_force_keeps_nothing(japan: Node) -> None:
    japan.clock.advance(3651 * 86400)
    assert japan.release([japan.indicator()]) == ()
    assert japan.crossings() == []


def test_release_same_version_twice_is_one_crossing(japan: Node) -> None:
    japan.release([japan.indicator()])
    assert japan.release([japan.indicator()]) == ()
    assert len(japan.crossings()) == 1


def test_release_failure_of_the_transaction_keeps_no_crossing(japan: Node) -> None:
    class Interrupted(Exception):  # noqa: N818 - it stands for a kill
        pass

    def run() -> None:
        with japan.store.write() as tx:
            release_changes(tx, [japan.indicator()], book=japan.book, now=NOW, secret=SECRET)
            raise Interrupted

    with pytest.raises(Interrupted):
        run()
    assert japan.crossings() == []


def test_release_growth_before_it_left_takes_the_place_of_the_older(japan: Node) -> None:
    japan.release([japan.sighting(n_seen=1)])
    japan.clock.advance(1)
    (second,) = japan.release([japan.sighting(n_seen=5, seconds=1)])
    assert japan.crossings() == [second]
    assert b'"count":5' in second.content
    assert (second.next_try_at, second.created_at) == (None, japan.clock.now())


def test_release_growth_after_it_left_waits_and_then_holds_the_newest(japan: Node) -> None:
    (first,) = japan.release([japan.sighting(n_seen=1)])
    deliver(japan, first)
    for seconds in (1, 2, 3):
        japan.clock.advance(1)
        japan.release([japan.sighting(n_seen=1 + seconds, seconds=seconds)])
    delivered, waiting = japan.crossings()
    assert delivered.state is CrossingState.DELIVERED
    assert b'"count":4' in waiting.content
    assert waiting.next_try_at is not None
    assert (waiting.next_try_at - NOW).total_seconds() == 10


def test_release_growth_long_after_it_left_is_due_at_once(japan: Node) -> None:
    (first,) = japan.release([japan.sighting(n_seen=1)])
    deliver(japan, first)
    japan.clock.advance(11)
    (second,) = japan.release([japan.sighting(n_seen=2, seconds=11)])
    assert second.next_try_at is None


def test_release_older_version_than_the_last_is_no_crossing(japan: Node) -> None:
    japan.release([japan.sighting(n_seen=5, seconds=5)])
    assert japan.release([japan.sighting(n_seen=1)]) == ()


def test_release_amended_to_let_it_go_turns_what_was_withheld(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, ceiling=Tlp.GREEN)
    (withheld,) = japan.release([japan.indicator()])
    agree(japan, states, ceiling=Tlp.AMBER, version=2)
    (released,) = japan.release([japan.indicator()])
    assert (withheld.state, released.state) == (CrossingState.WITHHELD, CrossingState.PENDING)
    assert japan.crossings() == [released]


def test_decide_yes_makes_it_pending_and_rings_the_bell(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.indicator()])
    japan.heard.clear()
    decided = desk(japan).decide(OFFICER, made.id, approve=True, version="", now=NOW)
    assert (decided.state, decided.decided_by) == (CrossingState.PENDING, "sato")
    assert ("outbox", {"ally": states.party.id}) in japan.heard


def test_decide_no_stands_for_later_versions_until_it_is_taken_back(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.sighting()])
    desk(japan).decide(OFFICER, made.id, approve=False, version="", now=NOW)
    japan.release([japan.sighting(n_seen=2, seconds=1)])
    (refused,) = japan.crossings()
    assert (refused.state, refused.decided_by, b'"count":2' in refused.content) == (
        CrossingState.REFUSED,
        "sato",
        True,
    )
    desk(japan).decide(OFFICER, made.id, approve=True, version="", now=NOW)
    assert japan.crossings()[0].state is CrossingState.PENDING


def test_decide_approved_version_leaves_as_it_was_looked_at(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.sighting()])
    desk(japan).decide(OFFICER, made.id, approve=True, version="", now=NOW)
    japan.release([japan.sighting(n_seen=2, seconds=1)])
    assert [(one.state, one.version) for one in japan.crossings()] == [
        (CrossingState.PENDING, made.version),
        (CrossingState.WANTING, japan.sighting(seconds=1)["modified"]),
    ]


def test_decide_without_the_role_is_denied(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (made,) = japan.release([japan.indicator()])
    with pytest.raises(DeniedError):
        desk(japan).decide(ANALYST, made.id, approve=True, version="", now=NOW)
    assert japan.crossings() == [made]


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        ((999, True, ""), "AMG-SHARE-UNKNOWN"),
        ((1, True, "2020-01-01T00:00:00.000Z"), "AMG-SHARE-CHANGED"),
        ((2, True, ""), "AMG-SHARE-DECIDED"),
        ((2, False, ""), "AMG-SHARE-DECIDED"),
    ],
)
def test_decide_on_what_is_not_there_or_changed_changes_nothing(
    nodes: tuple[Node, Node], decision: tuple[int, bool, str], code: str
) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    before = [*japan.release([japan.indicator(1)]), *japan.release([japan.indicator(2, marking=Tlp.RED)])]
    number, approve, version = decision
    with pytest.raises(BadInputError, match=code):
        desk(japan).decide(OFFICER, number, approve=approve, version=version, now=NOW)
    assert japan.crossings() == before


def test_preview_tells_what_would_leave_and_keeps_nothing(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    objects = [japan.indicator(1), japan.indicator(2, marking=Tlp.RED)]
    offers = preview(ANALYST, objects, book=japan.book, now=NOW, secret=SECRET)
    assert [type(one.verdict) for one in offers] == [Released, Withheld]
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    (offer,) = preview(ANALYST, objects[:1], book=japan.book, now=NOW, secret=SECRET)
    assert isinstance(offer.verdict, Wanting)
    assert japan.crossings() == []


def test_in_force_of_two_agreements_with_an_ally_is_the_amended_one(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    old = make_agreement(japan.party, states.party)
    new = make_agreement(japan.party, states.party, version=2)
    japan.agreements[:] = [new, old]
    (bond,) = in_force(japan.book, NOW)
    assert (bond.agreement.version, bond.ally) == (2, states.party)


def test_agreements_of_others_are_no_bond(japan: Node, nodes: tuple[Node, Node]) -> None:
    stranger = replace(japan.party, id="identity--00000000-0000-4000-8000-000000000001")
    japan.agreements[:] = [make_agreement(stranger, nodes[1].party)]
    assert in_force(japan.book, NOW) == ()

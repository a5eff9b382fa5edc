"""The release officer's desk: two persons, less of it, held until its time, within the budget."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.app.deciding import Deciding
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Crossing, CrossingState
from amagasa.share.agreement import Consent
from amagasa.share.terms import Budget, Coarse, Generalise
from amagasa.share.terms import Role as PartyRole
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.tlp import Tlp
from tests.entry.link_world import SECRET, Node, agree, two_nodes

SATO = Actor(name="sato", roles=frozenset({Role.RELEASE_OFFICER}))
ITO = Actor(name="ito", roles=frozenset({Role.RELEASE_OFFICER}))
KATO = Actor(name="kato", roles=frozenset({Role.AUDITOR}))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path, consent=Consent.RELEASE_OFFICER) as both:
        yield both


@pytest.fixture
def japan(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


def amend(node: Node, agreement_terms: dict[str, Any] | None = None, **clause_terms: Any) -> None:
    (before,) = node.agreements
    clauses = tuple(replace(clause, **clause_terms) for clause in before.clauses)
    node.agreements[:] = [replace(before, clauses=clauses, **(agreement_terms or {}))]


def desk(node: Node) -> Deciding:
    return Deciding(store=node.store, signals=node.signals, book=node.book, secret=SECRET)


def approve(node: Node, actor: Actor, crossing: Crossing) -> Crossing:
    return desk(node).decide(actor, crossing.id, approve=True, version=crossing.version, now=node.clock.now())


def test_two_persons_must_say_yes_and_one_of_them_is_not_two(japan: Node) -> None:
    amend(japan, n_persons=2)
    (made,) = japan.release([japan.indicator()])
    first = approve(japan, SATO, made)
    assert (first.state, [one.person for one in first.consents]) == (CrossingState.WANTING, ["sato"])
    with pytest.raises(BadInputError, match="AMG-SHARE-SECOND"):
        approve(japan, SATO, made)
    assert approve(japan, ITO, made).state is CrossingState.PENDING


def test_named_roles_must_both_be_there(japan: Node) -> None:
    amend(japan, n_persons=2, approvers=("release-officer", "auditor"))
    (made,) = japan.release([japan.indicator()])
    approve(japan, SATO, made)
    assert approve(japan, ITO, made).state is CrossingState.WANTING
    done = approve(japan, KATO, made)
    assert (done.state, done.decided_by) == (CrossingState.PENDING, "sato, ito, kato")


def test_role_that_the_clause_does_not_name_is_denied(japan: Node) -> None:
    amend(japan, approvers=("auditor",))
    (made,) = japan.release([japan.indicator()])
    with pytest.raises(DeniedError):
        approve(japan, SATO, made)
    assert approve(japan, KATO, made).state is CrossingState.PENDING


def test_consent_falls_when_the_object_grows(japan: Node) -> None:
    amend(japan, n_persons=2)
    (made,) = japan.release([japan.indicator()])
    approve(japan, SATO, made)
    (grown,) = japan.release([japan.indicator(seconds=1)])
    assert (grown.id, grown.consents) == (made.id, ())
    assert approve(japan, SATO, grown).state is CrossingState.WANTING


def test_amendment_which_wants_two_persons_counts_for_what_waits_already(japan: Node) -> None:
    (made,) = japan.release([japan.indicator()])
    amend(japan, n_persons=2)
    assert approve(japan, SATO, made).state is CrossingState.WANTING
    assert approve(japan, ITO, made).state is CrossingState.PENDING


def test_what_waits_cannot_be_approved_once_no_clause_lets_it_leave(japan: Node) -> None:
    (made,) = japan.release([japan.indicator()])
    amend(japan, objects=("sighting",))
    with pytest.raises(BadInputError, match="AMG-SHARE-FORCE"):
        approve(japan, SATO, made)
    japan.agreements.clear()
    with pytest.raises(BadInputError, match="AMG-SHARE-FORCE"):
        approve(japan, SATO, made)


def edit(node: Node, crossing: Crossing, *, strip: tuple[str, ...] = (), marking: Tlp | None = None) -> Crossing:
    return desk(node).edit(
        SATO, crossing.id, strip=strip, marking=marking, version=crossing.version, now=node.clock.now()
    )


def test_edit_takes_away_and_asks_everybody_again(japan: Node) -> None:
    amend(japan, n_persons=2)
    (made,) = japan.release([japan.indicator(x_host="dc01.mil")])
    approve(japan, ITO, made)
    edited = edit(japan, made, strip=("x_host",))
    assert (edited.state, edited.consents) == (CrossingState.WANTING, ())
    assert "x_host" not in json.loads(edited.content)
    approve(japan, SATO, edited)
    assert b"dc01" not in approve(japan, ITO, edited).content


@pytest.mark.parametrize("marking", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.RED])
def test_edit_never_lowers_nor_marks_above_the_ceiling(japan: Node, marking: Tlp) -> None:
    (made,) = japan.release([japan.indicator()])
    with pytest.raises(BadInputError, match=r"AMG-SHARE-(UP|CEILING)"):
        edit(japan, made, marking=marking)
    assert japan.crossings()[0].content == made.content


def test_edit_of_what_left_is_refused(japan: Node) -> None:
    (made,) = japan.release([japan.indicator()])
    approve(japan, SATO, made)
    with pytest.raises(BadInputError, match="AMG-SHARE-DECIDED"):
        edit(japan, made, strip=("name",))


def test_batched_object_is_held_until_its_time_and_says_no_earlier_one(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    amend(japan, batch_s=3600)
    japan.clock.advance(61)
    (made,) = japan.release([japan.indicator()])
    assert made.state is CrossingState.PENDING
    assert made.created_at == made.next_try_at
    assert made.created_at.timestamp() % 3600 == 0
    assert made.created_at > japan.clock.now()
    japan.clock.advance(10)
    (grown,) = japan.release([japan.indicator(seconds=70)])
    assert (grown.id, grown.created_at) == (made.id, made.created_at)


def test_batch_begins_with_the_consent(japan: Node) -> None:
    amend(japan, batch_s=3600)
    japan.clock.advance(61)
    (made,) = japan.release([japan.indicator()])
    assert made.next_try_at is None
    assert approve(japan, SATO, made).created_at.timestamp() % 3600 == 0


def test_budget_keeps_the_rest_of_the_day_and_a_new_day_is_free(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    amend(japan, {"budgets": (Budget(giver=PartyRole.SUPPORTED, n_objects_a_day=2),)})
    states_of = [one.state for one in japan.release([japan.indicator(number) for number in (1, 2, 3)])]
    assert states_of == [CrossingState.PENDING, CrossingState.PENDING, CrossingState.WITHHELD]
    assert "AMG-SHARE-BUDGET" in japan.crossings()[-1].why
    japan.clock.advance(86_400)
    assert [one.state for one in japan.release([japan.indicator(4)])] == [CrossingState.PENDING]


def test_grown_object_that_has_not_left_counts_once(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    amend(japan, {"budgets": (Budget(giver=PartyRole.SUPPORTED, n_objects_a_day=2),)})
    for seconds in range(5):
        japan.release([japan.indicator(1, seconds=seconds)])
    assert [one.state for one in japan.release([japan.indicator(2)])] == [CrossingState.PENDING]


def test_reminted_object_grows_into_one_crossing_and_its_sighting_follows(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    amend(japan, is_reminted=True)
    (first,) = japan.release([japan.indicator(1)])
    grown, seen = japan.release([japan.indicator(1, seconds=1), japan.sighting()])
    assert grown.id == first.id
    assert (first.ours, first.object_id != first.ours) == (japan.indicator(1)["id"], True)
    assert json.loads(seen.content)["sighting_of_ref"] == first.object_id


def test_sighting_of_what_was_withheld_stays_as_well(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    withheld, seen = japan.release([japan.indicator(1, marking=Tlp.RED), japan.sighting()])
    assert withheld.state is CrossingState.WITHHELD
    assert "AMG-SHARE-REFERENCE" in seen.why


def test_coarse_versions_are_told_in_the_changes(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states)
    amend(japan, generalise=(Generalise(path="x_at", to=Coarse.NETWORK),))
    (made,) = japan.release([japan.indicator(1, x_at="198.51.100.9", x_other="198.51.100.9")])
    assert ("x_at", "generalised") in made.changes
    assert ("x_other", "stripped") in made.changes

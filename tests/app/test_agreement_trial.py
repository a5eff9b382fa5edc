"""What a draft would have let go of the days before, from what the node keeps: a dry run that keeps nothing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.app.agreement_trial import Trial, Voice, try_agreement
from amagasa.app.agreement_views import agreement_texts
from amagasa.app.permissions import NODE
from amagasa.app.ports import CrossingState
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.share.agreement import Consent
from amagasa.share.terms import Budget, Clocks
from amagasa.share.terms import Role as PartyRole
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp
from tests.app.test_provenance import alert, incident
from tests.entry.link_papers import NOW
from tests.entry.link_world import SECRET, Node, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


def struck(number: int, *, days_ago: float = 0.0) -> Alert:
    at = NOW - timedelta(days=days_ago)
    entity = Entity(kind=EntityKind.SOURCE_ADDRESS, value=f"203.0.113.{number}")
    return replace(alert(number), entities=(entity,), first_seen_at=at, last_seen_at=at, created_at=at, updated_at=at)


def tried(node: Node, *, days: int = 30, **clause: Any) -> Trial:
    (agreement,) = node.agreements
    draft = replace(agreement, clauses=tuple(replace(one, **clause) for one in agreement.clauses))
    voice = Voice(party=node.party, marking=Tlp.AMBER, min_severity=Severity.MEDIUM, secret=SECRET)
    return try_agreement(node.store, NODE, draft, voice, book=node.book, now=NOW, days=days)


def outcomes(trial: Trial) -> dict[tuple[str, str], int]:
    return {(row.outcome, row.object_type): row.n for row in trial.rows}


def test_trial_counts_what_would_have_left_and_keeps_nothing(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    with japan.store.write() as tx:
        tx.save_alerts([struck(number) for number in range(1, 4)])
        tx.save_incidents([incident("one")])
    trial = tried(japan)
    assert (trial.n_alerts, trial.n_incidents, trial.n_objects) == (3, 1, 7)
    assert outcomes(trial) == {("released", "indicator"): 3, ("released", "sighting"): 3, ("released", "incident"): 1}
    assert all(
        "203.0.113." in example for row in trial.rows if row.object_type == "indicator" for example in row.examples
    )
    assert japan.crossings() == []


def test_trial_looks_at_the_days_asked_for_alone(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    with japan.store.write() as tx:
        tx.save_alerts([struck(1), struck(2, days_ago=20), struck(3, days_ago=40)])
    assert (tried(japan).n_alerts, tried(japan, days=7).n_alerts) == (2, 1)


def test_trial_tells_consent_and_reasons(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    with japan.store.write() as tx:
        tx.save_alerts([struck(1)])
    asked = tried(japan, consent=Consent.RELEASE_OFFICER, objects=("indicator",))
    assert outcomes(asked) == {("wanting", "indicator"): 1, ("withheld", "sighting"): 1}
    neither = tried(japan, objects=("sighting",))
    assert {row.code for row in neither.rows} == {"AMG-SHARE-CLAUSE", "AMG-SHARE-REFERENCE"}


def test_trial_of_an_agreement_of_others_is_refused(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    stranger = replace(japan.party, id=states.party.id.replace("4", "5"))
    voice = Voice(party=stranger, marking=Tlp.AMBER, min_severity=Severity.LOW, secret=SECRET)
    with pytest.raises(BadInputError, match="AMG-AGREEMENT-OTHERS"):
        try_agreement(japan.store, NODE, japan.agreements[0], voice, book=japan.book, now=NOW)


def test_clock_of_sharing_is_measured_and_lateness_counted(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    japan.agreements[:] = [replace(japan.agreements[0], clocks=Clocks(share_within_s=5, renew_by_days=30))]
    for number, seconds in ((1, 2), (2, 9)):
        (made,) = japan.release([japan.indicator(number)])
        with japan.store.write() as tx:
            at = made.created_at + timedelta(seconds=seconds)
            tx.update_crossing(replace(made, state=CrossingState.DELIVERED, delivered_at=at))
    (text,) = agreement_texts(japan.store, NODE, japan.book, now=NOW)
    (clock,) = text.clocks
    assert (clock.limit_s, clock.worst_s, clock.n, clock.n_late) == (5, 9, 2, 1)
    assert text.renew_at == text.valid_until_at - timedelta(days=30)


def test_budget_is_shown_as_it_is_spent(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    budget = Budget(giver=PartyRole.SUPPORTED, n_objects_a_day=5)
    japan.agreements[:] = [replace(japan.agreements[0], budgets=(budget,))]
    japan.release([japan.indicator(1), japan.indicator(2)])
    (text,) = agreement_texts(japan.store, NODE, japan.book, now=NOW)
    assert text.budget is not None
    assert (text.budget.n_objects, text.budget.max_objects) == (2, 5)

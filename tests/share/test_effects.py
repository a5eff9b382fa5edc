"""Each term of an agreement has an effect that a test shows; of the others the rendering says that people do."""

from pathlib import Path
from typing import Final

import pytest

from amagasa.share.form import AGREEMENT_TERMS, CLAUSE_TERMS
from amagasa.share.rendering import render
from amagasa.share.rendering_words import BY_PEOPLE, ENFORCED
from amagasa.share.terms import Ask, Breach, Budget, Clocks, Handling, Legal, Power, Role, Scope, Trial
from tests.share.samples import agreement, clause

ROOT: Final = Path(__file__).parents[1]
PEOPLE: Final = "people"
TRICKS: Final = "share/test_tricks.py"
# Term -> the test that shows its effect, or that people see to it.
EFFECTS: Final = {
    "amends": "app/test_agreements.py::test_amendment_of_another_version_than_the_newest_is_not_signed",
    "under": "app/test_agreements.py::test_operators_agreement_stays_within_its_nations",
    "rotate_days": f"{TRICKS}::test_pseudonyms_last_for_a_rotation_and_the_ally_can_correlate_within_it",
    "generalise": f"{TRICKS}::test_trick_tells_nothing",
    "only": f"{TRICKS}::test_trick_tells_nothing",
    "is_reminted": (
        f"{TRICKS}::test_reminted_identifier_is_the_same_wherever_it_stands_and_another_under_another_agreement"
    ),
    "n_persons": "share/test_consent.py::test_consent_wants_different_persons_and_each_role",
    "approvers": "share/test_consent.py::test_role_that_is_not_named_may_not_consent",
    "behalf": "app/test_provenance.py::test_it_goes_on_only_where_both_clauses_say_so",
    "batch_s": "share/test_consent.py::test_batched_object_leaves_within_batch_and_jitter_and_never_early",
    "jitter_s": "share/test_consent.py::test_jitter_is_the_same_for_a_version_and_another_for_another_key",
    "trial.wait_s": "app/test_trying.py::test_clock_that_ends_first_puts_it_to_use_where_the_clause_says_so",
    "trial.otherwise": (
        "app/test_trying.py::test_clock_that_ends_first_holds_it_where_the_clause_says_so_until_the_look_ends"
    ),
    "trial.noisy_an_hour": "app/test_trying.py::test_noise_is_what_the_clause_says",
    "handling.use": "share/test_admit.py::test_use_that_allows_no_measure_is_not_looked_with",
    "handling.onward": "app/test_provenance.py::test_object_that_its_giver_keeps_between_the_two_is_put_before_nobody",
    "handling.keep_days": "app/test_retention.py::test_what_is_over_is_let_go_wholly_and_the_record_proves_what_it_was",
    "handling.notify_affected": PEOPLE,
    "handling.attribution": PEOPLE,
    "handling.resale": PEOPLE,
    "scope.sectors": PEOPLE,
    "scope.assets": PEOPLE,
    "clocks.share_within_s": "app/test_clocks.py::test_share_late_is_an_alarm_on_both_sides_and_ends_when_it_has_left",
    "clocks.acknowledge_within_s": (
        "app/test_clocks.py::test_acknowledgement_late_is_an_alarm_on_both_sides_until_heads_were_exchanged"
    ),
    "clocks.retract_within_s": "app/test_receipts.py::test_retraction_that_nobody_acknowledges_is_overdue_once",
    "clocks.consult_within_s": (
        "app/test_clocks.py::test_no_word_on_a_serious_incident_is_an_alarm_on_both_sides_until_it_is_said"
    ),
    "clocks.silence_s": "app/test_hearts.py::test_look_silence_beyond_the_clock_is_one_alarm_on_both_sides",
    "clocks.renew_by_days": "app/test_clocks.py::test_renewal_that_is_overdue_by_the_clock_of_the_agreement_is_told",
    "budgets.n_objects_a_day": "journeys/test_09_incidents.py::test_budget_holds_back_and_drops_nothing",
    "budgets.n_bytes_a_day": "app/test_intake.py::test_bytes_count_as_well",
    "budgets.n_queries_a_day": PEOPLE,
    "legal.may": "share/test_consent.py::test_law_that_keeps_personal_data_at_home_keeps_it",
    "legal.basis": PEOPLE,
    "asks.objects": PEOPLE,
    "asks.answer_within_s": PEOPLE,
    "asks.n_a_day": PEOPLE,
    "breach.tell_within_s": PEOPLE,
    "breach.then": PEOPLE,
}
PARTS: Final = {
    "trial": Trial,
    "handling": Handling,
    "scope": Scope,
    "clocks": Clocks,
    "budgets": Budget,
    "legal": Legal,
    "asks": Ask,
    "breach": Breach,
}
WHO: Final = frozenset(["budgets.giver", "legal.party", "asks.asker"])


def test_every_term_has_an_effect_or_is_for_people() -> None:
    plain = {name for name in (*AGREEMENT_TERMS, *CLAUSE_TERMS) if name not in PARTS}
    inside = {f"{name}.{field}" for name, part in PARTS.items() for field in part.__struct_fields__}
    assert EFFECTS.keys() == plain | (inside - WHO)


@pytest.mark.parametrize("where", sorted({where for where in EFFECTS.values() if where != PEOPLE}))
def test_test_that_shows_an_effect_is_there(where: str) -> None:
    path, _, name = where.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_what_people_see_to_is_said_where_it_stands() -> None:
    terms = agreement(
        clause(handling=Handling(keep_days=3)),
        scope=Scope(sectors=("energy",)),
        asks=(Ask(asker=Role.SUPPORTING, objects=("sighting",)),),
        breach=Breach(tell_within_s=60),
    )
    told = {article.title[0] for article in render(terms) if BY_PEOPLE in article.lines}
    assert told == {"Scope", "What is given, and how", "What may be asked", "Breach"}


def test_legal_profile_says_which_powers_the_nodes_enforce() -> None:
    told = [
        [line for article in render(terms) for line in article.lines if "People see to the rest" in line[0]]
        for terms in (
            agreement(clause(), legal=(Legal(party=Role.SUPPORTED, may=tuple(ENFORCED)),)),
            agreement(clause(), legal=(Legal(party=Role.SUPPORTED, may=(Power.BLOCK,)),)),
        )
    ]
    assert [len(lines) for lines in told] == [0, 1]


def test_queries_that_no_node_answers_are_said_to_be_none() -> None:
    terms = agreement(clause(), budgets=(Budget(giver=Role.SUPPORTED, n_queries_a_day=5),))
    lines = [line[0] for article in render(terms) for line in article.lines]
    assert "Blind-match queries are not answered by the nodes yet." in lines

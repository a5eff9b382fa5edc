"""`admit`: what an ally sends is hostile until judged; each object is admitted or refused, with its reason."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.intel.build import authors, extension_definition, identity
from amagasa.intel.marking import marking_definition, marking_of
from amagasa.share.admit import MAX_OBJECTS, admit
from amagasa.share.agreement import Agreement, Consent
from amagasa.share.release import companions, release
from amagasa.share.terms import Handling, Legal, Role, Use
from amagasa.share.verdict import Admission, Admitted, Released
from amagasa.vocab.tlp import Tlp
from tests.share.samples import (
    AGREEMENTS,
    ANYTHING,
    INDICATOR_ID,
    JAPAN,
    JAPAN_ID,
    NEARLY_SOUND,
    NOW,
    SECRET,
    SIGHTING_ID,
    STATES,
    STATES_ID,
    THIRD_ID,
    UNKNOWN_MARKING,
    WEIRD,
    agreement,
    clause,
    indicator,
    party,
    sighting,
)

MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
TERMS = agreement(clause())


def come(*objects: Any, terms: Agreement = TERMS, **changes: Any) -> Admission:
    """Objects from Japan, judged in the States."""
    return admit(objects, JAPAN, terms, **({"now": NOW} | changes))


def only_admitted(*objects: Any, **changes: Any) -> Admitted:
    answer = come(*objects, **changes)
    assert answer.refused == ()
    return answer.admitted[-1]


def code_of(obj: Any, **changes: Any) -> str:
    answer = come(obj, **changes)
    assert answer.admitted == ()
    return answer.refused[0].code


def test_object_within_its_clause_is_admitted_as_it_came() -> None:
    obj = indicator(x_odd={"kept": [1]})
    one = only_admitted(obj)
    assert (one.object, one.clause, one.is_active) == (obj, "indicators-out", True)


def test_sighting_is_admitted_and_never_active() -> None:
    assert not only_admitted(sighting()).is_active


@pytest.mark.parametrize(
    "changes",
    [
        {"revoked": True},
        {"valid_until": "2026-11-23T11:59:59.000Z"},
    ],
)
def test_indicator_revoked_or_past_is_admitted_but_not_active(changes: dict[str, Any]) -> None:
    assert not only_admitted(indicator(**changes)).is_active


def test_indicator_under_a_consent_clause_waits_for_a_person() -> None:
    assert not only_admitted(indicator(), terms=agreement(clause(consent=Consent.RELEASE_OFFICER))).is_active


@pytest.mark.parametrize(("use", "is_used"), [(Use.NONE, False), (Use.CONTACT, False), (Use.INTERNAL, True)])
def test_use_that_allows_no_measure_is_not_looked_with(use: Use, *, is_used: bool) -> None:
    terms = agreement(clause(handling=Handling(use=use)))
    assert only_admitted(indicator(), terms=terms).is_active is is_used


def test_party_whose_law_does_not_let_it_match_does_not_look_with_it() -> None:
    terms = agreement(clause(), legal=(Legal(party=Role.SUPPORTING, may=()),))
    assert not only_admitted(indicator(), terms=terms).is_active


def test_older_version_than_held_is_admitted_but_not_active() -> None:
    held = {INDICATOR_ID: indicator(modified="2026-11-23T11:00:00.000Z")}
    assert not only_admitted(indicator(), held=held).is_active
    assert only_admitted(indicator(), held={INDICATOR_ID: indicator()}).is_active


@pytest.mark.parametrize(
    ("obj", "code"),
    [
        (None, "AMG-ADMIT-SHAPE"),
        ([], "AMG-ADMIT-SHAPE"),
        ({"type": "bundle", "id": "bundle--5b408962-a142-4f50-8eae-619e5eb0df05", "objects": []}, "AMG-ADMIT-SHAPE"),
        (indicator(id=SIGHTING_ID), "AMG-ADMIT-SHAPE"),
        (indicator(created="yesterday"), "AMG-ADMIT-SHAPE"),
        (indicator(modified="2026-11-22T10:00:00.000Z"), "AMG-ADMIT-SHAPE"),
        (indicator(description="x" * 300_000), "AMG-ADMIT-SHAPE"),
        (indicator(created_by_ref=STATES_ID), "AMG-ADMIT-OURS"),
        (identity(STATES_ID, "we"), "AMG-ADMIT-OURS"),
        (sighting(where_sighted_refs=[JAPAN_ID, STATES_ID]), "AMG-ADMIT-OURS"),
        (indicator(created_by_ref=THIRD_ID), "AMG-ADMIT-AUTHOR"),
        (indicator(created_by_ref=...), "AMG-ADMIT-AUTHOR"),
        (identity(THIRD_ID, "third"), "AMG-ADMIT-AUTHOR"),
        (indicator(modified="2026-11-23T12:10:01.000Z"), "AMG-ADMIT-FUTURE"),
        (sighting(last_seen="2026-11-24T12:10:01.000Z"), "AMG-ADMIT-FUTURE"),
        (indicator(valid_from="2030-11-23T12:10:01.000Z"), "AMG-ADMIT-FUTURE"),
        (indicator(object_marking_refs=...), "AMG-ADMIT-UNMARKED"),
        (indicator(object_marking_refs=[UNKNOWN_MARKING]), "AMG-ADMIT-MARKING"),
        (indicator(object_marking_refs=[Tlp.RED.marking_id]), "AMG-ADMIT-RED"),
        (indicator(object_marking_refs=[Tlp.AMBER_STRICT.marking_id]), "AMG-ADMIT-CEILING"),
        (
            indicator(granular_markings=[{"marking_ref": Tlp.AMBER_STRICT.marking_id, "selectors": ["name"]}]),
            "AMG-ADMIT-CEILING",
        ),
        (indicator(pattern_type="yara"), "AMG-ADMIT-PATTERN"),
        (indicator(pattern="x" * 70_000), "AMG-ADMIT-PATTERN"),
        ({**sighting(), "type": "incident", "id": "incident--5b408962-a142-4f50-8eae-619e5eb0df05", "name": "n"},
         "AMG-ADMIT-CLAUSE"),
        ({**marking_definition(Tlp.AMBER), "name": "TLP:CLEAR"}, "AMG-ADMIT-AUTHOR"),
        ({**extension_definition(), "schema": "other"}, "AMG-ADMIT-AUTHOR"),
    ],
)  # fmt: skip
def test_object_that_no_clause_lets_in_is_refused(obj: Any, code: str) -> None:
    assert code_of(obj) == code


def test_clause_of_the_other_direction_lets_nothing_in() -> None:
    assert code_of(indicator(), terms=agreement(clause(giver=STATES_ID))) == "AMG-ADMIT-CLAUSE"
    assert code_of(indicator(), terms=agreement(clause(pattern_types=("sigma",)))) == "AMG-ADMIT-CLAUSE"


def test_agreement_not_in_force_refuses_all() -> None:
    late = datetime(2028, 1, 1, tzinfo=UTC)
    answer = come(indicator(), marking_definition(Tlp.AMBER), None, now=late)
    assert [one.code for one in answer.refused] == ["AMG-ADMIT-FORCE"] * 3


def test_sender_of_no_agreement_is_refused() -> None:
    stranger = party(THIRD_ID, "third", Role.SUPPORTING)
    answer = admit([indicator()], stranger, TERMS, now=NOW)
    assert answer.refused[0].code == "AMG-ADMIT-PARTY"


def test_version_marked_lower_than_held_is_refused() -> None:
    held = {INDICATOR_ID: indicator()}
    lowered = indicator(object_marking_refs=[Tlp.GREEN.marking_id], modified="2026-11-23T11:00:00.000Z")
    assert code_of(lowered, held=held) == "AMG-ADMIT-LOWERED"


def test_object_held_from_another_is_not_taken_over() -> None:
    assert code_of(indicator(), held={INDICATOR_ID: indicator(created_by_ref=THIRD_ID)}) == "AMG-ADMIT-HELD"


def test_two_versions_come_together_but_the_same_one_only_once() -> None:
    newer = sighting(modified="2026-11-23T11:30:00.000Z")
    answer = come(sighting(), newer, sighting(modified="2026-11-23T11:00:00Z"))
    assert [one.object for one in answer.admitted] == [sighting(), newer]
    assert [one.code for one in answer.refused] == ["AMG-ADMIT-TWICE"]


def test_companions_are_admitted_word_for_word() -> None:
    sent = [marking_definition(Tlp.AMBER), authors(), extension_definition(), identity(JAPAN_ID, "Japan")]
    assert {one.clause for one in come(*sent).admitted} == {"companions"}
    assert len(come(*sent).admitted) == 4


def test_what_one_side_releases_the_other_admits() -> None:
    gone = release(sighting(), STATES, TERMS, now=NOW, secret=SECRET)
    assert isinstance(gone, Released)
    assert len(companions([gone], JAPAN)) == 3
    assert only_admitted(sighting()).clause == gone.clause


def test_envelope_over_its_limit_keeps_the_first_and_refuses_the_rest() -> None:
    answer = come(*[None] * (MAX_OBJECTS + 2))
    assert [one.code for one in answer.refused[-2:]] == ["AMG-ADMIT-COUNT"] * 2


@MANY
@given(
    objects=st.lists(NEARLY_SOUND | ANYTHING | WEIRD, max_size=4),
    terms=AGREEMENTS,
    held=st.dictionaries(st.just(INDICATOR_ID), NEARLY_SOUND, max_size=1),
)
def test_whatever_comes_is_admitted_by_a_clause_or_refused(
    objects: list[Any], terms: Agreement, held: dict[str, Any]
) -> None:
    answer = admit(objects, JAPAN, terms, now=NOW, held=held)
    assert len(answer.admitted) + len(answer.refused) == len(objects)
    for one in answer.admitted:
        by = next(term for term in terms.clauses if term.id == one.clause)
        marking = marking_of(one.object)
        assert any(one.object is obj for obj in objects)
        assert by.giver == JAPAN_ID == one.object["created_by_ref"]
        assert one.object["type"] in by.objects
        assert marking is not None
        assert marking <= by.ceiling
        assert marking is not Tlp.RED
        assert not one.is_active or by.consent is Consent.AUTOMATIC


def junk(draw: random.Random, depth: int = 0) -> Any:
    """A JSON-like value, half of the time shaped like what `admit` looks at."""
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return draw.choice(
            [None, True, 0, -1, 2**60, 1.5, float("inf"), "", "x", "\ud800", JAPAN_ID, STATES_ID, INDICATOR_ID,
             Tlp.RED.marking_id, "2026-11-23T10:00:00.000Z", "indicator", "2.1", b"b", object()]
        )  # fmt: skip
    if kind == 6:
        return [junk(draw, depth + 1) for _ in range(draw.randrange(4))]
    keys = [*indicator(), *sighting(), "granular_markings", "selectors", "marking_ref", "extensions", "x", 7, None]
    return {draw.choice(keys): junk(draw, depth + 1) for _ in range(draw.randrange(5))}


def test_ten_thousand_random_objects_never_raise() -> None:
    draw = random.Random(20261123)
    objects = []
    for _ in range(10_000):
        base: Any = draw.choice([indicator(), sighting(), {}])
        for _ in range(draw.randrange(4)):
            base[draw.choice([*indicator(), *sighting(), "granular_markings", "x"])] = junk(draw)
        objects.append(base if draw.random() < 0.8 else junk(draw))
    answer = come(*objects)
    assert len(answer.admitted) + len(answer.refused) == 10_000
    assert answer.admitted

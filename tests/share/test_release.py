"""`release`: closed by default, no marking ever lowered, what is stripped is gone, whatever the object."""

import copy
import hashlib
import hmac
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.intel.build import extension
from amagasa.share.agreement import Agreement, Consent
from amagasa.share.redact import place_of_selector, places_at
from amagasa.share.release import companions, release
from amagasa.share.terms import Role
from amagasa.share.verdict import Release, Released, Wanting, Withheld
from amagasa.vocab.tlp import Tlp, tlp_of_marking
from tests.share.samples import (
    AGREEMENTS,
    ANYTHING,
    JAPAN,
    JAPAN_ID,
    NEARLY_SOUND,
    NOW,
    SECRET,
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

MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def out(obj: Any, terms: Agreement, **changes: Any) -> Release:
    given_: dict[str, Any] = {"now": NOW, "secret": SECRET} | changes
    return release(obj, STATES, terms, **given_)


def let_go(obj: Any, terms: Agreement) -> Released:
    answer = out(obj, terms)
    assert isinstance(answer, Released), answer
    return answer


def refused(obj: Any, terms: Agreement, **changes: Any) -> str:
    answer = out(obj, terms, **changes)
    assert isinstance(answer, Withheld), answer
    return answer.code


def what_leaves(answer: Release) -> Released | None:
    if isinstance(answer, Wanting):
        return answer.released
    return answer if isinstance(answer, Released) else None


def leaves_of(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves_of(inner, (*place, key))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in leaves_of(inner, (*place, index))]
    return [(place, value)]


def markings_within(value: Any) -> list[str]:
    """An oracle of its own: every marking reference anywhere, found the naive way."""
    found: list[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "object_marking_refs" and isinstance(inner, list):
                found += inner
            elif key == "marking_ref":
                found.append(inner)
            found += markings_within(inner)
    elif isinstance(value, list):
        for inner in value:
            found += markings_within(inner)
    return found


def test_object_within_its_clause_leaves_as_canonical_bytes() -> None:
    answer = let_go(indicator(), agreement(clause()))
    assert answer.content == rfc8785.dumps(indicator())
    assert (answer.clause, answer.marking, answer.changes) == ("indicators-out", Tlp.AMBER, ())
    assert (answer.object_id, answer.object_type) == (indicator()["id"], "indicator")


def test_unknown_properties_pass_untouched() -> None:
    obj = indicator(x_odd={"deep": [1, {"er": "é"}]})
    assert json.loads(let_go(obj, agreement(clause())).content) == obj


def test_consent_clause_wants_the_release_officer() -> None:
    answer = out(indicator(), agreement(clause(consent=Consent.RELEASE_OFFICER)))
    assert isinstance(answer, Wanting)
    assert (answer.roles, answer.n_persons) == (("release-officer",), 1)
    assert answer.released.content == rfc8785.dumps(indicator())


@pytest.mark.parametrize(
    "now", [datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)], ids=["early", "expired"]
)
def test_agreement_not_in_force_withholds(now: datetime) -> None:
    assert refused(indicator(), agreement(clause()), now=now) == "AMG-SHARE-FORCE"


def test_agreement_at_its_first_and_last_instant_releases() -> None:
    terms = agreement(clause())
    for now in (terms.valid_from_at, terms.valid_until_at - timedelta(microseconds=1)):
        assert isinstance(out(indicator(), terms, now=now), Released)


@pytest.mark.parametrize(
    ("obj", "terms", "code"),
    [
        (indicator(), agreement(), "AMG-SHARE-CLAUSE"),
        (indicator(), agreement(clause(giver=STATES_ID)), "AMG-SHARE-CLAUSE"),
        (indicator(), agreement(clause(objects=("sighting",))), "AMG-SHARE-CLAUSE"),
        (indicator(), agreement(clause(pattern_types=("sigma",))), "AMG-SHARE-CLAUSE"),
        (indicator(created_by_ref=THIRD_ID), agreement(clause()), "AMG-SHARE-AUTHOR"),
        (indicator(created_by_ref=STATES_ID), agreement(clause()), "AMG-SHARE-AUTHOR"),
        (indicator(created_by_ref=...), agreement(clause()), "AMG-SHARE-AUTHOR"),
        (indicator(object_marking_refs=...), agreement(clause()), "AMG-SHARE-UNMARKED"),
        (
            indicator(
                object_marking_refs=...,
                granular_markings=[{"marking_ref": Tlp.CLEAR.marking_id, "selectors": ["name"]}],
            ),
            agreement(clause()),
            "AMG-SHARE-UNMARKED",
        ),
        (indicator(object_marking_refs=[Tlp.AMBER_STRICT.marking_id]), agreement(clause()), "AMG-SHARE-CEILING"),
        (indicator(object_marking_refs=[Tlp.RED.marking_id]), agreement(clause(ceiling=Tlp.RED)), "AMG-SHARE-CEILING"),
        (
            indicator(object_marking_refs=[Tlp.CLEAR.marking_id, Tlp.RED.marking_id]),
            agreement(clause()),
            "AMG-SHARE-CEILING",
        ),
        (
            indicator(object_marking_refs=[Tlp.CLEAR.marking_id, UNKNOWN_MARKING]),
            agreement(clause()),
            "AMG-SHARE-MARKING",
        ),
        (indicator(x_in={"object_marking_refs": [Tlp.RED.marking_id]}), agreement(clause()), "AMG-SHARE-CEILING"),
        (indicator(x_in=[{"granular_markings": "junk"}]), agreement(clause()), "AMG-SHARE-MARKING"),
        (
            indicator(granular_markings=[{"marking_ref": Tlp.RED.marking_id, "selectors": ["nowhere"]}]),
            agreement(clause()),
            "AMG-SHARE-PART",
        ),
        (
            indicator(granular_markings=[{"marking_ref": Tlp.RED.marking_id, "selectors": ["pattern"]}]),
            agreement(clause()),
            "AMG-SHARE-REST",
        ),
        (
            indicator(granular_markings=[{"marking_ref": Tlp.RED.marking_id, "selectors": ["created_by_ref"]}]),
            agreement(clause()),
            "AMG-SHARE-PROTECTED",
        ),
        (indicator(), agreement(clause(strip=("object_marking_refs",))), "AMG-SHARE-PROTECTED"),
        (indicator(), agreement(clause(pseudonymise=("id",))), "AMG-SHARE-PROTECTED"),
        (indicator(), agreement(clause(strip=("*",))), "AMG-SHARE-PROTECTED"),
        (indicator(), agreement(clause(pseudonymise=("pattern",))), "AMG-SHARE-PROTECTED"),
        (
            indicator(extensions=extension({"severity": 4})),
            agreement(clause(strip=("extensions.*.extension_type",))),
            "AMG-SHARE-PROTECTED",
        ),
        (indicator(confidence=5), agreement(clause(pseudonymise=("confidence",))), "AMG-SHARE-REST"),
        (indicator(), agreement(clause(strip=("pattern",))), "AMG-SHARE-REST"),
        (indicator(spec_version="2.0"), agreement(clause()), "AMG-SHARE-SHAPE"),
    ],
)
def test_object_that_no_clause_lets_go_is_withheld(obj: dict[str, Any], terms: Agreement, code: str) -> None:
    assert refused(obj, terms) == code


def test_ally_of_another_agreement_gets_nothing() -> None:
    stranger = party(THIRD_ID, "third", Role.SUPPORTING)
    answer = release(indicator(), stranger, agreement(clause()), now=NOW, secret=SECRET)
    assert isinstance(answer, Withheld)
    assert answer.code == "AMG-SHARE-PARTY"


def test_short_secret_is_our_mistake_and_raises() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        out(indicator(), agreement(clause()), secret=b"short")


def test_first_clause_whose_ceiling_bears_the_marking_lets_it_go() -> None:
    low = clause(id="green", ceiling=Tlp.GREEN)
    high = clause(id="strict", ceiling=Tlp.AMBER_STRICT, strip=("name",))
    assert let_go(indicator(), agreement(low, high)).clause == "strict"


def test_tlp_1_marking_is_read_as_its_tlp_2_equal() -> None:
    amber_1 = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
    assert let_go(indicator(object_marking_refs=[amber_1]), agreement(clause())).marking is Tlp.AMBER
    assert refused(indicator(object_marking_refs=[amber_1]), agreement(clause(ceiling=Tlp.GREEN))) == (
        "AMG-SHARE-CEILING"
    )


def test_part_marked_above_the_ceiling_is_stripped_and_selectors_follow() -> None:
    obj = indicator(
        labels=["secret", "plain", "other"],
        granular_markings=[
            {"marking_ref": Tlp.RED.marking_id, "selectors": ["labels.[0]", "description"]},
            {"marking_ref": Tlp.AMBER.marking_id, "selectors": ["labels.[0]", "labels.[2]", "name"]},
            {"lang": "ja", "selectors": ["labels.[1]"]},
        ],
    )
    answer = let_go(obj, agreement(clause()))
    left = json.loads(answer.content)
    assert left["labels"] == ["plain", "other"]
    assert "description" not in left
    assert left["granular_markings"] == [
        {"marking_ref": Tlp.AMBER.marking_id, "selectors": ["labels.[1]", "name"]},
        {"lang": "ja", "selectors": ["labels.[0]"]},
    ]
    assert [(change.path, change.what) for change in answer.changes] == [
        ("description", "stripped"),
        ("labels.[0]", "stripped"),
    ]


def test_strip_reaches_lists_nests_and_extensions_and_leaves_no_empty_shell() -> None:
    obj = indicator(
        external_references=[{"source_name": "a", "url": "https://one.example"}, {"source_name": "b", "url": "u2"}],
        extensions=extension({"severity": 4, "techniques": ["T1110"]}),
        x_only={"host": "web1"},
        x_list=[[{"host": "web2"}], [{"host": "web3", "kept": 1}]],
    )
    terms = agreement(
        clause(strip=("external_references.url", "extensions.*.techniques.*", "x_only.host", "x_list.host"))
    )
    left = json.loads(let_go(obj, terms).content)
    assert left["external_references"] == [{"source_name": "a"}, {"source_name": "b"}]
    assert next(iter(left["extensions"].values())) == {"extension_type": "property-extension", "severity": 4}
    assert "x_only" not in left
    assert left["x_list"] == [[{"kept": 1}]]


def test_pseudonym_is_stable_for_one_ally_and_differs_for_secrets() -> None:
    terms = agreement(clause(pseudonymise=("x_host", "labels", "x_ref", "x_map")))
    obj = indicator(x_host="web1", labels=["web1", "web2"], x_ref=THIRD_ID, x_map={"web3": 1})
    left = json.loads(let_go(obj, terms).content)
    assert left["x_host"] == left["labels"][0] != left["labels"][1]
    assert left["x_ref"].startswith("identity--")
    assert left["x_ref"] != THIRD_ID
    assert left["x_map"].startswith("pseudonym-")
    assert left == json.loads(let_go(obj, terms).content)
    other = out(obj, terms, secret=b"\x01" * 32)
    assert isinstance(other, Released)
    assert json.loads(other.content)["x_host"] != left["x_host"]
    assert hashlib.sha256(b"web1").hexdigest()[:32] not in left["x_host"]
    assert hmac.new(SECRET, b"web1", hashlib.sha256).hexdigest()[:32] not in left["x_host"]


def test_path_both_stripped_and_pseudonymised_is_stripped() -> None:
    answer = let_go(indicator(x_host="web1"), agreement(clause(strip=("x_host",), pseudonymise=("x_host",))))
    assert "x_host" not in json.loads(answer.content)


def test_selector_inside_a_pseudonym_names_the_pseudonym() -> None:
    obj = indicator(
        x_map={"host": "web1"},
        granular_markings=[{"marking_ref": Tlp.AMBER.marking_id, "selectors": ["x_map.host", "x_map"]}],
    )
    left = json.loads(let_go(obj, agreement(clause(pseudonymise=("x_map",)))).content)
    assert left["granular_markings"][0]["selectors"] == ["x_map"]


def test_companions_explain_what_leaves_and_nothing_else() -> None:
    assert companions((), JAPAN) == ()
    plain = let_go(indicator(), agreement(clause()))
    kinds = Counter(one.object_type for one in companions([plain], JAPAN))
    assert kinds == {"marking-definition": 1, "identity": 1}
    rich = let_go(sighting(extensions=extension({"severity": 4})), agreement(clause()))
    sent = companions([plain, rich], JAPAN)
    assert Counter(one.object_type for one in sent) == {
        "marking-definition": 3,
        "identity": 2,
        "extension-definition": 1,
    }
    assert all(rfc8785.dumps(json.loads(one.content)) == one.content for one in sent)


@MANY
@given(obj=NEARLY_SOUND, terms=AGREEMENTS)
def test_whatever_leaves_is_covered_by_a_clause_and_no_marking_is_lowered(
    obj: dict[str, Any], terms: Agreement
) -> None:
    before = copy.deepcopy(obj)
    answer = out(obj, terms)
    assert obj == before
    assert out(obj, terms) == answer
    gone = what_leaves(answer)
    if gone is None:
        return
    used = [one for one in terms.clauses if one.id == gone.clause]
    covering = [one for one in used if one.giver == JAPAN_ID and obj["type"] in one.objects]
    assert covering
    left = json.loads(gone.content)
    assert rfc8785.dumps(left) == gone.content
    assert left["object_marking_refs"] == obj["object_marking_refs"]
    levels = [tlp_of_marking(ref) for ref in markings_within(left)]
    assert None not in levels
    assert max(level for level in levels if level is not None) == gone.marking <= max(one.ceiling for one in covering)
    assert gone.marking is not Tlp.RED


@MANY
@given(obj=NEARLY_SOUND, terms=AGREEMENTS)
def test_what_a_clause_strips_or_replaces_is_not_in_the_bytes(obj: dict[str, Any], terms: Agreement) -> None:
    gone = what_leaves(out(obj, terms))
    if gone is None:
        return
    left = json.loads(gone.content)
    by = next(one for one in terms.clauses if one.id == gone.clause)
    for path in by.strip:
        assert places_at(left, path) == set()
    for path in by.pseudonymise:
        for place in places_at(left, path):
            shown: Any = left
            for step in place:
                shown = shown[step]
            assert all(isinstance(leaf, str) and leaf not in _texts(obj) for _, leaf in leaves_of(shown))


def _texts(obj: Any) -> set[str]:
    return {leaf for _, leaf in leaves_of(obj) if isinstance(leaf, str)}


@MANY
@given(obj=NEARLY_SOUND, terms=AGREEMENTS)
def test_marking_of_every_part_that_leaves_is_what_it_was(obj: dict[str, Any], terms: Agreement) -> None:
    """Each leaf is numbered first, so that it is known again where items before it were stripped."""
    obj = {name: _numbered(value, name) if name in NUMBERED else value for name, value in obj.items()}
    gone = what_leaves(out(obj, terms))
    if gone is None:
        return
    before, after = _marks_by_leaf(obj), _marks_by_leaf(json.loads(gone.content))
    for leaf, marks in after.items():
        if leaf in before:
            assert marks == before[leaf]


NUMBERED = ("labels", "x_note", "x_host", "objects", "description")


def _numbered(value: Any, at: str) -> Any:
    if isinstance(value, dict):
        return {key: _numbered(inner, f"{at}/{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbered(inner, f"{at}/{index}") for index, inner in enumerate(value)]
    return f"leaf {at}"


def _marks_by_leaf(obj: dict[str, Any]) -> dict[str, set[str]]:
    marks: dict[str, set[str]] = {
        leaf: set() for _, leaf in leaves_of(obj) if isinstance(leaf, str) and leaf.startswith("leaf ")
    }
    for entry in obj.get("granular_markings", ()):
        for selector in entry["selectors"]:
            place = place_of_selector(obj, selector)
            for where, leaf in leaves_of(obj):
                if place is not None and where[: len(place)] == place and leaf in marks:
                    marks[leaf].add(entry.get("marking_ref", entry.get("lang")))
    return marks


@MANY
@given(obj=ANYTHING | WEIRD | st.builds(lambda base, extra: base | {"x_odd": extra}, NEARLY_SOUND, ANYTHING | WEIRD))
def test_whatever_comes_release_answers_and_never_raises(obj: Any) -> None:
    terms = agreement(clause(strip=("x_odd.*.value", "labels"), pseudonymise=("x_odd.*.url", "x_odd.*")))
    answer = out(obj, terms)
    assert msgspec.json.encode(answer)


def test_object_nested_without_end_is_withheld() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    looped: dict[str, Any] = indicator()
    looped["x_self"] = looped
    assert refused(indicator(x_deep=deep), agreement(clause())) == "AMG-SHARE-SHAPE"
    assert refused(looped, agreement(clause())) == "AMG-SHARE-SHAPE"


def test_object_over_the_size_limit_is_withheld() -> None:
    assert refused(indicator(description="x" * 300_000), agreement(clause())) == "AMG-SHARE-SHAPE"

"""Who said yes, and whether that is enough; when it leaves; what an officer may change."""

import json
from datetime import timedelta
from itertools import product

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.intel.stix import OBSERVABLES
from amagasa.share.agreement import Agreement, Clause
from amagasa.share.consent import Yes, is_enough, may_consent
from amagasa.share.edit import NotDown, edit_down
from amagasa.share.known import Known, Learnt
from amagasa.share.lawful import OF_PERSONS
from amagasa.share.release import release
from amagasa.share.terms import Handling, Legal, Power, Role
from amagasa.share.timing import leaves_at
from amagasa.share.verdict import Released, Withheld
from amagasa.vocab.tlp import Tlp
from tests.share.samples import (
    AGREEMENTS,
    JAPAN_ID,
    NEARLY_SOUND,
    NOW,
    SECRET,
    STATES,
    STATES_ID,
    THIRD_ID,
    agreement,
    clause,
    indicator,
    sighting,
)

OFFICER, AUDITOR = ("release-officer",), ("auditor",)
BOTH = (*OFFICER, *AUDITOR)


@pytest.mark.parametrize(
    ("given_", "approvers", "n_persons", "expected"),
    [
        ((), OFFICER, 1, False),
        ((Yes(person="sato", roles=OFFICER),), OFFICER, 1, True),
        ((Yes(person="sato", roles=("analyst",)),), OFFICER, 1, False),
        ((Yes(person="sato", roles=OFFICER),) * 2, OFFICER, 2, False),
        ((Yes(person="sato", roles=OFFICER), Yes(person="ito", roles=OFFICER)), OFFICER, 2, True),
        ((Yes(person="sato", roles=OFFICER), Yes(person="ito", roles=OFFICER)), BOTH, 2, False),
        ((Yes(person="sato", roles=OFFICER), Yes(person="ito", roles=AUDITOR)), BOTH, 2, True),
        ((Yes(person="sato", roles=BOTH),), BOTH, 2, False),
        ((Yes(person="sato", roles=BOTH), Yes(person="ito", roles=OFFICER)), BOTH, 2, True),
    ],
)
def test_consent_wants_different_persons_and_each_role(
    given_: tuple[Yes, ...], approvers: tuple[str, ...], n_persons: int, expected: object
) -> None:
    assert is_enough(given_, approvers, n_persons) is expected


def test_role_that_is_not_named_may_not_consent() -> None:
    assert may_consent({"analyst", "auditor"}, BOTH)
    assert not may_consent({"analyst"}, BOTH)


@given(batch=st.integers(0, 7200), jitter=st.integers(0, 600), seconds=st.integers(0, 100_000))
def test_batched_object_leaves_within_batch_and_jitter_and_never_early(batch: int, jitter: int, seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    due = leaves_at(clause(batch_s=batch, jitter_s=jitter), now, key=SECRET, object_id="a", version="1")
    assert now <= due <= now + timedelta(seconds=batch + jitter)
    if batch and not jitter:
        assert due.timestamp() % batch == 0


def test_jitter_is_the_same_for_a_version_and_another_for_another_key() -> None:
    def due(key: bytes, version: str) -> float:
        return leaves_at(clause(jitter_s=3600), NOW, key=key, object_id="a", version=version).timestamp()

    assert due(SECRET, "1") == due(SECRET, "1")
    assert len({due(key, version) for key, version in product((SECRET, bytes(32)), ("1", "2"))}) == 4


def released(**changes: object) -> Released:
    answer = release(indicator(**changes), STATES, agreement(clause()), now=NOW, secret=SECRET)
    assert isinstance(answer, Released)
    return answer


def test_edit_takes_away_and_marks_higher() -> None:
    terms = clause(ceiling=Tlp.AMBER_STRICT)
    edited = edit_down(released(x_host="dc01.mil"), terms, strip=["x_host"], marking=Tlp.AMBER_STRICT)
    assert isinstance(edited, Released)
    left = json.loads(edited.content)
    assert "x_host" not in left
    assert left["object_marking_refs"] == [Tlp.AMBER_STRICT.marking_id]
    assert edited.marking is Tlp.AMBER_STRICT
    assert [(one.path, one.what) for one in edited.changes] == [("x_host", "edited"), ("object_marking_refs", "edited")]


def test_edit_takes_the_texts_which_name_it_as_well() -> None:
    edited = edit_down(released(x_host="dc01.mil", description="on DC01.MIL"), clause(), strip=["x_host"])
    assert isinstance(edited, Released)
    assert b"dc01" not in edited.content.lower()


@pytest.mark.parametrize(
    ("strip", "marking", "code"),
    [
        ([], None, "AMG-SHARE-NOTHING"),
        (["nowhere"], None, "AMG-SHARE-PATH"),
        (["..."], None, "AMG-SHARE-PATH"),
        (["id"], None, "AMG-SHARE-PROTECTED"),
        (["object_marking_refs"], None, "AMG-SHARE-PROTECTED"),
        (["pattern"], None, "AMG-SHARE-REST"),
        ([], Tlp.GREEN, "AMG-SHARE-UP"),
        ([], Tlp.AMBER, "AMG-SHARE-UP"),
        ([], Tlp.RED, "AMG-SHARE-CEILING"),
    ],
)
def test_edit_never_goes_up(strip: list[str], marking: Tlp | None, code: str) -> None:
    answer = edit_down(released(), clause(), strip=strip, marking=marking)
    assert isinstance(answer, NotDown)
    assert answer.code == code


@settings(max_examples=100, deadline=None)
@given(
    obj=NEARLY_SOUND,
    paths=st.lists(st.sampled_from(["name", "labels", "x_note", "x_host", "objects"]), min_size=1, max_size=3),
)
def test_edit_of_anything_leaves_a_part_of_it(obj: dict[str, object], paths: list[str]) -> None:
    answer = release(obj, STATES, agreement(clause()), now=NOW, secret=SECRET)
    if not isinstance(answer, Released):
        return
    edited = edit_down(answer, clause(), strip=paths)
    if isinstance(edited, Released):
        before, after = json.loads(answer.content), json.loads(edited.content)
        assert set(after) <= set(before)
        assert edited.marking >= answer.marking


def test_edit_that_takes_the_strictest_part_leaves_the_marking_of_the_whole() -> None:
    amber = Tlp.AMBER.marking_id
    content = json.loads(released().content)
    content |= {
        "object_marking_refs": [Tlp.GREEN.marking_id],
        "granular_markings": [{"marking_ref": amber, "selectors": ["name"]}],
    }
    whole = replace(released(), content=rfc8785.dumps(content), marking=Tlp.AMBER)
    edited = edit_down(whole, clause(), strip=["name"])
    assert isinstance(edited, Released)
    assert (edited.marking, json.loads(edited.content)["object_marking_refs"]) == (Tlp.AMBER, [amber])


LEARNT = Learnt(party=THIRD_ID, onward=frozenset([STATES_ID]))


def knows(obj: dict[str, object], terms: Agreement, *learnt: Learnt) -> str:
    answer = release(obj, STATES, terms, now=NOW, secret=SECRET, known=Known(learnt=learnt))
    return answer.code if isinstance(answer, Withheld) else ""


@pytest.mark.parametrize(
    ("learnt", "behalf", "code"),
    [
        (LEARNT, (THIRD_ID,), ""),
        (LEARNT, (), "AMG-SHARE-LEARNT"),
        (Learnt(party=THIRD_ID), (THIRD_ID,), "AMG-SHARE-LEARNT"),
        (Learnt(party=STATES_ID), (), ""),
        (Learnt(party=JAPAN_ID), (), ""),
    ],
)
def test_what_was_learnt_from_another_leaves_only_where_both_clauses_say_so(
    learnt: Learnt, behalf: tuple[str, ...], code: str
) -> None:
    assert knows(sighting(), agreement(clause(behalf=behalf)), learnt) == code


def test_object_of_another_leaves_only_where_both_clauses_say_so() -> None:
    obj = indicator(created_by_ref=THIRD_ID)
    terms = agreement(clause(behalf=(THIRD_ID,)))
    assert knows(obj, terms) == "AMG-SHARE-AUTHOR"
    assert knows(obj, terms, LEARNT) == ""
    assert knows(obj, agreement(clause()), LEARNT) == "AMG-SHARE-LEARNT"


@settings(max_examples=200, deadline=None)
@given(obj=NEARLY_SOUND, terms=AGREEMENTS, onward=st.sets(st.sampled_from([THIRD_ID, JAPAN_ID]), max_size=2))
def test_taint_closes_whatever_the_clauses_say_where_its_giver_does_not(
    obj: dict[str, object], terms: Agreement, onward: set[str]
) -> None:
    assert knows(obj, terms, Learnt(party=THIRD_ID, onward=frozenset(onward))) != ""


@pytest.mark.parametrize("kind", sorted(OF_PERSONS))
def test_law_that_keeps_personal_data_at_home_keeps_it(kind: str) -> None:
    assert kind in OBSERVABLES
    terms: Clause = clause(objects=(kind,), handling=Handling())
    obj: dict[str, object] = {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--5b408962-a142-4f50-8eae-619e5eb0df05",
        "value": "a@b.example",
        "object_marking_refs": [Tlp.GREEN.marking_id],
    }
    assert knows(obj, agreement(terms)) == ""
    closed = agreement(terms, legal=(Legal(party=Role.SUPPORTED, may=(Power.MATCH,)),))
    assert knows(obj, closed) == "AMG-SHARE-LEGAL"

"""Contradictions and gaps of agreements, in words."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.share.agreement import Agreement, Clause, Consent
from amagasa.share.check import certificate_of, check, check_at, check_card
from amagasa.share.problem import Weight
from amagasa.share.terms import Role
from amagasa.share.words import clause_in_words, parties_in_words, tell
from amagasa.vocab.tlp import Tlp
from tests.share.cards import drafted, japan, states


def codes(agreement: Agreement) -> set[str]:
    found = check(agreement)
    assert all(tell(problem, lang) for problem in found for lang in ("en", "ja"))
    return {problem.code for problem in found}


def with_party(**changes: Any) -> Agreement:
    agreement = drafted()
    return replace(agreement, parties=(replace(agreement.parties[0], **changes), agreement.parties[1]))


def with_clause(**changes: Any) -> Agreement:
    agreement = drafted()
    given: dict[str, Any] = {
        "id": "extra",
        "giver": japan().id,
        "objects": ("note",),
        "ceiling": Tlp.GREEN,
        "consent": Consent.AUTOMATIC,
    }
    return replace(agreement, clauses=(*agreement.clauses, Clause(**(given | changes))))


def test_sound_agreement_has_no_problem() -> None:
    assert check(drafted()) == ()
    assert check(with_clause()) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "identity--1"}, "PARTY-ID"),
        ({"id": "tool--1f0c4d0e-6d0e-4b1c-8a6a-2d5a1a7c9b01"}, "PARTY-ID"),
        ({"name": ""}, "NAME"),
        ({"name": "a\nb"}, "NAME"),
        ({"country": "Japan"}, "COUNTRY"),
        ({"key": "A" * 42}, "KEY"),
        ({"key": "A" * 42 + "B"}, "KEY"),
        ({"certificate": "junk"}, "CERTIFICATE"),
        ({"certificate": japan().certificate * 2}, "CERTIFICATE"),
        ({"address": "http://soc.example/"}, "ADDRESS"),
        ({"address": "https://u:p@soc.example/"}, "ADDRESS"),
        ({"address": "https://soc.example:99999/"}, "ADDRESS"),
        ({"address": "https://[bad/"}, "ADDRESS"),
        ({"role": Role.SUPPORTING}, "ROLES"),
        ({"id": states().id}, "SAME"),
        ({"key": states().key}, "SAME"),
        ({"certificate": states().certificate}, "SAME"),
    ],
)
def test_fault_of_a_party_is_named(changes: dict[str, Any], code: str) -> None:
    assert f"AMG-AGREEMENT-{code}" in codes(with_party(**changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "Extra Clause"}, "CLAUSE-ID"),
        ({"id": "companions"}, "CLAUSE-ID"),
        ({"id": "sightings-from-supported"}, "CLAUSE-TWICE"),
        ({"giver": "identity--3d2e6b40-8f20-4d3e-8c8c-4f7c3c9ebd03"}, "GIVER"),
        ({"ceiling": Tlp.RED}, "RED"),
        ({"objects": ()}, "NOTHING"),
        ({"objects": ("bundle",)}, "TYPE-NAME"),
        ({"objects": ("Note!",)}, "TYPE-NAME"),
        ({"objects": ("x-own-thing",)}, "TYPE-NEW"),
        ({"pattern_types": ("stix",)}, "PATTERN-ALONE"),
        ({"objects": ("indicator",), "pattern_types": ("yara",)}, "PATTERN"),
        ({"strip": ("a..b",)}, "PATH"),
        ({"strip": ("",)}, "PATH"),
        ({"strip": ("*",)}, "PROTECTED"),
        ({"strip": ("modified",)}, "PROTECTED"),
        ({"pseudonymise": ("id",)}, "PROTECTED"),
        ({"strip": ("x.object_marking_refs",)}, "PROTECTED"),
        ({"strip": ("content",)}, "NEEDED"),
        ({"pseudonymise": ("confidence",)}, "TYPED"),
        ({"objects": ("indicator",), "ceiling": Tlp.AMBER_STRICT, "pseudonymise": ("pattern",)}, "TYPED"),
        ({"objects": ("indicator",), "ceiling": Tlp.AMBER_STRICT, "strip": ("name",)}, "WANTED"),
        ({"strip": ("abstract",), "pseudonymise": ("abstract",)}, "BOTH"),
        ({"objects": ("sighting",), "ceiling": Tlp.GREEN}, "SHADOWED"),
        ({"objects": ("indicator",), "pattern_types": ("sigma",)}, "SHADOWED"),
    ],
)
def test_fault_of_a_clause_is_named(changes: dict[str, Any], code: str) -> None:
    assert f"AMG-AGREEMENT-{code}" in codes(with_clause(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"objects": ("sighting",), "ceiling": Tlp.AMBER_STRICT},
        {"objects": ("sighting", "note")},
        {"objects": ("incident",), "ceiling": Tlp.AMBER_STRICT, "giver": states().id, "id": "x"},
    ],
)
def test_clause_that_adds_something_is_not_shadowed(changes: dict[str, Any]) -> None:
    found = codes(with_clause(**changes))
    assert ("AMG-AGREEMENT-SHADOWED" in found) == (changes.get("objects") == ("incident",))


def test_validity_reversed_or_empty_is_a_fault() -> None:
    agreement = drafted()
    assert "AMG-AGREEMENT-VALIDITY" in codes(replace(agreement, valid_until_at=agreement.valid_from_at))


def test_gap_is_a_note_and_no_fault() -> None:
    agreement = drafted()
    found = check(replace(agreement, clauses=agreement.clauses[1:]))
    assert [(problem.code, problem.weight) for problem in found] == [("AMG-AGREEMENT-GAP", Weight.NOTE)]
    assert "sighting" in tell(found[0])


def test_agreement_that_outlives_a_certificate_is_noted() -> None:
    agreement = drafted()
    found = check(replace(agreement, valid_until_at=agreement.valid_until_at + timedelta(days=2000)))
    assert {(problem.code, problem.weight) for problem in found} == {("AMG-AGREEMENT-OUTLIVES", Weight.NOTE)}


def test_clock_says_expired_or_not_yet() -> None:
    agreement = drafted()
    assert [one.code for one in check_at(agreement, agreement.valid_until_at)] == ["AMG-AGREEMENT-EXPIRED"]
    early = check_at(agreement, agreement.valid_from_at - timedelta(seconds=1))
    assert [(one.code, one.weight) for one in early] == [("AMG-AGREEMENT-EARLY", Weight.NOTE)]
    assert check_at(agreement, agreement.valid_from_at) == ()


def test_card_is_checked_like_a_party() -> None:
    assert check_card(japan()) == ()
    assert [one.code for one in check_card(replace(japan(), key="no"))] == ["AMG-AGREEMENT-KEY"]


def test_certificate_text_must_be_one_certificate() -> None:
    assert certificate_of(japan().certificate) is not None
    for text in ("", "é", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", japan().certificate * 2):
        assert certificate_of(text) is None


def test_clauses_are_told_in_two_languages() -> None:
    agreement = with_clause(strip=("abstract",), pseudonymise=("authors.*",))
    first, last = agreement.clauses[2], agreement.clauses[-1]
    assert clause_in_words(first, agreement) == (
        "日本 gives United States: incident, marked up to TLP:AMBER+STRICT, after a release officer said yes."
    )
    assert "開示担当官の承認" in clause_in_words(first, agreement, "ja")
    assert clause_in_words(last, agreement).endswith(
        "Stripped: abstract. Replaced by stable pseudonyms: authors.*. Its identifiers are replaced as well."
    )
    assert "削除: abstract。一定の仮名に置き換え: authors.*。" in clause_in_words(last, agreement, "ja")
    assert parties_in_words(agreement)[0].startswith("日本 (JP), supported, https://")
    assert "支援する側" in parties_in_words(agreement, "ja")[1]

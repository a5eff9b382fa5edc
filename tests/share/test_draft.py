"""Drafts: what the program writes it reads back, and each mistake of a person is named by its place."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.agreement import Agreement, Consent
from amagasa.share.check import check
from amagasa.share.draft import parse_draft
from amagasa.share.draft_text import draft_text
from amagasa.share.problem import Problem
from amagasa.share.terms import Role
from amagasa.share.words import sentence, tell
from amagasa.vocab.tlp import Tlp
from tests.share.cards import FROM, UNTIL, draft, drafted, japan, states


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    found = parse_draft(text.encode() if isinstance(text, str) else text)
    assert not isinstance(found, Agreement)
    assert all(tell(problem, lang) for problem in found for lang in ("en", "ja"))
    return found


def test_first_draft_reads_back_and_holds_together() -> None:
    made = drafted()
    assert check(made) == ()
    assert (made.valid_from_at, made.valid_until_at) == (FROM, UNTIL)
    assert made.parties == (japan().as_party(Role.SUPPORTED), states().as_party(Role.SUPPORTING))
    assert [(clause.id, clause.giver, clause.ceiling, clause.consent) for clause in made.clauses[:3]] == [
        ("sightings-from-supported", japan().id, Tlp.AMBER, Consent.AUTOMATIC),
        ("indicators-from-supported", japan().id, Tlp.AMBER, Consent.AUTOMATIC),
        ("incidents-from-supported", japan().id, Tlp.AMBER_STRICT, Consent.RELEASE_OFFICER),
    ]
    assert {clause.giver for clause in made.clauses[3:]} == {states().id}


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=30), address=st.text(max_size=30), certificate=st.text(max_size=60))
def test_draft_reads_back_whatever_a_card_holds(name: str, address: str, certificate: str) -> None:
    odd = replace(japan(), name=name, address=address, certificate=certificate)
    made = parse_draft(draft_text(odd, states(), valid_from_at=FROM, valid_until_at=UNTIL).encode())
    assert isinstance(made, Agreement)
    assert made.parties[0] == odd.as_party(Role.SUPPORTED)
    assert len(made.clauses) == 6


def test_name_on_a_card_cannot_add_a_clause() -> None:
    sly = replace(states(), name='x\n[[clause]]\nid = "all"\n')
    made = parse_draft(draft_text(japan(), sly, valid_from_at=FROM, valid_until_at=UNTIL).encode())
    assert isinstance(made, Agreement)
    assert len(made.clauses) == 6


def test_unknown_key_is_named_with_the_nearest() -> None:
    (found,) = problems_of(draft().replace("strip = []", "stripp = []", 1))
    assert (found.code, found.place) == ("AMG-AGREEMENT-KEY-UNKNOWN", "clause[0]")
    assert "stripp" in sentence(found)
    assert '"strip"' in sentence(found)


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("version = 1", 'version = "1"', "AMG-AGREEMENT-TYPE", "version"),
        ("version = 1", "", "AMG-AGREEMENT-KEY-MISSING", ""),
        ("valid_from = 2026-11-01T00:00:00Z", "valid_from = 2026-11-01T00:00:00", "AMG-AGREEMENT-TYPE", "valid_from"),
        ("valid_from = 2026-11-01T00:00:00Z", "valid_from = 0001-01-01", "AMG-AGREEMENT-TYPE", "valid_from"),
        ('ceiling = "amber"', 'ceiling = "ambr"', "AMG-AGREEMENT-VALUE", "clause[0].ceiling"),
        ('ceiling = "amber"', "ceiling = 3", "AMG-AGREEMENT-TYPE", "clause[0].ceiling"),
        ('consent = "automatic"', 'consent = "always"', "AMG-AGREEMENT-VALUE", "clause[0].consent"),
        ('giver = "supported"', 'giver = "somebody"', "AMG-AGREEMENT-VALUE", "clause[0].giver"),
        ("strip = []", 'strip = "name"', "AMG-AGREEMENT-TYPE", "clause[0].strip"),
        ("strip = []", "strip = [1]", "AMG-AGREEMENT-TYPE", "clause[0].strip"),
        ('country = "JP"', "country = 81", "AMG-AGREEMENT-TYPE", "supported.country"),
        ("[[clause]]", "[clause]", "AMG-AGREEMENT-TOML", ""),
        ("[supported]", "[supportet]", "AMG-AGREEMENT-KEY-UNKNOWN", ""),
        ("version = 1", "version = ", "AMG-AGREEMENT-TOML", ""),
    ],
)
def test_mistake_is_named_by_its_place(old: str, new: str, code: str, place: str) -> None:
    assert (code, place) in [(found.code, found.place) for found in problems_of(draft().replace(old, new, 1))]


def test_all_mistakes_are_told_at_once() -> None:
    text = draft().replace("version = 1", "verson = 1").replace('"automatic"', '"automatik"')
    assert len(problems_of(text)) == 6


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe\x00junk", "AMG-AGREEMENT-TEXT"),
        (b"\x00\x01\x02", "AMG-AGREEMENT-TOML"),
        (b"x = " + b"[" * 100_000, "AMG-AGREEMENT-TOML"),
        (b"x = " + b"9" * 10_000, "AMG-AGREEMENT-TOML"),
        (b"#" * 1_048_577, "AMG-AGREEMENT-SIZE"),
        (b"", "AMG-AGREEMENT-KEY-MISSING"),
        (b"supported = 1\nsupporting = []\nclause = [1]", "AMG-AGREEMENT-TYPE"),
        (b"clause = 5", "AMG-AGREEMENT-TYPE"),
    ],
)
def test_what_is_no_draft_is_told_in_words(data: bytes, code: str) -> None:
    assert code in [found.code for found in problems_of(data)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert parse_draft(data)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=3))
def test_draft_with_bytes_overwritten_is_answered(at: int, junk: bytes) -> None:
    text = draft().encode()
    assert parse_draft(text[:at] + junk + text[at + len(junk) :])


def test_dates_without_time_begin_at_midnight() -> None:
    made = parse_draft(draft().replace("2026-11-01T00:00:00Z", "2026-12-01", 1).encode())
    assert isinstance(made, Agreement)
    assert made.valid_from_at == datetime(2026, 12, 1, tzinfo=UTC)

"""The full terms: written in a draft, read back from a signed file, judged, told in two languages, in the schema."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from amagasa.share.agreement import Agreement, Consent
from amagasa.share.check import check
from amagasa.share.draft import parse_draft
from amagasa.share.form import plain_of, schema
from amagasa.share.problem import Problem, Weight
from amagasa.share.rendering import difference, render
from amagasa.share.signing import SignedAgreement, from_bytes, to_bytes, verify
from amagasa.share.terms import (
    Ask,
    Breach,
    Budget,
    Clocks,
    Coarse,
    Duty,
    Generalise,
    Handling,
    Legal,
    Power,
    Role,
    Sanction,
    Scope,
    Under,
    Use,
)
from amagasa.share.words import tell
from tests.share.cards import draft, drafted, japan, sign, states
from tests.share.samples import THIRD_ID

ROOT = Path(__file__).parents[2]
TOP = """
rotate_days = 90
[scope]
sectors = ["energy", "government-national"]
assets = ["Kanto grid"]
[clocks]
share_within_s = 1
acknowledge_within_s = 60
retract_within_s = 300
consult_within_s = 3600
silence_s = 600
renew_by_days = 30
[[legal]]
party = "supported"
may = ["match-ally-indicators", "block-own-networks"]
basis = ["Telecommunications Business Act, article 4"]
[[asks]]
asker = "supporting"
objects = ["sighting"]
answer_within_s = 3600
n_a_day = 10
[[budgets]]
giver = "supported"
n_objects_a_day = 100000
n_bytes_a_day = 1000000000
n_queries_a_day = 1000
[breach]
tell_within_s = 86400
then = "suspend"
"""
CLAUSE = f"""
generalise = [{{path = "first_seen", to = "hour"}}, {{path = "x_address", to = "network"}}]
only = ["name", "first_seen"]
is_reminted = true
n_persons = 2
approvers = ["release-officer", "auditor"]
behalf = ["{THIRD_ID}"]
batch_s = 3600
jitter_s = 60
handling = {{use = "internally-visible-actions", attribution = "must-not", onward = ["{THIRD_ID}"], keep_days = 30}}
"""


def full_draft() -> str:
    text = draft().replace("# Whom the umbrella covers.", TOP + "# Whom the umbrella covers.", 1)
    head, _, last = text.rpartition('consent = "release-officer"\n')
    return head + 'consent = "release-officer"\n' + CLAUSE + last


def full() -> Agreement:
    made = parse_draft(full_draft().encode())
    assert isinstance(made, Agreement), [tell(problem) for problem in made]
    return made


def codes(agreement: Agreement) -> set[str]:
    return {problem.code for problem in check(agreement)}


def with_last(**changes: Any) -> Agreement:
    made = drafted()
    return replace(made, clauses=(*made.clauses[:-1], replace(made.clauses[-1], **changes)))


def test_draft_with_all_terms_reads_as_it_is_written() -> None:
    made = full()
    assert made.scope == Scope(sectors=("energy", "government-national"), assets=("Kanto grid",))
    assert made.clocks.consult_within_s == 3600
    assert made.legal[0].may == (Power.MATCH, Power.BLOCK)
    assert made.asks == (Ask(asker=Role.SUPPORTING, objects=("sighting",), answer_within_s=3600, n_a_day=10),)
    assert made.budgets[0].n_queries_a_day == 1000
    assert made.breach == Breach(tell_within_s=86400, then=Sanction.SUSPEND)
    last = made.clauses[-1]
    assert last.generalise[1] == Generalise(path="x_address", to=Coarse.NETWORK)
    assert (last.n_persons, last.approvers) == (2, ("release-officer", "auditor"))
    assert last.handling == Handling(use=Use.INTERNAL, attribution=Duty.MUST_NOT, onward=(THIRD_ID,), keep_days=30)
    assert not [problem for problem in check(made) if problem.weight is Weight.FAULT]


def test_all_terms_are_signed_and_come_back_from_the_file() -> None:
    signed = sign(SignedAgreement(agreement=full()), japan(), states())
    assert from_bytes(to_bytes(signed)) == signed
    assert verify(signed) == ()


def test_terms_left_unsaid_are_not_in_the_file() -> None:
    plain = plain_of(drafted())
    assert not {"scope", "clocks", "amends", "rotate_days"} & set(plain)
    assert not {"handling", "n_persons", "generalise"} & set(plain["clauses"][0])


@pytest.mark.parametrize("term", ["clocks", "scope", "legal", "budgets", "rotate_days"])
def test_term_altered_after_signing_is_found(term: str) -> None:
    signed = sign(SignedAgreement(agreement=full()), japan(), states())
    default = getattr(drafted(), term)
    altered = replace(signed, agreement=replace(signed.agreement, **{term: default}))
    assert {problem.code for problem in verify(altered)} == {"AMG-AGREEMENT-SIGNATURE"}


def test_schema_in_the_documentation_is_the_one_of_the_types() -> None:
    kept = (ROOT / "docs" / "agreement.schema.json").read_bytes()
    assert kept == schema(), "run: amagasa agreement schema > docs/agreement.schema.json"


@pytest.mark.parametrize("agreement", [drafted(), full()], ids=["first draft", "all terms"])
def test_draft_fits_its_schema(agreement: Agreement) -> None:
    jsonschema.Draft202012Validator(json.loads(schema())).validate(json.loads(msgspec.json.encode(plain_of(agreement))))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("clocks",), {"share_within_s": 0}),
        (("clocks",), {"share_in_s": 1}),
        (("legal",), [{"party": "neither"}]),
        (("rotate_days",), -1),
        (("under",), {"id": "x", "digest": "short"}),
        (("clauses", 0, "n_persons"), 3),
        (("clauses", 0, "handling"), {"use": "anything"}),
    ],
)
def test_schema_and_reader_refuse_the_same(place: tuple[Any, ...], value: Any) -> None:
    signed = json.loads(to_bytes(SignedAgreement(agreement=full())))
    inner = signed["agreement"]
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    assert not jsonschema.Draft202012Validator(json.loads(schema())).is_valid(signed["agreement"])
    assert isinstance(from_bytes(msgspec.json.encode(signed)), Problem)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("share_within_s = 1", "share_within_s = 0", "clocks.share_within_s"),
        ("share_within_s = 1", 'share_within_s = "soon"', "clocks.share_within_s"),
        ("n_a_day = 10", "n_a_dya = 10", "asks[0]"),
        ('"supported"\nmay', '"both"\nmay', "legal[0].party"),
        ("n_persons = 2", "n_persons = 3", "clause[5].n_persons"),
        ('to = "hour"', 'to = "minute"', "clause[5].generalise[0].to"),
        ("keep_days = 30", "keep_days = 0", "clause[5].handling.keep_days"),
    ],
)
def test_mistake_in_a_term_is_named_by_its_place(old: str, new: str, place: str) -> None:
    text = full_draft().replace(old, new, 1)
    assert tomllib.loads(text)
    found = parse_draft(text.encode())
    assert not isinstance(found, Agreement)
    assert [(problem.code, problem.place) for problem in found] == [("AMG-AGREEMENT-TERM", place)]
    assert all(tell(problem, lang) for problem in found for lang in ("en", "ja"))


@pytest.mark.parametrize(
    ("agreement", "code"),
    [
        (replace(drafted(), version=2), "AMG-AGREEMENT-AMENDS"),
        (replace(drafted(), amends="0" * 64), "AMG-AGREEMENT-AMENDS"),
        (replace(drafted(), clocks=Clocks(renew_by_days=400)), "AMG-AGREEMENT-RENEW"),
        (replace(drafted(), legal=(Legal(party=Role.SUPPORTED),) * 2), "AMG-AGREEMENT-ROLE-TWICE"),
        (replace(drafted(), budgets=(Budget(giver=Role.SUPPORTED),) * 2), "AMG-AGREEMENT-ROLE-TWICE"),
        (replace(drafted(), asks=(Ask(asker=Role.SUPPORTING, objects=("malware",)),)), "AMG-AGREEMENT-ASK"),
        (with_last(consent=Consent.AUTOMATIC, n_persons=2), "AMG-AGREEMENT-NOBODY"),
        (with_last(approvers=("release-officer", "Bob!")), "AMG-AGREEMENT-APPROVER"),
        (with_last(approvers=()), "AMG-AGREEMENT-APPROVER"),
        (with_last(generalise=(Generalise(path="pattern", to=Coarse.NETWORK),)), "AMG-AGREEMENT-COARSE"),
        (with_last(generalise=(Generalise(path="count", to=Coarse.ROLE),)), "AMG-AGREEMENT-COARSE"),
        (with_last(generalise=(Generalise(path="a..b", to=Coarse.ROLE),)), "AMG-AGREEMENT-PATH"),
        (with_last(generalise=(Generalise(path="x", to=Coarse.ROLE),), strip=("x",)), "AMG-AGREEMENT-BOTH"),
        (with_last(generalise=(Generalise(path="first_seen", to=Coarse.HOUR),)), "AMG-AGREEMENT-BETRAYS"),
        (with_last(only=("a.b",)), "AMG-AGREEMENT-PATH"),
        (with_last(handling=Handling(onward=(japan().id,))), "AMG-AGREEMENT-THIRD"),
        (with_last(behalf=(states().id,)), "AMG-AGREEMENT-THIRD"),
        (
            replace(with_last(objects=("email-addr",)), legal=(Legal(party=Role.SUPPORTING),)),
            "AMG-AGREEMENT-LEGAL",
        ),
        (replace(drafted(), legal=(Legal(party=Role.SUPPORTED),)), "AMG-AGREEMENT-UNMATCHED"),
    ],
)
def test_contradiction_or_gap_of_terms_is_found(agreement: Agreement, code: str) -> None:
    assert code in codes(agreement)
    assert code not in codes(drafted())
    assert all(tell(problem, lang) for problem in check(agreement) for lang in ("en", "ja"))


def test_rendering_tells_every_term_in_both_languages() -> None:
    articles = render(replace(full(), under=Under(id="umbrella", digest="a" * 64)))
    told = [line for article in articles for line in article.lines]
    english, japanese = ("\n".join(line[which] for line in told) for which in (0, 1))
    for word in ("energy", "Kanto grid", "umbrella", "two different persons", "its hour", "30 days", "10 times a day"):
        assert word in english
    for word in ("energy", "異なる二人", "一時間単位", "1 時間以内に協議", "一日 10 回", "90 日ごと", "停止します"):
        assert word in japanese
    assert [article.number for article in articles] == list(range(1, len(articles) + 1))


def test_rendering_escapes_what_a_party_wrote() -> None:
    articles = render(replace(full(), scope=Scope(assets=("grid\u202e\x1b[31m",))))
    assert all(character.isprintable() for article in articles for line in article.lines for character in "".join(line))


def test_amendment_is_told_by_the_lines_which_it_changes() -> None:
    before = full()
    after = replace(before, clocks=replace(before.clocks, consult_within_s=60), version=2)
    assert difference(before, after) == (
        ("-", ("On a serious incident both consult within 1 h.", "重大な事態では 1 時間以内に協議します。")),
        ("+", ("On a serious incident both consult within 1 min.", "重大な事態では 1 分以内に協議します。")),
    )

"""Signatures: true ones verify, and one altered byte is seen wherever it stands."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.agreement import Agreement
from amagasa.share.form import card_bytes, digest, parse_card
from amagasa.share.problem import Problem
from amagasa.share.signing import (
    SignedAgreement,
    from_bytes,
    signature_problems,
    signed_bytes,
    to_bytes,
    verify,
    with_signature,
)
from amagasa.share.words import tell
from tests.share.cards import SIGNED_AT, both_signed, card, drafted, japan, keys, sign, states
from tests.share.samples import THIRD_ID


def codes(signed: SignedAgreement) -> list[str]:
    found = verify(signed)
    assert all(tell(problem, lang) for problem in found for lang in ("en", "ja"))
    return [problem.code for problem in found]


def changed(agreement: Agreement, **changes: Any) -> SignedAgreement:
    """The signatures that were given under the agreement, now under another."""
    return replace(both_signed(), agreement=replace(agreement, **changes))


def test_both_signatures_verify_and_the_file_reads_back() -> None:
    signed = both_signed()
    assert verify(signed) == ()
    assert from_bytes(to_bytes(signed)) == signed
    assert [one.party for one in signed.signatures] == [japan().id, states().id]


def test_digest_and_bytes_are_the_same_each_time() -> None:
    assert digest(drafted()) == digest(drafted())
    assert to_bytes(both_signed()) == to_bytes(both_signed())
    assert digest(replace(drafted(), version=2)) != digest(drafted())


def test_missing_signature_is_named() -> None:
    assert codes(SignedAgreement(agreement=drafted())) == ["AMG-AGREEMENT-UNSIGNED"] * 2
    half = sign(SignedAgreement(agreement=drafted()), states())
    assert codes(half) == ["AMG-AGREEMENT-UNSIGNED"]
    assert signature_problems(half) == ()


def test_signing_again_replaces_ones_own_signature() -> None:
    assert len(sign(both_signed(), japan(), states()).signatures) == 2


def test_signature_by_another_key_is_false() -> None:
    message = signed_bytes(drafted(), japan().id, SIGNED_AT)
    forged = with_signature(both_signed(), japan().id, SIGNED_AT, keys(states().name).sign(message))
    assert codes(forged) == ["AMG-AGREEMENT-SIGNATURE"]


def test_signature_moved_to_another_name_or_instant_is_false() -> None:
    signed = both_signed()
    first, second = signed.signatures
    swapped = (replace(first, value=second.value), replace(second, value=first.value))
    assert codes(replace(signed, signatures=swapped)) == ["AMG-AGREEMENT-SIGNATURE"] * 2
    later = replace(first, signed_at=first.signed_at + timedelta(milliseconds=1))
    assert codes(replace(signed, signatures=(later, second))) == ["AMG-AGREEMENT-SIGNATURE"]


def test_signature_of_a_stranger_or_twice_is_named() -> None:
    signed = both_signed()
    first, second = signed.signatures
    stranger = replace(first, party=THIRD_ID)
    assert codes(replace(signed, signatures=(first, second, stranger))) == ["AMG-AGREEMENT-STRANGER"]
    assert codes(replace(signed, signatures=(first, first, second))) == ["AMG-AGREEMENT-TWICE"]


@pytest.mark.parametrize("value", ["", "!!", "A" * 86, "A" * 85 + "B", "AAAA", "é", "A" * 5000])
def test_signature_that_is_none_is_false(value: str) -> None:
    first, second = both_signed().signatures
    assert codes(replace(both_signed(), signatures=(replace(first, value=value), second))) == [
        "AMG-AGREEMENT-SIGNATURE"
    ]


def test_altered_agreement_is_seen_by_both_signatures() -> None:
    agreement = drafted()
    for altered in (
        changed(agreement, title="Other"),
        changed(agreement, clauses=agreement.clauses[:-1]),
        changed(agreement, valid_until_at=agreement.valid_until_at + timedelta(days=1)),
        changed(agreement, parties=agreement.parties[::-1]),
    ):
        assert codes(altered) == ["AMG-AGREEMENT-SIGNATURE"] * 2


def test_faults_of_the_agreement_itself_are_found_too() -> None:
    agreement = drafted()
    twice = sign(SignedAgreement(agreement=replace(agreement, clauses=agreement.clauses * 2)), japan(), states())
    assert "AMG-AGREEMENT-CLAUSE-TWICE" in codes(twice)
    reversed_ = replace(agreement, valid_from_at=agreement.valid_until_at, valid_until_at=agreement.valid_from_at)
    assert "AMG-AGREEMENT-VALIDITY" in codes(sign(SignedAgreement(agreement=reversed_), japan(), states()))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_one_byte_altered_is_seen(data: st.DataObject) -> None:
    whole = to_bytes(both_signed())
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    altered = from_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert isinstance(altered, Problem) or verify(altered) != ()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_cut_or_lengthened_file_is_seen(data: st.DataObject) -> None:
    whole = to_bytes(both_signed())
    cut = data.draw(st.integers(0, len(whole) - 1))
    extra = data.draw(st.binary(min_size=1, max_size=3))
    assert isinstance(from_bytes(whole[:cut]), Problem)
    assert isinstance(from_bytes(whole + extra), Problem)


def test_file_rewritten_by_another_program_is_not_canonical() -> None:
    for text in (json.dumps(json.loads(to_bytes(both_signed())), ensure_ascii=False), to_bytes(both_signed()) + b"\n"):
        found = from_bytes(text.encode() if isinstance(text, str) else text)
        assert isinstance(found, Problem)
        assert found.code == "AMG-AGREEMENT-CANONICAL"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\x00", b"null", b"[]", b"{}", b'{"agreement":{},"signatures":[]}', b"[" * 200_000, b" " * 1_048_577],
)
def test_what_is_no_signed_agreement_is_a_problem(data: bytes) -> None:
    found = from_bytes(data)
    assert isinstance(found, Problem)
    assert tell(found, "ja")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"format":"amagasa-agreement-1"', '"format":"other"', "AMG-AGREEMENT-FORMAT"),
        ('"ceiling":"amber"', '"ceiling":"pink"', "AMG-AGREEMENT-FORM"),
        ('"consent":"automatic"', '"consent":"never"', "AMG-AGREEMENT-FORM"),
        ('"valid_from":"2026', '"valid_from":"x026', "AMG-AGREEMENT-WORD"),
        ('"version":1', '"version":0', "AMG-AGREEMENT-VERSION"),
        ('"version":1', '"version":99999999999999999999', "AMG-AGREEMENT-FORM"),
        ('"title":', '"titel":', "AMG-AGREEMENT-FORM"),
        ('"signed_at":"2026', '"signed_at":"0000', "AMG-AGREEMENT-WORD"),
        ('"signatures":[', '"signatures":[null,', "AMG-AGREEMENT-FORM"),
    ],
)
def test_file_with_another_word_is_a_problem_with_its_code(old: str, new: str, code: str) -> None:
    found = from_bytes(to_bytes(both_signed()).decode().replace(old, new, 1).encode())
    assert isinstance(found, Problem)
    assert found.code in {code, "AMG-AGREEMENT-VERSION"}


def test_signature_covers_canonical_json_with_name_and_instant() -> None:
    message = json.loads(signed_bytes(drafted(), japan().id, SIGNED_AT))
    assert sorted(message) == ["agreement", "party", "signed_at"]
    assert message["signed_at"] == "2026-10-20T08:30:00.123Z"
    assert len(base64.urlsafe_b64decode(both_signed().signatures[0].value + "==")) == 64


def test_card_reads_back_and_junk_is_a_problem() -> None:
    assert parse_card(card_bytes(japan())) == japan()
    for data in (b"", b"\xff", b"[]", b'{"id": 1}', card_bytes(japan()).replace(b'"name"', b'"nam"')):
        assert isinstance(parse_card(data), Problem)


def test_two_cards_of_one_name_differ_in_nothing_secret() -> None:
    assert card("日本", THIRD_ID, "JP").key == japan().key

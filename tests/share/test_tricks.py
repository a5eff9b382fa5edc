"""The corpus of tricks, and texts made at random that name what is hidden: nothing of it leaves, however spelled."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.agreement import Agreement
from amagasa.share.known import Known
from amagasa.share.release import release
from amagasa.share.terms import Coarse, Generalise
from amagasa.share.verdict import Release, Released, Withheld
from tests.share.samples import NOW, SECRET, SIGHTING_ID, STATES, agreement, clause, indicator, sighting

CASES = yaml.safe_load((Path(__file__).parent / "tricks" / "tricks.yml").read_text(encoding="utf-8"))


def out(obj: dict[str, Any], terms: Agreement, **known: Any) -> Release:
    return release(obj, STATES, terms, now=NOW, secret=SECRET, known=Known(**known))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_trick_tells_nothing(case: dict[str, Any]) -> None:
    changes = case.get("clause", {})
    coarse = msgspec.convert(changes.get("generalise", []), type=tuple[Generalise, ...])
    lists = {name: tuple(paths) for name, paths in changes.items()} | {"generalise": coarse}
    answer = out(sighting(**case["object"]), agreement(clause(**lists)), withheld=frozenset(case.get("withheld", ())))
    if case["expect"] != "released":
        assert isinstance(answer, Withheld)
        assert answer.code == case["expect"]
        return
    assert isinstance(answer, Released), answer
    text = json.dumps(json.loads(answer.content), ensure_ascii=False)
    assert case["secret"]
    for secret in case["secret"]:
        assert secret.lower() not in text.lower()
        assert json.dumps(secret)[1:-1] not in text


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def escapes(text: str) -> str:
    return "".join(f"\\u{ord(one):04x}" for one in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "percent": percent,
    "half percent": lambda text: quote(text[:2]) + percent(text[2:]),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 inside": lambda text: base64.b64encode(b"xy=" + text.encode() + b"&z").decode(),
    "base64 shifted": lambda text: base64.b64encode(b"xy" + text.encode() + b"&z").decode(),
    "base64 url": lambda text: base64.urlsafe_b64encode(b"~?" + text.encode()).decode(),
    "utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex colons": lambda text: text.encode().hex(":"),
    "reversed": lambda text: text[::-1],
    "escapes": escapes,
    "escaped escapes": lambda text: escapes(escapes(text)),
    "html": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "soft hyphens": "\u00ad".join,
}
HOSTS = st.from_regex(r"[a-z]{3,8}[0-9]{2}\.[a-z]{4,9}\.example", fullmatch=True)
WHERE = st.sampled_from(["description", "labels", "x_inner", "x_key", "extensions"])


def put(where: str, text: str) -> dict[str, Any]:
    inner = {"extension_type": "property-extension", "deep": [{"er": text}]}
    made: dict[str, dict[str, Any]] = {
        "description": {"description": f"It struck {text}, twice."},
        "labels": {"labels": ["kept", f"at:{text}"]},
        "x_inner": {"x_inner": {"a": [{"b": text}]}},
        "x_key": {"x_key": {text: 1, "kept": 2}},
        "extensions": {"extensions": {"extension-definition--4c3f7a51-9031-4e4f-9d9d-508d4dafce04": inner}},
    }
    return made[where]


@settings(max_examples=300, deadline=None)
@given(
    host=HOSTS,
    spelling=st.sampled_from(sorted(SPELLINGS)),
    where=WHERE,
    how=st.sampled_from(["strip", "pseudonymise", "role", "granular"]),
)
def test_hidden_value_leaves_in_no_spelling(host: str, spelling: str, where: str, how: str) -> None:
    written = SPELLINGS[spelling](host)
    red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
    terms = {
        "strip": clause(strip=("x_host",)),
        "pseudonymise": clause(pseudonymise=("x_host",)),
        "role": clause(generalise=(Generalise(path="x_host", to=Coarse.ROLE),)),
        "granular": clause(),
    }[how]
    marked = {"granular_markings": [{"marking_ref": red, "selectors": ["x_host"]}]} if how == "granular" else {}
    answer = out(sighting(x_host=host, **put(where, written), **marked), agreement(terms))
    assert isinstance(answer, Released)
    text = answer.content.decode()
    assert host not in text
    assert json.dumps(written, ensure_ascii=False)[1:-1] not in text


@settings(max_examples=200, deadline=None)
@given(value=st.text(max_size=30), description=st.text(max_size=60))
def test_nothing_raises_whatever_is_hidden_beside_whatever_text(value: str, description: str) -> None:
    answer = out(sighting(x_host=value, description=description), agreement(clause(strip=("x_host",))))
    assert isinstance(answer, Released | Withheld)


@settings(max_examples=100, deadline=None)
@given(host=HOSTS)
def test_text_that_names_nothing_hidden_is_kept(host: str) -> None:
    terms = agreement(clause(strip=("x_host",)))
    answer = out(sighting(x_host=host, description="Brute force from outside"), terms)
    assert isinstance(answer, Released)
    assert json.loads(answer.content)["description"] == "Brute force from outside"


def test_pattern_that_names_what_is_hidden_keeps_the_indicator() -> None:
    answer = out(indicator(x_address="203.0.113.5"), agreement(clause(strip=("x_address",))))
    assert isinstance(answer, Withheld)
    assert answer.code == "AMG-SHARE-NAMED"


def test_reminted_identifier_is_the_same_wherever_it_stands_and_another_under_another_agreement() -> None:
    terms = agreement(clause(objects=("indicator",), is_reminted=True), clause(id="seen", objects=("sighting",)))
    made, seen = out(indicator(), terms), out(sighting(), terms)
    other = out(indicator(), replace(terms, id="another"))
    assert isinstance(made, Released)
    assert isinstance(seen, Released)
    assert isinstance(other, Released)
    assert json.loads(seen.content)["sighting_of_ref"] == made.object_id != indicator()["id"]
    assert other.object_id != made.object_id
    assert json.loads(seen.content)["id"] == SIGHTING_ID


def test_identifier_of_an_allys_object_is_never_replaced() -> None:
    terms = agreement(clause(objects=("indicator", "sighting"), is_reminted=True))
    answer = out(sighting(), terms, foreign=frozenset([indicator()["id"]]))
    assert isinstance(answer, Released)
    assert json.loads(answer.content)["sighting_of_ref"] == indicator()["id"]
    assert answer.object_id != SIGHTING_ID


def test_pseudonyms_last_for_a_rotation_and_the_ally_can_correlate_within_it() -> None:
    terms = replace(agreement(clause(pseudonymise=("x_host",))), rotate_days=30)

    def token(days: int) -> str:
        answer = release(
            sighting(x_host="dc01"),
            STATES,
            terms,
            now=NOW.replace(day=1).__class__.fromtimestamp(days * 86_400, NOW.tzinfo),
            secret=SECRET,
        )
        assert isinstance(answer, Released)
        return str(json.loads(answer.content)["x_host"])

    assert token(20_760) == token(20_789) != token(20_790)


@pytest.mark.parametrize("host", ["www.mil.example", "mail.mil.example"])
def test_short_name_that_is_a_word_is_no_trace_of_a_host(host: str) -> None:
    text = "mail came in, and www was slow"
    answer = out(sighting(x_host=host, description=text), agreement(clause(strip=("x_host",))))
    assert isinstance(answer, Released)
    assert json.loads(answer.content)["description"] == text

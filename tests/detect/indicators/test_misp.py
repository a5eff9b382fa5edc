"""MISP events: which attributes become indicators, of what kind, and what is passed over."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.misp import UNFLAGGED_CONFIDENCE, indicators_of, is_misp

UUID: Final = "5a539660-c628-4a9c-9535-2fc50a016219"


def attribute(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "value": value,
        "uuid": UUID,
        "to_ids": True,
        "timestamp": "1515427424",
        "deleted": False,
    } | more


def event(*attributes: Any, **more: Any) -> dict[str, Any]:
    return {"Event": {"info": "Campaign X", "date": "2018-01-08", "Attribute": list(attributes)} | more}


@pytest.mark.parametrize(
    ("kind", "value", "pattern"),
    [
        ("ip-dst", "198.51.100.7", "[ipv4-addr:value = '198.51.100.7']"),
        ("ip-src", "2001:db8::7", "[ipv6-addr:value = '2001:db8::7']"),
        ("ip-dst|port", "198.51.100.7|443", "[ipv4-addr:value = '198.51.100.7']"),
        ("domain", "evil[.]example", "[domain-name:value = 'evil.example']"),
        ("domain|ip", "evil.example|198.51.100.7", "[domain-name:value = 'evil.example']"),
        ("hostname", "www.evil.example", "[domain-name:value = 'www.evil.example']"),
        ("url", "hxxp://evil.example/a'b", "[url:value = 'http://evil.example/a\\'b']"),
        ("md5", "AB" * 16, f"[file:hashes.'MD5' = '{'AB' * 16}']"),
        ("filename|sha1", f"a.dll|{'ab' * 20}", f"[file:hashes.'SHA-1' = '{'ab' * 20}']"),
        ("filename", "evil.dll", "[file:name = 'evil.dll']"),
        ("filename", "C:\\Temp\\evil.dll", "[file:path = 'C:\\\\Temp\\\\evil.dll']"),
        ("email-src", "boss@evil.example", "[email-addr:value = 'boss@evil.example']"),
        ("regkey", "HKLM\\Software\\Evil", "[windows-registry-key:key = 'HKLM\\\\Software\\\\Evil']"),
    ],
)
def test_indicators_of_attribute_are_patterns_that_compile(kind: str, value: str, pattern: str) -> None:
    read = indicators_of(event(attribute(kind, value)))
    (one,) = read.indicators
    assert (one["pattern"], one["id"], read.faults) == (pattern, f"indicator--{UUID}", ())
    assert one["name"] == f"{value}: Campaign X"
    compiled, faults = compile_indicators(read.indicators)
    assert faults == ()
    (indicator,) = compiled.indicators
    assert (indicator.first_day, indicator.last_day) == (17_539, 17_539)


def test_indicators_of_unflagged_event_are_what_names_one_thing_with_low_confidence() -> None:
    attributes = [
        attribute(kind, value, to_ids=False) for kind, value in (("ip-dst", "198.51.100.7"), ("filename", "a"))
    ]
    read = indicators_of(event(*attributes))
    assert [(one["pattern"], one["confidence"]) for one in read.indicators] == [
        ("[ipv4-addr:value = '198.51.100.7']", UNFLAGGED_CONFIDENCE)
    ]
    assert read.n_passed_over == 1


def test_indicators_of_flagged_event_are_the_flagged_ones() -> None:
    read = indicators_of(event(attribute("ip-dst", "198.51.100.7"), attribute("ip-dst", "198.51.100.8", to_ids=False)))
    assert [one["pattern"] for one in read.indicators] == ["[ipv4-addr:value = '198.51.100.7']"]
    assert (read.n_passed_over, "confidence" in read.indicators[0]) == (1, False)


def test_indicators_of_objects_are_taken_and_deleted_ones_are_not() -> None:
    held = [{"Attribute": [attribute("md5", "ab" * 16)]}, {"deleted": True, "Attribute": [attribute("md5", "cd" * 16)]}]
    read = indicators_of(event(attribute("ip-dst", "198.51.100.8", deleted=True), Object=held))
    assert [one["pattern"] for one in read.indicators] == [f"[file:hashes.'MD5' = '{'ab' * 16}']"]


def test_indicators_of_kinds_which_no_record_shows_are_passed_over() -> None:
    read = indicators_of(event(attribute("btc", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"), attribute("mutex", "m")))
    assert (read.indicators, read.faults, read.n_passed_over) == ((), (), 2)


def test_indicators_of_attribute_without_a_value_is_a_fault() -> None:
    read = indicators_of(event(attribute("ip-dst", None)))
    assert (read.indicators, len(read.faults)) == ((), 1)


@pytest.mark.parametrize(
    "wrap", [lambda one: one, lambda one: {"response": [one]}, lambda one: [one], lambda one: {"response": one}]
)
def test_is_misp_knows_each_form_of_export(wrap: Any) -> None:
    document = wrap(event(attribute("ip-dst", "198.51.100.7")))
    assert is_misp(document)
    assert len(indicators_of(document).indicators) == 1


@pytest.mark.parametrize(
    "document", [None, 3, "x", [], {}, {"type": "bundle", "objects": []}, {"Event": 3}, [{"Event": None}]]
)
def test_is_misp_nothing_else(document: Any) -> None:
    assert not is_misp(document)


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
KEYS: Final = st.sampled_from(
    ["type", "value", "uuid", "to_ids", "timestamp", "deleted", "first_seen", "Tag", "Attribute"]
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=8), max_size=4), JSON, JSON)
def test_indicators_of_any_event_accounts_for_each_attribute(attributes: list[Any], info: Any, held: Any) -> None:
    whole = [attribute("ip-dst", "198.51.100.7") | one for one in attributes]
    read = indicators_of(event(*whole, info=info, date=info, Object=held))
    kept = [one for one in whole if one.get("deleted") is not True]
    assert len(read.indicators) + len(read.faults) + read.n_passed_over >= len(kept)
    compile_indicators(read.indicators)

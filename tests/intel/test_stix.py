"""Shape of STIX objects: what is refused, what passes, and that nothing makes the judge raise."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.intel.stix import MAX_OBJECT_BYTES, check_object, instant_of, parse_object

SOUND: dict[str, Any] = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": "indicator--5b408962-a142-4f50-8eae-619e5eb0df05",
    "created": "2026-11-23T10:00:00.000Z",
    "modified": "2026-11-23T10:00:00.000Z",
    "pattern": "[ipv4-addr:value = '203.0.113.5']",
    "pattern_type": "stix",
    "valid_from": "2026-11-23T10:00:00Z",
}
ADDRESS: dict[str, Any] = {
    "type": "ipv4-addr",
    "id": "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd",
    "value": "198.51.100.3",
}


def test_sound_objects_pass() -> None:
    assert check_object(SOUND) is None
    assert check_object(ADDRESS) is None
    assert check_object({**SOUND, "x_unknown": {"any": [1, 2.5, None, "é"]}}) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"type": None}, "type is missing or no STIX type"),
        ({"type": "Indicator"}, "type is missing or no STIX type"),
        ({"type": "x" * 300}, "type is missing or no STIX type"),
        ({"type": "bundle"}, "a bundle is no object: send what it holds"),
        ({"type": "sighting"}, "id and type disagree: indicator--5b408962-a142-4f50-8eae-619e5eb0df05 is no sighting"),
        ({"id": "indicator--5B408962-A142-4F50-8EAE-619E5EB0DF05"}, "id is missing or not type--UUID"),
        ({"id": 7}, "id is missing or not type--UUID"),
        ({"spec_version": "2.0"}, "spec_version is not 2.1"),
        ({"created": "2026-11-23T10:00:00+09:00"}, "created is not an instant as RFC 3339 in UTC"),
        ({"created": "2026-02-30T10:00:00Z"}, "created is not an instant as RFC 3339 in UTC"),
        ({"modified": "2026-11-23T09:59:59.999Z"}, "modified is before created"),
        ({"valid_until": "2026-11-23T10:00:00Z"}, "valid_until is valid_from"),
        ({"pattern": 5}, "pattern is not text"),
        ({"confidence": 101}, "confidence is not an integer from 0 to 100"),
        ({"confidence": True}, "confidence is not an integer from 0 to 100"),
        ({"revoked": "yes"}, "revoked is not true or false"),
        ({"labels": []}, "labels is not a list of texts, not empty"),
        ({"created_by_ref": "tool--5b408962-a142-4f50-8eae-619e5eb0df05"}, "created_by_ref is not"),
        ({"object_marking_refs": ["red"]}, "object_marking_refs is not"),
        ({"object_marking_refs": []}, "object_marking_refs is not"),
        ({"granular_markings": [{"selectors": ["name"]}]}, "granular_markings is not"),
        ({"granular_markings": [{"marking_ref": 5, "selectors": ["name"]}]}, "granular_markings is not"),
        ({"extensions": {}}, "extensions is not"),
        ({"extensions": {"a": []}}, "extensions is not"),
        ({"x": float("nan")}, "a number is not finite"),
        ({"x": 2**53}, "an integer is beyond 2**53 - 1"),
        ({"x": "\udc80"}, "a text holds half a surrogate pair"),
        ({"\ud800": 1}, "a property's name is not Unicode text"),
        ({"x": (1,)}, "a value is of no JSON type"),
        ({"x": ["y"] * 20_001}, "the object holds more than 20000 values"),
        ({"x": "y" * MAX_OBJECT_BYTES}, "the object is larger than 262144 bytes"),
    ],
)
def test_unsound_object_is_named_by_its_fault(changes: dict[Any, Any], problem: str) -> None:
    assert (check_object(SOUND | changes) or "").startswith(problem)


@pytest.mark.parametrize("name", ["created", "modified", "pattern", "pattern_type", "valid_from"])
def test_missing_property_is_named(name: str) -> None:
    assert check_object({key: value for key, value in SOUND.items() if key != name}) == f"{name} is missing"


def test_nesting_beyond_the_limit_is_refused_without_recursion() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = {"a": deep}
    assert check_object(SOUND | {"x": deep}) == "the object is nested deeper than 24"
    data = json.dumps(SOUND)[:-1].encode() + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert "JSON" in str(parse_object(data)) or "nested" in str(parse_object(data))


def test_bytes_become_the_object_with_all_its_properties() -> None:
    odd = SOUND | {"x_odd": {"kept": True}}
    assert parse_object(json.dumps(odd).encode()) == odd


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"null", b"[]", b'{"type": "\\ud800"}', b"x" * 300_000])
def test_bytes_that_are_no_object_are_answered_in_words(data: bytes) -> None:
    assert isinstance(parse_object(data), str)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert isinstance(parse_object(data), str | dict)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300)
@given(st.sampled_from([*SOUND, "labels", "extensions", "granular_markings", "count", "x"]), VALUES)
def test_any_value_anywhere_is_judged_without_raising(name: str, value: Any) -> None:
    obj = {**copy.deepcopy(SOUND), name: value}
    if check_object(obj) is None:
        assert parse_object(msgspec.json.encode(obj)) == obj


@given(st.text(max_size=30))
def test_any_text_is_an_instant_or_not(text: str) -> None:
    found = instant_of(text)
    assert found is None or found.tzinfo is not None

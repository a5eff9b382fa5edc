"""Paths, selectors and stand-ins by themselves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.share.redact import (
    is_path,
    is_protected,
    place_of_selector,
    places_at,
    pseudonym_of,
    redact,
    selector_of,
)
from tests.share.samples import SECRET, SOUND_VALUES, STATES_ID, THIRD_ID

OBJ: dict[str, Any] = {
    "name": "n",
    "labels": ["a", "b", "c"],
    "deep": [{"x": 1, "y": {"z": 2}}, [{"x": 3}], "text"],
    "map": {"one": {"x": 4}, "two": {"y": 5}},
}


@pytest.mark.parametrize(
    ("path", "selectors"),
    [
        ("name", {"name"}),
        ("labels", {"labels"}),
        ("labels.*", {"labels.[0]", "labels.[1]", "labels.[2]"}),
        ("deep.x", {"deep.[0].x", "deep.[1].[0].x"}),
        ("deep.*.x", {"deep.[0].x", "deep.[1].[0].x"}),
        ("map.*.x", {"map.one.x"}),
        ("map.*.*", {"map.one.x", "map.two.y"}),
        ("deep.*.y.z", {"deep.[0].y.z"}),
        ("nowhere.x", set()),
        ("name.x", set()),
    ],
)
def test_path_names_its_places(path: str, selectors: set[str]) -> None:
    assert {selector_of(place) for place in places_at(OBJ, path)} == selectors


@pytest.mark.parametrize(
    ("selector", "place"),
    [
        ("labels.[1]", ("labels", 1)),
        ("map.one.x", ("map", "one", "x")),
        ("labels.[3]", None),
        ("labels.1", None),
        ("name.[0]", None),
        ("map.[0]", None),
        ("", None),
        ("labels.[-1]", None),
        ("labels.[99999999999999999999]", None),
    ],
)
def test_selector_names_one_place_or_none(selector: str, place: Any) -> None:
    assert place_of_selector(OBJ, selector) == place


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a b", "a.[0]", "x" * 251, ".".join("a" * 17), "é"])
def test_what_is_no_path_is_refused(text: str) -> None:
    assert not is_path(text)


def test_identity_markings_and_extension_type_are_protected() -> None:
    for place in ((), ("id",), ("x", 0, "object_marking_refs"), ("extensions", "e", "extension_type")):
        assert is_protected(place)
    assert not is_protected(("extensions", "e", "severity"))


def test_place_both_stripped_and_replaced_is_only_stripped() -> None:
    left = redact(OBJ, strip={("labels",)}, pseudonymise={("labels", 0), ("name",)}, secret=SECRET, ally=STATES_ID)
    assert (left.stripped, left.pseudonymised) == (("labels",), ("name",))


def test_stand_in_differs_by_ally_value_and_kind() -> None:
    made = {pseudonym_of(value, secret=SECRET, ally=ally) for value in ("1", 1, True, "") for ally in ("a", "b")}
    assert len(made) == 8
    assert pseudonym_of(THIRD_ID, secret=SECRET, ally="a").startswith("identity--")


@given(SOUND_VALUES, st.sampled_from(["x", "x.*", "x.*.value", "x.value", "x.url.*"]))
def test_stripping_leaves_nothing_there_and_no_empty_container(value: Any, path: str) -> None:
    obj = {"x": value, "kept": 1}
    left = redact(obj, strip=places_at(obj, path), pseudonymise=(), secret=SECRET, ally=STATES_ID).value
    assert places_at(left, path) == set()
    assert left["kept"] == 1
    assert not _empties(left)


def _empties(value: Any) -> bool:
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        return not inner or any(_empties(one) for one in inner)
    return False

"""Markings: strictest wins, and what cannot be read counts as stricter than all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.intel.marking import granular_marking, marking_definition, marking_of, whole_marking
from amagasa.vocab.tlp import Tlp

STATEMENT = "marking-definition--4c3f7a51-9031-4e4f-9d9d-508d4dafce04"


def refs(*tlps: Tlp) -> dict[str, Any]:
    return {"object_marking_refs": [tlp.marking_id for tlp in tlps]}


def part(tlp: Tlp) -> dict[str, Any]:
    return {"granular_markings": [{"marking_ref": tlp.marking_id, "selectors": ["name"]}]}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ({}, None),
        (refs(Tlp.CLEAR), Tlp.CLEAR),
        (refs(Tlp.CLEAR, Tlp.AMBER_STRICT, Tlp.GREEN), Tlp.AMBER_STRICT),
        (refs(Tlp.GREEN) | part(Tlp.AMBER), Tlp.AMBER),
        (refs(Tlp.AMBER) | part(Tlp.CLEAR), Tlp.AMBER),
        (refs(Tlp.CLEAR) | {"x": [{"y": refs(Tlp.AMBER)}]}, Tlp.AMBER),
        (refs(Tlp.CLEAR) | {"x": part(Tlp.AMBER)}, Tlp.AMBER),
        ({"object_marking_refs": [STATEMENT]}, Tlp.RED),
        ({"object_marking_refs": "tlp:clear"}, Tlp.RED),
        ({"granular_markings": [5]}, Tlp.RED),
        ({"granular_markings": [{"selectors": ["name"]}]}, Tlp.RED),
        ({"granular_markings": [{"lang": "ja", "selectors": ["name"]}]}, None),
    ],
)
def test_strictest_marking_wins(obj: Any, expected: Tlp | None) -> None:
    assert marking_of(obj) is expected


def test_part_and_whole_are_told_apart() -> None:
    obj = refs(Tlp.GREEN) | part(Tlp.AMBER)
    assert whole_marking(obj).tlp is Tlp.GREEN
    assert granular_marking(obj).tlp is Tlp.AMBER


def test_definition_of_each_level_names_its_identifier() -> None:
    for tlp in Tlp:
        made = marking_definition(tlp)
        assert made["id"] == tlp.marking_id
        assert next(iter(made["extensions"].values()))["tlp_2_0"] == tlp.word


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from([tlp.marking_id for tlp in Tlp]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["object_marking_refs", "granular_markings", "marking_ref", "x"]), inner, max_size=3
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON)
def test_nesting_more_never_lowers_a_marking(outer: Any, inner: Any) -> None:
    alone = marking_of({"x": inner})
    together = marking_of({"x": inner, "y": outer})
    assert alone is None or (together is not None and together >= alone)

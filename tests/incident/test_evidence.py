from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from amagasa.incident.evidence import MAPPING_CHARACTERS, kept
from amagasa.incident.fold import fold
from tests.incident.samples import NOW, address, found

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=9000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=300), inner, max_size=5),
    max_leaves=12,
)


def size_of(value: object) -> int:
    return len(msgspec.json.encode(value))


def test_evidence_of_an_ordinary_record_is_kept_as_it_is() -> None:
    one = found(0, event={"a": "b", "n": 1, "list": ["x", {"y": [None, True]}]}, raw="line")
    assert kept(one) is one


def test_evidence_of_a_huge_value_is_cut() -> None:
    one = kept(found(0, event={"a": "x" * 1_000_000, "b": "y"}, raw="z" * 1_000_000))
    assert len(one.event["a"]) == len(one.raw) == 4096
    assert one.event["a"].endswith("x…")
    assert one.event["b"] == "y"


def test_evidence_of_many_fields_says_how_many_are_left_out() -> None:
    one = kept(found(0, event={f"field{n}": "x" * 1000 for n in range(1000)}))
    assert one.event["…"] == f"{1000 - (len(one.event) - 1)} fields more, see the record"
    assert len(one.event) > 20


def test_evidence_nested_without_end_is_cut() -> None:
    nested: Any = "x"
    for _ in range(5_000):
        nested = [nested]
    one = kept(found(0, event={"a": nested, "b": {"c": ["y" * 10_000] * 100}, "n": 10**30_000}))
    assert size_of(one.event["a"]) < 100
    assert size_of(one.event["b"]) < 10_000
    assert one.event["n"] == "…"


@given(st.dictionaries(st.text(max_size=400), VALUES, max_size=30))
def test_evidence_is_bounded_and_what_is_small_is_whole(event: dict[str, Any]) -> None:
    one = kept(found(0, event=event))
    assert sum(len(str(name)) + len(str(value)) for name, value in one.event.items()) < 12 * MAPPING_CHARACTERS
    if size_of(event) < 250:
        assert one.event == event


def test_alert_of_huge_records_stays_small() -> None:
    event = {f"field{n}": "x" * 9000 for n in range(100)}
    (alert,) = fold([found(n, address("203.0.113.9"), event=event) for n in range(9)], [], source="web", now=NOW)
    assert size_of(alert) < 250_000

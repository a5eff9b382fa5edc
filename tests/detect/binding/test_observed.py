"""Observed-data read as observations. What their objects satisfy is tested in test_match."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.binding.observed import read_observed, select
from amagasa.detect.stix.pattern import Index

SEEN: dict[str, Any] = {
    "type": "observed-data",
    "id": "observed-data--1",
    "first_observed": "1970-01-01T00:00:01.5Z",
    "last_observed": "1970-01-01T00:00:02.000000999Z",
    "number_observed": 3,
}


def test_read_observed_gives_times_in_microseconds_and_objects_by_type() -> None:
    (one,), faults = read_observed([SEEN | {"objects": {"0": {"type": "url", "value": "x"}, "1": {"type": "url"}}}])
    assert faults == ()
    assert (one.first_us, one.last_us, one.n_observed) == (1_500_000, 2_000_000, 3)
    assert [len(ones) for ones in one.by_type.values()] == [2]


def test_read_observed_references_win_over_deprecated_objects() -> None:
    url = {"type": "url", "id": "url--1", "value": "x"}
    (one,), _ = read_observed([SEEN | {"object_refs": ["url--1", "url--2", 5], "objects": {}}, url])
    assert dict(one.objects) == {"url--1": url}


def test_read_observed_drafts_of_stix_2_0_are_read() -> None:
    (one,), faults = read_observed([SEEN | {"type": "cybox-container", "objects": {"0": {"type": "url"}}}])
    assert (one.n_observed, faults) == (3, ())


def test_read_observed_faults_name_the_object() -> None:
    read, faults = read_observed([SEEN | {"number_observed": -1, "objects": {}}, {"type": "bundle", "objects": 7}])
    assert read == ()
    assert "observed-data--1: number_observed" in faults[1]
    assert "no STIX object: 7" in faults[0]


def test_select_too_many_values_is_a_reason() -> None:
    one = {"type": "x", "v": [list(range(1_100)) for _ in range(1_000)]}
    assert "more than" in str(select(one, ("v", Index(None), Index(None)), {}))


@given(
    st.lists(st.dictionaries(st.sampled_from([*SEEN, "objects", "object_refs"]), st.none() | st.text() | st.integers()))
)
def test_read_observed_counts_each_observation_once_as_read_or_as_fault(values: list[dict[str, Any]]) -> None:
    whole = [SEEN | value for value in values]
    read, faults = read_observed(whole)
    n_seen = sum(one["type"] == "observed-data" or "objects" in one for one in whole if isinstance(one["type"], str))
    n_strange = sum(not isinstance(one["type"], str) for one in whole)
    assert len(read) + len(faults) == n_seen + n_strange

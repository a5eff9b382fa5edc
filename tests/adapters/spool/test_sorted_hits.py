"""Hits come back in the order of their time, from memory and from disk alike."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.spool.sorted_hits import SortedHits
from amagasa.detect.correlation.hit import Hit
from amagasa.vocab.errors import WorldError

HITS = st.builds(
    Hit,
    st.none() | st.integers(0, 50),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x.log", "y.log"]),
    st.integers(1, 9),
    st.just(""),
    st.dictionaries(st.sampled_from(["user", "host"]), st.text(max_size=3), max_size=2),
    st.just("web01"),
    st.text(max_size=5),
)


@given(st.lists(st.lists(HITS, max_size=5), max_size=12), st.integers(1, 20))
def test_hits_come_back_all_and_in_order_however_few_memory_holds(parts: list[list[Hit]], in_memory: int) -> None:
    with SortedHits(in_memory=in_memory) as hits:
        for part in parts:
            hits.add(part)
        found = list(hits.ordered())
    everything = [hit for part in parts for hit in part]
    assert [hit.place for hit in found] == sorted(hit.place for hit in everything)
    assert sorted(map(repr, found)) == sorted(map(repr, everything))


def test_disk_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with SortedHits(in_memory=1) as hits, pytest.raises(WorldError, match="AMG-SPOOL"):
        hits.add([Hit(1, "a", "x", 1, "", {}, "", "")])

"""Indicators added to a set find what they would have found had they been compiled together with it."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import joined
from amagasa.detect.indicators.looking import evaluate_indicators
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from amagasa.vocab.ids import stable_id

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ADDRESSES = ("198.51.100.23", "198.51.100.24", "203.0.113.9", "2001:db8::5")
PATTERNS = (
    *(f"[ipv4-addr:value = '{address}']" for address in ADDRESSES[:3]),
    "[ipv6-addr:value = '2001:db8::5']",
    "[ipv4-addr:value = '198.51.100.0/24']",
    "[ipv4-addr:value = '203.0.113.0/24']",
    "[ipv6-addr:value = '2001:db8::/32']",
    "[url:value LIKE '%/admin%']",
    "[ipv4-addr:value = '198.51.100.23' AND url:value LIKE '%/a%']",
)
LINES = "".join(
    f'{address} - - [23/Nov/2026:12:00:00 +0900] "GET {path} HTTP/1.1" 200 12 "-" "Agent/1.0"\n'
    for address in ADDRESSES
    for path in ("/a/b", "/admin/list")
)


def indicator(number: int, pattern: str) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": stable_id("indicator", str(number), pattern),
        "name": f"Known bad {number}",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
    }


def found(indicators: IndicatorSet) -> list[tuple[int, str, str]]:
    chunk = Chunk(path="log", format=Format.ACCESS, first_record=1, data=LINES.encode(), read_at=NOW)
    return sorted(
        (one.record, one.indicator_id or "", repr(sorted(one.fields)))
        for batch in normalise(chunk, indicators.wanted).batches
        for one in evaluate_indicators(batch, indicators, now=NOW).detections
    )


@given(parts=st.lists(st.lists(st.sampled_from(PATTERNS), max_size=4), min_size=1, max_size=4))
def test_joined_any_parts_find_what_they_find_together(parts: list[list[str]]) -> None:
    numbered = [
        [indicator(100 * index + number, pattern) for number, pattern in enumerate(part)]
        for index, part in enumerate(parts)
    ]
    whole, _ = compile_indicators([one for part in numbered for one in part])
    grown = IndicatorSet()
    for part in numbered:
        grown = joined(grown, compile_indicators(part)[0])
    assert found(grown) == found(whole)
    assert [one.id for one in grown.indicators] == [one.id for one in whole.indicators]
    assert grown.used == whole.used


def test_joined_leaves_the_first_set_as_it_was() -> None:
    held, _ = compile_indicators([indicator(1, PATTERNS[0]), indicator(2, PATTERNS[4])])
    before = found(held)
    more = joined(held, compile_indicators([indicator(3, PATTERNS[0]), indicator(4, PATTERNS[4])])[0])
    assert found(held) == before
    assert len(found(more)) == 2 * len(before)

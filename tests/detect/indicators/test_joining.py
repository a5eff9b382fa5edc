"""A set that grows, shrinks and changes finds at every moment what a set compiled from what counts then would find."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from amagasa.detect.indicators import joining
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import joined, settled, with_lists
from amagasa.detect.indicators.looking import evaluate_indicators
from amagasa.detect.indicators.table import Table
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
    "[ipv4-addr:value IN ('198.51.100.23', '203.0.113.0/24')]",
    "[url:value = '/admin/list']",
    "[url:value LIKE '%/admin%']",
    "[ipv4-addr:value = '198.51.100.23' AND ipv4-addr:value LIKE '1%']",
)
LINES = "".join(
    f'{address} - - [23/Nov/2026:12:00:00 +0900] "GET {path} HTTP/1.1" 200 12 "-" "Agent/1.0"\n'
    for address in ADDRESSES
    for path in ("/a/b", "/admin/list")
)
Objects = dict[int, dict[str, Any]]


def indicator(number: int, pattern: str) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": stable_id("indicator", str(number)),
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


def compiled(objects: Objects) -> IndicatorSet:
    indicators, faults = compile_indicators(objects.values())
    assert faults == ()
    return indicators


def listed(*values: str) -> Table:
    flat = FlatList("list")
    flat.add_values(values, 1)
    return Table(b"".join(flat.pieces()))


class Changing(RuleBasedStateMachine):
    """Indicators come, change and go; now and then dictionaries become tables and tables one table."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Objects = {}
        self.held = IndicatorSet()
        self.lists: tuple[str, ...] = ()

    @rule(numbers=st.lists(st.integers(0, 9), max_size=4, unique=True), data=st.data())
    def put(self, numbers: list[int], data: st.DataObject) -> None:
        new = {number: indicator(number, data.draw(st.sampled_from(PATTERNS))) for number in numbers}
        self.model |= new
        self.held = joined(self.held, compiled(new))

    @rule(numbers=st.lists(st.integers(0, 12), max_size=4, unique=True))
    def remove(self, numbers: list[int]) -> None:
        for number in numbers:
            self.model.pop(number, None)
        self.held = joined(self.held, IndicatorSet(), [stable_id("indicator", str(number)) for number in numbers])

    @rule(values=st.lists(st.sampled_from(ADDRESSES), max_size=2))
    def renew_list(self, values: list[str]) -> None:
        self.lists = tuple(values)
        self.held = with_lists(self.held, [listed(*values)])

    @rule()
    def make_a_table(self) -> None:
        self.held = joining._tabled(self.held)

    @rule(n_last=st.integers(2, 4))
    def merge_tables(self, n_last: int) -> None:
        n_reports = sum(not table.plan.about.is_listed for table in self.held.tables)
        if n_reports >= 2:
            self.held = joining._merged(self.held, min(n_last, n_reports))

    @invariant()
    def finds_what_counts(self) -> None:
        assert found(self.held) == found(with_lists(compiled(self.model), [listed(*self.lists)]))


TestChanging = Changing.TestCase
TestChanging.settings = settings(max_examples=40, stateful_step_count=30)


@given(parts=st.lists(st.lists(st.sampled_from(PATTERNS), max_size=4), min_size=1, max_size=4))
def test_joined_any_parts_find_what_they_find_together(parts: list[list[str]]) -> None:
    numbered = [
        {100 * index + number: indicator(100 * index + number, pattern) for number, pattern in enumerate(part)}
        for index, part in enumerate(parts)
    ]
    grown = IndicatorSet()
    for part in numbered:
        grown = joined(grown, compiled(part))
    whole = compiled({number: one for part in numbered for number, one in part.items()})
    assert found(grown) == found(whole)
    assert [one.id for one in grown.indicators] == [one.id for one in whole.indicators]
    assert grown.used == whole.used


def test_joined_leaves_the_first_set_as_it_was() -> None:
    held = compiled({1: indicator(1, PATTERNS[0]), 2: indicator(2, PATTERNS[4])})
    before = found(held)
    more = joined(held, compiled({3: indicator(3, PATTERNS[0]), 4: indicator(4, PATTERNS[4])}))
    less = joined(more, IndicatorSet(), [stable_id("indicator", "1")])
    assert found(held) == before
    assert len(found(more)) == 2 * len(before)
    assert len(found(less)) < len(found(more))


def test_settled_of_many_keeps_few_in_dictionaries_and_few_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAX_BESIDE", 10)
    held = IndicatorSet()
    n_all = 1_500
    for number in range(n_all):
        address = f"203.0.{number // 250}.{number % 250}"
        held = settled(joined(held, compiled({number: indicator(number, f"[ipv4-addr:value = '{address}']")})))
        assert len(held.indicators) <= 11
    assert len(held.tables) <= 30
    assert len(held.indicators) + sum(table.plan.about.tally["n_indicators"] for table in held.tables) == n_all


def test_layers_of_what_is_gone_stay_few() -> None:
    layers: Final = [joining._layered((), {})]
    for number in range(1_000):
        layers.append(joining._layered(layers[-1], {str(number): number}))
    assert len(layers[-1]) < 15
    assert sum(map(len, layers[-1])) == 1_000

"""How many speak today, counted in bulk, is what looking at one after another would say."""

from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.allowlist import Allowlist, Known
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.counting import Counted, counted, counted_beside
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.kinds import ADDRESS
from amagasa.detect.indicators.listing import Columns
from amagasa.detect.indicators.lookup import indicator_at
from amagasa.detect.indicators.policy import Named, Policy, named, word_of
from amagasa.detect.indicators.table import Table
from amagasa.detect.report import Silence
from amagasa.vocab.ids import stable_id

NOW: Final = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
POLICY: Final = Policy(
    allowlist=Allowlist(
        [
            Known(name="ours", values=("198.51.100.0/28", "ours.example")),
            Known(name="over", values=("198.51.100.64/28",), until=datetime(2026, 1, 1, tzinfo=UTC)),
            Known(name="crawler", values=("198.51.100.8", "198.51.100.32/27"), is_guard=True),
        ]
    )
)


def listed(*rows: tuple[str, str]) -> Table:
    flat = FlatList("one")
    columns = Columns(value=1, type=0, first=2, last=3, source=4)
    flat.add_rows([f"ip,{address},{day},{day}," for address, day in rows], columns, ",", first_line=2)
    return Table(b"".join(flat.pieces()))


def stix(pattern: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": stable_id("indicator", pattern),
        "pattern": pattern,
        "pattern_type": "stix",
    } | more


@given(
    st.dictionaries(
        st.integers(0, 127).map(lambda last: f"198.51.100.{last}"),
        st.sampled_from(("2020-01-01", "2026-06-01", "2026-11-20")),
        min_size=1,
        max_size=40,
    )
)
def test_counted_rows_are_those_of_which_looking_would_say_so(rows: dict[str, str]) -> None:
    table = listed(*rows.items())
    held = IndicatorSet(tables=(table,), born=(0,))
    n_aged = n_allowed = n_guarded = 0
    for row in range(table.plan.n_rows):
        indicator = indicator_at(held, 1 << 32 | row)
        met = named([(indicator, ADDRESS, table.text(row))], POLICY.allowlist)
        n_aged += word_of(Named(indicator=indicator), NOW, now=NOW, ageing=POLICY.ageing) is Silence.AGED
        n_allowed += any(one.holds(NOW) for one in met.allowed)
        n_guarded += bool(met.guards) and not met.allowed
    assert counted(table, POLICY, now=NOW) == Counted(n_aged=n_aged, n_allowed=n_allowed, n_guarded=n_guarded)


def test_counted_beside_tells_each_reason_apart() -> None:
    compiled, faults = compile_indicators(
        [
            stix("[ipv4-addr:value = '203.0.113.1']"),
            stix("[ipv4-addr:value = '203.0.113.2']", valid_until="2026-11-27T12:00:00Z"),
            stix("[ipv4-addr:value = '203.0.113.3']", valid_from="2026-11-27T12:00:01Z"),
            stix("[ipv4-addr:value = '203.0.113.4']", revoked=True),
            stix("[ipv4-addr:value = '203.0.113.5']", valid_from="2015-01-01T00:00:00Z"),
            stix("[domain-name:value = 'a.ours.example']"),
            stix("[ipv4-addr:value = '198.51.100.1'] OR [ipv4-addr:value = '203.0.113.6']"),
            stix("[ipv4-addr:value = '198.51.100.70']"),
        ]
    )
    assert faults == ()
    said = counted_beside(compiled, POLICY, now=NOW)
    assert said == Counted(n_aged=1, n_ended=1, n_coming=1, n_revoked=1, n_allowed=1)

"""Web logs with a sieve and without: what is told of listed clients, and what is counted in silence, is the same."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.sieve import Reason, key_bytes, sieve_of
from amagasa.detect.indicators.allowlist import Allowlist, Known
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import with_lists
from amagasa.detect.indicators.listing import Columns
from amagasa.detect.indicators.policy import Policy
from amagasa.detect.indicators.table import Table
from amagasa.detect.report import Silence
from amagasa.event.record import Format
from amagasa.vocab.ids import stable_id
from tests.detect.cases import chunk_of, plan_for

pytestmark = pytest.mark.skipif(not key_bytes(), reason="the native library was not built")
NOW: Final = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
LISTED: Final = [
    "198.51.100.4,2020-01-01,2020-02-01",
    "198.51.100.5,2026-11-01,2026-11-26",
    "198.51.100.6,2025-01-01,2026-04-01",
    "203.0.113.0/24,2020-01-01,2020-02-01",
    "aged.example,2018-01-01,2018-02-01",
    "fresh.example,2026-11-01,2026-11-27",
    "198.51.100.9,2026-06-01,2026-06-20",
]
PATTERNS: Final[list[dict[str, Any]]] = [
    {"pattern": "[ipv4-addr:value = '192.0.2.1']", "valid_until": "2026-11-27T22:30:00Z"},
    {"pattern": "[ipv4-addr:value = '192.0.2.2']", "valid_from": "2026-11-28T00:10:00Z"},
    {"pattern": "[ipv4-addr:value = '192.0.2.3']", "valid_until": "2020-01-01T00:00:00Z"},
    {"pattern": "[ipv4-addr:value = '198.51.100.4']", "valid_until": "2021-01-01T00:00:00Z"},
    {"pattern": "[ipv4-addr:value = '192.0.2.64/26']"},
    {
        "pattern": "[ipv4-addr:value = '198.51.100.4'] AND [domain-name:value = 'aged.example']",
        "valid_until": "2026-11-28T00:05:00Z",
    },
    {"pattern": "[url:value = 'http://aged.example/x']"},
]
KNOWN: Final = [
    Known(name="ours", values=("198.51.100.5",), until=datetime(2026, 11, 28, 0, 20, tzinfo=UTC)),
    Known(name="scanner", values=("192.0.2.70",)),
    Known(name="crawler", values=("198.51.100.6",), is_guard=True, until=datetime(2026, 11, 27, 23, 0, tzinfo=UTC)),
]
CLIENTS: Final = [
    *("198.51.100.4", "198.51.100.5", "198.51.100.6", "198.51.100.7", "203.0.113.9", "203.0.113.10"),
    *("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.65", "192.0.2.70", "10.0.0.1", "::1", "198.51.100.04"),
    *("198.51.100.9", "::ffff:198.51.100.4", "host.example", "198.51.100.4.5", "256.1.1.1"),
]
STAMPS: Final = [
    *("27/Nov/2026:21:59:00 +0000", "28/Nov/2026:00:30:00 +0000", "27/Nov/2026:23:30:00 +0530"),
    *("01/Feb/2020:10:00:00 +0000", "02/Feb/2020:00:10:00 -0800", "29/Nov/2026:08:59:59 +0900"),
    *("31/Dec/2027:10:00:00 +0000", "27/Nov/2026:24:00:00 +0000", "27/Nov/2026:21:59:99 +0000"),
    *("27/nov/2026:10:00:00 +0000", "31/Nov/2026:10:00:00 +0000", "27/Nov/2026:10:00:00 Z", "2026-11-27T10:00:00Z"),
    *("27/Nov/2026:10:00:00 +2500", "01/Jan/0001:00:00:00 +1400", "7/Nov/2026:10:00:00 +0000", "x"),
    *("20/Nov/2026:10:00:00 +0000", "27/Sep/2026:10:00:00 +0000", "28/Sep/2026:00:00:00 +0000"),
]
URIS: Final = [
    "/",
    "/a?u=http://aged.example/x",
    "/a?u=http%3A%2F%2Ffresh.example/",
    "/a?u=http%253a//aged.example",
    "/union",
    "/a?b=1:2",
    "/a%3Ab",
    "/a&#58;//x",
    "/a?u=http:\\x2f\\x2faged.example/",
]
REFERERS: Final = ["-", "http://aged.example/x", "https://fresh.example", "http://x.aged.example:80/", "x", "a:b"]
lines = st.builds(
    '{} - - [{}] "GET {} HTTP/1.1" 200 5 "{}" "Agent"'.format,
    st.sampled_from(CLIENTS),
    st.sampled_from(STAMPS),
    st.sampled_from(URIS[:1] * 6 + URIS),
    st.sampled_from(REFERERS[:1] * 6 + REFERERS),
)
later = st.sampled_from([0, 0, 600, 1_800, 3_600, 7_300, 7_800, 8_500, 90_000, -600])


def listed(*rows: str) -> Table:
    flat = FlatList("old")
    flat.add_rows(rows, Columns(value=0, first=1, last=2), ",", first_line=1)
    return Table(b"".join(flat.pieces()))


def held(rows: list[str], patterns: list[dict[str, Any]]) -> IndicatorSet:
    objects = [
        {"type": "indicator", "id": stable_id("indicator", one["pattern"]), "pattern_type": "stix"} | one
        for one in patterns
    ]
    compiled, faults = compile_indicators(objects)
    assert faults == ()
    return with_lists(compiled, [listed(*rows)] if rows else [])


def sights(rows: list[str], patterns: list[dict[str, Any]], known: list[Known]) -> tuple[Sight, Sight]:
    """With a sieve and without."""
    plan = plan_for({"s": {"cs-uri-query|contains": "union"}, "condition": "s"})
    sieve = sieve_of([plan], b"\x07" * key_bytes())
    policy, indicators = Policy(allowlist=Allowlist(known)), held(rows, patterns)
    return (
        Sight([(plan, Memo(plan))], indicators, policy=policy, sieve=sieve),
        Sight([(plan, Memo(plan))], indicators, policy=policy),
    )


def told(seen: Seen) -> tuple[Any, ...]:
    return (
        seen.n_read,
        seen.n_accepted,
        sorted((one.record, one.content_id, repr(one)) for one in seen.report.detections),
        {why: n for why, n in seen.report.silenced.items() if n},
    )


def seen_by(sight: Sight, texts: list[str], now: datetime) -> Seen:
    chunk = replace(chunk_of([text.encode() for text in texts], kind=Format.ACCESS), read_at=now)
    return look(chunk, sight, now=now)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(LISTED), unique=True),
    st.lists(st.sampled_from(PATTERNS), max_size=4, unique_by=str),
    st.lists(st.sampled_from(KNOWN), max_size=3, unique_by=str),
    st.lists(st.tuples(st.lists(lines, min_size=1, max_size=12), later), min_size=1, max_size=5),
)
@example(LISTED, PATTERNS[:1], KNOWN[:1], [([f'192.0.2.1 - - [{STAMPS[0]}] "GET / HTTP/1.1" 200 5'] * 3, 0)] * 2)
def test_look_at_web_logs_with_a_sieve_tells_and_counts_the_same(
    rows: list[str], patterns: list[dict[str, Any]], known: list[Known], chunks: list[tuple[list[str], int]]
) -> None:
    sieved, plain = sights(rows, patterns, known)
    now = NOW
    for texts, after_s in chunks:
        now += timedelta(seconds=after_s)
        for _ in range(2):
            assert told(seen_by(sieved, texts, now)) == told(seen_by(plain, texts, now))


def of(client: str, stamp: str) -> str:
    return f'{client} - - [{stamp}] "GET / HTTP/1.1" 200 5 "-" "Agent"'


def test_look_at_many_records_of_an_aged_client_counts_them_without_reading_them() -> None:
    sieved, _ = sights(LISTED, [], [])
    texts = [of("198.51.100.4", "27/Nov/2026:21:59:00 +0000"), of("10.0.0.1", "27/Nov/2026:21:59:00 +0000")] * 50
    assert sieved.sieve is not None
    sieved.rest_of(chunk_of([texts[0].encode()], kind=Format.ACCESS), now=NOW)
    rest = sieved.rest_of(chunk_of([text.encode() for text in texts], kind=Format.ACCESS), now=NOW)
    assert (rest.n_through, rest.chunk.numbers, rest.silenced) == (100, (), {Silence.AGED: 50})


def test_look_at_a_client_met_for_the_first_time_counts_from_its_first_record() -> None:
    sieved, _ = sights(LISTED, [], [])
    texts = [of("198.51.100.4", "27/Nov/2026:21:59:00 +0000")] * 5
    seen = seen_by(sieved, texts, NOW)
    assert (seen.n_read, dict(seen.report.silenced)) == (5, {Silence.AGED: 5})


def test_look_when_an_allowance_ends_speaks_again() -> None:
    sieved, _ = sights(LISTED, [], KNOWN)
    texts = [of("198.51.100.5", "27/Nov/2026:21:59:00 +0000")] * 3
    assert dict(seen_by(sieved, texts, NOW).report.silenced) == {Silence.ALLOWED: 3}
    assert dict(seen_by(sieved, texts, NOW + timedelta(minutes=139)).report.silenced) == {Silence.ALLOWED: 3}
    assert len(seen_by(sieved, texts, NOW + timedelta(minutes=140)).report.detections) == 3


def test_look_at_addresses_on_no_list_asks_about_none_of_them() -> None:
    sieved, _ = sights(LISTED, PATTERNS, [])
    asked: list[object] = []
    may_name = sieved.looking.may_name
    sieved.looking.may_name = lambda *given: asked.append(given) or may_name(*given)  # type: ignore[func-returns-value,method-assign]
    texts = [of(f"100.64.{number}.1", "27/Nov/2026:21:59:00 +0000") for number in range(200)]
    assert seen_by(sieved, texts, NOW).n_accepted == 200
    assert len(asked) < 20  # a bit of the table's sieve may be another's


def test_sieve_of_web_logs_names_a_record_with_two_listed_values() -> None:
    sieved, _ = sights(LISTED, [], [])
    text = '203.0.113.9 - - [27/Nov/2026:21:59:00 +0000] "GET / HTTP/1.1" 200 5 "http://aged.example/" "Agent"'
    assert sieved.sieve is not None
    chunk = chunk_of([text.encode()] * 3, kind=Format.ACCESS)
    sieved.rest_of(chunk, now=NOW)
    assert sieved.sieve.sift(chunk.data, Format.ACCESS).n_by_reason[Reason.VALUE] == 3

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amagasa.app.path import Seen, look
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.sieve import key_bytes, sieve_of
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import IndicatorSet
from tests.detect.cases import chunk_of, plan_for

pytestmark = pytest.mark.skipif(not key_bytes(), reason="the native library was not built")
NOW: Final = datetime(2026, 11, 27, tzinfo=UTC)
SYSMON: Final = "Microsoft-Windows-Sysmon/Operational"
PATTERNS: Final = [
    "[ipv4-addr:value = '198.51.100.4']",
    "[ipv4-addr:value = '203.0.113.0/28']",
    "[domain-name:value = 'evil.example']",
    "[url:value = 'http://evil.example/a']",
    f"[file:hashes.MD5 = '{'AB' * 16}']",
    "[file:name = 'evil.exe'] AND [ipv4-addr:value = '198.51.100.9']",
    "[process:command_line LIKE '%evil%']",
    "[domain-name:value = 'other.example' AND domain-name:value != 'x']",
    "[user-account:user_id = 'mallory']",
    "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [domain-name:value = 'later.example'] WITHIN 60 SECONDS",
    "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\\\\\evil']",
]
VALUES: Final = [
    "198.51.100.4", "203.0.113.9", "203.0.113.99", "198.51.100.9", "198.51.100.7", "evil.example", "EVIL.example",
    "a",
    "http://evil.example/a",
    "cmd /c start http://evil.example/a", "ping 198.51.100.4", "C:\\evil.exe", "evil",
    f"SHA1={'0' * 40},MD5={'ab' * 16}", "CORP\\mallory",
    "later.example", "other.example", "HKLM\\evil", "日本", 7, None,
    ["198.51.100.4"], "\\u0065vil.example",
]  # fmt: skip
FIELDS: Final = (
    *(
        "CommandLine",
        "Image",
        "Hashes",
        "DestinationIp",
        "QueryName",
        "QueryResults",
        "User",
        "TargetObject",
        "Details",
    ),
)
events = st.tuples(
    st.sampled_from([1, 3, 13, 22]), st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(VALUES), max_size=5)
)


def indicators_of(patterns: Sequence[str]) -> IndicatorSet:
    made, faults = compile_indicators(
        [
            {
                "type": "indicator",
                "id": f"indicator--{uuid.UUID(int=number, version=4)}",
                "name": pattern,
                "pattern": pattern,
                "pattern_type": "stix",
                "valid_from": "2026-01-01T00:00:00Z",
                "confidence": 90,
            }
            for number, pattern in enumerate(patterns, 1)
        ]
    )
    assert faults == ()
    return made


def line(event_id: int, fields: dict[str, Any]) -> bytes:
    record = {"EventID": event_id, "Channel": SYSMON, "UtcTime": "2026-11-26 10:00:00.0"} | fields
    return msgspec.json.encode(record).replace(b"\\\\u0065", b"\\u0065")


def sights(patterns: Sequence[str]) -> tuple[Sight, Sight]:
    """With a sieve and without."""
    plan = plan_for({"s": {"CommandLine|contains": "start"}, "condition": "s"})
    sieve = sieve_of([plan], b"\x07" * key_bytes())
    assert sieve is not None
    held = indicators_of(patterns)
    return Sight([(plan, Memo(plan))], held, sieve=sieve), Sight([(plan, Memo(plan))], held)


def told(seen: Seen) -> tuple[Any, ...]:
    return (
        seen.n_read,
        seen.n_accepted,
        sorted((one.content_id, one.record, sorted(one.fields.items(), key=str)) for one in seen.report.detections),
        sorted(map(repr, seen.report.parts)),
    )


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(PATTERNS), max_size=4, unique=True),
    st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=4),
)
@example(
    [
        "[ipv4-addr:value = '198.51.100.4']",
        "[domain-name:value = 'other.example' AND domain-name:value != 'x']",
        "[domain-name:value = 'evil.example']",
    ],
    [[(3, {"CommandLine": "http://evil.example/a"}), (1, {"CommandLine": "http://evil.example/a"})]],
)
def test_look_with_a_sieve_sees_what_indicators_name(
    patterns: list[str], chunks: list[list[tuple[int, dict[str, Any]]]]
) -> None:
    sieved, plain = sights(patterns)
    for chunk in chunks:
        lines = [line(event_id, fields) for event_id, fields in chunk]
        assert told(look(chunk_of(lines), sieved, now=NOW)) == told(look(chunk_of(lines), plain, now=NOW))


def test_look_with_a_sieve_finds_each_record_of_a_value_met_in_the_same_chunk() -> None:
    sieved, _ = sights(PATTERNS[:1])
    lines = [line(3, {"DestinationIp": address}) for address in ["192.0.2.1", "198.51.100.4", "192.0.2.2"] * 20]
    seen = look(chunk_of(lines), sieved, now=NOW)
    assert [one.record for one in seen.report.detections] == list(range(2, 61, 3))


def test_look_with_a_sieve_after_indicators_changed_looks_at_known_values_anew() -> None:
    sieved, _ = sights([])
    lines = [line(3, {"DestinationIp": "198.51.100.4"})]
    assert look(chunk_of(lines), sieved, now=NOW).report.detections == ()
    changed = Sight(sieved.plans, indicators_of(PATTERNS[2:3]), sieve=sieved.sieve)
    assert look(chunk_of(lines), changed, now=NOW).report.detections == ()
    changed = Sight(sieved.plans, indicators_of(PATTERNS[:1]), sieve=sieved.sieve)
    assert len(look(chunk_of(lines), changed, now=NOW).report.detections) == 1


def test_sieve_with_indicators_lets_records_fall_through() -> None:
    sieved, _ = sights(PATTERNS[:3])
    assert sieved.sieve is not None
    lines = [line(3, {"DestinationIp": f"192.0.2.{number % 200}"}) for number in range(1000)]
    assert sieved.rest_of(chunk_of(lines), now=NOW).n_through == 1000

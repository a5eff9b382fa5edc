"""Indicators: what they find in real lines, when they are in force, and what is refused with which reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.looking import evaluate_indicators
from amagasa.detect.report import Detection, MatchReport
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
AGENT = "Mozilla/5.0 (Windows NT 10.0) Evil/3.1"
WEB = (
    f'198.51.100.23 - sato [23/Nov/2026:12:00:00 +0900] "GET /a/b?x=http://bad.example/p HTTP/1.1" 200 12 '
    f'"https://evil.example/from" "{AGENT}"'
)
SSH = "Nov 23 12:00:00 gate01 sshd[42]: Failed password for root from 198.51.100.23 port 51122 ssh2"
SHA256 = "ab" * 32
PROCESS = {
    "TimeCreated": "2026-11-23T03:00:00.000Z",
    "SourceName": "Microsoft-Windows-Sysmon",
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Hostname": "WS-0141.base.example",
    "EventID": 1,
    "Image": "C:\\Users\\Public\\Evil.EXE",
    "CommandLine": "evil.exe --get http://drop.example:8080/x.bin",
    "ParentImage": "C:\\Windows\\explorer.exe",
    "ParentCommandLine": "explorer.exe",
    "User": "BASE\\h.sato",
    "Hashes": f"MD5={'CD' * 16},SHA256={SHA256.upper()}",
}
CONNECTION = {
    **{key: PROCESS[key] for key in ("TimeCreated", "SourceName", "Channel", "Hostname", "User", "Image")},
    "EventID": 3,
    "SourceIp": "10.20.0.7",
    "SourcePort": "49700",
    "DestinationIp": "2001:db8:0:0:0:0:0:5",
    "DestinationPort": "4444",
    "Protocol": "tcp",
}
REGISTRY = {**CONNECTION, "EventID": 13, "TargetObject": "HKLM\\SOFTWARE\\Evil\\Run", "Details": "x"}


def indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": stable_id("indicator", pattern),
        "name": "Known bad",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }


def look(indicators: IndicatorSet, form: Format, *records: Any, now: datetime = NOW) -> MatchReport:
    lines = [record if isinstance(record, str) else msgspec.json.encode(record).decode() for record in records]
    data = "".join(line + "\n" for line in lines).encode()
    chunk = Chunk(path="log", format=form, first_record=1, data=data, read_at=NOW)
    report = MatchReport()
    for batch in normalise(chunk, indicators.wanted).batches:
        report = report.merge(evaluate_indicators(batch, indicators, now=now))
    return report


def found(pattern: str, form: Format, *records: Any, **more: Any) -> list[Detection]:
    indicators, faults = compile_indicators([indicator(pattern, **more)])
    assert faults == ()
    return list(look(indicators, form, *records).detections)


@pytest.mark.parametrize(
    ("pattern", "field"),
    [
        ("[ipv4-addr:value = '198.51.100.23']", "c-ip"),
        ("[ipv4-addr:value = '198.51.100.0/24']", "c-ip"),
        ("[ipv4-addr:value ISSUBSET '198.51.96.0/19']", "c-ip"),
        ("[ipv4-addr:value IN ('203.0.113.1', '198.51.100.23')]", "c-ip"),
        ("[domain-name:value = 'EVIL.example']", "cs-referer"),
        ("[domain-name:value = 'bad.example']", "cs-uri-decoded"),
        ("[url:value = 'https://evil.example/from']", "cs-referer"),
        ("[url:value LIKE 'https://evil.%/fr_m']", "cs-referer"),
        ("[url:value MATCHES '^/a/b[?]x=']", "cs-uri"),
        ("[user-account:account_login = 'sato']", "cs-username"),
        ("[network-traffic:src_ref.value = '198.51.100.23']", "c-ip"),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' LIKE '%Evil/3%']",
            "cs-user-agent",
        ),
        ("[network-traffic:extensions.'http-request-ext'.request_value LIKE '/a/b%']", "cs-uri"),
        ("[url:value = 'http://no.example/'] OR [ipv4-addr:value = '198.51.100.23']", "c-ip"),
    ],
)
def test_evaluate_indicators_pattern_finds_the_web_line(pattern: str, field: str) -> None:
    (detection,) = found(pattern, Format.ACCESS, WEB)
    assert detection.indicator_id == stable_id("indicator", pattern)
    assert detection.rule_id is None
    assert list(detection.fields) == [field]
    assert (detection.path, detection.record, detection.title) == ("log", 1, "Known bad")
    assert detection.event_at == NOW
    assert detection.raw == WEB


@pytest.mark.parametrize(
    ("pattern", "record"),
    [
        (f"[file:hashes.'SHA-256' = '{SHA256}']", PROCESS),
        (f"[file:hashes.sha256 = '{SHA256.upper()}']", PROCESS),
        (f"[file:hashes.MD5 = '{'cd' * 16}' AND file:name = 'evil.exe']", PROCESS),
        ("[file:name = 'EVIL.exe']", PROCESS),
        ("[file:name MATCHES '^Ev.l']", PROCESS),
        ("[process:command_line LIKE '%--get http%']", PROCESS),
        ("[process:name = 'evil.exe' AND process:parent_ref.name = 'explorer.exe']", PROCESS),
        ("[domain-name:value = 'drop.example']", PROCESS),
        ("[url:value = 'http://drop.example:8080/x.bin']", PROCESS),
        ("[user-account:user_id = 'h.sato']", PROCESS),
        ("[user-account:user_id = 'BASE\\\\h.sato']", PROCESS),
        ("[ipv6-addr:value = '2001:0db8::5']", CONNECTION),
        ("[ipv6-addr:value ISSUBSET '2001:db8::/32']", CONNECTION),
        ("[network-traffic:dst_ref.value = '2001:db8::5' AND network-traffic:dst_port = 4444]", CONNECTION),
        ("[network-traffic:dst_port > 4000 AND network-traffic:protocols[*] = 'tcp']", CONNECTION),
        ("[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\SOFTWARE\\\\Evil']", REGISTRY),
        ("[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\evil\\\\run']", REGISTRY),
        ("[file:name = 'evil.exe'] AND [user-account:user_id = 'h.sato']", PROCESS),
        ("[file:name != 'good.exe' AND file:path LIKE 'c:\\\\users%']", PROCESS),
    ],
)
def test_evaluate_indicators_pattern_finds_the_windows_event(pattern: str, record: dict[str, Any]) -> None:
    assert len(found(pattern, Format.WINDOWS, record)) == 1


@pytest.mark.parametrize(
    ("pattern", "record"),
    [
        ("[file:name = 'evil.exe' AND file:hashes.MD5 = 'aa']", PROCESS),
        ("[file:name = 'evil.exe' AND file:path LIKE '%explorer.exe']", PROCESS),
        ("[network-traffic:dst_port = 4444 AND network-traffic:src_port = 1]", CONNECTION),
        ("[file:name = 'evil.exe'] AND [user-account:user_id = 'ito']", PROCESS),
        ("[process:command_line = 'EVIL.EXE --get http://drop.example:8080/x.bin']", PROCESS),
        ("[ipv6-addr:value = '2001:db8::50']", CONNECTION),
        ("[process:name = 'evil.exe' AND process:command_line NOT LIKE '%--get%']", PROCESS),
    ],
)
def test_evaluate_indicators_near_miss_finds_nothing(pattern: str, record: dict[str, Any]) -> None:
    assert found(pattern, Format.WINDOWS, record) == []


def test_evaluate_indicators_syslog_line_gives_its_address() -> None:
    (detection,) = found("[ipv4-addr:value = '198.51.100.23']", Format.SYSLOG, SSH)
    assert "198.51.100.23" in str(detection.fields)


def test_evaluate_indicators_address_inside_a_longer_one_finds_nothing() -> None:
    assert found("[ipv4-addr:value = '98.51.100.23']", Format.SYSLOG, SSH) == []


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[ipv4-addr:value = '0.0.0.0/0']", "matches everything"),
        ("[ipv6-addr:value ISSUBSET '::/0']", "matches everything"),
        ("[ipv4-addr:value ISSUBSET '128.0.0.0/7']", "matches everything"),
        ("[ipv4-addr:value = '127.0.0.1']", "matches everything"),
        ("[ipv6-addr:value = '::1']", "matches everything"),
        ("[ipv4-addr:value IN ('198.51.100.1', '0.0.0.0/1')]", "matches everything"),
        ("[url:value LIKE '%']", "matches everything"),
        ("[url:value LIKE '']", "matches everything"),
        ("[url:value LIKE '_%_']", "matches everything"),
        ("[url:value MATCHES '.*']", "matches everything"),
        ("[url:value != 'http://x.example/']", "matches everything"),
        ("[file:name NOT = 'a']", "matches everything"),
        ("[file:name = 'a' OR file:name LIKE '%%']", "matches everything"),
        ("[file:name = 'a'] OR [EXISTS url:value]", "matches everything"),
        ("[file:name = 'a'] FOLLOWEDBY [url:value LIKE '%']", "matches everything"),
        ("[app:id = 'com.example']", "app:id"),
        ("[url:value MATCHES '(a)\\\\1']", "linear"),
        ("[url:value MATCHES '(?=a)b']", "linear"),
        ("[url:value ISSUBSET '198.51.100.0/24']", "needs an address"),
        ("[ipv4-addr:value = 'not-an-address']", "not an address"),
        ("[ipv4-addr:value = '198.51.100.4' AND file:name = 'a']", "one object"),
        ("[file:name = t'2026-01-01T00:00:00Z']", "no time"),
        ("no pattern", "["),
    ],
)
def test_compile_indicators_what_cannot_run_is_a_fault_with_its_reason(pattern: str, named: str) -> None:
    one = indicator(pattern)
    indicators, (fault,) = compile_indicators([one], places={one["id"]: "feed/a.json"})
    assert indicators.indicators == ()
    assert named in fault.why
    assert (fault.rule_id, fault.path) == (one["id"], "feed/a.json")


@pytest.mark.parametrize(
    "one",
    [
        {"type": "indicator"},
        {"type": "indicator", "id": 3, "pattern": "[file:name = 'a']"},
        indicator("[file:name = 'a']", pattern_type="yara"),
        {**indicator("[file:name = 'a']"), "pattern": None},
        indicator("[file:name = 'a']", valid_from="yesterday"),
        indicator("[file:name = 'a']", valid_until=7),
    ],
)
def test_compile_indicators_broken_object_is_a_fault(one: dict[str, Any]) -> None:
    indicators, faults = compile_indicators([one])
    assert indicators.indicators == ()
    assert len(faults) == 1


def test_compile_indicators_sigma_and_other_objects_are_passed_over() -> None:
    objects = [indicator("title: x", pattern_type="sigma"), {"type": "malware", "id": "malware--x"}]
    assert compile_indicators(objects) == (IndicatorSet(), ())


def test_compile_indicators_newest_version_counts() -> None:
    old = indicator("[file:name = 'a']", modified="2026-01-01T00:00:00Z")
    new = {**old, "modified": "2026-02-01T00:00:00Z", "revoked": True}
    indicators, faults = compile_indicators([new, old])
    assert (indicators.indicators, indicators.n_revoked, faults) == ((), 1, ())


@pytest.mark.parametrize(("offset_days", "is_found"), [(-1, False), (0, True), (9, True), (10, False)])
def test_evaluate_indicators_is_silent_out_of_force(offset_days: int, *, is_found: bool) -> None:
    one = indicator(
        "[ipv4-addr:value = '198.51.100.23']", valid_from="2026-11-23T03:00:00Z", valid_until="2026-12-03T03:00:00Z"
    )
    indicators, _ = compile_indicators([one])
    report = look(indicators, Format.ACCESS, WEB, now=NOW + timedelta(days=offset_days))
    assert bool(report.detections) is is_found


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ({"confidence": 95}, Level.HIGH),
        ({"confidence": 60}, Level.MEDIUM),
        ({"confidence": 30}, Level.LOW),
        ({"confidence": 0}, Level.INFORMATIONAL),
        ({}, Level.MEDIUM),
        ({"indicator_types": ["benign"]}, Level.INFORMATIONAL),
        ({"indicator_types": ["anomalous-activity"]}, Level.LOW),
        ({"indicator_types": ["malicious-activity", "benign"]}, Level.MEDIUM),
        ({"confidence": True, "labels": 7, "kill_chain_phases": "x"}, Level.MEDIUM),
    ],
)
def test_evaluate_indicators_level_follows_confidence_and_kind(more: dict[str, Any], level: Level) -> None:
    (detection,) = found("[ipv4-addr:value = '198.51.100.23']", Format.ACCESS, WEB, **more)
    assert detection.level is level


def test_evaluate_indicators_tells_origin_and_tactics() -> None:
    one = indicator(
        "[ipv4-addr:value = '198.51.100.23']",
        labels=["attack.t1595.002"],
        kill_chain_phases=[{"kill_chain_name": "mitre-attack", "phase_name": "reconnaissance"}],
    )
    indicators, _ = compile_indicators([one], origins={one["id"]: "identity--x"})
    (detection,) = look(indicators, Format.ACCESS, WEB).detections
    assert (detection.origin, detection.techniques, detection.tactics) == (
        "identity--x",
        ("T1595.002",),
        ("reconnaissance",),
    )


def test_evaluate_indicators_counts_events_and_names_records() -> None:
    other = WEB.replace("198.51.100.23", "192.0.2.9")
    indicators, _ = compile_indicators([indicator("[ipv4-addr:value = '198.51.100.23']")])
    report = look(indicators, Format.ACCESS, other, WEB, other, WEB)
    assert report.n_events == 4
    assert [one.record for one in report.detections] == [2, 4]


def test_wanted_asks_for_the_used_fields_only() -> None:
    indicators, _ = compile_indicators([indicator("[url:value = 'http://x.example/']")])
    lines = Chunk(path="log", format=Format.ACCESS, first_record=1, data=WEB.encode() + b"\n", read_at=NOW)
    (batch,) = normalise(lines, indicators.wanted).batches
    assert set(indicators.wanted(batch.route)) == {"cs-uri", "cs-referer", "cs-uri-decoded"}
    assert IndicatorSet().wanted(batch.route) == ()


PLACES = st.sampled_from(
    [
        "ipv4-addr:value",
        "ipv6-addr:value",
        "domain-name:value",
        "file:name",
        "file:hashes.'SHA-256'",
        "url:value",
        "app:id",
    ]
)
CONSTANTS = st.sampled_from(
    ["198.51.100.4", "198.51.100.0/24", "10.0.0.0/7", "127.9.9.9", "0.1.2.3", "2001:DB8:0::1", "::", "x.Example.",
     "", "256.1.1.1"]
) | st.text(alphabet="aB.:/019", max_size=12)  # fmt: skip


@given(PLACES, CONSTANTS)
@example("domain-name:value", ":0")
def test_compile_indicators_quick_way_agrees_with_the_long_way(place: str, constant: str) -> None:
    quick = compile_indicators([indicator(f"[{place} = '{constant}']")])
    slow = compile_indicators([indicator(f"[({place} = '{constant}')]")])
    assert (quick[0].equal, quick[0].prefixes) == (slow[0].equal, slow[0].prefixes)
    assert len(quick[1]) == len(slow[1])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "id",
        "name",
        "pattern",
        "pattern_type",
        "valid_from",
        "valid_until",
        "confidence",
        "labels",
        "revoked",
        "modified",
    ]
)


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=8), max_size=3))
def test_compile_indicators_whatever_the_ally_sends_nothing_is_lost_silently(objects: list[dict[str, Any]]) -> None:
    sent = [{**indicator(f"[file:name = 'a{n}']"), **one, "type": "indicator"} for n, one in enumerate(objects)]
    indicators, faults = compile_indicators(sent)
    n_sigma = sum(one.get("pattern_type", "stix") == "sigma" for one in sent)
    versions = len({msgspec.json.encode(one.get("id")) for one in sent})
    assert len(indicators.indicators) + len(faults) + indicators.n_revoked + n_sigma >= min(versions, len(sent))


@given(st.lists(JSON, min_size=1, max_size=4))
def test_evaluate_indicators_whatever_the_fields_hold_nothing_raises(values: list[Any]) -> None:
    patterns = ["[file:name = 'a']", "[network-traffic:dst_port > 3 AND network-traffic:dst_ref.value = '192.0.2.1']"]
    indicators, _ = compile_indicators([indicator(pattern) for pattern in patterns])
    names = ("Image", "DestinationPort", "DestinationIp", "Hashes")
    record = {**CONNECTION, **dict(zip(names, values, strict=False))}
    look(indicators, Format.WINDOWS, record)

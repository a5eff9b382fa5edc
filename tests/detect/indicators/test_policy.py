"""The guard against false alarms: what lists may say alone, together, and of whom they may say nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from amagasa.detect.indicators.allowlist import Allowlist, Known
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.listing import Columns
from amagasa.detect.indicators.looking import Looking
from amagasa.detect.indicators.policy import Policy
from amagasa.detect.indicators.table import Table
from amagasa.detect.report import MatchReport, Silence, Standing
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level

NOW: Final = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SHA256: Final = "ab" * 32
LINE: Final = (
    '198.51.100.23 - sato [23/Nov/2026:12:00:00 +0900] "GET /a?x=http://a.b.bad.example/p/q HTTP/1.1" 200 12 '
    '"https://evil.example/kit/x.php?id=1" "Agent"'
)
PROCESS: Final = {
    "TimeCreated": "2026-11-23T03:00:00.000Z",
    "SourceName": "Microsoft-Windows-Sysmon",
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Hostname": "WS-0141.base.example",
    "EventID": 1,
    "Image": "C:\\Users\\Public\\Evil.EXE",
    "CommandLine": "evil.exe http://a.b.bad.example:8080/x.bin",
    "Hashes": f"MD5={'CD' * 16},SHA256={SHA256.upper()},IMPHASH={'EF' * 16}",
}
QUERY: Final = PROCESS | {"EventID": 22, "QueryName": "a.b.bad.example", "QueryResults": "::ffff:198.51.100.23;"}


def table(*lines: str, name: str = "one") -> Table:
    flat = FlatList(name)
    flat.add_values(lines, 1)
    return Table(b"".join(flat.pieces()))


def look(record: Any, *tables: Table, policy: Policy | None = None, held: IndicatorSet | None = None) -> MatchReport:
    line = record if isinstance(record, str) else msgspec.json.encode(record).decode()
    form = Format.ACCESS if isinstance(record, str) else Format.WINDOWS
    indicators = msgspec.structs.replace(held or IndicatorSet(), tables=tables)
    looking = Looking(indicators, policy)
    chunk = Chunk(path="log", format=form, first_record=1, data=line.encode() + b"\n", read_at=NOW)
    report = MatchReport()
    for batch in normalise(chunk, looking.wanted).batches:
        report = report.merge(looking.evaluate(batch, now=NOW))
    return report


def stix(pattern: str, **more: Any) -> IndicatorSet:
    one = {"type": "indicator", "id": stable_id("indicator", pattern), "pattern": pattern, "pattern_type": "stix"}
    indicators, faults = compile_indicators([one | more])
    assert faults == ()
    return indicators


@pytest.mark.parametrize(
    ("value", "record", "field"),
    [
        ("198.51.100.23", LINE, "c-ip"),
        ("198.51.100.0/24", LINE, "c-ip"),
        ("bad.example", LINE, "cs-uri-decoded"),
        ("a.b.bad.example", LINE, "cs-uri-decoded"),
        ("evil.example", LINE, "cs-referer"),
        ("http://evil.example/kit/", LINE, "cs-referer"),
        ("evil.example/kit/x.php", LINE, "cs-referer"),
        ("https://evil.example/kit/x.php?id=1", LINE, "cs-referer"),
        ("http://a.b.bad.example/", LINE, "cs-uri-decoded"),
        ("bad.example", PROCESS, "CommandLine"),
        ("http://a.b.bad.example:8080/", PROCESS, "CommandLine"),
        (SHA256, PROCESS, "Hashes"),
        ("CD" * 16, PROCESS, "Hashes"),
        ("evil.exe", PROCESS, "Image"),
        ("c:\\users\\public\\evil.exe", PROCESS, "Image"),
        ("bad.example", QUERY, "QueryName"),
        ("198.51.100.23", QUERY, "QueryResults"),
    ],
)
def test_looking_with_a_list_finds_its_values_in_records(value: str, record: Any, field: str) -> None:
    (detection,) = look(record, table(value)).detections
    assert list(detection.fields) == [field]
    assert (detection.level, detection.standing, detection.confidence) == (Level.LOW, Standing.ALONE, 30)


@pytest.mark.parametrize(
    ("value", "record"),
    [
        ("198.51.100.2", LINE),
        ("b.example", LINE),
        ("x.a.b.bad.example", LINE),
        ("http://evil.example/ki", LINE),
        ("http://evil.example/kit/x.php?id=2", LINE),
        ("http://evil.example:8080/", LINE),
        ("ef" * 16, PROCESS),  # an import hash is no MD5 of the file
    ],
)
def test_looking_with_a_list_near_misses_find_nothing(value: str, record: Any) -> None:
    assert look(record, table(value)).detections == ()


def test_domain_of_a_pattern_is_equal_and_of_a_list_all_below() -> None:
    held = stix("[domain-name:value = 'bad.example']")
    assert look(QUERY, held=held).detections == ()
    assert len(look(QUERY | {"QueryName": "bad.example"}, held=held).detections) == 1
    assert len(look(QUERY, table("bad.example")).detections) == 1


def test_one_list_alone_is_never_above_low() -> None:
    flat = FlatList("sure")
    flat.add_fields([(2, ["198.51.100.23", "99"])], Columns(value=0, kind="ip", confidence=1))
    (detection,) = look(LINE, Table(b"".join(flat.pieces()))).detections
    assert (detection.level, detection.standing, detection.confidence) == (Level.LOW, Standing.ALONE, 99)


def test_several_lists_together_stand_by_themselves() -> None:
    of_two = look(LINE, table("198.51.100.23", name="a"), table("198.51.100.23", name="b"))
    of_three = look(LINE, *(table("198.51.100.23", name=name) for name in "abc"))
    assert [(one.level, one.standing, one.confidence) for one in of_two.detections] == [(Level.LOW, Standing.FULL, 51)]
    assert [(one.level, one.standing, one.confidence) for one in of_three.detections] == [
        (Level.MEDIUM, Standing.FULL, 66)
    ]
    assert of_two.detections[0].title == "198.51.100.23, on the list a; on the list b"


def test_the_same_list_twice_is_one_list() -> None:
    (detection,) = look(LINE, table("198.51.100.23"), table("198.51.100.23")).detections
    assert detection.standing is Standing.ALONE


def seen(day: str, *, name: str) -> Table:
    flat = FlatList(name)
    columns = Columns(value=1, type=0, first=2, last=3, source=4)
    flat.add_rows([f"ip,198.51.100.23,{day},{day},"], columns, ",", first_line=2)
    return Table(b"".join(flat.pieces()))


def test_a_list_that_has_aged_takes_nothing_from_one_that_says_it_today() -> None:
    (detection,) = look(LINE, seen("2020-01-01", name="old"), table("198.51.100.23", name="new")).detections
    assert (detection.standing, detection.confidence) == (Standing.ALONE, 30)
    assert detection.title == "198.51.100.23, on the list new"


def test_lists_that_say_it_each_by_their_own_age_stand_together() -> None:
    lists = (seen("2026-08-25", name="older"), seen("2026-11-23", name="newer"))  # 90 days: a half-life of addresses
    (detection,) = look(LINE, *lists).detections
    assert (detection.standing, detection.confidence) == (Standing.FULL, round(100 * (1 - 0.85 * 0.7)))


def test_lists_that_have_all_aged_are_silent_however_many() -> None:
    report = look(LINE, *(seen("2025-11-23", name=name) for name in "abcd"))
    assert (report.detections, report.silenced) == ((), {Silence.AGED: 1})


def test_a_pattern_with_an_author_stands_by_itself() -> None:
    (detection,) = look(LINE, held=stix("[ipv4-addr:value = '198.51.100.23']", confidence=60)).detections
    assert (detection.level, detection.standing, detection.confidence) == (Level.MEDIUM, Standing.FULL, 60)


CRAWLER: Final = Allowlist([Known(name="Crawler", values=("198.51.100.0/24", "evil.example"), is_guard=True)])


def test_lists_may_not_alert_on_a_known_service_however_many_name_it() -> None:
    lists = [table("198.51.100.23", name=name) for name in "abcd"]
    (detection,) = look(LINE, *lists, policy=Policy(allowlist=CRAWLER)).detections
    assert (detection.level, detection.standing) == (Level.INFORMATIONAL, Standing.GUARDED)
    assert "known: Crawler" in detection.title


def test_a_pattern_still_speaks_of_a_known_service() -> None:
    held = stix("[ipv4-addr:value = '198.51.100.23']")
    (detection,) = look(LINE, held=held, policy=Policy(allowlist=CRAWLER)).detections
    assert (detection.level, detection.standing) == (Level.MEDIUM, Standing.FULL)


def test_lists_speak_of_one_page_of_a_known_service() -> None:
    (detection,) = look(LINE, table("https://evil.example/kit/"), policy=Policy(allowlist=CRAWLER)).detections
    assert detection.standing is Standing.ALONE


def test_lists_may_not_alert_on_a_name_that_many_share() -> None:
    (detection,) = look(QUERY | {"QueryName": "github.io"}, table("github.io")).detections
    assert (detection.level, detection.standing) == (Level.INFORMATIONAL, Standing.GUARDED)
    assert look(QUERY | {"QueryName": "friend.github.io"}, table("github.io")).detections == ()


def test_lists_with_a_wide_prefix_may_not_alert_on_addresses_of_every_house() -> None:
    record = LINE.replace("198.51.100.23", "172.16.4.4")
    (detection,) = look(record, table("172.0.0.0/8")).detections
    assert detection.standing is Standing.GUARDED


@pytest.mark.parametrize("value", ["198.51.100.23", "198.51.100.0/24"])
def test_allowed_value_silences_lists_and_patterns_and_is_counted(value: str) -> None:
    policy = Policy(allowlist=Allowlist([Known(name="Ours", values=(value,))]))
    report = look(
        LINE,
        table("198.51.100.23"),
        table("198.51.0.0/16"),
        held=stix("[ipv4-addr:value = '198.51.100.23']"),
        policy=policy,
    )
    assert report.detections == ()
    assert report.silenced == {Silence.ALLOWED: 3}


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        ("example", "no"),
        ("bad.example", "bad.example"),
        ("b.bad.example", "bad.example"),
        ("a.b.bad.example", "http://a.b.bad.example/"),
        ("http://a.b.bad.example/p/", "http://a.b.bad.example/p/q"),
    ],
)
def test_allowed_name_silences_all_below(value: str, listed: str) -> None:
    allowlist = Allowlist([Known(name="Ours", values=(value,))])
    report = look(LINE, table(listed), policy=Policy(allowlist=allowlist))
    assert report.detections == ()
    assert bool(report.silenced) is (listed != "no")


def test_allowed_until_a_day_counts_until_then() -> None:
    for days, n_found in ((1, 0), (-1, 1)):
        known = Known(name="Ours", values=("198.51.100.23",), until=NOW + timedelta(days=days))
        report = look(LINE, table("198.51.100.23"), policy=Policy(allowlist=Allowlist([known])))
        assert len(report.detections) == n_found


def test_allowed_value_beside_another_does_not_silence_that() -> None:
    policy = Policy(allowlist=Allowlist([Known(name="Ours", values=("198.51.100.24",))]))
    record = QUERY | {"QueryResults": "198.51.100.23;198.51.100.24;"}
    assert len(look(record, table("198.51.100.0/24"), policy=policy).detections) == 1


def test_allowlist_says_which_values_it_cannot_use() -> None:
    allowlist = Allowlist([Known(name="Ours", values=("198.51.100.23", "prose it is"))])
    assert len(allowlist.faults) == 1
    assert "Ours: expected an address" in allowlist.faults[0]


def test_looking_counts_what_is_silent_by_its_reason() -> None:
    held = stix("[ipv4-addr:value = '198.51.100.23']", valid_until="2026-01-01T00:00:00Z")
    flat = FlatList("old")
    columns = Columns(value=1, type=0, first=2, last=3, source=4)
    flat.add_rows(["ip,198.51.100.23,2020-01-01,2020-01-01,"], columns, ",", first_line=2)
    report = look(LINE, Table(b"".join(flat.pieces())), held=held)
    assert report.detections == ()
    assert report.silenced == {Silence.AGED: 1, Silence.NOT_IN_FORCE: 1}


def test_looking_at_a_flood_of_new_values_keeps_a_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amagasa.detect.indicators.looking.MAX_KEPT_CHARACTERS", 10_000)
    looking = Looking(IndicatorSet(tables=(table("198.51.100.23"),)))
    lines = [LINE.replace("198.51.100.23", f"203.0.{n // 250}.{n % 250}") for n in range(2_000)] + [LINE]
    data = "".join(line + "\n" for line in lines).encode()
    chunk = Chunk(path="log", format=Format.ACCESS, first_record=1, data=data, read_at=NOW)
    for batch in normalise(chunk, looking.wanted).batches:
        assert [one.record for one in looking.evaluate(batch, now=NOW).detections] == [2_001]
    held = sum(len(field.clean) + len(field.known) for fields in looking._routes.values() for field in fields.values())
    assert held < 200


def test_silence_of_a_known_value_is_not_that_of_another_which_the_same_indicator_names() -> None:
    policy = Policy(allowlist=Allowlist([Known(name="scanner", values=("198.51.100.4",))]))
    texts = [LINE.replace("198.51.100.23", address) for address in ("198.51.100.4", "198.51.100.5")]
    report = look("\n".join(texts), policy=policy, held=stix("[ipv4-addr:value = '198.51.100.0/24']"))
    assert [one.record for one in report.detections] == [2]
    assert dict(report.silenced) == {Silence.ALLOWED: 1}


def test_silence_of_a_known_value_does_not_hide_another_in_the_same_record() -> None:
    record = PROCESS | {"EventID": 3, "SourceIp": "198.51.100.4", "DestinationIp": "198.51.100.5"}
    for known, n in ((("198.51.100.4",), 1), (("198.51.100.5",), 1), (("198.51.100.4", "198.51.100.5"), 0)):
        policy = Policy(allowlist=Allowlist([Known(name="scanner", values=known)]))
        report = look(record, policy=policy, held=stix("[ipv4-addr:value = '198.51.100.0/24']"))
        assert len(report.detections) == n

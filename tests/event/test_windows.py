import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.event import windows
from amagasa.event.jsonline import object_of
from amagasa.event.record import MISSING, Chunk, Format, Normalised, Route
from amagasa.event.windows import detail_windows, normalise_windows, plain

SYSMON = "Microsoft-Windows-Sysmon/Operational"
NAMES = ("Image", "Computer", "Provider_Name", "EventID", "Channel", "User", "Imphash")
FLAT = {"EventID": 1, "Channel": SYSMON, "Hostname": "H", "SourceName": "P", "Image": "i", "User": "u"}
BEAT = {
    "@timestamp": "2026-01-02T03:04:05.678Z",
    "winlog": {
        "channel": SYSMON,
        "event_id": "1",
        "computer_name": "H",
        "provider_name": "P",
        "event_data": {"Image": "i", "User": "u"},
    },
    "message": "text",
}
OLD_BEAT = {"log_name": SYSMON, "event_id": 1, "computer_name": "H", "source_name": "P", "event_data": FLAT}
EVTX = {
    "Event": {
        "#attributes": {"xmlns": "x"},
        "System": {
            "Provider": {"#attributes": {"Name": "P", "Guid": "g"}},
            "EventID": {"#attributes": {"Qualifiers": 1}, "#text": 1},
            "Channel": SYSMON,
            "Computer": "H",
            "TimeCreated": {"#attributes": {"SystemTime": "2026-01-02T03:04:05.678901Z"}},
        },
        "EventData": {"Image": "i", "User": "u", "Channel": "forged"},
    }
}
AZURE = {
    "Channel": SYSMON,
    "EventID": 1,
    "Computer": "H",
    "Provider": "P",
    "EventData": json.dumps({"Image": "i", "User": "u"}),
    "TimeGenerated": "2026-01-02T03:04:05Z",
}
AZURE_XML = AZURE | {"EventData": "<EventData><Data Name=\"Image\">i</Data>\r\n<Data Name='User'>u</Data></EventData>"}


@pytest.fixture(autouse=True, scope="module")
def readers_for_single_lines() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "MIN_GROUP", 1)
        yield


def read(
    lines: Sequence[bytes], names: tuple[str, ...] = NAMES, *, first_record: int = 1
) -> tuple[Normalised, list[tuple[int, dict[str, Any]]]]:
    data = b"".join(line + b"\n" for line in lines)
    chunk = Chunk(
        path="p", format=Format.WINDOWS, first_record=first_record, data=data, read_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    result = normalise_windows(chunk, lambda _: names)
    rows = [
        (record, dict(zip(batch.fields, row, strict=True)))
        for batch in result.batches
        for record, row in zip(batch.records, batch.rows, strict=True)
    ]
    return result, sorted(rows, key=lambda pair: pair[0])


def line_of(record: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(record)


@pytest.mark.parametrize("record", [FLAT, BEAT, OLD_BEAT, EVTX, AZURE, AZURE_XML])
def test_layouts_are_read_alike(record: dict[str, Any]) -> None:
    result, rows = read([line_of(record)] * 3)
    assert result.n_accepted == result.n_read == 3
    expected = {"Image": "i", "Computer": "H", "Provider_Name": "P", "EventID": 1, "Channel": SYSMON, "User": "u"}
    assert [row for _, row in rows] == [expected | {"Imphash": MISSING}] * 3 or [
        dict(row, EventID=1) for _, row in rows
    ] == [expected | {"Imphash": MISSING}] * 3
    assert [batch.route.name for batch in result.batches] == ["windows/sysmon-operational/1"]


@pytest.mark.parametrize(
    ("record", "instant"),
    [
        (BEAT, datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)),
        (EVTX, datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)),
        (AZURE, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (FLAT | {"EventTime": "2026-01-02 03:04:05"}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (FLAT | {"EventTime": "2026-01-02T12:04:05+09:00"}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (FLAT | {"EventTime": "0001-01-01T00:00:00+23:00"}, None),
        (FLAT | {"EventTime": "yesterday"}, None),
        (FLAT, None),
    ],
)
def test_detail_has_the_instant_of_the_event(record: dict[str, Any], instant: datetime | None) -> None:
    assert detail_windows(line_of(record)).event_at == instant


def test_system_field_cannot_be_overwritten_by_data() -> None:
    assert detail_windows(line_of(EVTX)).fields["Channel"] == SYSMON


def test_plain_list_of_data_is_kept_as_a_list() -> None:
    record = {"Event": {"System": {"EventID": 400, "Channel": "Windows PowerShell"}, "EventData": {"Data": ["a", "b"]}}}
    _, rows = read([line_of(record)], ("Data", "EventID"))
    assert rows == [(1, {"Data": ("a", "b"), "EventID": 400})]


def test_named_data_in_a_list_becomes_fields() -> None:
    data = {"Data": [{"#attributes": {"Name": "Image"}, "#text": "i"}, {"#text": "loose"}]}
    record = {"Event": {"System": {"EventID": 1, "Channel": SYSMON}, "EventData": data}}
    _, rows = read([line_of(record)], ("Image", "Data"))
    assert rows == [(1, {"Image": "i", "Data": "loose"})]


def test_user_data_becomes_fields() -> None:
    user = {"LogFileCleared": {"#attributes": {"xmlns": "x"}, "SubjectUserName": "a"}}
    record = {"Event": {"System": {"EventID": 1102, "Channel": "Security"}, "UserData": user}}
    assert read([line_of(record)], ("SubjectUserName",))[1] == [(1, {"SubjectUserName": "a"})]


def test_sysmon_for_linux_within_syslog_is_read() -> None:
    xml = (
        '<Event><System><Provider Name="Linux-Sysmon"/><EventID>1</EventID>'
        '<TimeCreated SystemTime="2026-01-02T03:04:05Z"/>'
        "<Channel>Linux-Sysmon/Operational</Channel><Computer>U</Computer></System><EventData>"
        '<Data Name="Image">/bin/sh</Data><Data Name="CommandLine">sh -c &quot;x&quot;</Data></EventData></Event>'
    )
    event = detail_windows(line_of({"SyslogMessage": xml}))
    assert event.route.name == "linux/sysmon/1"
    assert event.fields["CommandLine"] == 'sh -c "x"'
    assert event.event_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_process_creation_of_security_has_the_names_of_sysmon() -> None:
    record = {
        "EventID": 4688,
        "Channel": "Security",
        "NewProcessName": "new",
        "ParentProcessName": "old",
        "SubjectUserName": "su",
        "MandatoryLabel": "S-1-16-12288",
        "CommandLine": "c",
    }
    expected = {"Image": "new", "ParentImage": "old", "User": "su", "IntegrityLevel": "High", "CommandLine": "c"}
    _, rows = read([line_of(record)] * 2, tuple(expected))
    assert [row for _, row in rows] == [expected] * 2
    assert expected.items() <= detail_windows(line_of(record)).fields.items()


def test_registry_change_of_security_has_the_names_of_sysmon() -> None:
    record = {
        "EventID": 4657,
        "Channel": "Security",
        "ObjectName": r"\REGISTRY\MACHINE\SOFTWARE\X",
        "ObjectValueName": "v",
        "NewValue": "n",
        "OperationType": "%%1905",
        "ProcessName": "p",
    }
    expected = {"TargetObject": r"HKLM\SOFTWARE\X\v", "Details": "n", "EventType": "SetValue", "Image": "p"}
    _, rows = read([line_of(record)] * 2, tuple(expected))
    assert [row for _, row in rows] == [expected] * 2


def test_hashes_are_taken_apart() -> None:
    names = ("Hashes", "md5", "sha1", "sha256", "Imphash")
    hashes = "SHA1=AA,MD5=BB,SHA256=CC,IMPHASH=DD"
    _, rows = read([line_of(FLAT | {"Hashes": hashes})] * 2, names)
    assert [row for _, row in rows] == [dict(zip(names, (hashes, "BB", "AA", "CC", "DD"), strict=True))] * 2


def test_field_with_a_space_is_read_by_its_bare_name() -> None:
    record = {
        "EventID": 1119,
        "Channel": "Microsoft-Windows-Windows Defender/Operational",
        "SourceName": "provider",
        "Source Name": "Real-Time Protection",
        "Threat Name": "t",
    }
    expected = {
        "SourceName": "Real-Time Protection",
        "ThreatName": "t",
        "Threat Name": "t",
        "Provider_Name": "provider",
    }
    _, rows = read([line_of(record)] * 2, tuple(expected))
    assert [row for _, row in rows] == [expected] * 2


def test_names_differing_in_case_are_different_fields() -> None:
    _, rows = read([line_of(FLAT | {"image": "small"})] * 2, ("Image", "image"))
    assert [row for _, row in rows] == [{"Image": "i", "image": "small"}] * 2


def test_lines_of_mixed_shapes_are_all_read() -> None:
    lines = [
        line_of(FLAT),
        line_of({"EventID": 1, "Channel": SYSMON, "Computer": "C", "Hostname": "H"}),
        line_of({"EventID": 1, "Channel": "System", "Hostname": "H"}),
        line_of(FLAT | {"Computer": None}),
        line_of(FLAT | {"Image": True}),
        line_of(FLAT | {"Image": 1.5}),
        b'{"Nested":{"EventID":9,"Channel":"x"},"EventID":1,"Channel":"' + SYSMON.encode() + b'","Image":"n"}',
        b'{"EventID": 1, "Channel": "Security", "Image":"spaced"}',
        b'{"Event\\u0049D":1,"Channel":"Security","Image":"escaped"}',
        line_of(FLAT | {"EventData": '{"Image":"from text"}'}),
    ]
    result, rows = read(lines, ("Image", "Computer"))
    assert result.n_accepted == len(lines)
    assert [row["Image"] for _, row in rows] == [
        "i", MISSING, MISSING, "i", "true", "1.5", "n", "spaced", "escaped", "from text",
    ]  # fmt: skip
    assert [row["Computer"] for _, row in rows][:4] == ["H", "C", "H", "H"]


HOSTILE = [
    (b"", None),
    (b"   ", None),
    (b"\xef\xbb\xbf" + line_of(FLAT), ""),
    (b"junk", "not JSON"),
    (b"\x00\x01\xff", "not JSON"),
    (b"[1]", "array"),
    (b"null", "null"),
    (b"12", "number"),
    (b'"text"', "string"),
    (b"true", "boolean"),
    (b'{"EventID":1,"Channel":"x"', "not JSON"),
    (b'{"EventID":1}{"EventID":2}', "not JSON"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
    (b'{"EventID":1,"a":' + b'{"b":' * 5_000 + b"1" + b"}" * 5_001, "nested too deep"),
    (b'{"EventID":1,"Channel":"x","a":"' + b"x" * 2_000_000 + b'"}', "too long"),
]


@pytest.mark.parametrize(("line", "why"), HOSTILE)
def test_hostile_line_is_refused_with_its_reason_and_harms_no_other(line: bytes, why: str | None) -> None:
    result, rows = read([line_of(FLAT), line, line_of(FLAT)])
    assert {1, 3} <= {record for record, _ in rows}
    assert result.n_read == result.n_accepted + len(result.rejects)
    if why:
        assert [(reject.record, why in reject.why) for reject in result.rejects] == [(2, True)]
    else:
        assert result.rejects == ()


def test_reject_shows_no_control_characters_and_little_text() -> None:
    result, _ = read([b"\x1b[31m" + b"x" * 5_000])
    assert len(result.rejects[0].why) < 300
    assert result.rejects[0].why.isprintable()


def test_lone_surrogate_and_control_characters_are_read() -> None:
    head = b'{"EventID":1,"Channel":"' + SYSMON.encode() + b'","Image":"'
    _, rows = read([head + tail for tail in (rb'\ud800x"}', b'a\x00b"}', b'\xff"}', b'a\tb"}')], ("Image",))
    assert [row["Image"] for _, row in rows] == ["\ud800x", "a\x00b", r"\xff", "a\tb"]


def test_number_with_thousands_of_digits_is_read() -> None:
    line = b'{"EventID":1,"Channel":"x","Image":' + b"9" * 5_000 + b"}"
    result, _ = read([line], ("Image",))
    assert result.n_accepted == 1


def test_of_duplicate_keys_the_last_counts_on_either_way_of_reading() -> None:
    fast = b'{"EventID":1,"Channel":"' + SYSMON.encode() + b'","Image":"a","Image":"b"}'
    slow = b'{"x":"\\ud800",' + fast[1:]
    assert [row["Image"] for _, row in read([fast, fast, slow], ("Image",))[1]] == ["b", "b", "b"]


def test_record_numbers_go_on_from_the_first() -> None:
    result, rows = read([line_of(FLAT), b"junk", line_of(FLAT)], first_record=100)
    assert [record for record, _ in rows] == [100, 102]
    assert result.rejects[0].record == 101


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
keys = st.sampled_from(
    ["EventID", "Channel", "Event", "System", "EventData", "UserData", "winlog", "event_data", "Data", "#text", "Image",
     "#attributes", "Name", "Hashes", "ObjectName", "TimeCreated", "@timestamp", "SyslogMessage", "Hostname"]
)  # fmt: skip
odd = st.recursive(trees, lambda inner: st.dictionaries(keys, inner, max_size=5), max_leaves=12)
odd_lines = st.dictionaries(keys, odd | st.sampled_from([1, 4688, 4657, "1", SYSMON, "Security"]), max_size=7).map(
    lambda record: json.dumps(record).encode()
)


@settings(max_examples=300)
@given(st.lists(st.one_of(odd_lines, st.binary(max_size=60), st.just(line_of(FLAT))), max_size=8))
def test_every_record_is_accepted_or_rejected_once(lines: list[bytes]) -> None:
    data = b"\n".join([*lines, *lines])  # the second time by the readers made for the first
    chunk = Chunk(path="p", format=Format.WINDOWS, first_record=1, data=data, read_at=datetime(2026, 1, 1, tzinfo=UTC))

    def wanted(_: Route) -> tuple[str, ...]:
        return (*NAMES, "Data", "TargetObject")

    result = normalise_windows(chunk, wanted)
    assert result.n_accepted + len(result.rejects) == result.n_read
    numbers = [number for batch in result.batches for number in batch.records] + [one.record for one in result.rejects]
    assert len(set(numbers)) == len(numbers) == result.n_read
    for batch in result.batches:
        assert all(hash(row) is not None and len(row) == len(batch.fields) for row in batch.rows)
        for line, row in zip(batch.lines, batch.rows, strict=True):
            event = detail_windows(line)
            assert event.route == batch.route
            shown = [plain(event.fields.get(name, MISSING)) for name in batch.fields]
            assert [value for value in shown if value is not None] == [
                value for value, also in zip(row, shown, strict=True) if also is not None
            ]


@given(st.binary(max_size=200))
def test_object_of_any_bytes_is_an_object_or_a_reason(line: bytes) -> None:
    assert isinstance(object_of(line), dict | str)

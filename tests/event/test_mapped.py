"""Records read by a mapping: every line is an event, a reject with its reason, or no record; what came is kept."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amagasa.event.mapped import format_of, pairs_of
from amagasa.event.mapping import LogMapping, read_mapping
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Event, LogSource, Normalised

READ_AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def mapping(head: str, rest: str = "") -> LogMapping:
    found = read_mapping(f'{head}\nname = "acme"\n[logsource]\nproduct = "acme"\n{rest}')
    assert isinstance(found, LogMapping), found
    return found


def read(data: bytes, by: LogMapping, *wanted: str) -> Normalised:
    chunk = Chunk(path="a.log", format=format_of(by), first_record=1, data=data, read_at=READ_AT, mapping=by)
    return normalise(chunk, lambda _: wanted)


def events(data: bytes, by: LogMapping) -> list[Event]:
    return [detail(batch, index) for batch in read(data, by).batches for index in range(len(batch.rows))]


CSV = mapping('kind = "csv"\ncolumns = ["when", "client", "url", ""]', '[fields]\nc-ip = "client"\n')


def test_csv_gives_rows_rejects_and_passes_over_its_header() -> None:
    data = b'when,client,url,\n1,192.0.2.1,"http://a/b,c",x\nshort\n2,-,"broken\n'
    found = read(data, CSV, "c-ip", "url", "nothing")
    assert (found.n_read, found.n_accepted) == (3, 1)
    assert [one.record for one in found.rejects] == [3, 4]
    assert "expected 4 cells" in found.rejects[0].why
    (batch,) = found.batches
    assert batch.rows[0][:2] == ("192.0.2.1", "http://a/b,c")
    assert batch.lines == [b'1,192.0.2.1,"http://a/b,c",x']
    assert batch.route.sources == (LogSource(product="acme"),)


def test_csv_of_an_absent_value_has_no_such_field() -> None:
    (event,) = events(b"1,-,/x,\n", CSV)
    assert dict(event.fields) == {"when": "1", "url": "/x"}


def test_fields_are_renamed_typed_and_translated_and_others_stay() -> None:
    by = mapping(
        'kind = "json"',
        """[fields]
c-ip = { from = ["client.ip", "peer"] }
status = { from = "code", type = "int" }
tags = { from = "labels", type = "list", separator = "|" }
action = { from = "code", values = { "403" = "blocked" } }
dvc = { value = "p1" }
""",
    )
    line = b'{"client":{"ip":"192.0.2.1"},"code":"403","labels":"a| b|","more":{"x":1}}\n'
    (event,) = events(line, by)
    assert dict(event.fields) == {
        "c-ip": "192.0.2.1",
        "status": 403,
        "tags": ["a", "b"],
        "action": "blocked",
        "dvc": "p1",
        "client.ip": "192.0.2.1",
        "code": "403",
        "labels": "a| b|",
        "more.x": 1,
    }
    assert read(line, by, "c-ip", "status", "more.x").batches[0].rows == [("192.0.2.1", 403, 1)]


def test_other_fields_are_left_out_where_the_mapping_says_so() -> None:
    by = mapping('kind = "json"\nothers = false', '[fields]\na = "b"\n')
    assert dict(events(b'{"b":1,"c":2}\n', by)[0].fields) == {"a": 1}
    assert read(b'{"b":1,"c":2}\n', by, "a", "c").batches[0].rows[0][0] == 1


def test_a_pattern_reads_whole_lines_and_skip_passes_over_comments() -> None:
    by = mapping(r"""kind = "pattern"
pattern = '(?P<ip>[0-9.]+) (?P<what>\S+)(?: (?P<more>.*))?'
skip = '^\s*#'""")
    found = read(b"# comment\n192.0.2.1 login\nno match here at all\n", by, "ip", "more")
    assert (found.n_read, found.n_accepted) == (2, 1)
    assert "does not fit the pattern; got no match" in found.rejects[0].why


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ('prefix text a="x \\"y\\" z" b=', {"a": 'x "y" z', "b": ""}),
        ("a=1,b=2;", {"a": "1,b=2"}),
        ('"a"=1 a=2', {"a": "1"}),
        ('a="open', {"a": "open"}),
        ("= x=", {"x": ""}),
        ("no sign", {}),
    ],
)
def test_pairs_of_reads_keys_and_values(text: str, pairs: dict[str, str]) -> None:
    assert pairs_of(text, "=") == pairs


@pytest.mark.parametrize(
    ("time", "value", "at"),
    [
        ('format = "%d/%m/%Y %H:%M:%S"\nzone = "Asia/Tokyo"', "26/11/2026 09:15:00", "2026-11-26T00:15:00"),
        ('format = "%d/%b/%Y:%H:%M:%S %z"\nzone = "Asia/Tokyo"', "26/Nov/2026:09:15:00 +0000", "2026-11-26T09:15:00"),
        ('format = "%b %d %H:%M:%S"', "Dec 31 23:59:00", "2025-12-31T23:59:00"),
        ('format = "%b %d %H:%M:%S"', "Feb 29 10:00:00", "2024-02-29T10:00:00"),
        ('zone = "+09:00"', "2026-11-26T09:15:00", "2026-11-26T00:15:00"),
        ('zone = "-0330"', "2026-11-26 09:15:00", "2026-11-26T12:45:00"),
        ('format = "epoch"\nzone = "Asia/Tokyo"', "1764148500", "2025-11-26T09:15:00"),
        ("", "1764148500123", "2025-11-26T09:15:00.123000"),
        ('format = "%Y"', "no year", None),
        ("", "soon", None),
    ],
)
def test_the_time_is_read_as_the_mapping_says(time: str, value: str, at: str | None) -> None:
    by = mapping('kind = "csv"\ncolumns = ["when"]\nseparator = "\\t"', f'[time]\nfield = "when"\n{time}\n')
    (event,) = events(value.encode() + b"\n", by)
    assert event.event_at == (None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC))


KINDS = [
    CSV,
    mapping('kind = "json"'),
    mapping('kind = "key_value"', '[fields]\na = { from = "b", type = "list" }\n'),
    mapping("kind = \"pattern\"\npattern = '(?P<a>[^ ]*) ?(?P<b>.*)'", '[time]\nfield = "a"\n'),
]


@given(st.sampled_from(KINDS), st.lists(st.binary(max_size=60) | st.just(b"1,192.0.2.1,/x,"), max_size=6))
@example(KINDS[0], [b'"' * 50, b"\x00,\x00,\x00,\x00", b"\xff,\xfe,,"])
@example(KINDS[1], [b"[" * 50_000, b'{"a":' * 2_000])
@example(KINDS[2], [b'a="' * 5_000, b"=" * 5_000])
def test_whatever_the_lines_are_each_is_accepted_or_rejected(by: LogMapping, lines: list[bytes]) -> None:
    found = read(b"\n".join(lines) + b"\n", by, "a", "c-ip")
    assert found.n_accepted + len(found.rejects) == found.n_read
    assert found.n_accepted == sum(len(batch.rows) for batch in found.batches)
    for batch in found.batches:
        for index, row in enumerate(batch.rows):
            hash(row)
            names: dict[str, Any] = dict(detail(batch, index).fields)
            assert all(isinstance(name, str) for name in names)


JAPANESE = '[fields]\nuser = "who"\n'


@pytest.mark.parametrize("encoding", ["cp932", "Shift_JIS", "euc-jp", "EUC_JP", "iso-2022-jp", "utf-8", "gb18030"])
def test_text_is_read_in_the_encoding_that_the_mapping_names(encoding: str) -> None:
    by = mapping(f'kind = "key_value"\nencoding = "{encoding}"', JAPANESE)
    line = 'who="表示 山田" act=能'.encode(encoding.replace("Shift_JIS", "cp932"))
    (event,) = events(line + b"\n", by)
    assert dict(event.fields) == {"user": "表示 山田", "act": "能", "who": "表示 山田"}


def test_json_in_another_encoding_is_an_object_and_its_line_shows_the_words() -> None:
    by = mapping('kind = "json"\nencoding = "cp932"', JAPANESE)
    found = read('{"who": "山田"}\n'.encode("cp932"), by, "user")
    assert found.batches[0].rows == [("山田",)]
    assert found.batches[0].lines == ['{"who": "山田"}'.encode()]


def test_bytes_that_are_not_of_the_encoding_are_a_reject_which_says_where() -> None:
    by = mapping('kind = "key_value"\nencoding = "euc-jp"', JAPANESE)
    found = read(b"who=a\n" + "who=山田\n".encode("cp932") + b"who=b\n", by)
    assert (found.n_read, found.n_accepted, [one.record for one in found.rejects]) == (3, 2, [2])
    assert "not euc-jp, as the mapping says: byte 5 is 8e" in found.rejects[0].why

"""Access logs: fields as Sigma names them, odd lines, hostile lines."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.access import GROUPS, WEBSERVER, detail_access
from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.record import MISSING, Format, LogSource
from amagasa.event.route import applies
from tests.event.chunks import HOSTILE_S, cpu_s, read

HEAD = b'203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "'
COMBINED = HEAD + b'GET /a/b.php?id=1%27&x=a+b HTTP/1.1" 200 2020 "http://x.example/" "Mozilla/5.0 (X11)"\n'
MEGABYTE = MAX_LINE_BYTES - 200


def fields_of(line: bytes) -> dict[str, Any]:
    found = read(Format.ACCESS, line, fields=("c-ip",))
    assert found.rejects == ()
    return dict(detail_access(found.batches[0].lines[0]).fields)


def test_access_combined_line_shows_every_field() -> None:
    assert fields_of(COMBINED) == {
        "c-ip": "203.0.113.7",
        "date": "2016-12-22",
        "time": "15:19:05",
        "cs-method": "GET",
        "cs-uri": "/a/b.php?id=1%27&x=a+b",
        "cs-uri-stem": "/a/b.php",
        "cs-uri-query": "id=1%27&x=a+b",
        "cs-uri-decoded": "/a/b.php?id=1'&x=a b",
        "cs-version": "HTTP/1.1",
        "cs-request": "GET /a/b.php?id=1%27&x=a+b HTTP/1.1",
        "sc-status": 200,
        "sc-bytes": 2020,
        "cs-referer": "http://x.example/",
        "cs-user-agent": "Mozilla/5.0 (X11)",
    }


def test_access_time_carries_its_offset() -> None:
    assert detail_access(COMBINED).event_at == datetime(2016, 12, 22, 12, 19, 5, tzinfo=UTC)


def test_access_rows_hold_wanted_columns_in_their_order_and_nothing_else() -> None:
    wanted = ("sc-status", "cs-uri-query", "nothing", "CS-Method", "c-useragent", "_raw")
    found = read(Format.ACCESS, COMBINED, fields=wanted)
    query = ("id=1%27&x=a+b", "/a/b.php?id=1%27&x=a+b")
    assert found.batches[0].rows == [(200, query, MISSING, "GET", "Mozilla/5.0 (X11)", COMBINED.decode().strip())]


def test_access_query_of_a_request_without_one_is_matched_against_the_path() -> None:
    found = read(Format.ACCESS, HEAD + b'GET /vpns/cfg/smb.conf HTTP/1.1" 200 5\n', fields=("cs-uri-query",))
    assert found.batches[0].rows == [("/vpns/cfg/smb.conf",)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (HEAD + b'GET / HTTP/1.1" 200 -\n', {"sc-bytes": None, "cs-referer": None, "cs-user-agent": None}),
        (HEAD + b'GET / HTTP/1.1" 304 0 "-" "-"\n', {"sc-bytes": 0, "cs-referer": None, "cs-user-agent": None}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "" ""\n', {"cs-referer": "", "cs-user-agent": ""}),
        (HEAD + b'GET /? HTTP/1.1" 200 5\n', {"cs-uri-query": "", "cs-uri-stem": "/"}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "-" "x" 0.003 "y" z\n', {"cs-user-agent": "x"}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "-" "x" \r\n', {"cs-user-agent": "x"}),
        (HEAD + rb'GET /a\"b?c=\"d HTTP/1.1" 200 5' + b"\n", {"cs-uri-stem": r"/a\"b", "cs-uri-decoded": '/a"b?c="d'}),
        (HEAD + rb'GET / HTTP/1.1" 200 5 "-" "() { :;}; \"x\""' + b"\n", {"cs-user-agent": r'() { :;}; \"x\"'}),
        (HEAD + rb'\x16\x03\x01\x02" 400 226 "-" "-"' + b"\n", {"cs-request": r"\x16\x03\x01\x02", "cs-uri": None}),
        (HEAD + b'-" 408 - "-" "-"\n', {"cs-request": "-", "cs-method": None, "sc-status": 408}),
        (HEAD + b'" 400 0 "-" "-"\n', {"cs-request": "", "sc-status": 400}),
        (HEAD + b'GET /old" 200 5\n', {"cs-uri": "/old", "cs-version": None}),
        (HEAD + b'GET /a b c HTTP/1.1" 404 5\n', {"cs-uri": "/a b c", "cs-version": "HTTP/1.1"}),
        (HEAD + b'GET /"><script> HTTP/1.1" 404 5 "-" "x"\n', {"cs-uri": '/"><script>', "cs-user-agent": "x"}),
        (HEAD.replace(b"203.0.113.7", b"2001:db8::7") + b'GET / HTTP/2.0" 200 5\n', {"c-ip": "2001:db8::7"}),
        (b"www.x.example:443 " + COMBINED, {"c-ip": "203.0.113.7", "cs-host": "www.x.example"}),
        (HEAD.replace(b"- - ", b"- sato ") + b'GET / HTTP/1.1" 401 5\n', {"cs-username": "sato"}),
        (HEAD.replace(b"- - ", b"- two words ") + b'GET / HTTP/1.1" 401 5\n', {"cs-username": "two words"}),
        (HEAD.replace(b"203.0.113.7", b"host.example.com") + b'GET / HTTP/1.1" 200 5\n', {"c-ip": "host.example.com"}),
        (HEAD + b'GET /\xff\xfe HTTP/1.1" 200 5\n', {"cs-uri": "/\ufffd\ufffd"}),
        (HEAD + b'GET /a\x00b HTTP/1.1" 200 5\n', {"cs-uri": "/a\x00b"}),
        (HEAD + b'GET / HTTP/1.1" 200 99999999999999999999999 "-" "x"\n', {"sc-bytes": None, "cs-user-agent": "x"}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "-" "a "b" c"\n', {"cs-referer": None, "cs-user-agent": 'a "b" c'}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "r"s" "a"\n', {"cs-referer": 'r"s', "cs-user-agent": "a"}),
        (HEAD + b'GET / HTTP/1.1" 200 5 "r"s\n', {"cs-referer": 'r"s', "cs-user-agent": None}),
    ],
)  # fmt: skip
def test_access_odd_line_is_accepted_and_shows(line: bytes, expected: dict[str, Any]) -> None:
    shown = fields_of(line)
    assert {name: shown.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"\x00\x01\x02\n",
        b'{"EventID": 1}\n',
        HEAD + b"GET / HTTP/1.1\n",
        HEAD + b'GET / HTTP/1.1" two 5\n',
        b'[22/Dec/2016:15:19:05 +0300] "GET / HTTP/1.1" 200 5\n',
        b"Mar 27 13:06:56 host sshd[1]: Server listening\n",
    ],
)
def test_access_other_line_is_rejected_with_its_reason(line: bytes) -> None:
    found = read(Format.ACCESS, COMBINED, line, COMBINED)
    assert [(reject.record, reject.code) for reject in found.rejects] == [(2, "AMG-EVENT-011")]
    assert found.batches[0].records == [1, 3]


def test_access_blank_lines_are_no_records_but_have_numbers() -> None:
    found = read(Format.ACCESS, COMBINED, b"\n", b" \t\r\n", COMBINED, b"\n", first_record=10)
    assert found.n_read == 2
    assert found.batches[0].records == [10, 13]


def test_access_byte_order_mark_at_the_head_is_no_part_of_the_address() -> None:
    assert fields_of(b"\xef\xbb\xbf" + COMBINED)["c-ip"] == "203.0.113.7"


def test_access_line_over_the_limit_is_rejected_and_the_next_is_read() -> None:
    found = read(Format.ACCESS, b"x" * (MAX_LINE_BYTES + 1) + b"\n", COMBINED)
    assert [(reject.record, reject.code) for reject in found.rejects] == [(1, "AMG-EVENT-001")]
    assert found.n_accepted == 1


@pytest.mark.parametrize(
    "line",
    [
        b'[a] "' * (MEGABYTE // 5),
        HEAD + b'"' * MEGABYTE,
        HEAD + b'\\"' * (MEGABYTE // 2),
        b" " * MEGABYTE + b"x",
        b"[" * MEGABYTE,
        HEAD + b"GET /" + b"a?" * (MEGABYTE // 2),
        HEAD + b'GET /x" ' + b'200 "' * (MEGABYTE // 5),
        HEAD + b'GET /x" 200 5 ' + b'"a"b" ' * (MEGABYTE // 6),
        HEAD + b"GET /" + b"%25" * (MEGABYTE // 3) + b' HTTP/1.1" 200 5',
        HEAD + b"GET /" + b"&#x3c;" * (MEGABYTE // 6) + b' HTTP/1.1" 200 5',
        b"a b " * (MEGABYTE // 4) + b'[22/Dec/2016:15:19:05 +0300] "GET / HTTP/1.1" 200 5',
    ],
    ids=range(11),
)
def test_access_hostile_line_costs_no_more_than_its_length(line: bytes) -> None:
    assert cpu_s(lambda: read(Format.ACCESS, line + b"\n", fields=("cs-uri-decoded", "cs-user-agent"))) < HOSTILE_S


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_access_any_bytes_are_read_or_rejected(lines: list[bytes]) -> None:
    read(Format.ACCESS, *(line + b"\n" for line in lines), fields=("c-ip", "cs-uri-decoded", "date", "_raw"))


request = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\\\n\r '), min_size=1, max_size=60)


@given(uri=request, agent=request)
def test_access_request_comes_back_as_it_was_logged(uri: str, agent: str) -> None:
    line = HEAD + f'GET /{uri} HTTP/1.1" 200 5 "-" "{agent}"\n'.encode()
    shown = fields_of(line)
    assert shown["cs-uri"] == "/" + uri
    assert shown.get("cs-user-agent") == (agent if agent != "-" else None)


@given(st.binary(max_size=300))
def test_access_detail_of_any_line_never_raises(line: bytes) -> None:
    assert detail_access(line.replace(b"\n", b" ")).route is WEBSERVER


def test_access_route_serves_rules_for_web_servers_only() -> None:
    assert applies(LogSource(category="webserver"), WEBSERVER)
    assert applies(LogSource(category="webserver", product="nginx"), WEBSERVER)
    assert not applies(LogSource(service="apache"), WEBSERVER)
    assert not applies(LogSource(category="proxy"), WEBSERVER)


@pytest.mark.parametrize("tail", ["", ' "http://x.example/"', ' "-" "Agent \\" x"', ' "" ""', ' "a" "b" 0.1'])
@pytest.mark.parametrize("request_", ["GET /a%20b?q=1 HTTP/1.1", "GET /? HTTP/2", "HEAD / HTTP/1.0"])
def test_detail_of_an_ordinary_line_is_what_the_rows_say(request_: str, tail: str) -> None:
    line = f'203.0.113.9 - "-" [22/Dec/2016:15:19:05 +0300] "{request_}" 200 -{tail}'.encode()
    names = [name for name in GROUPS if name != "cs-uri-query"]
    (batch,) = read(Format.ACCESS, line + b"\n", fields=tuple(names)).batches
    row = {name: value for name, value in zip(names, batch.rows[0], strict=True) if value is not MISSING}
    fields = dict(detail_access(line).fields)
    assert {name: value for name, value in fields.items() if name != "cs-uri-query"} == row

"""Formats told by content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.record import Format
from amagasa.event.sniff import sniff
from tests.event.chunks import HOSTILE_S, cpu_s

ACCESS = b'203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "GET / HTTP/1.1" 200 20\n'
SYSLOG = b"Mar 27 13:06:56 gate sshd[1291]: Server listening\n"
WINDOWS = b'{"EventID":4688,"Channel":"Security","Hostname":"WS01"}\n'
JSON = b'{"event_type":"dns","src_ip":"203.0.113.7"}\n'
JUNK = b"what nobody could tell\n"


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (ACCESS, Format.ACCESS),
        (b"www.x.example:80 " + ACCESS, Format.ACCESS),
        (rb'203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "\x16\x03" 400 0 "-" "-"' + b"\r\n", Format.ACCESS),
        (SYSLOG, Format.SYSLOG),
        (b"<34>" + SYSLOG, Format.SYSLOG),
        (b"<34>1 2003-10-11T22:14:15Z h su - - - x\n", Format.SYSLOG),
        (b"172.16.5.10 6705: Feb 17 13:40:03.673: %PARSER-5-CFGLOG_LOGGEDCMD: User:x\n", Format.SYSLOG),
        (b"type=CWD msg=audit(1.5:2): cwd=/\n", Format.SYSLOG),
        (b"[Sun Dec 04 04:47:44 2005] [error] x\n", Format.SYSLOG),
        (WINDOWS, Format.WINDOWS),
        (b'{"Event":{"System":{"EventID":1}}}\n', Format.WINDOWS),
        (b'{"winlog":{"event_id":1,"channel":"x"}}\n', Format.WINDOWS),
        (b'{"event_id":1,"log_name":"x"}\n', Format.WINDOWS),
        (b'{"SyslogMessage":"<Event><System></System></Event>"}\n', Format.WINDOWS),
        (JSON, Format.JSON),
        (b'{"EventID":1}\n', Format.JSON),
        (b"\xef\xbb\xbf" + JSON, Format.JSON),
        (b"\n\n" + ACCESS, Format.ACCESS),
        (ACCESS.rstrip(), Format.ACCESS),
        (ACCESS + ACCESS[:30], Format.ACCESS),
        (WINDOWS[:40] + b'"' + b"x" * 100, Format.WINDOWS),
        (b'{"a":"' + b"x" * 1_000, Format.JSON),
        (ACCESS * 3 + SYSLOG, Format.ACCESS),
        (SYSLOG * 3 + ACCESS, Format.SYSLOG),
        (ACCESS * 5 + JUNK * 5, Format.ACCESS),
        (ACCESS + JUNK * 5, None),
        (JUNK, None),
        (b"", None),
        (b"\n\n", None),
        (b"\x00\x01\x02\xff" * 500, None),
        (b"\x7fELF" + b"\x00" * 5_000, None),
        (b"a,b,c\n1,2,3\n", None),
    ],
    ids=range(32),
)
def test_sniff_tells_the_format_of_most_lines(head: bytes, form: Format | None) -> None:
    assert sniff(head, "log") is form


@pytest.mark.parametrize(("name", "form"), [("access.log", Format.ACCESS), ("auth.log", Format.SYSLOG)])
def test_sniff_lets_the_name_break_a_tie_only(name: str, form: Format) -> None:
    assert sniff(ACCESS + SYSLOG, name) is form
    assert sniff(JSON, name) is Format.JSON


@pytest.mark.parametrize(
    "head",
    [
        b'{"a' + b'"EventID":' * 6_000,
        b'a [bbbbbbbbbbbb] "' * 3_600,
        b"{" * 65_536,
        b'"' * 65_536,
        b"<13>" * 16_000,
        b"[" * 65_536,
        (b"{" * 1_000 + b"\n") * 65,
    ],
    ids=range(7),
)
def test_sniff_hostile_head_costs_no_more_than_its_length(head: bytes) -> None:
    assert cpu_s(lambda: sniff(head, "x")) < HOSTILE_S / 5


@given(st.binary(max_size=2_000), st.text(max_size=20))
def test_sniff_of_any_bytes_never_raises(head: bytes, name: str) -> None:
    sniff(head, name)


@given(
    st.dictionaries(
        st.sampled_from(["EventID", "Channel", "Event", "winlog", "x"]), st.integers() | st.text(), min_size=1
    )
)
def test_sniff_of_any_object_says_windows_or_json(record: dict[str, object]) -> None:
    assert sniff(json.dumps(record).encode() + b"\n", "x") in {Format.WINDOWS, Format.JSON}

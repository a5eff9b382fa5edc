"""All formats together: rows and whole events tell the same, and every record is accounted for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail
from amagasa.event.record import MISSING, Format
from amagasa.event.windows import plain
from tests.event.chunks import read

SAMPLES = {
    Format.ACCESS: (
        (
            b'203.0.113.7 - sato [22/Dec/2016:15:19:05 +0300] "GET /a HTTP/1.1" 200 20 "-" "x"\n'
            b'www.x.example 203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "POST /a%20b HTTP/1.1" 404 -\n'
            b'203.0.113.7 - - [22/Dec/2016:15:19:05 +0300] "\\x16\\x03" 400 0 "-" "-"\n'
        ),
        ("c-ip", "cs-username", "cs-method", "cs-uri", "cs-uri-decoded", "sc-status", "sc-bytes", "cs-host", "date"),
    ),
    Format.SYSLOG: (
        (
            b"Feb 27 13:08:09 gate sshd[1]: Failed password for root from 203.0.113.7 port 22 ssh2\n"
            b"Feb 27 13:08:09 gate sudo: sato : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id\n"
            b'type=EXECVE msg=audit(1.5:2): argc=2 a0="arp" a1=2D61\n'
            b"<189>12: *Mar  1 11:46:11.123: %SYS-5-CONFIG_I: Configured\n"
        ),
        ("hostname", "program", "message", "user", "USER", "src_ip", "src_port", "outcome", "a1", "mnemonic"),
    ),
    Format.JSON: (
        (
            b'{"event_type":"dns","src_ip":"203.0.113.7","dest_ip":"198.51.100.2","dns":{"rrname":"a.example"}}\n'
            b'{"eventName":"X","awsRegion":"y","userIdentity":{"type":"Root"},"tags":[{"k":1},{"k":true}]}\n'
            b'{"SyslogMessage":"Accepted password for u from 203.0.113.7 port 2","ProcessName":"sshd"}\n'
        ),
        ("event_type", "dst_ip", "query", "userIdentity.type", "tags.k", "src_ip", "user", "message", "nothing"),
    ),
    Format.WINDOWS: (
        (
            b'{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Image":"C:\\\\a.exe","x":null}\n'
            b'{"Event":{"System":{"EventID":4625,"Channel":"Security"},"EventData":{"IpAddress":"203.0.113.7"}}}\n'
        ),
        ("Image", "IpAddress", "x", "nothing"),
    ),
}


@pytest.mark.parametrize("form", Format)
def test_normalise_rows_say_what_the_whole_event_says(form: Format) -> None:
    lines, fields = SAMPLES[form]
    found = read(form, lines, fields=fields)
    assert found.n_accepted == lines.count(b"\n")
    for batch in found.batches:
        for index, row in enumerate(batch.rows):
            event = detail(batch, index)
            shown = {name: plain(event.fields[name]) for name in fields if event.fields.get(name) is not None}
            held = {name: value for name, value in zip(fields, row, strict=True) if value not in (MISSING, None)}
            assert held == shown
            assert event.route == batch.route


@pytest.mark.parametrize("form", Format)
def test_normalise_sample_of_every_format_names_the_attacker(form: Format) -> None:
    found = read(form, SAMPLES[form][0])
    events = [detail(batch, index) for batch in found.batches for index in range(len(batch.lines))]
    assert "203.0.113.7" in {entity.value for event in events for entity in entities_of(event.fields)}


@given(st.sampled_from(Format), st.binary(max_size=300), st.integers(1, 1_000))
def test_normalise_any_bytes_in_any_format_are_accounted_for(form: Format, data: bytes, first: int) -> None:
    found = read(form, SAMPLES[form][0], data, fields=SAMPLES[form][1], first_record=first)
    assert found.n_accepted >= SAMPLES[form][0].count(b"\n")
    for batch in found.batches:
        for index in range(len(batch.rows)):
            entities_of(detail(batch, index).fields)

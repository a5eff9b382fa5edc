"""Check Point, nginx behind syslog, and Zeek's logs without their name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.checkpoint import of_checkpoint
from amagasa.event.error_logs import of_error_log
from amagasa.event.normalise import detail, normalise
from amagasa.event.products import route_of_record
from amagasa.event.record import Event, Format
from amagasa.event.sensor_services import ZEEK, zeek_service
from tests.event.chunks import chunk

PAIRS = r'[action:"Drop"; src:"198.51.100.7"; dst:"192.0.2.9"; s_port:"40000"; service:"22"; rule:"a \"b\" \] c"]'
HEAD = "<134>1 2026-11-26T10:00:00Z gw1 CheckPoint 7776 - "
NGINX = (
    "2026/11/26 10:00:00 [error] 801#801: *7 open() failed, client: 198.51.100.7, server: gov, "
    'request: "GET /.git/config HTTP/1.1", host: "gov.example"'
)


def event_of(line: str) -> Event:
    (batch,) = normalise(chunk(Format.SYSLOG, line.encode() + b"\n"), lambda _: ()).batches
    return detail(batch, 0)


@pytest.mark.parametrize("line", [HEAD + PAIRS, HEAD + "- " + PAIRS])
def test_checkpoint_is_a_firewall_wherever_its_pairs_stand(line: str) -> None:
    event = event_of(line)
    assert event.route.name == "checkpoint"
    assert (event.fields["src_ip"], event.fields["src_port"], event.fields["dst_port"]) == ("198.51.100.7", 40000, 22)
    assert event.fields["rule"] == 'a "b" ] c'


def test_pairs_of_another_program_are_not_checkpoints() -> None:
    assert event_of(HEAD.replace("CheckPoint", "other") + PAIRS).route.name == "linux/syslog"


def test_nginx_behind_syslog_shows_client_request_and_host() -> None:
    event = event_of("Nov 26 10:00:00 web nginx: " + NGINX)
    assert event.route.name == "nginx/error"
    fields = event.fields
    assert (fields["src_ip"], fields["cs-method"], fields["c-uri"]) == ("198.51.100.7", "GET", "/.git/config")
    assert (fields["cs-host"], fields["hostname"]) == ("gov.example", "web")


@pytest.mark.parametrize(
    ("service", "fields"),
    [
        ("dns", "ts uid id.orig_h query trans_id qtype_name"),
        ("http", "ts uid id.orig_h trans_depth request_body_len method host uri"),
        ("conn", "ts uid id.orig_h proto conn_state history"),
        ("ssl", "ts uid id.orig_h version established resumed"),
        ("files", "ts uid id.orig_h fuid source depth"),
        ("", "ts uid id.orig_h other"),
    ],
)
def test_zeek_without_its_path_is_told_by_its_fields(service: str, fields: str) -> None:
    record = dict.fromkeys(fields.split(), "x")
    assert route_of_record(record).name == f"zeek/{service}".rstrip("/")
    assert zeek_service(record) is None or zeek_service(record) in ZEEK


@given(st.text(max_size=400) | st.from_regex(r'\[(?:[a-z]{1,3}:"[^"]{0,4}"; ?){0,5}', fullmatch=True))
def test_any_text_is_read_or_is_not(text: str) -> None:
    for read in (of_checkpoint, of_error_log):
        said = read(text)
        assert said is None or said[1]

"""Records in the envelopes of collectors: what is taken out, what stays, and that nothing is lost or counted twice."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.normalise import detail, newest_instant, normalise
from amagasa.event.record import Chunk, Event, Format

NOW = datetime(2026, 11, 27, 21, tzinfo=UTC)
EVE = '{"timestamp":"2026-11-27T20:00:00.000+0000","event_type":"alert","src_ip":"203.0.113.9"}'
SYSMON = (
    '{"EventTime":"2026-11-27 20:00:00","EventID":1,"SourceName":"Microsoft-Windows-Sysmon",'
    '"Channel":"Microsoft-Windows-Sysmon/Operational","Image":"C:\\\\a.exe"}'
)
ACCESS = '203.0.113.9 - - [27/Nov/2026:20:00:02 +0000] "GET /a HTTP/1.1" 200 5 "-" "agent"'
SSHD = "<38>Nov 27 20:00:00 web1 sshd[7]: Failed password for root from 203.0.113.9 port 22 ssh2"


def chunk_of(*lines: str, form: Format, first: int = 1) -> Chunk:
    data = "".join(f"{line}\n" for line in lines).encode()
    return Chunk(path="a", format=form, first_record=first, data=data, read_at=NOW)


def events_of(chunk: Chunk) -> dict[int, Event]:
    """By the number of the record."""
    batches = normalise(chunk, lambda _: ()).batches
    return {number: detail(batch, index) for batch in batches for index, number in enumerate(batch.records)}


def routes_of(*lines: str, form: Format) -> list[str]:
    events = events_of(chunk_of(*lines, form=form))
    return [events[number].route.name for number in sorted(events)]


@pytest.mark.parametrize(
    ("line", "route"),
    [
        (f"Nov 27 20:00:00 s1 suricata[1]: {EVE}", "suricata/alert"),
        (f"Nov 27 20:00:00 s1 suricata[1]: @cee: {EVE}", "suricata/alert"),
        (f"<134>1 2026-11-27T20:00:01Z s1 suricata 5 - - @cee:{EVE}", "suricata/alert"),
        (f'<134>1 2026-11-27T20:00:01Z s1 suricata 5 - [a@1 b="c"] {EVE}', "suricata/alert"),
        (f"<13>Nov 27 20:00:00 win7 Microsoft-Windows-Sysmon[1]: {SYSMON}", "windows/sysmon-operational/1"),
        (f"Nov 27 20:00:00 web1 nginx: {ACCESS}", "webserver"),
        (f"<190>Nov 27 20:00:00 web1 httpd[12]: {ACCESS}", "webserver"),
        # What only looks like it.
        ('Nov 27 20:00:00 web1 app: {"hello": "world"}', "linux/syslog"),
        (f"Nov 27 20:00:00 web1 app: {EVE} and more", "linux/syslog"),
        (f"Nov 27 20:00:00 web1 app: {ACCESS}", "linux/syslog"),
        # A program whose messages an attacker writes.
        (f"Nov 27 20:00:00 web1 sshd[1]: {EVE}", "linux/sshd"),
        (f"Nov 27 20:00:00 web1 sudo: {EVE}", "linux/sudo"),
    ],
)
def test_line_of_syslog_is_read_as_what_it_holds_where_that_has_a_source_of_its_own(line: str, route: str) -> None:
    assert routes_of(line, form=Format.SYSLOG) == [route]


@pytest.mark.parametrize(
    ("record", "route"),
    [
        ({"log": ACCESS + "\n", "stream": "stdout"}, "webserver"),
        ({"message": SSHD, "host": "x"}, "linux/sshd"),
        ({"message": SSHD.removeprefix("<38>")}, "linux/sshd"),
        ({"event": json.loads(EVE), "sourcetype": "suricata"}, "suricata/alert"),
        ({"message": EVE}, "suricata/alert"),
        ({"message": SYSMON, "tags": ["x"]}, "windows/sysmon-operational/1"),
        ({"message": '{"hello": 1}'}, "json"),
        ({"message": "2026-11-27T20:00:00Z web1 app: text"}, "json"),
        ({"message": EVE + "\n" + EVE}, "json"),
        ({"message": {"message": EVE}}, "json"),
        # A known record is what it is, whatever its texts say.
        (json.loads(EVE) | {"message": SSHD}, "suricata/alert"),
    ],
)
def test_object_of_no_known_kind_is_read_as_what_it_holds(record: dict[str, Any], route: str) -> None:
    assert routes_of(json.dumps(record), form=Format.JSON) == [route]


def test_records_keep_their_numbers_among_lines_that_are_in_no_envelope() -> None:
    chunk = chunk_of(
        "Nov 27 20:00:00 web1 cron[1]: (root) CMD (a)",
        "",
        f"Nov 27 20:00:00 s1 suricata[1]: {EVE}",
        "not syslog at all",
        f"Nov 27 20:00:00 web1 nginx: {ACCESS}\r",
        form=Format.SYSLOG,
        first=100,
    )
    found = normalise(chunk, lambda _: ())
    assert {number: event.route.name for number, event in events_of(chunk).items()} == {
        100: "linux/cron",
        102: "suricata/alert",
        104: "webserver",
    }
    assert [one.record for one in found.rejects] == [103]
    assert (found.n_read, found.n_accepted) == (4, 3)


def test_host_of_the_header_goes_into_an_object_that_names_none() -> None:
    other = EVE.replace('"src_ip"', '"host":"own","src_ip"')
    lines = (f"Nov 27 20:00:00 s1 suricata[1]: {EVE}", f"Nov 27 20:00:00 s1 suricata[1]: {other}")
    events = events_of(chunk_of(*lines, form=Format.SYSLOG))
    assert events[1].fields["hostname"] == "s1"
    assert "hostname" not in events[2].fields


def test_time_of_the_last_record_is_that_of_what_the_envelope_holds() -> None:
    chunk = chunk_of(f"Nov 27 12:00:00 s1 suricata[1]: {EVE}", form=Format.SYSLOG)
    assert newest_instant(chunk) == datetime(2026, 11, 27, 20, tzinfo=UTC)


@given(
    lines=st.lists(
        st.text(max_size=30).map(lambda text: text.replace("\n", " "))
        | st.sampled_from([EVE, SSHD, ACCESS, "", f"Nov 27 20:00:00 a nginx: {ACCESS}", f"Nov 27 20:00:00 a b: {EVE}"])
        | st.sampled_from([EVE, SSHD, ACCESS]).map(lambda text: json.dumps({"message": text}))
        | st.text(max_size=9).map(lambda text: f'Nov 27 20:00:00 a b: @cee: {{"{text}": ['.replace("\n", " ")),
        max_size=8,
    ),
    form=st.sampled_from([Format.SYSLOG, Format.JSON]),
)
def test_every_record_is_counted_once_whatever_envelope_it_is_in(lines: list[str], form: Format) -> None:
    chunk = chunk_of(*lines, form=form, first=7)
    found = normalise(chunk, lambda _: ())
    numbers = [number for batch in found.batches if "@" not in batch.route.name for number in batch.records]
    numbers += [one.record for one in found.rejects]
    assert sorted(numbers) == sorted(set(numbers))
    assert found.n_accepted + len(found.rejects) == found.n_read == len(numbers)
    assert all(detail(batch, index).route.name == batch.route.name for batch in found.batches for index in range(1))

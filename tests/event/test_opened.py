"""What a JSON object carries inside a text."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.normalise import detail, normalise
from amagasa.event.opened import opened
from amagasa.event.record import EventBatch, Format
from tests.event.chunks import chunk

XML = (
    "<Event><System><EventID>1</EventID><Channel>Linux-Sysmon/Operational</Channel></System>"
    '<EventData><Data Name="Image">/usr/bin/curl</Data></EventData></Event>'
)


def batch_of(record: dict[str, Any], *fields: str) -> EventBatch:
    (batch,) = normalise(chunk(Format.JSON, msgspec.json.encode(record) + b"\n"), lambda _: fields).batches
    return batch


def test_message_of_bytes_is_read_as_the_text_it_is() -> None:
    said = b"Failed password for ro\xffot from 198.51.100.7 port 40000 ssh2"
    batch = batch_of({"SYSLOG_IDENTIFIER": "sshd", "MESSAGE": list(said)}, "user", "src_ip")
    assert batch.route.name == "linux/sshd@MESSAGE"
    assert batch.rows == [("ro\\xffot", "198.51.100.7")]
    assert b"Failed password" in batch.lines[0]  # where keywords are looked for
    assert detail(batch, 0).fields["message"].startswith("Failed password for ro\\xffot")


def test_list_that_is_no_bytes_stays_as_it_is() -> None:
    record = {"MESSAGE": [1, 2, 256]}
    assert opened(record) is record


def test_sysmon_in_the_journal_is_an_event_of_sysmon() -> None:
    batch = batch_of({"SYSLOG_IDENTIFIER": "sysmon", "MESSAGE": XML}, "Image")
    assert (batch.route.name, batch.rows) == ("linux/sysmon/1", [("/usr/bin/curl",)])


def test_xml_of_another_program_is_a_message() -> None:
    assert batch_of({"SYSLOG_IDENTIFIER": "logger", "MESSAGE": XML}).route.name == "linux/syslog@MESSAGE"


def test_audit_data_of_microsoft_365_are_its_fields() -> None:
    inner = {"Operation": "New-InboxRule", "Workload": "Exchange", "CreationTime": "2026-11-26T10:00:00"}
    batch = batch_of({"Operations": "New-InboxRule", "AuditData": json.dumps(inner)}, "Operation")
    assert (batch.route.name, batch.rows) == ("m365/audit", [("New-InboxRule",)])
    assert detail(batch, 0).event_at is not None


@pytest.mark.parametrize("text", ["", "{", "[]", "{not json", "null"])
def test_audit_data_that_is_no_object_stays_text(text: str) -> None:
    record = {"AuditData": text}
    assert opened(record) == record


@given(
    st.dictionaries(
        st.sampled_from(["MESSAGE", "SYSLOG_IDENTIFIER", "AuditData", "Channel"]),
        st.sampled_from(["sysmon", XML, "{}", '{"Operation": 1}', "<Event>"])
        | st.text()
        | st.lists(st.integers(-1, 300) | st.text(max_size=2), max_size=5),
    )
)
def test_opening_twice_changes_nothing(record: dict[str, Any]) -> None:
    once = opened(record)
    assert opened(once) == once

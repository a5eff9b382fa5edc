"""Events in the classes of OCSF: what each class requires is there, whatever the fields hold."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.ocsf import REQUIRED, event_of, kind_of, missing_of

AT = datetime(2026, 11, 26, 10, tzinfo=UTC)
SYSMON = "Microsoft-Windows-Sysmon/Operational"
HOST = {"Channel": SYSMON, "Computer": "pc-17", "Image": r"C:\a\b.exe", "ProcessId": 7, "User": "tanaka"}
CASES: tuple[tuple[int, int, dict[str, Any]], ...] = (
    (1007, 1, HOST | {"EventID": 1, "CommandLine": "b -x", "ParentImage": r"C:\p.exe", "ParentProcessId": 6}),
    (1007, 3, HOST | {"EventID": 10, "SourceImage": r"C:\s.exe", "TargetImage": r"C:\t.exe", "TargetProcessId": "0x8"}),
    (1001, 1, HOST | {"EventID": 11, "TargetFilename": r"C:\t\x.txt"}),
    (1001, 4, HOST | {"EventID": 23, "TargetFilename": r"C:\t\x.txt"}),
    (1005, 1, HOST | {"EventID": 7, "ImageLoaded": r"C:\l.dll", "Hashes": "MD5=0123456789ABCDEF0123456789ABCDEF"}),
    (201_001, 99, HOST | {"EventID": 12, "TargetObject": r"HKLM\Software\Run"}),
    (201_002, 2, HOST | {"EventID": 13, "TargetObject": r"HKLM\Software\Run\a", "Details": "b.exe"}),
    (
        4001,
        1,
        HOST | {"EventID": 3, "SourceIp": "192.0.2.9", "DestinationIp": "198.51.100.7", "DestinationPort": "443"},
    ),
    (4003, 1, HOST | {"EventID": 22, "QueryName": "bad.example"}),
    (
        1009,
        1,
        {"EventID": 4104, "Channel": "Microsoft-Windows-PowerShell/Operational", "ScriptBlockText": "iex"} | HOST,
    ),
    (3002, 1, {"EventID": 4625, "Channel": "Security", "TargetUserName": "a", "IpAddress": "198.51.100.7"}),
    (1008, 1, {"EventID": 1102, "Channel": "Security", "Computer": "dc1"}),
    (3002, 1, {"program": "sshd", "user": "root", "outcome": "failure", "src_ip": "198.51.100.7"}),
    (4002, 3, {"cs-method": "GET", "cs-uri": "/a?b", "c-ip": "198.51.100.7", "sc-status": 200}),
    (4001, 6, {"src_ip": "192.0.2.9", "dst_ip": "198.51.100.7", "dst_port": 70_000}),
    (6003, 99, {"eventName": "StopLogging", "eventSource": "c", "sourceIPAddress": "1.2.3.4", "userIdentity.arn": "a"}),
    (0, 99, {"message": "hello"}),
)
NAMES = (
    *("EventID", "Channel", "Image", "CommandLine", "TargetFilename", "QueryName", "user", "outcome", "program"),
    *("src_ip", "dst_ip", "cs-method", "cs-uri", "eventName", "eventSource", "ProcessId", "Hashes", "TargetObject"),
    *("ScriptBlockText", "ParentImage"),
)


def event(fields: dict[str, Any]) -> dict[str, Any]:
    return event_of(fields, uid="u", at=AT, severity_id=1, raw="raw")


@pytest.mark.parametrize(("class_uid", "activity_id", "fields"), CASES)
def test_event_stands_in_its_class_with_all_that_this_requires(
    class_uid: int, activity_id: int, fields: dict[str, Any]
) -> None:
    found = event(fields)
    assert (found["class_uid"], found["activity_id"]) == (class_uid, activity_id)
    assert found["type_uid"] == class_uid * 100 + activity_id
    assert missing_of(found) == ()
    assert found["unmapped"] == fields


def test_sign_in_says_whether_it_was_let_happen() -> None:
    fields = {"program": "sshd", "user": "root", "src_ip": "198.51.100.7"}
    assert event(fields | {"outcome": "failure"})["status_id"] == 2
    assert event(fields | {"outcome": "success"})["status_id"] == 1


def test_event_without_what_its_class_requires_is_a_base_event() -> None:
    found = event({"EventID": 1, "Channel": SYSMON, "CommandLine": "b"})
    assert (found["class_uid"], found["type_uid"]) == (0, 99)


def test_port_out_of_range_is_no_port() -> None:
    assert "port" not in event({"src_ip": "192.0.2.9", "dst_ip": "198.51.100.7", "dst_port": 70_000})["dst_endpoint"]


@given(
    st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=5),
        st.integers()
        | st.sampled_from(["Security", SYSMON, "GET", "198.51.100.7", "-", "", "\ud800", "C:\\", "HKLM\\", "0x8"])
        | st.text()
        | st.lists(st.text() | st.integers(), max_size=3)
        | st.none()
        | st.booleans()
        | st.floats(),
        max_size=12,
    )
)
def test_event_of_any_fields_is_whole_and_can_be_written(fields: dict[str, Any]) -> None:
    found = event(fields)
    assert missing_of(found) == ()
    assert msgspec.json.decode(msgspec.json.encode(found))["class_uid"] in REQUIRED
    assert kind_of(fields).class_uid in REQUIRED

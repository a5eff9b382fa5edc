"""Other JSON lines: dotted fields, products, odd values, hostile lines."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.jsonlines import MAX_FIELDS, detail_jsonlines
from amagasa.event.products import route_of_record
from amagasa.event.record import MISSING, Format, LogSource
from amagasa.event.route import applies
from tests.event.chunks import HOSTILE_S, cpu_s, read

CLOUDTRAIL = {
    "eventTime": "2026-02-27T13:08:09Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser",
    "awsRegion": "x",
    "userIdentity": {"type": "Root", "arn": "arn:aws:iam::1:root"},
    "requestParameters": {"userName": "eve", "tags": [{"key": "a"}, {"key": "b"}]},
}
RECORDS: list[tuple[dict[str, Any], str | None, str | None, str | None]] = [
    (CLOUDTRAIL, "aws", "cloudtrail", None),
    ({"event_type": "dns", "src_ip": "203.0.113.7", "dns": {"rrname": "a.example"}}, "suricata", "dns", None),
    ({"event_type": "dns", "src_ip": "203.0.113.7", "dns": {}}, None, None, "dns"),
    ({"_path": "smb_files", "uid": "C1", "id.orig_h": "203.0.113.7"}, "zeek", "smb_files", None),
    ({"@stream": "dns", "uid": "C1", "id_orig_h": "203.0.113.7"}, "zeek", "dns", None),
    ({"uid": "C1", "id.orig_h": "203.0.113.7", "query": "x"}, "zeek", None, None),
    ({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create"}, "kubernetes", "audit", "application"),
    ({"eventType": "user.session.start", "actor": {}, "outcome": {}}, "okta", "okta", None),
    ({"protoPayload": {"serviceName": "compute.googleapis.com"}}, "gcp", "gcp.audit", None),
    ({"protoPayload": {"serviceName": "login.googleapis.com"}}, "gcp", "google_workspace.login", None),
    ({"OperationName": "Add user", "LoggedByService": "Core Directory"}, "azure", "auditlogs", None),
    ({"ResultType": "50126", "AuthenticationRequirement": "x"}, "azure", "signinlogs", None),
    ({"operationName": "X/WRITE", "resourceId": "/x", "category": "Policy"}, "azure", "activitylogs", None),
    ({"riskEventType": "anonymizedIPAddress"}, "azure", "riskdetection", None),
    ({"Operation": "New-InboxRule", "Workload": "Exchange", "RecordType": 1}, "m365", "exchange", None),
    ({"SyslogMessage": "x", "ProcessName": "sshd", "HostName": "h"}, "linux", "sshd", None),
    ({"MESSAGE": "x", "SYSLOG_IDENTIFIER": "sudo"}, "linux", "sudo", None),
    ({"SyslogMessage": "type=EXECVE audit(1.5:2): a0=x", "ProcessName": "auoms"}, "linux", "auditd", None),
    ({"type": "EXECVE", "a0": "x", "auid": "0"}, "linux", "auditd", None),
    ({"action": "repo.create", "actor": "x", "org": "y"}, "github", "audit", None),
    ({"auditType": {"action": "x"}}, "bitbucket", "audit", None),
    ({"logtype": 4002, "node_id": "x"}, "opencanary", None, "application"),
]  # fmt: skip


def line(record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


def row(record: object, *fields: str) -> tuple[Any, ...]:
    found = read(Format.JSON, line(record), fields=fields)
    assert found.rejects == ()
    return tuple(found.batches[0].rows[0])


@pytest.mark.parametrize(("record", "product", "service", "category"), RECORDS, ids=range(len(RECORDS)))
def test_json_record_of_a_known_product_serves_its_rules(
    record: dict[str, Any], product: str | None, service: str | None, category: str | None
) -> None:
    batch = read(Format.JSON, line(record)).batches[0]
    assert applies(LogSource(product=product, service=service, category=category), batch.route)
    assert detail_jsonlines(batch.lines[0]).route == batch.route


@pytest.mark.parametrize("record", [{}, {"a": 1}, {"event_type": "x"}, {"action": "x"}, {"type": "x"}, {"uid": 7}])
def test_json_record_of_nobody_serves_no_rule_that_names_a_source(record: dict[str, Any]) -> None:
    route = read(Format.JSON, line(record)).batches[0].route
    assert route.name == "json"
    assert not applies(LogSource(product="aws"), route)


def test_json_services_that_no_table_knows_share_one_route() -> None:
    lines = [line({"event_type": f"x{number}", "src_ip": "203.0.113.7"}) for number in range(50)]
    assert [batch.route.name for batch in read(Format.JSON, *lines).batches] == ["suricata/other"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eventName", "CreateUser"),
        ("EVENTNAME", "CreateUser"),
        ("userIdentity.type", "Root"),
        ("useridentity.TYPE", "Root"),
        ("requestParameters.tags.key", ("a", "b")),
        ("requestParameters", '{"tags":[{"key":"a"},{"key":"b"}],"userName":"eve"}'),
        ("requestParameters.nothing", MISSING),
        ("nothing", MISSING),
        ("", MISSING),
        (".", MISSING),
    ],
)
def test_json_field_is_found_along_its_dots(name: str, value: object) -> None:
    assert row(CLOUDTRAIL, name) == (value,)


def test_json_key_with_dots_of_its_own_is_found_as_it_stands() -> None:
    assert row({"id.orig_h": "x", "a.b": {"c": 1}}, "id.orig_h", "a.b.c") == ("x", 1)


@pytest.mark.parametrize(
    ("value", "held"),
    [(True, "true"), (1, 1), (1.0, 1), (1.5, "1.5"), (None, None), ([1, True], (1, "true")), ([], ()), ({}, "{}")],
)
def test_json_value_in_a_row_can_be_a_key_of_a_memo(value: object, held: object) -> None:
    found = row({"a": value}, "a")
    assert found == (held,)
    assert type(found[0]) is type(held)
    hash(found)


def test_json_aliases_give_sigma_names_of_sensors() -> None:
    record = {"event_type": "dns", "src_ip": "203.0.113.7", "dest_ip": "198.51.100.2", "dns": {"rrname": "a.example"}}
    assert row(record, "dst_ip", "query") == ("198.51.100.2", "a.example")
    fields = detail_jsonlines(line(record)).fields
    assert fields["dst_ip"] == "198.51.100.2"
    assert fields["dns.rrname"] == "a.example"


def test_json_carried_syslog_message_shows_its_fields() -> None:
    record = {"SyslogMessage": "Failed password for root from 203.0.113.7 port 7 ssh2", "ProcessName": "sshd"}
    assert row(record, "user", "src_ip", "message") == ("root", "203.0.113.7", record["SyslogMessage"])


@pytest.mark.parametrize(
    ("record", "instant"),
    [
        (CLOUDTRAIL, datetime(2026, 2, 27, 13, 8, 9, tzinfo=UTC)),
        ({"ts": 1588205199.5}, datetime(2020, 4, 30, 0, 6, 39, 500_000, tzinfo=UTC)),
        ({"@timestamp": "nonsense", "time": "2026-02-27T13:08:09+09:00"}, datetime(2026, 2, 27, 4, 8, 9, tzinfo=UTC)),
        ({"time": "soon"}, None),
        ({}, None),
    ],
)
def test_json_instant_is_taken_from_the_usual_keys(record: dict[str, Any], instant: datetime | None) -> None:
    assert detail_jsonlines(line(record)).event_at == instant


@pytest.mark.parametrize("bad", [b"hello\n", b"[1, 2]\n", b'"x"\n', b'{"a": \n', b"\x00\n", b"nul\n"])
def test_json_line_that_is_no_object_is_rejected_with_its_reason(bad: bytes) -> None:
    found = read(Format.JSON, line({"a": 1}), bad, line({"a": 1}))
    assert [(reject.record, reject.code) for reject in found.rejects] == [(2, "AMG-EVENT-010")]


def test_json_lone_surrogate_does_not_hide_a_record() -> None:
    found = read(Format.JSON, b'{"a": "evil\\ud800", "b": "x"}\n', fields=("b",))
    assert found.batches[0].rows == [("x",)]


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
        b'{"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b"{" + b",".join(b'"k%d":1' % number for number in range(60_000)) + b"}",
        b'{"a":[' + b",".join([b'{"b":1}'] * 100_000) + b"]}",
        b'{"a":' + b"9" * 900_000 + b"}",
    ],
    ids=range(5),
)
def test_json_hostile_line_costs_no_more_than_its_length(hostile: bytes) -> None:
    def work() -> None:
        found = read(Format.JSON, hostile + b"\n", fields=("a.b", "x.y.z"))
        for batch in found.batches:
            assert len(detail_jsonlines(batch.lines[0]).fields) <= MAX_FIELDS

    assert cpu_s(work) < HOSTILE_S


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "a.b", ""]), inner, max_size=3)
    ),
    max_leaves=10,
)
keys = st.sampled_from(
    [
        "event_type",
        "src_ip",
        "_path",
        "uid",
        "eventName",
        "eventSource",
        "apiVersion",
        "eventType",
        "actor",
        "outcome",
        "protoPayload",
        "SyslogMessage",
        "ProcessName",
        "MESSAGE",
        "Operation",
        "operationName",
        "type",
        "a0",
        "timestamp",
    ]
)


@given(st.dictionaries(keys, values, max_size=6))
def test_json_any_object_is_read_and_shown(record: dict[str, Any]) -> None:
    found = read(Format.JSON, line(record), fields=("a.b", "message", "user", "dst_ip", "type"))
    for batch in found.batches:
        hash(batch.rows[0])
        detail_jsonlines(batch.lines[0])


@given(st.lists(st.binary(max_size=100), max_size=6))
def test_json_any_bytes_are_read_or_rejected(lines: list[bytes]) -> None:
    read(Format.JSON, *(one + b"\n" for one in lines), fields=("a",))


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"createdDateTime": "2026-11-26T10:00:00Z", "conditionalAccessStatus": "failure"}, "azure/signinlogs"),
        ({"activityDisplayName": "Add user", "loggedByService": "Core Directory", "result": "x"}, "azure/auditlogs"),
        ({"conditional": "failure", "service": "Core Directory"}, "json"),
    ],
)
def test_an_entra_record_from_graph_has_the_route_of_its_log(record: dict[str, str], name: str) -> None:
    assert route_of_record(record).name == name

"""Log sources in words: what feeds them and what fields that has; kept in step with what the readers do."""

from typing import Any

import msgspec
import pytest

from amagasa.event.access import WEBSERVER
from amagasa.event.feed_fields import ACCESS, HEADER, SECURITY, SYSLOG, SYSMON
from amagasa.event.feeds import feeds, feeds_of, known_sources, names_of
from amagasa.event.normalise import normalise
from amagasa.event.products import product_routes, route_of_record
from amagasa.event.record import MISSING, Format, LogSource
from amagasa.event.route import applies, route_of
from amagasa.event.windows_fields import computed_of, copies_of
from tests.event.chunks import chunk


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (LogSource(category="process_creation", product="windows"), "Sysmon 1; Security 4688"),
        (LogSource(category="registry_event", product="windows"), "Sysmon 12, 13, 14; Security 4657"),
        (LogSource(category="ps_script"), "PowerShell 4104"),
        (LogSource(product="windows", service="security"), "Security"),
        (LogSource(product="windows", service="sysmon"), "Sysmon"),
        (LogSource(category="process_creation", product="linux"), "Sysmon for Linux 1; Linux auditd/process_creation"),
        (LogSource(category="webserver"), "access logs of web servers; HAProxy; W3C logs (IIS, proxies) webserver"),
        (LogSource(category="proxy"), "Squid; W3C logs (IIS, proxies) proxy"),
        (
            LogSource(category="firewall"),
            (
                "Linux iptables; pfSense filterlog; Cisco syslog asa; Check Point; FortiGate traffic; "
                "Palo Alto traffic, threat"
            ),
        ),
        (LogSource(product="linux", service="auditd"), "Linux auditd"),
        (LogSource(category="dns"), "Suricata dns; Zeek dns"),
        (LogSource(category="file_access", product="windows"), ""),
    ],
)
def test_log_source_is_told_by_what_feeds_it(source: LogSource, names: str) -> None:
    assert names_of(feeds_of(source)) == names


def test_every_feed_feeds_the_log_sources_of_its_route() -> None:
    for feed in feeds():
        assert all(feed in feeds_of(source) for source in feed.route.sources)
    assert all(any(applies(source, feed.route) for feed in feeds()) for source in known_sources())


def test_every_category_of_windows_has_a_closed_list_of_fields() -> None:
    for feed in feeds():
        if feed.member and feed.group in {"Sysmon", "Security", "PowerShell", "Windows PowerShell"}:
            assert feed.is_closed, feed.name


@pytest.mark.parametrize("number", sorted(SYSMON))
def test_fields_of_sysmon_are_read_under_these_names(number: int) -> None:
    fields = dict.fromkeys(SYSMON[number], "x")
    record = {"EventID": number, "Channel": "Microsoft-Windows-Sysmon/Operational"} | fields
    (batch,) = normalise(
        chunk(Format.WINDOWS, msgspec.json.encode(record) + b"\n"), lambda _route: tuple(fields)
    ).batches
    assert MISSING not in batch.rows[0]


@pytest.mark.parametrize("number", sorted(SECURITY))
def test_fields_of_security_include_all_that_the_reader_adds(number: int) -> None:
    hashes = {"md5", "sha1", "sha256", "Imphash", "imphash"}
    added = copies_of("Security", number).keys() | computed_of("Security", number).keys() - hashes
    assert added <= set(SECURITY[number])


def test_fields_of_access_logs_are_those_which_the_reader_knows() -> None:
    line = b'www.example 192.0.2.1 - anna [23/Nov/2026:12:00:00 +0900] "GET /a?b HTTP/1.1" 200 5 "http://r/" "agent"'
    (batch,) = normalise(chunk(Format.ACCESS, line + b"\n"), lambda _route: ACCESS).batches
    assert batch.route is WEBSERVER
    assert MISSING not in batch.rows[0]


def test_every_product_route_is_one_which_a_record_gets() -> None:
    records: list[dict[str, Any]] = [
        {"eventName": "x", "awsRegion": "y"},
        {"Operation": "x", "Workload": "Exchange"},
        {"eventName": "x", "eventSource": "y"},
        {"operationName": "x", "category": "SignInLogs"},
        {"OperationName": "x", "LoggedByService": "y"},
        {"operationName": "x", "tenantId": "y"},
        {"riskEventType": "x"},
        {"eventType": "x", "actor": {}, "outcome": {}},
        {"protoPayload": {}},
        {"protoPayload": {"serviceName": "admin.googleapis.com"}},
        {"protoPayload": {"serviceName": "login.googleapis.com"}},
        {"action": "x", "actor": "y", "org": "z"},
        {"auditType": {}},
        {"event_type_id": 1},
        {"event_type": "authentication", "factor": "x", "reason": "y"},
        {"apiVersion": "audit.k8s.io/v1"},
        {"logtype": 1, "node_id": "x"},
        {"type": "SYSCALL", "auid": "1"},
        {"event_type": "dns", "src_ip": "x"},
        {"_path": "conn"},
        {"ot": "modbus"},
        {"w3c": "row", "cs-uri-stem": "/"},
        {"w3c": "row", "cs-uri": "/"},
    ]
    known = {route.name for route in product_routes()}
    assert [route_of_record(record).name for record in records if route_of_record(record).name not in known] == []
    assert {route_of_record(record).name.partition("/")[0] for record in records} == {
        name.partition("/")[0] for name in known
    }


def test_header_and_syslog_fields_stand_once() -> None:
    assert len(set(HEADER)) == len(HEADER)
    assert len(set(SYSLOG)) == len(SYSLOG)
    assert route_of("Security", 4688).name == "windows/security/4688"

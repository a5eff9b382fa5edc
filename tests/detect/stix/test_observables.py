"""Which objects records show: a record of each kind, and the patterns that speak of it."""

from typing import Any

import pytest

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.looking import Looking
from amagasa.event.normalise import normalise
from amagasa.event.record import Format
from tests.detect.stix.records import chunk_of, indicator

EVENTS: dict[str, tuple[Format, Any]] = {
    "start": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 1,
            "UtcTime": "2026-11-23 03:00:00.250",
            "ProcessId": "4242",
            "Image": "C:\\Users\\Public\\Evil.exe",
            "CommandLine": "evil.exe -q",
            "CurrentDirectory": "C:\\Users\\Public\\",
            "User": "BASE\\h.sato",
            "IntegrityLevel": "High",
            "Hashes": f"MD5={'CD' * 16},IMPHASH={'EF' * 16}",
            "ParentProcessId": "17",
            "ParentImage": "C:\\Windows\\winword.exe",
            "ParentCommandLine": "winword.exe a.docm",
            "ParentUser": "BASE\\boss",
            "Product": "Evil Suite",
            "Company": "Evil Corp",
            "FileVersion": "1.2.3",
        },
    ),
    "load": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 7,
            "Image": "C:\\Windows\\host.exe",
            "ImageLoaded": "C:\\Temp\\bad.dll",
            "Hashes": f"MD5={'AA' * 16}",
        },
    ),
    "connect": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 3,
            "UtcTime": "2026-11-23 03:00:01",
            "Image": "C:\\Users\\Public\\Evil.exe",
            "Protocol": "tcp",
            "SourceIp": "10.0.0.5",
            "SourcePort": "50000",
            "DestinationIp": "198.51.100.9",
            "DestinationHostname": "c2.example",
            "DestinationPort": "4444",
        },
    ),
    "resolve": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 22,
            "QueryName": "C2.example",
            "QueryResults": "type:  5 edge.example;::ffff:198.51.100.9;",
        },
    ),
    "create": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 11,
            "TargetFilename": "C:\\Temp\\drop.bin",
            "CreationUtcTime": "2026-11-23 02:59:59.001",
        },
    ),
    "registry": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 13,
            "TargetObject": "HKLM\\SOFTWARE\\Policies\\NoDefender",
            "Details": "DWORD (0x00000001)",
            "User": "BASE\\h.sato",
        },
    ),
    "access": (
        Format.WINDOWS,
        {
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "SourceName": "Microsoft-Windows-Sysmon",
            "EventID": 10,
            "SourceImage": "C:\\Temp\\dump.exe",
            "SourceProcessId": "99",
            "TargetImage": "C:\\Windows\\System32\\lsass.exe",
        },
    ),
    "audit": (
        Format.WINDOWS,
        {
            "Channel": "Security",
            "SourceName": "Microsoft-Windows-Security-Auditing",
            "EventID": 4688,
            "NewProcessName": "C:\\Temp\\b.exe",
            "NewProcessId": "0x1f4",
            "ProcessId": "0x10",
            "ParentProcessName": "C:\\Temp\\a.exe",
        },
    ),
    "service": (
        Format.WINDOWS,
        {
            "Channel": "System",
            "SourceName": "Service Control Manager",
            "EventID": 7045,
            "ServiceName": "PSEXESVC",
            "ImagePath": "%SystemRoot%\\PSEXESVC.exe",
            "ServiceType": "user mode service",
            "StartType": "demand start",
            "AccountName": "LocalSystem",
        },
    ),
    "logon": (
        Format.WINDOWS,
        {
            "Channel": "Security",
            "SourceName": "Microsoft-Windows-Security-Auditing",
            "EventID": 4625,
            "TargetUserName": "admin",
            "IpAddress": "203.0.113.7",
            "IpPort": "60123",
        },
    ),
    "filter": (
        Format.WINDOWS,
        {
            "Channel": "Security",
            "SourceName": "Microsoft-Windows-Security-Auditing",
            "EventID": 5156,
            "ProcessID": "4412",
            "Application": "\\device\\harddiskvolume2\\temp\\evil.exe",
            "SourceAddress": "10.0.0.5",
            "SourcePort": "50001",
            "DestAddress": "198.51.100.9",
            "DestPort": "53",
            "Protocol": "17",
        },
    ),
    "web": (
        Format.ACCESS,
        '198.51.100.23 - sato [23/Nov/2026:12:00:00 +0900] "POST /a?b HTTP/1.1" 200 1234 "-" "curl/8"',
    ),
    "sudo": (
        Format.SYSLOG,
        "Nov 23 12:00:00 gate sudo: sato : TTY=pts/0 ; PWD=/home/sato ; USER=root ; COMMAND=/bin/cat /etc/shadow",
    ),
    "ssh": (Format.SYSLOG, "Nov 23 12:00:00 gw sshd[42]: Failed password for root from 198.51.100.23 port 51122 ssh2"),
    "mail": (
        Format.JSON,
        {
            "event_type": "smtp",
            "src_ip": "198.51.100.30",
            "dest_ip": "192.0.2.5",
            "dest_port": 25,
            "proto": "TCP",
            "smtp": {"mail_from": "<bounce@bad.example>", "rcpt_to": ["<ito@base.example>"]},
            "email": {
                "from": "Mr. Ito <ceo@bad.example>",
                "to": ["Ito <ito@base.example>"],
                "subject": "Invoice",
                "message_id": "<1@bad.example>",
                "attachment": ["invoice.docm"],
            },
        },
    ),
    "tls": (
        Format.JSON,
        {
            "event_type": "tls",
            "src_ip": "192.0.2.5",
            "dest_ip": "198.51.100.9",
            "dest_port": 443,
            "proto": "TCP",
            "tls": {
                "subject": "CN=c2.example",
                "issuerdn": "CN=WEBMAIL",
                "serial": "02:49:3E",
                "fingerprint": ":".join(["ab"] * 20),
                "sni": "c2.example",
                "notbefore": "2026-05-06T00:00:00",
            },
        },
    ),
    "flow": (
        Format.JSON,
        {
            "event_type": "flow",
            "src_ip": "192.0.2.5",
            "src_port": 40000,
            "dest_ip": "2001:db8::9",
            "dest_port": 53,
            "proto": "UDP",
            "app_proto": "dns",
            "flow": {"start": "2026-11-23T03:00:00.5+0000", "bytes_toserver": 90000, "pkts_toclient": 3},
            "tcp": {"tcp_flags_ts": "1a"},
        },
    ),
    "fileinfo": (
        Format.JSON,
        {
            "event_type": "fileinfo",
            "src_ip": "192.0.2.5",
            "fileinfo": {"filename": "/x/run.exe", "size": 4096, "sha1": "ab" * 20},
        },
    ),
    "dhcp": (Format.JSON, {"event_type": "dhcp", "src_ip": "192.0.2.5", "dhcp": {"client_mac": "00:e0:ed:01:6e:bd"}}),
    "ecs": (
        Format.JSON,
        {
            "source": {"ip": "192.0.2.5", "as": {"number": 64500, "organization": {"name": "Example AS"}}},
            "process": {"name": "x", "pid": 7, "start": "2026-11-23T03:00:00Z", "parent": {"name": "sh"}},
            "registry": {"path": "HKLM\\Software\\X", "data": {"type": "REG_SZ"}},
        },
    ),
}  # fmt: skip


def matches(pattern: str, name: str) -> bool:
    form, record = EVENTS[name]
    indicators, faults = compile_indicators([indicator(pattern)])
    assert faults == (), faults[0].why
    looking = Looking(indicators)
    batches = normalise(chunk_of(form, record), looking.wanted).batches
    return any(looking.evaluate(batch, now=chunk_of(form, record).read_at).detections for batch in batches)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("start", "process:pid = 4242 AND process:name = 'evil.exe' AND process:cwd = 'c:\\\\users\\\\public\\\\'"),
        ("start", "process:created_time = t'2026-11-23T03:00:00.25Z' AND process:pid = 4242"),
        ("start", "process:created_time > t'2026-11-23T03:00:00Z' AND process:name = 'evil.exe'"),
        ("start", "process:created <= t'2026-11-23T03:00:01Z' AND process:name = 'evil.exe'"),
        ("start", "process:parent_ref.name = 'winword.exe' AND process:parent_ref.pid = 17"),
        ("start", "process:parent_ref.creator_user_ref.account_login = 'boss'"),
        ("start", "process:name = 'winword.exe' AND process:child_refs[*].name = 'evil.exe'"),
        ("start", "process:child_refs[0].command_line LIKE '%-q'"),
        ("start", "process:extensions.'windows-process-ext'.integrity_level = 'high' AND process:name = 'evil.exe'"),
        ("start", f"process:binary_ref.hashes.MD5 = '{'cd' * 16}'"),
        ("start", f"file:name = 'evil.exe' AND file:hashes.MD5 = '{'cd' * 16}'"),
        ("start", f"file:extensions.'windows-pebinary-ext'.imphash = '{'EF' * 16}'"),
        ("start", "directory:path = 'C:\\\\Users\\\\Public'"),
        ("start", "software:name = 'Evil Suite' AND software:vendor = 'evil corp' AND software:version = '1.2.3'"),
        ("load", f"file:name = 'bad.dll' AND file:hashes.MD5 = '{'aa' * 16}'"),
        ("connect", "network-traffic:dst_port = 4444 AND network-traffic:start >= t'2026-11-23T03:00:01Z'"),
        ("connect", "network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'C2.example'"),
        ("connect", "network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.9'"),
        ("connect", "process:name = 'evil.exe' AND process:opened_connection_refs[*].dst_port = 4444"),
        ("connect", "process:opened_connection_refs[*].dst_ref.value ISSUBSET '198.51.100.0/24'"),
        ("connect", "network-traffic:dst_port IN (22, 4444)"),
        ("connect", "network-traffic:dst_port > 4000 AND network-traffic:protocols[*] = 'tcp'"),
        ("resolve", "domain-name:value = 'c2.example' AND domain-name:resolves_to_refs[*].value = '198.51.100.9'"),
        ("resolve", "domain-name:resolves_to_refs[*].value = 'edge.example'"),
        ("resolve", "domain-name:resolves_to_refs[*].value ISSUBSET '198.51.100.0/24'"),
        ("create", "file:ctime < t'2026-11-23T03:00:00Z' AND file:name = 'drop.bin'"),
        ("create", "file:created = t'2026-11-23T02:59:59.001Z'"),
        (
            "registry",
            "windows-registry-key:values[*].data = '1' AND windows-registry-key:values[*].name = 'nodefender'",
        ),
        (
            "registry",
            "windows-registry-key:values[*].data_type = 'REG_DWORD' AND win-registry-key:key LIKE '%policies'",
        ),
        ("registry", "windows-registry-key:creator_user_ref.account_login = 'h.sato'"),
        ("access", "process:name = 'dump.exe' AND process:pid = 99"),
        ("access", "process:image_ref.parent_directory_ref.path LIKE '%system32' AND process:name = 'lsass.exe'"),
        ("audit", "process:pid = 500 AND process:name = 'b.exe' AND process:parent_ref.pid = 16"),
        ("audit", "process:pid = 16 AND process:name = 'a.exe' AND process:child_refs[*].pid = 500"),
        (
            "service",
            (
                "process:extensions.'windows-service-ext'.service_name = 'PSEXESVC' AND "
                "process:extensions.'windows-service-ext'.start_type = 'SERVICE_DEMAND_START'"
            ),
        ),
        ("service", "process:extensions.'windows-service-ext'.service_type = 'SERVICE_WIN32_OWN_PROCESS'"),
        ("logon", "network-traffic:src_ref.value = '203.0.113.7' AND network-traffic:src_port = 60123"),
        ("filter", "network-traffic:dst_port = 53 AND network-traffic:protocols[*] = 'udp'"),
        ("filter", "process:name = 'evil.exe' AND process:pid = 4412"),
        ("web", "network-traffic:protocols[*] = 'http' AND network-traffic:dst_byte_count = 1234"),
        ("web", "network-traffic:extensions.'http-request-ext'.request_method = 'POST'"),
        ("sudo", "process:command_line LIKE '%/etc/shadow' AND process:creator_user_ref.account_login = 'sato'"),
        ("sudo", "user-account:account_login = 'root'"),
        ("ssh", "network-traffic:src_ref.value = '198.51.100.23' AND network-traffic:src_port = 51122"),
        ("ssh", "process:name = 'sshd' AND process:pid = 42"),
        ("mail", "email-message:from_ref.value = 'ceo@bad.example' AND email-message:subject = 'Invoice'"),
        ("mail", "email-message:to_refs[*].value = 'ITO@base.example'"),
        ("mail", "email-message:sender_ref.value = 'bounce@bad.example'"),
        ("mail", "email-message:body_multipart[*].body_raw_ref.name MATCHES '[.]docm$'"),
        ("mail", "email-addr:value = 'ceo@bad.example'"),
        ("mail", "email-addr:display_name = 'mr. ito'"),
        ("mail", "file:name = 'invoice.docm'"),
        ("tls", "x509-certificate:issuer = 'CN=WEBMAIL' AND x509-certificate:serial_number = '2:49:3e'"),
        ("tls", f"x509-certificate:hashes.'SHA-1' = '{'ab' * 20}'"),
        (
            "tls",
            "x509-certificate:validity_not_before < t'2026-06-01T00:00:00Z' AND x509-certificate:issuer LIKE '%MAIL'",
        ),
        ("tls", "network-traffic:dst_ref.value = 'c2.example' AND network-traffic:dst_port = 443"),
        ("flow", "network-traffic:src_byte_count > 80000 AND network-traffic:protocols[*] = 'dns'"),
        ("flow", "network-traffic:start = t'2026-11-23T03:00:00.5Z'"),
        ("flow", "network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_packets = 3"),
        ("flow", "network-traffic:extensions.'tcp-ext'.src_flags_hex = h'1a'"),
        ("fileinfo", f"file:size = 4096 AND file:hashes.'SHA-1' = '{'AB' * 20}'"),
        ("fileinfo", "file:size = '4096'"),
        ("dhcp", "mac-addr:value = '00-E0-ED-01-6E-BD'"),
        ("ecs", "autonomous-system:number = 64500 AND autonomous-system:name = 'example as'"),
        ("ecs", "process:pid = 7 AND process:parent_ref.name = 'sh'"),
        ("ecs", "windows-registry-key:values[*].data_type = 'REG_SZ'"),
        ("ecs", "process:name = 'x' AND NOT EXISTS process:cwd"),
    ],
)
def test_observables_record_shows_what_the_pattern_speaks_of(name: str, test: str) -> None:
    assert matches(f"[{test}]", name)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("start", "process:pid = 17 AND process:name = 'evil.exe'"),
        ("start", "process:created_time > t'2026-11-23T03:00:00.25Z' AND process:name = 'evil.exe'"),
        ("start", f"file:name = 'winword.exe' AND file:hashes.MD5 = '{'cd' * 16}'"),
        ("load", f"file:name = 'host.exe' AND file:hashes.MD5 = '{'aa' * 16}'"),
        ("connect", "network-traffic:dst_port IN (22, 444)"),
        ("connect", "network-traffic:dst_ref.value = 'example'"),
        ("resolve", "domain-name:value = 'edge.example'"),
        ("audit", "process:pid = 16 AND process:name = 'b.exe'"),
        ("registry", "windows-registry-key:values[*].data = '0'"),
        ("mail", "email-message:from_ref.value = 'bounce@bad.example'"),
        ("tls", "x509-certificate:serial_number = '49:3e'"),
        ("ecs", "process:name = 'x' AND NOT EXISTS process:pid"),
    ],
)
def test_observables_near_miss_is_not_shown(name: str, test: str) -> None:
    assert not matches(f"[{test}]", name)


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("network-traffic:dst_ref.type = 'ipv4-addr'", "everything"),
        ("network-traffic:dst_port > 0", "everything"),
        ("process:created_time > t'2026-01-01T00:00:00Z'", "everything"),
        ("process:name = t'2026-01-01T00:00:00Z'", "no time"),
        ("process:created_time = 'yesterday'", "no time"),
        ("network-traffic:dst_ref.value = 'not a host'", "not an address"),
        ("network-traffic:dst_port ISSUBSET '198.51.100.0/24'", "needs an address"),
        ("artifact:payload_bin = h'00'", "artifact:payload_bin"),
    ],
)
def test_observables_comparison_that_says_nothing_is_refused(test: str, named: str) -> None:
    _, (fault,) = compile_indicators([indicator(f"[{test}]")])
    assert named in fault.why

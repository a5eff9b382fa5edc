"""For each log source that public rules name and we read: a record of ours which one of these rules finds.

The records are invented; the rules are those of the folder of real data, found by their identifier.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.journeys.nodes import run

RULES = Path(__file__).resolve().parents[3] / "shared" / "data" / "rules" / "sigma-rules.tar.gz"
SYSMON = "Microsoft-Windows-Sysmon/Operational"
AZURE = {"time": "2026-11-26T10:00:00Z", "resourceId": "/SUBSCRIPTIONS/0", "correlationId": "0"}
ZEEK = {"ts": 1795687200.1, "uid": "C1", "id.orig_h": "198.51.100.7", "id.resp_h": "192.0.2.9"}
KUBERNETES = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "requestReceivedTimestamp": "2026-11-26T10:00:00Z"}
AWS = {"eventTime": "2026-11-26T10:00:00Z", "eventSource": "s.example", "eventName": "A", "awsRegion": "x"}
M365 = {"CreationTime": "2026-11-26T10:00:00", "eventSource": "SecurityComplianceCenter", "status": "success"}
AUDIT = "type={} msg=audit(1795687200.123:{}): {}\n"
EXECVE = AUDIT.format(
    "SYSCALL", 7, 'syscall=59 success=yes ppid=1 pid=2 comm="doas" exe="/usr/bin/doas"'
) + AUDIT.format("EXECVE", 7, 'argc=1 a0="doas"')
CREATED = AUDIT.format("SYSCALL", 8, 'syscall=257 success=yes ppid=1 pid=2 comm="a" exe="/usr/bin/a"') + AUDIT.format(
    "PATH", 8, 'item=0 name="/tmp/rootlog" nametype=CREATE'
)
ACCESS = '198.51.100.7 - - [26/Nov/2026:10:00:00 +0900] "GET {} HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'
SQUID = (
    "1795687200.085    192 192.0.2.9 TCP_MISS/200 1411 GET http://bad.example/{} - HIER_DIRECT/203.0.113.5 text/html\n"
)
W3C = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2026-11-26 10:00:00 198.51.100.7 GET {} 200\n"
PROXY = "#Fields: date time c-ip cs-uri cs(User-Agent) r-ip\n2026-11-26 10:00:00 192.0.2.9 http://a/ {} 203.0.113.5\n"
PWNKIT = (
    "Nov 26 10:00:00 g pkexec[7]: The value for environment variable XAUTHORITY contains suspicious content "
    "[USER=root] [TTY=/dev/pts/0]\n"
)
FORTIGATE = (
    'date=2026-11-26 time=10:00:00 devname="edge-1" devid="FG1" logid="0100044547" type="event" subtype="system" '
    'action="Add" cfgpath="user.local" user="admin"\n'
)
# (what it is, identifier of the rule, the record).
FOUND: tuple[tuple[str, str, str | dict[str, Any]], ...] = (
    ("aws", "a840e606-7c8c-4684-9bc1-eb6b6155127f", AWS | {"userAgent": "TruffleHog"}),
    (
        "azure-activity",
        "a622fcd2-4b5a-436a-b8a2-a4171161833c",
        AZURE | {"operationName": "Microsoft.Authorization/roleAssignments/write"},
    ),
    (
        "azure-audit",
        "0ddcff6d-d262-40b0-804b-80eb592de8e3",
        AZURE | {"category": "AuditLogs", "operationName": "Add service principal"},
    ),
    ("azure-pim", "e402c26a-267a-45bd-9615-bd9ceda6da85", {"riskEventType": "staleSignInAlertIncident"}),
    ("azure-risk", "adf9f4d2-559e-4f5c-95be-c28dff0b1476", {"riskEventType": "newCountry"}),
    ("azure-signin", "9a60e676-26ac-44c3-814b-0c2a8b977adf", {"Category": "SignInLogs", "ResultType": "53003"}),
    (
        "bitbucket",
        "70ed1d26-0050-4b38-a599-92c53d57d45a",
        {"auditType": {"category": "Authentication", "action": "User login failed"}},
    ),
    ("github", "0c46d4f4-a2bf-4104-9597-8d653fc2bb55", {"action": "repo.pages_public", "actor": "a", "org": "o"}),
    (
        "duo",
        "6f7e1c10-2dc9-4312-adb6-9574ff09a5c8",
        {"event_type": "authentication", "factor": "x", "reason": "bypass_user", "timestamp": 1795687200},
    ),
    (
        "gcp",
        "234f9f48-904b-4736-a34c-55d23919e4b7",
        {"timestamp": "2026-11-26T10:00:00Z", "protoPayload": {"methodName": "projects.content.reidentify"}},
    ),
    (
        "workspace-admin",
        "bf638ef7-4d2d-44bb-a1dc-a238252e6267",
        {
            "protoPayload": {
                "serviceName": "admin.googleapis.com",
                "metadata": {"event": [{"eventName": "REMOVE_PRIVILEGE"}]},
            }
        },
    ),
    (
        "m365-exchange",
        "42127bdd-9133-474f-a6f1-97b6c08a4339",
        {"eventSource": "Exchange", "eventName": "Add-FederatedDomain", "status": "success"},
    ),
    (
        "workspace",
        "eafe6f2b-cfec-4612-aec2-49563c33a087",
        {
            "protoPayload": {
                "serviceName": "login.googleapis.com",
                "metadata": {"event": {"eventName": "gov_attack_warning"}},
            }
        },
    ),
    (
        "kubernetes",
        "eeb3e9e1-b685-44e4-9232-6bb701f925b5",
        KUBERNETES | {"verb": "list", "objectRef": {"resource": "secrets"}},
    ),
    ("kubernetes-audit", "0d933542-1f1f-420d-97d4-21b2c3c492d9", KUBERNETES | {"responseStatus": {"code": 403}}),
    (
        "m365",
        "60de9b57-dc4d-48b9-a6a0-b39e0469f876",
        {"Operation": "Disable Strong Authentication.", "Workload": "AzureActiveDirectory"},
    ),
    ("m365-threats", "d7eab125-5f94-43df-8710-795b80fa1189", M365 | {"eventName": "Impossible travel activity"}),
    (
        "okta",
        "b6c718dd-8f53-4b9f-98d8-93fdca966969",
        {"eventType": "user.lifecycle.create", "actor": {}, "outcome": {}},
    ),
    ("onelogin", "62fff148-278d-497e-8ecd-ad6083231a35", {"event_type_id": 3, "user_name": "a"}),
    (
        "opencanary",
        "eae8c0c8-e5da-450a-9d7d-66aa56cd26b6",
        {"logtype": 5005, "node_id": "trap", "src_host": "198.51.100.7"},
    ),
    (
        "zeek-dce-rpc",
        "4096842a-8f9f-4d36-92b4-d0b2a62f9b2a",
        ZEEK | {"_path": "dce_rpc", "operation": "efsRpcOpenFileRaw"},
    ),
    ("zeek-dns", "5588576c-5898-4fac-bcdd-7475a60e8f43", ZEEK | {"query": "aUWhRCAxBAAAA.example", "trans_id": 1}),
    ("zeek-http", "834c6d2f-5e98-4b2a-b453-0c4f234afedd", ZEEK | {"_path": "http", "user_agent": "katz-ontop"}),
    (
        "zeek-kerberos",
        "503fe26e-b5f2-4944-a126-eab405cc06e5",
        ZEEK | {"_path": "kerberos", "request_type": "TGS", "cipher": "rc4-hmac", "service": "a"},
    ),
    ("zeek-rdp", "1fc0809e-06bf-4de3-ad52-25e5263b7623", ZEEK | {"_path": "rdp"}),
    (
        "zeek-smb",
        "bae2865c-5565-470d-b505-9496c87d0c30",
        ZEEK | {"_path": "smb_files", "path": r"\\192.0.2.9\IPC$", "name": "spoolss"},
    ),
    ("zeek-x509", "7100f7e3-92ce-4584-b7b7-01b40d3d4118", ZEEK | {"_path": "x509", "certificate.serial": "8BB00EE"}),
    (
        "dns-suricata",
        "4153a907-2451-4e4f-a578-c52bb6881432",
        {"event_type": "dns", "src_ip": "192.0.2.9", "dns": {"rrname": "YQ==.bad.example"}},
    ),
    ("windows", "37c1333a-a0db-48be-b64b-7393b2386e3b", {"EventID": 1, "Channel": SYSMON, "Company": "Cube0x0"}),
    ("linux-process", "067d8238-7127-451c-a9ec-fa78045b618b", EXECVE),
    ("linux-file", "c0239255-822c-4630-b7f1-35362bcb8f44", CREATED),
    (
        "auditd",
        "f7158a64-6204-4d6d-868a-6e6378b467e0",
        AUDIT.format("SYSCALL", 9, 'syscall=59 success=yes key="susp_activity"'),
    ),
    (
        "linux-auth",
        "0506a799-698b-43b4-85a1-ac4c84c720e9",
        PWNKIT,
    ),
    ("clamav", "36aa86ca-fd9d-4456-814e-d3b1b8e1e0bb", "Nov 26 10:00:00 m clamd[7]: /srv/a: Win.Trojan.Own FOUND\n"),
    ("cron", "af202fd3-7bff-4212-a25a-fb34606cfcbe", "Nov 26 10:00:00 g crontab[7]: (root) REPLACE (root)\n"),
    ("guacamole", "1edd77db-0669-4fef-9598-165bda82826d", "Nov 26 10:00:00 d guacd[7]: joined (2 users now present)\n"),
    ("sshd", "8b244735-5833-4517-a45b-28d8c63924c0", "Nov 26 10:00:00 g sshd[7]: Failed to generate curve25519 keys\n"),
    (
        "sudo",
        "7fcc54cb-f27d-4684-84b7-436af096f858",
        "Nov 26 10:00:00 g sudo: a : TTY=p ; PWD=/ ; USER=#-1 ; COMMAND=/bin/id\n",
    ),
    ("syslog", "c8e35e96-19ce-4f16-aeb6-fd5588dc5365", "Nov 26 10:00:00 n named[7]: client x denied AXFR from y\n"),
    ("vsftpd", "377f33a1-4b36-4ee1-acee-1dbe4b43cfbe", "Nov 26 10:00:00 f vsftpd[7]: Bad HTTP verb.\n"),
    ("linux", "7e3c4651-c347-40c4-b1d4-d48590fdf684", "Nov 26 10:00:00 g app[7]: wrote /etc/ld.so.preload\n"),
    (
        "cisco-aaa",
        "6d844f0f-1c18-41af-8f19-33e7654edfc3",
        "<189>7: rt: Nov 26 10:00:00: %PARSER-5-CFGLOG_LOGGEDCMD: User:a  logged command:username b aaa\n",
    ),
    (
        "cisco-bgp",
        "56fa3cd6-f8d6-4520-a8c7-607292971886",
        "<189>7: rt: Nov 26 10:00:00: %TCP-3-BADAUTH: IP-TCP-3-BADAUTH No MD5 digest from 198.51.100.7:179\n",
    ),
    ("fortigate", "ddbbe845-1d74-43a8-8231-2156d180234d", FORTIGATE),
    ("webserver", "953d460b-f810-420a-97a2-cfca4c98e602", ACCESS.format("/.git/config")),
    ("webserver-iis", "953d460b-f810-420a-97a2-cfca4c98e602", W3C.format("/.git/config")),
    (
        "proxy",
        "21e44d78-95e7-421b-a464-ffd8395659c4",
        PROXY.format('""'),
    ),
    (
        "apache-error",
        "1da8ce0b-855d-4004-8860-7d64d42063b1",
        "[Thu Nov 26 10:00:00.1 2026] [core:notice] [pid 7] AH00051: child pid 8 exit signal Segmentation Fault (11)\n",
    ),
    (
        "nginx-error",
        "59ec40bb-322e-40ab-808d-84fa690d7e56",
        "2026/11/26 10:00:00 [alert] 7#7: worker process 8 exited on signal 6 (core dumped)\n",
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("public")
    (folder / "rules").mkdir()
    (folder / "logs").mkdir()
    wanted = {rule_id for _, rule_id, _ in FOUND}
    with tarfile.open(RULES) as archive:
        for member in archive:
            inner = archive.extractfile(member) if member.name.endswith(".yml") else None
            text = inner.read() if inner is not None else b""
            if any(f"id: {rule_id}".encode() in text for rule_id in wanted):
                (folder / "rules" / Path(member.name).name).write_bytes(text)
    for name, _, record in FOUND:
        line = record if isinstance(record, str) else json.dumps(record) + "\n"
        (folder / "logs" / f"{name}.log").write_text(line, encoding="utf-8")
    return folder


@pytest.mark.data
@pytest.mark.skipif(not RULES.is_file(), reason="the public rules are not beside the checkout")
def test_public_rule_of_each_log_source_finds_our_record_of_it(site: Path) -> None:
    done = run("detect", site / "logs", "--rules", site / "rules", "--output", site / "out.ndjson")
    lines = (site / "out.ndjson").read_bytes().splitlines()
    found = {(Path(one["path"]).stem, one["rule_id"]) for one in map(msgspec.json.decode, lines)}
    assert {(name, rule_id) for name, rule_id, _ in FOUND} - found == set(), done.err

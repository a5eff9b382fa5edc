"""What devices write as text, alone and behind a header of syslog."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.dialects import of_asa, of_line, of_message
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format, LogSource
from amagasa.event.sniff import sniff
from amagasa.event.syslog import detail_syslog, is_syslog

READ_AT = datetime(2026, 11, 27, tzinfo=UTC)
CEF = (
    r"CEF:0|Own Vendor|Gate \| Wall|4.1|100|worm \\ stopped|10|src=198.51.100.7 dst=192.0.2.9 spt=1232 dpt=443 "
    r"act=blocked msg=a \= b and c request=https://x.example/a?b\=c rt=1790000000000 cs1Label=Policy cs1=night shift"
)
LEEF = "LEEF:1.0|Own Vendor|Sensor|2|login|src=198.51.100.7\tdst=192.0.2.9\tsrcPort=33\tusrName=tanaka\tproto=TCP"
LEEF2 = "LEEF:2.0|Own Vendor|Sensor|2|login|^|src=198.51.100.7^dst=192.0.2.9^devTime=1790000000000"
FORTIGATE = (
    'date=2026-11-26 time=23:59:58 devname="edge-1" devid="FG1" logid="0100044547" type="event" subtype="system" '
    'tz="+0900" action="Add" cfgpath="user.local" user="admin" srcip=198.51.100.7 dstport=443 msg="Add \\"user\\" x"'
)
IPTABLES = (
    "Nov 26 10:00:00 edge kernel: [ 12.5] FW-DROP: IN=eth0 OUT= MAC=00:01 SRC=198.51.100.7 DST=192.0.2.9 LEN=60 "
    "TOS=0x00 PROTO=TCP SPT=40000 DPT=22 WINDOW=1 RES=0x00 SYN URGP=0"
)
FILTERLOG = (
    "<134>1 2026-11-26T10:00:00+00:00 edge filterlog 77 - - 4,,,1000000103,igb0,match,block,in,4,0x0,,64,1,0,DF,6,"
    "tcp,60,198.51.100.7,192.0.2.9,40000,22,0,S,1,,64240,,mss"
)
ASA = (
    "Nov 26 2026 10:00:00 edge : %ASA-4-106023: Deny tcp src outside:198.51.100.7/40000 dst inside:192.0.2.9/22 by "
    'access-group "outside_in" [0x0, 0x0]'
)
HAPROXY = (
    "Nov 26 10:00:00 edge haproxy[77]: 198.51.100.7:40000 [26/Nov/2026:10:00:00.123] web~ pool/web1 0/0/1/2/3 200 1234 "
    '- - ---- 1/1/0/0/0 0/0 {gov.example} "GET /login?user=%27 HTTP/1.1"'
)
SQUID = (
    "1790000000.085    192 198.51.100.7 TCP_MISS/200 1411 GET http://bad.example/a/b.exe?x=1 tanaka "
    "HIER_DIRECT/203.0.113.5 application/octet-stream"
)
HAPROXY_TCP = (
    "Nov 26 10:00:00 edge haproxy[77]: 198.51.100.7:40000 [26/Nov/2026:10:00:00.123] ldap pool/dc1 0/0/5007 212 "
    "-- 0/0/0/0/3 0/0"
)
PALOALTO = (
    "1,2026/11/26 10:00:01,0123456789,TRAFFIC,drop,2561,2026/11/26 10:00:00,198.51.100.7,192.0.2.9,0.0.0.0,0.0.0.0,"
    '"deny, all",own\\tanaka,,not-applicable,vsys1,out,in,eth1,eth2,fwd,2026/11/26 10:00:00,7,1,40000,22,0,0,0x0,'
    "tcp,deny,60,60,0,1,2026/11/26 10:00:00,0,any,0,1,0x0,JP,JP,0,1,0,policy-deny"
)
PALOALTO_THREAT = (
    "1,2026/11/26 10:00:01,0123456789,THREAT,url,2561,2026/11/26 10:00:00,192.0.2.9,198.51.100.7,,,web,,,web-browsing,"
    "vsys1,in,out,eth2,eth1,fwd,,7,1,40000,80,0,0,0x0,tcp,block-url,"
    '"bad.example/a?b=""c"",d",(9999),malware,high,client-to-server,1'
)
PALOALTO_SYSTEM = (
    "1,2026/11/26 10:00:01,0123456789,SYSTEM,auth,0,2026/11/26 10:00:00,,auth-fail,admins,0,0,general,medium,"
    '"failed authentication for user, from 198.51.100.7"'
)
SAMPLES = {
    "cef": (CEF, {"src_ip": "198.51.100.7", "dst_port": 443, "action": "blocked", "device_product": "Gate | Wall"}),
    "cef-words": (CEF, {"msg": "a = b and c", "request": "https://x.example/a?b=c", "Policy": "night shift"}),
    "leef": (LEEF, {"src_ip": "198.51.100.7", "src_port": 33, "user": "tanaka", "protocol": "TCP"}),
    "leef2": (LEEF2, {"dst_ip": "192.0.2.9", "device_event_class_id": "login"}),
    "fortigate": (FORTIGATE, {"action": "Add", "cfgpath": "user.local", "dst_port": 443, "hostname": "edge-1"}),
    "iptables": (IPTABLES, {"src_ip": "198.51.100.7", "dst_port": 22, "action": "drop", "protocol": "TCP"}),
    "filterlog": (FILTERLOG, {"src_ip": "198.51.100.7", "dst_port": 22, "action": "block", "protocol": "tcp"}),
    "asa": (
        ASA,
        {"src_ip": "198.51.100.7", "src_port": 40000, "dst_ip": "192.0.2.9", "dst_port": 22, "action": "deny"},
    ),
    "haproxy": (HAPROXY, {"c-ip": "198.51.100.7", "cs-uri-query": "user=%27", "sc-status": 200, "cs-method": "GET"}),
    "haproxy-tcp": (HAPROXY_TCP, {"src_ip": "198.51.100.7", "bytes": 212, "termination_state": "--", "server": "dc1"}),
    "paloalto": (PALOALTO, {"src_ip": "198.51.100.7", "dst_port": 22, "action": "deny", "rule": "deny, all"}),
    "paloalto-threat": (PALOALTO_THREAT, {"misc": 'bad.example/a?b="c",d', "threatid": "(9999)", "severity": "high"}),
    "paloalto-system": (
        PALOALTO_SYSTEM,
        {"eventid": "auth-fail", "message": "failed authentication for user, from 198.51.100.7"},
    ),
    "squid": (SQUID, {"c-uri": "http://bad.example/a/b.exe?x=1", "cs-host": "bad.example", "cs-username": "tanaka"}),
}
SOURCES = {
    FORTIGATE: LogSource(product="fortigate", service="event"),
    IPTABLES: LogSource(category="firewall", product="linux", service="iptables"),
    FILTERLOG: LogSource(category="firewall", product="pfsense", service="filterlog"),
    ASA: LogSource(category="firewall", product="cisco", service="asa"),
    HAPROXY: LogSource(category="webserver", product="haproxy", service="haproxy"),
    HAPROXY_TCP: LogSource(product="haproxy", service="tcp"),
    PALOALTO: LogSource(category="firewall", product="paloalto", service="traffic"),
    PALOALTO_SYSTEM: LogSource(product="paloalto", service="system"),
    SQUID: LogSource(category="proxy", product="squid", service="squid"),
}
STAMPS = {
    CEF: "2026-09-21T14:13:20+00:00",
    LEEF2: "2026-09-21T14:13:20+00:00",
    FORTIGATE: "2026-11-26T14:59:58+00:00",
    IPTABLES: "2026-11-26T10:00:00+00:00",
    FILTERLOG: "2026-11-26T10:00:00+00:00",
    ASA: "2026-11-26T10:00:00+00:00",
    PALOALTO: "2026-11-26T10:00:00+00:00",
    SQUID: "2026-09-21T14:13:20.085000+00:00",
}
alphabets = st.text(alphabet=st.sampled_from('|\\=, "/:<>[]0123456789abcCEFLdate\t\x00\ud800é日'), max_size=200)


@pytest.mark.parametrize(("line", "fields"), SAMPLES.values(), ids=SAMPLES)
def test_a_line_of_a_device_shows_its_fields(line: str, fields: dict[str, Any]) -> None:
    event = detail_syslog(line.encode(), READ_AT)
    assert {name: event.fields.get(name) for name in fields} == fields


@pytest.mark.parametrize(("line", "source"), SOURCES.items())
def test_a_line_of_a_device_belongs_to_its_log_source(line: str, source: LogSource) -> None:
    assert source in detail_syslog(line.encode(), READ_AT).route.sources


@pytest.mark.parametrize(("line", "stamp"), STAMPS.items())
def test_a_line_of_a_device_says_when(line: str, stamp: str) -> None:
    at = detail_syslog(line.encode(), READ_AT).event_at
    assert at is not None
    assert at.astimezone(UTC).isoformat() == stamp


@pytest.mark.parametrize("line", [one for one, _ in SAMPLES.values()])
def test_lines_of_a_device_are_told_by_their_content(line: str) -> None:
    assert sniff(f"{line}\n{line}\n{line}\n".encode(), "unknown.bin") is Format.SYSLOG


@pytest.mark.parametrize("line", [CEF, LEEF, FORTIGATE, PALOALTO])
@pytest.mark.parametrize("header", ["<134>Nov 26 10:00:00 edge", "<134>1 2026-11-26T10:00:00Z edge - - - -"])
def test_a_dialect_behind_a_header_is_the_same(header: str, line: str) -> None:
    alone = detail_syslog(line.encode(), READ_AT)
    carried = detail_syslog(f"{header} {line}".encode(), READ_AT)
    assert carried.route == alone.route
    assert {name: carried.fields.get(name) for name in ("src_ip", "dst_ip")} == {
        name: alone.fields.get(name) for name in ("src_ip", "dst_ip")
    }


def test_a_users_word_makes_no_line_of_a_device() -> None:
    line = f"Nov 26 10:00:00 web sshd[7]: Failed password for invalid user {CEF} from 192.0.2.1 port 22 ssh2"
    assert detail_syslog(line.encode(), READ_AT).route.name == "linux/sshd"


@given(alphabets)
def test_whatever_a_device_writes_is_a_dialect_or_none(text: str) -> None:
    for line in (
        text,
        f"CEF:{text}",
        f"LEEF:2.0|{text}",
        f"date=2026-01-01 time=00:00:00 {text}",
        f"1790000000 {text}",
        f"1,2026/11/26 10:00:01,01,TRAFFIC,{text}",
    ):
        found = of_line(line)
        assert found is None or all(isinstance(name, str) for name in found.fields)
    for program in ("cef", "leef", "kernel", "filterlog", "haproxy", "ulogd"):
        found = of_message(program, text)
        assert found is None or found.route.name
    assert isinstance(of_asa(text), dict)


@given(st.lists(st.sampled_from([one for one, _ in SAMPLES.values()]), max_size=6), st.binary(max_size=40))
def test_accepted_and_rejected_lines_are_all_lines(lines: list[str], noise: bytes) -> None:
    data = b"\n".join([*(line.encode() for line in lines), noise.replace(b"\n", b"") + b"?"]) + b"\n"
    chunk = Chunk(path="x", format=Format.SYSLOG, first_record=1, data=data, read_at=READ_AT)
    made = normalise(chunk, lambda _: ("src_ip", "_raw"))
    assert (made.n_read, made.n_accepted + len(made.rejects)) == (len(lines) + 1, made.n_read)
    for batch in made.batches:
        for index, row in enumerate(batch.rows):
            assert row[1] == batch.lines[index].decode("utf-8", "replace") or not is_syslog(str(row[1]))
            assert detail(batch, index).route == batch.route


@pytest.mark.parametrize(
    "text",
    [
        "CEF:" + "a\\" * 40_000,
        "CEF:0" + "|" * 50_000,
        "LEEF:2.0|" + "=" * 60_000,
        "1,2026/11/26 10:00:01,01,THREAT," + '"' * 60_000,
        "1,2026/11/26 10:00:01,01,TRAFFIC," + "," * 60_000,
        "1,2026/11/26 10:00:01,01,SYSTEM,a\rb",
        "date=2026-01-01 time=00:00:00 " + 'a="' * 20_000,
        "1" * 60_000,
        "CEF:0|a|b|c|d|e|f|" + "a=" * 30_000,
    ],
)
def test_a_line_made_to_take_long_is_read_or_refused(text: str) -> None:
    found = of_line(text)
    assert found is None or len(found.fields) < 600


def test_a_stamp_without_a_zone_counts_less_than_a_header_with_one() -> None:
    headed = f"<14>1 2026-11-26T10:00:00+09:00 edge - - - - {PALOALTO}"
    at = detail_syslog(headed.encode(), READ_AT).event_at
    assert at is not None
    assert at.astimezone(UTC).isoformat() == "2026-11-26T01:00:00+00:00"

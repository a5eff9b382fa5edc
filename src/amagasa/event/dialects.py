"""What devices write as text: CEF, LEEF, FortiGate, Palo Alto, iptables, filterlog, ASA, HAProxy, Squid -> fields.

Fields have the device's own names; beside them stand the names which public Sigma rules use for firewalls, proxies and
web servers: `src_ip`, `src_port`, `dst_ip`, `dst_port`, `protocol`, `action`; `c-ip`, `cs-method`, `c-uri`, `cs-host`.

Sources: ArcSight Common Event Format revision 25; IBM LEEF 2.0; FortiOS 7 log message reference; netfilter's xt_LOG;
pfSense filter log format; Cisco ASA syslog messages; HAProxy 2.8 sections 8.2.2 and 8.2.3; Squid LogFormat `squid`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from amagasa.event.checkpoint import CHECKPOINT, of_checkpoint
from amagasa.event.error_logs import of_nginx
from amagasa.event.paloalto import PALOALTO, of_paloalto
from amagasa.event.record import LogSource, Route, Value

MAX_PAIRS: Final = 512
MAX_CHARACTERS: Final = 65_536

_FIREWALL: Final = LogSource(category="firewall")
CEF: Final = Route(name="cef", sources=(LogSource(product="cef"),))
LEEF: Final = Route(name="leef", sources=(LogSource(product="leef"),))
IPTABLES: Final = Route(
    name="linux/iptables",
    sources=(
        LogSource(category="firewall", product="linux", service="iptables"),
        LogSource(product="linux", service="syslog"),
    ),
)
FILTERLOG: Final = Route(
    name="pfsense/filterlog", sources=(LogSource(category="firewall", product="pfsense", service="filterlog"),)
)
ASA: Final = Route(
    name="cisco/asa",
    sources=(
        LogSource(category="firewall", product="cisco", service="asa"),
        *(LogSource(product="cisco", service=service) for service in ("aaa", "syslog", "bgp", "ldp")),
    ),
)
HAPROXY: Final = Route(name="haproxy", sources=(LogSource(category="webserver", product="haproxy", service="haproxy"),))
# Sessions that the proxy passes on without a look inside: no rule for web servers has a say.
HAPROXY_TCP: Final = Route(name="haproxy/tcp", sources=(LogSource(product="haproxy", service="tcp"),))
SQUID: Final = Route(name="squid", sources=(LogSource(category="proxy", product="squid", service="squid"),))
_FORTIGATE: Final = {
    kind: Route(
        name=f"fortigate/{kind}",
        sources=(LogSource(category="firewall" if kind == "traffic" else None, product="fortigate", service=kind),),
    )
    for kind in ("traffic", "event", "utm")
}
ROUTES: Final = (
    CEF,
    LEEF,
    IPTABLES,
    FILTERLOG,
    ASA,
    CHECKPOINT,
    HAPROXY,
    HAPROXY_TCP,
    SQUID,
    *_FORTIGATE.values(),
    *PALOALTO.values(),
)
_NAMES: Final = {
    "src_ip": ("src", "srcip", "SRC", "sourceAddress", "srcIp"),
    "dst_ip": ("dst", "dstip", "DST", "destinationAddress", "dstIp"),
    "src_port": ("spt", "srcport", "SPT", "srcPort"),
    "dst_port": ("dpt", "dstport", "DPT", "dstPort"),
    "protocol": ("proto", "PROTO", "transportProtocol"),
    "action": ("act", "deviceAction"),
    "user": ("suser", "usrName", "duser"),
    "hostname": ("dvchost", "devname", "identHostName"),
}
_PORTS: Final = frozenset({"src_port", "dst_port"})


class Dialect(Struct, frozen=True):
    """What a text of a device says; `stamp` in RFC 3339, "" where it holds none."""

    route: Route
    fields: dict[str, Value]
    stamp: str = ""


def of_line(text: str) -> Dialect | None:
    """A line that begins with a dialect, without a header before it; None for any other."""
    if len(text) > MAX_CHARACTERS:
        return None
    if text.startswith("CEF:"):
        return _cef(text[4:])
    if text.startswith("LEEF:"):
        return _leef(text[5:])
    if said := of_paloalto(text):
        return Dialect(*said)
    return _fortigate(text) or _squid(text)


def of_message(program: str, message: str) -> Dialect | None:
    """The message of a line of syslog whose tag is `program` (lower case); only the tag says what is looked for."""
    if len(message) > MAX_CHARACTERS:
        return None
    reader = _BY_PROGRAM.get(program)
    return reader(message) if reader else None


def of_asa(message: str) -> dict[str, Value]:
    """Addresses and the decision in a message of an ASA, FTD or PIX."""
    match = _ASA.search(message)
    if match is None:
        return {}
    fields: dict[str, Value] = {name: value for name, value in match.groupdict().items() if value}
    if verb := _ASA_VERB.match(message):
        fields["action"] = verb[0].lower()
    return _with_ports(fields)


_CEF_HEAD: Final = re.compile(r" ?([0-9]+)" + r"\|((?:[^|\\]|\\.)*)" * 6 + r"\|(.*)", re.DOTALL)
_CEF_PAIR: Final = re.compile(r"(?:\A|(?<= ))([A-Za-z0-9_.\[\]-]{1,64})=")
_CEF_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r"}
_LEEF_HEAD: Final = re.compile(r" ?([0-9.]+)" + r"\|([^|]*)" * 4 + r"\|(.*)", re.DOTALL)
_LEEF_DELIMITER: Final = re.compile(r"(?:(0?x[0-9A-Fa-f]{1,4})|([^|]?))\|(.*)", re.DOTALL)
_KEY_VALUE: Final = re.compile(r'([A-Za-z0-9_.-]{1,64})=(?:"((?:[^"\\]|\\.)*+)"|([^ "]*+))')
_FORTIGATE_HEAD: Final = re.compile(
    r"(?:<[0-9]{1,3}>)?(?=date=[0-9-]{10} time=[0-9:]{8} |(?:logver|devname|timestamp)=)"
)
_IPTABLES: Final = re.compile(r"(?P<prefix>[^=]{0,120}?)\bIN=[^ ]* OUT=[^ ]* ")
_FLAG: Final = re.compile(r"\b(DROP|ACCEPT|REJECT|DENY|BLOCK|ALLOW|AUDIT|LIMIT)[A-Z]*\b", re.IGNORECASE)
_ENDPOINT: Final = (
    r"(?:[\w.-]{{1,64}}:)?(?P<{0}_ip>[0-9A-Fa-f][0-9A-Fa-f.:]{{2,44}}?)(?:/(?P<{0}_port>[0-9]{{1,5}}))?(?=[ ,)(\[]|\Z)"
)
_ASA: Final = re.compile(
    r"(?:(?P<protocol>tcp|udp|icmp|TCP|UDP|ICMP)\b[^/]{0,60}? )?(?:for|src|from|faddr) "
    + _ENDPOINT.format("src")
    + r"[^/:]{0,80}? (?:to|dst|laddr) "
    + _ENDPOINT.format("dst")
)
_ASA_VERB: Final = re.compile(r"(?:Built|Teardown|Deny|Denied|Permitted|Dropped)\b")
_HAPROXY: Final = re.compile(
    r"(?P<client>[0-9A-Fa-f.:]{2,45}):(?P<port>[0-9]{1,5}) \[[^\]]{10,40}\] (?P<frontend>[^ ]{1,128}) "
    r"(?P<backend>[^ /]{1,128})/(?P<server>[^ ]{1,128}) [0-9/+-]{5,60} (?P<status>-?[0-9]{1,3}) \+?(?P<bytes>[0-9]+) "
    r'[^"]{0,2000}"(?P<method>[A-Z]{1,32}) (?P<uri>[^ "]{1,8000})(?: HTTP/[0-9.]+)?"?'
)
_HAPROXY_TCP: Final = re.compile(
    r"(?P<client>[0-9A-Fa-f.:]{2,45}):(?P<port>[0-9]{1,5}) \[[^\]]{10,40}\] (?P<frontend>[^ ]{1,128}) "
    r"(?P<backend>[^ /]{1,128})/(?P<server>[^ ]{1,128}) -?[0-9]{1,10}/-?[0-9]{1,10}/\+?-?[0-9]{1,10} "
    r"\+?(?P<bytes>[0-9]{1,20}) (?P<state>[A-Za-z-]{2}) "
)
_SQUID: Final = re.compile(
    r"(?P<at>[0-9]{9,10}(?:\.[0-9]{1,6})?) +(?P<duration>-?[0-9]+) (?P<client>[0-9A-Fa-f.:]{2,45}) "
    r"(?P<result>[A-Z_]{3,40})/(?P<status>[0-9]{3}) (?P<bytes>[0-9]+) (?P<method>[A-Z_]{1,32}) (?P<url>[^ ]{1,8000}) "
    r"(?P<user>[^ ]{1,256}) (?P<how>[A-Z_]{3,40})/(?P<peer>[^ ]{1,256})(?: (?P<type>[^ ]{1,128}))?(?: .*)?"
)


def _cef(text: str) -> Dialect | None:
    head = _CEF_HEAD.fullmatch(text)
    if head is None:
        return None
    names = ("device_vendor", "device_product", "device_version", "device_event_class_id", "name", "severity")
    fields: dict[str, Value] = {
        name: _CEF_ESCAPE.sub(r"\1", value) for name, value in zip(names, head.groups()[1:7], strict=True)
    }
    extension = head[8]
    marks = [mark for mark in _CEF_PAIR.finditer(extension) if extension[: mark.end()][-2:] != "\\="][:MAX_PAIRS]
    ends = [mark.start() for mark in marks[1:]] + [len(extension)] * bool(marks)
    for mark, end in zip(marks, ends, strict=True):
        value = extension[mark.end() : end].rstrip(" ")
        fields.setdefault(mark[1], _CEF_ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value))
    for number in range(1, 7):
        label, value = fields.get(f"cs{number}Label"), fields.get(f"cs{number}")
        if isinstance(label, str) and value is not None and len(label) <= 64:
            fields.setdefault(label, value)
    return Dialect(CEF, _named(fields), _epoch(str(fields.get("rt", ""))))


def _leef(text: str) -> Dialect | None:
    head = _LEEF_HEAD.fullmatch(text)
    if head is None:
        return None
    names = ("device_vendor", "device_product", "device_version", "device_event_class_id")
    fields: dict[str, Value] = dict(zip(names, head.groups()[1:5], strict=True))
    rest, delimiter = head[6], "\t"
    if head[1].startswith("2") and (said := _LEEF_DELIMITER.match(rest)):
        number, plain, rest = said.groups()
        delimiter = chr(int(number.lower().removeprefix("0").removeprefix("x"), 16)) if number else plain or "\t"
    for pair in rest.split(delimiter)[:MAX_PAIRS]:
        name, equal, value = pair.partition("=")
        if equal and name:
            fields.setdefault(name.strip()[:64], value)
    return Dialect(LEEF, _named(fields), _epoch(str(fields.get("devTime", ""))))


def _fortigate(text: str) -> Dialect | None:
    head = _FORTIGATE_HEAD.match(text)
    if head is None:
        return None
    fields = _pairs(text[head.end() :])
    kind = fields.get("type")
    if "devname" not in fields and "devid" not in fields and "logid" not in fields:
        return None
    route = _FORTIGATE.get(kind if isinstance(kind, str) else "", _FORTIGATE["utm"])
    zone = str(fields.get("tz", "+0000"))
    stamp = f"{fields.get('date', '')}T{fields.get('time', '')}{zone[:3]}:{zone[3:]}" if "date" in fields else ""
    return Dialect(route, _named(fields), stamp)


def _iptables(message: str) -> Dialect | None:
    head = _IPTABLES.match(message)
    if head is None:
        return None
    fields = _pairs(message[head.end("prefix") :])
    fields["message"] = message
    if said := _FLAG.search(head["prefix"]):
        fields["action"] = said[1].lower()
    return Dialect(IPTABLES, _named(fields))


def _filterlog(message: str) -> Dialect | None:
    parts = message.split(",")
    if len(parts) < 20 or parts[8] not in {"4", "6"}:
        return None
    fields: dict[str, Value] = {
        "message": message,
        "rule": parts[0],
        "interface": parts[4],
        "reason": parts[5],
        "action": parts[6],
        "direction": parts[7],
    }
    at = 18 if parts[8] == "4" else 15
    fields["protocol"] = parts[16] if parts[8] == "4" else parts[12]
    fields["src_ip"], fields["dst_ip"] = parts[at], parts[at + 1]
    if fields["protocol"] in {"tcp", "udp"} and len(parts) > at + 3:
        fields["src_port"], fields["dst_port"] = parts[at + 2], parts[at + 3]
    return Dialect(FILTERLOG, _with_ports(fields))


def _haproxy(message: str) -> Dialect | None:
    found = _HAPROXY.match(message)
    if found is None:
        return _haproxy_tcp(message)
    stem, _, query = found["uri"].partition("?")
    fields: dict[str, Value] = {
        "message": message,
        "c-ip": found["client"],
        "src_ip": found["client"],
        "src_port": int(found["port"]),
        "cs-method": found["method"],
        "c-uri": found["uri"],
        "cs-uri-stem": stem,
        "cs-uri-query": query,
        "sc-status": int(found["status"]),
        "sc-bytes": int(found["bytes"]),
        "frontend": found["frontend"],
        "backend": found["backend"],
        "server": found["server"],
    }
    return Dialect(HAPROXY, fields)


def _haproxy_tcp(message: str) -> Dialect | None:
    found = _HAPROXY_TCP.match(message)
    if found is None:
        return None
    fields: dict[str, Value] = {
        "message": message,
        "src_ip": found["client"],
        "src_port": int(found["port"]),
        "bytes": int(found["bytes"]),
        "termination_state": found["state"],
        "frontend": found["frontend"],
        "backend": found["backend"],
        "server": found["server"],
    }
    return Dialect(HAPROXY_TCP, fields)


def _squid(text: str) -> Dialect | None:
    found = _SQUID.fullmatch(text)
    if found is None:
        return None
    fields: dict[str, Value] = {
        "c-ip": found["client"],
        "src_ip": found["client"],
        "cs-method": found["method"],
        "c-uri": found["url"],
        "sc-status": int(found["status"]),
        "sc-bytes": int(found["bytes"]),
        "action": found["result"],
        "r-dns": found["peer"],
    }
    try:
        address = urlsplit(found["url"] if "://" in found["url"] else f"//{found['url']}")
        fields |= {"cs-host": address.hostname or "", "cs-uri-stem": address.path, "cs-uri-query": address.query}
    except ValueError:  # the address is a client's word: a bracket may be missing
        fields["cs-host"] = ""
    if found["user"] != "-":
        fields["cs-username"] = found["user"]
    if found["type"]:
        fields["rs(Content-Type)"] = found["type"]
    return Dialect(SQUID, fields, _epoch(found["at"]))


def _checkpoint(message: str) -> Dialect | None:
    said = of_checkpoint(message)
    return None if said is None else Dialect(said[0], said[1], _epoch(said[2]))


def _nginx(message: str) -> Dialect | None:
    said = of_nginx(message)
    # Its own stamp names no zone: the header's counts.
    return None if said is None else Dialect(said[0], said[1])


_BY_PROGRAM: Final = {
    "cef": _cef,
    "leef": _leef,
    "kernel": _iptables,
    "ulogd": _iptables,
    "filterlog": _filterlog,
    "haproxy": _haproxy,
    "checkpoint": _checkpoint,
    "nginx": _nginx,
}


def _pairs(text: str) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for found in _KEY_VALUE.finditer(text):
        fields.setdefault(found[1], found[2] if found[2] is not None else found[3])
        if len(fields) >= MAX_PAIRS:
            break
    return fields


def _named(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields, and those names of rules that one of them answers to."""
    made = dict(fields)
    for name, others in _NAMES.items():
        value = next((fields[other] for other in others if fields.get(other)), None)
        if value is not None:
            made.setdefault(name, value)
    return _with_ports(made)


def _with_ports(fields: dict[str, Value]) -> dict[str, Value]:
    for name in _PORTS & fields.keys():
        value = fields[name]
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
            fields[name] = int(value)
    return fields


def _epoch(text: str) -> str:
    """RFC 3339 of seconds or milliseconds since 1970; "" for anything else."""
    if re.fullmatch(r"[0-9]{9,10}(?:\.[0-9]{1,6})?|[0-9]{13}", text) is None:
        return ""
    seconds = float(text) / (1_000 if len(text) == 13 else 1)
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

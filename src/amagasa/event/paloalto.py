"""Palo Alto's comma-separated log lines -> fields under the names of its own documentation.

Traffic, threat (URL, WildFire and data among them) and system logs; of other kinds only what all lines begin with.
Later versions add columns at the end alone, so a place keeps its meaning. Source: PAN-OS 10.2 Administrator's Guide,
"Syslog Field Descriptions".
"""

import csv
import re
from typing import Final

from amagasa.event.record import LogSource, Route, Value

KINDS: Final = ("traffic", "threat", "system", "other")
PALOALTO: Final = {
    kind: Route(
        name=f"paloalto/{kind}",
        sources=(
            LogSource(category="firewall" if kind in {"traffic", "threat"} else None, product="paloalto", service=kind),
        ),
    )
    for kind in KINDS
}

_STAMP: Final = r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_HEAD: Final = re.compile(rf"[0-9]?,{_STAMP},[0-9A-Za-z]{{0,32}},[A-Z][A-Z0-9-]{{1,31}},")
_WHEN: Final = re.compile(_STAMP)
# Where two columns hold one name, the first is it. "" is a place that the documentation leaves for later.
_COMMON: Final = ("", "receive_time", "serial", "type", "subtype", "", "time_generated")
_SESSION: Final = (
    *("src", "dst", "natsrc", "natdst", "rule", "srcuser", "dstuser", "app", "vsys", "from", "to", "inbound_if"),
    *("outbound_if", "logset", "", "sessionid", "repeatcnt", "sport", "dport", "natsport", "natdport", "flags"),
    *("protocol", "action"),
)
_COLUMNS: Final = {
    "traffic": (
        *(*_COMMON, *_SESSION, "bytes", "bytes_sent", "bytes_received", "packets", "start", "elapsed", "category"),
    ),
    "threat": (*_COMMON, *_SESSION, "misc", "threatid", "category", "severity", "direction"),
    "system": (*_COMMON, "vsys", "eventid", "object", "", "", "module", "severity", "opaque"),
    "other": _COMMON,
}
# What rules for any firewall call it.
_NAMES: Final = {
    "src_ip": "src",
    "dst_ip": "dst",
    "src_port": "sport",
    "dst_port": "dport",
    "user": "srcuser",
    "message": "opaque",
}
_PORTS: Final = frozenset({"src_port", "dst_port"})


def of_paloalto(text: str) -> tuple[Route, dict[str, Value], str] | None:
    """Route, fields and the instant (ISO 8601 as the firewall's clock has it, no zone); None for any other line."""
    if _HEAD.match(text) is None:
        return None
    try:
        columns = next(csv.reader((text,)))
    except csv.Error:  # a carriage return outside of quotes, or one column of more than 128 KiB
        return None
    kind = columns[3].lower()
    kind = kind if kind in PALOALTO else "other"
    fields: dict[str, Value] = {}
    for name, value in zip(_COLUMNS[kind], columns, strict=False):
        if name and value:
            fields.setdefault(name, value)
    for name, own in _NAMES.items():
        if own in fields:
            fields[name] = _port(fields[own]) if name in _PORTS else fields[own]
    said = str(fields.get("time_generated", ""))
    stamp = said if _WHEN.fullmatch(said) else columns[1]
    return PALOALTO[kind], fields, stamp.replace("/", "-")


def _port(value: str) -> Value:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 5 else value

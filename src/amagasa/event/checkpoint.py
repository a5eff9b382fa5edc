"""Check Point's log exporter in its own form of syslog -> fields: `[action:"Drop"; src:"198.51.100.7"; ...]`.

It stands where RFC 5424 has structured data, or in the message. Its CEF, LEEF and JSON are read as such. Source: Check
Point, Log Exporter, "Syslog format".
"""

import re
from typing import Final

from amagasa.event.record import LogSource, Route, Value

CHECKPOINT: Final = Route(
    name="checkpoint", sources=(LogSource(category="firewall", product="checkpoint", service="firewall"),)
)
PROGRAM: Final = "checkpoint"
MAX_PAIRS: Final = 512
_PAIR: Final = re.compile(r'([A-Za-z0-9_.-]{1,64}):"((?:[^"\\]|\\.)*+)"')
_NAMES: Final = {"src_ip": "src", "dst_ip": "dst", "src_port": "s_port", "protocol": "proto", "user": "src_user_name"}
_ESCAPE: Final = re.compile(r'\\(["\\\]])')


def of_checkpoint(text: str) -> tuple[Route, dict[str, Value], str] | None:
    """Route, fields and the seconds since 1970 ("" where none are told); None where no pair stands in it."""
    fields: dict[str, Value] = {}
    for found in _PAIR.finditer(text):
        fields.setdefault(found[1], _ESCAPE.sub(r"\1", found[2]))
        if len(fields) >= MAX_PAIRS:
            break
    if "action" not in fields and "product" not in fields:
        return None
    for name, own in _NAMES.items():
        if own in fields:
            fields.setdefault(name, fields[own])
    # `service` is the port of the destination, or its name where the exporter resolves it.
    if str(fields.get("service", "")).isdigit():
        fields.setdefault("dst_port", fields["service"])
    for name in ("src_port", "dst_port"):
        value = str(fields.get(name, ""))
        if value.isascii() and value.isdigit() and len(value) <= 5:
            fields[name] = int(value)
    return CHECKPOINT, fields, str(fields.get("time", ""))

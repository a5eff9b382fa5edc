"""Records of the Linux audit system as text: `type=EXECVE msg=audit(1604994496.155:92733): argc=2 a0="arp" a1="-a"`.

Fields keep auditd's names, as Sigma's rules for {product: linux, service: auditd} use them (`type`, `a0`, `exe`,
`key`, `SYSCALL` of the enriched format ...). Values in hexadecimal, as auditd writes what holds spaces, quotes or
bytes beyond ASCII, are decoded; so are those inside `msg='...'`. Source: audit-userspace, `specs/fields`.
"""

import re
from typing import Final

from amagasa.event.record import LogSource, Route, Value

AUDITD: Final = Route(name="linux/auditd", sources=(LogSource(product="linux", service="auditd"),))

RECORD: Final = re.compile(
    r"(?:node=(?P<node>\S{1,255}) )?type=(?P<type>[A-Za-z0-9_\[\]]{1,64}) "
    r"(?:msg=)?audit\((?P<at>[0-9]{1,12}(?:\.[0-9]{1,3})?):(?P<serial>[0-9]{1,20})\): ?(?P<rest>.*)",
    re.DOTALL,
)
_PAIR: Final = re.compile(r"""([A-Za-z_][A-Za-z0-9_-]{0,63}(?:\[[0-9]{1,5}\])?)=("[^"]*+"|'[^']*+'|[^ \x1d]*+)""")
_HEX: Final = re.compile(r"(?:[0-9A-F]{2}){1,65536}")
# Only these are ever written in hexadecimal; `a0` of a SYSCALL is a number in hexadecimal and stays as it is.
_ENCODED: Final = re.compile(
    r"a[0-9]+(?:\[[0-9]+\])?|exe|comm|name|cwd|proctitle|key|data|cmd|acct|path|dir|file|watch|vm|new-disk|old-disk"
)
_MAX_FIELDS: Final = 512


def audit_fields(match: re.Match[str]) -> dict[str, Value]:
    """The fields of a record that `RECORD` matched, `event_serial` and `node` with them."""
    kind = match["type"]
    fields: dict[str, Value] = {"type": kind, "event_serial": match["serial"]}
    if match["node"]:
        fields["node"] = match["node"]
    _pairs(match["rest"], fields, kind)
    return fields


def _pairs(text: str, fields: dict[str, Value], kind: str) -> None:
    for name, value in _PAIR.findall(text)[:_MAX_FIELDS]:
        if value.startswith("'"):
            fields[name] = value[1:-1]
            _pairs(value[1:-1].replace("'", ""), fields, kind)
        elif value.startswith('"'):
            fields[name] = value[1:-1]
        elif value not in {"(null)", "?", ""}:
            fields[name] = _decoded(name, value, kind)


def _decoded(name: str, value: str, kind: str) -> str:
    if kind == "SYSCALL" and name[1:].isdigit():
        return value
    if _ENCODED.fullmatch(name) and _HEX.fullmatch(value):
        return bytes.fromhex(value).replace(b"\0", b" ").decode("utf-8", "replace")
    return value

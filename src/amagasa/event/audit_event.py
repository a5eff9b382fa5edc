"""The records which the Linux audit system writes of one event -> what happened, in the terms of Sigma's categories.

One system call gives several records of the same number: SYSCALL (who), EXECVE (the arguments), CWD, PATH (the files),
SOCKADDR, PROCTITLE. Each stays a record by itself, for rules about single records ({product: linux, service: auditd});
together they are also a process creation, a file created or deleted, a connection, with the names that Sysmon for Linux
gives to the same. What they are together is no record more: it stands beside those that were read.

Sources: audit-userspace, `specs/fields` and auparse; Linux, `include/uapi/linux/audit.h` and `socket.h`; the Sigma
taxonomy (specification 2.1) for process_creation, file_event, file_delete, network_connection.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct

from amagasa.event.auditd import RECORD, audit_fields
from amagasa.event.lines import text_of
from amagasa.event.record import MISSING, Chunk, Event, EventBatch, LogSource, Route, Value, Wanted

MAX_RECORDS: Final = 64  # of one event; the kernel's own limit on PATH records is far below
_MAX_ARGUMENTS: Final = 4_096
_ID: Final = re.compile(rb"audit\([0-9.]{1,20}:[0-9]{1,20}\)")
# The last record that is written of an event.
_LAST: Final = re.compile(rb"type=(?:PROCTITLE|EOE) ")
_HEAD_BYTES: Final = 512
_BEGIN: Final = re.compile(r"(?:node=\S{1,255} )?type=[A-Za-z0-9_\[\]]{1,64} (?:msg=)?audit\(")
_PART: Final = re.compile(r"a([0-9]{1,5})(?:\[([0-9]{1,5})\])?")
_EXECVE: Final = frozenset({"execve", "execveat", "59", "322", "221", "281", "11"})
_CONNECT: Final = frozenset({"connect", "42", "203"})
_INET: Final = 2
_INET6: Final = 10


def _route(category: str) -> Route:
    # No service: rules for the service look at the records themselves.
    return Route(name=f"linux/auditd/{category}", sources=(LogSource(product="linux", category=category),))


PROCESS: Final = _route("process_creation")
FILE: Final = _route("file_event")
DELETED: Final = _route("file_delete")
CONNECTION: Final = _route("network_connection")
ROUTES: Final = (PROCESS, FILE, DELETED, CONNECTION)
# Beside those of the SYSCALL record.
FIELDS: Final = (
    *("Image", "CommandLine", "CurrentDirectory", "User", "LoginUser", "ProcessId", "ParentProcessId", "Computer"),
    *("TargetFilename", "DestinationIp", "DestinationPort", "DestinationIsIpv6", "_raw"),
)


class Joined(Struct, frozen=True, kw_only=True):
    """What records say together. `places` are those among the lines, `lines` the records as they came, one a line."""

    route: Route
    place: int
    lines: bytes
    fields: dict[str, Value]


def whole_events(data: bytes) -> int:
    """How many bytes of `data` (whole lines) may be read now, so that no event is cut: all of them, where it is over.

    An event whose last record is the last of `data` is over where that record ends one.
    """
    end = len(data)
    start = data.rfind(b"\n", 0, end - 1) + 1
    found = _ID.search(data, start, start + _HEAD_BYTES)
    if found is None or _LAST.search(data, start, start + _HEAD_BYTES):
        return end
    own, cut = found[0], start
    for _ in range(MAX_RECORDS):
        if cut == 0:
            return 0
        before = data.rfind(b"\n", 0, cut - 1) + 1
        if own not in data[before : min(cut, before + _HEAD_BYTES)]:
            return cut
        cut = before
    return end


def joined(lines: Sequence[tuple[int, bytes]]) -> Iterator[Joined]:
    """What these lines of the audit system (each with its place) say together; a header of syslog may lead them.

    Records of one event need not follow one another. Beyond `MAX_RECORDS` of one, the rest is left out.
    """
    events: dict[tuple[str, str, str], list[tuple[int, bytes, dict[str, Value]]]] = {}
    for place, line in lines:
        match = _record_in(line)
        if match is not None:
            own = events.setdefault((match["node"] or "", match["at"], match["serial"]), [])
            if len(own) < MAX_RECORDS:
                own.append((place, line, audit_fields(match)))
    for records in events.values():
        if len(records) > 1:
            yield from _joined(records)


def batches_of(chunk: Chunk, records: EventBatch | None, wanted: Wanted) -> tuple[EventBatch, ...]:
    """What the records of a chunk say together, a batch a route. Its lines hold all records of the event."""
    if records is None:
        return ()
    made: dict[str, EventBatch] = {}
    for one in joined(list(zip(records.records, records.lines, strict=True))):
        batch = made.get(one.route.name)
        if batch is None:
            names = wanted(one.route)
            batch = made[one.route.name] = EventBatch(
                path=chunk.path,
                format=chunk.format,
                route=one.route,
                fields=names,
                rows=[],
                lines=[],
                records=[],
                read_at=chunk.read_at,
            )
        values = {**one.fields, "_raw": text_of(one.lines)}
        batch.rows.append(tuple(values.get(name, MISSING) for name in batch.fields))
        batch.lines.append(one.lines)
        batch.records.append(one.place)
    return tuple(made.values())


def detail_joined(lines: bytes, route: Route) -> Event:
    """The event of `Joined.lines` on this route."""
    matches = [match for line in lines.split(b"\n") if (match := _record_in(line))]
    records = [(0, b"", audit_fields(match)) for match in matches]
    found = next((one for one in _joined(records) if one.route is route or one.route.name == route.name), None)
    at = _epoch(float(matches[0]["at"])) if matches else None
    return Event(route=route, fields=found.fields if found else {}, event_at=at)


def _record_in(line: bytes) -> re.Match[str] | None:
    text = text_of(line)
    begin = _BEGIN.search(text)
    return RECORD.fullmatch(text, begin.start()) if begin else None


def _joined(records: Sequence[tuple[int, bytes, dict[str, Value]]]) -> Iterator[Joined]:
    by_kind: dict[str, list[dict[str, Value]]] = {}
    for _, _, fields in records:
        by_kind.setdefault(str(fields["type"]), []).append(fields)
    call = by_kind.get("SYSCALL", [{}])[0]
    if not call:
        return
    is_done = call.get("success") != "no"
    place, lines = records[0][0], b"\n".join(line for _, line, _ in records)
    who = _who(call, by_kind)
    call_name = str(call.get("SYSCALL", call.get("syscall", "")))
    if is_done and ("EXECVE" in by_kind or call_name in _EXECVE):
        command = _command(by_kind)
        yield Joined(route=PROCESS, place=place, lines=lines, fields=who | command)
    for route, kind in ((FILE, "CREATE"), (DELETED, "DELETE")):
        paths = [one for one in by_kind.get("PATH", ()) if one.get("nametype") == kind]
        # The last one is the file itself; the others are folders on the way.
        if is_done and paths and (name := _path(paths[-1], by_kind)):
            yield Joined(route=route, place=place, lines=lines, fields=who | {"TargetFilename": name})
    if call_name in _CONNECT:  # one that waits for its answer has not succeeded yet
        for address in by_kind.get("SOCKADDR", ())[:1]:
            if peer := _peer(address):
                yield Joined(route=CONNECTION, place=place, lines=lines, fields=who | peer)


def _who(call: Mapping[str, Value], by_kind: Mapping[str, Sequence[Mapping[str, Value]]]) -> dict[str, Value]:
    """The process, by Sysmon's names, and the rest of the SYSCALL record by its own."""
    fields = dict(call)
    fields.pop("type", None)
    named = {
        "Image": call.get("exe"),
        "ProcessId": call.get("pid"),
        "ParentProcessId": call.get("ppid"),
        "User": _user(call, "UID", "uid"),
        "LoginUser": _user(call, "AUID", "auid"),
        "Computer": call.get("node"),
        "CurrentDirectory": next((one.get("cwd") for one in by_kind.get("CWD", ())), None),
    }
    return fields | {name: value for name, value in named.items() if value is not None}


def _user(call: Mapping[str, Value], name: str, number: str) -> Value:
    """The name where the log was written enriched; root is known without."""
    found = call.get(name, call.get(number))
    return "root" if found == "0" else None if found in {"4294967295", "-1", "unset"} else found


def _command(by_kind: Mapping[str, Sequence[Mapping[str, Value]]]) -> dict[str, Value]:
    """`CommandLine`: the arguments with blanks between them, as Sysmon for Linux writes them."""
    parts: dict[tuple[int, int], str] = {}
    for record in by_kind.get("EXECVE", ()):
        for name, value in record.items():
            if len(parts) < _MAX_ARGUMENTS and (found := _PART.fullmatch(name)):
                parts[int(found[1]), int(found[2] or 0)] = str(value)
    if not parts:
        title = next((one.get("proctitle") for one in by_kind.get("PROCTITLE", ())), None)
        return {} if title is None else {"CommandLine": title}
    arguments: dict[int, str] = {}
    for (argument, _), text in sorted(parts.items()):
        arguments[argument] = arguments.get(argument, "") + text
    return {"CommandLine": " ".join(arguments.values())}


def _path(record: Mapping[str, Value], by_kind: Mapping[str, Sequence[Mapping[str, Value]]]) -> str:
    name = str(record.get("name", ""))
    folder = next((str(one.get("cwd", "")) for one in by_kind.get("CWD", ())), "")
    return name if name.startswith("/") or not folder or not name else f"{folder.rstrip('/')}/{name}"


def _peer(record: Mapping[str, Value]) -> dict[str, Value]:
    """Where a connection goes: the enriched form, else the socket's address in hexadecimal; {} for other families."""
    told, port_told = str(record.get("laddr", "")), str(record.get("lport", ""))
    if told:
        is_number = port_told.isascii() and port_told.isdigit() and len(port_told) < 6
        return {"DestinationIp": told} | ({"DestinationPort": int(port_told)} if is_number else {})
    try:
        raw = bytes.fromhex(str(record.get("saddr", "")))
    except ValueError:
        return {}
    family = int.from_bytes(raw[:2], "little")
    port = int.from_bytes(raw[2:4], "big")
    if family == _INET and len(raw) >= 8:
        return {"DestinationIp": str(IPv4Address(raw[4:8])), "DestinationPort": port}
    if family == _INET6 and len(raw) >= 24:
        return {"DestinationIp": str(IPv6Address(raw[8:24])), "DestinationPort": port, "DestinationIsIpv6": "true"}
    return {}


def _epoch(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None

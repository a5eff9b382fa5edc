"""Syslog and its kin -> events: RFC 3164 and RFC 5424, auth.log, auditd, Cisco, error logs of web servers, devices.

Fields: `hostname`, `program` (without path), `pid`, `message`, `facility`, `severity` (names of RFC 5424 table 1 and 2,
where a priority leads the line), `_raw` (the whole line), and what `event.syslog_fields` reads from the message.
Sysmon's XML shows Sysmon's fields, auditd's lines those of `event.auditd`; Cisco's lines show `facility` and
`mnemonic` as IOS means them.

One event satisfies several log sources: a line of sshd is {linux, sshd}, {linux, auth} and {linux, syslog}. A stamp
without a year takes it from the instant of reading, one without an offset is in the zone of that instant (UTC, unless
the source names another). Only a program's tag decides the route, never the message, which an attacker may write.
"""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from amagasa.event.audit_event import ROUTES as JOINED
from amagasa.event.audit_event import batches_of
from amagasa.event.auditd import AUDITD, RECORD, audit_fields
from amagasa.event.checkpoint import PROGRAM
from amagasa.event.dialects import ASA, ROUTES, Dialect, of_asa, of_line, of_message
from amagasa.event.error_logs import APACHE, NGINX, of_error_log
from amagasa.event.lines import lines_of, text_of
from amagasa.event.record import (
    MISSING,
    Chunk,
    Event,
    EventBatch,
    LogSource,
    Normalised,
    Reject,
    Route,
    Row,
    Value,
    Wanted,
)
from amagasa.event.route import route_of
from amagasa.event.stamps import from_bsd, from_iso
from amagasa.event.syslog_fields import message_fields
from amagasa.event.windows_layout import fields_of
from amagasa.vocab.text import show

_NOT_SYSLOG: Final = "AMG-EVENT-012"
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_BSD: Final = rf"{_MONTH} {{1,2}}[0-9]{{1,2}} (?:[0-9]{{4}} )?{_CLOCK}"
_ISO: Final = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?"
# With a space for the `T` many programs write their own logs: only a host and a program's tag behind it make it syslog.
_ISO_SPACED: Final = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?"
    r"(?=:?+ ++[0-9A-Za-z][^ ]{0,254}+ ++[^ \[\]():]{1,255}+(?:\[[0-9]{1,10}\])?: )"
)
# No group that captures or that may give back stands in a possessive one: Python before 3.11.5 gets those wrong
# (gh-101955, gh-106052). Nothing is read twice all the same: what follows the optional parts always matches.
_PRIORITY: Final = r"(?:<(?P<priority>[0-9]{1,3})>)?"
# Clusters of supercomputers put a label, the epoch, the date and the node in front of each line.
_CLUSTER: Final = r"(?:[^ ]++ [0-9]{9,10} [0-9]{4}\.[0-9]{2}\.[0-9]{2} [^ ]++ )?"
_TAG: Final = (
    r"(?:(?P<program>(?!%)[^ \[\]():]{1,255}+)(?:\([^ )]*\))?(?:\[(?P<pid>[^ \]]{0,32})\])?(?: \([^)]*\))?: ?)?"
)
_HEADER: Final = re.compile(
    rf"{_PRIORITY}{_CLUSTER}(?P<stamp>{_BSD}|{_ISO}|{_ISO_SPACED}):?+ "
    rf"(?: *+(?P<host>[^ ]{{0,254}}[^ :]) ++)?(?: *+{_TAG})(?P<message>.*)",
    re.DOTALL,
)
_RFC5424: Final = re.compile(
    r"<(?P<priority>[0-9]{1,3})>1 (?P<stamp>-|[^ ]{1,64}) (?P<host>[^ ]{1,255}) (?P<program>[^ ]{1,255}) "
    r"(?P<pid>[^ ]{1,128}) (?P<id>[^ ]{1,255}) (?P<data>-|(?:\[(?:[^\]\\\"]|\\.|\"(?:[^\"\\]|\\.)*+\")*+\])++)"
    r"(?: (?:\ufeff)?(?P<message>.*))?",
    re.DOTALL,
)
_CISCO: Final = re.compile(
    rf"{_PRIORITY}(?P<head>[^%]{{0,200}}?)%(?P<facility>[A-Z][A-Z0-9_]{{1,31}})(?:-[A-Z][A-Z0-9_]{{0,31}})?"
    r"-(?P<severity>[0-7])-(?P<mnemonic>[A-Z0-9_]{2,64}): ?(?P<message>.*)",
    re.DOTALL,
)
_CISCO_STAMP: Final = re.compile(rf"{_BSD}(?: [0-9]{{4}})?")
# Where a syslog header was read already, only a sequence number and a stamp may stand before the per cent sign.
_CISCO_MESSAGE: Final = re.compile(rf"(?:: )?(?:[0-9]+: )?(?:[*.]?{_BSD}(?: [0-9]{{4}})?(?: [A-Z]{{2,5}})?: )?%")
_EVENT_ID: Final = re.compile(r"[0-9]{1,5}")
_SEVERITIES: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)


def _linux(name: str, *services: str) -> Route:
    return Route(name=name, sources=tuple(LogSource(product="linux", service=service) for service in services))


_OTHER: Final = _linux("linux/syslog", "syslog")
_AUTH: Final = _linux("linux/auth", "auth", "syslog")
_ROUTES: Final = {
    "sshd": _linux("linux/sshd", "sshd", "auth", "syslog"),
    "sudo": _linux("linux/sudo", "sudo", "auth", "syslog"),
    "su": _linux("linux/su", "su", "auth", "syslog"),
    "cron": _linux("linux/cron", "cron", "auth", "syslog"),
    "vsftpd": _linux("linux/vsftpd", "vsftpd", "auth", "syslog"),
    "clamd": _linux("linux/clamav", "clamav", "syslog"),
    "guacd": _linux("linux/guacamole", "guacamole", "syslog"),
    "auditd": AUDITD,
}
_SAME: Final = {
    "sshd": ("sshd-session", "sshd-auth", "dropbear"),
    "cron": ("crond", "crontab", "anacron", "/usr/sbin/cron"),
    "clamd": ("clamav", "clamscan", "freshclam", "clamonacc"),
    "guacd": ("guacamole",),
    "auditd": ("audit", "audispd"),
}
_SIGN_IN: Final = (
    "login useradd userdel usermod groupadd groupdel groupmod passwd chpasswd gpasswd chage chfn chsh newgrp newusers "
    "polkitd polkit-agent-helper-1 pkexec pam systemd-logind systemd-user gdm gdm-password lightdm sddm xrdp "
    "xrdp-sesman dovecot saslauthd smbd winbindd sssd krb5kdc in.telnetd telnetd rlogin rshd ftpd proftpd pure-ftpd "
    "doas runuser"
)
_BY_PROGRAM: Final = (
    dict.fromkeys(_SIGN_IN.split(), _AUTH)
    | _ROUTES
    | {name: _ROUTES[program] for program, names in _SAME.items() for name in names}
)
# Public rules for Cisco name services, but search the line for keywords; which service a line is of, no line says.
_CISCO_ROUTE: Final = Route(
    name="cisco",
    sources=tuple(LogSource(product="cisco", service=service) for service in ("aaa", "syslog", "bgp", "ldp", "asa")),
)
MAX_PARAMETERS: Final = 256
_STRUCTURED: Final = re.compile(r'\[([^ =\]"]{1,32})|([^ =\]"]{1,32})="((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ZONE: Final = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})\Z")
_FIREWALLS: Final = frozenset({"ASA", "FTD", "PIX"})


class _Line(Struct, frozen=True):
    """A line taken apart: `fields` are the cheap ones; the message is read further only where someone asks."""

    route: Route
    stamp: str
    program: str
    fields: dict[str, Value]


class Header(Struct, frozen=True, kw_only=True):
    """Of a line: who wrote it ("" where it names nobody), and what."""

    host: str
    program: str
    message: str


def normalise_syslog(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Read the chunk line by line into one batch a route."""
    split = lines_of(chunk)
    batches: dict[str, EventBatch] = {}
    rejects = list(split.rejects)
    for line, number in zip(split.lines, split.numbers, strict=True):
        text = text_of(line)
        parsed = _parse(text)
        if parsed is None:
            rejects.append(_not_syslog(chunk.path, number, line))
            continue
        route = parsed.route
        batch = batches.get(route.name)
        if batch is None:
            batch = batches[route.name] = _empty(chunk, route, wanted(route))
        batch.rows.append(_row(parsed, text, batch.fields))
        batch.lines.append(line)
        batch.records.append(number)
    n_accepted = sum(len(batch.rows) for batch in batches.values())
    together = batches_of(chunk, batches.get(AUDITD.name), wanted)
    return Normalised(
        batches=(*batches.values(), *together),
        rejects=tuple(rejects),
        n_read=n_accepted + len(rejects),
        n_accepted=n_accepted,
    )


def detail_syslog(line: bytes, read_at: datetime) -> Event:
    """The whole event of one accepted line; `read_at` gives the year where the stamp has none."""
    parsed = _parse(text_of(line))
    if parsed is None:
        return Event(route=_OTHER, fields={"message": text_of(line)}, event_at=None)
    return Event(route=parsed.route, fields=_all_fields(parsed), event_at=_instant(parsed, read_at))


def route_of_program(program: str) -> Route:
    """The route of a line of `program` (any case, path or not); {linux, syslog} where it is not known."""
    return _BY_PROGRAM.get(program.rpartition("/")[2].lower(), _OTHER)


def is_known_program(program: str) -> bool:
    """Whether lines of this program (in small letters) have a route of their own."""
    return program in _BY_PROGRAM


def header_of(text: str) -> Header | None:
    """What stands in front of the message of a line with a header of syslog; None where there is none."""
    header = _RFC5424.fullmatch(text) or _HEADER.fullmatch(text)
    if header is None:
        return None
    host, program = header["host"] or "", (header["program"] or "").rpartition("/")[2].lower()
    return Header(host="" if host == "-" else host, program=program, message=header["message"] or "")


def syslog_routes() -> tuple[Route, ...]:
    """Every route that a line of this reader may have, each once."""
    others = (_AUTH, _OTHER, _CISCO_ROUTE, APACHE, NGINX, *ROUTES, *JOINED)
    return tuple(dict.fromkeys((*_ROUTES.values(), *others)))


def is_syslog(text: str) -> bool:
    """Whether this reader would accept the line."""
    return _parse(text) is not None


def _parse(text: str) -> _Line | None:
    header = _RFC5424.fullmatch(text) or _HEADER.fullmatch(text)
    if header is None:
        return _parse_cisco(text) or _parse_audit(text) or _parse_dialect(text)
    program = (header["program"] or "").rpartition("/")[2]
    message = header["message"] or ""
    if (not program or program.isdigit()) and _CISCO_MESSAGE.match(message) and (cisco := _parse_cisco(text)):
        return cisco
    fields: dict[str, Value] = {"message": message}
    if header["host"] and header["host"] != "-":
        fields["hostname"] = header["host"]
    if program and program != "-":
        fields["program"] = program
    if header["pid"] and header["pid"] != "-":
        fields["pid"] = header["pid"]
    fields |= _priority(header["priority"])
    if header.re is _RFC5424 and header["data"] != "-":
        fields |= _structured(header["data"])
    if header.re is _RFC5424 and program.lower() == PROGRAM:
        message = f"{header['data']} {message}"
    if program == "sysmon" and message.startswith("<Event>"):
        return _sysmon(header["stamp"], fields)
    said = of_message(program.lower(), message) if program not in {"", "-"} else of_line(message)
    if said is not None:
        return _told(said, fields, header["stamp"])
    return _Line(route=route_of_program(program), stamp=header["stamp"], program=program.lower(), fields=fields)


def _structured(data: str) -> dict[str, Value]:
    """RFC 5424 section 6.3: `element.parameter` -> value, the first of a name; at most MAX_PARAMETERS."""
    fields: dict[str, Value] = {}
    element = ""
    for found in _STRUCTURED.finditer(data):
        if found[1]:
            element = found[1]
        elif len(fields) < MAX_PARAMETERS:
            fields.setdefault(f"{element}.{found[2]}", re.sub(r'\\(["\\\]])', r"\1", found[3]))
    return fields


def _parse_dialect(text: str) -> _Line | None:
    if error := of_error_log(text):
        return _Line(route=error[0], stamp=error[2], program="", fields=error[1])
    said = of_line(text)
    return None if said is None else _told(said, {"message": text}, "")


def _told(said: Dialect, header: dict[str, Value], stamp: str) -> _Line:
    """A device's own word about its host counts more than the header, and about the instant where it names a zone."""
    own = said.stamp if not stamp or _ZONE.search(said.stamp) else ""
    return _Line(route=said.route, stamp=own or stamp, program="", fields=header | said.fields)


def _sysmon(stamp: str, fields: dict[str, Value]) -> _Line:
    """Sysmon for Linux writes its events as XML into syslog; they are what Sysmon's events are elsewhere."""
    event, _ = fields_of({"SyslogMessage": fields["message"]})
    event.pop("SyslogMessage", None)
    channel, number = event.get("Channel"), str(event.get("EventID", ""))
    route = route_of(
        channel if isinstance(channel, str) else None, int(number) if _EVENT_ID.fullmatch(number) else None
    )
    return _Line(route=route, stamp=event.get("TimeCreated_SystemTime", stamp), program="", fields=fields | event)


def _parse_cisco(text: str) -> _Line | None:
    match = _CISCO.fullmatch(text)
    if match is None:
        return None
    head = match["head"]
    stamps = _CISCO_STAMP.findall(head)
    first = head.partition(" ")[0].rstrip(":")
    if not stamps and not first[:1].isdigit() and head:
        return None
    fields: dict[str, Value] = {
        "facility": match["facility"],
        "severity": _SEVERITIES[int(match["severity"])],
        "mnemonic": match["mnemonic"],
        "message": match["message"],
        "program": "cisco",
    }
    begin = _CISCO_STAMP.match(head)
    host = head[begin.end() :].strip().partition(" ")[0].rstrip(":") if begin else first
    if host and not host.isdigit() and host[0] not in "*.:":
        fields["hostname"] = host
    if user := re.search(r"\b[Uu]ser: ?([^ \]]{1,255})", match["message"]):
        fields["user"] = user[1]
    if command := re.search(r"logged command: ?(.*)", match["message"]):
        fields["command"] = command[1]
    if source := re.search(r"\[Source: ([0-9A-Fa-f.:]+)\]", match["message"]):
        fields["src_ip"] = source[1]
    route = ASA if match["facility"] in _FIREWALLS else _CISCO_ROUTE
    fields |= of_asa(match["message"]) if route is ASA else {}
    return _Line(route=route, stamp=stamps[-1] if stamps else "", program="", fields=fields)


def _parse_audit(text: str) -> _Line | None:
    match = RECORD.fullmatch(text)
    return _Line(route=AUDITD, stamp=match["at"], program="auditd", fields={"message": text}) if match else None


def _priority(priority: str | None) -> dict[str, Value]:
    if priority is None or int(priority) > 191:
        return {}
    facility, severity = divmod(int(priority), 8)
    return {"facility": _FACILITIES[facility], "severity": _SEVERITIES[severity]}


def _row(parsed: _Line, text: str, names: tuple[str, ...]) -> Row:
    if names == ("_raw",):
        return (text,)
    fields = _all_fields(parsed) if any(name not in _CHEAP for name in names) else parsed.fields
    return tuple(text if name == "_raw" else _value(fields, name) for name in names)


_CHEAP: Final = frozenset({"_raw", "message", "program", "hostname", "pid", "facility", "severity"})


def _value(fields: dict[str, Value], name: str) -> Value:
    # Sudo's `USER` and our `user` differ, so a name counts as written first, then in lower case unless it is shouted.
    if name in fields or name.isupper():
        return fields.get(name, MISSING)
    return fields.get(name.lower(), MISSING)


def _all_fields(parsed: _Line) -> dict[str, Value]:
    message = parsed.fields["message"]
    if parsed.route is AUDITD and (match := RECORD.fullmatch(message)):
        return parsed.fields | audit_fields(match)
    return parsed.fields | message_fields(parsed.program, message) if parsed.program else parsed.fields


def _instant(parsed: _Line, read_at: datetime) -> datetime | None:
    if parsed.route is AUDITD and (match := RECORD.fullmatch(parsed.fields["message"])):
        return _epoch(float(match["at"]))
    return from_iso(parsed.stamp, read_at.tzinfo or UTC) or from_bsd(parsed.stamp, read_at)


def _epoch(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _empty(chunk: Chunk, route: Route, fields: tuple[str, ...]) -> EventBatch:
    return EventBatch(
        path=chunk.path,
        format=chunk.format,
        route=route,
        fields=fields,
        rows=[],
        lines=[],
        records=[],
        read_at=chunk.read_at,
    )


def _not_syslog(path: str, record: int, line: bytes) -> Reject:
    why = f"not a syslog line; expected a time stamp, a host and a program first; got {show(line, 120)}"
    return Reject(path=path, record=record, why=why, code=_NOT_SYSLOG)

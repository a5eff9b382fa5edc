r"""Records that a collector put into an envelope, taken out of it, so that they are read as what they are.

- a syslog line around a JSON object (also behind `@cee:`) or around a line of a web server's access log;
- a JSON object of no known kind around an object, a line of an access log or of syslog: `{"log": "..."}` of container
  runtimes, `{"message": "..."}` of shippers, `{"event": {...}}` of HTTP collectors.

One envelope is taken off, and only where what it holds has a log source of its own: a message that only looks like
JSON stays the syslog line that it is. Programs that have a route of their own (sshd, sudo, ...) are never looked into:
what they log, an attacker writes. The host that a syslog header names goes into the object where it names none.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.jsonline import object_of
from amagasa.event.lines import BOM, text_of
from amagasa.event.opened import opened
from amagasa.event.products import JSON, route_of_record
from amagasa.event.record import Chunk, Format
from amagasa.event.sniff import is_access, is_windows
from amagasa.event.syslog import Header, header_of, is_known_program, is_syslog

MAX_HEADER_BYTES: Final = 1_024
_HELD_IN: Final = ("log", "message", "msg", "event", "_raw")
_WEB_SERVERS: Final = frozenset(
    {"nginx", "apache", "apache2", "httpd", "lighttpd", "caddy", "traefik", "web", "access"}
)
_IN_SYSLOG: Final = re.compile(rb'[:\]\-] ?(?:@cee: ?)?\{ ?"|\] "[A-Z]{3,16} [^"\n]{1,4096} HTTP/')
_IN_JSON: Final = re.compile(
    rb'"(?:log|message|msg|event|_raw)" ?: ?(?:\{|"(?:\{|<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:|'
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T|[0-9A-Za-z_.:-]{1,255} [^ \"\n]{1,255} [^ \"\n]{1,255} \[))"
)
_PRIORITY: Final = re.compile(r"<[0-9]{1,3}>")


class _Held(Struct, frozen=True):
    form: Format
    line: bytes


def parts_of(chunk: Chunk) -> Iterator[Chunk]:
    """The chunk as it is, or its lines without those in envelopes, and what was in these; each keeps its number."""
    look = _LOOKS.get(chunk.format)
    if look is None or not (_IN_SYSLOG if chunk.format is Format.SYSLOG else _IN_JSON).search(chunk.data):
        yield chunk
        return
    data = chunk.data.removeprefix(BOM) if chunk.first_record == 1 else chunk.data
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    numbers = chunk.numbers or range(chunk.first_record, chunk.first_record + len(lines))
    found: dict[Format | None, list[tuple[int, bytes]]] = {None: []}
    for number, line in zip(numbers, lines, strict=True):
        held = look(line)
        form = None if held is None else held.form
        found.setdefault(form, []).append((number, line if held is None else held.line))
    for kind, rows in found.items():
        if rows:
            yield replace(
                chunk,
                format=kind or chunk.format,
                data=b"\n".join(line for _, line in rows) + b"\n",
                first_record=max(2, rows[0][0]),  # the mark at the head of a file is off already
                numbers=tuple(number for number, _ in rows),
            )


def _in_syslog(line: bytes) -> _Held | None:
    if _IN_SYSLOG.search(line, 0, MAX_HEADER_BYTES) is None:
        return None
    header = header_of(text_of(line.rstrip(b"\r")))
    if header is None or is_known_program(header.program):
        return None
    message = header.message.removeprefix("@cee:").strip()
    if message.startswith("{"):
        return _object(message, header)
    if header.program in _WEB_SERVERS and is_access(message):
        return _Held(Format.ACCESS, message.encode("utf-8", "surrogateescape"))
    return None


def _in_json(line: bytes) -> _Held | None:
    if _IN_JSON.search(line) is None:
        return None
    record = object_of(line)
    if not isinstance(record, dict) or is_windows(record) or route_of_record(opened(record)) is not JSON:
        return None
    for name in _HELD_IN:
        if (held := _held_by(record.get(name))) is not None:
            return held
    return None


def _held_by(value: Any) -> _Held | None:
    if isinstance(value, dict):
        return _known(value)
    text = value.strip() if isinstance(value, str) else ""
    if not text or "\n" in text:
        return None
    if text.startswith("{"):
        return _object(text, None)
    if is_access(text):
        return _Held(Format.ACCESS, text.encode("utf-8", "replace"))
    if is_syslog(text):
        header = header_of(text)
        if _PRIORITY.match(text) or (header is not None and is_known_program(header.program)):
            return _Held(Format.SYSLOG, text.encode("utf-8", "replace"))
    return None


def _object(text: str, header: Header | None) -> _Held | None:
    record = object_of(text.encode("utf-8", "replace"))
    if not isinstance(record, dict):
        return None
    if header is not None and header.host and not any(name in record for name in ("host", "hostname", "Hostname")):
        return _known(record | {"hostname": header.host})
    return _known(record)


def _known(record: dict[str, Any]) -> _Held | None:
    """The object, where it has a log source of its own."""
    form = Format.WINDOWS if is_windows(record) else Format.JSON
    if form is Format.JSON and route_of_record(opened(record)) is JSON:
        return None
    return _Held(form, json.dumps(record).encode())


_LOOKS: Final[dict[Format, Callable[[bytes], _Held | None]]] = {Format.SYSLOG: _in_syslog, Format.JSON: _in_json}

"""Any other JSON object a line -> events: fields by dotted path, the log source where the keys give the product away.

A field is looked up as it stands (`id.orig_h` may be one key), then along its dots, through lists of objects (any
item's value counts); first with the case as written, then without. A field that names an object holds its JSON text,
so `requestParameters|contains` works. Rows hold what `event.windows.plain` makes of values.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from amagasa.event.jsonline import object_of
from amagasa.event.lines import lines_of
from amagasa.event.opened import opened
from amagasa.event.ot.sensor import SENSORS, sensor_fields
from amagasa.event.products import aliases_of, audit_of_text, route_of_record
from amagasa.event.record import MISSING, Chunk, Event, EventBatch, Normalised, Reject, Route, Value, Wanted
from amagasa.event.stamps import from_value
from amagasa.event.syslog_fields import message_fields
from amagasa.event.windows import plain

_NOT_JSON: Final = "AMG-EVENT-010"
# Of one event shown in full: bounds what a record of a million keys costs once it was found.
MAX_FIELDS: Final = 2_048
MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 256
_STAMPS: Final = (
    *("@timestamp", "timestamp", "Timestamp", "eventTime", "EventTime", "time", "ts", "TimeGenerated", "published"),
    *("requestReceivedTimestamp", "stageTimestamp", "CreationTime", "createdDateTime", "activityDateTime"),
    *("CreatedDateTime", "eventTimestamp", "event_time", "created_at", "utc_time", "datetime", "date", "local_time"),
    *("receiveTimestamp", "__REALTIME_TIMESTAMP", "_time"),
)
# Microsoft 365's audit log (Management Activity API: "in Coordinated Universal Time"), Sysmon, and by their names.
_STAMPS_IN_UTC: Final = frozenset({"CreationTime", "utc_time", "TimeGenerated", "__REALTIME_TIMESTAMP"})


def normalise_jsonlines(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Read each line once, one batch a route; what is no JSON object is a reject with its reason."""
    split = lines_of(chunk)
    batches: dict[str, EventBatch] = {}
    rejects = list(split.rejects)
    for line, number in zip(split.lines, split.numbers, strict=True):
        record = object_of(line)
        if isinstance(record, str):
            rejects.append(Reject(path=chunk.path, record=number, why=record, code=_NOT_JSON))
            continue
        whole = opened(record)
        if whole is not record:
            record, line = whole, json.dumps(whole).encode()  # noqa: PLW2901 - keywords look at the line
        route = route_of_record(record)
        batch = batches.get(route.name)
        if batch is None:
            batch = batches[route.name] = _empty(chunk, route, wanted(route))
        reader = _Record(record, route)
        batch.rows.append(tuple(plain(reader.value(name)) for name in batch.fields))
        batch.lines.append(line)
        batch.records.append(number)
    n_accepted = sum(len(batch.rows) for batch in batches.values())
    return Normalised(
        batches=tuple(batches.values()),
        rejects=tuple(rejects),
        n_read=n_accepted + len(rejects),
        n_accepted=n_accepted,
    )


def detail_jsonlines(line: bytes, zone: tzinfo = UTC) -> Event:
    """The whole event, flattened: leaves by dotted path, lists as lists; at most `MAX_FIELDS` fields.

    A stamp that names no zone is in `zone`, but those of products which write UTC without saying so.
    """
    record = object_of(line)
    if isinstance(record, str):
        return Event(route=route_of_record({}), fields={}, event_at=None)
    record = opened(record)
    route = route_of_record(record)
    fields = flattened(record)
    reader = _Record(record, route)
    for name in aliases_of(route):
        if name not in fields and (value := reader.value(name)) is not MISSING:
            fields[name] = value
    fields |= {name: value for name, value in reader.extracted().items() if name not in fields}
    return Event(route=route, fields=fields, event_at=_instant(record, zone))


def value_at(record: Mapping[str, Any], path: str) -> Value:
    """The value of a field as rules name it: see the module. MISSING where the object has none."""
    return _look_up(record, path)


def flattened(record: Mapping[str, Any]) -> dict[str, Value]:
    """Leaves by dotted path, `MAX_FIELDS` at most."""
    fields: dict[str, Value] = {}
    _flatten(record, "", fields, MAX_DEPTH)
    return fields


class _Record:
    """One object and the ways to look into it; what needs work is made when first asked for."""

    __slots__ = ("_aliases", "_extracted", "_folded", "_record", "_route")

    def __init__(self, record: dict[str, Any], route: Route) -> None:
        self._record = record
        self._route = route.name
        self._folded: dict[str, str] | None = None
        self._aliases = aliases_of(route)
        self._extracted: dict[str, Value] | None = None

    def value(self, name: str) -> Value:
        """The value of a field; MISSING where the object has none."""
        found = self._look_up(name)
        if found is MISSING and (other := self._aliases.get(name)):
            found = self._look_up(other)
        if found is MISSING and ("message" in self._aliases or self._route in SENSORS):
            found = self.extracted().get(name, MISSING)
        return found

    def _look_up(self, path: str) -> Value:
        """Like `_look_up`, but rules ask for many fields that an object lacks, so its own keys are folded once."""
        if path in self._record:
            return self._record[path]
        if self._folded is None:
            self._folded = {key.lower(): key for key in reversed(self._record)}
        key = self._folded.get(path.lower())
        if key is not None:
            return self._record[key]
        for head, rest in _cuts(path):
            key = head if head in self._record else self._folded.get(head.lower())
            if key is not None and (found := _look_up(self._record[key], rest)) is not MISSING:
                return found
        return MISSING

    def extracted(self) -> dict[str, Value]:
        """What a syslog message inside the object shows; {} where there is none."""
        if self._extracted is None:
            is_sensor = self._route in SENSORS
            self._extracted = (
                sensor_fields(self._route, self._record) if is_sensor else _message_fields(self._record, self._aliases)
            )
        return self._extracted


def _message_fields(record: Mapping[str, Any], aliases: Mapping[str, str]) -> dict[str, Value]:
    message = _look_up(record, aliases.get("message", ""))
    program = _look_up(record, aliases.get("program", ""))
    if not isinstance(message, str):
        return {}
    if audit := audit_of_text(message):
        return audit
    return message_fields(program.rpartition("/")[2].lower(), message) if isinstance(program, str) else {}


def _look_up(value: Any, path: str) -> Value:
    """The value at `path`; a list of those found where the way leads through a list; MISSING where there is none."""
    if isinstance(value, list):
        found = [inner for item in value[:MAX_ITEMS] if (inner := _look_up(item, path)) is not MISSING]
        return (found[0] if len(found) == 1 else found) if found else MISSING
    if not isinstance(value, dict):
        return MISSING
    key = _key(value, path)
    if key is not None:
        return value[key]
    # The longest key first: `a.b` may be a key of its own, with `c` inside.
    for head, rest in _cuts(path):
        key = _key(value, head)
        if key is not None and (found := _look_up(value[key], rest)) is not MISSING:
            return found
    return MISSING


def _cuts(path: str) -> Iterator[tuple[str, str]]:
    at = path.rfind(".")
    while at > 0:
        yield path[:at], path[at + 1 :]
        at = path.rfind(".", 0, at)


def _key(value: Mapping[str, Any], name: str) -> str | None:
    if name in value:
        return name
    folded = name.lower()
    return next((key for key in value if len(key) == len(name) and key.lower() == folded), None)


def _flatten(value: Any, path: str, fields: dict[str, Value], depth: int) -> None:
    if len(fields) >= MAX_FIELDS:
        return
    if isinstance(value, dict) and value and depth:
        for key, inner in value.items():
            _flatten(inner, f"{path}.{key}" if path else key, fields, depth - 1)
    elif isinstance(value, list) and depth and any(isinstance(item, dict) for item in value[:MAX_ITEMS]):
        for item in value[:MAX_ITEMS]:
            inner_fields: dict[str, Value] = {}
            _flatten(item, path, inner_fields, depth - 1)
            for name, inner in inner_fields.items():
                fields[name] = [*fields[name], inner] if name in fields else [inner]
    else:
        fields[path] = value


def _instant(record: Mapping[str, Any], zone: tzinfo) -> datetime | None:
    for name in _STAMPS:
        own = UTC if name in _STAMPS_IN_UTC else zone
        if name in record and (moment := from_value(record[name], own)) is not None:
            return moment
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

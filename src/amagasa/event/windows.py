"""Windows events as JSON lines -> batches of rows, one batch a route; the whole event only for what was found.

Fast path: the channel and identifier of a flat line are guessed from its bytes, and the line is decoded into a
Struct of the fields that the route's rules want. The guess is checked by the decoder (the Struct takes that channel
and identifier alone), so a wrong or a forged guess costs time and nothing else: whatever the fast path refuses is
read in full. Values in rows are str, int, None or MISSING; booleans and fractions are text there, lists are tuples,
because `1 == True == 1.0` would share a place in a memo.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from amagasa.event.jsonline import object_of
from amagasa.event.lines import lines_of
from amagasa.event.record import MISSING, Chunk, Event, EventBatch, Normalised, Reject, Route, Row, Value, Wanted
from amagasa.event.route import route_of
from amagasa.event.windows_fields import computed_of
from amagasa.event.windows_layout import FLAT_NAMES, Fields, fields_of

NOT_READ: Final = "AMG-EVENT-010"
_ID_HINT: Final = b'"EventID":'
_CHANNEL_HINT: Final = b'"Channel":"'
# Keys which tell another layout, or hold fields of the event inside: such a line is read in full.
_GUARDS: Final = ("Event", "winlog", "event_data", "user_data", "EventData", "EventData_dynamic", "UserData")


class _Built(Struct):
    """A batch while it grows."""

    route: Route
    fields: tuple[str, ...]
    rows: list[Row]
    indexes: list[int]


class _Reader(Struct, frozen=True):
    """How flat lines of one channel and identifier become rows."""

    route: Route
    fields: tuple[str, ...]
    decode: Callable[[bytes], Any]
    row: Callable[[Any], Row]


def normalise_windows(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Rows of the wanted fields by route; what cannot be read is a reject with its reason. Never raises."""
    read = lines_of(chunk)
    lines = read.lines
    built: dict[str, _Built] = {}
    rejects: list[Reject] = list(read.rejects)
    groups, rest = _guess(lines)
    for (digits, name), indexes in groups.items():
        reader = _reader_of(digits, name, wanted) if digits else None
        if reader is None:
            rest.extend(indexes)
        else:
            rest.extend(_read_fast(reader, lines, indexes, built))
    for index in rest:
        record = object_of(lines[index])
        if isinstance(record, str):
            rejects.append(Reject(path=chunk.path, record=read.numbers[index], why=record, code=NOT_READ))
        else:
            _read_in_full(record, index, wanted, built)
    batches = tuple(
        EventBatch(
            path=chunk.path,
            format=chunk.format,
            route=batch.route,
            fields=batch.fields,
            rows=batch.rows,
            lines=[lines[index] for index in batch.indexes],
            records=[read.numbers[index] for index in batch.indexes],
            read_at=chunk.read_at,
        )
        for batch in built.values()
    )
    return Normalised(
        batches=batches,
        rejects=tuple(rejects),
        n_read=len(lines) + len(read.rejects),
        n_accepted=sum(len(batch.rows) for batch in batches),
    )


def detail_windows(line: bytes) -> Event:
    """The whole event, with Sigma's field names beside the record's own. A line that is no object has no fields."""
    record = object_of(line)
    fields, instant = fields_of(record) if isinstance(record, dict) else ({}, None)
    channel, event_id = _kind(fields)
    route = route_of(channel, event_id)
    if event_id is not None:
        fields["EventID"] = event_id
    for name, (_, computed) in computed_of(dict(route.known).get("Channel"), event_id).items():
        if fields.get(name) is None:
            value = computed(fields)
            if value is not None:
                fields[name] = value
    return Event(route=route, fields=fields, event_at=_instant(instant))


def plain(value: Value) -> Value:
    """A value as rows hold it: str, int, None, MISSING, or a tuple of such. An object becomes its JSON text."""
    if value.__class__ is str or value.__class__ is int or value is None or value is MISSING:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e16 else repr(value)
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return msgspec.json.encode(value, order="sorted").decode() if isinstance(value, dict) else str(value)


def _guess(lines: Sequence[bytes]) -> tuple[dict[tuple[bytes, bytes], list[int]], list[int]]:
    """Lines by the (identifier and what follows it, channel) seen in their bytes; the rest shows neither."""
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    rest: list[int] = []
    for index, line in enumerate(lines):
        at = line.find(_ID_HINT)
        start = line.find(_CHANNEL_HINT)
        if at < 0 or start < 0 or line.startswith(b'{"Event":'):
            rest.append(index)
            continue
        start += len(_CHANNEL_HINT)
        key = (line[at + len(_ID_HINT) : at + len(_ID_HINT) + 6], line[start : line.find(b'"', start)])
        group = groups.get(key)
        if group is None:
            groups[key] = [index]
        else:
            group.append(index)
    return groups, rest


def _reader_of(digits: bytes, name: bytes, wanted: Wanted) -> _Reader | None:
    number = digits.partition(b",")[0].rstrip(b"} ")
    try:
        channel = name.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not number.isdigit() or number.startswith(b"0"):
        return None
    route = _route(channel, int(number))
    return _reader(channel, int(number), wanted(route))


_route = lru_cache(maxsize=4096)(route_of)


@lru_cache(maxsize=1024)
def _reader(channel: str, event_id: int, fields: tuple[str, ...]) -> _Reader:
    route = _route(channel, event_id)
    computed = computed_of(dict(route.known).get("Channel"), event_id)
    keys = dict.fromkeys(("EventID", "Channel"))
    is_direct = len(fields) > 1
    for field in fields:
        names = (*FLAT_NAMES.get(field, (field,)), *(computed[field][0] if field in computed else ()))
        is_direct = is_direct and (len(names) == 1 or field in {"EventID", "Channel"})
        keys.update(dict.fromkeys(names))
    attributes = {key: f"f{number}" for number, key in enumerate(keys)}
    # Unions written out: the classes are made at run time.
    types: dict[str, Any] = {"EventID": Literal[event_id], "Channel": Literal[channel]}
    struct = msgspec.defstruct(
        "Line",
        [
            (attribute, types[key]) if key in types else (attribute, str | int | None, MISSING)
            for key, attribute in attributes.items()
        ]
        + [(f"g{number}", None, None) for number in range(len(_GUARDS)) if _GUARDS[number] not in keys],
        rename={attribute: key for key, attribute in attributes.items()}
        | {f"g{number}": key for number, key in enumerate(_GUARDS) if key not in keys},
        gc=False,
    )
    row: Callable[[Any], Row]
    if is_direct:
        row = attrgetter(*(attributes[field] for field in fields))
    else:
        row = _composed(attributes, fields, channel, event_id)
    return _Reader(route=route, fields=fields, decode=msgspec.json.Decoder(struct).decode, row=row)


def _composed(attributes: dict[str, str], fields: tuple[str, ...], channel: str, event_id: int) -> Callable[[Any], Row]:
    values = attrgetter(*attributes.values())
    keys = tuple(attributes)

    def row(decoded: Any) -> Row:
        present = {key: value for key, value in zip(keys, values(decoded), strict=True) if value is not MISSING}
        return _row(fields_of(present)[0], fields, channel, event_id)

    return row


def _read_fast(reader: _Reader, lines: Sequence[bytes], indexes: list[int], built: dict[str, _Built]) -> list[int]:
    """Add what the reader takes; give back the indexes of the lines it refuses."""
    batch = _batch(built, reader.route, reader.fields)
    decode = reader.decode
    try:
        batch.rows.extend(map(reader.row, [decode(lines[index]) for index in indexes]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _read_one_by_one(reader, lines, indexes, batch)
    batch.indexes.extend(indexes)
    return []


def _read_one_by_one(reader: _Reader, lines: Sequence[bytes], indexes: list[int], batch: _Built) -> list[int]:
    refused = []
    for index in indexes:
        try:
            decoded = reader.decode(lines[index])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            refused.append(index)
            continue
        batch.rows.append(reader.row(decoded))
        batch.indexes.append(index)
    return refused


def _read_in_full(record: dict[str, Any], index: int, wanted: Wanted, built: dict[str, _Built]) -> None:
    fields, _ = fields_of(record)
    channel, event_id = _kind(fields)
    route = _route(channel, event_id)
    batch = built.get(route.name)
    if batch is None:
        batch = _batch(built, route, wanted(route))
    batch.rows.append(_row(fields, batch.fields, dict(route.known).get("Channel", channel), event_id))
    batch.indexes.append(index)


def _batch(built: dict[str, _Built], route: Route, fields: tuple[str, ...]) -> _Built:
    batch = built.get(route.name)
    if batch is None:
        batch = built[route.name] = _Built(route=route, fields=fields, rows=[], indexes=[])
    return batch


def _row(fields: Fields, names: tuple[str, ...], channel: Value, event_id: int | None) -> Row:
    computed = computed_of(channel, event_id)
    values = []
    for name in names:
        value = fields.get(name, MISSING)
        if (value is MISSING or value is None) and name in computed:
            made = computed[name][1](fields)
            value = value if made is None else made
        values.append(plain(value))
    return tuple(values)


def _kind(fields: Fields) -> tuple[str | None, int | None]:
    """Channel and event identifier; an identifier written as text counts like the number."""
    channel = fields.get("Channel")
    number = fields.get("EventID")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 9:
        number = int(number)
    is_number = isinstance(number, int) and not isinstance(number, bool)
    return (channel if isinstance(channel, str) else None), (number if is_number else None)


def _instant(value: Value) -> datetime | None:
    """ISO 8601 with `T` or a space; UTC where no zone is given (Sysmon's UtcTime is; NXLog's EventTime says none)."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None

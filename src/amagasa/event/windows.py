"""Windows events as JSON lines -> batches of rows, one batch a route; the whole event only for what was found.

Fast path: lines are grouped by a look at their bytes; the first of a group is read in full, and the others by a
reader made for lines like it (`event.windows_reader`), which refuses whatever is not like it. So a wrong or forged
look costs time and nothing else.

Values in rows are str, int, None or MISSING; booleans and fractions are text there, lists are tuples, because
`1 == True == 1.0` would share a place in a memo.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.event.jsonline import object_of
from amagasa.event.lines import lines_of
from amagasa.event.record import MISSING, Chunk, Event, EventBatch, Normalised, Reject, Route, Row, Value, Wanted
from amagasa.event.windows_fields import complete
from amagasa.event.windows_layout import Fields, fields_of
from amagasa.event.windows_reader import Reader, reader_for, route

NOT_READ: Final = "AMG-EVENT-010"
_ID_HINT: Final = b'"EventID":'
_OTHER_HINT: Final = b'"event_id":'
# Of the hint and what follows it: enough for any identifier, little of the next key.
_HINT_BYTES: Final = 18
# A reader takes half a millisecond to make, a line in full 15 microseconds: for fewer lines than this it does not pay,
# and whoever writes lines of ever new shapes must not make us build a reader for each.
MIN_GROUP = 24
_MAX_SHAPES: Final = 4
# The reader that last served lines of a look. Only a memo: a reader refuses what does not fit it.
_READERS: Final[dict[bytes, Reader]] = {}
_MAX_READERS: Final = 4096


class _Built(Struct):
    """A batch while it grows."""

    route: Route
    fields: tuple[str, ...]
    rows: list[Row]
    indexes: list[int]


class _Work(Struct):
    """A chunk on its way to batches. `refused` holds why a line could not be read."""

    lines: list[bytes]
    wanted: Wanted
    built: dict[str, _Built]
    refused: dict[int, str]


def normalise_windows(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Rows of the wanted fields by route; what cannot be read is a reject with its reason. Never raises.

    Costs least with chunks of half a megabyte to two: larger ones leave the processor's cache.
    """
    read = lines_of(chunk)
    lines = read.lines
    work = _Work(lines, wanted, {}, {})
    for look, indexes in _guess(lines).items():
        _read_group(work, look, indexes)
    batches = tuple(
        EventBatch(
            path=chunk.path,
            format=chunk.format,
            route=built.route,
            fields=built.fields,
            rows=built.rows,
            lines=[lines[index] for index in built.indexes],
            records=[read.numbers[index] for index in built.indexes],
            read_at=chunk.read_at,
        )
        for built in work.built.values()
        if built.rows
    )
    refused = tuple(
        Reject(path=chunk.path, record=read.numbers[index], why=why, code=NOT_READ)
        for index, why in sorted(work.refused.items())
    )
    return Normalised(
        batches=batches,
        rejects=read.rejects + refused,
        n_read=len(lines) + len(read.rejects),
        n_accepted=sum(len(batch.rows) for batch in batches),
    )


def detail_windows(line: bytes, zone: tzinfo = UTC) -> Event:
    """The whole event, with Sigma's field names beside the record's own. A line that is no object has no fields.

    NXLog's `EventTime` names no zone: it is in `zone`.
    """
    record = object_of(line)
    fields, instant = fields_of(record) if isinstance(record, dict) else ({}, None)
    channel, event_id = kind_of(fields)
    own = route(channel, event_id)
    if event_id is not None:
        fields["EventID"] = event_id
    complete(fields, dict(own.known).get("Channel"), event_id)
    return Event(
        route=own, fields=fields, event_at=_instant(instant, zone if instant is fields.get("EventTime") else UTC)
    )


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


def _guess(lines: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Indexes of lines that look alike: the same bytes follow the same key of the event's identifier."""
    groups: dict[bytes, list[int]] = {}
    for index, line in enumerate(lines):
        at = line.find(_ID_HINT)
        if at < 0:
            at = line.find(_OTHER_HINT)
        key = line[at : at + _HINT_BYTES]
        group = groups.get(key)
        if group is None:
            groups[key] = [index]
        else:
            group.append(index)
    return groups


def _read_group(work: _Work, look: bytes, indexes: list[int]) -> None:
    """Read lines that look alike: by the reader of such lines before, then by one made for the first it refuses."""
    reader = _READERS.get(look)
    if reader is not None and reader.fields == _batch(work, reader.route).fields:
        indexes = _read_fast(work, reader, indexes)
    for _ in range(_MAX_SHAPES):
        if len(indexes) < MIN_GROUP:
            break
        reader = _like(work, look, indexes[0])
        indexes = indexes[1:]
        if reader is not None:
            indexes = _read_fast(work, reader, indexes)
    for index in indexes:
        _read_in_full(work, index)


def _read_fast(work: _Work, reader: Reader, indexes: list[int]) -> list[int]:
    """Add what the reader takes; give back the indexes of the lines it refuses."""
    batch = _batch(work, reader.route)
    decode, row, lines = reader.decode, reader.row, work.lines
    try:
        batch.rows.extend([row(decode(lines[index])) for index in indexes])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _read_one_by_one(work, reader, indexes, batch)
    batch.indexes.extend(indexes)
    return []


def _read_one_by_one(work: _Work, reader: Reader, indexes: list[int], batch: _Built) -> list[int]:
    refused = []
    for index in indexes:
        try:
            decoded = reader.decode(work.lines[index])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            refused.append(index)
            continue
        batch.rows.append(reader.row(decoded))
        batch.indexes.append(index)
    return refused


def _like(work: _Work, look: bytes, index: int) -> Reader | None:
    """Read one line in full, and make a reader for lines like it if there can be one."""
    read = _read_in_full(work, index)
    if read is None:
        return None
    record, kind, fields = read
    reader = reader_for(record, kind, fields)
    if reader is not None:
        if len(_READERS) >= _MAX_READERS:
            _READERS.clear()
        _READERS[look] = reader
    return reader


def _read_in_full(
    work: _Work, index: int
) -> tuple[dict[str, Value], tuple[str | None, int | None], tuple[str, ...]] | None:
    """Read one line whatever its layout: its record, kind and wanted fields, or None where it was refused."""
    record = object_of(work.lines[index])
    if isinstance(record, str):
        work.refused[index] = record
        return None
    fields, _ = fields_of(record)
    kind = kind_of(fields)
    own = route(*kind)
    if kind[1] is not None:
        fields["EventID"] = kind[1]
    complete(fields, dict(own.known).get("Channel"), kind[1])
    batch = _batch(work, own)
    batch.rows.append(tuple(plain(fields.get(name, MISSING)) for name in batch.fields))
    batch.indexes.append(index)
    return record, kind, batch.fields


def _batch(work: _Work, own: Route) -> _Built:
    batch = work.built.get(own.name)
    if batch is None:
        batch = work.built[own.name] = _Built(route=own, fields=work.wanted(own), rows=[], indexes=[])
    return batch


def kind_of(fields: Fields) -> tuple[str | None, int | None]:
    """Channel and event identifier; an identifier written as text counts like the number."""
    channel = fields.get("Channel")
    number = fields.get("EventID")
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 9:
        number = int(number)
    is_number = isinstance(number, int) and not isinstance(number, bool)
    return (channel if isinstance(channel, str) else None), (number if is_number else None)


def _instant(value: Value, zone: tzinfo) -> datetime | None:
    """ISO 8601 with `T` or a space; in `zone` where none is given."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except OverflowError:
        return None

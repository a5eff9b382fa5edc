"""Records read by a mapping (`event.mapping`) -> events. A record stays as it came; the mapping says what it means."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.jsonline import object_of
from amagasa.event.jsonlines import flattened, value_at
from amagasa.event.lines import lines_of, text_of
from amagasa.event.mapping import UTF_8, FieldMap, Kind, LogMapping, Type, pattern_of
from amagasa.event.record import (
    MISSING,
    Chunk,
    Event,
    EventBatch,
    Format,
    LogSource,
    Normalised,
    Reject,
    Route,
    Value,
    Wanted,
)
from amagasa.event.stamps import MAY_RUN_AHEAD, from_value
from amagasa.event.windows import plain
from amagasa.vocab.text import show

NOT_FITTING: Final = "AMG-EVENT-030"
MAX_PAIRS: Final = 2_048
_MAX_INT_DIGITS: Final = 18
_LEAP_YEARS: Final = 9  # eight years hold a leap year even around 1900 and 2100

Record = dict[str, Any]


class Reading(Struct, frozen=True, kw_only=True, eq=False):
    """A mapping made ready: `read` gives the record of a line, why it is none, or None for a line that is no record."""

    mapping: LogMapping
    route: Route
    read: Callable[[bytes], Record | str | None]
    fields: dict[str, FieldMap]
    zone: tzinfo


def normalise_mapped(chunk: Chunk, mapping: LogMapping, wanted: Wanted) -> Normalised:
    """Every line of the chunk is a row, a reject with its reason, or no record at all (a header, a comment)."""
    reading = reading_of(mapping)
    names = wanted(reading.route)
    split = lines_of(chunk)
    rejects = list(split.rejects)
    rows: list[tuple[Value, ...]] = []
    lines: list[bytes] = []
    records: list[int] = []
    for raw, number in zip(split.lines, split.numbers, strict=True):
        line = _in_utf_8(raw, mapping.encoding)
        record = reading.read(line) if isinstance(line, bytes) else line
        if record is None:
            continue
        if isinstance(record, str) or isinstance(line, str):
            rejects.append(Reject(path=chunk.path, record=number, why=str(record), code=NOT_FITTING))
            continue
        rows.append(tuple(plain(_value(reading, record, name)) for name in names))
        lines.append(line)
        records.append(number)
    batch = EventBatch(
        path=chunk.path,
        format=chunk.format,
        route=reading.route,
        fields=names,
        rows=rows,
        lines=lines,
        records=records,
        read_at=chunk.read_at,
        mapping=mapping if mapping.encoding == UTF_8 else replace(mapping, encoding=UTF_8),  # as the lines are now
    )
    n_accepted = len(rows)
    return Normalised(
        batches=(batch,) if rows else (),
        rejects=tuple(rejects),
        n_read=n_accepted + len(rejects),
        n_accepted=n_accepted,
    )


def detail_mapped(line: bytes, mapping: LogMapping, read_at: datetime) -> Event:
    """The whole event of a line: the fields which the mapping names first, then the record's own."""
    reading = reading_of(mapping)
    record = reading.read(line)
    if not isinstance(record, dict):
        return Event(route=reading.route, fields={}, event_at=None)
    fields = {name: value for name in reading.fields if (value := _value(reading, record, name)) is not MISSING}
    if mapping.keeps_others:
        fields |= {name: value for name, value in flattened(record).items() if name not in fields}
    return Event(route=reading.route, fields=fields, event_at=_instant(reading, record, read_at))


def _in_utf_8(line: bytes, encoding: str) -> bytes | str:
    """The line as all else reads it, or why it is not in its encoding: a wrong guess would be a wrong record."""
    if encoding == UTF_8:
        return line
    try:
        return line.decode(encoding).encode()
    except UnicodeDecodeError as problem:
        where = f"byte {problem.start + 1} is {line[problem.start]:02x}"
        return f"not {encoding.replace('_', '-')}, as the mapping says: {where}; got {show(text_of(line), 120)}"


def format_of(mapping: LogMapping) -> Format:
    """What such lines are for whoever does not know the mapping: an object, or text."""
    return Format.JSON if mapping.kind is Kind.JSON else Format.SYSLOG


@lru_cache(maxsize=64)
def reading_of(mapping: LogMapping) -> Reading:
    """The mapping made ready; it was checked before."""
    zone = mapping.time.zone if mapping.time is not None else ""
    return Reading(
        mapping=mapping,
        route=Route(
            name=f"mapping/{mapping.name}",
            sources=tuple(
                LogSource(category=one.category, product=one.product, service=one.service) for one in mapping.sources
            ),
        ),
        read=_reader(mapping),
        fields={field.name: field for field in mapping.fields},
        zone=_zone(zone),
    )


def _reader(mapping: LogMapping) -> Callable[[bytes], Record | str | None]:
    by_kind: dict[Kind, Callable[[LogMapping], Callable[[str], Record | str | None]]] = {
        Kind.CSV: _csv,
        Kind.KEY_VALUE: _key_value,
        Kind.PATTERN: _pattern,
    }
    of_text = by_kind[mapping.kind](mapping) if mapping.kind in by_kind else None
    skip = pattern_of(mapping.skip) if mapping.skip else None
    absent = frozenset(mapping.absent)

    def read(line: bytes) -> Record | str | None:
        if skip is not None and skip.search(text_of(line)) is not None:
            return None
        if of_text is None:
            return object_of(line)
        record = of_text(text_of(line))
        if isinstance(record, dict):
            return {name: value for name, value in record.items() if value is not None and value not in absent}
        return record

    return read


def _csv(mapping: LogMapping) -> Callable[[str], Record | str | None]:
    columns = mapping.columns

    def read(text: str) -> Record | str | None:
        try:
            cells = next(csv.reader([text], delimiter=mapping.separator, quotechar=mapping.quote, strict=True), [])
        except csv.Error as error:
            return f"not cells with this separator and quote: {error}; got {show(text, 120)}"
        if len(cells) != len(columns):
            return f"expected {len(columns)} cells, as the mapping names columns; got {len(cells)}: {show(text, 120)}"
        if tuple(cells) == columns:
            return None
        return {name: cell for name, cell in zip(columns, cells, strict=True) if name}

    return read


def _key_value(mapping: LogMapping) -> Callable[[str], Record | str | None]:
    assign = mapping.assign

    def read(text: str) -> Record | str | None:
        record = pairs_of(text, assign)
        return record or f"expected key{assign}value; got {show(text, 120)}"

    return read


def pairs_of(text: str, assign: str) -> dict[str, str]:
    """`key=value key="a value"`, in one pass; words without a sign are passed over. Of equal keys the first counts."""
    found: dict[str, str] = {}
    at, n = 0, len(text)
    while len(found) < MAX_PAIRS:
        sign = text.find(assign, at)
        if sign < 0:
            return found
        begin = sign
        while begin > at and text[begin - 1] not in " \t,;":
            begin -= 1
        key = text[begin:sign].strip('"')
        at = sign + 1
        if at < n and text[at] == '"':
            value, at = _quoted(text, at + 1)
        else:
            end = at
            while end < n and text[end] not in " \t":
                end += 1
            value, at = text[at:end].rstrip(",;"), end
        if key:
            found.setdefault(key, value)
    return found


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Behind the opening quote: the text up to the closing one, escapes undone, and the place behind that."""
    parts: list[str] = []
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        parts.append(text[at])
        at += 1
    return "".join(parts), at + 1


def _pattern(mapping: LogMapping) -> Callable[[str], Record | str | None]:
    compiled = pattern_of(mapping.pattern)

    def read(text: str) -> Record | str | None:
        found = compiled.fullmatch(text)
        return f"the line does not fit the pattern; got {show(text, 160)}" if found is None else found.groupdict()

    return read


def _value(reading: Reading, record: Record, name: str) -> Value:
    field = reading.fields.get(name)
    if field is None:
        return value_at(record, name) if reading.mapping.keeps_others else MISSING
    if field.constant is not None:
        return field.constant
    for source in field.sources:
        value = value_at(record, source)
        if value is not MISSING:
            return _typed(field, value)
    return MISSING


def _typed(field: FieldMap, value: Value) -> Value:
    if field.values and isinstance(value, str | int):
        value = dict(field.values).get(str(value), value)
    if not isinstance(value, str):
        return value
    if field.type is Type.LIST:
        return [part.strip() for part in value.split(field.separator) if part.strip()]
    if field.type is Type.INT:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_INT_DIGITS else value
    return value


def _zone(name: str) -> tzinfo:
    if not name:
        return UTC
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[-2:])
        span = timedelta(hours=min(hours, 23), minutes=min(minutes, 59))
        return timezone(-span if name[0] == "-" else span)
    return ZoneInfo(name)


def _instant(reading: Reading, record: Record, read_at: datetime) -> datetime | None:
    time = reading.mapping.time
    if time is None:
        return None
    value = value_at(record, time.field)
    if value is MISSING:
        return None
    if time.format in {"auto", "iso", "epoch"}:
        return _known(value, reading.zone)
    return _parsed(str(value), time.format, reading.zone, read_at)


def _known(value: Value, zone: tzinfo) -> datetime | None:
    """ISO 8601, or seconds and parts of them since 1970; the zone of the mapping where a text names none."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return from_value(value)
        return _utc(moment, zone)
    return from_value(value)


def _parsed(text: str, form: str, zone: tzinfo, read_at: datetime) -> datetime | None:
    """By strptime. Without a year: the latest in which the time is not more than a day after `read_at`."""
    try:
        if any(directive in form for directive in ("%Y", "%y", "%c", "%x", "%G")):
            return _utc(datetime.strptime(text, form), zone)  # noqa: DTZ007 - the zone is added where none stands
    except ValueError:
        return None
    latest = read_at + MAY_RUN_AHEAD
    for year in range(latest.year, latest.year - _LEAP_YEARS, -1):
        try:
            moment = _utc(datetime.strptime(f"{year} {text}", f"%Y {form}"), zone)  # noqa: DTZ007 - as above
        except ValueError:
            continue
        if moment is not None and moment <= latest:
            return moment
    return None


def _utc(moment: datetime, zone: tzinfo) -> datetime | None:
    try:
        return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

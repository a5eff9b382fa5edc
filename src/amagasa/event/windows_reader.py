"""Readers of flat lines: a Struct that holds the wanted fields of one kind of event and takes no other kind.

A reader is made for a *shape*: the channel and identifier of the event, and which of several possible names each
wanted field goes by. The Struct demands that shape: the names that were chosen must be there, those that would come
first must not, nor any key of another layout. What does not fit is refused, never misread.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from amagasa.event.record import MISSING, Route, Row, Value
from amagasa.event.route import route_of
from amagasa.event.windows_fields import Computed, computed_of, copies_of
from amagasa.event.windows_layout import FLAT_NAMES

# Keys which tell another layout, or hold fields of the event inside: such a line is read in full.
_GUARDS: Final = ("Event", "winlog", "event_data", "user_data", "EventData", "EventData_dynamic", "UserData")
# Services whose events have fields with spaces in their names, which rules write without.
_SPACED: Final = frozenset({"windefend"})
_KNOWN: Final = ("EventID", "Channel")

# (Sigma's name, the record's name or None where the record has none of the possible ones).
Shape = tuple[tuple[str, str | None], ...]


class Reader(Struct, frozen=True, eq=False):
    """Lines of one shape -> rows: `decode` raises for any other line, `row` takes what it returns."""

    route: Route
    fields: tuple[str, ...]
    decode: Callable[[bytes], Any]
    row: Callable[[Any], Row]


route = lru_cache(maxsize=4096)(route_of)


def reader_for(
    record: Mapping[str, Value], kind: tuple[str | None, int | None], fields: tuple[str, ...]
) -> Reader | None:
    """The reader of lines like `record`; None where lines like it must be read in full."""
    channel, event_id = kind
    number = record.get("EventID")
    if channel is None or record.get("Channel") != channel or event_id is None or event_id != number:
        return None
    if number.__class__ is not int:
        return None
    if any(record.get(key) is not None for key in _GUARDS):
        return None
    if any(source.service in _SPACED for source in route(channel, event_id).sources):
        return None
    shape = []
    for field in fields:
        names = _names(field, channel, event_id)
        if len(names) > 1:
            shape.append((field, next((name for name in names if record.get(name) is not None), None)))
    return _reader(channel, event_id, fields, tuple(shape))


def _names(field: str, channel: str, event_id: int) -> tuple[str, ...]:
    """What the record may call the field, best first."""
    names = FLAT_NAMES.get(field, (field,)) if field not in _KNOWN else (field,)
    copied = copies_of(_written(channel, event_id), event_id).get(field)
    return (*names, copied) if copied is not None else names


def _written(channel: str, event_id: int) -> Value:
    """The channel as Windows writes it, however the record does."""
    return dict(route(channel, event_id).known).get("Channel")


@lru_cache(maxsize=1024)
def _reader(channel: str, event_id: int, fields: tuple[str, ...], shape: Shape) -> Reader:
    chosen = dict(shape)
    computed = {
        field: made
        for field, made in computed_of(_written(channel, event_id), event_id).items()
        if field in fields and field not in chosen
    }
    types: dict[str, tuple[Any, ...]] = {"EventID": (Literal[event_id],), "Channel": (Literal[channel],)}
    columns: list[str] = []
    for field in fields:
        if field not in chosen:
            columns.append(field)
            types.setdefault(field, (str | int | None, MISSING))
            continue
        for name in _names(field, channel, event_id):
            if name == chosen[field]:
                types[name] = (str | int,)
                break
            types.setdefault(name, (None, MISSING))
        columns.append(chosen[field] or field)
    for reads, _ in computed.values():
        for name in reads:
            types.setdefault(name, (str | int | None, MISSING))
    for key in _GUARDS:
        types.setdefault(key, (None, None))
    attributes = {key: f"f{number}" for number, key in enumerate(types)}
    struct = msgspec.defstruct(
        "Line",
        [(attributes[key], *rest) for key, rest in sorted(types.items(), key=lambda item: len(item[1]))],
        rename={attribute: key for key, attribute in attributes.items()},
        gc=False,
    )
    row = _row_maker(attributes, columns, dict(zip(fields, computed_in(fields, computed), strict=True)))
    return Reader(route(channel, event_id), fields, msgspec.json.Decoder(struct).decode, row)


def computed_in(
    fields: tuple[str, ...], computed: Mapping[str, tuple[tuple[str, ...], Computed]]
) -> list[tuple[tuple[str, ...], Computed] | None]:
    """For each field how it is computed, None where it stands in the record."""
    return [computed.get(field) for field in fields]


def _row_maker(
    attributes: Mapping[str, str],
    columns: list[str],
    computed: Mapping[str, tuple[tuple[str, ...], Computed] | None],
) -> Callable[[Any], Row]:
    if not columns:
        return lambda _: ()
    getter = attrgetter(*(attributes[name] for name in columns))
    made = [(place, one) for place, one in enumerate(computed.values()) if one is not None]
    if not made:
        return getter if len(columns) > 1 else lambda decoded: (getter(decoded),)

    def row(decoded: Any) -> Row:
        values = list(getter(decoded)) if len(columns) > 1 else [getter(decoded)]
        for place, (reads, compute) in made:
            if values[place] is MISSING or values[place] is None:
                read = ((name, getattr(decoded, attributes[name])) for name in reads)
                value = compute({name: value for name, value in read if value is not MISSING})
                values[place] = values[place] if value is None else value
        return tuple(values)

    return row

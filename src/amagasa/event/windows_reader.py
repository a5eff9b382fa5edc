"""Readers of lines: a Struct that holds the wanted fields of one kind of event in one layout and takes no other.

A reader is made for a *shape*: the layout, the channel and identifier of the event, and which of several possible
names each wanted field goes by. The Struct demands that shape: the names that were chosen must be there, those that
would come first must not, nor any key that would make the record another layout's. What does not fit is refused,
never misread.
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

# Services whose events have fields with spaces in their names, which rules write without.
_SPACED: Final = frozenset({"windefend"})
_KNOWN: Final = ("EventID", "Channel")

Path = tuple[str, ...]
# (Sigma's name, the record's name or None where the record has none of the possible ones).
Shape = tuple[tuple[str, str | None], ...]


class Layout(Struct, frozen=True, eq=False):
    """Where fields stand: those of the record itself in `system`, the others in `data`; `barred` must be absent."""

    data: Path
    system: Mapping[str, Path]
    barred: tuple[Path, ...]


FLAT: Final = Layout(
    (),
    {},
    tuple(
        (key,) for key in ("Event", "winlog", "event_data", "user_data", "EventData", "EventData_dynamic", "UserData")
    ),
)
WINLOGBEAT: Final = Layout(
    ("winlog", "event_data"),
    {
        "Channel": ("winlog", "channel"),
        "EventID": ("winlog", "event_id"),
        "Provider_Name": ("winlog", "provider_name"),
        "Computer": ("winlog", "computer_name"),
        "Message": ("message",),
        **{name: ("winlog", name.lower()) for name in ("Level", "Task", "Keywords")},
    },
    (("Event",), ("winlog", "user_data"), ("winlog", "event_data", "Data")),
)
EVTX: Final = Layout(
    ("Event", "EventData"),
    {
        "Channel": ("Event", "System", "Channel"),
        "EventID": ("Event", "System", "EventID"),
        "Provider_Name": ("Event", "System", "Provider", "#attributes", "Name"),
        "Computer": ("Event", "System", "Computer"),
    },
    (("Event", "UserData"), ("Event", "EventData", "Data")),
)
# Fields of the record itself that the nested layouts let the event's own data overwrite: such lines are read in full.
_LATE: Final = frozenset({"Level", "Task", "Keywords"})


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
    layout = _layout_of(record)
    data = _at(record, layout.data)
    if channel is None or event_id is None or not isinstance(data, dict) or any(" " in name for name in data):
        return None
    written = _at(record, layout.system.get("EventID", ("EventID",)))
    if _at(record, layout.system.get("Channel", ("Channel",))) != channel or isinstance(written, bool):
        return None
    if written != (event_id if layout is FLAT or not isinstance(written, str) else str(event_id)):
        return None
    if any(_at(record, path) is not None for path in layout.barred):
        return None
    if any(source.service in _SPACED for source in route(channel, event_id).sources):
        return None
    if layout is not FLAT and not _is_plain(record, layout, fields):
        return None
    shape = []
    for field in fields:
        names = _names(layout, field, channel, event_id)
        if len(names) > 1:
            shape.append((field, next((name for name in names if data.get(name) is not None), None)))
    number = "text" if isinstance(written, str) else "number"
    return _reader((layout, number), (channel, event_id), fields, tuple(shape))


def _layout_of(record: Mapping[str, Value]) -> Layout:
    if isinstance(record.get("Event"), dict):
        return EVTX
    return WINLOGBEAT if isinstance(record.get("winlog"), dict) else FLAT


def _is_plain(record: Mapping[str, Value], layout: Layout, fields: tuple[str, ...]) -> bool:
    """Whether the wanted fields of the record itself stand where the layout has them, and nothing overwrites them."""
    if "EventID" in fields:
        return False  # as text in some records
    system = _at(record, ("Event", "System")) if layout is EVTX else None
    for field in fields:
        if isinstance(system, dict) and field not in layout.system and field.partition("_")[0] in system:
            return False
        if field in _LATE:
            return False
        if field in layout.system and not isinstance(_at(record, layout.system[field]), str):
            return False
    return True


def _at(record: Value, path: Path) -> Value:
    for key in path:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


def _names(layout: Layout, field: str, channel: str, event_id: int) -> tuple[str, ...]:
    """What the record may call the field, best first."""
    if field in _KNOWN or field in layout.system:
        return (field,)
    names = FLAT_NAMES.get(field, (field,)) if layout is FLAT else (field,)
    copied = copies_of(_written(channel, event_id), event_id).get(field)
    return (*names, copied) if copied is not None else names


def _written(channel: str, event_id: int) -> Value:
    """The channel as Windows writes it, however the record does."""
    return dict(route(channel, event_id).known).get("Channel")


@lru_cache(maxsize=1024)
def _reader(form: tuple[Layout, str], kind: tuple[str, int], fields: tuple[str, ...], shape: Shape) -> Reader:
    layout, number = form
    channel, event_id = kind
    chosen = dict(shape)
    computed = {
        field: made
        for field, made in computed_of(_written(channel, event_id), event_id).items()
        if field in fields and field not in chosen
    }
    types = _types(layout, kind, fields, chosen)
    types[_path(layout, "EventID")] = (Literal[str(event_id) if number == "text" else event_id],)
    types[_path(layout, "Channel")] = (Literal[channel],)
    for reads, _ in computed.values():
        for name in reads:
            types.setdefault(_path(layout, name), (str | int | None, MISSING))
    for path in layout.barred:
        types.setdefault(path, (None, None))
    struct, attributes = _struct(types, ())
    columns = [attributes[_path(layout, chosen.get(field) or field)] for field in fields]
    made = [
        (place, tuple((name, attributes[_path(layout, name)]) for name in computed[field][0]), computed[field][1])
        for place, field in enumerate(fields)
        if field in computed
    ]
    return Reader(route(channel, event_id), fields, msgspec.json.Decoder(struct).decode, _row_maker(columns, made))


def _path(layout: Layout, name: str) -> Path:
    return layout.system.get(name) or (*layout.data, name)


def _types(
    layout: Layout, kind: tuple[str, int], fields: tuple[str, ...], chosen: Mapping[str, str | None]
) -> dict[Path, tuple[Any, ...]]:
    """(type, default if it may be absent) by path: what the Struct demands of the wanted fields."""
    types: dict[Path, tuple[Any, ...]] = {}
    for field in fields:
        if field in layout.system:
            types[layout.system[field]] = (str,)
        elif field not in chosen:
            types.setdefault(_path(layout, field), (str | int | None, MISSING))
        else:
            for name in _names(layout, field, *kind):
                if name == chosen[field]:
                    types[_path(layout, name)] = (str | int,)
                    break
                types.setdefault(_path(layout, name), (None, MISSING))
    return types


def _struct(types: Mapping[Path, tuple[Any, ...]], under: Path) -> tuple[Any, dict[Path, str]]:
    """A Struct for all paths below `under`, and the dotted attribute that each path became."""
    heads = dict.fromkeys(path[len(under)] for path in types if path[: len(under)] == under)
    columns: list[tuple[Any, ...]] = []
    rename: dict[str, str] = {}
    attributes: dict[Path, str] = {}
    for number, head in enumerate(heads):
        path = (*under, head)
        attribute = f"f{number}"
        rename[attribute] = head
        if path in types:
            columns.append((attribute, *types[path]))
            attributes[path] = attribute
        else:
            inner, below = _struct(types, path)
            columns.append((attribute, inner))
            attributes |= {one: f"{attribute}.{rest}" for one, rest in below.items()}
    columns.sort(key=len)
    return msgspec.defstruct("Line", columns, rename=rename, gc=False), attributes


def _row_maker(
    columns: list[str], made: list[tuple[int, tuple[tuple[str, str], ...], Computed]]
) -> Callable[[Any], Row]:
    if not columns:
        return lambda _: ()
    getter = attrgetter(*columns)
    if not made:
        return getter if len(columns) > 1 else lambda decoded: (getter(decoded),)
    sources = [
        (place, [(name, attrgetter(attribute)) for name, attribute in reads], compute) for place, reads, compute in made
    ]

    def row(decoded: Any) -> Row:
        values = list(getter(decoded)) if len(columns) > 1 else [getter(decoded)]
        for place, reads, compute in sources:
            if values[place] is MISSING or values[place] is None:
                read = ((name, get(decoded)) for name, get in reads)
                value = compute({name: value for name, value in read if value is not MISSING})
                values[place] = values[place] if value is None else value
        return tuple(values)

    return row

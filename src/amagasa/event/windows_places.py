"""Where the fields of a Windows event stand in its record, as data: keys to follow from the top, best place first.

The same knowledge as in `event.windows_layout`, which reads whole records, written down for a reader that takes only
wanted values. What cannot be said so is `UNKNOWN`: the reader must then leave the question to the exact way.
"""

from collections.abc import Mapping
from typing import Any, Final

from amagasa.event.places import How, Layout, Node, Place, Places
from amagasa.event.windows_fields import HASHES, computed_of, copies_of
from amagasa.event.windows_layout import FLAT_NAMES, HELD_AS_TEXT

# Where a key with a space stands for another field too, and where an unknown key would be a field.
MINDS_SPACES: Final = frozenset({Node.TOP, Node.EVENT_DATA, Node.WINLOG_DATA, Node.TOP_DATA})
CLOSED: Final = frozenset({Node.SYSTEM})
ENTERED: Final[Mapping[Place, Node]] = {
    (Node.TOP, "Event"): Node.EVENT,
    (Node.TOP, "winlog"): Node.WINLOG,
    (Node.EVENT, "System"): Node.SYSTEM,
    (Node.EVENT, "EventData"): Node.EVENT_DATA,
    (Node.SYSTEM, "Provider"): Node.PROVIDER,
    (Node.SYSTEM, "EventID"): Node.EVENT_ID,
    (Node.PROVIDER, "#attributes"): Node.PROVIDER_ATTRIBUTES,
    (Node.WINLOG, "event_data"): Node.WINLOG_DATA,
    (Node.TOP, "event_data"): Node.TOP_DATA,
}
# What must be read in full wherever it holds something.
BARRED: Final[tuple[Place, ...]] = (
    *((Node.TOP, name) for name in ("user_data", *HELD_AS_TEXT)),
    (Node.EVENT, "UserData"),
    (Node.EVENT_DATA, "Data"),
    (Node.WINLOG, "user_data"),
    (Node.WINLOG, "message"),
    (Node.WINLOG_DATA, "Data"),
    (Node.TOP_DATA, "Data"),
)
_SYSTEM_KEYS: Final = (
    *("Provider", "EventID", "Version", "Level", "Task", "Opcode", "Keywords", "TimeCreated", "EventRecordID"),
    *("Correlation", "Execution", "Channel", "Computer", "Security"),
)
# Known in the closed object, whether anybody asks for them or not.
IGNORED: Final[tuple[Place, ...]] = tuple((Node.SYSTEM, name) for name in _SYSTEM_KEYS)
TELLING_NODE: Final[Mapping[Layout, Node]] = {
    Layout.EVTX: Node.EVENT,
    Layout.WINLOGBEAT: Node.WINLOG,
    Layout.WINLOGBEAT_6: Node.TOP_DATA,
}
# The object that a Winlogbeat of either age keeps the record's own fields in, and the event's own data.
_BEAT: Final[Mapping[Layout, tuple[Node, Node]]] = {
    Layout.WINLOGBEAT: (Node.WINLOG, Node.WINLOG_DATA),
    Layout.WINLOGBEAT_6: (Node.TOP, Node.TOP_DATA),
}


def _beats(*names: str) -> dict[Layout, tuple[Place, ...]]:
    return {layout: tuple((own, name) for name in names) for layout, (own, _) in _BEAT.items()}


CHANNEL: Final[Mapping[Layout, tuple[Place, ...]]] = {
    Layout.EVTX: ((Node.SYSTEM, "Channel"),),
    **_beats("channel", "log_name"),
    Layout.FLAT: tuple((Node.TOP, name) for name in FLAT_NAMES["Channel"]),
}
EVENT_ID: Final[Mapping[Layout, tuple[Place, ...]]] = {
    Layout.EVTX: ((Node.SYSTEM, "EventID"), (Node.EVENT_ID, "#text")),
    **_beats("event_id"),
    Layout.FLAT: tuple((Node.TOP, name) for name in FLAT_NAMES["EventID"]),
}
_OF_THE_RECORD: Final[Mapping[Layout, Mapping[str, tuple[Place, ...]]]] = {
    Layout.EVTX: {
        "Provider_Name": ((Node.PROVIDER_ATTRIBUTES, "Name"),),
        "Computer": ((Node.SYSTEM, "Computer"),),
    },
    Layout.FLAT: {},
    **{
        layout: {
            "Provider_Name": ((own, "provider_name"), (own, "source_name")),
            "Computer": ((own, "computer_name"),),
            "Message": ((Node.TOP, "message"), (data, "Message")),
        }
        for layout, (own, data) in _BEAT.items()
    },
}
# What the event's own data may overwrite, by layout.
_OVERWRITTEN: Final[Mapping[Layout, frozenset[str]]] = {
    Layout.EVTX: frozenset(_SYSTEM_KEYS),
    **dict.fromkeys(_BEAT, frozenset({"Level", "Task", "Keywords"})),
    Layout.FLAT: frozenset({"Event", "winlog", "event_data", "user_data", *HELD_AS_TEXT}),
}
_DATA: Final[Mapping[Layout, Node]] = {
    Layout.EVTX: Node.EVENT_DATA,
    Layout.FLAT: Node.TOP,
    **{layout: data for layout, (_, data) in _BEAT.items()},
}


def layout_of(record: Mapping[str, Any]) -> Layout:
    """The layout of a record."""
    if isinstance(record.get("Event"), dict):
        return Layout.EVTX
    if isinstance(record.get("winlog"), dict):
        return Layout.WINLOGBEAT
    return Layout.WINLOGBEAT_6 if isinstance(record.get("event_data"), dict) else Layout.FLAT


def places_of(field: str, layout: Layout, channel: str | None, event_id: int) -> Places:
    """Where `field` of events of this kind stands; `channel` as Windows writes it (None: an unknown one)."""
    own = _OF_THE_RECORD[layout].get(field)
    if own is not None:
        return Places(How.PLAIN, own)
    if field in {"Channel", "EventID"} or field in _OVERWRITTEN[layout] or " " in field:
        return Places(How.UNKNOWN)
    if layout is Layout.EVTX and field.partition("_")[0] in _SYSTEM_KEYS:
        return Places(How.UNKNOWN)
    data = _DATA[layout]
    names = FLAT_NAMES.get(field, (field,)) if layout is Layout.FLAT else (field,)
    copied = copies_of(channel, event_id).get(field)
    if copied is not None:
        return Places(How.PLAIN, tuple((data, name) for name in (*names, copied)))
    if field in computed_of(channel, event_id):
        kind = HASHES.get(field)
        if kind is None:
            return Places(How.UNKNOWN)
        return Places(How[kind], ((data, field), (data, "Hashes"), (data, "Hash")))
    return Places(How.PLAIN, tuple((data, name) for name in names))

"""The layouts in which events of Windows are shipped as JSON, told apart by content, brought to Sigma's field names.

NXLog and its like (all at the top level), Winlogbeat (`winlog.event_data`, and `event_data` before 7.0), the `evtx`
crate (`Event.System`, `Event.EventData` or `UserData`), Azure Monitor (`EventData` as text: JSON or XML) and Sysmon
for Linux in syslog (an `<Event>` as text).
"""

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from amagasa.event.jsonline import object_of
from amagasa.event.record import Value

# Fields of the record itself, which no field of the event's own data may overwrite.
SYSTEM: Final = frozenset({"Channel", "EventID", "Provider_Name", "Computer"})
# Sigma's name -> what the flat layouts call it, best first.
FLAT_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "Channel": ("Channel", "EventLog", "log_name"),
    "EventID": ("EventID", "EventId", "event_id"),
    "Provider_Name": ("Provider_Name", "SourceName", "ProviderName", "EventSourceName", "Provider", "source_name"),
    "Computer": ("Computer", "Hostname", "HostName", "ComputerName", "computer_name", "MachineName"),
    "Data": ("Data", "Message"),
}
# Fields which may hold further fields as text, JSON or XML.
HELD_AS_TEXT: Final = ("EventData", "UserData", "SyslogMessage", "EventData_dynamic")
# Instants, best first: when it happened comes before when it was written down or received.
_INSTANTS: Final = ("TimeCreated", "EventTime", "@timestamp", "TimeGenerated", "UtcTime")
# An XML event is small; a longer text is not looked at.
_MAX_XML_CHARACTERS: Final = 262_144
_XML_DATA: Final = re.compile(r"<Data(?:\s+Name=(?:\"([^\"]*)\"|'([^']*)'))?\s*(?:/>|>([^<]*)</Data>)")
_XML_SYSTEM: Final = re.compile(r"<(Channel|Computer|EventID|Level|Task|Opcode|Keywords|Version)[^>]*>([^<]*)</\1>")
_XML_PROVIDER: Final = re.compile(r"<Provider[^>]*?\sName=(?:\"([^\"]*)\"|'([^']*)')")
_XML_TIME: Final = re.compile(r"<TimeCreated[^>]*?\sSystemTime=(?:\"([^\"]*)\"|'([^']*)')")

Fields = dict[str, Value]


def fields_of(record: Mapping[str, Any]) -> tuple[Fields, Value]:
    """(Sigma fields of the record, its instant as it stands or None). Values keep their JSON types."""
    event = record.get("Event")
    winlog = record.get("winlog")
    if isinstance(event, dict):
        fields, instant = _evtx(event)
    elif isinstance(winlog, dict):
        fields, instant = _winlogbeat(winlog, record)
    elif isinstance(record.get("event_data"), dict) or isinstance(record.get("user_data"), dict):
        fields, instant = _winlogbeat(record, record)
    else:
        fields, instant = _flat(record)
    for name in [name for name in fields if " " in name]:
        bare = name.replace(" ", "")
        if bare not in SYSTEM:  # Defender's `Source Name` is the SourceName that rules mean
            fields[bare] = fields[name]
    return fields, instant


def _evtx(event: Mapping[str, Any]) -> tuple[Fields, Value]:
    fields: Fields = {}
    system = event.get("System")
    for name, value in system.items() if isinstance(system, dict) else ():
        _add_system(fields, name, value)
    _add_data(fields, event.get("EventData"))
    user = event.get("UserData")
    for value in user.values() if isinstance(user, dict) else ():
        _add_data(fields, value)
    return fields, fields.get("TimeCreated_SystemTime")


def _add_system(fields: Fields, name: str, value: Value) -> None:
    """`Provider: {#attributes: {Name: x}}` -> `Provider_Name: x`; `EventID: {#text: 1}` -> `EventID: 1`."""
    if isinstance(value, dict):
        attributes = value.get("#attributes")
        for attribute, inner in attributes.items() if isinstance(attributes, dict) else ():
            fields[f"{name}_{attribute}"] = inner
        if "#text" in value:
            fields[name] = value["#text"]
    elif value is not None:
        fields[name] = value


def _add_data(fields: Fields, data: Value) -> None:
    if isinstance(data, str):
        _add_text(fields, data)
        return
    for name, value in data.items() if isinstance(data, dict) else ():
        if name == "#attributes" or name in SYSTEM:
            continue
        if name == "Data":
            _add_unnamed(fields, value)
        else:
            fields[name] = _plain(value)


def _add_unnamed(fields: Fields, value: Value) -> None:
    """`Data` is one value, a list of values, or a list of objects which carry a `Name`."""
    plain: list[Value] = []
    for item in value if isinstance(value, list) else [value]:
        name = item.get("#attributes", {}) if isinstance(item, dict) else {}
        name = name.get("Name") if isinstance(name, dict) else None
        if isinstance(name, str) and name not in SYSTEM:
            fields[name] = _plain(item)
            continue
        inner = _plain(item)
        plain.extend(inner if isinstance(inner, list) else [inner])
    if plain:
        fields["Data"] = plain[0] if len(plain) == 1 else plain


def _plain(value: Value) -> Value:
    return value["#text"] if isinstance(value, dict) and "#text" in value else value


def _winlogbeat(winlog: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[Fields, Value]:
    fields: Fields = {}
    for name, keys in (
        ("Channel", ("channel", "log_name")),
        ("EventID", ("event_id",)),
        ("Provider_Name", ("provider_name", "source_name")),
        ("Computer", ("computer_name",)),
        ("Level", ("level",)),
        ("Task", ("task",)),
        ("Keywords", ("keywords",)),
    ):
        value = next((winlog[key] for key in keys if winlog.get(key) is not None), None)
        if value is not None:
            fields[name] = value
    _add_data(fields, winlog.get("event_data"))
    user = winlog.get("user_data")
    _add_data(fields, user)
    message = record.get("message", winlog.get("message"))
    if message is not None:
        fields["Message"] = message
    return fields, winlog.get("time_created") or record.get("@timestamp")


def _flat(record: Mapping[str, Any]) -> tuple[Fields, Value]:
    fields: Fields = dict(record)
    for name in HELD_AS_TEXT:
        value = record.get(name)
        if isinstance(value, dict):
            _add_data(fields, value)
        elif isinstance(value, str):
            _add_text(fields, value)
    for name, candidates in FLAT_NAMES.items():
        if fields.get(name) is None:
            value = next((fields[key] for key in candidates if fields.get(key) is not None), None)
            if value is not None:
                fields[name] = value
    instant = next((fields[name] for name in _INSTANTS if isinstance(fields.get(name), str)), None)
    return fields, fields.get("TimeCreated_SystemTime") or instant


def _add_text(fields: Fields, text: str) -> None:
    """An event's data as text within the record: a JSON object or XML; anything else adds nothing."""
    head = text.lstrip()[:1]
    if head == "{":
        inner = object_of(text.encode("utf-8", "surrogatepass"))
        if isinstance(inner, dict):
            _add_data(fields, inner)
    elif head == "<" and len(text) <= _MAX_XML_CHARACTERS:
        _add_xml(fields, text)


def _add_xml(fields: Fields, text: str) -> None:
    for match in _XML_SYSTEM.finditer(text):
        fields.setdefault(match[1], html.unescape(match[2]))
    for name, pattern in (("Provider_Name", _XML_PROVIDER), ("TimeCreated_SystemTime", _XML_TIME)):
        found = pattern.search(text)
        if found:
            fields[name] = html.unescape(found[1] or found[2] or "")
    for match in _XML_DATA.finditer(text):
        name = match[1] or match[2] or "Data"
        if name not in SYSTEM:
            fields[html.unescape(name)] = html.unescape(match[3] or "")

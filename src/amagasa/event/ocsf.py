"""An event in the terms of OCSF 1.7: its class, and the objects which that class asks for.

The class is told by the fields that stand in the event under Sigma's names: a class is taken only where all objects
that it requires can be made of them; else the event is a `base_event`. Whatever has no place of its own stands whole
under `unmapped`, so nothing is lost on the way. Source: OCSF 1.7.0, classes and objects (`REQUIRED`, `CONSTRAINTS`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from amagasa.event.ocsf_objects import (
    Document,
    actor_of,
    api_of,
    device_of,
    dns_of,
    endpoint_of,
    file_of,
    http_of,
    log_of,
    module_of,
    process_of,
    reg_key_of,
    reg_value_of,
    script_of,
    sound,
    user_of,
)

VERSION: Final = "1.7.0"
_BASE: Final = ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid")
# What a class requires beside what all require.
REQUIRED: Final[dict[int, tuple[str, ...]]] = {
    0: (),
    1001: ("actor", "device", "file"),
    1005: ("actor", "device", "module"),
    1007: ("actor", "device", "process"),
    1008: (),
    1009: ("actor", "device", "script"),
    2004: ("finding_info",),
    2005: ("finding_info_list", "status_id"),
    3002: ("user",),
    4001: (),
    4002: (),
    4003: (),
    6003: ("actor", "api", "src_endpoint"),
    201_001: ("actor", "device", "reg_key"),
    201_002: ("actor", "device", "reg_value"),
}
# Of these at least one.
CONSTRAINTS: Final[dict[int, tuple[str, ...]]] = {
    1008: ("log_name",),
    3002: ("service", "dst_endpoint"),
    4001: ("src_endpoint", "dst_endpoint"),
    4002: ("http_request", "http_response"),
}
_CATEGORIES: Final = {201: 1}
_METHODS: Final = {
    "connect": 1,
    "delete": 2,
    "get": 3,
    "head": 4,
    "options": 5,
    "post": 6,
    "put": 7,
    "trace": 8,
    "patch": 9,
}
_OTHER: Final = 99
_LARGEST: Final = 2**63


class Kind(Struct, frozen=True, kw_only=True):
    """A class with an activity, and what makes its own objects."""

    class_uid: int
    activity_id: int
    parts: tuple[tuple[str, Callable[[Mapping[str, Any]], Document | str | None]], ...] = ()

    @property
    def category_uid(self) -> int:
        """Of the class; classes of the extension for Windows stand in the category of theirs."""
        thousands = self.class_uid // 1_000
        return _CATEGORIES.get(thousands, thousands)


_HOST: Final = (("actor", actor_of), ("device", device_of))
_NET: Final = (("src_endpoint", endpoint_of("src")), ("dst_endpoint", endpoint_of("dst")))
PROCESS: Final = (*_HOST, ("process", process_of))
FILE: Final = (*_HOST, ("file", file_of))
MODULE: Final = (*_HOST, ("module", module_of))
REG_KEY: Final = (*_HOST, ("reg_key", reg_key_of))
REG_VALUE: Final = (*_HOST, ("reg_value", reg_value_of))
SCRIPT: Final = (*_HOST, ("script", script_of))
LOGON: Final = (("user", user_of), ("device", device_of), *_NET)
DNS: Final = (("query", dns_of), ("device", device_of), *_NET)
HTTP: Final = (("http_request", http_of), *_NET)
LOG: Final = (("log_name", log_of), *_HOST)
API: Final = (("actor", actor_of), ("api", api_of), ("src_endpoint", endpoint_of("src")))

_SYSMON: Final[dict[int, Kind]] = {
    1: Kind(class_uid=1007, activity_id=1, parts=PROCESS),
    2: Kind(class_uid=1001, activity_id=6, parts=FILE),
    3: Kind(class_uid=4001, activity_id=1, parts=(*_HOST, *_NET)),
    5: Kind(class_uid=1007, activity_id=2, parts=PROCESS),
    6: Kind(class_uid=1005, activity_id=1, parts=MODULE),
    7: Kind(class_uid=1005, activity_id=1, parts=MODULE),
    8: Kind(class_uid=1007, activity_id=4, parts=PROCESS),
    10: Kind(class_uid=1007, activity_id=3, parts=PROCESS),
    11: Kind(class_uid=1001, activity_id=1, parts=FILE),
    12: Kind(class_uid=201_001, activity_id=_OTHER, parts=REG_KEY),
    13: Kind(class_uid=201_002, activity_id=2, parts=REG_VALUE),
    14: Kind(class_uid=201_001, activity_id=5, parts=REG_KEY),
    15: Kind(class_uid=1001, activity_id=1, parts=FILE),
    22: Kind(class_uid=4003, activity_id=1, parts=DNS),
    23: Kind(class_uid=1001, activity_id=4, parts=FILE),
    26: Kind(class_uid=1001, activity_id=4, parts=FILE),
}
_SECURITY: Final[dict[int, Kind]] = {
    1102: Kind(class_uid=1008, activity_id=1, parts=LOG),
    4624: Kind(class_uid=3002, activity_id=1, parts=LOGON),
    4625: Kind(class_uid=3002, activity_id=1, parts=LOGON),
    4634: Kind(class_uid=3002, activity_id=2, parts=LOGON),
    4647: Kind(class_uid=3002, activity_id=2, parts=LOGON),
    4648: Kind(class_uid=3002, activity_id=1, parts=LOGON),
    4657: Kind(class_uid=201_002, activity_id=3, parts=REG_VALUE),
    4688: Kind(class_uid=1007, activity_id=1, parts=PROCESS),
    4689: Kind(class_uid=1007, activity_id=2, parts=PROCESS),
    4768: Kind(class_uid=3002, activity_id=3, parts=LOGON),
    4769: Kind(class_uid=3002, activity_id=4, parts=LOGON),
    4771: Kind(class_uid=3002, activity_id=6, parts=LOGON),
    5152: Kind(class_uid=4001, activity_id=5, parts=_NET),
    5156: Kind(class_uid=4001, activity_id=1, parts=_NET),
    5157: Kind(class_uid=4001, activity_id=5, parts=_NET),
}
_SCRIPT_BLOCK: Final = Kind(class_uid=1009, activity_id=1, parts=SCRIPT)
_CLEARED: Final = Kind(class_uid=1008, activity_id=1, parts=LOG)
_LAUNCH: Final = Kind(class_uid=1007, activity_id=1, parts=PROCESS)
_CREATE: Final = Kind(class_uid=1001, activity_id=1, parts=FILE)
_QUERY: Final = Kind(class_uid=4003, activity_id=1, parts=DNS)
_TRAFFIC: Final = Kind(class_uid=4001, activity_id=6, parts=_NET)
_LOGON: Final = Kind(class_uid=3002, activity_id=1, parts=LOGON)
_CALL: Final = Kind(class_uid=6003, activity_id=_OTHER, parts=API)
_PLAIN: Final = Kind(class_uid=0, activity_id=_OTHER)
# In this order; the first of which the event has all fields.
_BY_FIELDS: Final[tuple[tuple[tuple[str, ...], Kind], ...]] = (
    (("Image", "CommandLine"), _LAUNCH),
    (("Image", "TargetFilename"), _CREATE),
    (("QueryName",), _QUERY),
    (("dns.rrname",), _QUERY),
    (("query", "qtype_name"), _QUERY),
    (("eventName", "eventSource"), _CALL),
    (("Operation", "Workload"), _CALL),
    (("verb", "objectRef.resource"), _CALL),
    (("protoPayload.methodName",), _CALL),
    (("eventType", "actor.alternateId"), _CALL),
    (("user", "outcome", "program"), _LOGON),
    (("src_ip", "dst_ip"), _TRAFFIC),
    (("src_ip", "dest_ip"), _TRAFFIC),
    (("id.orig_h", "id.resp_h"), _TRAFFIC),
    (("SourceIp", "DestinationIp"), _TRAFFIC),
    (("DestinationIp", "Image"), _TRAFFIC),
)


def event_of(fields: Mapping[str, Any], *, uid: str, at: datetime, severity_id: int, raw: str = "") -> Document:
    """The event as a document of its class; `uid` is how findings name it. JSON values alone, never raises."""
    kind = kind_of(fields)
    made = _made(kind, fields)
    if made is None:
        kind, made = _PLAIN, {}
    document = head_of(kind.class_uid, kind.activity_id, category_uid=kind.category_uid, at=at, severity_id=severity_id)
    document["metadata"] = metadata_of(uid)
    return document | made | {"raw_data": sound(raw), "unmapped": json_of(fields)}


def head_of(class_uid: int, activity_id: int, *, category_uid: int, at: datetime, severity_id: int) -> Document:
    """What every document of OCSF begins with; `metadata` is still to be set."""
    return {
        "activity_id": activity_id,
        "category_uid": category_uid,
        "class_uid": class_uid,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": severity_id,
        "time": round(at.timestamp() * 1_000),
    }


def metadata_of(uid: str) -> Document:
    """Who made the document, in which version of the schema, and its identifier."""
    return {"version": VERSION, "uid": uid, "product": {"name": "Amagasa", "vendor_name": "Amagasa"}}


def missing_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes that its class requires and it lacks; of a constraint all are named, where none is there."""
    uid = document.get("class_uid")
    class_uid = uid if isinstance(uid, int) else -1
    if class_uid not in REQUIRED:
        return ("class_uid",)
    lacking = [name for name in (*_BASE, *REQUIRED[class_uid]) if document.get(name) in (None, {}, "")]
    either = CONSTRAINTS.get(class_uid, ())
    return (*lacking, *(either if either and not any(document.get(name) for name in either) else ()))


def kind_of(fields: Mapping[str, Any]) -> Kind:
    """The class that the fields speak of, whether or not its objects can be made."""
    number, channel = _number(fields.get("EventID")), str(fields.get("Channel", ""))
    if number is not None:
        table = _SECURITY if channel == "Security" else _SYSMON if channel.endswith("Sysmon/Operational") else {}
        if number in table:
            return table[number]
        if number == 4104:
            return _SCRIPT_BLOCK
        if number == 104 and channel == "System":
            return _CLEARED
    method = fields.get("cs-method", fields.get("http.http_method", fields.get("method")))
    if isinstance(method, str) and http_of(fields) is not None:
        return Kind(class_uid=4002, activity_id=_METHODS.get(method.lower(), _OTHER), parts=HTTP)
    return next((kind for names, kind in _BY_FIELDS if all(name in fields for name in names)), _PLAIN)


def _made(kind: Kind, fields: Mapping[str, Any]) -> Document | None:
    made = {name: found for name, make in kind.parts if (found := make(fields))}
    if any(name not in made for name in REQUIRED[kind.class_uid]):
        return None
    if kind.class_uid == 3002:
        made |= _service(fields)
    either = CONSTRAINTS.get(kind.class_uid, ())
    return None if either and not any(name in made for name in either) else made


def _service(fields: Mapping[str, Any]) -> Document:
    """What was signed in to, and whether that was let happen."""
    name = next((str(fields[key]) for key in ("program", "LogonProcessName", "Channel") if fields.get(key)), "sign-in")
    said, number = str(fields.get("outcome", "")).lower(), _number(fields.get("EventID"))
    is_failure = said == "failure" or number in {4625, 4771}
    is_success = said == "success" or number in {4624, 4648}
    return {"service": {"name": name}, "status_id": 2 if is_failure else 1 if is_success else 0}


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def json_of(value: Any) -> Any:
    """The value as JSON can hold it: tuples as lists, numbers beyond 64 bits and lone surrogates as text."""
    if isinstance(value, tuple | list | set | frozenset):
        return [json_of(one) for one in value]
    if isinstance(value, Mapping):
        return {sound(str(key)): json_of(one) for key, one in value.items()}
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    return sound(str(value))

"""Fields which Sigma's rules name and the record names otherwise: aliases of 4688 and 4657, hashes taken apart."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from amagasa.event.record import Value

Computed = Callable[[Mapping[str, Value]], Value]
_HASH: Final = re.compile(r"(MD5|SHA1|SHA256|IMPHASH)=([0-9A-Fa-f]+)", re.IGNORECASE)
_INTEGRITY: Final = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-8448": "Medium",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
}
_OPERATIONS: Final = {"%%1904": "CreateKey", "%%1905": "SetValue", "%%1906": "DeleteValue"}
_HIVES: Final = (
    ("\\REGISTRY\\MACHINE", "HKLM"),
    ("\\REGISTRY\\USER", "HKU"),
)


def _copy(name: str) -> Computed:
    def copied(fields: Mapping[str, Value]) -> Value:
        return fields.get(name)

    return copied


def _hash(kind: str) -> Computed:
    def taken(fields: Mapping[str, Value]) -> Value:
        hashes = fields.get("Hashes", fields.get("Hash"))
        if not isinstance(hashes, str):
            return None
        return next((match[2] for match in _HASH.finditer(hashes) if match[1].upper() == kind), None)

    return taken


def _integrity(fields: Mapping[str, Value]) -> Value:
    label = fields.get("MandatoryLabel")
    return _INTEGRITY.get(label, label) if isinstance(label, str) else None


def _target_object(fields: Mapping[str, Value]) -> Value:
    key = fields.get("ObjectName")
    if not isinstance(key, str):
        return None
    for kernel, hive in _HIVES:
        if key[: len(kernel)].upper() == kernel:
            key = hive + key[len(kernel) :]
    value = fields.get("ObjectValueName")
    return f"{key}\\{value}" if isinstance(value, str) and value != "-" else key


def _operation(fields: Mapping[str, Value]) -> Value:
    kind = fields.get("OperationType")
    return _OPERATIONS.get(kind, kind) if isinstance(kind, str) else None


_HASHES: Final[dict[str, Computed]] = {
    "md5": _hash("MD5"),
    "sha1": _hash("SHA1"),
    "sha256": _hash("SHA256"),
    "Imphash": _hash("IMPHASH"),
    "imphash": _hash("IMPHASH"),
}
# Names in the record which a computed field reads, so that a reader of few fields knows what else to read.
READS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_HASHES, ("Hashes", "Hash")),
    "IntegrityLevel": ("MandatoryLabel",),
    "TargetObject": ("ObjectName", "ObjectValueName"),
    "EventType": ("OperationType",),
}
_OF_EVENT: Final[dict[tuple[str, int], dict[str, tuple[str, Computed]]]] = {
    ("Security", 4688): {
        "Image": ("NewProcessName", _copy("NewProcessName")),
        "ParentImage": ("ParentProcessName", _copy("ParentProcessName")),
        "User": ("SubjectUserName", _copy("SubjectUserName")),
        "LogonId": ("SubjectLogonId", _copy("SubjectLogonId")),
        "IntegrityLevel": ("", _integrity),
    },
    ("Security", 4657): {
        "Image": ("ProcessName", _copy("ProcessName")),
        "User": ("SubjectUserName", _copy("SubjectUserName")),
        "Details": ("NewValue", _copy("NewValue")),
        "TargetObject": ("", _target_object),
        "EventType": ("", _operation),
    },
}


def computed_of(channel: Value, event_id: Value) -> dict[str, tuple[tuple[str, ...], Computed]]:
    """Field -> (names it reads, how it is made) for events of this kind, hashes included.

    A field is made only where the record does not have it itself.
    """
    made: dict[str, tuple[tuple[str, ...], Computed]] = {
        name: (READS[name], computed) for name, computed in _HASHES.items()
    }
    own = _OF_EVENT.get((channel, event_id), {}) if isinstance(channel, str) and isinstance(event_id, int) else {}
    for name, (source, computed) in own.items():
        made[name] = ((source,) if source else READS[name], computed)
    return made

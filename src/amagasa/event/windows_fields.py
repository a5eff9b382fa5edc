"""Fields which Sigma's rules name and the record names otherwise: aliases of 4688 and 4657, hashes taken apart."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from amagasa.event.record import Value

_NOTHING: Final[dict[str, str]] = {}
Computed = Callable[[Mapping[str, Value]], Value]
_NO_COMPUTED: Final[dict[str, Computed]] = {}
_HASH: Final = re.compile(r"(MD5|SHA1|SHA256|IMPHASH)=([0-9A-Fa-f]+)", re.IGNORECASE)
_MAX_HASHES_CHARACTERS: Final = 1024
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


def _hash(kind: str) -> Computed:
    def taken(fields: Mapping[str, Value]) -> Value:
        hashes = fields.get("Hashes", fields.get("Hash"))
        return _hashes_in(hashes).get(kind) if isinstance(hashes, str) else None

    return taken


@lru_cache(maxsize=4096)
def _hashes_in(text: str) -> Mapping[str, str]:
    """`SHA1=AA,MD5=BB` -> by kind; of a kind named twice the first. Longer texts are no list of hashes."""
    if len(text) > _MAX_HASHES_CHARACTERS:
        return _NOTHING
    found: dict[str, str] = {}
    for match in _HASH.finditer(text):
        found.setdefault(match[1].upper(), match[2])
    return found


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


# Field -> the kind of hash that it takes out of the list `Hashes` (or `Hash`).
HASHES: Final = {"md5": "MD5", "sha1": "SHA1", "sha256": "SHA256", "Imphash": "IMPHASH", "imphash": "IMPHASH"}
_HASHES: Final[dict[str, Computed]] = {field: _hash(kind) for field, kind in HASHES.items()}
# What a computed field reads, so that a reader of few fields knows what else to read.
_READS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_HASHES, ("Hashes", "Hash")),
    "IntegrityLevel": ("MandatoryLabel",),
    "TargetObject": ("ObjectName", "ObjectValueName"),
    "EventType": ("OperationType",),
}
_COPIES: Final[dict[tuple[str, int], dict[str, str]]] = {
    ("Security", 4688): {
        "Image": "NewProcessName",
        "ParentImage": "ParentProcessName",
        "User": "SubjectUserName",
        "LogonId": "SubjectLogonId",
    },
    ("Security", 4657): {"Image": "ProcessName", "User": "SubjectUserName", "Details": "NewValue"},
}
_MADE: Final[dict[tuple[str, int], dict[str, Computed]]] = {
    ("Security", 4688): {"IntegrityLevel": _integrity},
    ("Security", 4657): {"TargetObject": _target_object, "EventType": _operation},
}


def copies_of(channel: Value, event_id: Value) -> Mapping[str, str]:
    """Field -> the one whose value it takes where the record does not have it itself, for events of this kind."""
    return _COPIES.get((channel, event_id), _NOTHING)


@lru_cache(maxsize=4096)
def computed_of(channel: Value, event_id: Value) -> Mapping[str, tuple[tuple[str, ...], Computed]]:
    """Field -> (names it reads, how it is made) for events of this kind, hashes included and copies not.

    A field is made only where the record does not have it itself.
    """
    made = _HASHES | _MADE.get((channel, event_id), {})
    return {name: (_READS[name], computed) for name, computed in made.items()}


def complete(fields: dict[str, Value], channel: Value, event_id: Value) -> None:
    """Add every field that is made from others."""
    for name, source in copies_of(channel, event_id).items():
        if fields.get(name) is None and fields.get(source) is not None:
            fields[name] = fields[source]
    for name, computed in _MADE.get((channel, event_id), _NO_COMPUTED).items():
        if fields.get(name) is None and (value := computed(fields)) is not None:
            fields[name] = value
    hashes = fields.get("Hashes", fields.get("Hash"))
    if isinstance(hashes, str):
        found = _hashes_in(hashes)
        for name, kind in HASHES.items():
            if kind in found and fields.get(name) is None:
                fields[name] = found[kind]

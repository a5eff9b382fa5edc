"""STIX 2.1 objects as plain dicts: reading them from bytes and judging their shape.

Unknown properties are kept and passed on untouched; what is judged here is only what the house relies on.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from amagasa.vocab.ids import is_stix_id, type_of
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.text import show

# A STIX object carries one rule or one pattern; the largest public Sigma rule has about 60 kB.
MAX_OBJECT_BYTES: Final = 262_144
# STIX 2.1 nests at most about eight deep; more is an attempt on the reader's stack.
MAX_DEPTH: Final = 24
MAX_VALUES: Final = 20_000
MAX_TYPE_CHARACTERS: Final = 250
# RFC 8785 section 3.2.2.3: integers beyond 2**53 - 1 do not survive canonical JSON.
MAX_INTEGER: Final = 2**53 - 1
MAX_COUNT: Final = 999_999_999

_TYPE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z")
_LONGEST_INSTANT: Final = len("2026-11-23T04:05:06.123456789Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# Section 6 of STIX 2.1: observables have no created, modified or created_by_ref.
OBSERVABLES: Final = frozenset(
    [
        "artifact",
        "autonomous-system",
        "directory",
        "domain-name",
        "email-addr",
        "email-message",
        "file",
        "ipv4-addr",
        "ipv6-addr",
        "mac-addr",
        "mutex",
        "network-traffic",
        "process",
        "software",
        "url",
        "user-account",
        "windows-registry-key",
        "x509-certificate",
    ]
)

# What an object of the type cannot be without, beyond the common properties (STIX 2.1 sections 4, 5, 7).
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "attack-pattern": ("name",),
    "campaign": ("name",),
    "course-of-action": ("name",),
    "domain-name": ("value",),
    "extension-definition": ("name", "schema", "version", "extension_types", "created_by_ref"),
    "identity": ("name",),
    "incident": ("name",),
    "indicator": ("pattern", "pattern_type", "valid_from"),
    "infrastructure": ("name",),
    "intrusion-set": ("name",),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "malware": ("is_family",),
    "note": ("content", "object_refs"),
    "observed-data": ("first_observed", "last_observed", "number_observed"),
    "relationship": ("relationship_type", "source_ref", "target_ref"),
    "report": ("name", "published", "object_refs"),
    "sighting": ("sighting_of_ref",),
    "threat-actor": ("name",),
    "tool": ("name",),
    "url": ("value",),
    "vulnerability": ("name",),
}
COMMON: Final = ("type", "spec_version", "id", "created", "modified")

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_instant(value: Any) -> bool:
    return instant_of(value) is not None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and is_stix_id(value)


def _is_identity(value: Any) -> bool:
    return _is_id(value) and type_of(value) == "identity"


def _is_marking_id(value: Any) -> bool:
    return _is_id(value) and type_of(value) == "marking-definition"


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and bool(value) and all(check(item) for item in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _is_percentage(value: Any) -> bool:
    return _is_count(value) and value <= 100


def _is_granular(value: Any) -> bool:
    if not isinstance(value, dict) or not _list_of(_is_text)(value.get("selectors")):
        return False
    if "marking_ref" in value:
        return _is_marking_id(value["marking_ref"]) and "lang" not in value
    return _is_text(value.get("lang"))


def _is_extensions(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(item, dict) and item for item in value.values())


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and _is_text(value.get("source_name"))


_PROPERTIES: Final[dict[str, tuple[Check, str]]] = {
    "created_by_ref": (_is_identity, "the identifier of an identity"),
    "created": (_is_instant, "an instant as RFC 3339 in UTC"),
    "modified": (_is_instant, "an instant as RFC 3339 in UTC"),
    "valid_from": (_is_instant, "an instant as RFC 3339 in UTC"),
    "valid_until": (_is_instant, "an instant as RFC 3339 in UTC"),
    "first_seen": (_is_instant, "an instant as RFC 3339 in UTC"),
    "last_seen": (_is_instant, "an instant as RFC 3339 in UTC"),
    "first_observed": (_is_instant, "an instant as RFC 3339 in UTC"),
    "last_observed": (_is_instant, "an instant as RFC 3339 in UTC"),
    "revoked": (lambda value: isinstance(value, bool), "true or false"),
    "confidence": (_is_percentage, "an integer from 0 to 100"),
    "count": (_is_count, "an integer from 0 to 999999999"),
    "number_observed": (_is_count, "an integer from 0 to 999999999"),
    "name": (_is_text, "text"),
    "description": (_is_text, "text"),
    "pattern": (_is_text, "text"),
    "pattern_type": (_is_text, "text"),
    "pattern_version": (_is_text, "text"),
    "lang": (_is_text, "text"),
    "labels": (_list_of(_is_text), "a list of texts, not empty"),
    "indicator_types": (_list_of(_is_text), "a list of texts, not empty"),
    "external_references": (_list_of(_is_reference), "a list of references with source_name"),
    "object_marking_refs": (_list_of(_is_marking_id), "a list of identifiers of marking definitions"),
    "granular_markings": (_list_of(_is_granular), "a list of selectors with marking_ref or lang"),
    "extensions": (_is_extensions, "extensions by identifier, none of them empty"),
    "sighting_of_ref": (_is_id, "an identifier"),
    "source_ref": (_is_id, "an identifier"),
    "target_ref": (_is_id, "an identifier"),
    "where_sighted_refs": (_list_of(_is_id), "a list of identifiers"),
    "observed_data_refs": (_list_of(_is_id), "a list of identifiers"),
    "object_refs": (_list_of(_is_id), "a list of identifiers"),
}
# Properties that are no free text: a stand-in cannot take their place.
TYPED: Final = frozenset(
    name
    for name, (check, expected) in _PROPERTIES.items()
    if expected not in {"text", "a list of texts, not empty"} and not name.startswith(("external_", "extensions"))
)
# (earlier, later, whether both may be the same instant): sections 3.2, 4.7.1, 4.14.1, 5.2.1.
_ORDERED: Final = (
    ("created", "modified", True),
    ("valid_from", "valid_until", False),
    ("first_seen", "last_seen", True),
    ("first_observed", "last_observed", True),
)


def instant_of(value: Any) -> datetime | None:
    """The instant that a STIX timestamp (RFC 3339 with Z) names; None for anything else."""
    return _instant_named(value) if isinstance(value, str) and len(value) <= _LONGEST_INSTANT else None


@lru_cache(maxsize=1024)  # an object is asked for its few instants some thirty times
def _instant_named(value: str) -> datetime | None:
    if _INSTANT.fullmatch(value) is None:
        return None
    try:
        return from_rfc3339(value)
    except ValueError:
        return None


def parse_object(data: bytes) -> dict[str, Any] | str:
    """The object in `data` (JSON in UTF-8), or what is wrong with it in one sentence. Its shape is judged as well."""
    if len(data) > MAX_OBJECT_BYTES:
        return f"the object is larger than {MAX_OBJECT_BYTES} bytes"
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        return f"this is not JSON: {show(str(fault))}"
    problem = check_object(value)
    return value if problem is None else problem


def check_object(value: Any) -> str | None:
    """What is wrong with a STIX 2.1 object, in one sentence that quotes at most 200 escaped characters; None if sound.

    Never raises, whatever it is given. Custom types and properties are accepted; a bundle is not an object.
    """
    if not isinstance(value, dict):
        return "a STIX object is a JSON object"
    return (
        _check_values(value)
        or _check_head(value)
        or _check_required(value)
        or _check_properties(value)
        or _check_order(value)
    )


def check_size(value: Mapping[str, Any]) -> str | None:
    """The same limit as for bytes, for an object already decoded (its values must be sound)."""
    size = len(msgspec.json.encode(value))
    return None if size <= MAX_OBJECT_BYTES else f"the object is larger than {MAX_OBJECT_BYTES} bytes"


def _check_values(root: dict[Any, Any]) -> str | None:
    """Only JSON values which survive canonical JSON, not too deep and not too many. Iterative: depth is hostile."""
    waiting: list[tuple[Any, int]] = [(root, 1)]
    n_values = 0
    while waiting:
        value, depth = waiting.pop()
        n_values += 1
        if depth > MAX_DEPTH:
            return f"the object is nested deeper than {MAX_DEPTH}"
        if n_values + len(waiting) > MAX_VALUES:
            return f"the object holds more than {MAX_VALUES} values"
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str) or _SURROGATE.search(key):
                    return "a property's name is not Unicode text"
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
        elif (problem := _check_scalar(value)) is not None:
            return problem
    return check_size(root)


def _check_scalar(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return "a text holds half a surrogate pair" if _SURROGATE.search(value) else None
    if isinstance(value, int):
        return None if abs(value) <= MAX_INTEGER else "an integer is beyond 2**53 - 1"
    if isinstance(value, float):
        return None if math.isfinite(value) else "a number is not finite"
    return "a value is of no JSON type"


def _check_head(obj: Mapping[str, Any]) -> str | None:
    kind, identifier = obj.get("type"), obj.get("id")
    if not isinstance(kind, str) or len(kind) > MAX_TYPE_CHARACTERS or _TYPE.fullmatch(kind) is None:
        return "type is missing or no STIX type"
    if kind == "bundle":
        return "a bundle is no object: send what it holds"
    if not isinstance(identifier, str) or not is_stix_id(identifier):
        return "id is missing or not type--UUID"
    if type_of(identifier) != kind:
        return f"id and type disagree: {show(identifier)} is no {show(kind)}"
    version = obj.get("spec_version", "2.1" if kind in OBSERVABLES else None)
    return None if version == "2.1" else "spec_version is not 2.1"


def _check_required(obj: Mapping[str, Any]) -> str | None:
    kind = obj["type"]
    dated: tuple[str, ...] = ("created", "modified")
    if kind in OBSERVABLES:
        dated = ()
    elif kind == "marking-definition":
        dated = ("created",)
    missing = [name for name in (*dated, *REQUIRED.get(kind, ())) if name not in obj]
    return f"{missing[0]} is missing" if missing else None


def _check_properties(obj: Mapping[str, Any]) -> str | None:
    for name, (check, expected) in _PROPERTIES.items():
        if name in obj and not check(obj[name]):
            return f"{name} is not {expected}"
    return None


def _check_order(obj: Mapping[str, Any]) -> str | None:
    for earlier, later, may_equal in _ORDERED:
        first, last = instant_of(obj.get(earlier)), instant_of(obj.get(later))
        if first and last and (last < first or (last == first and not may_equal)):
            return f"{later} is before {earlier}" if last < first else f"{later} is {earlier}"
    return None

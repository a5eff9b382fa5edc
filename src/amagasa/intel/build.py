"""Building STIX 2.1 objects: every one parses with stix2 and passes the OASIS validator's strict mode."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.tlp import Tlp

# The one extension under which all our additions stand, and who defines it. Fixed for ever.
EXTENSION_ID: Final = "extension-definition--0c6a1f52-7a0e-4d3b-9a43-5f7a1f6f3c21"
AUTHORS_ID: Final = "identity--d5d8c1a4-3a54-4f0c-8f6e-0b6b9d0f7a11"
# Objects which are the same for all time and all parties carry this instant.
DEFINED_AT: Final = from_rfc3339("2026-11-23T00:00:00Z")

_EXTENSION_SCHEMA: Final = (
    "Properties on indicator, sighting and incident, each optional. "
    "severity: integer 0 to 6, OCSF severity_id. "
    "techniques: list of ATT&CK technique identifiers. "
    "tactics: list of ATT&CK tactic short names. "
    "n_alerts, n_detections: integers, how many alerts and detections this stands for. "
    "first_seen, last_seen: timestamps of the first and last of them. "
    "source_addresses: list of attacking IP addresses, at most 500, or of what stands for them. "
    "n_sources: integer, how many there are. "
    "status: open or closed. "
    "On infrastructure: operability: integer 0 to 100, how well this service of the author works, rounded down to a "
    "whole operability_step."
)


def common(
    kind: str, identifier: str, *, created_at: datetime, modified_at: datetime, author: str, marking: Tlp
) -> dict[str, Any]:
    """The properties that every domain and relationship object has (STIX 2.1 section 3.2)."""
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": identifier,
        "created_by_ref": author,
        "created": to_rfc3339(created_at),
        "modified": to_rfc3339(max(created_at, modified_at)),
        "object_marking_refs": [marking.marking_id],
    }


def identity(
    identifier: str, name: str, *, created_at: datetime = DEFINED_AT, marking: Tlp = Tlp.AMBER
) -> dict[str, Any]:
    """A party: an organisation which speaks of itself."""
    made = common(
        "identity", identifier, created_at=created_at, modified_at=created_at, author=identifier, marking=marking
    )
    return {**made, "name": name, "identity_class": "organization"}


def indicator(
    base: Mapping[str, Any],
    *,
    name: str,
    description: str,
    pattern: str,
    pattern_type: str,
    valid_from_at: datetime,
) -> dict[str, Any]:
    """An indicator on `base` (see `common`). `pattern_type` is "stix" or "sigma"."""
    version = "2.1" if pattern_type == "stix" else "2.1.0"
    return {
        **base,
        "name": name,
        "description": description,
        "indicator_types": ["malicious-activity"],
        "pattern": pattern,
        "pattern_type": pattern_type,
        "pattern_version": version,
        "valid_from": to_rfc3339(valid_from_at),
    }


def sighting(
    base: Mapping[str, Any],
    *,
    of: str,
    where: str,
    n_seen: int,
    first_seen_at: datetime,
    last_seen_at: datetime,
) -> dict[str, Any]:
    """The statement that `of` was seen `n_seen` times by the party `where` (capped at STIX's 999,999,999)."""
    return {
        **base,
        "sighting_of_ref": of,
        "where_sighted_refs": [where],
        "count": min(max(n_seen, 0), 999_999_999),
        "first_seen": to_rfc3339(first_seen_at),
        "last_seen": to_rfc3339(max(first_seen_at, last_seen_at)),
    }


def attack_pattern(technique: str, *, author: str, marking: Tlp) -> dict[str, Any]:
    """A reference to an ATT&CK technique, e.g. `T1110.001`; the same object each time for one author and marking."""
    identifier = stable_id("attack-pattern", author, technique, marking.word)
    base = common(
        "attack-pattern", identifier, created_at=DEFINED_AT, modified_at=DEFINED_AT, author=author, marking=marking
    )
    return {**base, "name": technique, "external_references": technique_references((technique,))}


def technique_references(techniques: Sequence[str]) -> list[dict[str, str]]:
    """ATT&CK techniques as external references, the way MITRE writes them."""
    return [{"source_name": "mitre-attack", "external_id": technique} for technique in techniques]


def extension(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Our additions, as the value of `extensions`; what is empty is left out, as STIX wants no empty list."""
    kept = {name: value for name, value in properties.items() if value not in ((), [], "", None)}
    return {EXTENSION_ID: {"extension_type": "property-extension", **kept}}


def extension_definition() -> dict[str, Any]:
    """What our extension means. The same object on every node."""
    base = common(
        "extension-definition",
        EXTENSION_ID,
        created_at=DEFINED_AT,
        modified_at=DEFINED_AT,
        author=AUTHORS_ID,
        marking=Tlp.CLEAR,
    )
    return {
        **base,
        "name": "Amagasa facts",
        "description": "Facts on detections and incidents which allied nodes exchange.",
        "schema": _EXTENSION_SCHEMA,
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    }


def authors() -> dict[str, Any]:
    """The identity which defines the extension."""
    return identity(AUTHORS_ID, "The Amagasa authors", marking=Tlp.CLEAR)


def quoted(text: str) -> str:
    """A STIX pattern's string constant, quotes included (STIX 2.1 section 9.2: quote and backslash are escaped)."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

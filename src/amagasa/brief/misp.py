"""STIX objects as one event in MISP's core format, ready for its import.

Markings become tags of MISP's taxonomy (`tlp:amber+strict`), on each attribute and, the strictest, on the event; the
event's distribution follows: only what is TLP:CLEAR or TLP:GREEN may go beyond the organisation that imports it.
What MISP has no attribute for goes as `stix2-pattern` or `sigma`, so nothing is left out. Identifiers are those of the
STIX objects, so a second import updates the first.

Source: MISP core format (draft-dulaunoy-misp-core-format), MISP taxonomy `tlp`, galaxy `mitre-attack-pattern`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from amagasa.brief.values import Told, told_of
from amagasa.intel.marking import marking_of
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp, strictest

_TYPES: Final = {
    "ipv4": ("Network activity", "ip-src"),
    "ipv6": ("Network activity", "ip-src"),
    "domain": ("Network activity", "domain"),
    "url": ("Network activity", "url"),
    "email": ("Payload delivery", "email-src"),
    "filename": ("Payload delivery", "filename"),
    "md5": ("Payload delivery", "md5"),
    "sha1": ("Payload delivery", "sha1"),
    "sha256": ("Payload delivery", "sha256"),
    "sha512": ("Payload delivery", "sha512"),
    "registry": ("Persistence mechanism", "regkey"),
    "sigma": ("Payload installation", "sigma"),
    "yara": ("Payload installation", "yara"),
    "snort": ("Network activity", "snort"),
    "pattern": ("Payload installation", "stix2-pattern"),
}
_OTHER: Final = ("Other", "text")
_MAX_INFO: Final = 1_000
# MISP's threat levels: 1 high, 2 medium, 3 low, 4 undefined.
_LEVELS: Final = {Severity.CRITICAL: "1", Severity.HIGH: "1", Severity.MEDIUM: "2", Severity.LOW: "3"}


def event_of(
    title: str,
    objects: Sequence[Mapping[str, Any]],
    *,
    identifier: str,
    at: datetime,
    severity: Severity | None = None,
) -> dict[str, Any]:
    """`{"Event": ...}` with an attribute for each value. `identifier` is the STIX identifier of what is told of."""
    told = list(told_of(objects))
    marks = [mark for one in objects if (mark := marking_of(one)) is not None]
    mark = strictest(marks)
    return {
        "Event": {
            "uuid": _uuid(identifier),
            "info": title[:_MAX_INFO],
            "date": at.astimezone(UTC).date().isoformat(),
            "timestamp": str(int(at.timestamp())),
            "analysis": "1",
            "threat_level_id": _LEVELS.get(severity, "4") if severity is not None else "4",
            "distribution": _distribution(mark),
            "published": False,
            "Tag": _tags(mark, _techniques(told)),
            "Attribute": [_attribute(one, at) for one in _distinct(told)],
        }
    }


def _attribute(one: Told, at: datetime) -> dict[str, Any]:
    category, kind = _TYPES.get(one.kind, _OTHER)
    made: dict[str, Any] = {
        "uuid": _uuid(stable_id("indicator", one.id, one.kind, one.value)),
        "category": category,
        "type": kind,
        "value": one.value,
        "comment": one.name,
        "to_ids": kind != "text",
        "timestamp": str(int((_instant(one.valid_from) or at).timestamp())),
        "distribution": "5",  # that of the event
        "Tag": _tags(one.tlp, one.techniques),
    }
    if (first := _instant(one.valid_from)) is not None:
        made["first_seen"] = first.isoformat()
    return made


def _distinct(told: Iterable[Told]) -> list[Told]:
    """Each value once: MISP refuses an event that holds one twice."""
    return list({(one.kind, one.value): one for one in told}.values())


def _techniques(told: Iterable[Told]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(technique for one in told for technique in one.techniques))


def _tags(mark: Tlp | None, techniques: Sequence[str]) -> list[dict[str, str]]:
    names = [f"tlp:{mark.word}"] if mark is not None else []
    names += [f'misp-galaxy:mitre-attack-pattern="{technique}"' for technique in techniques]
    return [{"name": name} for name in names]


def _distribution(mark: Tlp | None) -> str:
    """0 your organisation only, 1 this community, 3 all communities; unmarked is not passed on."""
    return {Tlp.CLEAR: "3", Tlp.GREEN: "1"}.get(mark, "0") if mark is not None else "0"


def _uuid(identifier: str) -> str:
    return identifier.rpartition("--")[2]


def _instant(text: str) -> datetime | None:
    try:
        return from_rfc3339(text)
    except ValueError:
        return None

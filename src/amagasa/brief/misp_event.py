"""STIX objects -> one MISP event (the core format of MISP's exports), which `detect.indicators.misp` reads back.

An indicator of plain values becomes an attribute for each, any other pattern an attribute that holds the pattern whole.
An incident is the event's name, threat level and analysis, and the addresses it tells of. Sightings stand at what was
seen. Each attribute bears its own TLP, the event the strictest of all; MISP's own distribution is never wider.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from amagasa.brief.meaning import Meant, addresses_told, meant_by, techniques_named
from amagasa.brief.written import About, LeftOut, Written, document, left_out, marking_of_all
from amagasa.detect.indicators.misp import CONFIDENCE_WORDS
from amagasa.intel.build import EXTENSION_ID
from amagasa.intel.marking import marking_of, tlp_of_tags
from amagasa.intel.stix import instant_of
from amagasa.vocab.ids import is_stix_id, stable_id
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

MEDIA_TYPE: Final = "application/json"
_NETWORK: Final = "Network activity"
_DELIVERY: Final = "Payload delivery"
# (type, category) in MISP of each kind of value. A MISP `domain` stands for all names below, a `hostname` does not.
_TYPES: Final = {
    "ipv4-addr": ("ip-dst", _NETWORK),
    "ipv6-addr": ("ip-dst", _NETWORK),
    "destination": ("ip-dst", _NETWORK),
    "source": ("ip-src", _NETWORK),
    "domain-name": ("hostname", _NETWORK),
    "url": ("url", _NETWORK),
    "email-addr": ("email", _DELIVERY),
    "md5": ("md5", _DELIVERY),
    "sha1": ("sha1", _DELIVERY),
    "sha256": ("sha256", _DELIVERY),
    "sha512": ("sha512", _DELIVERY),
    "imphash": ("imphash", _DELIVERY),
    "filename": ("filename", _DELIVERY),
    "filepath": ("filename", _DELIVERY),
    "regkey": ("regkey", "Persistence mechanism"),
    "user-agent": ("user-agent", _NETWORK),
}
_PATTERNS: Final = {
    "stix": ("stix2-pattern", "Payload installation"),
    "sigma": ("sigma", "Payload installation"),
    "yara": ("yara", "Payload installation"),
    "snort": ("snort", _NETWORK),
    "suricata": ("snort", _NETWORK),
}
# Who else on a MISP server may see it: nobody but the organisation, the community, all.
_DISTRIBUTION: Final = {Tlp.CLEAR: "3", Tlp.GREEN: "1", Tlp.AMBER: "0", Tlp.AMBER_STRICT: "0", Tlp.RED: "0"}
_INHERIT: Final = "5"
_BESIDE: Final = frozenset({"identity", "marking-definition", "extension-definition", "attack-pattern", "campaign"})


def misp_event(objects: Sequence[Mapping[str, Any]], about: About) -> Written:
    """One event. What MISP has no place for is left out by name."""
    event = _Event(about)
    for obj in objects:
        event.take(obj)
    return event.finished(objects)


class _Event:
    def __init__(self, about: About) -> None:
        self._about = about
        self._attributes: list[dict[str, Any]] = []
        self._of_indicator: dict[str, list[dict[str, Any]]] = {}
        self._sightings: list[Mapping[str, Any]] = []
        self._incidents: list[Mapping[str, Any]] = []
        self._left_out: list[LeftOut] = []
        self._n_beside = 0
        self._n_written = 0

    def take(self, obj: Mapping[str, Any]) -> None:
        kind = str(obj.get("type"))
        if obj.get("revoked") is True:
            self._left_out.append(left_out(obj, "it was revoked"))
        elif kind == "indicator":
            self._indicator(obj)
        elif kind == "incident":
            self._incidents.append(obj)
            self._n_written += 1
            for address in addresses_told(obj):
                made = self._attribute(obj, Meant("source", address), is_alone=False)
                self._attributes.append(made | {"comment": show(f"attacked: {obj.get('name', '')}")})
        elif kind == "sighting":
            self._sightings.append(obj)
        elif kind in _BESIDE:
            self._n_beside += 1
        else:
            self._left_out.append(left_out(obj, "an event of MISP has no place for such an object"))

    def finished(self, objects: Sequence[Mapping[str, Any]]) -> Written:
        self._see()
        for incident in self._incidents:
            self._attributes.append(self._words(incident))
        marking = marking_of_all(objects, self._about.least)
        self._attributes = _distinct(self._attributes)
        text = document({"Event": self._head(objects, marking)})
        return Written(
            text=text,
            media_type=MEDIA_TYPE,
            suffix=".misp.json",
            marking=marking,
            n_written=self._n_written,
            left_out=tuple(self._left_out),
            n_beside=self._n_beside,
        )

    def _head(self, objects: Sequence[Mapping[str, Any]], marking: Tlp) -> dict[str, Any]:
        about, incident = self._about, self._incidents[0] if len(self._incidents) == 1 else None
        at = instant_of(incident.get("created")) if incident else None
        name = str(incident.get("id", "")) if incident else stable_id("report", about.author_id, about.title)
        techniques = dict.fromkeys(one for obj in objects for one in techniques_named(obj))
        return {
            "uuid": _uuid_of(name),
            "info": show(about.title),
            "date": (at or about.at).date().isoformat(),
            "timestamp": _seconds(about.at),
            "threat_level_id": _threat_level(self._incidents),
            "analysis": _analysis(self._incidents),
            "distribution": _DISTRIBUTION[marking],
            "published": False,
            "Orgc": {"name": show(about.author), "uuid": _uuid_of(about.author_id)},
            "Tag": _tags([f"tlp:{marking.word}", *_technique_tags(techniques)]),
            "Attribute": self._attributes,
        }

    def _indicator(self, obj: Mapping[str, Any]) -> None:
        meant = meant_by(obj)
        made = [self._attribute(obj, one, is_alone=len(meant) == 1) for one in meant] or self._whole(obj)
        if not made:
            self._left_out.append(left_out(obj, f"MISP knows no patterns of type {show(str(obj.get('pattern_type')))}"))
            return
        self._n_written += 1
        self._attributes += made
        self._of_indicator[str(obj.get("id", ""))] = made

    def _whole(self, obj: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The pattern as it stands."""
        kind = _PATTERNS.get(str(obj.get("pattern_type", "stix")))
        pattern = obj.get("pattern")
        if kind is None or not isinstance(pattern, str) or not pattern.strip():
            return []
        return [self._made(obj, *kind, pattern, is_alone=True)]

    def _attribute(self, obj: Mapping[str, Any], meant: Meant, *, is_alone: bool) -> dict[str, Any]:
        kind, category = ("domain", _NETWORK) if meant.is_below else _TYPES[meant.kind]
        if kind == "ip-dst" and meant.kind != "destination" and obj.get("created_by_ref") == self._about.author_id:
            kind = "ip-src"  # what we tell of ourselves has attacked us
        return self._made(obj, kind, category, meant.value, is_alone=is_alone)

    def _made(self, obj: Mapping[str, Any], kind: str, category: str, value: str, *, is_alone: bool) -> dict[str, Any]:
        name = str(obj.get("id", ""))
        marking = marking_of(obj) or self._about.least
        tags = [f"tlp:{marking.word}", *_technique_tags(techniques_named(obj))]
        tags += [*_confidence_tag(obj), *_permissible_tag(obj), *self._about.tags.get(name, ())]
        first = instant_of(obj.get("valid_from")) or instant_of(obj.get("created"))
        modified = instant_of(obj.get("modified")) or self._about.at
        made: dict[str, Any] = {
            "uuid": _uuid_of(name if is_alone and is_stix_id(name) else stable_id("indicator", name, kind, value)),
            "type": kind,
            "category": category,
            "value": value,
            "to_ids": True,
            "comment": show(f"{obj.get('name', '')}{_until(obj)}"),
            "timestamp": _seconds(modified),
            "distribution": _INHERIT,
            "Tag": _tags(tags),
        }
        return made | ({"first_seen": to_rfc3339(first)} if first else {})

    def _words(self, incident: Mapping[str, Any]) -> dict[str, Any]:
        """What an incident says in words, for people."""
        said = show(f"{incident.get('name', '')}: {incident.get('description', '')}", 2_000)
        made = self._made(incident, "comment", "Internal reference", said, is_alone=False)
        return made | {"to_ids": False, "comment": ""}

    def _see(self) -> None:
        """Sightings at the attributes of what was seen."""
        for obj in self._sightings:
            seen = str(obj.get("sighting_of_ref", ""))
            at = instant_of(obj.get("last_seen")) or instant_of(obj.get("modified"))
            if seen.startswith("attack-pattern--"):
                self._n_beside += 1  # the technique stands among the tags
            elif seen not in self._of_indicator or at is None:
                self._left_out.append(left_out(obj, "what was seen is not in this export"))
            else:
                self._n_written += 1
                told = {"type": "0", "date_sighting": _seconds(at), "source": show(self._about.author)}
                for one in self._of_indicator[seen]:
                    one.setdefault("Sighting", []).append(told | {"uuid": _uuid_of(str(obj.get("id", "")))})


def _distinct(attributes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each value once, since MISP refuses an event that holds one twice: with the tags of all, the strictest TLP."""
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for one in attributes:
        first = held.setdefault((one["type"], one["value"]), one)
        if first is not one:
            names = [tag["name"] for tag in (*first["Tag"], *one["Tag"])]
            marking = tlp_of_tags(names)
            rest = [name for name in names if not name.startswith("tlp:")]
            first["Tag"] = _tags([*([f"tlp:{marking.word}"] if marking is not None else []), *rest])
            first["to_ids"] = first["to_ids"] or one["to_ids"]
            if "Sighting" in one:
                first.setdefault("Sighting", []).extend(one["Sighting"])
    return list(held.values())


def _uuid_of(identifier: str) -> str:
    """The UUID behind the two dashes; one made from the whole where it is none."""
    found = identifier.partition("--")[2]
    return found if is_stix_id(identifier) else str(uuid.uuid5(uuid.NAMESPACE_URL, identifier))


def _seconds(at: datetime) -> str:
    return str(max(0, int(at.timestamp())))


def _tags(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in dict.fromkeys(names)]


def _technique_tags(techniques: Sequence[str] | Mapping[str, None]) -> Iterator[str]:
    yield from (f'misp-galaxy:mitre-attack-pattern="{technique}"' for technique in techniques)


def _confidence_tag(obj: Mapping[str, Any]) -> Iterator[str]:
    """MISP has five words for it: the one at or below, so that nothing is surer than its author said."""
    stated = obj.get("confidence")
    if isinstance(stated, int) and not isinstance(stated, bool):
        word = next((word for least, word in CONFIDENCE_WORDS if stated >= least), CONFIDENCE_WORDS[-1][1])
        yield f'misp:confidence-level="{word}"'


def _permissible_tag(obj: Mapping[str, Any]) -> Iterator[str]:
    """PAP stands among the labels, as STIX has no marking of its own for it."""
    labels = obj.get("labels")
    for label in labels if isinstance(labels, list) else []:
        if isinstance(label, str) and label.lower().startswith("pap:"):
            yield f"PAP:{label[4:].upper()}"


def _until(obj: Mapping[str, Any]) -> str:
    """MISP has no end of validity: it stands in the comment."""
    end = instant_of(obj.get("valid_until"))
    return f" (valid until {to_rfc3339(end)})" if end else ""


def _facts(incident: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = incident.get("extensions")
    found = extensions.get(EXTENSION_ID) if isinstance(extensions, dict) else None
    return found if isinstance(found, dict) else {}


def _threat_level(incidents: Sequence[Mapping[str, Any]]) -> str:
    """1 high, 2 medium, 3 low, 4 undefined."""
    worst = max((n for one in incidents if isinstance(n := _facts(one).get("severity"), int)), default=0)
    return "1" if worst >= 4 else "2" if worst == 3 else "3" if worst else "4"


def _analysis(incidents: Sequence[Mapping[str, Any]]) -> str:
    """0 initial, 1 ongoing, 2 completed."""
    states = {_facts(one).get("status") for one in incidents}
    return "0" if not incidents else "2" if states == {"closed"} else "1"

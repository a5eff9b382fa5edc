"""Alerts and incidents in the words of STIX, with what an ally can use and nothing that is ours alone.

No raw record, no name of a host, user, process or file of ours. Identifiers are stable: what has grown is a new version
(`modified`) of the same object, so that an ally updates instead of collecting.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from msgspec import Struct

from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.links import kind_of, values_of
from amagasa.incident.swarm import n_sources
from amagasa.intel.build import attack_pattern, common, extension, indicator, sighting, technique_references
from amagasa.share.agreement import Party
from amagasa.share.subject import external_address, mentions, private_values, subject_of, subject_of_value
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import is_stix_id, stable_id, type_of
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

# An address that attacked yesterday may be somebody else's today.
INDICATOR_LIFE: Final = timedelta(hours=24)
MAX_TECHNIQUES: Final = 5
# A hunt by four hundred addresses is known by all of them; a sentence names the first.
MAX_ADDRESSES: Final = 500
NAMED_ADDRESSES: Final = 20
_DAY: Final = timedelta(days=1)


def describe_alert(
    alert: Alert, *, party: Party, marking: Tlp, now: datetime, seen_indicator: str | None = None
) -> tuple[dict[str, Any], ...]:
    """The objects that tell an ally of this alert, referenced ones first; () where there is nothing to tell.

    - An alert which an ally's rule or indicator raised (`alert.content_id`, or `seen_indicator` where the rule's own
      identifier differs from that of the indicator it came in): a sighting of that and nothing else. An ally whose
      rule fits every visitor must not learn their addresses by it.
    - An alert of our own content with a subject that may be told (see `share.subject`): an indicator of it and a
      sighting of that.
    - Otherwise a sighting of each ATT&CK technique, five at most.
    `now` bounds `modified`: nothing is stated from the future.
    """
    teller = _Teller(alert, party, marking, now)
    told: list[dict[str, Any]] = []
    is_allys = bool(alert.origin) and alert.origin != party.id
    seen = seen_indicator or (alert.content_id if is_allys else "")
    if is_stix_id(seen) and type_of(seen) == "indicator":
        return (teller.sighting_of(seen),)
    subject = None if is_allys else subject_of(alert)
    if subject is not None:
        made = teller.indicator_of(subject.pattern, subject.words)
        return (made, teller.sighting_of(made["id"], as_known_by=subject.pattern))
    for technique in alert.techniques[:MAX_TECHNIQUES]:
        pattern = attack_pattern(technique, author=party.id, marking=marking)
        told += [pattern, teller.sighting_of(pattern["id"])]
    return tuple(told)


def describe_incident(
    incident: Incident, *, party: Party, marking: Tlp, now: datetime | None = None
) -> tuple[dict[str, Any], ...]:
    """One STIX incident: severity, techniques, counts, span and the attackers' addresses; no name of ours.

    The title is told only where it names none of our hosts, users, processes or files.
    """
    is_ours = is_stix_id(incident.id) and type_of(incident.id) == "incident"
    modified_at = max(incident.created_at, incident.updated_at)
    base = common(
        "incident",
        incident.id if is_ours else stable_id("incident", party.id, incident.id),
        created_at=incident.created_at,
        modified_at=modified_at if now is None else max(incident.created_at, min(modified_at, now)),
        author=party.id,
        marking=marking,
    )
    addresses = _addresses(incident)
    facts = extension(
        {
            "severity": int(incident.severity),
            "status": incident.status.value,
            "techniques": list(incident.techniques),
            "tactics": list(incident.tactics),
            "n_alerts": incident.n_alerts,
            "n_detections": incident.n_detections,
            "first_seen": to_rfc3339(incident.first_seen_at),
            "last_seen": to_rfc3339(incident.last_seen_at),
            "source_addresses": addresses,
            "n_sources": n_sources(incident),
        }
    )
    made = {
        **base,
        "name": _told_incident_title(incident) or _incident_name(incident),
        "description": _incident_facts(incident, addresses),
        "extensions": facts,
    }
    if incident.techniques:
        made["external_references"] = technique_references(incident.techniques)
    return (made,)


class RuleText(Struct, frozen=True, kw_only=True):
    """A Sigma rule as its author wrote it. `id` tells it apart from our other rules; `created_at` is its first day.

    A later version must be given the first one's `created_at`, or consumers of STIX take it for another object.
    """

    id: str
    title: str
    text: str
    created_at: datetime
    techniques: tuple[str, ...] = ()


def describe_rule(rule: RuleText, *, party: Party, marking: Tlp, now: datetime) -> dict[str, Any]:
    """A Sigma rule of ours as an indicator; the same `rule.id` is the same indicator, `now` its version."""
    base = common(
        "indicator",
        stable_id("indicator", party.id, "sigma", rule.id),
        created_at=rule.created_at,
        modified_at=now,
        author=party.id,
        marking=marking,
    )
    made = indicator(
        base,
        name=show(rule.title) or "Sigma rule",
        description=f"A Sigma rule of {show(party.name)}.",
        pattern=rule.text,
        pattern_type="sigma",
        valid_from_at=rule.created_at,
    )
    if rule.techniques:
        made["external_references"] = technique_references(rule.techniques)
    return made


def describe_entity(
    entity: Entity,
    *,
    party: Party,
    marking: Tlp,
    now: datetime,
    reason: str = "",
    life: timedelta = INDICATOR_LIFE,
) -> dict[str, Any]:
    """An indicator that a person makes of an address, domain, URL or hash, valid from now for `life`.

    Raises BadInputError (AMG-DESCRIBE-VALUE) where the value is none of these or means something inside a network only.
    """
    subject = subject_of_value(entity.kind, entity.value)
    if subject is None:
        raise BadInputError(
            "AMG-DESCRIBE-VALUE",
            f"no indicator can be made of this {entity.kind.value}",
            expected="a public address, a domain name, an absolute URL, or an MD5, SHA-1 or SHA-256 hash",
            got=entity.value,
            then="nothing was made",
        )
    base = common(
        "indicator",
        stable_id("indicator", party.id, subject.pattern, to_rfc3339(now)),
        created_at=now,
        modified_at=now,
        author=party.id,
        marking=marking,
    )
    made = indicator(
        base,
        name=show(reason) or f"Malicious: {subject.words}",
        description=f"Reported by {show(party.name)}.",
        pattern=subject.pattern,
        pattern_type="stix",
        valid_from_at=now,
    )
    return made | {"valid_until": to_rfc3339(now + life)}


def describe_address(
    address: str,
    *,
    party: Party,
    marking: Tlp,
    now: datetime,
    reason: str = "",
    life: timedelta = INDICATOR_LIFE,
) -> dict[str, Any]:
    """`describe_entity` of an attacking IP address."""
    entity = Entity(kind=EntityKind.SOURCE_ADDRESS, value=address)
    return describe_entity(entity, party=party, marking=marking, now=now, reason=reason, life=life)


class _Teller:
    """One alert and the voice in which it is told."""

    def __init__(self, alert: Alert, party: Party, marking: Tlp, now: datetime) -> None:
        self._alert = alert
        self._party = party
        self._marking = marking
        self._now = now

    def sighting_of(self, seen: str, as_known_by: str = "") -> dict[str, Any]:
        """A sighting of the object `seen`, identified by `as_known_by` where that object may be another tomorrow."""
        alert, party = self._alert, self._party
        base = common(
            "sighting",
            stable_id("sighting", party.id, alert.id, as_known_by or seen),
            created_at=alert.created_at,
            modified_at=max(alert.created_at, min(alert.updated_at, self._now)),
            author=party.id,
            marking=self._marking,
        )
        facts = extension(
            {
                "severity": int(alert.severity),
                "techniques": list(alert.techniques),
                "tactics": list(alert.tactics),
                "n_detections": alert.n_detections,
            }
        )
        made = sighting(
            base,
            of=seen,
            where=party.id,
            n_seen=alert.n_detections,
            first_seen_at=alert.first_seen_at,
            last_seen_at=alert.last_seen_at,
        )
        return {**made, "confidence": _percent(alert.confidence), "description": self._name(), "extensions": facts}

    def indicator_of(self, pattern: str, words: str) -> dict[str, Any]:
        """One indicator for a rule, a subject and a day: every alert of that day makes this very object, word for word.

        So an attack which goes on makes one indicator, and a new version of it only when it goes on into the next day.
        """
        alert, party = self._alert, self._party
        first, last = _day_of(alert.first_seen_at), _day_of(alert.last_seen_at)
        base = common(
            "indicator",
            stable_id("indicator", party.id, alert.content_id, pattern, self._marking.word, to_rfc3339(first)),
            created_at=first,
            modified_at=max(first, last),
            author=party.id,
            marking=self._marking,
        )
        made = indicator(
            base,
            name=self._name(),
            description=f"{self._name()}. Seen by {show(party.name)} from {words}.",
            pattern=pattern,
            pattern_type="stix",
            valid_from_at=first,
        )
        made |= {"valid_until": to_rfc3339(max(first, last) + _DAY + INDICATOR_LIFE)}
        made |= {"confidence": _percent(alert.confidence)}
        if alert.techniques:
            made["external_references"] = technique_references(alert.techniques)
        return made

    def _name(self) -> str:
        alert = self._alert
        return _told_title(alert.title, alert.entities) or f"Detection, severity {_severity_words(alert.severity)}"


def _told_title(title: str, entities: Sequence[Entity]) -> str:
    """The title, escaped; "" where it is empty or names something of ours."""
    shown = show(title.strip())
    return "" if mentions(shown, private_values(entities)) or _names_inside(shown) else shown


def _told_incident_title(incident: Incident) -> str:
    """The incident's title without the subject behind its last colon: whom it is about stands among the facts.

    There a clause can hide it; in a name, which every incident must have, it would keep the whole incident back.
    """
    words, _, _ = incident.title.rpartition(": ")
    return _told_title(words or incident.title, incident.entities)


def _names_inside(title: str) -> bool:
    """Whether an address of the inside stands in it."""
    words = (word.rstrip(".:") for word in re.split(r"[\s()\[\]<>,;'\"]+", title))
    return any(_is_address(word) and external_address(word) is None for word in words)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _percent(confidence: int) -> int:
    return min(max(confidence, 0), 100)


def _day_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _addresses(incident: Incident) -> list[str]:
    """Those that mean something outside; a swarm names more of them in its links than among its entities."""
    sources = [entity.value for entity in incident.entities if entity.kind is EntityKind.SOURCE_ADDRESS]
    sources += [values_of(link)[0] for link in incident.links if kind_of(link) == EntityKind.SOURCE_ADDRESS.value]
    found = {str(address) for value in sources if (address := external_address(value)) is not None}
    return sorted(found)[:MAX_ADDRESSES]


def _severity_words(severity: Severity) -> str:
    return severity.name.lower()


def _incident_name(incident: Incident) -> str:
    techniques = ", ".join(incident.techniques[:MAX_TECHNIQUES])
    return f"Incident, severity {_severity_words(incident.severity)}" + (f": {techniques}" if techniques else "")


def _incident_facts(incident: Incident, addresses: Sequence[str]) -> str:
    first, last = to_rfc3339(incident.first_seen_at), to_rfc3339(incident.last_seen_at)
    alerts = f"{incident.n_alerts} alerts, {incident.n_detections} detections"
    facts = [f"Severity {_severity_words(incident.severity)}, {alerts} between {first} and {last}"]
    if incident.techniques:
        facts.append(f"techniques {', '.join(incident.techniques)}")
    if addresses:
        rest = f" and {len(addresses) - NAMED_ADDRESSES} more" if len(addresses) > NAMED_ADDRESSES else ""
        facts.append(f"from {', '.join(addresses[:NAMED_ADDRESSES])}{rest}")
    return "; ".join(facts) + "."

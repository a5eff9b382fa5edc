"""Incidents as values that grow: opened, with one alert more, two made one, one that became part of another."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from amagasa.incident import swarm
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.fold import bounded
from amagasa.incident.links import kept_links
from amagasa.incident.subject import subject_of
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show

# An incident is written whole with every change, and read by a person: beyond this a new one goes on.
MAX_ALERTS: Final = 1_000
MAX_LINKS: Final = 2_048
ENTITIES_OF_A_KIND: Final = 64
TITLE_CHARACTERS: Final = 200


def opened(alert: Alert, now: datetime, *marks: str) -> Incident:
    """An incident before its first alert is added. Its id comes from the alert's: the same input, the same id.

    `marks` tell it from one which this alert opened before.
    """
    return Incident(
        id=stable_id("incident", alert.id, *marks),
        title="",
        status=Status.OPEN,
        severity=Severity.UNKNOWN,
        created_at=now,
        updated_at=now,
        first_seen_at=alert.first_seen_at,
        last_seen_at=alert.last_seen_at,
        n_alerts=0,
        n_detections=0,
        techniques=(),
        tactics=(),
        entities=(),
        why={},
    )


def with_alert(incident: Incident, alert: Alert, why: str, now: datetime) -> Incident:
    """The alert's own word counts anew: an alert that has grown is not added twice. A closed incident opens again."""
    n_by_alert = incident.n_by_alert | {alert.id: alert.n_detections}
    worse = alert.severity > incident.severity
    grown = replace(
        incident,
        title=_title_of(alert) if worse or not incident.title else incident.title,
        status=Status.OPEN,
        closed_why="",
        severity=max(incident.severity, alert.severity),
        confidence=max(incident.confidence, alert.confidence),
        updated_at=max(now, incident.updated_at),
        first_seen_at=min(incident.first_seen_at, alert.first_seen_at),
        last_seen_at=max(incident.last_seen_at, alert.last_seen_at),
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        n_by_alert=n_by_alert,
        techniques=tuple(dict.fromkeys((*incident.techniques, *alert.techniques))),
        tactics=in_order((*incident.tactics, *alert.tactics)),
        entities=bounded(incident.entities, alert.entities, ENTITIES_OF_A_KIND),
        links=tuple(dict.fromkeys((*incident.links, *kept_links(alert))))[:MAX_LINKS],
        by_source=swarm.noted(incident, alert),
        why=incident.why | {alert.id: why},
    )
    return _named_after_crowd(grown)


def with_incident(incident: Incident, other: Incident, now: datetime) -> Incident:
    """Everything of both. An alert counted by both counts once."""
    n_by_alert = other.n_by_alert | incident.n_by_alert
    grown = replace(
        incident,
        title=other.title if other.severity > incident.severity else incident.title,
        severity=max(incident.severity, other.severity),
        confidence=max(incident.confidence, other.confidence),
        updated_at=max(now, incident.updated_at),
        first_seen_at=min(incident.first_seen_at, other.first_seen_at),
        last_seen_at=max(incident.last_seen_at, other.last_seen_at),
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        n_by_alert=n_by_alert,
        techniques=tuple(dict.fromkeys((*incident.techniques, *other.techniques))),
        tactics=in_order((*incident.tactics, *other.tactics)),
        entities=bounded(incident.entities, other.entities, ENTITIES_OF_A_KIND),
        links=tuple(dict.fromkeys((*incident.links, *other.links)))[:MAX_LINKS],
        by_source=swarm.both(incident, other),
        apart=tuple(dict.fromkeys((*incident.apart, *other.apart))),
        pins=tuple(dict.fromkeys((*incident.pins, *other.pins))),
        why=other.why | incident.why,
    )
    return _named_after_crowd(grown)


def with_what_came_before(incident: Incident, crowd: Incident, source: str, now: datetime) -> tuple[Incident, Incident]:
    """`incident` with all that one source did in a swarm, and the swarm without it."""
    left, gone = swarm.without(crowd, source)
    before = {key: crowd.n_by_alert[key] for key in gone if key in crowd.n_by_alert}
    because = f"same source address {show(source)}, before it was more than one of many"
    n_by_alert = incident.n_by_alert | before
    grown = replace(
        incident,
        n_by_alert=n_by_alert,
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        why=incident.why | dict.fromkeys(before, because),
    )
    return grown, replace(left, updated_at=max(now, left.updated_at))


def merged(other: Incident, into: Incident, now: datetime) -> Incident:
    """Closed and empty, with its story kept: title, span and what was seen."""
    return replace(
        other,
        status=Status.CLOSED,
        closed_why=f"part of an older incident: {into.title}",
        merged_into=into.id,
        updated_at=max(now, other.updated_at),
        n_alerts=0,
        n_detections=0,
        n_by_alert={},
        why={},
        by_source={},
    )


def _named_after_crowd(incident: Incident) -> Incident:
    """A swarm goes by the number of its sources, not by the first of them."""
    if not swarm.is_swarm(incident):
        return incident
    deed = incident.title.rpartition(": ")[0] or incident.title
    return replace(incident, title=f"{deed}: {len(incident.by_source)} source addresses")


def _title_of(alert: Alert) -> str:
    subject = subject_of(alert.examples[0], alert.source).shown if alert.examples else ""
    title = show(alert.title, TITLE_CHARACTERS - len(subject) - 2)
    return f"{title}: {subject}" if subject else title


def in_order(tactics: Iterable[str]) -> tuple[str, ...]:
    """As the matrix has them, unknown ones last."""
    known = {name: place for place, name in enumerate(TACTICS)}
    return tuple(sorted(dict.fromkeys(tactics), key=lambda name: (known.get(name, len(known)), name)))

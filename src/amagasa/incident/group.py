"""Alerts -> incidents: what one hand did within one stretch of time is one thing to work on.

An alert joins an open incident that shares a link (`incident.links`) and whose span it comes near to
(`GROUP_WINDOW`). Where none does, it opens one if it is of medium severity or worse, or has `OPEN_AFTER` detections;
a quieter alert stays an alert, and joins when it grows while its source is at work elsewhere. An alert that links
two incidents shows that they are one: the older keeps its id and takes all alerts, the other is closed and names it
in `merged_into`. An alert that grows after its incident was closed opens that one again: an attack which goes on must
not go on unseen.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.fold import bounded
from amagasa.incident.links import is_strong, links_of, met_by, said
from amagasa.incident.subject import subject_of
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show

GROUP_WINDOW: Final = timedelta(hours=4)
OPEN_FROM: Final = Severity.MEDIUM
OPEN_AFTER: Final = 20
# An incident is written whole with every change, and read by a person: beyond this a new one goes on.
MAX_ALERTS: Final = 500
MAX_LINKS: Final = 512
ENTITIES_OF_A_KIND: Final = 64
TITLE_CHARACTERS: Final = 200


class Grouped(Struct, frozen=True, kw_only=True):
    """All the alerts that came in, with their incident or None, in the same order; and the incidents new or changed.

    Alerts of a merged incident which are not among these alerts move too: the store does it where it sees
    `merged_into`.
    """

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]


def group(alerts: Sequence[Alert], open_incidents: Sequence[Incident], *, now: datetime) -> Grouped:
    """Put each alert where it belongs. The order in which alerts and incidents are handed in makes no difference.

    `open_incidents` are those with one of `links.wanted_links(alerts)` and, open or closed, those which the alerts
    name already; an alert whose incident is missing here keeps its name and changes nothing.
    """
    desk = _Desk(open_incidents, now)
    # Those which may open an incident come first, so that the quiet ones find it open.
    for alert in sorted(alerts, key=lambda one: (not _may_open(one), one.first_seen_at, one.id)):
        desk.place(alert)
    return Grouped(
        alerts=tuple(replace(alert, incident_id=desk.home_of(alert)) for alert in alerts),
        incidents=tuple(desk.changed()),
    )


class _Desk:
    """Incidents while alerts are being put to them."""

    def __init__(self, incidents: Iterable[Incident], now: datetime) -> None:
        self._now = now
        self._incidents = {incident.id: incident for incident in sorted(incidents, key=lambda one: one.id)}
        self._before = dict(self._incidents)
        self._by_link: dict[str, dict[str, None]] = {}
        self._homes: dict[str, str | None] = {}
        for incident in self._incidents.values():
            self._index(incident)

    def place(self, alert: Alert) -> None:
        own = self._own(alert)
        if alert.incident_id is not None and own is None:
            self._homes[alert.id] = alert.incident_id
            return
        strong, weak = self._met(alert, own)
        if own is not None:
            why = own.why.get(alert.id, "") if own.status is Status.OPEN else "went on after the incident was closed"
            self._put(alert, [own, *(incident for incident, _ in strong)], why)
        elif strong:
            self._put(alert, [incident for incident, _ in strong], _because(strong[0][1]))
        elif weak:
            latest, link = max(weak, key=lambda met: (met[0].last_seen_at, met[0].id))
            self._put(alert, [latest], _because(link))
        elif _may_open(alert):
            self._put(alert, [_opened(alert, self._now)], f"opened this incident: {_weight_of(alert)}")
        else:
            self._homes[alert.id] = None

    def home_of(self, alert: Alert) -> str | None:
        """Where it is now, after all merges."""
        home = self._homes[alert.id]
        while home in self._incidents and self._incidents[home].merged_into is not None:
            home = self._incidents[home].merged_into
        return home

    def changed(self) -> list[Incident]:
        return [incident for key, incident in self._incidents.items() if incident is not self._before.get(key)]

    def _own(self, alert: Alert) -> Incident | None:
        incident = self._incidents.get(alert.incident_id or "")
        while incident is not None and incident.merged_into is not None:
            incident = self._incidents.get(incident.merged_into)
        return incident

    def _met(self, alert: Alert, own: Incident | None) -> tuple[list[tuple[Incident, str]], list[tuple[Incident, str]]]:
        """(incident, link) pairs by strong links and by weak ones, each incident once and oldest first."""
        strong: dict[str, str] = {}
        weak: dict[str, str] = {}
        for link in links_of(alert):
            for met in met_by(link):
                found = strong if is_strong(link, met) else weak
                for incident_id in self._by_link.get(met, ()):
                    if self._may_take(self._incidents[incident_id], alert, own):
                        found.setdefault(incident_id, link)
        pairs = [[(self._incidents[key], link) for key, link in found.items()] for found in (strong, weak)]
        return sorted(pairs[0], key=lambda pair: _age(pair[0])), sorted(pairs[1], key=lambda pair: _age(pair[0]))

    def _may_take(self, incident: Incident, alert: Alert, own: Incident | None) -> bool:
        return (
            incident is not own
            and incident.status is Status.OPEN
            and incident.n_alerts < MAX_ALERTS
            and alert.first_seen_at <= incident.last_seen_at + GROUP_WINDOW
            and alert.last_seen_at >= incident.first_seen_at - GROUP_WINDOW
        )

    def _put(self, alert: Alert, incidents: list[Incident], why: str) -> None:
        """Add the alert to the oldest of these (its own, where it has one too full to move) and merge the others."""
        eldest = min(incidents, key=_age)
        room = MAX_ALERTS - 1
        if sum(incident.n_alerts for incident in incidents) > room:
            eldest, incidents = incidents[0], incidents[:1]
        taken = _with_alert(eldest, alert, why, self._now)
        for other in incidents:
            if other is not eldest:
                taken = _with_incident(taken, other, self._now)
                self._incidents[other.id] = _merged(other, taken, self._now)
        self._incidents[taken.id] = taken
        self._index(taken)
        self._homes[alert.id] = taken.id

    def _index(self, incident: Incident) -> None:
        if incident.status is Status.OPEN:
            for link in incident.links:
                self._by_link.setdefault(link, {})[incident.id] = None


def _may_open(alert: Alert) -> bool:
    return alert.severity >= OPEN_FROM or alert.n_detections >= OPEN_AFTER


def _weight_of(alert: Alert) -> str:
    if alert.severity >= OPEN_FROM:
        return f"severity {alert.severity.name.lower()}"
    return f"{alert.n_detections} detections"


def _because(link: str) -> str:
    return f"same {said(link)}, within {GROUP_WINDOW // timedelta(hours=1)} hours"


def _age(incident: Incident) -> tuple[datetime, datetime, str]:
    return incident.created_at, incident.first_seen_at, incident.id


def _opened(alert: Alert, now: datetime) -> Incident:
    """An incident before its first alert is added. Its id comes from the alert's: the same input, the same id."""
    return Incident(
        id=stable_id("incident", alert.id),
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


def _with_alert(incident: Incident, alert: Alert, why: str, now: datetime) -> Incident:
    """The alert's own word counts anew: an alert that has grown is not added twice. A closed incident opens again."""
    n_by_alert = incident.n_by_alert | {alert.id: alert.n_detections}
    worse = alert.severity > incident.severity
    return replace(
        incident,
        title=_title_of(alert) if worse or not incident.title else incident.title,
        status=Status.OPEN,
        closed_why="",
        severity=max(incident.severity, alert.severity),
        updated_at=max(now, incident.updated_at),
        first_seen_at=min(incident.first_seen_at, alert.first_seen_at),
        last_seen_at=max(incident.last_seen_at, alert.last_seen_at),
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        n_by_alert=n_by_alert,
        techniques=tuple(dict.fromkeys((*incident.techniques, *alert.techniques))),
        tactics=_in_order((*incident.tactics, *alert.tactics)),
        entities=bounded(incident.entities, alert.entities, ENTITIES_OF_A_KIND),
        links=tuple(dict.fromkeys((*incident.links, *links_of(alert))))[:MAX_LINKS],
        why=incident.why | {alert.id: why},
    )


def _with_incident(incident: Incident, other: Incident, now: datetime) -> Incident:
    """Everything of both. An alert counted by both counts once."""
    n_by_alert = other.n_by_alert | incident.n_by_alert
    return replace(
        incident,
        title=other.title if other.severity > incident.severity else incident.title,
        severity=max(incident.severity, other.severity),
        updated_at=max(now, incident.updated_at),
        first_seen_at=min(incident.first_seen_at, other.first_seen_at),
        last_seen_at=max(incident.last_seen_at, other.last_seen_at),
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        n_by_alert=n_by_alert,
        techniques=tuple(dict.fromkeys((*incident.techniques, *other.techniques))),
        tactics=_in_order((*incident.tactics, *other.tactics)),
        entities=bounded(incident.entities, other.entities, ENTITIES_OF_A_KIND),
        links=tuple(dict.fromkeys((*incident.links, *other.links)))[:MAX_LINKS],
        why=other.why | incident.why,
    )


def _merged(other: Incident, into: Incident, now: datetime) -> Incident:
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
    )


def _title_of(alert: Alert) -> str:
    subject = subject_of(alert.examples[0], alert.source).shown if alert.examples else ""
    title = show(alert.title, TITLE_CHARACTERS - len(subject) - 2)
    return f"{title}: {subject}" if subject else title


def _in_order(tactics: Iterable[str]) -> tuple[str, ...]:
    known = {name: place for place, name in enumerate(TACTICS)}
    return tuple(sorted(dict.fromkeys(tactics), key=lambda name: (known.get(name, len(known)), name)))

"""Alerts -> incidents: what one hand did within one stretch of time is one thing to work on.

An alert joins an open incident that shares a link (`incident.links`) and whose span it comes near to
(`GROUP_WINDOW`; `MACHINE_WINDOW` where the host alone ties them, `DEVICE_WINDOW` where a device or a station of a plant
does).
Where none does, it opens one if it is of medium severity or worse, or has `OPEN_AFTER` detections; a quieter alert
stays an alert, and joins when it grows while its source is at work elsewhere. An alert that links two incidents shows
that they are one: the older keeps its id and takes all alerts, the other is closed and names it in `merged_into`. An
alert that grows after its incident was closed opens that one again: an attack which goes on must not go on unseen.
Many sources which each do the same little are
one incident (`incident.swarm`).

What a person decided holds: alerts like those that were moved follow them (`Incident.pins`), and incidents that were
split are not made one again (`Incident.apart`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.entity import EntityKind
from amagasa.incident import swarm
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.growing import (
    MAX_ALERTS,
    merged,
    opened,
    with_alert,
    with_incident,
    with_what_came_before,
)
from amagasa.incident.links import (
    ACCOUNT,
    BEHAVIOUR,
    DEVICE,
    MACHINE,
    PIN,
    WEAK_ACCOUNT,
    WEAK_MACHINE,
    is_strong,
    kind_of,
    links_of,
    met_by,
    pin_of,
    said,
    values_of,
)
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.severity import Severity

GROUP_WINDOW: Final = timedelta(hours=4)
MACHINE_WINDOW: Final = timedelta(hours=1)
DEVICE_WINDOW: Final = timedelta(hours=24)
# Beyond this the host alone ties nothing more to an incident: a machine which is never quiet would be one for ever.
MACHINE_SPAN: Final = timedelta(hours=24)
# So many accounts at work on a host make it everybody's: a terminal server, a domain controller.
HUB_ACCOUNTS: Final = 3
# So many accounts behind one source address, none of whose passwords was guessed, make it a gateway.
GATEWAY_ACCOUNTS: Final = 5
SOURCE: Final = EntityKind.SOURCE_ADDRESS.value
GUESSING: Final = "credential-access"
OPEN_FROM: Final = Severity.MEDIUM
OPEN_AFTER: Final = 20


class Grouped(Struct, frozen=True, kw_only=True):
    """All the alerts that came in, with their incident or None, in the same order; and the incidents new or changed.

    Alerts of a merged incident which are not among these alerts move too: the store does it where it sees
    `merged_into`. So do those in `moved`, (alert, incident) pairs: what a source did before it left a swarm.
    """

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    moved: tuple[tuple[str, str], ...] = ()


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
        moved=tuple((alert_id, desk.last_home(home)) for alert_id, home in desk.moved.items()),
    )


_Met = list[tuple[Incident, str]]


class _Desk:
    """Incidents while alerts are being put to them."""

    def __init__(self, incidents: Iterable[Incident], now: datetime) -> None:
        self._now = now
        self._incidents = {incident.id: incident for incident in sorted(incidents, key=lambda one: one.id)}
        self._before = dict(self._incidents)
        self._by_link: dict[str, dict[str, None]] = {}
        self._homes: dict[str, str | None] = {}
        self.moved: dict[str, str] = {}
        for incident in self._incidents.values():
            self._index(incident)

    def place(self, alert: Alert) -> None:
        alert = replace(alert, incident_id=self.moved.get(alert.id, alert.incident_id))
        own = self._own(alert)
        if alert.incident_id is not None and own is None:
            self._homes[alert.id] = alert.incident_id
            return
        pinned, strong, weak = self._met(alert, own)
        crowds = [one for one in (*([own] if own else []), *(one for one, _ in strong)) if swarm.is_swarm(one)]
        plain = [one for one in (*([own] if own else []), *(one for one, _ in strong)) if not swarm.is_swarm(one)]
        if crowds and not (swarm.is_light(alert) and all(map(swarm.is_small, plain))):
            self._leave(alert, crowds, plain, _because(strong[0][1]) if strong else "")
        elif own is not None:
            why = own.why.get(alert.id, "") if own.status is Status.OPEN else "went on after the incident was closed"
            self._put(alert, [own, *(incident for incident, _ in strong)], why)
        elif pinned:
            self._put(alert, [pinned[0][0]], "a person put alerts like this one here")
        elif strong:
            self._put(alert, [incident for incident, _ in strong], _because(strong[0][1]))
        elif weak:
            latest, link = max(weak, key=lambda met: (met[0].last_seen_at, met[0].id))
            self._put(alert, [latest], _because(link))
        elif crowd := self._crowd_for(alert):
            self._put(alert, [crowd], _one_of(crowd))
        elif _may_open(alert):
            self._put(alert, [opened(alert, self._now)], f"opened this incident: {_weight_of(alert)}")
        else:
            self._homes[alert.id] = None
        self._swarm(alert)

    def home_of(self, alert: Alert) -> str | None:
        """Where it is now, after all merges."""
        home = self._homes[alert.id]
        return None if home is None else self.last_home(home)

    def last_home(self, home: str) -> str:
        """The incident which this one is part of now, itself where it is none's."""
        while home in self._incidents and (into := self._incidents[home].merged_into) is not None:
            home = into
        return home

    def changed(self) -> list[Incident]:
        return [incident for key, incident in self._incidents.items() if incident is not self._before.get(key)]

    def _own(self, alert: Alert) -> Incident | None:
        incident = self._incidents.get(alert.incident_id or "")
        while incident is not None and incident.merged_into is not None:
            incident = self._incidents.get(incident.merged_into)
        return incident

    def _met(self, alert: Alert, own: Incident | None) -> tuple[_Met, _Met, _Met]:
        """(incident, link) pairs by pins, by strong links and by weak ones, each incident once and oldest first.

        Of incidents which a person keeps apart, the strong ones hold only the first; whoever has an own stays with it.
        """
        found: dict[str, dict[str, str]] = {PIN: {}, "strong": {}, "weak": {}}
        for link in links_of(alert):
            for met in met_by(link):
                kind = PIN if kind_of(link) == PIN else "strong" if is_strong(link, met) else "weak"
                for incident_id in self._by_link.get(met, ()):
                    if self._may_take(self._incidents[incident_id], alert, own, link):
                        found[kind].setdefault(incident_id, link)
        pinned, strong, weak = (
            sorted(((self._incidents[key], link) for key, link in pairs.items()), key=lambda pair: _age(pair[0]))
            for pairs in found.values()
        )
        return pinned, _together(strong, own), weak

    def _may_take(self, incident: Incident, alert: Alert, own: Incident | None, link: str) -> bool:
        if incident is own or incident.status is not Status.OPEN or incident.n_alerts >= MAX_ALERTS:
            return False
        kind = kind_of(link)
        if kind == PIN:
            return pin_of(alert.key) in incident.pins
        if kind == SOURCE and _is_strange(incident, alert) and self._is_gateway(link):
            return False
        is_machine = kind in {MACHINE, WEAK_MACHINE}
        window = MACHINE_WINDOW if is_machine else DEVICE_WINDOW if kind == DEVICE else GROUP_WINDOW
        is_near = (
            alert.first_seen_at <= incident.last_seen_at + window
            and alert.last_seen_at >= incident.first_seen_at - window
        )
        return is_near and kind != BEHAVIOUR and not (is_machine and _is_hub(incident, alert, link))

    def _is_gateway(self, link: str) -> bool:
        """Whether so many accounts come from this address that it is a proxy's or a terminal server's.

        Who guesses passwords names many accounts as well: where anything of it is credential access, it is one hand.
        """
        each = (self._incidents[key] for key in self._by_link.get(link, ()))
        return any(GUESSING not in one.tactics and len(_accounts_of(one)) >= GATEWAY_ACCOUNTS for one in each)

    def _crowd_for(self, alert: Alert) -> Incident | None:
        """The swarm which does what this alert tells of, if it is light and none of its sources was met elsewhere."""
        if not swarm.is_light(alert):
            return None
        links = [link for link in links_of(alert) if kind_of(link) == BEHAVIOUR]
        alone = with_alert(opened(alert, self._now), alert, "", self._now)
        each = (self._incidents[key] for link in links for key in self._by_link.get(link, ()))
        crowds = [
            one for one in each if swarm.is_swarm(one) and swarm.is_near(one, alone) and one.n_alerts < MAX_ALERTS
        ]
        return min(crowds, key=_age, default=None)

    def _swarm(self, alert: Alert) -> None:
        """Make one of those which do the same as where this alert now is, once they are enough."""
        home = self._incidents.get(self.home_of(alert) or "")
        if home is None or home.status is not Status.OPEN:
            return
        keys = dict.fromkeys(key for link in swarm.behaviours_of(home) for key in self._by_link.get(link, ()))
        each = (self._incidents[key] for key in keys if key != home.id)
        others = [one for one in each if one.status is Status.OPEN]
        crowd = swarm.swarming(home, sorted(others, key=_age))
        if not crowd or sum(one.n_alerts for one in (home, *crowd)) > MAX_ALERTS:
            return
        eldest = min((home, *crowd), key=_age)
        taken = eldest
        for other in sorted((home, *crowd), key=_age):
            if other is not eldest:
                taken = with_incident(taken, other, self._now)
                self._incidents[other.id] = merged(other, taken, self._now)
        taken = replace(taken, why=taken.why | {key: _one_of(taken) for key in taken.why})
        self._incidents[taken.id] = taken
        self._index(taken)

    def _leave(self, alert: Alert, crowds: Sequence[Incident], plain: Sequence[Incident], why: str) -> None:
        """Its source is more than one of many: all it did before goes with it to where it is by itself."""
        source = swarm.source_of(alert) or ""
        home = plain[0] if plain else opened(alert, self._now, "left a swarm", to_rfc3339(self._now))
        for crowd in crowds:
            home, left = with_what_came_before(home, crowd, source, self._now)
            self._incidents[crowd.id] = left
            self.moved |= {key: home.id for key in crowd.n_by_alert if key not in left.n_by_alert}
        self.moved.pop(alert.id, None)
        for key in self._homes:
            self._homes[key] = self.moved.get(key, self._homes[key])
        reason = why if plain else f"opened this incident: {_weight_of(alert)}"
        self._put(alert, [home, *plain[1:]], home.why.get(alert.id, reason) if plain else reason)

    def _put(self, alert: Alert, incidents: list[Incident], why: str) -> None:
        """Add the alert to the oldest of these (its own, where it has one too full to move) and merge the others."""
        eldest = min(incidents, key=_age)
        room = MAX_ALERTS - 1
        if sum(incident.n_alerts for incident in incidents) > room:
            eldest, incidents = incidents[0], incidents[:1]
        taken = with_alert(eldest, alert, why, self._now)
        for other in incidents:
            if other is not eldest:
                taken = with_incident(taken, other, self._now)
                self._incidents[other.id] = merged(other, taken, self._now)
        self._incidents[taken.id] = taken
        self._index(taken)
        self._homes[alert.id] = taken.id

    def _index(self, incident: Incident) -> None:
        if incident.status is Status.OPEN:
            for link in (*incident.links, *incident.pins):
                self._by_link.setdefault(link, {})[incident.id] = None


def _together(met: _Met, own: Incident | None) -> _Met:
    """Those of them which may become one: none that a person keeps apart from another of them."""
    kept: _Met = []
    ids = set() if own is None else {own.id}
    apart = set(() if own is None else own.apart)
    for incident, link in met:
        if incident.id not in apart and ids.isdisjoint(incident.apart):
            kept.append((incident, link))
            ids.add(incident.id)
            apart.update(incident.apart)
    return kept


def _is_strange(incident: Incident, alert: Alert) -> bool:
    """Whether the alert names accounts, none of them known in the incident, and no passwords are guessed."""
    own = {_bare(one.value) for one in alert.entities if one.kind is EntityKind.USER}
    is_guess = GUESSING in incident.tactics or GUESSING in alert.tactics
    return bool(own) and not is_guess and own.isdisjoint(_accounts_of(incident))


def _accounts_of(incident: Incident) -> set[str]:
    return {_bare(one.value) for one in incident.entities if one.kind is EntityKind.USER}


def _is_hub(incident: Incident, alert: Alert, link: str) -> bool:
    """Whether the host is too many people's to tie by itself this alert to this incident.

    An alert without an account may join while fewer than `HUB_ACCOUNTS` are at work there; one with an account only
    where no other is.
    """
    host = values_of(link)[0]
    users = {
        _bare(values_of(one)[1])
        for one in incident.links
        if kind_of(one) in {ACCOUNT, WEAK_ACCOUNT} and values_of(one)[0] == host
    }
    own = {_bare(values_of(one)[1]) for one in links_of(alert) if kind_of(one) in {ACCOUNT, WEAK_ACCOUNT}}
    is_long = incident.last_seen_at - incident.first_seen_at > MACHINE_SPAN
    return is_long or (bool(users - own) if own else len(users) >= HUB_ACCOUNTS)


def _bare(user: str) -> str:
    return user.rpartition("\\")[2].partition("@")[0]


def _may_open(alert: Alert) -> bool:
    return alert.severity >= OPEN_FROM or alert.n_detections >= OPEN_AFTER


def _weight_of(alert: Alert) -> str:
    if alert.severity >= OPEN_FROM:
        return f"severity {alert.severity.name.lower()}"
    return f"{alert.n_detections} detections"


def _because(link: str) -> str:
    if kind_of(link) in {MACHINE, WEAK_MACHINE}:
        return f"same {said(link)} within {MACHINE_WINDOW // timedelta(minutes=1)} minutes"
    if kind_of(link) == DEVICE:
        return f"same {said(link)}, within {DEVICE_WINDOW // timedelta(hours=1)} hours"
    return f"same {said(link)}, within {GROUP_WINDOW // timedelta(hours=1)} hours"


def _one_of(crowd: Incident) -> str:
    return f"one of {len(crowd.by_source)} source addresses or more which each did the same little"


def _age(incident: Incident) -> tuple[datetime, datetime, str]:
    return incident.created_at, incident.first_seen_at, incident.id

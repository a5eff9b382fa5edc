"""Swarms: many sources which each do next to nothing, and all of them the same.

A hunt spread over four hundred addresses sends one request from most of them. One by one they are four hundred
incidents which nobody reads; together they are one. So where `SWARM_FROM` sources did the same (one rule, one log)
within `SWARM_WINDOW`, and none of them more than a little, their incidents become one, and further such sources join.
A source that turns out to be more (a graver alert, or many detections) leaves the swarm with all it did before, so
that nothing hides in the crowd.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.links import BEHAVIOUR, kind_of
from amagasa.vocab.severity import Severity

SWARM_FROM: Final = 5
SWARM_WINDOW: Final = timedelta(hours=4)
# A crowd which never ends is told anew each day.
SWARM_SPAN: Final = timedelta(hours=24)
# Detections of one alert, or of one source's whole incident, that are "a little"; tactics likewise.
LIGHT: Final = 30
LIGHT_TACTICS: Final = 3
WORST: Final = Severity.MEDIUM


def source_of(alert: Alert) -> str | None:
    """The first source address that the alert names."""
    return next((one.value for one in alert.entities if one.kind is EntityKind.SOURCE_ADDRESS), None)


def n_sources(incident: Incident) -> int:
    """How many source addresses its links name."""
    return sum(kind_of(link) == EntityKind.SOURCE_ADDRESS.value for link in incident.links)


def is_swarm(incident: Incident) -> bool:
    """Whether it holds many sources which each did a little."""
    return incident.severity <= WORST and len(incident.by_source) >= SWARM_FROM


def is_light(alert: Alert) -> bool:
    """Whether it is little enough to be one of many."""
    return alert.severity <= WORST and alert.n_detections <= LIGHT


def is_small(incident: Incident) -> bool:
    """Whether it is one source, or few, which did a little."""
    return (
        incident.status is Status.OPEN
        and incident.severity <= WORST
        and incident.n_detections <= LIGHT
        and len(incident.tactics) <= LIGHT_TACTICS
        and 0 < len(incident.by_source) < SWARM_FROM
    )


def behaviours_of(incident: Incident) -> tuple[str, ...]:
    """The links that name what its sources do."""
    return tuple(link for link in incident.links if kind_of(link) == BEHAVIOUR)


def is_near(incident: Incident, other: Incident) -> bool:
    """Whether both are of one time, as far as swarms go."""
    first = min(incident.first_seen_at, other.first_seen_at)
    last = max(incident.last_seen_at, other.last_seen_at)
    gap = max(incident.first_seen_at, other.first_seen_at) - min(incident.last_seen_at, other.last_seen_at)
    return gap <= SWARM_WINDOW and last - first <= SWARM_SPAN


def swarming(home: Incident, others: Iterable[Incident]) -> tuple[Incident, ...]:
    """Which of the others are to become one with `home`: those near it that do the same, if they are enough."""
    if not (is_small(home) or is_swarm(home)):
        return ()
    near = [
        one for one in others if one.id not in home.apart and (is_small(one) or is_swarm(one)) and is_near(home, one)
    ]
    sources = set(home.by_source).union(*(one.by_source for one in near))
    return tuple(near) if len(sources) >= SWARM_FROM else ()


def noted(incident: Incident, alert: Alert) -> dict[str, tuple[str, ...]]:
    """`by_source` with this alert, {} once the incident is graver than a swarm can be."""
    source = source_of(alert)
    if source is None or max(incident.severity, alert.severity) > WORST:
        return incident.by_source if max(incident.severity, alert.severity) <= WORST else {}
    known = incident.by_source.get(source, ())
    return incident.by_source if alert.id in known else incident.by_source | {source: (*known, alert.id)}


def both(first: Incident, second: Incident) -> dict[str, tuple[str, ...]]:
    """`by_source` of two incidents which become one."""
    if max(first.severity, second.severity) > WORST:
        return {}
    joined = dict(first.by_source)
    for source, ids in second.by_source.items():
        joined[source] = tuple(dict.fromkeys((*joined.get(source, ()), *ids)))
    return joined


def without(swarm: Incident, source: str) -> tuple[Incident, tuple[str, ...]]:
    """The swarm without one source, and the identifiers of that source's alerts.

    Techniques, tactics and entities stay: what the others did is the same.
    """
    gone = swarm.by_source.get(source, ())
    link = f"{EntityKind.SOURCE_ADDRESS.value}\x1f{source}"
    n_by_alert = {key: n for key, n in swarm.n_by_alert.items() if key not in gone}
    left = replace(
        swarm,
        n_by_alert=n_by_alert,
        n_alerts=len(n_by_alert),
        n_detections=sum(n_by_alert.values()),
        why={key: why for key, why in swarm.why.items() if key not in gone},
        links=tuple(one for one in swarm.links if one != link),
        entities=tuple(
            one for one in swarm.entities if not (one.kind is EntityKind.SOURCE_ADDRESS and one.value == source)
        ),
        by_source={key: ids for key, ids in swarm.by_source.items() if key != source},
    )
    return left, gone

"""The story of an incident: what was done, in the order of ATT&CK's tactics, with the evidence behind each step.

Alerts of one rule under one tactic are one step, however many there are: a swarm of a thousand alerts is a story of a
few steps. A step says who did it and to what, from when to when, how often, and where its first records stand.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Alert
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.severity import Severity

WHO: Final = (EntityKind.SOURCE_ADDRESS, EntityKind.USER)
WHAT: Final = (EntityKind.HOST, EntityKind.DESTINATION_ADDRESS, EntityKind.FILE, EntityKind.PROCESS, EntityKind.DOMAIN)
NAMED: Final = 5
EVIDENCE: Final = 3


class Place(Struct, frozen=True, kw_only=True):
    """Where a record stands."""

    path: str
    record: int
    event_at: datetime | None


class Step(Struct, frozen=True, kw_only=True):
    """One deed. `who` and `what` are the first five of `n_who` and `n_what` values; `alerts` the first five."""

    tactic: str
    title: str
    content_id: str
    severity: Severity
    techniques: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    n_alerts: int
    n_detections: int
    who: tuple[str, ...]
    n_who: int
    what: tuple[str, ...]
    n_what: int
    alerts: tuple[str, ...]
    evidence: tuple[Place, ...]


def story_of(alerts: Iterable[Alert]) -> tuple[Step, ...]:
    """By tactic as the matrix has them ("" last), then by time. Each alert is told once, under its first tactic."""
    order = {tactic: place for place, tactic in enumerate(TACTICS)}
    told: dict[tuple[str, str, str], list[Alert]] = {}
    for alert in sorted(alerts, key=lambda one: (one.first_seen_at, one.id)):
        tactic = min(alert.tactics, key=lambda name: order.get(name, len(order)), default="")
        told.setdefault((tactic, alert.content_id, alert.title), []).append(alert)
    steps = [_step(tactic, group) for (tactic, _, _), group in told.items()]
    return tuple(sorted(steps, key=lambda one: (order.get(one.tactic, len(order)), one.first_at, one.content_id)))


def _step(tactic: str, alerts: Sequence[Alert]) -> Step:
    who, what = _values(alerts, WHO), _values(alerts, WHAT)
    examples = [example for alert in alerts for example in alert.examples]
    return Step(
        tactic=tactic,
        title=alerts[0].title,
        content_id=alerts[0].content_id,
        severity=max(alert.severity for alert in alerts),
        techniques=tuple(dict.fromkeys(name for alert in alerts for name in alert.techniques)),
        first_at=min(alert.first_seen_at for alert in alerts),
        last_at=max(alert.last_seen_at for alert in alerts),
        n_alerts=len(alerts),
        n_detections=sum(alert.n_detections for alert in alerts),
        who=who[:NAMED],
        n_who=len(who),
        what=what[:NAMED],
        n_what=len(what),
        alerts=tuple(alert.id for alert in alerts[:NAMED]),
        evidence=tuple(Place(path=one.path, record=one.record, event_at=one.event_at) for one in examples[:EVIDENCE]),
    )


def _values(alerts: Iterable[Alert], kinds: Sequence[EntityKind]) -> tuple[str, ...]:
    """Each once; those of the first kind that is named at all come first."""
    found = [(kinds.index(one.kind), one.value) for alert in alerts for one in alert.entities if one.kind in kinds]
    return tuple(dict.fromkeys(value for _, value in sorted(found, key=lambda pair: pair[0])))

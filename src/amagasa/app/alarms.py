"""What a node finds wrong between itself and an ally becomes an alert like any other; allies are not told of it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from amagasa.app.ports import Crossing, Store, Writing
from amagasa.app.signals import Signals
from amagasa.app.watch import record_past
from amagasa.detect.report import Detection
from amagasa.incident.alert import Alert, Incident
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show


class Alarm(Struct, frozen=True, kw_only=True):
    """`code` names the kind; `ally` is the name of the party it is about; `why` is one sentence."""

    code: str
    title: str
    ally: str
    why: str
    level: Level = Level.HIGH


def raise_alarm(store: Store, signals: Signals, alarm: Alarm, *, now: datetime) -> None:
    """One alert for each kind and ally, however often it is raised within the time in which alerts fold.

    Raises WorldError.
    """
    told = {"ally": show(alarm.ally), "code": alarm.code, "why": show(alarm.why, 500)}
    detection = Detection(
        rule_id=alarm.code,
        title=alarm.title,
        level=alarm.level,
        path=alarm.code,
        record=1,
        event_at=now,
        fields=told,
        event=told,
        raw=alarm.why[:4_096],
    )
    source = f"ally: {show(alarm.ally, 80)}"
    recorded = record_past(store, {source: [detection]}, _to_nobody, now=now, note=_nothing)
    for alert in recorded.alerts:
        signals.publish("alert", {"id": alert.id})
    for incident in recorded.incidents:
        signals.publish("incident", {"id": incident.id})


def _to_nobody(
    tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: datetime
) -> tuple[Crossing, ...]:
    del tx, alerts, incidents, now
    return ()


def _nothing(tx: Writing) -> None:
    del tx

"""What a node finds wrong between itself and an ally becomes an alert like any other; allies are not told of it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from amagasa.app.casework import Asked, do
from amagasa.app.permissions import NODE
from amagasa.app.ports import Crossing, Store, Writing
from amagasa.app.queries import all_alerts
from amagasa.app.signals import Signals
from amagasa.app.watch import record_past
from amagasa.detect.report import Detection
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.case import DeedKind
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show


class Alarm(Struct, frozen=True, kw_only=True):
    """`code` names the kind; `ally` is the name of the party it is about; `why` is one sentence.

    Alarms of one kind, ally and `occasion` fold into one alert.
    """

    code: str
    title: str
    ally: str
    why: str
    level: Level = Level.HIGH
    occasion: str = ""


def raise_alarm(store: Store, signals: Signals, alarm: Alarm, *, now: datetime) -> tuple[str, ...]:
    """One alert for each kind and ally, however often it is raised within the time in which alerts fold.

    The identifiers of the incidents it came to; () where it was told of already. Raises WorldError.
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
    source = f"ally: {show(alarm.ally, 80)}" + (f", {alarm.occasion}" if alarm.occasion else "")
    recorded = record_past(store, {source: [detection]}, _to_nobody, now=now, note=_nothing)
    for alert in recorded.alerts:
        signals.publish("alert", {"id": alert.id})
    for incident in recorded.incidents:
        signals.publish("incident", {"id": incident.id})
    return tuple(incident.id for incident in recorded.incidents)


def end_alarm(store: Store, signals: Signals, code: str, incident_id: str, *, why: str, now: datetime) -> bool:
    """Close the incident of an alarm that is over; whether it was. One that tells of more, or has an owner, stays.

    Raises WorldError.
    """
    with store.read() as reading:
        incident = reading.incident(incident_id)
        alerts = all_alerts(reading, incident_id) if incident is not None else []
    if incident is None or incident.status is Status.CLOSED or incident.owner:
        return False
    if not alerts or any(alert.content_id != code for alert in alerts):
        return False
    do(store, NODE, incident_id, Asked(kind=DeedKind.CLOSE, text=why), now=now)
    signals.publish("incident", {"id": incident_id})
    return True


def _to_nobody(
    tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: datetime
) -> tuple[Crossing, ...]:
    del tx, alerts, incidents, now
    return ()


def _nothing(tx: Writing) -> None:
    del tx

"""Use case: take in what the worker saw. Alerts, incidents, outbox and the position behind them commit together."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.ports import Crossing, Dead, Position, Store, Writing
from amagasa.app.worker_messages import Batch, SourceState
from amagasa.detect.report import Detection
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.fold import FOLD_WINDOW, fold, key_of, seen_at
from amagasa.incident.group import GROUP_WINDOW, group
from amagasa.incident.lead import CORROBORATION, asked_by, confirmed, raised_by, spoken_by, stands
from amagasa.incident.links import wanted_links

# Code of the fault which says that part of a log was gone before it was read: said once, so it is kept.
LOST: Final = "AMG-SOURCE-011"

# Says to the allies what the agreements let out of these alerts and incidents; in the transaction it is given.
Tell = Callable[[Writing, Sequence[Alert], Sequence[Incident], datetime], tuple[Crossing, ...]]


class Recorded(Struct, frozen=True, kw_only=True):
    """What a batch changed, for the doors to show after the commit."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    crossings: tuple[Crossing, ...]


def record_batch(store: Store, batch: Batch, tell: Tell, *, now: datetime) -> Recorded:
    """Commit one batch. Raises WorldError where the store cannot: then nothing of it is kept, the position included."""
    with store.write() as tx:
        recorded = _record(tx, batch, tell, now) if batch.detections else _NOTHING
        _advance(tx, batch, now)
    return recorded


def record_state(store: Store, state: SourceState, *, now: datetime) -> None:
    """Keep the fault of a source, or that it has none any more; records that were lost stay among the rejects."""
    with store.write() as tx:
        known = {position.source: position for position in tx.positions()}
        position = known.get(state.source, Position(source=state.source, token={}))
        if position.fault != state.fault:
            tx.save_position(replace(position, fault=state.fault))
        if LOST in state.fault:
            tx.save_dead([Dead(source=state.source, path="", record=0, why=state.fault, at=now)])


_NOTHING = Recorded(alerts=(), incidents=(), crossings=())


def _record(tx: Writing, batch: Batch, tell: Tell, now: datetime) -> Recorded:
    first, last = _span(batch.detections, now)
    alerts = _alerts(tx, batch, first, last, now=now)
    named = tx.incidents_by_id(alert.incident_id for alert in alerts if alert.incident_id is not None)
    linked = tx.incidents_linked(wanted_links(alerts), since=first - GROUP_WINDOW)
    grouped = group(alerts, list({incident.id: incident for incident in (*named, *linked)}.values()), now=now)
    tx.save_incidents(grouped.incidents)
    tx.save_alerts(grouped.alerts)
    crossings = tell(tx, grouped.alerts, grouped.incidents, now) if grouped.alerts else ()
    return Recorded(alerts=tuple(grouped.alerts), incidents=tuple(grouped.incidents), crossings=crossings)


def _alerts(tx: Writing, batch: Batch, first: datetime, last: datetime, *, now: datetime) -> tuple[Alert, ...]:
    """The alerts that are new or have grown; what one list says and nothing confirms is kept as a lead."""
    keys = {key_of(detection, batch.source) for detection in batch.detections}
    span = {"since": first - FOLD_WINDOW, "until": last + FOLD_WINDOW}
    recent = {alert.id: alert for alert in tx.alerts_by_key(keys, **span)}
    standing = fold(
        [one for one in batch.detections if stands(one)], list(recent.values()), source=batch.source, now=now
    )
    tx.leads.speak(spoken_by(standing))
    recent |= {alert.id: alert for alert in standing}
    hearsay = [one for one in batch.detections if not stands(one)]
    raised: dict[str, Alert] = {}
    if hearsay:
        held = tx.leads.by_key({key_of(detection, batch.source) for detection in hearsay}, **span)
        folded = fold(hearsay, [*recent.values(), *held], source=batch.source, now=now)
        raised = {alert.id: alert for alert in folded if alert.id in recent}
        leads = [alert for alert in folded if alert.id not in recent]
        spoken = tx.leads.spoken(asked_by(leads), since=first - CORROBORATION)
        new, kept = confirmed(leads, spoken)
        raised |= {alert.id: alert for alert in new}
        tx.leads.save(kept)
    older = tx.leads.linked(raised_by(standing), since=first - CORROBORATION)
    raised |= {lead.id: replace(lead, updated_at=max(now, lead.updated_at)) for lead in older}
    tx.leads.remove(raised)
    return tuple(({alert.id: alert for alert in standing} | raised).values())


def _span(detections: Sequence[Detection], now: datetime) -> tuple[datetime, datetime]:
    seen = [seen_at(detection, now) for detection in detections]
    return min(seen), max(seen)


def _advance(tx: Writing, batch: Batch, now: datetime) -> None:
    """Move the position behind the batch, add its counts, keep the rejects with their reasons."""
    known = {position.source: position for position in tx.positions()}
    before = known.get(batch.source, Position(source=batch.source, token={}))
    tx.save_position(
        replace(
            before,
            token=batch.token,
            n_read=before.n_read + batch.n_read,
            n_accepted=before.n_accepted + batch.n_accepted,
            n_rejected=before.n_rejected + batch.n_rejected,
            last_record_at=batch.last_record_at or before.last_record_at,
        )
    )
    if batch.rejects:
        tx.save_dead(
            [
                Dead(source=batch.source, path=reject.path, record=reject.record, why=reject.why, at=now)
                for reject in batch.rejects
            ]
        )

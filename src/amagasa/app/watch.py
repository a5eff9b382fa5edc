"""Use case: take in what the worker saw. Alerts, incidents, outbox and the position behind them commit together."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.open_windows import OpenWindows
from amagasa.app.ports import Crossing, Dead, Position, Store, Writing
from amagasa.app.reject_ports import still_to_feed
from amagasa.app.worker_messages import Batch, SourceState
from amagasa.detect.report import Detection
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.fold import FOLD_WINDOW, fold, key_of, seen_at
from amagasa.incident.group import DEVICE_WINDOW, GROUP_WINDOW, group
from amagasa.incident.lead import CORROBORATION, asked_by, confirmed, raised_by, spoken_by, stands
from amagasa.incident.links import device_links, wanted_links

# Code of the fault which says that part of a log was gone before it was read: said once, so it is kept.
LOST: Final = "AMG-SOURCE-011"

# Says to the allies what the agreements let out of these alerts and incidents; in the transaction it is given.
Tell = Callable[[Writing, Sequence[Alert], Sequence[Incident], datetime], tuple[Crossing, ...]]


class Recorded(Struct, frozen=True, kw_only=True):
    """What a batch changed, for the doors to show after the commit. `has_leads`: what some list said alone may have."""

    alerts: tuple[Alert, ...]
    incidents: tuple[Incident, ...]
    crossings: tuple[Crossing, ...]
    has_leads: bool = False


def record_batch(
    store: Store, batch: Batch, tell: Tell, *, now: datetime, windows: OpenWindows | None = None
) -> Recorded:
    """Commit one batch. Raises WorldError where the store cannot: then nothing of it is kept, the position included.

    With `windows`, what its hits change in them and what comes of that commit together with it.
    """
    if windows is None or not batch.hits:
        with store.write() as tx:
            recorded = _record(tx, {batch.source: batch.detections}, tell, now)
            _advance(tx, batch, now)
        return recorded
    with windows.held:
        judged = windows.judge(batch.hits, source=batch.source, now=now)
        with store.write() as tx:
            recorded = _record(tx, _by_source(batch, judged.detections), tell, now)
            windows.save(tx, judged)
            _advance(tx, batch, now)
        windows.keep(judged)
    return recorded


def record_time(store: Store, windows: OpenWindows, tell: Tell, *, now: datetime) -> Recorded:
    """Commit what the passing of time shows alone: windows that are over, groups that are silent. Raises WorldError."""
    with windows.held:
        judged = windows.judge((), source="", now=now)
        if not (judged.changed or judged.detections):
            return _NOTHING
        with store.write() as tx:
            recorded = _record(tx, _by_source(None, judged.detections), tell, now)
            windows.save(tx, judged)
        windows.keep(judged)
    return recorded


def record_past(
    store: Store,
    found: Mapping[str, Sequence[Detection]],
    tell: Tell,
    *,
    now: datetime,
    note: Callable[[Writing], None],
) -> Recorded:
    """Commit what new content finds in the past, by source, and `note` with it. Raises WorldError.

    What an alert tells of already is not counted into it once more: its records were seen as they came.
    """
    with store.write() as tx:
        recorded = _record(tx, {source: _untold(tx, source, some, now) for source, some in found.items()}, tell, now)
        note(tx)
    return recorded


def _untold(tx: Writing, source: str, detections: Sequence[Detection], now: datetime) -> list[Detection]:
    if not detections:
        return []
    first, last = _span(detections, now, _stood_at(tx))
    keys = {key_of(detection, source) for detection in detections}
    told = {alert.key for alert in tx.alerts_by_key(keys, since=first - FOLD_WINDOW, until=last + FOLD_WINDOW)}
    return [detection for detection in detections if key_of(detection, source) not in told]


def record_silence(
    store: Store, found: Mapping[str, Sequence[Detection]], note: Callable[[Writing], None], *, now: datetime
) -> Recorded:
    """Commit that sources fell silent, and `note` with it. No ally is told: where we are blind is ours to know.

    Raises WorldError.
    """
    with store.write() as tx:
        recorded = _record(tx, found, lambda *_: (), now)
        note(tx)
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


def _by_source(batch: Batch | None, correlated: Sequence[Detection]) -> dict[str, Sequence[Detection]]:
    """What was found, by the log in which its last record stands."""
    found: dict[str, list[Detection]] = {batch.source: list(batch.detections)} if batch is not None else {}
    for detection in correlated:
        if detection.together is not None:
            found.setdefault(detection.together.source, []).append(detection)
    return dict(found)


def _record(tx: Writing, found: Mapping[str, Sequence[Detection]], tell: Tell, now: datetime) -> Recorded:
    detections = [detection for some in found.values() for detection in some]
    if not detections:
        return _NOTHING
    stood_at = _stood_at(tx)
    first, _ = _span(detections, now, stood_at)
    grown: dict[str, Alert] = {}
    for source, some in found.items():
        grown |= {one.id: one for one in _alerts(tx, source, some, grown, now=now, stood_at=stood_at)}
    alerts = tuple(grown.values())
    named = tx.incidents_by_id(alert.incident_id for alert in alerts if alert.incident_id is not None)
    linked = [
        *tx.incidents_linked(wanted_links(alerts), since=first - GROUP_WINDOW),
        *tx.incidents_linked(device_links(alerts), since=first - DEVICE_WINDOW),
    ]
    grouped = group(alerts, list({incident.id: incident for incident in (*named, *linked)}.values()), now=now)
    tx.save_incidents(grouped.incidents)
    tx.save_alerts(grouped.alerts)
    tx.move_alerts(grouped.moved)
    crossings = tell(tx, grouped.alerts, grouped.incidents, now) if grouped.alerts else ()
    return Recorded(
        alerts=tuple(grouped.alerts),
        incidents=tuple(grouped.incidents),
        crossings=crossings,
        has_leads=not all(map(stands, detections)),
    )


def _alerts(
    tx: Writing,
    source: str,
    detections: Sequence[Detection],
    grown: Mapping[str, Alert],
    *,
    now: datetime,
    stood_at: datetime | None,
) -> tuple[Alert, ...]:
    """The alerts that are new or have grown; what one list says and nothing confirms is kept as a lead.

    `grown` are those which another log of the same transaction made grow, and which are not stored yet.
    """
    if not detections:
        return ()
    first, last = _span(detections, now, stood_at)
    keys = {key_of(detection, source) for detection in detections}
    span = {"since": first - FOLD_WINDOW, "until": last + FOLD_WINDOW}
    recent = {alert.id: alert for alert in tx.alerts_by_key(keys, **span)} | dict(grown)
    ours = [one for one in detections if stands(one)]
    standing = fold(ours, list(recent.values()), source=source, now=now, stood_at=stood_at)
    tx.leads.speak(spoken_by(standing))
    recent |= {alert.id: alert for alert in standing}
    hearsay = [one for one in detections if not stands(one)]
    raised: dict[str, Alert] = {}
    if hearsay:
        held = tx.leads.by_key({key_of(detection, source) for detection in hearsay}, **span)
        folded = fold(hearsay, [*recent.values(), *held], source=source, now=now, stood_at=stood_at)
        raised = {alert.id: alert for alert in folded if alert.id in recent}
        leads = [alert for alert in folded if alert.id not in recent]
        spoken = tx.leads.spoken(asked_by(leads), since=first - CORROBORATION)
        new, kept = confirmed(leads, spoken)
        raised |= {alert.id: alert for alert in new}
        tx.leads.save(kept)
    older = tx.leads.linked(raised_by(standing), since=first - CORROBORATION)
    # What grew just now is not stored yet: the store's word of it is the older one.
    raised = {lead.id: replace(lead, updated_at=max(now, lead.updated_at)) for lead in older} | raised
    tx.leads.remove(raised)
    return tuple(({alert.id: alert for alert in standing} | raised).values())


def _stood_at(tx: Writing) -> datetime | None:
    """The furthest that our clock stood at a commit of any source."""
    return max((one.read_at for one in tx.positions() if one.read_at is not None), default=None)


def _span(detections: Sequence[Detection], now: datetime, stood_at: datetime | None) -> tuple[datetime, datetime]:
    seen = [seen_at(detection, now, stood_at) for detection in detections]
    return min(seen), max(seen)


def _advance(tx: Writing, batch: Batch, now: datetime) -> None:
    """Move the position behind the batch, add its counts, keep the rejects with their reasons."""
    known = {position.source: position for position in tx.positions()}
    before = known.get(batch.source, Position(source=batch.source, token={}))
    tx.save_position(
        replace(
            before,
            token=still_to_feed(before.token, batch.token),
            n_read=before.n_read + batch.n_read,
            n_accepted=before.n_accepted + batch.n_accepted,
            n_rejected=before.n_rejected + batch.n_rejected,
            last_record_at=batch.last_record_at or before.last_record_at,
            read_at=now if before.read_at is None else max(now, before.read_at),
        )
    )
    if batch.again:
        tx.forget_dead(batch.source, batch.again)
    if batch.rejects:
        tx.save_dead(
            [
                Dead(source=batch.source, path=reject.path, record=reject.record, why=reject.why, at=now)
                for reject in batch.rejects
            ]
        )

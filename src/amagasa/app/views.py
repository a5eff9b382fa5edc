"""What the console shows: one node's state as values, with every text an attacker may have written made plain."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.app.evidence_views import FIELDS_SHOWN, TITLE_CHARACTERS, EvidenceView, FieldView
from amagasa.app.field_previews import FieldPreview
from amagasa.app.indicator_files import kept_in
from amagasa.app.ports import ContentItem, ContentKind, Crossing
from amagasa.app.titles import told_by
from amagasa.app.trial_views import TriedView, tried_view
from amagasa.event.entity import Entity
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.swarm import n_sources
from amagasa.share.agreement import Agreement
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.text import show
from amagasa.vocab.tlp import tlp_of_marking, tlp_of_word

CONTENT_CHARACTERS: Final = 262_144
ENTITIES_SHOWN: Final = 60


class Named(Struct, frozen=True, kw_only=True):
    """A party by its identity and the name it is known by; both "" for this node's own."""

    id: str
    name: str


class EntityView(Struct, frozen=True, kw_only=True):
    """An entity as text."""

    kind: str
    value: str


class AlertView(Struct, frozen=True, kw_only=True):
    """One row of the queue. `subject` is the entity which tells most."""

    id: str
    title: str
    severity: int
    confidence: int
    subject: str
    content_id: str
    is_indicator: bool
    origin: Named
    source: str
    first_seen_at: datetime
    last_seen_at: datetime
    updated_at: datetime
    n_detections: int
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    incident_id: str | None
    why: str = ""


class AlertsView(Struct, frozen=True, kw_only=True):
    """A page, newest first; `next` is the cursor of the one after it.

    `n_all` counts every alert kept; of a search those found, up to 10,000.
    """

    alerts: list[AlertView]
    next: str | None
    n_all: int


class AlertDetail(Struct, frozen=True, kw_only=True):
    """An alert with its entities and the evidence of its first detections."""

    alert: AlertView
    entities: list[EntityView]
    evidence: list[EvidenceView]


class IncidentView(Struct, frozen=True, kw_only=True):
    """One row of the incidents."""

    id: str
    title: str
    status: str
    severity: int
    created_at: datetime
    updated_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    n_alerts: int
    n_detections: int
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    entities: list[EntityView]
    closed_why: str
    merged_into: str | None
    confidence: int
    owner: str
    stage: str
    n_sources: int


class IncidentsView(Struct, frozen=True, kw_only=True):
    """A page, newest first."""

    incidents: list[IncidentView]
    next: str | None


class TimelineStep(Struct, frozen=True, kw_only=True):
    """An alert in its place: the tactic is "" where its rule names none."""

    tactic: str
    at: datetime
    alert_id: str
    title: str
    severity: int


class TechniqueSeen(Struct, frozen=True, kw_only=True):
    """A technique, the tactics it was seen under and how often."""

    technique: str
    tactics: tuple[str, ...]
    n_detections: int


class AttackView(Struct, frozen=True, kw_only=True):
    """What was seen, and the tactics in the order of the matrix."""

    tactics: tuple[str, ...]
    techniques: list[TechniqueSeen]


class ReceiptView(Struct, frozen=True, kw_only=True):
    """Of what was taken back: `done_at` is when the holder signed that it looks for it no longer, None until it did.

    `due_at` is the end of the agreement's clock; it had passed it on to `n_onward`, of whom `n_onward_done` signed.
    """

    due_at: datetime
    is_overdue: bool
    done_at: datetime | None
    n_onward: int = 0
    n_onward_done: int = 0


class CrossingView(Struct, frozen=True, kw_only=True):
    """One object at the line. `marking` is TLP's word, e.g. `amber+strict`, "" where there is none.

    `changes`: (path, what was done to it) before it left. `n_seen`: how often a sighting saw it, else 0.
    `n_wanted` persons with one of the roles `wants` must say yes; `consents` are those who did. `ours` is our own
    identifier of it where the ally knows it by another, else "".
    """

    id: int
    ally: Named
    agreement: str
    direction: str
    state: str
    object_id: str
    object_type: str
    version: str
    title: str
    n_seen: int
    clause: str
    marking: str
    changes: list[FieldView]
    why: str
    created_at: datetime
    decided_by: str
    n_tries: int
    next_try_at: datetime | None
    delivered_at: datetime | None
    n_bytes: int
    wants: tuple[str, ...] = ()
    n_wanted: int = 0
    consents: tuple[str, ...] = ()
    ours: str = ""
    receipt: ReceiptView | None = None


class CrossingsView(Struct, frozen=True, kw_only=True):
    """A page, newest first."""

    crossings: list[CrossingView]
    next: str | None


class CrossingDetail(Struct, frozen=True, kw_only=True):
    """A crossing with its bytes as text: controls and invisible characters escaped, cut where `is_cut`."""

    crossing: CrossingView
    content: str
    is_cut: bool
    fields: list[FieldPreview] = []


class ContentView(Struct, frozen=True, kw_only=True):
    """A rule, an indicator or a file of indicators held beside the built-in ones.

    Of a file: its place in the node's folder, how many indicators are in it, by kind too, and how many lines are not.
    """

    id: str
    kind: str
    title: str
    origin: Named
    is_active: bool
    added_at: datetime
    added_by: str
    fault: str
    activated_at: datetime | None = None
    text: str = ""
    file: str = ""
    counts: dict[str, int] = {}
    tried: TriedView | None = None


class RejectView(Struct, frozen=True, kw_only=True):
    """A record which could not be read, and why."""

    source: str
    path: str
    record: int
    why: str
    at: datetime


def names_of(party_id: str, agreements: Sequence[Agreement]) -> dict[str, str]:
    """What each party calls itself, by identity."""
    parties = (party for agreement in agreements for party in agreement.parties)
    return {party.id: show(party.name, 80) for party in parties if party.id != party_id}


def named(party: str, names: Mapping[str, str]) -> Named:
    """The party; an unknown one goes by its identity."""
    return Named(id=show(party), name=names.get(party, show(party)))


def lines(text: str, limit: int) -> str:
    """`text` with its line ends and tabs kept and everything else that is invisible escaped; cut at `limit`."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "\n".join("\t".join(show(cell, limit) for cell in line.split("\t")) for line in cut.split("\n"))


def alert_view(alert: Alert, names: Mapping[str, str], *, why: str = "") -> AlertView:
    """A row."""
    return AlertView(
        id=alert.id,
        title=show(alert.title, TITLE_CHARACTERS),
        severity=int(alert.severity),
        confidence=alert.confidence,
        subject=_subject(alert),
        content_id=show(alert.content_id),
        is_indicator=alert.is_indicator,
        origin=named(alert.origin, names),
        source=show(alert.source),
        first_seen_at=alert.first_seen_at,
        last_seen_at=alert.last_seen_at,
        updated_at=alert.updated_at,
        n_detections=alert.n_detections,
        techniques=alert.techniques,
        tactics=alert.tactics,
        incident_id=alert.incident_id,
        why=show(why, TITLE_CHARACTERS),
    )


def _subject(alert: Alert) -> str:
    """The first entity; of a correlation which names none, what it is grouped by."""
    if alert.entities or not alert.examples or alert.examples[0].together is None:
        return show(alert.entities[0].value) if alert.entities else ""
    return show(", ".join(value for _, value in alert.examples[0].together.group))


def content_view(item: ContentItem, names: Mapping[str, str], *, with_text: bool = False) -> ContentView:
    """A rule or an indicator; an indicator's text is its STIX object."""
    kept = kept_in(item)
    return ContentView(
        id=show(item.id),
        kind=item.kind.value,
        title=show(item.title, TITLE_CHARACTERS),
        origin=named(item.origin, names),
        is_active=item.is_active,
        added_at=item.added_at,
        added_by=show(item.added_by),
        fault=show(item.fault, TITLE_CHARACTERS),
        activated_at=item.activated_at,
        text=_content_text(item) if with_text else "",
        file=kept.file if kept else "",
        counts=kept.counts if kept else {},
        tried=tried_view(item.tried),
    )


def _content_text(item: ContentItem) -> str:
    if item.kind is ContentKind.SIGMA:
        return lines(item.text, CONTENT_CHARACTERS)
    try:
        indented = msgspec.json.format(item.text.encode("utf-8", "backslashreplace"), indent=2).decode()
    except msgspec.DecodeError:
        return lines(item.text, CONTENT_CHARACTERS)
    return lines(indented, CONTENT_CHARACTERS)


def entity_views(entities: Sequence[Entity]) -> list[EntityView]:
    """The first 60."""
    return [EntityView(kind=entity.kind.value, value=show(entity.value)) for entity in entities[:ENTITIES_SHOWN]]


def incident_view(incident: Incident, *, n_entities: int = ENTITIES_SHOWN) -> IncidentView:
    """A row, with its first entities."""
    return IncidentView(
        id=incident.id,
        title=show(incident.title, TITLE_CHARACTERS),
        status=incident.status.value,
        severity=int(incident.severity),
        created_at=incident.created_at,
        updated_at=incident.updated_at,
        first_seen_at=incident.first_seen_at,
        last_seen_at=incident.last_seen_at,
        n_alerts=incident.n_alerts,
        n_detections=incident.n_detections,
        techniques=incident.techniques,
        tactics=incident.tactics,
        entities=entity_views(incident.entities[:n_entities]),
        closed_why=show(incident.closed_why, 600),
        merged_into=incident.merged_into,
        confidence=incident.confidence,
        owner=show(incident.owner),
        stage=incident.stage.value,
        n_sources=n_sources(incident),
    )


def timeline(alerts: Sequence[Alert]) -> list[TimelineStep]:
    """Each alert once, under the first of its tactics."""
    order = {tactic: place for place, tactic in enumerate(TACTICS)}
    steps = [
        TimelineStep(
            tactic=alert.tactics[0] if alert.tactics else "",
            at=alert.first_seen_at,
            alert_id=alert.id,
            title=show(alert.title, TITLE_CHARACTERS),
            severity=int(alert.severity),
        )
        for alert in alerts
    ]
    return sorted(steps, key=lambda step: (order.get(step.tactic, len(order)), step.at, step.alert_id))


def crossing_view(crossing: Crossing, names: Mapping[str, str]) -> CrossingView:
    """A row."""
    told = told_by(crossing.content)
    return CrossingView(
        id=crossing.id,
        ally=named(crossing.ally, names),
        agreement=show(crossing.agreement),
        direction=crossing.direction.value,
        state=crossing.state.value,
        object_id=show(crossing.object_id),
        object_type=show(crossing.object_type),
        version=show(crossing.version),
        title=show(told.title, TITLE_CHARACTERS),
        n_seen=told.n_seen,
        clause=show(crossing.clause),
        marking=_marking(crossing.marking),
        changes=[FieldView(name=show(path), value=show(what)) for path, what in crossing.changes[:FIELDS_SHOWN]],
        why=show(crossing.why, TITLE_CHARACTERS),
        created_at=crossing.created_at,
        decided_by=show(crossing.decided_by),
        n_tries=crossing.n_tries,
        next_try_at=crossing.next_try_at,
        delivered_at=crossing.delivered_at,
        n_bytes=len(crossing.content),
        wants=tuple(show(role) for role in crossing.wants),
        n_wanted=crossing.n_wanted,
        consents=tuple(show(one.person) for one in crossing.consents),
        ours=show(crossing.ours),
    )


def _marking(marking: str) -> str:
    tlp = tlp_of_marking(marking)
    tlp = tlp_of_word(marking) if tlp is None else tlp
    return show(marking) if tlp is None else tlp.word

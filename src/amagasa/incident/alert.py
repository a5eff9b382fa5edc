"""Alert and incident: what a person reads."""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity
from amagasa.vocab.severity import Severity


class Alert(Struct, frozen=True, kw_only=True):
    """Detections folded for a person: same content, same subject, near in time.

    `id` is stable: made from `key` and the first detection's source and record. `examples` are the first five.
    `origin` is "" for content of our own, else the party whose rule or indicator found it.
    """

    id: str
    key: str
    content_id: str
    is_indicator: bool
    title: str
    severity: Severity
    confidence: int
    origin: str
    source: str
    first_seen_at: datetime
    last_seen_at: datetime
    created_at: datetime
    updated_at: datetime
    n_detections: int
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    entities: tuple[Entity, ...]
    examples: tuple[Detection, ...]
    incident_id: str | None = None


class Stage(StrEnum):
    """How far the work on an incident is (NIST SP 800-61r3; see `incident.case`)."""

    DETECTED = "detected"
    TRIAGE = "triage"
    ANALYSIS = "analysis"
    CONTAINMENT = "containment"
    ERADICATION = "eradication"
    RECOVERY = "recovery"
    LESSONS = "lessons"


class Status(StrEnum):
    """Whether an incident is to be looked at."""

    OPEN = "open"
    CLOSED = "closed"


class Incident(Struct, frozen=True, kw_only=True):
    """Alerts which belong together: linked by shared entities within the grouping window.

    `why` says in one sentence, for each alert identifier, why it is here; `n_by_alert` how many detections each has
    (their sum is `n_detections`). `links` are what further alerts join by (`incident.links`). A closed incident says
    why in `closed_why`; one that turned out to be part of another names it in `merged_into`. `by_source` tells, while
    the incident is of medium severity or less, which alerts each source address has, should one of them turn out to
    be more than noise (`incident.swarm`). What a person decided: `apart` are incidents which this one is never made
    one with, `pins` are links (`links.pin_of`) of alerts which follow here,
    and `owner` and `stage` say how the work on it stands (`incident.case`), `assessed` what was chosen for its score
    (category -> option, `incident.score`). `confidence` is that of its surest alert.
    """

    id: str
    title: str
    status: Status
    severity: Severity
    created_at: datetime
    updated_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    n_alerts: int
    n_detections: int
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    entities: tuple[Entity, ...]
    why: dict[str, str]
    n_by_alert: dict[str, int] = msgspec.field(default_factory=dict)
    links: tuple[str, ...] = ()
    closed_why: str = ""
    merged_into: str | None = None
    by_source: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    apart: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    confidence: int = 0
    assessed: dict[str, str] = msgspec.field(default_factory=dict)
    owner: str = ""
    stage: Stage = Stage.DETECTED

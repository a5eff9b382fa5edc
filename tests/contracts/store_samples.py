"""Values for the store's tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from amagasa.app.ports import Crossing, CrossingState, Dead, Direction, StoredObject
from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.vocab.severity import Level, Severity

T0 = datetime(2026, 11, 23, 4, 5, 6, 789_012, tzinfo=UTC)
SCANNER = Entity(kind=EntityKind.SOURCE_ADDRESS, value="203.0.113.9")


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def detection(**changes: Any) -> Detection:
    plain = Detection(
        rule_id="5f0c6f6e-0a6b-4b52-8f2e-6a0f1b0e7c11",
        title="Path traversal",
        level=Level.HIGH,
        path="/var/log/nginx/access.log",
        record=7,
        event_at=T0,
        techniques=("T1190",),
        tactics=("initial-access",),
        fields={"cs-uri-stem": "/../../etc/passwd"},
        event={"cs-uri-stem": "/../../etc/passwd", "sc-status": 404, "cs-referer": None},
        entities=(SCANNER,),
        raw="203.0.113.9 - - ...",
    )
    return replace(plain, **changes)


def alert(number: int = 1, **changes: Any) -> Alert:
    plain = Alert(
        id=f"alert--{number:06d}",
        key=f"key--{number:06d}",
        content_id="5f0c6f6e-0a6b-4b52-8f2e-6a0f1b0e7c11",
        is_indicator=False,
        title="Path traversal",
        severity=Severity.HIGH,
        confidence=70,
        origin="",
        source="web",
        first_seen_at=T0,
        last_seen_at=T0,
        created_at=T0,
        updated_at=after(number),
        n_detections=1,
        techniques=("T1190",),
        tactics=("initial-access",),
        entities=(SCANNER,),
        examples=(detection(),),
    )
    return replace(plain, **changes)


def incident(number: int = 1, **changes: Any) -> Incident:
    plain = Incident(
        id=f"incident--{number:06d}",
        title="Path traversal from 203.0.113.9",
        status=Status.OPEN,
        severity=Severity.HIGH,
        created_at=T0,
        updated_at=after(number),
        first_seen_at=T0,
        last_seen_at=T0,
        n_alerts=1,
        n_detections=1,
        techniques=("T1190",),
        tactics=("initial-access",),
        entities=(SCANNER,),
        why={"alert--000001": "opened it: severity high"},
        n_by_alert={"alert--000001": 1},
        links=("source-address 203.0.113.9",),
    )
    return replace(plain, **changes)


def crossing(number: int = 1, **changes: Any) -> Crossing:
    plain = Crossing(
        ally="identity--us",
        agreement="agreement--1",
        direction=Direction.OUT,
        state=CrossingState.PENDING,
        object_id=f"sighting--{number:06d}",
        object_type="sighting",
        version="2026-11-23T04:05:06.789Z",
        clause="s1",
        marking="amber",
        content=b'{"type":"sighting"}',
        changes=(("description", "stripped"),),
        created_at=after(number),
    )
    return replace(plain, **changes)


def dead(number: int = 1, **changes: Any) -> Dead:
    return replace(Dead(source="web", path="access.log", record=number, why="no such line", at=T0), **changes)


def stored(number: int = 1, **changes: Any) -> StoredObject:
    plain = StoredObject(
        id=f"indicator--{number:06d}",
        version="2026-11-23T04:05:06.789Z",
        type="indicator",
        origin="",
        body=b'{"type":"indicator"}',
        added_at=T0,
    )
    return replace(plain, **changes)

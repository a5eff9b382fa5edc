"""Detections and entities for the tests of this room."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.incident.fold import fold
from amagasa.vocab.severity import Level

START = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
# When the records are read: after all that happens in the tests.
NOW = START + timedelta(hours=12)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def address(value: str) -> Entity:
    return Entity(kind=EntityKind.SOURCE_ADDRESS, value=value)


def host(value: str) -> Entity:
    return Entity(kind=EntityKind.HOST, value=value)


def user(value: str) -> Entity:
    return Entity(kind=EntityKind.USER, value=value)


def found(minutes: float = 0, *entities: Entity, rule: str = "r1", **changes: Any) -> Detection:
    plain = Detection(
        rule_id=rule,
        title=f"Rule {rule}",
        level=Level.HIGH,
        path="/var/log/access.log",
        record=int(minutes * 60) + 100_000,
        event_at=at(minutes),
        techniques=("T1190",),
        tactics=("initial-access",),
        fields={"cs-uri-query": "id=1%27"},
        event={},
        entities=entities,
    )
    return replace(plain, **changes)


def alert(minutes: float = 0, *entities: Entity, n: int = 1, rule: str = "r1", **changes: Any) -> Alert:
    """The alert of `n` detections at one instant."""
    (made,) = fold([found(minutes, *entities, rule=rule, **changes)] * n, [], source="web", now=NOW)
    return made


ENTITIES = st.lists(
    st.sampled_from(
        [address("203.0.113.9"), address("198.51.100.7"), host("web01"), host("ws-07"), user("bob"), user("eve")]
    ),
    max_size=4,
    unique=True,
).map(lambda chosen: tuple(sorted(chosen)))

DETECTIONS = st.builds(
    lambda minutes, entities, rule, level, record, timed: found(
        minutes, *entities, rule=rule, level=level, record=record, **({} if timed else {"event_at": None})
    ),
    st.integers(-3000, 0),
    ENTITIES,
    st.sampled_from(["r1", "r2", "r3"]),
    st.sampled_from(Level),
    st.integers(1, 10_000),
    st.booleans(),
)

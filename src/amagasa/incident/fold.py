"""Detections -> alerts: the same content about the same subject, near in time, is one line for a person to read.

Time is the event's own where the record carries it, so that the log of last March folds as it happened and not as it
was read; a record without an instant, or with one from the future, happened when it was read. Only the clock of a
machine may run ahead a little (`CLOCK_SKEW`): an event of the year 2099 must not hold an alert open until then. An
instant before 1970 is what programs write who know none (0001-01-01, 1601-01-01). Where this machine's own clock was
set back, the future begins beyond the furthest that it ever stood (`stood_at`): else a record which a sender sends
again would be a second alert, seen at another time.

An alert grows while a detection comes within `FOLD_WINDOW` of its span. Within a call detections are taken in the
order of time, path and record, so the order in which they are handed in makes no difference; and folding a log chunk
by chunk gives the same alerts as folding it at once, as long as the chunks come in the order of time. Two alerts
once made are never made one: a late record between them joins the newer. What a correlation tells again of the same
episode takes the place of what it told before, and counts once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from amagasa.detect.report import Detection, Together
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.incident.evidence import kept
from amagasa.incident.subject import subject_of
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

FOLD_WINDOW: Final = timedelta(minutes=15)
CLOCK_SKEW: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Evidence enough to judge by; the rest is in the log, and each carries a whole event.
EXAMPLES: Final = 5
# Of one kind in one alert: a scanner asks for thousands of addresses, and the first tell as much as all.
ENTITIES_OF_A_KIND: Final = 32
# How sure we are, out of 100: a rule speaks of behaviour that was seen; an indicator says itself, or only half.
RULE_CONFIDENCE: Final = 70
INDICATOR_CONFIDENCE: Final = 50


def key_of(detection: Detection, source: str) -> str:
    """What folds together: content, the party it came from, and the subject. Of fixed length, whatever the log says."""
    subject = subject_of(detection, source)
    return stable_id("fold", detection.content_id, detection.origin, subject.kind, *subject.parts)


def seen_at(detection: Detection, now: datetime, stood_at: datetime | None = None) -> datetime:
    """When it happened, as far as the record can be believed."""
    at = detection.event_at
    latest = now if stood_at is None else max(now, stood_at)
    return at if at is not None and EARLIEST <= at <= latest + CLOCK_SKEW else now


def fold(
    detections: Sequence[Detection],
    recent: Sequence[Alert],
    *,
    source: str,
    now: datetime,
    stood_at: datetime | None = None,
) -> tuple[Alert, ...]:
    """The alerts that are new or have grown, by first sight.

    `recent` are the stored alerts of these keys whose span comes within `FOLD_WINDOW` of the detections; those which
    did not grow do not come back. `now` is when the records were read, `stood_at` the furthest that this clock ever
    stood. An alert's id is made of its key and of its first detection (source, path, record
    and instant: a rotated log counts its records from 1 again), so folding the same input again gives the same ids.
    """
    growing: dict[str, list[_Growing]] = {}
    for alert in sorted(recent, key=lambda one: (one.last_seen_at, one.id)):
        growing.setdefault(alert.key, []).append(_Growing(alert))
    for detection in sorted(detections, key=lambda one: (seen_at(one, now, stood_at), one.path, one.record)):
        key = key_of(detection, source)
        at = seen_at(detection, now, stood_at)
        alerts = growing.setdefault(key, [])
        home = next((alert for alert in reversed(alerts) if alert.reaches(at)), None)
        if home is None:
            home = _Growing(_opened(detection, key, source=source, at=at, now=now))
            alerts.append(home)
        home.take(detection, at)
    grown = (alert.finished(now) for alerts in growing.values() for alert in alerts if alert.has_grown)
    return tuple(sorted(grown, key=lambda alert: (alert.first_seen_at, alert.id)))


class _Growing:
    """An alert while detections are added to it: values are put together once, at the end."""

    def __init__(self, alert: Alert) -> None:
        self._alert = alert
        self._first = alert.first_seen_at
        self._last = alert.last_seen_at
        self._new: list[Detection] = []

    @property
    def has_grown(self) -> bool:
        return bool(self._new)

    def reaches(self, at: datetime) -> bool:
        return self._first - FOLD_WINDOW <= at <= self._last + FOLD_WINDOW

    def take(self, detection: Detection, at: datetime) -> None:
        together = detection.together
        self._first = min(self._first, at if together is None else min(at, together.first_at))
        self._last = max(self._last, at if together is None else together.last_at)
        self._new.append(detection)

    def finished(self, now: datetime) -> Alert:
        alert, new = self._alert, self._new
        return replace(
            alert,
            severity=max(alert.severity, *(detection.level.severity for detection in new)),
            confidence=max(alert.confidence, *(_confidence_of(detection) for detection in new)),
            first_seen_at=self._first,
            last_seen_at=self._last,
            updated_at=max(now, alert.updated_at),
            n_detections=max(1, alert.n_detections + sum(map(_counts_as, new))),
            techniques=_joined(alert.techniques, (detection.techniques for detection in new)),
            tactics=_joined(alert.tactics, (detection.tactics for detection in new)),
            entities=bounded(alert.entities, (entity for detection in new for entity in detection.entities)),
            examples=_examples(alert.examples, new),
        )


def bounded(held: Iterable[Entity], more: Iterable[Entity], limit: int = ENTITIES_OF_A_KIND) -> tuple[Entity, ...]:
    """Both, each once, in the order of first sight, and of each kind the first `limit`."""
    joined = dict.fromkeys(held)
    counts: Counter[EntityKind] = Counter(entity.kind for entity in joined)
    for entity in more:
        if counts[entity.kind] < limit and entity not in joined:
            joined[entity] = None
            counts[entity.kind] += 1
    return tuple(joined)


def _counts_as(detection: Detection) -> int:
    """How many detections more: an episode that is told again is no further one, two that became one are one less."""
    return 1 if detection.together is None else 1 - detection.together.n_replaced


def _examples(held: tuple[Detection, ...], new: Sequence[Detection]) -> tuple[Detection, ...]:
    """The first few; of what correlations tell again the latest word, in the place of the one before."""
    examples = list(held)
    for detection in new:
        if detection.together is None:
            if len(examples) < EXAMPLES:
                examples.append(kept(detection))
            continue
        same = [place for place, one in enumerate(examples) if _is_told_again(one, detection)]
        for place in reversed(same):
            del examples[place]
        examples.insert(min(same[0] if same else len(examples), EXAMPLES - 1), kept(detection))
    return tuple(examples[:EXAMPLES])


def _is_told_again(old: Detection, new: Detection) -> bool:
    """Whether both are of one episode: of one group and nearer to each other than its timespan."""
    first, second = old.together, new.together
    if first is None or second is None or old.event_at is None or new.event_at is None:
        return False
    span = timedelta(seconds=second.timespan_s)
    is_near = old.event_at <= second.last_at + span and new.event_at <= first.last_at + span
    return is_near and old.content_id == new.content_id and _group_of(first) == _group_of(second)


def _group_of(together: Together) -> list[str]:
    return [value.casefold() for _, value in together.group]


def _opened(detection: Detection, key: str, *, source: str, at: datetime, now: datetime) -> Alert:
    """The alert before its first detection is counted."""
    return Alert(
        id=stable_id("alert", key, source, detection.path, str(detection.record), to_rfc3339(at)),
        key=key,
        content_id=detection.content_id,
        is_indicator=detection.indicator_id is not None,
        title=show(detection.title),
        severity=detection.level.severity,
        confidence=_confidence_of(detection),
        origin=detection.origin,
        source=source,
        first_seen_at=at,
        last_seen_at=at,
        created_at=now,
        updated_at=now,
        n_detections=0,
        techniques=(),
        tactics=(),
        entities=(),
        examples=(),
    )


def _confidence_of(detection: Detection) -> int:
    if detection.confidence is not None:
        return detection.confidence
    return INDICATOR_CONFIDENCE if detection.indicator_id is not None else RULE_CONFIDENCE


def _joined(held: tuple[str, ...], more: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    joined = dict.fromkeys(held)
    for names in more:
        joined |= dict.fromkeys(names)
    return tuple(joined)

"""How well each source is read: its rhythm and the silence alarm, its clock, what waits to be read.

Kept beside the positions, one value a source, committed once a minute. Only minutes in which the node looked count:
its own sleep is no source's silence.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.casework import Asked, do
from amagasa.app.permissions import NODE
from amagasa.app.ports import Reading, Store, Writing
from amagasa.app.watch import Recorded, record_silence
from amagasa.app.worker_messages import Batch
from amagasa.detect.baseline.rhythm import Rhythm
from amagasa.detect.report import Detection
from amagasa.event.skew import Sample, Skew, skew_of, with_sample
from amagasa.incident.alert import Status
from amagasa.incident.case import DeedKind
from amagasa.incident.fold import key_of
from amagasa.vocab.errors import WorldError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.severity import Level

SILENCE: Final = "source-silence"
_KEY: Final = "health:"
_MINUTE_S: Final = 60
ENDED: Final = "records come again"


class Health(Struct, kw_only=True):
    """Of one source.

    `n_behind` messages wait at its broker. `is_told`: an alert of the present silence is committed; `alarm_at`: when
    there would be one.
    """

    rhythm: Rhythm = msgspec.field(default_factory=Rhythm)
    last_at: datetime | None = None
    lag_bytes: int = 0
    n_behind: int = 0
    samples: tuple[Sample, ...] = ()
    is_told: bool = False
    alarm_at: datetime | None = None

    @property
    def skew(self) -> Skew:
        """What is known of its clock."""
        return skew_of(self.samples)


def health_in(reading: Reading, source: str) -> Health:
    """As it was last committed; a fresh one where nothing was, or where another version wrote it."""
    held = reading.meta(_KEY + source)
    if held is None:
        return Health()
    try:
        return msgspec.json.decode(held, type=Health)
    except msgspec.MsgspecError:
        return Health()


class Ticked(Struct, frozen=True, kw_only=True):
    """What the end of a minute brought; `ended` are incidents of silences that are over."""

    recorded: Recorded
    ended: tuple[str, ...]


class SourceHealth:
    """Of all sources of a running node: whether each is to be alarmed of, by name. Thread-safe."""

    def __init__(self, store: Store, sources: Mapping[str, bool], *, now: datetime) -> None:
        self._store = store
        self._is_wanted = dict(sources)
        self._lock = threading.Lock()
        self._spoke: set[str] = set()
        self._minute = int(now.timestamp()) // _MINUTE_S
        self._is_whole = False  # a minute that was not looked at from its start counts for nothing
        with store.read() as reading:
            self._held = {source: health_in(reading, source) for source in sources}

    def note(self, batch: Batch, *, now: datetime) -> None:
        """A batch came: what it says of its source."""
        with self._lock:
            health = self._held.get(batch.source)
            if health is None or batch.again:
                return
            health.lag_bytes = batch.lag_bytes
            if batch.ahead_s is not None:
                health.samples = with_sample(health.samples, Sample(at=now, ahead_s=batch.ahead_s))
            if batch.n_read:
                health.last_at = now
                self._spoke.add(batch.source)

    def note_behind(self, source: str, n_behind: int) -> None:
        """How many messages wait at its broker."""
        with self._lock:
            if source in self._held:
                self._held[source].n_behind = n_behind

    def tick(self, *, now: datetime, is_looking: bool) -> Ticked | None:
        """Once a second. At the end of a minute: what was learnt of it, silences that begin, silences that end.

        None where nothing changed. Raises WorldError where it cannot be committed: then it is tried again.
        """
        minute = int(now.timestamp()) // _MINUTE_S
        if not is_looking:
            self._is_whole = False
        if minute == self._minute:
            return None
        with self._lock:
            if self._is_whole and minute == self._minute + 1:
                for source, health in self._held.items():
                    health.rhythm.take(self._minute, has_records=source in self._spoke)
                    left = health.rhythm.minutes_left()
                    health.alarm_at = None if left is None else _instant(health.rhythm.minute + 1 + left)
            self._spoke.clear()
            self._minute, self._is_whole = minute, is_looking
            return self._settle(now)

    def _settle(self, now: datetime) -> Ticked:
        over = [one for one, health in self._held.items() if health.is_told and not health.rhythm.is_alarmed]
        ended = [_end(self._store, source, now=now) for source in over]
        fallen = [one for one, health in self._held.items() if health.rhythm.is_alarmed and not health.is_told]
        fallen = [one for one in fallen if self._is_wanted[one]]
        self._mark(over, is_told=False)
        self._mark(fallen, is_told=True)
        found = {source: [silence_of(source, self._held[source], now=now)] for source in fallen}
        try:
            recorded = record_silence(self._store, found, self._save, now=now)
        except WorldError:
            self._mark(over, is_told=True)
            self._mark(fallen, is_told=False)
            raise
        return Ticked(recorded=recorded, ended=tuple(one for one in ended if one is not None))

    def _mark(self, sources: Sequence[str], *, is_told: bool) -> None:
        for source in sources:
            self._held[source].is_told = is_told

    def _save(self, tx: Writing) -> None:
        for source, health in self._held.items():
            tx.save_meta(_KEY + source, msgspec.json.encode(health).decode())


def silence_of(source: str, health: Health, *, now: datetime) -> Detection:
    """A silence against the source's own rhythm, as a detection."""
    rhythm = health.rhythm
    since = _instant(rhythm.minute - rhythm.n_silent + 1)
    longest = max((length for _, _, length in rhythm.gaps), default=0)
    fields: dict[str, Any] = {
        "source": source,
        "silent_since": to_rfc3339(since),
        "silent_minutes": rhythm.n_silent,
        "longest_silence_minutes": longest,
        "last_record_at": "" if health.last_at is None else to_rfc3339(health.last_at),
    }
    return Detection(
        rule_id=SILENCE,
        title="A source fell silent against its own rhythm",
        level=Level.MEDIUM,
        path=source,
        record=0,
        event_at=now,
        fields=fields,
        event=fields,
    )


def _end(store: Store, source: str, *, now: datetime) -> str | None:
    """Records come again: an incident of this alone which nobody took up is closed, another gets a note."""
    key = key_of(silence_of(source, Health(), now=now), source)
    with store.read() as reading:
        alerts = reading.alerts_by_key([key], since=now - timedelta(days=365))
        incident = reading.incident(alerts[0].incident_id) if alerts and alerts[0].incident_id else None
    if incident is None or incident.status is not Status.OPEN:
        return None
    is_alone = incident.n_alerts == 1 and not incident.owner
    text = f"{source}: {ENDED}"
    do(store, NODE, incident.id, Asked(kind=DeedKind.CLOSE if is_alone else DeedKind.NOTE, text=text), now=now)
    return incident.id


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * _MINUTE_S, UTC)

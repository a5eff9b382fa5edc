"""The silence alarm on a real store: told once, over by itself, through restarts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.casework import Asked, do
from amagasa.app.pages import Page
from amagasa.app.permissions import NODE
from amagasa.app.ports import Store
from amagasa.app.source_health import SILENCE, Health, SourceHealth, Ticked, health_in
from amagasa.app.worker_messages import Batch
from amagasa.detect.baseline.rhythm import Rhythm
from amagasa.event.skew import ClockState, Sample
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import DeedKind
from amagasa.vocab.errors import WorldError

BEGIN = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
BATCH = Batch(
    source="web",
    token={},
    n_read=1,
    n_accepted=1,
    n_rejected=0,
    rejects=(),
    detections=(),
    faults=(),
    last_record_at=None,
    lag_bytes=0,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = open_store(tmp_path / "node.sqlite")
    yield found
    found.close()


class Run:
    """A node's minutes, one after the other."""

    def __init__(self, store: Store, *, at: datetime = BEGIN, is_wanted: bool = True) -> None:
        self.store = store
        self.at = at
        self.health = SourceHealth(store, {"web": is_wanted}, now=at)

    def minutes(self, n: int, *, speaks: bool, is_looking: bool = True) -> list[Ticked]:
        found = []
        for _ in range(n):
            if speaks:
                self.health.note(replace(BATCH, ahead_s=-0.2), now=self.at)
            self.at += timedelta(minutes=1)
            ticked = self.health.tick(now=self.at, is_looking=is_looking)
            found += [ticked] if ticked is not None and (ticked.recorded.alerts or ticked.ended) else []
        return found


def learnt(store: Store, *, is_wanted: bool = True) -> Run:
    """A node whose source spoke in each of the minutes of 26 hours before."""
    at = BEGIN + timedelta(hours=26)
    minute = int(at.timestamp()) // 60
    rhythm = Rhythm()
    for one in range(minute - 26 * 60, minute):
        rhythm.take(one, has_records=True)
    samples = tuple(Sample(at=at - timedelta(minutes=9 - n), ahead_s=-0.2) for n in range(9))
    with store.write() as tx:
        tx.save_meta("health:web", msgspec.json.encode(Health(rhythm=rhythm, samples=samples)).decode())
    run = Run(store, at=at, is_wanted=is_wanted)
    assert run.minutes(2, speaks=True) == []
    return run


def incidents(store: Store) -> list[Incident]:
    with store.read() as reading:
        return reading.incidents(Page())[0]


def test_source_that_falls_silent_is_one_alert_that_says_since_when(store: Store) -> None:
    run = learnt(store)
    (told,) = run.minutes(12, speaks=False)
    (alert,) = told.recorded.alerts
    assert (alert.content_id, alert.source) == (SILENCE, "web")
    assert alert.examples[0].fields["silent_since"] == "2026-11-03T02:02:00.000Z"
    (incident,) = incidents(store)
    assert incident.status is Status.OPEN


def test_silence_that_ends_closes_its_incident_by_itself(store: Store) -> None:
    run = learnt(store)
    run.minutes(12, speaks=False)
    (over,) = run.minutes(5, speaks=True)
    (incident,) = incidents(store)
    assert over.ended == (incident.id,)
    assert (incident.status, incident.closed_why) == (Status.CLOSED, "node: web: records come again")


def test_silence_that_somebody_took_up_is_not_closed_but_noted(store: Store) -> None:
    run = learnt(store)
    run.minutes(12, speaks=False)
    (incident,) = incidents(store)
    do(store, NODE, incident.id, Asked(kind=DeedKind.OWNER, text="sato"), now=run.at)
    run.minutes(5, speaks=True)
    (incident,) = incidents(store)
    with store.read() as reading:
        notes = [deed.text for deed in reading.cases.deeds_of(incident.id) if deed.kind is DeedKind.NOTE]
    assert (incident.status, notes) == (Status.OPEN, ["web: records come again"])


def test_silence_over_a_restart_is_told_once_and_ends_after_it(store: Store) -> None:
    run = learnt(store)
    assert len(run.minutes(12, speaks=False)) == 1
    again = Run(store, at=run.at + timedelta(hours=3))
    assert again.minutes(12, speaks=False) == []
    (over,) = again.minutes(3, speaks=True)
    assert len(over.ended) == 1


def test_minutes_in_which_the_node_did_not_look_are_no_silence(store: Store) -> None:
    run = learnt(store)
    assert run.minutes(60, speaks=False, is_looking=False) == []
    run.at += timedelta(days=2)  # asleep
    assert run.minutes(2, speaks=False) == []


def test_silence_that_is_not_wanted_is_shown_and_not_alarmed_of(store: Store) -> None:
    run = learnt(store, is_wanted=False)
    assert run.minutes(12, speaks=False) == []
    with store.read() as reading:
        assert health_in(reading, "web").rhythm.is_alarmed


def test_silence_that_could_not_be_committed_is_told_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = learnt(store)

    def full(*_: object, **__: object) -> None:
        message = "AMG-STORE-FULL"
        raise WorldError(message, "the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("amagasa.app.source_health.record_silence", full)
        for _ in range(9):
            run.at += timedelta(minutes=1)
            with pytest.raises(WorldError):
                run.health.tick(now=run.at, is_looking=True)
    assert incidents(store) == []
    assert len(run.minutes(2, speaks=False)) == 1


def test_silence_that_comes_again_opens_its_incident_or_another(store: Store) -> None:
    run = learnt(store)
    run.minutes(12, speaks=False)
    run.minutes(4, speaks=True)
    assert len(run.minutes(60, speaks=False)) == 1
    assert [one.status for one in incidents(store)].count(Status.OPEN) == 1


def test_clock_of_a_source_is_known_from_its_newest_records(store: Store) -> None:
    learnt(store)
    with store.read() as reading:
        assert health_in(reading, "web").skew.state is ClockState.RIGHT


def test_health_that_another_version_wrote_begins_anew(store: Store) -> None:
    with store.write() as tx:
        tx.save_meta("health:web", '{"rhythm": 7}')
    with store.read() as reading:
        assert health_in(reading, "web").rhythm.is_learning

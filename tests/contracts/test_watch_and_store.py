"""Folding, grouping and storing together: what a watch leaves in the store holds together, whatever comes."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import Crossing, Store, Writing
from amagasa.app.watch import LOST, record_batch, record_state
from amagasa.app.worker_messages import Batch, SourceState
from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from tests.incident.samples import DETECTIONS, NOW, address, found

# One hash in the evidence of alerts of different addresses: what merges incidents.
SHARED = Entity(kind=EntityKind.HASH, value="cd" * 32)
MERGING = DETECTIONS.map(lambda one: replace(one, fields={"h": "cd" * 32}, entities=(*one.entities, SHARED)))


@contextmanager
def opened() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "state.sqlite")
        yield store
        store.close()


def silent(tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: object) -> tuple[Crossing, ...]:
    return ()


def batch_of(detections: Sequence[Detection], number: int) -> Batch:
    return Batch(
        source="web",
        token={"offset": number},
        n_read=len(detections),
        n_accepted=len(detections),
        n_rejected=0,
        rejects=(),
        detections=tuple(detections),
        faults=(),
        last_record_at=None,
        lag_bytes=0,
    )


def check(store: Store, detections: Sequence[Detection]) -> None:
    with store.read() as read:
        alerts, _ = read.alerts(Page(limit=500))
        incidents, _ = read.incidents(Page(limit=500))
        assert sum(one.n_detections for one in alerts) == len(detections)
        assert read.n_alerts() == len(alerts)
        assert read.n_by_status() == {status: sum(one.status is status for one in incidents) for status in Status}
        for incident in incidents:
            inside, _ = read.alerts(Page(limit=500), incident_id=incident.id)
            assert incident.n_by_alert == {one.id: one.n_detections for one in inside}
            assert set(incident.why) == set(incident.n_by_alert)
            assert (incident.n_alerts, incident.n_detections) == (len(inside), sum(one.n_detections for one in inside))
            assert incident.merged_into is None or (not inside and incident.status is Status.CLOSED)
        expected = Counter(name for one in detections for name in one.techniques)
        assert {name: n for name, _, n in read.techniques_seen()} == expected
    assert store.check() == ()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(DETECTIONS | MERGING, max_size=8), max_size=6))
def test_watch_of_any_batches_leaves_a_store_that_holds_together(batches: list[list[Detection]]) -> None:
    with opened() as store:
        for number, detections in enumerate(batches):
            record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(minutes=number))
        check(store, [one for detections in batches for one in detections])


@pytest.mark.parametrize("at", [datetime.min, datetime.max, datetime(1601, 1, 1), datetime(1970, 1, 1)])  # noqa: DTZ001, DTZ901
def test_watch_of_an_impossible_instant_goes_on(at: datetime) -> None:
    detections = [found(0, address("203.0.113.9"), event_at=at.replace(tzinfo=UTC), record=n) for n in range(3)]
    with opened() as store:
        for number in range(2):
            record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(minutes=number))
        check(store, detections * 2)
        with store.read() as read:
            assert read.n_alerts() == 1


def test_watch_of_a_record_sent_again_after_the_clock_was_set_back_is_one_alert() -> None:
    # Syslog acknowledges nothing: a sender whose line broke sends the record again, as another record of the spool.
    first, again = (found(0, address("203.0.113.9"), event_at=NOW, record=n) for n in (1, 2))
    with opened() as store:
        record_batch(store, batch_of((), 0), silent, now=NOW)
        record_batch(store, batch_of((first,), 1), silent, now=NOW - timedelta(days=2))
        record_batch(store, batch_of((again,), 2), silent, now=NOW + timedelta(minutes=1))
        check(store, [first, again])
        with store.read() as read:
            (alert,) = read.alerts(Page())[0]
    assert (alert.first_seen_at, alert.last_seen_at, alert.n_detections) == (NOW, NOW, 2)


def test_watch_of_a_time_beyond_all_that_the_clock_ever_stood_is_now() -> None:
    early = NOW - timedelta(days=2)
    with opened() as store:
        record_batch(store, batch_of((), 0), silent, now=NOW)
        future = found(0, address("203.0.113.9"), event_at=NOW + timedelta(days=1))
        record_batch(store, batch_of((future,), 1), silent, now=early)
        with store.read() as read:
            assert [one.first_seen_at for one in read.alerts(Page())[0]] == [early]


def test_watch_of_a_scanner_in_many_batches_is_one_incident() -> None:
    with opened() as store:
        for number in range(20):
            detections = [
                found(number, address("203.0.113.9"), rule=f"r{n % 30}", record=number * 100 + n) for n in range(100)
            ]
            record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(seconds=number))
        with store.read() as read:
            (incident,) = read.incidents(Page())[0]
            assert (incident.n_alerts, incident.n_detections, read.n_alerts()) == (30, 2000, 30)


def test_watch_of_thousands_of_attackers_on_one_host_stays_apart_and_quick() -> None:
    web = Entity(kind=EntityKind.HOST, value="web01")
    with opened() as store:
        for number in range(10):
            detections = [
                found(number, address(f"198.51.{number}.{n}"), web, rule="r1", record=number * 200 + n)
                for n in range(200)
            ]
            record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(seconds=number))
        with store.read() as read:
            assert read.n_by_status()[Status.OPEN] == 2000


def test_fault_of_a_source_stays_until_it_is_said_to_be_over() -> None:
    with opened() as store:
        record_state(store, SourceState(source="web", fault="forbidden [X]", lag_bytes=0), now=NOW)
        record_batch(store, batch_of((), 1), silent, now=NOW)
        with store.read() as read:
            assert [(one.fault, one.token) for one in read.positions()] == [("forbidden [X]", {"offset": 1})]
        record_state(store, SourceState(source="web", fault="", lag_bytes=0), now=NOW)
        with store.read() as read:
            assert [one.fault for one in read.positions()] == [""]


def test_records_that_were_lost_stay_among_the_rejects() -> None:
    with opened() as store:
        record_state(store, SourceState(source="web", fault=f"12 bytes are gone [{LOST}]", lag_bytes=0), now=NOW)
        record_state(store, SourceState(source="web", fault="", lag_bytes=0), now=NOW)
        with store.read() as read:
            assert [one.why for one in read.dead(Page())] == [f"12 bytes are gone [{LOST}]"]

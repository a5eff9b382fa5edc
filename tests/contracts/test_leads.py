"""Leads in the store: what one list says waits there until something that stands speaks of the same."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.adapters.store import leads as module
from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import Store
from amagasa.app.watch import record_batch
from amagasa.detect.report import Detection, Standing
from amagasa.incident.alert import Alert
from amagasa.incident.lead import CORROBORATION
from amagasa.vocab.severity import Level
from tests.contracts.store_samples import T0, after, alert, detection
from tests.contracts.test_watch_and_store import batch_of, opened, silent
from tests.incident.samples import DETECTIONS, NOW, address, found

PAGE: Final = Page(limit=500)
ONE, OTHER = address("198.51.100.7"), address("198.51.100.8")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "state.sqlite")
    yield made
    made.close()


def listed(record: int, *, entity: Any = ONE, standing: Standing = Standing.ALONE, minutes: float = 0) -> Detection:
    plain = found(record=record, entities=(entity,), event_at=NOW + timedelta(minutes=minutes))
    return replace(plain, rule_id=None, indicator_id="indicator--l", level=Level.LOW, standing=standing)


def seen(record: int, *, entity: Any = ONE, minutes: float = 0) -> Detection:
    return found(record=record, entities=(entity,), event_at=NOW + timedelta(minutes=minutes))


def record(store: Store, *batches: Sequence[Detection]) -> None:
    for number, detections in enumerate(batches):
        record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(hours=9))


def alerts(store: Store) -> list[Alert]:
    with store.read() as read:
        return read.alerts(PAGE)[0]


def kept(store: Store) -> list[Alert]:
    with store.read() as read:
        return read.leads.page(PAGE)[0]


def test_one_list_alone_is_a_lead_and_no_alert(store: Store) -> None:
    record(store, [listed(1), listed(2)], [listed(3)])
    assert alerts(store) == []
    assert [one.n_detections for one in kept(store)] == [3]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_rule_for_the_same_address_raises_the_lead_before_it_or_after_it(store: Store, *, is_first: bool) -> None:
    batches = [[listed(1)], [seen(2, minutes=60)]] if is_first else [[seen(2)], [listed(1, minutes=60)]]
    record(store, *batches)
    assert {one.is_indicator for one in alerts(store)} == {True, False}
    assert len({one.incident_id for one in alerts(store)}) == 1
    assert kept(store) == []


def test_a_rule_in_the_same_batch_raises_the_lead(store: Store) -> None:
    record(store, [listed(1), seen(2)])
    assert len(alerts(store)) == 2
    assert kept(store) == []


def test_a_lead_that_grows_with_the_rule_that_raises_it_is_raised_with_all_it_holds(store: Store) -> None:
    record(store, [listed(1)], [seen(2, minutes=1), listed(3, minutes=1)])
    assert {one.is_indicator: one.n_detections for one in alerts(store)} == {True: 2, False: 1}
    assert kept(store) == []


def test_what_was_raised_grows_as_an_alert(store: Store) -> None:
    record(store, [listed(1), seen(2)], [listed(3)])
    assert {one.is_indicator: one.n_detections for one in alerts(store)} == {True: 2, False: 1}
    assert kept(store) == []


@pytest.mark.parametrize(
    "batches",
    [
        [[listed(1)], [seen(2, entity=OTHER)]],
        [[listed(1)], [seen(2, minutes=CORROBORATION / timedelta(minutes=1) + 1)]],
        [[seen(2)], [listed(1, minutes=CORROBORATION / timedelta(minutes=1) + 1)]],
        [[listed(1)], [replace(listed(2), indicator_id="indicator--m")]],
    ],
)
def test_another_address_another_day_another_list_raise_nothing(store: Store, batches: list[list[Detection]]) -> None:
    record(store, *batches)
    assert all(not one.is_indicator for one in alerts(store))
    assert kept(store)


def test_a_crawler_is_not_raised_by_a_rule(store: Store) -> None:
    record(store, [listed(1, standing=Standing.GUARDED), seen(2)], [listed(3, standing=Standing.GUARDED)])
    assert [one.is_indicator for one in alerts(store)] == [False]
    assert [one.n_detections for one in kept(store)] == [2]


def test_a_report_stands_by_itself(store: Store) -> None:
    record(store, [listed(1, standing=Standing.FULL)])
    assert [one.is_indicator for one in alerts(store)] == [True]


STANDINGS: Final = st.sampled_from(list(Standing))
MIXED: Final = st.tuples(DETECTIONS, STANDINGS).map(
    lambda one: replace(one[0], rule_id=None, indicator_id="indicator--l", standing=one[1])
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(DETECTIONS | MIXED, max_size=6), max_size=5))
def test_every_detection_is_in_one_alert_or_one_lead(batches: list[list[Detection]]) -> None:
    with opened() as store:
        for number, detections in enumerate(batches):
            record_batch(store, batch_of(detections, number), silent, now=NOW + timedelta(minutes=number))
        told, held = alerts(store), kept(store)
        assert sum(one.n_detections for one in (*told, *held)) == sum(map(len, batches))
        assert {one.id for one in told}.isdisjoint(one.id for one in held)
        assert all(one.is_indicator for one in held)
        assert store.check() == ()


def lead(number: int, **changes: Any) -> Alert:
    heard = replace(detection(), rule_id=None, indicator_id="indicator--l", standing=Standing.ALONE)
    return alert(number, is_indicator=True, examples=(heard,), **changes)


def test_leads_beyond_the_limit_forget_the_oldest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_LEADS", 3)
    with store.write() as tx:
        for number in range(1, 6):
            tx.leads.save([lead(number)])
    with store.read() as read:
        assert read.leads.n() == 3
        assert [one.id for one in read.leads.page(PAGE)[0]] == [lead(number).id for number in (5, 4, 3)]
    assert store.check() == ()


def test_leads_page_by_page_are_all_of_them(store: Store) -> None:
    with store.write() as tx:
        tx.leads.save([lead(number) for number in range(7)])
    ids, cursor = [], None
    with store.read() as read:
        while True:
            page, cursor = read.leads.page(Page(limit=3, before=cursor))
            ids += [one.id for one in page]
            if cursor is None:
                break
    assert ids == [lead(number).id for number in reversed(range(7))]


def test_links_spoken_are_found_since_an_instant_and_the_oldest_are_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_LINKS", 3)
    with store.write() as tx:
        tx.leads.speak({"a": T0, "b": after(60)})
        tx.leads.speak({"a": after(120)})
        tx.leads.speak({"a": T0})
    with store.read() as read:
        assert read.leads.spoken(["a", "b", "c"], since=after(90)) == {"a"}
        assert read.leads.spoken(["a", "b", "c"], since=T0) == {"a", "b"}
    with store.write() as tx:
        tx.leads.speak({"c": T0, "d": T0, "e": T0})
    with store.read() as read:
        assert "b" not in read.leads.spoken(["a", "b", "c", "d", "e"], since=T0)


def test_what_was_recorded_says_whether_a_list_spoke_alone(store: Store) -> None:
    told = [record_batch(store, batch_of([one], 1), silent, now=NOW).has_leads for one in (listed(1), seen(2))]
    assert told == [True, False]

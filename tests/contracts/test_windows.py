"""Windows and position: committed together or not at all, and the same after a stop as without one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.open_windows import OpenWindows
from amagasa.app.pages import Page
from amagasa.app.ports import Crossing, Store, Writing
from amagasa.app.watch import record_batch, record_time
from amagasa.app.worker_messages import Batch
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.windows import Loss, Manner
from amagasa.incident.alert import Alert, Incident
from tests.detect.correlation.samples import NOW, count, hit, hits_lists, links_of, outer

LINKS = links_of(outer("x", count()))


class FullError(Exception):
    pass


def silent(tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: object) -> tuple[Crossing, ...]:
    return ()


def full(tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: object) -> tuple[Crossing, ...]:
    raise FullError


def batch_of(hits: Sequence[Hit], number: int, source: str = "auth") -> Batch:
    return Batch(
        source=source,
        token={"offset": number},
        n_read=len(hits),
        n_accepted=len(hits),
        n_rejected=0,
        rejects=(),
        detections=(),
        faults=(),
        last_record_at=None,
        lag_bytes=0,
        hits=tuple(hits),
    )


class Main:
    """A main process that may be stopped at any time and started again."""

    def __init__(self, path: Path, links: Links = LINKS) -> None:
        self.path = path
        self.now = NOW
        self.store: Store = open_store(path)
        self.windows = OpenWindows(self.store, Manner(lateness_s=20), lambda: self.now)
        self.windows.use(links)

    def record(self, hits: Sequence[Hit], number: int, tell: Callable[..., tuple[Crossing, ...]] = silent) -> None:
        record_batch(self.store, batch_of(hits, number), tell, now=self.now, windows=self.windows)

    def tick(self, seconds: float) -> None:
        self.now = NOW + timedelta(seconds=seconds)
        record_time(self.store, self.windows, silent, now=self.now)

    def alerts(self) -> list[tuple[str, int, int, datetime]]:
        with self.store.read() as read:
            found = read.alerts(Page(limit=500))[0]
        return sorted(
            (one.key, one.n_detections, example.together.n_events, one.last_seen_at)
            for one in found
            for example in one.examples
            if example.together is not None
        )


@contextmanager
def main_of(path: Path, links: Links = LINKS) -> Iterator[Main]:
    main = Main(path, links)
    try:
        yield main
    finally:
        main.store.close()


def some(*seconds: float) -> list[Hit]:
    return [hit(one) for one in seconds]


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(hits_lists(), st.lists(st.booleans(), min_size=30, max_size=30))
def test_stops_between_any_batches_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, hits: list[Hit], stops: list[bool]
) -> None:
    folder = tmp_path_factory.mktemp("windows")
    with main_of(folder / "through") as through:
        for number, one in enumerate(hits):
            through.record([one], number)
        through.tick(10_000)
        expected = through.alerts()
    main = Main(folder / "stopped")
    for number, one in enumerate(hits):
        main.record([one], number)
        if stops[number]:
            main.store.close()
            main = Main(folder / "stopped")
    main.tick(10_000)
    assert main.alerts() == expected
    main.store.close()


def test_commit_that_fails_leaves_windows_and_position_and_the_batch_is_judged_alike_again(tmp_path: Path) -> None:
    with main_of(tmp_path / "s") as main:
        main.record(some(0, 1), 1)
        for _ in range(3):
            with pytest.raises(FullError):
                main.record(some(2), 2, tell=full)
        assert main.alerts() == []
        main.record(some(2), 2)
        assert [one[1:3] for one in main.alerts()] == [(1, 3)]
        with main.store.read() as read:
            assert [one.token for one in read.positions()] == [{"offset": 2}]
            assert read.windows.tally() == {("id-x", "Rule a", Loss.TAKEN): 3}


def test_time_alone_tells_the_whole_and_closes_what_is_silent(tmp_path: Path) -> None:
    with main_of(tmp_path / "s") as main:
        main.record(some(0, 1, 2, 3), 1)
        main.record(some(4), 2)
        assert [one[2] for one in main.alerts()] == [4]
        main.tick(31)
        assert [one[1:3] for one in main.alerts()] == [(1, 5)]
        main.tick(3_700)
        with main.store.read() as read:
            assert read.windows.of([LINKS.correlations[0].digest]) == []


def test_windows_of_a_removed_correlation_are_forgotten_and_of_another_stay(tmp_path: Path) -> None:
    both = links_of(outer("x", count()), outer("y", count(timespan_s=20)))
    with main_of(tmp_path / "s", both) as main:
        main.record(some(0, 1), 1)
        main.windows.use(LINKS)
        with main.store.read() as read:
            found = read.windows.of([linked.digest for linked in both.correlations])
        assert {digest for (digest, _), _ in found} == {LINKS.correlations[0].digest}
        main.record(some(2), 2)
        assert len(main.alerts()) == 1


def test_what_correlations_could_not_look_at_is_counted_over_a_stop(tmp_path: Path) -> None:
    with main_of(tmp_path / "s") as main:
        main.record([Hit(None, "id-a", "log", 1, "", {"user": "u"}, "", "")], 1)
    with main_of(tmp_path / "s") as main:
        main.record([Hit(None, "id-a", "log", 2, "", {"user": "u"}, "", "")], 2)
        assert [fault.why[:10] for fault in main.windows.faults()] == ["2 records "]


def test_group_of_two_logs_is_one_alert(tmp_path: Path) -> None:
    with main_of(tmp_path / "s") as main:
        for number, (source, seconds) in enumerate([("auth", 0), ("vpn", 1), ("auth", 2), ("vpn", 3)]):
            batch = batch_of(some(seconds), number, source)
            record_batch(main.store, batch, silent, now=NOW, windows=main.windows)
        main.tick(100)
        assert [one[1:3] for one in main.alerts()] == [(1, 4)]

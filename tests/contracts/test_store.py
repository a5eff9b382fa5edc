"""What every store must keep, whatever carries it out."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import (
    Account,
    ContentItem,
    ContentKind,
    CrossingState,
    Direction,
    Position,
    Reading,
    Session,
    Store,
)
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Status
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Severity
from tests.contracts.store_samples import SCANNER, T0, after, alert, crossing, dead, detection, incident, stored

ROOT = Path(__file__).resolve().parents[2]
Opener = Callable[[Path], Store]
ADAPTERS: dict[str, Opener] = {"sqlite": open_store}


@pytest.fixture(params=ADAPTERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return ADAPTERS[request.param]


@pytest.fixture
def store(opener: Opener, tmp_path: Path) -> Iterator[Store]:
    opened = opener(tmp_path / "state.sqlite")
    yield opened
    opened.close()


class StopHereError(Exception):
    pass


def everything(reading: Reading) -> tuple[object, ...]:
    page = Page(limit=500)
    return (
        reading.positions(),
        reading.dead(page),
        reading.alerts(page),
        reading.incidents(page),
        reading.crossings(page),
        reading.objects_page(page),
        reading.techniques_seen(),
        reading.n_by_severity(),
        reading.n_by_status(),
        reading.n_crossings(),
        reading.content(),
        reading.accounts(),
        reading.meta("a"),
    )


def test_store_when_new_is_empty(store: Store) -> None:
    with store.read() as read:
        assert read.positions() == []
        assert read.alerts(Page()) == ([], None)
        assert read.incidents(Page()) == ([], None)
        assert read.crossings(Page()) == ([], None)
        assert read.dead(Page()) == []
        assert read.objects_page(Page()) == ([], None)
        assert read.n_alerts() == 0
        assert read.n_by_status() == {Status.OPEN: 0, Status.CLOSED: 0}
        assert read.techniques_seen() == []
        assert read.alert("alert--1") is None
        assert read.incident("incident--1") is None
        assert read.crossing(1) is None
        assert read.account("a") is None
        assert read.session("0") is None
        assert read.meta("a") is None
    assert store.check() == ()


def test_store_when_opened_again_gives_back_what_was_saved(opener: Opener, tmp_path: Path) -> None:
    position = Position(source="web", token={"inode": 7, "offset": 1 << 40, "head": "ab"}, n_read=9, last_record_at=T0)
    item = ContentItem(
        id="r1",
        kind=ContentKind.SIGMA,
        title="t",
        origin="",
        text="title: t",
        is_active=True,
        added_at=T0,
        added_by="a",
    )
    account = Account(name="tanaka", roles=("analyst",), secret="$argon2id$", created_at=T0)
    session = Session(token_hash="ab", account="tanaka", roles=("analyst",), created_at=T0, expires_at=after(60))
    store = opener(tmp_path / "s")
    with store.write() as write:
        write.save_position(position)
        write.save_alerts([alert()])
        write.save_incidents([incident()])
        kept = write.add_crossing(crossing())
        write.save_dead([dead()])
        assert write.save_object(stored())
        write.save_content(item)
        write.save_account(account)
        write.save_session(session)
        write.save_meta("a", "b")
    store.close()
    store = opener(tmp_path / "s")
    with store.read() as read:
        assert read.positions() == [position]
        assert read.alert("alert--000001") == alert()
        assert read.incident("incident--000001") == incident()
        assert kept is not None
        assert read.crossing(kept.id) == kept == replace(crossing(), id=kept.id)
        assert read.dead(Page()) == [dead()]
        assert read.objects(["indicator--000001", "indicator--2"]) == [stored()]
        assert read.content() == [item]
        assert read.content_items(["r2", "r1"]) == [item]
        assert read.account("tanaka") == account
        assert read.accounts() == [account]
        assert read.session("ab") == session
        assert read.meta("a") == "b"
    store.close()


def test_write_when_something_raises_midway_keeps_nothing(store: Store) -> None:
    with store.write() as write:
        write.save_alerts([alert(1)])
        write.save_meta("a", "1")
    with store.read() as read:
        before = everything(read)

    def stop_midway() -> None:
        with store.write() as write:
            write.save_position(Position(source="web", token={}))
            write.save_alerts([alert(1, severity=Severity.LOW, n_detections=5), alert(2)])
            write.save_incidents([incident()])
            write.add_crossing(crossing())
            write.save_dead([dead()])
            write.save_meta("a", "2")
            assert write.n_alerts() == 2
            raise StopHereError

    with pytest.raises(StopHereError):
        stop_midway()
    with store.read() as read:
        assert everything(read) == before
    with store.write() as write:
        write.save_meta("a", "3")


@pytest.mark.parametrize("stop_in", [1, 5])
def test_write_when_killed_in_the_middle_keeps_what_was_committed_and_no_more(
    opener: Opener, tmp_path: Path, stop_in: int
) -> None:
    path = tmp_path / "s"
    assert read_until(path, stop_in, "half")[-1] == "half"
    assert committed(opener, path) == stop_in - 1


def test_write_when_killed_at_any_moment_keeps_whole_transactions(opener: Opener, tmp_path: Path) -> None:
    path = tmp_path / "s"
    n = int(read_until(path, 0, "40")[-1])
    assert committed(opener, path) >= n


def read_until(path: Path, stop_in: int, line: str) -> list[str]:
    """Lines of a writing process up to `line`; then it is killed, while it writes."""
    victim = [sys.executable, "-m", "tests.contracts.store_victim", str(path), str(stop_in)]
    with subprocess.Popen(victim, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while line not in lines[-1:]:
            read = process.stdout.readline()
            assert read, lines
            lines.append(read.strip())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return lines


def committed(opener: Opener, path: Path) -> int:
    """The number of whole transactions; fails where one is there in part."""
    store = opener(path)
    with store.read() as read:
        n = read.positions()[0].n_read if read.positions() else 0
        assert read.n_alerts() == n
        assert read.n_by_status()[Status.OPEN] == n
        assert sum(read.n_crossings().values()) == n
        assert read.techniques_seen() == ([("T1190", ("initial-access",), n)] if n else [])
        assert len(read.alerts(Page(limit=500))[0]) == min(n, 500)
    assert store.check() == ()
    store.close()
    return n


def test_read_when_another_commits_sees_its_snapshot(store: Store) -> None:
    with store.read() as old:
        with store.write() as write:
            write.save_alerts([alert(1)])
        with store.read() as new:
            assert new.n_alerts() == 1
        assert old.n_alerts() == 0
        assert old.alerts(Page()) == ([], None)


def test_read_when_somebody_writes_does_not_wait(store: Store) -> None:
    with store.write() as write:
        write.save_alerts([alert(1)])
        with store.read() as read:
            assert read.n_alerts() == 0
        assert write.n_alerts() == 1


def test_writers_when_two_at_once_go_one_after_the_other(opener: Opener, tmp_path: Path) -> None:
    stores = [opener(tmp_path / "s"), opener(tmp_path / "s")]

    def count(store: Store) -> None:
        for _ in range(20):
            with store.write() as write:
                write.save_meta("n", str(int(write.meta("n") or "0") + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [*stores, *stores]))
    with stores[0].read() as read:
        assert read.meta("n") == "80"
    for store in stores:
        store.close()


def test_write_inside_write_is_a_mistake_said_aloud(store: Store) -> None:
    with store.write() as write:
        with pytest.raises(RuntimeError), store.write():
            pass
        write.save_meta("a", "b")
    with store.read() as read:
        assert read.meta("a") == "b"


def test_store_when_closed_refuses_to_work(store: Store) -> None:
    store.close()
    with pytest.raises(RuntimeError), store.read():
        pass
    with pytest.raises(RuntimeError), store.write():
        pass
    store.close()


def test_alerts_when_paged_under_inserts_are_seen_once_each(store: Store) -> None:
    with store.write() as write:
        write.save_alerts([alert(n, updated_at=after(n // 4)) for n in range(50)])
    seen: list[str] = []
    cursor = None
    late = 1000
    for _ in range(20):
        with store.read() as read:
            rows, cursor = read.alerts(Page(limit=7, before=cursor))
        seen += [row.id for row in rows]
        if cursor is None:
            break
        with store.write() as write:
            late += 1
            write.save_alerts([alert(late)])
    assert seen == [f"alert--{n:06d}" for n in sorted(range(50), key=lambda n: (n // 4, n), reverse=True)]


def test_alerts_of_an_incident_are_only_its_own(store: Store) -> None:
    with store.write() as write:
        write.save_incidents([incident(1), incident(2)])
        write.save_alerts([alert(n, incident_id=f"incident--{1 + n % 2:06d}") for n in range(10)])
    with store.read() as read:
        rows, cursor = read.alerts(Page(limit=3), incident_id="incident--000001")
        assert [row.id for row in rows] == ["alert--000008", "alert--000006", "alert--000004"]
        rows, cursor = read.alerts(Page(limit=3, before=cursor), incident_id="incident--000001")
        assert [row.id for row in rows] == ["alert--000002", "alert--000000"]
        assert cursor is None


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_page_of_an_impossible_size_is_refused(store: Store, limit: int) -> None:
    with store.read() as read, pytest.raises(BadInputError, match="AMG-STORE-LIMIT"):
        read.alerts(Page(limit=limit))


@given(cursor=st.one_of(st.text(max_size=40), st.binary(max_size=30).map(lambda raw: raw.hex())))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_page_after_a_forged_cursor_is_refused(store: Store, cursor: str) -> None:
    with store.read() as read, pytest.raises(BadInputError, match="AMG-STORE-CURSOR"):
        read.alerts(Page(before=cursor))


def test_page_after_a_cursor_of_another_list_is_refused(store: Store) -> None:
    with store.write() as write:
        for n in range(3):
            write.add_crossing(crossing(n))
        write.save_dead([dead(n) for n in range(3)])
    with store.read() as read:
        _, cursor = read.crossings(Page(limit=1))
        with pytest.raises(BadInputError, match="AMG-STORE-CURSOR"):
            read.dead_page(Page(before=cursor))


def test_alerts_by_key_gives_the_newest_of_each_key_in_the_window(store: Store) -> None:
    with store.write() as write:
        write.save_alerts(
            [
                alert(1, key="a", first_seen_at=after(0), last_seen_at=after(10)),
                alert(2, key="a", first_seen_at=after(90), last_seen_at=after(100)),
                alert(3, key="b", first_seen_at=after(0), last_seen_at=after(50)),
                alert(4, key="c", first_seen_at=after(0), last_seen_at=after(49)),
            ]
        )
    with store.read() as read:
        newest = read.alerts_by_key(["a", "b", "c", "d"], since=after(50))
        assert [one.id for one in newest] == ["alert--000002", "alert--000003"]
        spans = read.alerts_by_key(["a", "b"], since=after(5), until=after(60))
        assert [one.id for one in spans] == ["alert--000001", "alert--000003"]
        spans = read.alerts_by_key(["a", "b"], since=after(5), until=after(90))
        assert [one.id for one in spans] == ["alert--000001", "alert--000002", "alert--000003"]
        assert read.alerts_by_key([], since=T0) == []
        assert len(read.alerts_by_key([f"k{n}" for n in range(3000)] + ["a"], since=T0)) == 1


def test_counts_follow_every_change_of_alerts(store: Store) -> None:
    with store.write() as write:
        write.save_alerts([alert(1, n_detections=2), alert(2, severity=Severity.LOW, techniques=("T1110", "T1190"))])
    with store.write() as write:
        write.save_alerts([alert(1, n_detections=5, severity=Severity.CRITICAL, tactics=("impact", "initial-access"))])
        write.save_alerts([alert(2, severity=Severity.LOW, techniques=("T1110",), tactics=())])
        write.save_alerts([alert(3, n_detections=9), alert(3, n_detections=1, severity=Severity.LOW)])
    with store.read() as read:
        assert read.n_alerts() == 3
        assert read.n_by_severity() == {Severity.CRITICAL: 1, Severity.LOW: 2}
        assert read.techniques_seen() == [
            ("T1190", ("initial-access", "impact"), 6),
            ("T1110", ("initial-access",), 1),
        ]


def test_incidents_touching_finds_open_ones_which_share_an_entity(store: Store) -> None:
    bob = Entity(kind=EntityKind.USER, value="bob")
    odd = Entity(kind=EntityKind.USER, value="b\ud800\x00b")
    with store.write() as write:
        write.save_incidents(
            [
                incident(1, entities=(SCANNER, bob), last_seen_at=after(100)),
                incident(2, entities=(bob,), last_seen_at=after(200)),
                incident(3, entities=(bob,), status=Status.CLOSED, last_seen_at=after(200)),
                incident(4, entities=(odd,), last_seen_at=after(100)),
            ]
        )
    with store.read() as read:
        assert [one.id[-1] for one in read.incidents_touching([bob], since=T0)] == ["2", "1"]
        assert [one.id[-1] for one in read.incidents_touching([bob, SCANNER], since=after(150))] == ["2"]
        assert [one.id[-1] for one in read.incidents_touching([odd], since=T0)] == ["4"]
        assert read.incidents_touching([Entity(kind=EntityKind.HOST, value="bob")], since=T0) == []
        assert read.incidents_touching([], since=T0) == []
        assert [one.id[-1] for one in read.incidents_by_id(["incident--000003", "incident--000001", "x"])] == ["1", "3"]
    with store.write() as write:
        write.save_incidents(
            [
                incident(2, entities=(SCANNER,), last_seen_at=after(300)),
                incident(1, entities=(SCANNER, bob), status=Status.CLOSED),
            ]
        )
    with store.read() as read:
        assert read.incidents_touching([bob], since=T0) == []
        assert [one.id[-1] for one in read.incidents_touching([SCANNER], since=T0)] == ["2"]
        assert read.n_by_status() == {Status.OPEN: 2, Status.CLOSED: 2}
        assert len(read.incidents(Page(), status=Status.CLOSED)[0]) == 2
    with store.write() as write:
        write.save_incidents([incident(1, entities=(SCANNER, bob))])
        assert [one.id[-1] for one in write.incidents_touching([bob], since=T0)] == ["1"]


def test_incidents_linked_finds_open_ones_which_have_a_link(store: Store) -> None:
    with store.write() as write:
        write.save_incidents([incident(1, links=("a\x1fb", "c")), incident(2, links=("c",), last_seen_at=after(100))])
        write.save_incidents([incident(3, links=("c",), status=Status.CLOSED)])
    with store.read() as read:
        assert [one.id[-1] for one in read.incidents_linked(["c", "a\x1fb", "x"], since=T0)] == ["2", "1"]
        assert [one.id[-1] for one in read.incidents_linked(["c"], since=after(50))] == ["2"]
        assert [one.id[-1] for one in read.incidents_linked(["a\x1fb"], since=T0)] == ["1"]
        assert read.incidents_linked(["a"], since=T0) == []
        assert read.incidents_linked([], since=T0) == []
    with store.write() as write:
        write.save_incidents([incident(1, links=("d",)), incident(2, links=("c",), status=Status.CLOSED)])
        assert write.incidents_linked(["c", "a\x1fb"], since=T0) == []
        assert [one.id[-1] for one in write.incidents_linked(["d"], since=T0)] == ["1"]


def test_incident_when_merged_hands_its_alerts_over(store: Store) -> None:
    with store.write() as write:
        write.save_incidents([incident(1), incident(2)])
        write.save_alerts([alert(1, incident_id="incident--000001"), alert(2, incident_id="incident--000002")])
    with store.write() as write:
        gone = incident(2, status=Status.CLOSED, merged_into="incident--000001", closed_why="merged")
        write.save_incidents([gone])
    with store.read() as read:
        rows, _ = read.alerts(Page(), incident_id="incident--000001")
        assert [(row.id, row.incident_id) for row in rows] == [
            ("alert--000002", "incident--000001"),
            ("alert--000001", "incident--000001"),
        ]
        assert read.alert("alert--000002") == rows[0]
        assert read.incident("incident--000002") == gone


def test_alerts_when_moved_are_of_the_other_incident_and_unknown_ones_are_left_out(store: Store) -> None:
    with store.write() as write:
        write.save_incidents([incident(1), incident(2)])
        write.save_alerts([alert(1, incident_id="incident--000001")])
    with store.write() as write:
        write.move_alerts([("alert--000001", "incident--000002"), ("alert--nowhere", "incident--000002")])
    with store.read() as read:
        assert read.alerts(Page(), incident_id="incident--000001") == ([], None)
        rows, _ = read.alerts(Page(), incident_id="incident--000002")
        assert [(row.id, row.incident_id) for row in rows] == [("alert--000001", "incident--000002")]


def test_crossing_when_added_twice_changes_nothing(store: Store) -> None:
    with store.write() as write:
        first = write.add_crossing(crossing(1))
        assert first is not None
        assert write.add_crossing(crossing(1, state=CrossingState.WITHHELD, content=b"")) is None
        assert write.add_crossing(crossing(1, direction=Direction.IN, state=CrossingState.ADMITTED)) is not None
        assert write.add_crossing(crossing(1, ally="identity--fr")) is not None
        assert write.add_crossing(crossing(1, version="2")) is not None
    with store.read() as read:
        assert read.crossing(first.id) == first
        assert read.n_crossings() == {
            (Direction.OUT, CrossingState.PENDING): 3,
            (Direction.IN, CrossingState.ADMITTED): 1,
        }
        assert read.n_crossings(ally="identity--fr") == {(Direction.OUT, CrossingState.PENDING): 1}


def test_pressing_urgent_first_then_by_age(store: Store) -> None:
    kinds = ("report", "indicator", "incident", "indicator", "sighting")
    with store.write() as write:
        for n, kind in enumerate(kinds):
            write.add_crossing(crossing(n, object_type=kind, content=b"{}"))
        write.add_crossing(crossing(5, object_type="report", content=b'{"revoked":true}'))
        write.add_crossing(crossing(6, next_try_at=after(60)))
        write.add_crossing(crossing(7, ally="identity--fr"))
    with store.read() as read:
        found = read.pressing("identity--us", now=after(59), limit=9)
        assert [one.object_id[-1] for one in found] == ["5", "2", "1", "3", "4", "0"]


def test_pressing_behind_many_the_new_and_each_urgency_have_their_share(store: Store) -> None:
    kinds = ["incident"] * 40 + ["indicator"] * 40 + ["report"] * 40 + ["note"]
    with store.write() as write:
        for n, kind in enumerate(kinds):
            write.add_crossing(crossing(n, object_type=kind, content=b"{}"))
    with store.read() as read:
        found = read.pressing("identity--us", now=after(0), limit=16)
    kinds_found = [one.object_type for one in found]
    assert (len(found), kinds_found.count("incident"), kinds_found.count("indicator")) == (16, 8, 2)
    assert (kinds_found.count("report"), kinds_found[-1]) == (5, "note")


def test_pressing_behind_many_of_one_urgency_the_new_have_their_share(store: Store) -> None:
    with store.write() as write:
        for n in range(40):
            write.add_crossing(crossing(n, object_type="indicator", content=b"{}"))
    with store.read() as read:
        found = [int(one.object_id[-6:]) for one in read.pressing("identity--us", now=after(0), limit=16)]
    assert found == [*range(12), 36, 37, 38, 39]


def test_crossing_when_delivered_is_no_longer_due(store: Store) -> None:
    with store.write() as write:
        added = [write.add_crossing(crossing(n)) for n in range(4)]
        write.add_crossing(crossing(9, state=CrossingState.WANTING))
        write.add_crossing(crossing(10, ally="identity--fr"))
        first, second, third, _ = (one for one in added if one is not None)
        write.update_crossing(replace(first, state=CrossingState.DELIVERED, delivered_at=after(5), decided_by="sato"))
        write.update_crossing(replace(second, n_tries=1, next_try_at=after(60), why="the ally is away"))
        write.update_crossing(replace(third, version="v2", content=b"{}", created_at=after(500)))
    with store.read() as read:
        assert [one.object_id[-1] for one in read.due("identity--us", now=after(59), limit=9)] == ["2", "3"]
        assert [one.object_id[-1] for one in read.due("identity--us", now=after(60), limit=9)] == ["1", "2", "3"]
        assert [one.object_id[-1] for one in read.due("identity--us", now=after(60), limit=1)] == ["1"]
        assert read.n_crossings(ally="identity--us") == {
            (Direction.OUT, CrossingState.PENDING): 3,
            (Direction.OUT, CrossingState.DELIVERED): 1,
            (Direction.OUT, CrossingState.WANTING): 1,
        }
        changed = read.crossing(third.id)
        assert changed is not None
        assert (changed.version, changed.content) == ("v2", b"{}")
    with store.write() as write, pytest.raises(LookupError):
        write.update_crossing(crossing(1, id=99))


def test_crossings_changed_together_are_counted_as_those_changed_one_by_one(store: Store) -> None:
    with store.write() as write:
        added = [one for n in range(900) if (one := write.add_crossing(crossing(n))) is not None]
    with store.write() as write:
        write.update_crossings([replace(one, state=CrossingState.DELIVERED) for one in added[:850]])
        write.update_crossings([])
    with store.read() as read:
        found = read.crossings_numbered([one.id for one in added] + [10_000])
        assert found == {
            one.id: replace(one, state=CrossingState.DELIVERED) if n < 850 else one for n, one in enumerate(added)
        }
        assert read.n_crossings(ally="identity--us") == {
            (Direction.OUT, CrossingState.PENDING): 50,
            (Direction.OUT, CrossingState.DELIVERED): 850,
        }
    with store.write() as write, pytest.raises(LookupError):
        write.update_crossings([added[0], crossing(1, id=99_999)])


def test_crossings_are_listed_newest_first_by_any_filter(store: Store) -> None:
    with store.write() as write:
        for n in range(12):
            write.add_crossing(
                crossing(
                    n,
                    ally=f"identity--{n % 2}",
                    direction=Direction.IN if n % 3 == 0 else Direction.OUT,
                    state=CrossingState.ADMITTED if n % 3 == 0 else CrossingState.PENDING,
                )
            )
    with store.read() as read:
        for ally in (None, "identity--0", "identity--1"):
            for direction in (None, *Direction):
                for state in (None, CrossingState.ADMITTED, CrossingState.PENDING, CrossingState.FAILED):
                    rows, _ = read.crossings(Page(), ally=ally, direction=direction, state=state)
                    every, _ = read.crossings(Page())
                    assert rows == [
                        one
                        for one in every
                        if ally in {None, one.ally}
                        and direction in {None, one.direction}
                        and state in {None, one.state}
                    ]
        first, cursor = read.crossings(Page(limit=5))
        second, _ = read.crossings(Page(limit=50, before=cursor))
        assert [one.id for one in first + second] == sorted((one.id for one in first + second), reverse=True)
        assert len(first + second) == 12


def test_released_after_pages_past_crossings_of_one_instant(store: Store) -> None:
    with store.write() as write:
        for n in range(6):
            write.add_crossing(crossing(n, created_at=after(n // 3)))
        write.add_crossing(crossing(7, state=CrossingState.WITHHELD))
    with store.read() as read:
        page = read.released_after("identity--us", added_after=None, limit=2)
        assert [one.object_id[-1] for one in page] == ["0", "1"]
        page = read.released_after("identity--us", added_after=page[-1].created_at, after_id=page[-1].id, limit=3)
        assert [one.object_id[-1] for one in page] == ["2", "3", "4"]
        page = read.released_after("identity--us", added_after=T0, limit=9)
        assert [one.object_id[-1] for one in page] == ["3", "4", "5"]
        ids = ["sighting--000005", "sighting--000001", "sighting--000007", "x"]
        page = read.released_after("identity--us", added_after=None, limit=9, object_ids=ids)
        assert [one.object_id[-1] for one in page] == ["1", "5"]
        assert read.released_after("identity--us", added_after=None, limit=9, object_ids=[]) == []


def test_crossings_of_gives_the_newest_of_each_object(store: Store) -> None:
    with store.write() as write:
        for n in range(3):
            write.add_crossing(crossing(1, version=str(n)))
        write.add_crossing(crossing(2, state=CrossingState.WITHHELD))
        write.add_crossing(crossing(1, version="9", direction=Direction.IN))
    with store.read() as read:
        ids = ["sighting--000001", "sighting--000002", "sighting--000003"]
        assert [one.version for one in read.crossings_of("identity--us", Direction.OUT, ids)] == [
            "2",
            crossing().version,
        ]
        assert read.crossings_of("identity--fr", Direction.OUT, ids) == []


def test_objects_gives_the_newest_version_whatever_the_digits(store: Store) -> None:
    versions = ["2026-01-01T00:00:00.500Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999999Z"]
    with store.write() as write:
        assert [write.save_object(stored(version=version)) for version in versions] == [True, True, True]
        assert not write.save_object(stored(version=versions[0], body=b"other"))
        write.save_object(stored(2, origin="identity--us", type="sighting"))
    with store.read() as read:
        assert [one.version for one in read.objects(["indicator--000001"])] == [versions[0]]
        assert len(read.objects_page(Page())[0]) == 4
        assert [one.id for one in read.objects_page(Page(), origin="identity--us")[0]] == ["indicator--000002"]
        assert [one.id for one in read.objects_page(Page(), object_type="sighting")[0]] == ["indicator--000002"]
        assert len(read.objects_page(Page(), origin="")[0]) == 3


def test_content_when_removed_is_gone(store: Store) -> None:
    item = ContentItem(
        id="r", kind=ContentKind.STIX, title="t", origin="", text="{}", is_active=True, added_at=T0, added_by="a"
    )
    with store.write() as write:
        write.save_content(item)
        write.save_content(replace(item, is_active=False))
        assert write.content() == [replace(item, is_active=False)]
        assert write.remove_content("r")
        assert not write.remove_content("r")
        assert write.content() == []


def test_link_when_many_come_at_once_lets_one_in(store: Store) -> None:
    with store.write() as write:
        write.save_link("ab", expires_at=after(60))
        write.save_link("cd", expires_at=after(0))
    gate = threading.Barrier(8)

    def spend(_: int) -> bool:
        gate.wait()
        with store.write() as write:
            return write.use_link("ab", now=after(1))

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(spend, range(8))) == [False] * 7 + [True]
    with store.write() as write:
        write.save_link("ab", expires_at=after(999))
        assert not write.use_link("ab", now=after(2))
        assert not write.use_link("cd", now=after(1))
        assert not write.use_link("nobody", now=after(1))


def test_expired_sessions_and_links_are_forgotten(store: Store) -> None:
    session = Session(token_hash="a", account="x", roles=(), created_at=T0, expires_at=after(10))
    with store.write() as write:
        write.save_session(session)
        write.save_session(replace(session, token_hash="b", expires_at=after(11)))
        write.save_link("l", expires_at=after(5))
        assert write.remove_expired(now=after(10)) == 2
        assert write.session("a") is None
        assert write.session("b") is not None
        write.remove_session("b")
        write.remove_session("b")
        assert write.session("b") is None


def test_dead_records_are_kept_up_to_a_bound_for_each_source(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amagasa.adapters.store.writing.KEPT_DEAD", 10)
    with store.write() as write:
        write.save_dead([dead(n) for n in range(8)])
        write.save_dead([dead(n, source="mail") for n in range(3)])
        write.save_dead([dead(n) for n in range(8, 25)])
    with store.read() as read:
        assert read.n_dead() == {"mail": 3, "web": 10}
        assert [one.record for one in read.dead_page(Page(), source="web")[0]] == list(range(24, 14, -1))
        rows, cursor = read.dead_page(Page(limit=9))
        assert len(rows + read.dead_page(Page(limit=9, before=cursor))[0]) == 13


def test_dead_records_that_were_read_after_all_are_forgotten(store: Store) -> None:
    with store.write() as write:
        write.save_dead([dead(n) for n in range(900)])
        write.save_dead([dead(3, source="mail")])
        write.forget_dead("web", range(1, 899))
    with store.read() as read:
        assert [(one.source, one.record) for one in read.dead(Page())] == [("mail", 3), ("web", 899), ("web", 0)]


HOSTILE_TEXT = st.text(alphabet=st.characters(), max_size=40) | st.sampled_from(
    [
        "\x00",
        "a\x00b",
        "\ud800",
        "x\udfff\x00",
        "'; DROP TABLE alert; --",
        "%",
        "\u202e",
        "\U0010ffff",
        "{",
    ]
)


@given(text=HOSTILE_TEXT, number=st.integers(min_value=-(2**80), max_value=2**80))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_hostile_text_and_numbers_survive(store: Store, text: str, number: int) -> None:
    hostile = Entity(kind=EntityKind.USER, value=text)
    event = {"a": text, text: [number, 1.5, None, True, {"b": text}]}
    one = alert(key=text, title=text, entities=(hostile,), examples=(detection(event=event, raw=text),))
    with store.write() as write:
        write.save_alerts([one])
        write.save_incidents([incident(title=text, entities=(hostile,))])
        write.save_position(Position(source=text, token={"at": number}))
        write.save_meta("k" + text, text)
    with store.read() as read:
        assert read.alert(one.id) == one
        assert read.alerts_by_key([text], since=T0) == [one]
        assert [found.title for found in read.incidents_touching([hostile], since=T0)] == [text]
        assert Position(source=text, token={"at": number}) in read.positions()
        assert read.meta("k" + text) == text


def test_huge_values_survive_up_to_the_limit(store: Store) -> None:
    body = b"\xff" * 20_000_000
    with store.write() as write:
        assert write.save_object(stored(body=body))
        write.save_alerts([alert(examples=(detection(event={"a": "\U0001f302" * 1_000_000}),))])
    with store.read() as read:
        assert read.objects(["indicator--000001"])[0].body == body
        found = read.alert("alert--000001")
        assert found is not None
        assert len(found.examples[0].event["a"]) == 1_000_000

    def save_too_much() -> None:
        with store.write() as write:
            write.save_meta("a", "b")
            write.save_object(stored(2, body=b"x" * (64 * 1024 * 1024)))

    with pytest.raises(BadInputError, match="AMG-STORE-VALUE"):
        save_too_much()
    with store.read() as read:
        assert read.meta("a") is None


def test_value_nested_beyond_reason_is_refused(store: Store) -> None:
    nested: object = "x"
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(BadInputError, match="AMG-STORE-VALUE"), store.write() as write:
        write.save_alerts([alert(examples=(detection(event={"a": nested}),))])
    while isinstance(nested, list):  # taken apart by hand: the interpreter would recurse
        nested = nested[0]


def test_backup_is_a_whole_store_of_its_own(store: Store, opener: Opener, tmp_path: Path) -> None:
    with store.write() as write:
        write.save_alerts([alert(n) for n in range(20)])
    store.backup(tmp_path / "copy")
    with store.write() as write:
        write.save_alerts([alert(99)])
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    copy = opener(tmp_path / "copy")
    with copy.read() as read:
        assert read.n_alerts() == 20
    assert copy.check() == ()
    copy.close()

"""Deeds on incidents over a real store, and that what a person decided holds against later alerts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.casework import Asked, Done, do
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Store
from amagasa.app.queries import MissingError, Queries
from amagasa.app.queue import queue, set_budget
from amagasa.app.watch import record_batch
from amagasa.app.worker_messages import Batch
from amagasa.detect.report import Detection
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import DeedKind
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.incident.samples import NOW, address, found

OFFICER = Actor(name="yuki", roles=frozenset({Role.WATCH_OFFICER}))
AUDITOR = Actor(name="ann", roles=frozenset({Role.AUDITOR}))
GRAVE = (
    "functional-impact=denial-of-critical",
    "potential-impact=severe",
    "actor=apt-targeted",
    "cross-sector=energy",
    "recoverability=not-recoverable",
    "location=critical-systems",
)
NINE, SEVEN = address("203.0.113.9"), address("198.51.100.7")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "state.sqlite")
    yield made
    made.close()


def take(store: Store, *detections: Detection, now: datetime = NOW) -> None:
    batch = Batch(
        source="web",
        token={},
        n_read=1,
        n_accepted=1,
        n_rejected=0,
        rejects=(),
        detections=detections,
        faults=(),
        last_record_at=None,
        lag_bytes=0,
    )
    record_batch(store, batch, lambda *_: (), now=now)


def act(store: Store, incident_id: str, kind: DeedKind, minutes: int = 0, **asked: Any) -> Done:
    return do(store, OFFICER, incident_id, Asked(kind=kind, **asked), now=NOW + timedelta(minutes=minutes))


def open_ones(store: Store) -> list[Incident]:
    with store.read() as reading:
        return [incident for incident, _, _ in reading.cases.queue(limit=50)]


def alerts_in(store: Store, incident_id: str) -> set[str]:
    detail = Queries(store, {}).incident(OFFICER, incident_id)
    assert detail.incident.n_alerts == len(detail.alerts)
    return {alert.id for alert in detail.alerts}


def test_owner_stage_notes_tasks_and_evidence_make_the_case_file(store: Store) -> None:
    take(store, found(0, NINE))
    (incident,) = open_ones(store)
    act(store, incident.id, DeedKind.OWNER, text="yuki")
    act(store, incident.id, DeedKind.STAGE, text="containment")
    act(store, incident.id, DeedKind.NOTE, text="  seen \u202e before ")
    task = act(store, incident.id, DeedKind.TASK, text="block the address").deed
    act(store, incident.id, DeedKind.DONE, of=task.id)
    act(store, incident.id, DeedKind.EVIDENCE, text="line 7", alerts=tuple(incident.why))
    detail = Queries(store, {}).incident(OFFICER, incident.id)
    assert (detail.case.owner, detail.case.stage, detail.incident.owner) == ("yuki", "containment", "yuki")
    assert [one.text for one in detail.case.notes] == ["seen \\u202e before"]
    assert [(one.text, one.done_by) for one in detail.case.tasks] == [("block the address", "yuki")]
    assert detail.case.evidence[0].alerts == tuple(incident.why)
    assert [one.kind for one in detail.case.history][:2] == ["evidence", "done"]


def test_each_deed_can_be_undone_and_stays_in_the_history(store: Store) -> None:
    take(store, found(0, NINE))
    (incident,) = open_ones(store)
    for kind, text in (
        (DeedKind.OWNER, "ann"),
        (DeedKind.STAGE, "analysis"),
        (DeedKind.CLOSE, "no"),
        (DeedKind.NOTE, "x"),
    ):
        act(store, incident.id, kind, text=text)
    act(store, incident.id, DeedKind.ASSESS, text="actor=apt")
    for deed in range(1, 6):
        act(store, incident.id, DeedKind.UNDO, of=deed)
    detail = Queries(store, {}).incident(OFFICER, incident.id)
    assert (detail.case.owner, detail.case.stage, detail.case.notes) == ("", "detected", [])
    assert (detail.incident.status, detail.incident.owner, detail.incident.stage) == ("open", "", "detected")
    assert {part.source for part in detail.score.parts} == {"evidence", "usual"}
    assert len(detail.case.history) == 10
    assert sum(one.is_undone for one in detail.case.history) == 5
    with pytest.raises(BadInputError, match="cannot be undone"):
        act(store, incident.id, DeedKind.UNDO, of=1)


def test_owner_who_was_followed_by_another_cannot_be_undone_first(store: Store) -> None:
    take(store, found(0, NINE))
    (incident,) = open_ones(store)
    first = act(store, incident.id, DeedKind.OWNER, text="ann").deed
    second = act(store, incident.id, DeedKind.OWNER, text="bob").deed
    with pytest.raises(BadInputError, match="cannot be undone"):
        act(store, incident.id, DeedKind.UNDO, of=first.id)
    assert act(store, incident.id, DeedKind.UNDO, of=second.id).incidents[0].owner == "ann"


def test_split_holds_against_later_alerts_and_is_undone(store: Store) -> None:
    take(store, found(0, NINE, rule="probe"), found(1, NINE, rule="theft"))
    (incident,) = open_ones(store)
    theft = next(one for one in Queries(store, {}).incident(OFFICER, incident.id).alerts if one.title == "Rule theft")
    deed = act(store, incident.id, DeedKind.SPLIT, alerts=(theft.id,)).deed
    assert len(open_ones(store)) == 2
    assert alerts_in(store, deed.other) == {theft.id}
    take(store, found(30, NINE, rule="theft", record=7), found(31, NINE, rule="probe", record=8))
    take(store, found(60, NINE, rule="new", record=9))
    assert len(open_ones(store)) == 2
    assert len(alerts_in(store, deed.other)) == 2
    assert len(alerts_in(store, incident.id)) == 3
    act(store, incident.id, DeedKind.UNDO, minutes=5, of=deed.id)
    assert theft.id in alerts_in(store, incident.id)
    take(store, found(70, NINE, rule="theft", record=10))
    assert theft.id in alerts_in(store, incident.id)


def test_move_puts_alerts_elsewhere_and_alerts_like_them_follow(store: Store) -> None:
    take(store, found(0, NINE, rule="a"), found(1, NINE, rule="b"), found(2, SEVEN, rule="c"))
    first, second = sorted(open_ones(store), key=lambda one: -one.n_alerts)
    moved = next(one for one in Queries(store, {}).incident(OFFICER, first.id).alerts if one.title == "Rule b")
    deed = act(store, first.id, DeedKind.MOVE, other=second.id, alerts=(moved.id,)).deed
    assert moved.id in alerts_in(store, second.id)
    assert Queries(store, {}).incident(OFFICER, second.id).alerts[0].why == "put here by yuki"
    take(store, found(60, NINE, rule="b", record=9))
    assert len(alerts_in(store, second.id)) == 3
    act(store, first.id, DeedKind.UNDO, of=deed.id)
    assert moved.id in alerts_in(store, first.id)
    with store.read() as reading:
        assert {one.id: one.status for one in reading.incidents_by_id([first.id, second.id])} == {
            first.id: Status.OPEN,
            second.id: Status.OPEN,
        }


def test_merge_makes_one_of_two_and_is_undone(store: Store) -> None:
    take(store, found(0, NINE), found(1, SEVEN))
    first, second = open_ones(store)
    deed = act(store, first.id, DeedKind.MERGE, other=second.id).deed
    assert [one.id for one in open_ones(store)] == [first.id]
    assert len(alerts_in(store, first.id)) == 2
    with pytest.raises(BadInputError, match="part of another"):
        act(store, second.id, DeedKind.CLOSE, text="x")
    act(store, first.id, DeedKind.UNDO, of=deed.id)
    assert {one.id for one in open_ones(store)} == {first.id, second.id}
    assert len(alerts_in(store, first.id)) == len(alerts_in(store, second.id)) == 1


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (DeedKind.STAGE, {"text": "lunch"}),
        (DeedKind.ASSESS, {"text": "actor=martians"}),
        (DeedKind.NOTE, {"text": "   "}),
        (DeedKind.DONE, {"of": 77}),
        (DeedKind.UNDO, {"of": 77}),
        (DeedKind.REOPEN, {}),
        (DeedKind.SPLIT, {}),
        (DeedKind.SPLIT, {"alerts": ("alert--nowhere",)}),
        (DeedKind.MERGE, {"other": "incident--nowhere"}),
    ],
)
def test_deed_that_makes_no_sense_is_refused_and_changes_nothing(
    store: Store, kind: DeedKind, asked: dict[str, Any]
) -> None:
    take(store, found(0, NINE))
    before = open_ones(store)
    with pytest.raises(BadInputError):
        act(store, before[0].id, kind, **asked)
    assert open_ones(store) == before
    with store.read() as reading:
        assert reading.cases.deeds_of(before[0].id) == []


def test_split_of_all_alerts_or_merge_with_itself_is_refused(store: Store) -> None:
    take(store, found(0, NINE))
    (incident,) = open_ones(store)
    with pytest.raises(BadInputError, match="some must stay"):
        act(store, incident.id, DeedKind.SPLIT, alerts=tuple(incident.why))
    with pytest.raises(BadInputError, match="no second incident"):
        act(store, incident.id, DeedKind.MERGE, other=incident.id)


def test_deed_needs_the_role_and_the_incident(store: Store) -> None:
    with pytest.raises(DeniedError):
        do(store, AUDITOR, "incident--x", Asked(kind=DeedKind.NOTE, text="x"), now=NOW)
    with pytest.raises(MissingError):
        act(store, "incident--x", DeedKind.NOTE, text="x")


def test_queue_says_what_the_shift_cannot_read_and_why(store: Store) -> None:
    take(store, *(found(n, address(f"203.0.113.{n}"), rule=f"r{n}") for n in range(6)))
    set_budget(store, OFFICER, 4, now=NOW)
    worst = open_ones(store)[3]
    act(store, worst.id, DeedKind.ASSESS, text="functional-impact=denial-of-critical")
    act(store, open_ones(store)[1].id, DeedKind.CLOSE, text="known")
    told = queue(store, OFFICER, has_ally=True, now=NOW)
    assert told.incidents[0].incident.id == worst.id
    assert (told.budget.n_per_shift, told.budget.source, told.budget.n_done, told.budget.n_left) == (4, "set", 1, 3)
    assert (told.n_open, told.n_read, told.n_deferred, told.n_offered) == (5, 3, 2, 0)
    assert [one.fate for one in told.incidents] == ["read"] * 3 + ["deferred"] * 2
    assert (
        told.incidents[4].why == "place 5, and this shift can still read 3 (its budget is 4); waits for the next shift"
    )
    for one in told.incidents[3:]:
        for choice in GRAVE:
            act(store, one.incident.id, DeedKind.ASSESS, text=choice)
    with pytest.raises(BadInputError):
        set_budget(store, OFFICER, 0, now=NOW)
    set_budget(store, OFFICER, 1, now=NOW)
    told = queue(store, OFFICER, has_ally=True, now=NOW)
    assert (told.n_read, told.n_deferred, told.n_offered) == (0, 3, 2)
    assert told.incidents[0].fate == "offered"
    assert queue(store, OFFICER, has_ally=False, now=NOW).n_offered == 0


def test_impact_of_a_mission_leads_the_queue_and_stays_when_the_incident_grows(store: Store) -> None:
    take(store, found(0, NINE), found(1, SEVEN))
    last = open_ones(store)[-1]
    with store.write() as tx:
        tx.cases.set_impacts([(last.id, 40)])
    take(store, found(2, SEVEN, NINE, rule="more") if SEVEN in last.entities else found(2, NINE, rule="more"))
    with store.read() as reading:
        first = reading.cases.queue(limit=5)[0]
    assert (first[0].id, first[1]) == (last.id, 40)

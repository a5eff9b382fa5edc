"""A watch that goes from one officer to the next, and to an ally, over a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.casework import Asked, do
from amagasa.app.handovers import HandoverAsked, Handovers, Left
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Account, CrossingState, Store
from amagasa.app.queries import MissingError
from amagasa.app.queue import queue
from amagasa.app.signals import Signals
from amagasa.app.telling import Telling
from amagasa.incident.case import DeedKind
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp
from tests.browser.seed import JAPAN, NOW, STATES, Book, agreement, alerts, incident_id, incidents
from tests.entry.console import QuickPasswords

SATO, ITO, AUDITOR = (
    Actor(name=name, roles=frozenset({role}))
    for name, role in (("sato", Role.WATCH_OFFICER), ("ito", Role.WATCH_OFFICER), ("abe", Role.AUDITOR))
)
BASE, WEB = incident_id("base"), incident_id("web")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "state.sqlite")
    held = alerts()
    with made.write() as tx:
        tx.save_incidents(incidents(held))
        tx.save_alerts(held)
        for actor in (SATO, ITO, AUDITOR):
            roles = tuple(role.value for role in actor.roles)
            tx.save_account(Account(name=actor.name, roles=roles, secret=QuickPasswords().hash("x"), created_at=NOW))
    yield made
    made.close()


@pytest.fixture
def desk(store: Store) -> Handovers:
    telling = Telling(
        store=store,
        signals=Signals(),
        party=JAPAN,
        book=Book(agreement()),
        secret=bytes(32),
        marking=Tlp.AMBER,
        min_severity=Severity.FATAL,
    )
    return Handovers(store, telling, {STATES.id: "United States"})


def leave(store: Store, desk: Handovers, actor: Actor = SATO, **asked: object) -> Left:
    now_open = queue(store, actor, has_ally=True, now=NOW)
    return desk.hand_over(actor, HandoverAsked(**asked), now_open, now=NOW)  # type: ignore[arg-type]


def owner(store: Store, incident: str) -> str:
    with store.read() as reading:
        held = reading.incident(incident)
    assert held is not None
    return held.owner


def test_incident_changes_hands_when_the_watch_is_taken_not_before(store: Store, desk: Handovers) -> None:
    do(store, SATO, BASE, Asked(kind=DeedKind.OWNER, text="sato"), now=NOW)
    leave(store, desk, incidents=(BASE,), note="look at dc-01")
    assert owner(store, BASE) == "sato"
    desk.take_over(ITO, 1, now=NOW)
    assert owner(store, BASE) == "ito"
    told = desk.all(AUDITOR, now=NOW).handovers[0]
    assert (told.by, told.taken_by, told.note, told.given[0].incident_id) == ("sato", "ito", "look at dc-01", BASE)


def test_taking_is_undone_like_any_change_of_owner(store: Store, desk: Handovers) -> None:
    do(store, SATO, BASE, Asked(kind=DeedKind.OWNER, text="sato"), now=NOW)
    leave(store, desk, incidents=(BASE,))
    desk.take_over(ITO, 1, now=NOW)
    with store.read() as reading:
        last = reading.cases.deeds_of(BASE)[-1]
    do(store, ITO, BASE, Asked(kind=DeedKind.UNDO, of=last.id), now=NOW)
    assert owner(store, BASE) == "sato"


def test_incident_that_somebody_else_took_meanwhile_stays_with_them(store: Store, desk: Handovers) -> None:
    leave(store, desk, incidents=(BASE, WEB))
    do(store, ITO, BASE, Asked(kind=DeedKind.OWNER, text="kato"), now=NOW)
    desk.take_over(ITO, 1, now=NOW)
    assert (owner(store, BASE), owner(store, WEB)) == ("kato", "ito")


def test_closed_incident_is_not_handed_over(store: Store, desk: Handovers) -> None:
    do(store, SATO, WEB, Asked(kind=DeedKind.CLOSE, text="a scan"), now=NOW)
    assert [one.incident_id for one in leave(store, desk, incidents=(WEB, BASE)).handover.given] == [BASE]


@pytest.mark.parametrize("actor", [SATO, AUDITOR])
def test_watch_is_taken_by_another_officer_only(store: Store, desk: Handovers, actor: Actor) -> None:
    leave(store, desk)
    with pytest.raises(DeniedError):
        desk.take_over(actor, 1, now=NOW)


def test_watch_left_to_one_person_is_taken_once_and_by_nobody_else(store: Store, desk: Handovers) -> None:
    leave(store, desk, to="ito")
    with pytest.raises(DeniedError, match="not yours to take"):
        desk.take_over(Actor(name="kato", roles=ITO.roles), 1, now=NOW)
    desk.take_over(ITO, 1, now=NOW)
    with pytest.raises(DeniedError):
        desk.take_over(ITO, 1, now=NOW)


@pytest.mark.parametrize("to", ["sato", "abe", "nobody"])
def test_watch_is_left_to_somebody_who_can_take_it(store: Store, desk: Handovers, to: str) -> None:
    with pytest.raises(BadInputError, match="AMG-WATCH-OFFICER"):
        leave(store, desk, to=to)


def test_newer_hand_over_takes_the_place_of_an_open_one(store: Store, desk: Handovers) -> None:
    leave(store, desk, note="first")
    leave(store, desk, note="second")
    leave(store, desk, actor=ITO, note="mine")
    assert [(one.number, one.note) for one in desk.all(ITO, now=NOW).handovers] == [(3, "mine"), (2, "second")]


def test_hand_overs_kept_are_bounded(store: Store, desk: Handovers) -> None:
    for _ in range(25):
        leave(store, desk)
        number = desk.all(SATO, now=NOW).handovers[0].number
        desk.take_over(ITO, number, now=NOW)
    assert len(desk.all(SATO, now=NOW).handovers) == 20


def test_unknown_things_are_refused(store: Store, desk: Handovers) -> None:
    with pytest.raises(MissingError):
        desk.take_over(SATO, 7, now=NOW)
    with pytest.raises(MissingError):
        leave(store, desk, incidents=("incident--none",))
    with pytest.raises(BadInputError, match="AMG-WATCH-MANY"):
        leave(store, desk, incidents=tuple(f"i{number}" for number in range(201)))


def test_ally_is_told_as_far_as_the_agreement_lets_it(store: Store, desk: Handovers) -> None:
    left = leave(store, desk, incidents=(BASE, WEB), offered=(BASE,))
    assert [one.state for one in left.crossings] == [CrossingState.WANTING]  # its clause wants a release officer
    lines = desk.all(ITO, now=NOW).handovers[0].lines
    assert [(one.incident_id, one.ally, one.state) for one in lines] == [(BASE, "United States", "wanting")]
    assert desk.lines_of(ITO, WEB, now=NOW) == []


def test_hostile_words_are_inert(store: Store, desk: Handovers) -> None:
    leave(store, desk, note="a\x1b[31m\u202eb\nsecond line" + "x" * 9_000)
    note = desk.all(ITO, now=NOW).handovers[0].note
    assert "\x1b" not in note
    assert note.splitlines()[0] == r"a\x1b[31m\u202eb"
    assert len(note) <= 4_100

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.delivery import DeliveryDeps
from amagasa.app.fetching import Fetching
from amagasa.app.heart_views import HeartView, heart_view
from amagasa.app.hearts import CODE, USUAL_SILENCE_S, HeartDesk, heart_of
from amagasa.app.pages import Page
from amagasa.app.ports import Bond, Position
from amagasa.entry.allies.desk import TaxiiDeps
from amagasa.entry.allies.door import AllyDoor
from amagasa.entry.allies.taxii import build_taxii
from amagasa.incident.alert import Incident, Status
from amagasa.share.heartbeat import SignedBeat
from amagasa.share.terms import Clocks
from amagasa.vocab.errors import BadInputError
from tests.entry.link_world import Node, agree, two_nodes
from tests.share.cards import keys

SILENCE_S = 300


class Side:
    """A node with its heartbeat."""

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        node.party = replace(node.party, key=keys(name).public_key)
        self.name = name
        self.sources = ["web", "dns"]
        self.desk = self.begun()

    def begun(self) -> HeartDesk:
        """As a start of the node makes it."""
        node = self.node
        return HeartDesk(
            node.store,
            node.signals,
            book=node.book,
            signer=keys(self.name),
            party=node.party.id,
            sources=lambda: self.sources,
            began_at=node.clock.now(),
        )

    @property
    def bond(self) -> Bond:
        (bond,) = self.node.book.bonds()
        return bond

    def view(self) -> HeartView:
        with self.node.store.read() as reading:
            return heart_view(heart_of(reading, self.bond.ally.id), self.bond.agreement)

    def look(self) -> None:
        self.desk.look(now=self.node.clock.now())

    def incidents(self) -> list[Incident]:
        with self.node.store.read() as reading:
            return reading.incidents(Page(limit=10))[0]


def exchange(one: Side, other: Side) -> None:
    """As over the line: one calls, both hear."""
    now = one.node.clock.now()
    answer = other.desk.answer(other.bond, one.desk.beat(one.bond, now=now), now=now)
    one.desk.hear(one.bond, answer, now=now)


def pass_s(seconds: float, *sides: Side) -> None:
    for side in sides:
        side.node.clock.advance(seconds)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    with two_nodes(tmp_path) as (japan, states):
        both = Side(japan, "japan"), Side(states, "states")
        agreement = replace(agree(japan, states), clocks=Clocks(silence_s=SILENCE_S))
        for node in (japan, states):
            node.agreements[:] = [agreement]
        yield both


def test_beat_counts_sources_and_their_age_and_names_none(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    last_at = japan.node.clock.now() - timedelta(seconds=7)
    with japan.node.store.write() as tx:
        tx.save_position(Position(source="web", token={}, last_record_at=last_at))
        tx.save_position(Position(source="dns", token={}, fault="gone"))
        tx.save_position(Position(source="removed", token={}))
    exchange(japan, states)
    seen = states.view()
    assert (seen.n_sources, seen.n_watching, seen.freshest_s, seen.stalest_s) == (2, 1, 7, 7)
    body = japan.desk.beat(japan.bond, now=japan.node.clock.now())
    assert not any(name in body for name in (b"web", b"dns", b"removed"))


def test_exchange_one_call_is_heard_on_both_sides(sides: tuple[Side, Side]) -> None:
    exchange(*sides)
    now = sides[0].node.clock.now()
    assert [(one.view().heard_at, one.view().told_at) for one in sides] == [(now, now), (now, now)]


def test_look_silence_beyond_the_clock_is_one_alarm_on_both_sides(sides: tuple[Side, Side]) -> None:
    exchange(*sides)
    pass_s(SILENCE_S + 1, *sides)
    for side in sides:
        side.look()
        side.look()
        (incident,) = side.incidents()
        assert (incident.status, side.view().silent_at) == (Status.OPEN, side.node.clock.now())
        with side.node.store.read() as reading:
            (alert,) = reading.alerts(Page(limit=10))[0]
        assert (alert.content_id, alert.title) == (CODE, "An ally is silent")


def test_look_silence_within_the_clock_is_none(sides: tuple[Side, Side]) -> None:
    exchange(*sides)
    pass_s(SILENCE_S, *sides)
    sides[0].look()
    assert sides[0].incidents() == []


def test_look_heard_again_ends_the_alarm_by_itself_and_a_new_silence_is_a_new_one(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    for _ in range(2):
        exchange(*sides)
        japan.look()
        pass_s(SILENCE_S + 1, *sides)
        japan.look()
    assert sorted(one.status for one in japan.incidents()) == [Status.CLOSED, Status.OPEN]
    closed = next(one for one in japan.incidents() if one.status is Status.CLOSED)
    assert closed.closed_why == "node: states is heard again"


def test_look_alarm_that_somebody_owns_stays_open(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    pass_s(SILENCE_S + 1, *sides)
    japan.look()
    with japan.node.store.write() as tx:
        tx.save_incidents([replace(japan.incidents()[0], owner="sato")])
    exchange(*sides)
    japan.look()
    assert japan.incidents()[0].status is Status.OPEN
    assert japan.view().silent_at is None


def test_look_ally_never_heard_counts_from_our_start(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    pass_s(SILENCE_S + 1, *sides)
    japan.desk = japan.begun()
    japan.look()
    assert japan.incidents() == []
    pass_s(SILENCE_S + 1, *sides)
    japan.look()
    assert len(japan.incidents()) == 1


def test_look_restart_of_ours_does_not_end_an_alarm(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    exchange(*sides)
    pass_s(SILENCE_S + 1, *sides)
    japan.look()
    japan.desk = japan.begun()
    japan.look()
    assert japan.incidents()[0].status is Status.OPEN


def test_look_agreement_without_a_clock_has_the_usual_one(sides: tuple[Side, Side]) -> None:
    japan, _ = sides
    agree(*(side.node for side in sides))
    pass_s(USUAL_SILENCE_S, *sides)
    japan.look()
    assert japan.incidents() == []
    pass_s(1, *sides)
    japan.look()
    assert len(japan.incidents()) == 1


def test_take_replayed_and_forged_beats_do_not_break_the_silence(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    old = states.desk.beat(states.bond, now=states.node.clock.now())
    japan.desk.hear(japan.bond, old, now=japan.node.clock.now())
    pass_s(SILENCE_S + 1, *sides)
    forged = msgspec.json.decode(states.desk.beat(states.bond, now=states.node.clock.now()), type=SignedBeat)
    forged = replace(forged, beat=replace(forged.beat, n_watching=9))
    for body, code in ((old, "AMG-BEAT-OLD"), (msgspec.json.encode(forged), "AMG-BEAT-FORGED")):
        japan.desk.hear(japan.bond, body, now=japan.node.clock.now())
        assert japan.view().fault == code
    japan.look()
    assert len(japan.incidents()) == 1


def test_carried_beat_tells_of_when_it_was_written(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    written_at = states.node.clock.now()
    signed = states.desk.signed(states.bond, now=written_at)
    pass_s(100, *sides)
    japan.desk.carried(japan.bond, signed, now=japan.node.clock.now())
    assert (japan.view().heard_at, japan.view().told_at) == (written_at, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000, b'{"beat":{},"signature":""}', b" " * 5_000])
def test_hear_what_is_no_beat_is_bad_input(sides: tuple[Side, Side], body: bytes) -> None:
    with pytest.raises(BadInputError, match="AMG-BEAT-FORM"):
        sides[0].desk.hear(sides[0].bond, body, now=sides[0].node.clock.now())


def test_fetching_exchanges_beats_over_the_line(sides: tuple[Side, Side]) -> None:
    japan, states = sides
    node = states.node

    async def run() -> None:
        async with AsyncExitStack() as stack:
            deps = TaxiiDeps(
                store=node.store, book=node.book, signals=node.signals, clock=node.clock, hearts=states.desk
            )
            door = AllyDoor(build_taxii(deps), certificate=node.papers.certificate, key=node.papers.key)
            await door.start("127.0.0.1", 0, [japan.node.papers.pem])
            stack.push_async_callback(door.stop)
            line = japan.node.line_to(node, door.address)
            stack.push_async_callback(line.close)
            own = japan.node
            given = DeliveryDeps(
                store=own.store,
                book=own.book,
                clock=own.clock,
                signals=own.signals,
                jitter=lambda: 1.0,
                hearts=japan.desk,
            )
            await Fetching(node.party.id, line, given, is_up=lambda: True).step()

    asyncio.run(run())
    now = japan.node.clock.now()
    assert [(one.view().heard_at, one.view().n_sources) for one in sides] == [(now, 2), (now, 2)]

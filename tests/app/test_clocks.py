"""A clock of the agreement that runs out is an alarm on the side that must act and on the one that waits, and ends."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from amagasa.app.clocks import Clock, look_at_clocks, missed_of
from amagasa.app.consulting import Answer, answer, follow, talks_of
from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import Crossing, CrossingState, Direction
from amagasa.app.recording import record
from amagasa.intel.build import EXTENSION_ID
from amagasa.share.agreement import Agreement
from amagasa.share.ledger import Act
from amagasa.share.terms import Clocks
from amagasa.vocab.errors import BadInputError, DeniedError
from tests.app.sides import Side
from tests.entry.link_world import agree, two_nodes

OFFICER = Actor(name="yuki", roles=frozenset({Role.WATCH_OFFICER}))
INCIDENT = "incident--00000000-0000-4000-8000-000000000001"


class Pair:
    """Japan gives, the United States take."""

    def __init__(self, japan: Any, states: Any) -> None:
        self.japan, self.states = Side(japan, 1), Side(states, 2)
        self.under(Clocks())

    def under(self, clocks: Clocks, **more: Any) -> Agreement:
        agreement = replace(agree(self.japan.node, self.states.node), clocks=clocks, **more)
        for side in (self.japan, self.states):
            side.node.agreements[:] = [agreement]
        return agreement

    def advance(self, seconds: float) -> None:
        for side in (self.japan, self.states):
            side.node.clock.advance(seconds)

    def look(self) -> None:
        for side in (self.japan, self.states):
            node = side.node
            look_at_clocks(node.store, node.signals, node.book, now=node.clock.now())

    def missed(self, side: Side) -> list[tuple[Clock, bool]]:
        with side.node.store.read() as reading:
            return [(one.clock, one.is_ours) for one in missed_of(reading, side.name)]

    def cross(self, object_id: str, content: bytes = b"{}") -> None:
        """Given by Japan, taken by the United States."""
        for side, way, state in (
            (self.japan, Direction.OUT, CrossingState.DELIVERED),
            (self.states, Direction.IN, CrossingState.ADMITTED),
        ):
            now = side.node.clock.now()
            crossing = Crossing(
                ally=side.bond.ally.id,
                agreement=side.name,
                direction=way,
                state=state,
                object_id=object_id,
                object_type=object_id.partition("--")[0],
                version="1",
                content=content,
                created_at=now,
            )
            with side.node.store.write() as tx:
                tx.add_crossing(crossing)
                record(tx, side.bond, [crossing], now=now)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with two_nodes(tmp_path) as nodes:
        yield Pair(*nodes)


def serious(severity: int = 4) -> bytes:
    return msgspec.json.encode({"extensions": {EXTENSION_ID: {"severity": severity}}})


def test_share_late_is_an_alarm_on_both_sides_and_ends_when_it_has_left(pair: Pair) -> None:
    pair.under(Clocks(share_within_s=60))
    (waiting,) = pair.japan.node.release([pair.japan.node.indicator()])
    pair.advance(61)
    pair.look()
    pair.japan.ask(pair.states)
    pair.look()
    assert pair.missed(pair.japan) == [(Clock.SHARE, True)]
    assert pair.missed(pair.states) == [(Clock.SHARE, False)]
    assert (pair.japan.alarms(), pair.states.alarms()) == (["AMG-CLOCK-SHARE"], ["AMG-CLOCK-SHARE"])
    assert [leaf.act for leaf in pair.states.leaves()][-1] is Act.ALARM
    with pair.japan.node.store.write() as tx:
        tx.update_crossing(replace(waiting, state=CrossingState.DELIVERED, delivered_at=pair.japan.node.clock.now()))
    pair.look()
    pair.japan.ask(pair.states)
    pair.look()
    assert (pair.missed(pair.japan), pair.missed(pair.states)) == ([], [])


def test_share_in_time_is_no_alarm(pair: Pair) -> None:
    pair.under(Clocks(share_within_s=60))
    pair.japan.node.release([pair.japan.node.indicator()])
    pair.advance(60)
    pair.look()
    assert pair.missed(pair.japan) == []


def test_missed_clock_is_one_alarm_however_often_it_is_looked_at(pair: Pair) -> None:
    pair.under(Clocks(share_within_s=60))
    pair.japan.node.release([pair.japan.node.indicator()])
    pair.advance(61)
    for _ in range(3):
        pair.look()
        pair.advance(5)
    assert pair.japan.alarms() == ["AMG-CLOCK-SHARE"]
    assert [leaf.act for leaf in pair.japan.leaves()].count(Act.ALARM) == 1


def test_acknowledgement_late_is_an_alarm_on_both_sides_until_heads_were_exchanged(pair: Pair) -> None:
    pair.under(Clocks(acknowledge_within_s=30))
    pair.cross("sighting--00000000-0000-4000-8000-000000000001")
    pair.advance(31)
    pair.look()
    assert pair.missed(pair.japan) == [(Clock.ACKNOWLEDGE, False)]
    assert pair.missed(pair.states) == [(Clock.ACKNOWLEDGE, True)]
    pair.japan.ask(pair.states)
    pair.japan.ask(pair.states)
    pair.look()
    assert (pair.missed(pair.japan), pair.missed(pair.states)) == ([], [])


def test_half_of_the_clock_of_acknowledging_makes_the_heads_urgent(pair: Pair) -> None:
    pair.under(Clocks(acknowledge_within_s=30))
    pair.cross("sighting--00000000-0000-4000-8000-000000000001")
    states = pair.states
    assert not states.desk.is_urgent(states.bond, now=states.node.clock.now())
    pair.advance(16)
    assert states.desk.is_urgent(states.bond, now=states.node.clock.now())


def test_no_word_on_a_serious_incident_is_an_alarm_on_both_sides_until_it_is_said(pair: Pair) -> None:
    pair.under(Clocks(consult_within_s=600))
    pair.cross(INCIDENT, serious())
    pair.look()
    pair.advance(601)
    pair.look()
    assert pair.missed(pair.japan) == [(Clock.CONSULT, False)]
    assert pair.missed(pair.states) == [(Clock.CONSULT, True)]
    node = pair.states.node
    answer(node.store, node.signals, OFFICER, node.book, object_id=INCIDENT, word=Answer.WORKING, now=node.clock.now())
    pair.states.ask(pair.japan)
    pair.look()
    assert (pair.missed(pair.japan), pair.missed(pair.states)) == ([], [])
    with pair.japan.node.store.read() as reading:
        (talk,) = talks_of(reading, pair.japan.name)
    assert talk.word is not None
    assert talk.word.answer is Answer.WORKING
    for side in (pair.japan, pair.states):
        assert [leaf.why for leaf in side.leaves() if leaf.act is Act.CONSULTATION] == ["first word: working"]


@pytest.mark.parametrize(
    "content", [serious(3), b"{}", b"[]", b"\xff", b'{"extensions": 7}', b'{"extensions": {"a": 1}}']
)
def test_incident_that_is_not_serious_wants_no_word(pair: Pair, content: bytes) -> None:
    pair.under(Clocks(consult_within_s=600))
    pair.cross(INCIDENT, content)
    pair.advance(601)
    pair.look()
    assert (pair.missed(pair.japan), pair.missed(pair.states)) == ([], [])


def test_word_on_what_no_ally_gave_is_refused(pair: Pair) -> None:
    node = pair.japan.node
    with pytest.raises(BadInputError, match="AMG-CONSULT-UNKNOWN"):
        answer(node.store, node.signals, OFFICER, node.book, object_id="x", word=Answer.SEEN, now=node.clock.now())
    with pytest.raises(DeniedError):
        answer(
            node.store,
            node.signals,
            Actor(name="x", roles=frozenset({Role.AUDITOR})),
            node.book,
            object_id="x",
            word=Answer.SEEN,
            now=node.clock.now(),
        )


def test_word_is_no_word_on_what_this_side_gave(pair: Pair) -> None:
    pair.under(Clocks(consult_within_s=600))
    pair.cross(INCIDENT, serious())
    node = pair.japan.node
    with pytest.raises(BadInputError):
        answer(node.store, node.signals, OFFICER, node.book, object_id=INCIDENT, word=Answer.SEEN, now=node.clock.now())


def test_incidents_that_crossed_are_looked_at_once(pair: Pair) -> None:
    pair.under(Clocks(consult_within_s=600))
    pair.cross(INCIDENT, serious())
    for _ in range(2):
        with pair.japan.node.store.write() as tx:
            follow(tx, pair.japan.bond, now=pair.japan.node.clock.now())
            assert len(talks_of(tx, pair.japan.name)) == 1


@pytest.mark.parametrize(("days", "severity"), [(31, None), (30, "LOW"), (7, "MEDIUM"), (1, "HIGH"), (0.5, "HIGH")])
def test_end_of_an_agreement_is_told_ahead_on_both_sides(pair: Pair, days: float, severity: str | None) -> None:
    agreement = pair.under(Clocks())
    end = pair.japan.node.clock.now() + timedelta(days=days)
    for side in (pair.japan, pair.states):
        began = agreement.valid_from_at - timedelta(days=400)
        side.node.agreements[:] = [replace(agreement, valid_from_at=began, valid_until_at=end)]
    pair.look()
    for side in (pair.japan, pair.states):
        assert side.severities() == ([] if severity is None else [severity])


def test_renewal_that_is_overdue_by_the_clock_of_the_agreement_is_told(pair: Pair) -> None:
    agreement = pair.under(Clocks(renew_by_days=90))
    end = pair.japan.node.clock.now() + timedelta(days=89)
    pair.japan.node.agreements[:] = [
        replace(agreement, valid_from_at=agreement.valid_from_at - timedelta(days=400), valid_until_at=end)
    ]
    pair.look()
    assert pair.japan.alarms() == ["AMG-CLOCK-RENEW"]


def test_agreement_that_is_followed_by_another_wants_no_renewal(pair: Pair) -> None:
    agreement = pair.under(Clocks())
    now = pair.japan.node.clock.now()
    end = now + timedelta(days=3)
    old = replace(agreement, valid_from_at=now - timedelta(days=400), valid_until_at=end)
    new = replace(agreement, id="next", valid_from_at=end, valid_until_at=end + timedelta(days=365))
    pair.japan.node.agreements[:] = [old, new]
    pair.look()
    assert pair.japan.alarms() == []

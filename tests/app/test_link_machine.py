"""A model of the link: whatever happens on the way, both sides come to the same state. The real code on both sides.

The model is only what each party said last of each object. Envelopes are dropped, doubled, replayed late, answered into
nothing; nodes restart, clocks differ and jump, the line is cut; parts of couriers are read in any order and again.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.courier import CourierDesk
from amagasa.app.delivery import Delivery, DeliveryDeps
from amagasa.app.fetching import Fetching, fates_of, settle, waiting_for
from amagasa.app.link_ports import Polled, Pushed
from amagasa.app.pages import Page
from amagasa.app.permissions import NODE
from amagasa.app.ports import Bond, CrossingState, Direction
from amagasa.app.receiving import receive
from amagasa.app.sharing import version_of
from amagasa.share.terms import Role
from amagasa.share.verdict import Released
from amagasa.vocab.errors import WorldError
from tests.entry.link_papers import NOW
from tests.entry.link_world import Node, agree
from tests.share.cards import keys

OBJECTS = 2
WAYS = ("whole", "lost", "late", "answer lost", "twice")
sides = st.integers(0, 1)
numbers = st.integers(1, OBJECTS)


class Wire:
    """The line from one node to the other, with what befalls an envelope on it. Lies in the memory of this process."""

    def __init__(self, giver: "Party", taker: "Party") -> None:
        self.giver, self.taker = giver, taker
        self.way = "whole"
        self.is_cut = False
        self.sent: list[list[Any]] = []

    async def greet(self) -> None:
        self._pass()

    async def push(self, objects: Sequence[Released]) -> Pushed:
        self._pass()
        envelope = [msgspec.json.decode(one.content) for one in objects]
        if self.way == "lost":
            raise _broken()
        if self.way == "late":
            self.sent.append(envelope)
            raise _broken()
        answer = self.taker.takes(envelope)
        if self.way == "twice":
            answer = self.taker.takes(envelope)
        self.sent.append(envelope)
        if self.way == "answer lost":
            raise _broken()
        return answer

    async def poll(self, *, added_after: str, limit: int) -> Polled:
        raise NotImplementedError

    async def exchange_heads(self, question: bytes) -> bytes | None:
        del question
        return None

    async def exchange_beats(self, beat: bytes) -> bytes | None:
        del beat
        return None

    async def fetch_waiting(self) -> bytes | None:
        self._pass()
        if self.way in {"lost", "late"}:
            raise _broken()
        other = self.taker
        return waiting_for(other.node.store, other.bond, now=other.node.clock.now())

    async def tell_fates(self, fates: bytes) -> None:
        if self.way in {"answer lost", "twice"}:
            raise _broken()
        other = self.taker
        settle(other.node.store, other.node.signals, other.bond, fates_of(fates), now=other.node.clock.now())

    async def close(self) -> None:
        pass

    def _pass(self) -> None:
        if self.is_cut:
            raise WorldError("AMG-LINK-DOWN", "the line is cut")


def _broken() -> WorldError:
    return WorldError("AMG-LINK-BROKEN", "the line broke")


def pattern_of(told: dict[str, Any]) -> str:
    """What a party that holds it looks with."""
    return "" if "revoked" in told else str(told["pattern"])


class Party:
    """A node, its deliveries, and what it said last of each of its objects."""

    def __init__(self, folder: Path, name: str, role: Role) -> None:
        self.node = Node(folder, name, "XX", role)
        self.node.party = replace(self.node.party, key=keys(name).public_key)
        self.name = name
        self.said: dict[int, dict[str, Any]] = {}
        self.at_s: dict[int, float] = {}
        self.n_said = 0
        self.wire: Wire
        self.delivery: Delivery
        self.parts: list[bytes] = []

    @property
    def bond(self) -> Bond:
        (bond,) = self.node.book.bonds()
        return bond

    def begin(self) -> None:
        """As a start of the node does: nothing is known but what the store holds."""
        self.delivery = Delivery(self.wire.taker.node.party.id, self.wire, self._deps())

    def restart(self) -> None:
        self.node.store.close()
        self.node.store = open_store(self.node.path)
        self.begin()

    def says(self, number: int, **more: Any) -> None:
        """A new version of one of its objects, later than all before."""
        self.n_said += 1
        since_s = (self.node.clock.now() - NOW).total_seconds()
        self.at_s[number] = max(since_s, self.at_s.get(number, 0.0) + 0.001)
        told = self.node.indicator(number, seconds=self.at_s[number])
        told |= {"pattern": f"[ipv4-addr:value = '198.51.100.{self.n_said % 250}']"} | more
        self.node.release([told])
        self.said[number] = told

    def takes(self, envelope: Sequence[Any]) -> Pushed:
        node = self.node
        received = receive(node.store, node.signals, self.bond.ally.id, envelope, book=node.book, now=node.clock.now())
        taken = tuple(one.object_id for one in received.taken)
        return Pushed(taken=taken, refused=tuple((one.object_id, one.why) for one in received.refused))

    def desk(self) -> CourierDesk:
        node = self.node
        return CourierDesk(
            store=node.store, signals=node.signals, book=node.book, party=node.party.id, box=keys(self.name)
        )

    def fetch(self) -> None:
        fetching = Fetching(self.bond.ally.id, self.wire, self._deps(), is_up=lambda: True)
        with contextlib.suppress(WorldError):
            asyncio.run(fetching.step())

    def held(self) -> dict[str, tuple[str, str]]:
        """What it holds of the other's objects: the newest version of each, and the pattern that it looks with."""
        with self.node.store.read() as reading:
            page, _ = reading.objects_page(Page(limit=500), origin=self.bond.ally.id, object_type="indicator")
            looked_with = {
                one.id: msgspec.json.decode(one.text)["pattern"] for one in reading.content() if one.is_active
            }
            newest = reading.objects({one.id for one in page})
        for one in newest:
            told = msgspec.json.decode(one.body)
            assert looked_with.get(one.id, "") == pattern_of(told)
        return {one.id: (one.version, looked_with.get(one.id, "")) for one in newest}

    def _deps(self) -> DeliveryDeps:
        node = self.node
        return DeliveryDeps(
            store=node.store, book=node.book, clock=node.clock, signals=node.signals, jitter=lambda: 1.0
        )


class LinkMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        first, second = Party(folder, "japan", Role.SUPPORTED), Party(folder, "states", Role.SUPPORTING)
        self.parties = (first, second)
        agree(first.node, second.node)
        for giver, taker in ((first, second), (second, first)):
            giver.wire = Wire(giver, taker)
            giver.begin()
        self.newest_seen: dict[tuple[int, str], str] = {}

    @rule(side=sides, number=numbers, is_taken_back=st.booleans())
    def say(self, side: int, number: int, is_taken_back: bool) -> None:  # noqa: FBT001 - a draw
        party = self.parties[side]
        if is_taken_back and number in party.said:
            party.says(number, revoked=True)
        else:
            party.says(number)

    @rule(side=sides, way=st.sampled_from(WAYS), is_due=st.booleans())
    def push(self, side: int, way: str, is_due: bool) -> None:  # noqa: FBT001 - a draw
        party = self.parties[side]
        if is_due:
            for each in self.parties:
                each.node.clock.advance(61)
        party.wire.way = way
        asyncio.run(party.delivery.step())
        party.wire.way = "whole"

    @rule(side=sides, way=st.sampled_from(WAYS))
    def fetch(self, side: int, way: str) -> None:
        party = self.parties[side]
        party.wire.way = way
        party.fetch()
        party.wire.way = "whole"

    @rule(side=sides, number=numbers, is_taken_back=st.booleans())
    def late_version_is_overtaken(self, side: int, number: int, is_taken_back: bool) -> None:  # noqa: FBT001 - a draw
        self.say(side, number, is_taken_back=False)
        self.push(side, "late", is_due=True)
        self.say(side, number, is_taken_back=is_taken_back)
        self.push(side, "whole", is_due=True)

    @rule(side=sides)
    def old_envelopes_arrive(self, side: int) -> None:
        """For the first time, where they were late, or again; the oldest last."""
        wire = self.parties[side].wire
        for envelope in wire.sent[::-1]:
            wire.taker.takes(envelope)

    @rule(side=sides)
    def write_courier(self, side: int) -> None:
        party, other = self.parties[side], self.parties[1 - side]
        made = party.desk().write(NODE, other.node.party.id, courier="", part=1, after=0, now=party.node.clock.now())
        if made.content:
            party.parts.append(made.content)

    @rule(side=sides, data=st.data())
    def read_courier(self, side: int, data: st.DataObject) -> None:
        party, other = self.parties[side], self.parties[1 - side]
        if other.parts:
            part = data.draw(st.sampled_from(other.parts))
            answer = party.desk().read(NODE, part, now=party.node.clock.now()).answer
            if answer:
                party.parts.append(answer)

    @rule(seconds=st.floats(0.5, 4_000))
    def time_passes(self, seconds: float) -> None:
        for party in self.parties:
            party.node.clock.advance(seconds)

    @rule(side=sides, seconds=st.floats(-250, 250))
    def clock_is_set(self, side: int, seconds: float) -> None:
        """The clocks never differ by more than the ten minutes that `share.admit` grants."""
        here, there = (self.parties[each].node.clock for each in (side, 1 - side))
        here.advance((there.now() - here.now()).total_seconds() + seconds)

    @rule(side=sides)
    def restart(self, side: int) -> None:
        self.parties[side].restart()

    @rule(is_cut=st.booleans())
    def partition(self, is_cut: bool) -> None:  # noqa: FBT001 - a draw
        for party in self.parties:
            party.wire.is_cut = is_cut

    @invariant()
    def nothing_goes_back_to_an_older_version(self) -> None:
        for side, party in enumerate(self.parties):
            for identifier, (version, _) in party.held().items():
                assert version >= self.newest_seen.get((side, identifier), "")
                self.newest_seen[side, identifier] = version

    def teardown(self) -> None:
        """The line is whole again, and time passes: both sides hold what the other said last, and look with it."""
        try:
            for party in self.parties:
                party.wire.is_cut, party.wire.way = False, "whole"
            for _ in range(4):
                for party in self.parties:
                    party.node.clock.advance(70)
                    asyncio.run(party.delivery.step())
            for giver, taker in (self.parties, self.parties[::-1]):
                wanted = {
                    one["id"]: (version_of(one), "" if "revoked" in one else one["pattern"])
                    for one in giver.said.values()
                }
                assert taker.held() == wanted
                assert {one.state for one in giver.node.crossings(Direction.OUT)} <= {CrossingState.DELIVERED}
        finally:
            for party in self.parties:
                party.node.store.close()
            self._folder.cleanup()


TestLinkMachine = LinkMachine.TestCase
TestLinkMachine.settings = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import msgspec
import pytest

from amagasa.app.delivery import BATCH, Delivery, LineState, OutboxBell, meta_key
from amagasa.app.link_ports import Polled, Pushed
from amagasa.app.ports import CrossingState, Reading, Store
from amagasa.app.signals import Signals
from amagasa.share.agreement import Consent
from amagasa.share.verdict import Released
from amagasa.vocab.errors import WorldError
from amagasa.vocab.tlp import Tlp
from tests.entry.link_world import Node, agree, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


class Scripted:
    """A line which keeps what it was given. It takes everything unless told otherwise."""

    def __init__(self) -> None:
        self.pushed: list[list[Released]] = []
        self.is_away = False
        self.refuses: dict[str, str] = {}
        self.says_nothing = False
        self.n_greeted = 0

    async def greet(self) -> None:
        self.n_greeted += 1
        if self.is_away:
            raise WorldError("AMG-LINK-DOWN", "states cannot be reached")

    async def push(self, objects: Sequence[Released]) -> Pushed:
        self.pushed.append(list(objects))
        if self.is_away:
            raise WorldError("AMG-LINK-DOWN", "states cannot be reached")
        if self.says_nothing:
            return Pushed(taken=(), refused=())
        taken = tuple(one.object_id for one in objects if one.object_id not in self.refuses)
        return Pushed(taken=taken, refused=tuple(self.refuses.items()))

    async def poll(self, *, added_after: str, limit: int) -> Polled:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    def objects(self, number: int) -> list[str]:
        """Identifiers in that push, without the companions."""
        return [one.object_id for one in self.pushed[number] if one.clause != "companions"]


def step(delivery: Delivery) -> float:
    return asyncio.run(delivery.step())


def setup(nodes: tuple[Node, Node]) -> tuple[Node, Scripted, Delivery]:
    line = Scripted()
    return nodes[0], line, nodes[0].delivery_to(nodes[1], line)


def test_delivery_pending_is_pushed_with_its_companions_and_marked(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    indicator = japan.indicator()
    japan.release([indicator])
    assert step(delivery) == 30
    (crossing,) = japan.crossings()
    assert (crossing.state, crossing.delivered_at) == (CrossingState.DELIVERED, japan.clock.now())
    kinds = [one.object_type for one in line.pushed[0]]
    assert kinds == ["marking-definition", "identity", "indicator"]
    assert (delivery.state.is_up, delivery.state.n_pending) == (True, 0)


def test_delivery_companions_are_told_once_and_again_after_the_line_broke(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    for number in (1, 2):
        japan.release([japan.indicator(number)])
        step(delivery)
    line.is_away = True
    japan.release([japan.indicator(3)])
    step(delivery)
    line.is_away = False
    japan.clock.advance(5)
    step(delivery)
    assert [len(push) for push in line.pushed] == [3, 1, 1, 3]


def test_delivery_wanting_and_withheld_stay(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    japan.release([japan.indicator(1, marking=Tlp.RED)])
    agree(*nodes, consent=Consent.RELEASE_OFFICER)
    japan.release([japan.indicator(2)])
    step(delivery)
    assert line.pushed == []


def test_delivery_ally_away_backs_off_and_delivers_once_when_it_is_back(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    japan.release([japan.indicator(1)])
    waits = []
    for _ in range(9):
        waits.append(step(delivery))
        japan.clock.advance(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    (crossing,) = japan.crossings()
    assert (crossing.state, crossing.n_tries) == (CrossingState.PENDING, 9)
    assert "AMG-LINK-DOWN" in crossing.why
    assert (delivery.state.is_up, delivery.state.n_pending, delivery.state.n_failures) == (False, 1, 9)
    line.is_away = False
    line.pushed.clear()
    step(delivery)
    step(delivery)
    assert len(line.pushed) == 1
    assert japan.crossings()[0].state is CrossingState.DELIVERED


def test_delivery_bell_during_back_off_does_not_try_earlier(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    japan.release([japan.indicator(1)])
    step(delivery)
    japan.release([japan.indicator(2)])
    japan.clock.advance(0.25)
    assert step(delivery) == 0.75
    assert len(line.pushed) == 1


def test_delivery_back_from_outage_sends_what_waits_for_its_next_try_too(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    japan.release([japan.indicator(1)])
    for _ in range(5):
        japan.clock.advance(step(delivery))
    restarted = japan.delivery_to(nodes[1], line)
    line.is_away = False
    step(restarted)
    assert [one.state for one in japan.crossings()] == [CrossingState.DELIVERED]


def test_delivery_says_since_when_the_line_is_down_or_up(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    began_at = japan.clock.now()
    japan.release([japan.indicator(1)])
    for _ in range(3):
        japan.clock.advance(step(delivery))
    assert (delivery.state.is_up, delivery.state.since_at) == (False, began_at)
    line.is_away = False
    back_at = japan.clock.now()
    for _ in range(2):
        japan.clock.advance(step(delivery))
    assert (delivery.state.is_up, delivery.state.since_at) == (True, back_at)


def test_delivery_line_state_is_kept_and_published(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    japan.release([japan.indicator(1)])
    step(delivery)
    with japan.store.read() as reading:
        kept = reading.meta(meta_key(nodes[1].party.id))
    assert kept is not None
    assert msgspec.json.decode(kept, type=LineState) == delivery.state
    assert ("link", msgspec.to_builtins(delivery.state)) in japan.heard


def test_delivery_refused_object_fails_with_the_allys_reason_and_the_rest_goes(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    bad, good = japan.indicator(1), japan.indicator(2)
    line.refuses[bad["id"]] = "no clause\x1b[31m"
    japan.release([bad, good])
    step(delivery)
    failed, delivered = japan.crossings()
    assert (failed.state, failed.why) == (CrossingState.FAILED, "refused by the ally: no clause\\x1b[31m")
    assert delivered.state is CrossingState.DELIVERED
    step(delivery)
    assert len(line.pushed) == 1


def test_delivery_object_the_ally_says_nothing_about_is_tried_again(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    line.says_nothing = True
    japan.release([japan.indicator()])
    assert step(delivery) == 1
    line.says_nothing = False
    japan.clock.advance(1)
    step(delivery)
    assert japan.crossings()[0].state is CrossingState.DELIVERED


def test_delivery_growth_while_in_flight_is_sent_after_the_throttle(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    japan.release([japan.sighting(n_seen=1)])

    class Growing(Scripted):
        async def push(self, objects: Sequence[Released]) -> Pushed:
            if not self.pushed:
                japan.clock.advance(1)
                japan.release([japan.sighting(n_seen=9, seconds=1)])
            return await super().push(objects)

    growing = Growing()
    delivery = japan.delivery_to(states, growing)
    assert step(delivery) == 10
    (waiting,) = japan.crossings()
    assert (waiting.state, b'"count":9' in waiting.content) == (CrossingState.PENDING, True)
    japan.clock.advance(10)
    step(delivery)
    assert len(growing.pushed) == 2
    assert b'"count":9' in growing.pushed[1][-1].content


def test_delivery_throttled_growth_waits_for_its_instant(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    japan.release([japan.sighting(n_seen=1)])
    step(delivery)
    japan.clock.advance(4)
    japan.release([japan.sighting(n_seen=2, seconds=4)])
    assert step(delivery) == 6
    assert len(line.pushed) == 1
    japan.clock.advance(6)
    step(delivery)
    assert len(line.pushed) == 2


def test_delivery_agreement_that_ended_holds_the_outbox(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    japan.release([japan.indicator()])
    japan.clock.advance(3651 * 86400)
    step(delivery)
    assert line.pushed == []
    assert japan.crossings()[0].state is CrossingState.PENDING
    assert (delivery.state.is_up, delivery.state.why) == (False, "no agreement with this ally is in force")


def test_delivery_clause_amended_away_withholds_what_waited(nodes: tuple[Node, Node]) -> None:
    japan, _, delivery = setup(nodes)
    japan.release([japan.indicator(), japan.sighting()])
    agree(*nodes, ceiling=Tlp.GREEN, version=2)
    step(delivery)
    withheld, delivered = japan.crossings()
    assert (withheld.state, delivered.state) == (CrossingState.WITHHELD, CrossingState.DELIVERED)
    assert "no longer stands" in withheld.why


def test_delivery_many_go_in_batches(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    japan.release([japan.indicator(number) for number in range(1, BATCH + 12)])
    step(delivery)
    assert [len(line.objects(number)) for number in range(len(line.pushed))] == [BATCH, 11]


def test_delivery_large_objects_go_in_batches_by_size(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    japan.release([japan.indicator(number, description="x" * 200_000) for number in range(1, 31)])
    step(delivery)
    assert [len(line.objects(number)) for number in range(len(line.pushed))] == [20, 10]


def test_delivery_quiet_line_is_greeted_and_its_state_is_true(nodes: tuple[Node, Node]) -> None:
    japan, line, delivery = setup(nodes)
    assert step(delivery) == 30
    assert (delivery.state.is_up, line.n_greeted) == (True, 1)
    japan.clock.advance(10)
    assert step(delivery) == 20
    assert line.n_greeted == 1
    line.is_away = True
    japan.clock.advance(20)
    assert step(delivery) == 1
    assert (delivery.state.is_up, delivery.state.n_failures) == (False, 1)
    with japan.store.read() as reading:
        assert reading.meta(meta_key(nodes[1].party.id)) == msgspec.json.encode(delivery.state).decode()
    line.is_away = False
    japan.clock.advance(1)
    assert step(delivery) == 30
    assert (delivery.state.is_up, delivery.state.why, line.pushed) == (True, "", [])


class Hiccup:
    """A store whose first read fails, as a full disk or a lock would make it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._has_failed = False
        self.write = store.write

    def read(self) -> AbstractContextManager[Reading]:
        if not self._has_failed:
            self._has_failed = True
            raise WorldError("AMG-STORE-LOCKED", "another process holds the store")
        return self._store.read()


class TwoWaits:
    """A bell that moves the clock and ends the delivery at its second wait."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.waits: list[float] = []

    async def wait(self, timeout_s: float) -> None:
        self.waits.append(timeout_s)
        self._node.clock.advance(timeout_s)
        if len(self.waits) == 2:
            raise asyncio.CancelledError


def test_delivery_store_that_fails_is_a_back_off_and_not_the_end(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    japan.release([japan.indicator()])
    store = japan.store
    japan.store = cast("Store", Hiccup(store))
    delivery, bell = japan.delivery_to(states, Scripted()), TwoWaits(japan)
    japan.store = store
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(delivery.run(bell))
    assert bell.waits == [1, 30]
    assert japan.crossings()[0].state is CrossingState.DELIVERED


def test_bell_rings_for_its_own_ally_from_another_thread() -> None:
    async def run() -> tuple[bool, bool]:
        signals = Signals()
        bell = OutboxBell(signals, "states")
        await asyncio.to_thread(signals.publish, "outbox", {"ally": "other"})
        await asyncio.to_thread(signals.publish, "alert", {})
        waiting = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        was_silent = not waiting.done()
        await asyncio.to_thread(signals.publish, "outbox", {"ally": "states"})
        await waiting
        bell.close()
        await bell.wait(0.001)
        return was_silent, waiting.done()

    assert asyncio.run(run()) == (True, True)


def test_delivery_far_behind_takes_back_first_and_what_is_new_goes_with_the_first_batch(
    nodes: tuple[Node, Node],
) -> None:
    japan, line, delivery = setup(nodes)
    line.is_away = True
    japan.release([japan.indicator(number) for number in range(1_000)])
    step(delivery)
    japan.clock.advance(86_400)
    japan.release([japan.indicator(500, seconds=9, revoked=True)])
    japan.release([japan.indicator(2_000)])
    line.is_away = False
    line.pushed.clear()
    step(delivery)
    sent = [line.objects(number) for number in range(len(line.pushed))]
    assert sent[0][0] == japan.indicator(500)["id"]
    assert japan.indicator(2_000)["id"] in sent[0]
    assert [len(one) for one in sent] == [500, 500, 1]
    assert len({each for one in sent for each in one}) == 1_001

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.app.delivery import DeliveryDeps
from amagasa.app.fetching import (
    EAGER_S,
    NEVER_S,
    Fate,
    Fates,
    Fetching,
    Page,
    fates_of,
    fetched_at,
    settle,
    waiting_for,
)
from amagasa.app.link_ports import AllyLine
from amagasa.app.ports import Bond, CrossingState, Direction
from amagasa.share.agreement import Consent
from amagasa.vocab.errors import BadInputError, WorldError
from tests.entry.link_world import Node, agree, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


def fetching_of(taker: Node, giver: Node, line: AllyLine, *, is_up: bool = True) -> Fetching:
    deps = DeliveryDeps(
        store=taker.store, book=taker.book, clock=taker.clock, signals=taker.signals, jitter=lambda: 1.0
    )
    return Fetching(giver.party.id, line, deps, is_up=lambda: is_up)


def bond_of(giver: Node) -> Bond:
    (bond,) = giver.book.bonds()
    return bond


def fetch(giver: Node, taker: Node, *, times: int = 1) -> list[float]:
    """`taker` fetches from `giver` over TLS."""

    async def run() -> list[float]:
        async with AsyncExitStack() as stack:
            door = giver.door()
            await door.start("127.0.0.1", 0, [taker.papers.pem])
            stack.push_async_callback(door.stop)
            line = taker.line_to(giver, door.address)
            stack.push_async_callback(line.close)
            fetching = fetching_of(taker, giver, line)
            return [await fetching.step() for _ in range(times)]

    return asyncio.run(run())


def indicators(node: Node) -> list[str]:
    return [one.object_id for one in node.crossings(Direction.IN) if one.object_type == "indicator"]


def test_fetching_takes_what_waits_and_the_giver_notes_it(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    japan.release([japan.indicator(1), japan.indicator(2)])
    assert fetch(japan, states, times=2) == [EAGER_S, EAGER_S]
    assert indicators(states) == [japan.indicator(1)["id"], japan.indicator(2)["id"]]
    assert {(one.state, one.why) for one in japan.crossings()} == {(CrossingState.DELIVERED, "fetched by the ally")}
    with states.store.read() as reading:
        assert fetched_at(reading, japan.party.id) == states.clock.now()


def test_fetching_what_came_before_by_push_arrives_once(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator(1)])
    fetch(japan, states)
    with japan.store.write() as tx:
        tx.update_crossing(made)  # as if the node had been killed before its note
    states.heard.clear()
    fetch(japan, states)
    assert indicators(states) == [japan.indicator(1)["id"]]
    assert "content" not in {topic for topic, _ in states.heard}
    assert japan.crossings()[0].state is CrossingState.DELIVERED


def test_fetching_many_pages_come_in_one_step(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    japan.release([japan.indicator(number) for number in range(1_100)])
    fetch(japan, states)
    with states.store.read() as reading:
        assert len(reading.content()) == 1_100
    with japan.store.read() as reading:
        assert reading.n_crossings() == {(Direction.OUT, CrossingState.DELIVERED): 1_100}


def test_fetching_what_is_refused_fails_at_the_giver_with_the_reason(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (made,) = japan.release([japan.indicator(1)])
    with japan.store.write() as tx:
        spoilt = {**msgspec.json.decode(made.content), "pattern_type": "snort"}
        tx.update_crossing(msgspec.structs.replace(made, content=msgspec.json.encode(spoilt)))
    fetch(japan, states)
    (crossing,) = japan.crossings()
    assert crossing.state is CrossingState.FAILED
    assert "AMG-ADMIT-PATTERN" in crossing.why


def test_waiting_for_holds_nothing_that_wants_consent_or_is_withheld(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    japan.release([japan.indicator(1)])
    assert msgspec.json.decode(waiting_for(japan.store, bond_of(japan), now=japan.clock.now()), type=Page) == Page()


def test_settle_object_that_has_grown_meanwhile_waits_on(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    japan.release([japan.indicator(1)])
    page = msgspec.json.decode(waiting_for(japan.store, bond_of(japan), now=japan.clock.now()), type=Page)
    japan.release([japan.indicator(1, seconds=5)])
    told = [Fate(token=one.token) for one in page.waiting if one.token]
    assert settle(japan.store, japan.signals, bond_of(japan), told, now=japan.clock.now()) == 0
    assert [one.state for one in japan.crossings()] == [CrossingState.PENDING]


def test_settle_tokens_that_were_never_given_change_nothing(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    japan.release([japan.indicator(1)])
    odd = st.text(max_size=30) | st.from_regex(r"[0-9]{1,25}\.[0-9a-f]{16}", fullmatch=True)

    @given(st.lists(odd, max_size=5))
    def settled(tokens: list[str]) -> None:
        told = [Fate(token=token) for token in tokens]
        assert settle(japan.store, japan.signals, bond_of(japan), told, now=japan.clock.now()) == 0

    settled()


@given(st.binary(max_size=200))
def test_fates_of_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(BadInputError, match="AMG-FETCH-FORM"):
        fates_of(b"x" + body)


def test_fates_of_too_many_are_refused() -> None:
    many = Fates(fates=tuple(Fate(token=str(number)) for number in range(2_001)))
    with pytest.raises(BadInputError, match="2001 of them"):
        fates_of(msgspec.json.encode(many))


class Hostile:
    """An ally whose page is whatever it was given."""

    def __init__(self, *pages: bytes | None) -> None:
        self.pages = list(pages)
        self.told: list[bytes] = []
        self.n_asked = 0

    async def fetch_waiting(self) -> bytes | None:
        self.n_asked += 1
        return self.pages[min(self.n_asked, len(self.pages)) - 1]

    async def tell_fates(self, fates: bytes) -> None:
        self.told.append(fates)


def step_with(taker: Node, giver: Node, line: Hostile, *, is_up: bool = True) -> float:
    return asyncio.run(fetching_of(taker, giver, line, is_up=is_up).step())  # type: ignore[arg-type]


def test_fetching_other_product_is_not_asked_again_soon(nodes: tuple[Node, Node]) -> None:
    assert step_with(*nodes, Hostile(None)) == NEVER_S


def test_fetching_line_that_is_down_is_left_to_the_delivery(nodes: tuple[Node, Node]) -> None:
    line = Hostile(None)
    step_with(*nodes, line, is_up=False)
    assert line.n_asked == 0


def test_fetching_ally_that_says_more_for_ever_with_the_same_is_left(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    japan.release([japan.indicator(1)])
    page = msgspec.json.decode(waiting_for(japan.store, bond_of(japan), now=japan.clock.now()))
    line = Hostile(msgspec.json.encode({**page, "more": True}))
    step_with(states, japan, line)
    assert line.n_asked == 2


@pytest.mark.parametrize("page", [b"", b"[]", b"{", b'{"waiting": [{"token": 1}]}', b"[" * 100_000])
def test_fetching_page_that_cannot_be_read_is_bad_input(nodes: tuple[Node, Node], page: bytes) -> None:
    with pytest.raises(BadInputError, match="AMG-FETCH-FORM"):
        step_with(*nodes, Hostile(page))


def test_fetching_objects_that_are_none_are_refused_and_bring_nothing(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    objects: tuple[object, ...] = (None, [], "x", {"id": 5}, {"id": "indicator--x"})
    odd = [{"token": "1.a", "object": one} for one in objects]
    line = Hostile(msgspec.json.encode({"waiting": odd}))
    step_with(states, japan, line)
    assert indicators(states) == []
    assert "AMG-ADMIT-SHAPE" in line.told[0].decode()


def test_fetching_run_line_that_breaks_is_asked_more_seldom(nodes: tuple[Node, Node]) -> None:
    class Broken(Hostile):
        async def fetch_waiting(self) -> bytes | None:
            raise WorldError("AMG-LINK-DOWN", "states cannot be reached")

    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            raise asyncio.CancelledError

    japan, states = nodes
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(fetching_of(states, japan, Broken()).run(pause))  # type: ignore[arg-type]
    assert pauses == [1, 2, 4, 8, 16, 30, 30]

"""The link between two nodes, over real sockets with real certificates: what one releases is the other's at once."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
import stix2
import stix2validator
from msgspec.structs import replace
from tests.entry.link_papers import make_agreement, make_papers
from tests.entry.link_world import Node, agree, at_address, two_nodes

from amagasa.app.delivery import DeliveryDeps
from amagasa.app.ports import Crossing, CrossingState, Direction
from amagasa.entry.allies.links import AllyLinks
from amagasa.entry.allies.tls import ally_client_context
from amagasa.entry.allies.wire import TAXII
from amagasa.entry.wiring import ally_line
from amagasa.vocab.tlp import Tlp

_T = TypeVar("_T")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


class Hearing:
    """Waits until a node publishes what is waited for; nobody looks at a watch."""

    def __init__(self, node: Node) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        node.signals.subscribe(self._heard)

    def _heard(self, _topic: str, _payload: dict[str, Any]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(is_so):
                await self._event.wait()
                self._event.clear()


def links_of(node: Node) -> AllyLinks:
    deps = DeliveryDeps(store=node.store, book=node.book, clock=node.clock, signals=node.signals, jitter=lambda: 0.0)
    papers = node.papers
    return AllyLinks(
        deps,
        certificate=papers.certificate,
        key=papers.key,
        line_of=lambda ally: ally_line(ally, certificate=papers.certificate, key=papers.key),
    )


def is_up(links: AllyLinks) -> bool:
    return [state.is_up for state in links.states()] == [True]


async def linked(stack: AsyncExitStack, japan: Node, states: Node, **terms: Any) -> tuple[AllyLinks, AllyLinks]:
    """Both nodes' links up, and the agreement naming the doors' real addresses."""
    links = (links_of(japan), links_of(states))
    for node, link in zip((japan, states), links, strict=True):
        await link.start("127.0.0.1", 0)
        stack.push_async_callback(link.stop)
        node.party = at_address(node.party, link.door.address)
    agree(japan, states, **terms)
    hearing = Hearing(japan), Hearing(states)
    for link in links:
        await link.reload()
    for link, ears in zip(links, hearing, strict=True):
        await ears.until(partial(is_up, link))
    return links


def in_both(nodes: tuple[Node, Node], act: Callable[[AsyncExitStack, Node, Node], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        async with AsyncExitStack() as stack:
            return await act(stack, *nodes)

    return asyncio.run(run())


def delivered(node: Node) -> list[Crossing]:
    return node.crossings(Direction.OUT, CrossingState.DELIVERED)


def test_link_released_object_is_with_the_ally_and_in_use(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        await linked(stack, japan, states)
        hearing = Hearing(japan)
        japan.release([japan.indicator(), japan.sighting()])
        await hearing.until(lambda: len(delivered(japan)) == 2)

    in_both(nodes, act)
    states = nodes[1]
    with states.store.read() as reading:
        held = reading.objects([one.object_id for one in states.crossings(Direction.IN)])
        content = reading.content()
    assert sorted(one.type for one in held) == [
        "identity",
        "indicator",
        "marking-definition",
        "marking-definition",
        "sighting",
    ]
    assert [item.origin for item in content] == [nodes[0].party.id]


def test_link_everything_that_leaves_is_strict_stix(nodes: tuple[Node, Node]) -> None:
    states = nodes[1]
    rule = "title: t\nlogsource: {product: windows}\ndetection: {a: {Image: x}, condition: a}\n"

    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        await linked(stack, japan, states)
        hearing = Hearing(japan)
        japan.release([japan.indicator(), japan.sigma(rule), japan.sighting()])
        await hearing.until(lambda: len(delivered(japan)) == 3)

    in_both(nodes, act)
    received = [one.content for one in states.crossings(Direction.IN)]
    assert len(received) == 6
    options = stix2validator.ValidationOptions(version="2.1", strict=True)
    for content in received:
        stix2.parse(content.decode(), allow_custom=False)
        result = stix2validator.validate_instance(json.loads(content), options)
        assert result.is_valid, result.errors


def test_link_ally_away_gets_it_once_when_it_is_back(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> list[int]:
        ours, theirs = await linked(stack, japan, states)
        address = theirs.door.address
        await theirs.stop()
        hearing = Hearing(japan)
        japan.release([japan.indicator()])
        await hearing.until(lambda: japan.crossings()[0].n_tries > 0)
        away = ours.states()[0]
        assert away.is_up is False
        assert (away.n_pending, away.next_try_at) == (1, japan.clock.now() + timedelta(seconds=0.5))
        again = links_of(states)
        await again.start(*address)
        stack.push_async_callback(again.stop)
        japan.clock.advance(60)
        japan.release([japan.indicator(2)])
        await hearing.until(lambda: len(delivered(japan)) == 2)
        return [one.n_tries for one in delivered(japan)]

    n_tries = in_both(nodes, act)
    assert n_tries[0] >= 2
    ids = [one.object_id for one in nodes[1].crossings(Direction.IN) if one.object_type == "indicator"]
    assert ids == [nodes[0].indicator(1)["id"], nodes[0].indicator(2)["id"]]


def test_link_killed_between_send_and_note_is_received_once(nodes: tuple[Node, Node], tmp_path: Path) -> None:
    """The sending process kills itself with SIGKILL after the ally's answer; the next one goes on from the store."""

    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> int | None:
        door = states.door()
        await door.start("127.0.0.1", 0, [japan.papers.pem])
        stack.push_async_callback(door.stop)
        states.party = at_address(states.party, door.address)
        (tmp_path / "agreement.json").write_bytes(msgspec.json.encode(agree(japan, states)))
        japan.release([japan.indicator()])
        victim = [sys.executable, "-m", "tests.journeys.link_victim", str(tmp_path), "japan", japan.party.id]
        killed = await asyncio.create_subprocess_exec(*victim, cwd=ROOT)
        code = await killed.wait()
        assert japan.crossings()[0].state is CrossingState.PENDING
        assert "indicator" in {one.object_type for one in states.crossings(Direction.IN)}
        line = japan.line_to(states, door.address)
        stack.push_async_callback(line.close)
        await japan.delivery_to(states, line).step()
        return code

    assert in_both(nodes, act) == -signal.SIGKILL
    japan, states = nodes
    assert japan.crossings()[0].state is CrossingState.DELIVERED
    assert [one.object_type for one in states.crossings(Direction.IN)].count("indicator") == 1
    assert [topic for topic, _ in states.heard].count("content") == 1


def test_link_object_over_the_allys_limit_fails_with_the_reason(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes

    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        ours, theirs = await linked(stack, japan, states)
        line = japan.line_to(states, theirs.door.address)
        stack.push_async_callback(line.close)
        await ours.stop()  # the ally would fetch it, or our own delivery send it, before it grew
        (made,) = japan.release([japan.indicator()])
        # No object of ours is that large; a later limit of the ally's might still be smaller than what waits.
        with japan.store.write() as tx:
            large = {**japan.indicator(), "description": "x" * 11_000_000}
            tx.update_crossing(replace(made, content=msgspec.json.encode(large)))
        await japan.delivery_to(states, line).step()

    in_both(nodes, act)
    (crossing,) = japan.crossings()
    assert crossing.state is CrossingState.FAILED
    assert "larger than the 10485760 bytes it takes" in crossing.why
    assert "indicator" not in {one.object_type for one in states.crossings(Direction.IN)}


def test_link_expired_agreement_closes_the_door_and_sends_nothing(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> tuple[bool, int]:
        ours, _ = await linked(stack, japan, states)
        hearing = Hearing(japan)
        japan.release([japan.indicator()])
        await hearing.until(lambda: len(delivered(japan)) == 1)
        for node in (japan, states):
            node.clock.advance(3651 * 86400)
        await ours.reload()
        return ours.door.is_open, len(ours.states())

    assert in_both(nodes, act) == (False, 0)


def test_link_ally_whose_agreement_ended_on_the_other_side_is_told_why(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> str:
        await linked(stack, japan, states)
        states.clock.advance(3651 * 86400)  # before the door's next look: the request itself is refused
        hearing = Hearing(japan)
        japan.release([japan.indicator()])
        await hearing.until(lambda: japan.crossings()[0].n_tries > 0)
        return japan.crossings()[0].why

    why = in_both(nodes, act)
    assert "AMG-LINK-DENIED" in why
    assert "no agreement with this ally is in force" in why
    assert nodes[1].crossings(Direction.IN) == []


def test_link_first_agreement_opens_it_without_a_restart(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        agreement = japan.agreements.pop()
        states.agreements.clear()
        links = links_of(japan), links_of(states)
        for link in links:
            await link.start("127.0.0.1", 0)
            stack.push_async_callback(link.stop)
        assert [link.door.is_open for link in links] == [False, False]
        states.agreements.append(agreement)
        await links[1].reload()
        named = replace(agreement, parties=(japan.party, at_address(states.party, links[1].door.address)))
        japan.agreements[:] = states.agreements[:] = [named]
        japan.release([japan.indicator()])
        hearing = Hearing(japan)
        japan.signals.publish("agreement", {})
        await hearing.until(lambda: len(delivered(japan)) == 1)

    in_both(nodes, act)


def test_link_certificate_that_is_not_in_the_agreement_is_refused_in_the_handshake(
    nodes: tuple[Node, Node], tmp_path: Path
) -> None:
    stranger = make_papers(tmp_path, "stranger")

    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> tuple[bytes, int]:
        ours, _ = await linked(stack, japan, states)
        context = ally_client_context(stranger.certificate, stranger.key, japan.papers.pem)

        def knock() -> bytes:
            with socket.create_connection(ours.door.address) as raw, context.wrap_socket(raw) as line:
                try:
                    line.sendall(b"GET /taxii2/ HTTP/1.1\r\nHost: a\r\n\r\n")
                    return line.recv(100)
                except OSError:
                    return b""

        answer = await asyncio.to_thread(knock)
        return answer, ours.door.n_refused["handshake refused"]

    assert in_both(nodes, act) == (b"", 1)


def test_link_withdrawn_indicator_leaves_use_at_the_ally(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> tuple[int, int]:
        await linked(stack, japan, states)
        hearing = Hearing(japan)

        def in_use() -> int:
            with states.store.read() as reading:
                return len(reading.content())

        japan.release([japan.indicator()])
        await hearing.until(lambda: len(delivered(japan)) == 1)
        before = in_use()
        japan.clock.advance(60)
        japan.release([japan.indicator(seconds=1, revoked=True)])
        await hearing.until(lambda: len(delivered(japan)) == 2)
        return before, in_use()

    assert in_both(nodes, act) == (1, 0)


def test_link_what_is_marked_above_the_ceiling_never_crosses(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        await linked(stack, japan, states, ceiling=Tlp.GREEN)
        hearing = Hearing(japan)
        japan.release([japan.indicator(1, marking=Tlp.AMBER), japan.indicator(2, marking=Tlp.GREEN)])
        await hearing.until(lambda: len(delivered(japan)) == 1)

    in_both(nodes, act)
    indicators = [one for one in nodes[1].crossings(Direction.IN) if one.object_type == "indicator"]
    assert [one.object_id for one in indicators] == [nodes[0].indicator(2)["id"]]


def test_link_ally_with_a_certificate_that_cannot_be_pinned_shuts_out_itself_alone(
    nodes: tuple[Node, Node], tmp_path: Path
) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> list[tuple[bool | None, str]]:
        third = replace(states.party, id="identity--00000000-0000-4000-8000-000000000003", certificate="none")
        ours, _ = await linked(stack, japan, states)
        japan.agreements.append(make_agreement(japan.party, third))
        await ours.reload()
        hearing = Hearing(japan)
        japan.release([japan.indicator()])
        await hearing.until(lambda: len(delivered(japan)) == 1)
        return [(state.is_up, state.why[-13:]) for state in ours.states()]

    assert in_both(nodes, act) == [(True, ""), (False, "[AMG-TLS-PIN]")]


def test_link_body_over_the_limit_gets_its_answer_over_the_wire(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> tuple[int, str]:
        _, theirs = await linked(stack, japan, states)
        context = ally_client_context(japan.papers.certificate, japan.papers.key, states.papers.pem)
        host, port = theirs.door.address
        headers = {"accept": TAXII, "content-type": TAXII}
        async with httpx.AsyncClient(verify=context, trust_env=False, headers=headers) as client:
            url = f"https://{host}:{port}/taxii2/umbrella/collections/inbox/objects/"
            response = await client.post(url, content=b" " * 11_000_000)
        return response.status_code, response.json()["error_code"]

    assert in_both(nodes, act) == (413, "AMG-TAXII-LARGE")


def test_link_gigabyte_announced_is_answered_before_a_byte_of_it(nodes: tuple[Node, Node]) -> None:
    head = (
        "POST /taxii2/umbrella/collections/inbox/objects/ HTTP/1.1\r\nHost: a\r\n"
        f"Accept: {TAXII}\r\nContent-Type: {TAXII}\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
    )

    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> bytes:
        _, theirs = await linked(stack, japan, states)
        context = ally_client_context(japan.papers.certificate, japan.papers.key, states.papers.pem)
        reader, writer = await asyncio.open_connection(*theirs.door.address, ssl=context, server_hostname="")
        stack.callback(writer.transport.abort)
        writer.write(head.encode())
        return await reader.read()

    answer = in_both(nodes, act)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"AMG-TAXII-LARGE" in answer


def test_link_fresh_node_can_poll_what_it_missed(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> list[Any]:
        _, theirs = await linked(stack, japan, states)
        states.release([states.indicator(number) for number in range(1, 4)])
        line = japan.line_to(states, theirs.door.address)
        stack.push_async_callback(line.close)
        page = await line.poll(added_after="", limit=100)
        return [one["id"] for one in page.objects]

    assert in_both(nodes, act) == [nodes[1].indicator(number)["id"] for number in range(1, 4)]


def test_link_ally_that_our_push_does_not_reach_fetches_it_by_itself(nodes: tuple[Node, Node]) -> None:
    async def act(stack: AsyncExitStack, japan: Node, states: Node) -> None:
        await linked(stack, japan, states)
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            dead = nobody.getsockname()
        agreement = japan.agreements[0]
        japan.agreements[:] = [replace(agreement, parties=(japan.party, at_address(states.party, dead)))]
        hearing = Hearing(japan)
        japan.signals.publish("agreement", {})
        japan.release([japan.indicator()])
        await hearing.until(lambda: len(delivered(japan)) == 1)

    in_both(nodes, act)
    japan, states = nodes
    assert delivered(japan)[0].why == "fetched by the ally"
    assert [one.object_type for one in states.crossings(Direction.IN)].count("indicator") == 1

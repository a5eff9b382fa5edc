import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
import rfc8785
from tests.entry.link_papers import make_papers
from tests.entry.link_world import Node, agree

from amagasa.adapters.peer.taxii_client import MOST_REQUESTS, TaxiiLine
from amagasa.app.ports import Direction
from amagasa.entry.allies.door import AllyDoor
from amagasa.entry.allies.tls import ally_client_context
from amagasa.share.verdict import Released
from amagasa.vocab.errors import WorldError
from amagasa.vocab.tlp import Tlp

_T = TypeVar("_T")


def released(obj: dict[str, Any]) -> Released:
    return Released(
        object_id=obj["id"], object_type=obj["type"], content=rfc8785.dumps(obj), clause="1", marking=Tlp.AMBER
    )


def over_the_line(japan: Node, states: Node, act: Callable[[TaxiiLine], Awaitable[_T]]) -> _T:
    """Open States' door, call it from Japan, do the act, close everything."""

    async def run() -> _T:
        door = states.door()
        await door.start("127.0.0.1", 0, [japan.papers.pem])
        line = japan.line_to(states, door.address)
        try:
            return await act(line)
        finally:
            await line.close()
            await door.stop()

    return asyncio.run(run())


class Canned:
    """An ASGI application with fixed answers: (status, body) by path, the last for any other."""

    def __init__(self, *answers: tuple[str, int, Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        self.asked.append(scope["path"])
        status, body = next((one[1:] for one in self._answers if scope["path"].startswith(one[0])), (404, {}))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [(b"content-type", b"application/taxii+json;version=2.1")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


DISCOVERY = ("/taxii2/", 200, {"title": "t", "default": "/first/"})
ROOT = ("/first/", 200, {"title": "t", "versions": [], "max_content_length": 100_000})
COLLECTIONS = (
    "/first/collections/",
    200,
    {"collections": [{"id": "c1", "title": "c", "can_read": False, "can_write": True}]},
)


def to_canned(japan: Node, states: Node, canned: Canned, act: Callable[[TaxiiLine], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        door = AllyDoor(canned, certificate=states.papers.certificate, key=states.papers.key)
        await door.start("127.0.0.1", 0, [japan.papers.pem])
        line = japan.line_to(states, door.address)
        try:
            return await act(line)
        finally:
            await line.close()
            await door.stop()

    return asyncio.run(run())


def test_push_good_and_bad_objects_answers_for_each(japan: Node, states: Node) -> None:
    good, bad = japan.indicator(1), japan.indicator(2, marking=Tlp.RED)
    pushed = over_the_line(japan, states, lambda line: line.push([released(good), released(bad)]))
    assert pushed.taken == (good["id"],)
    assert [one[0] for one in pushed.refused] == [bad["id"]]
    assert "TLP:RED" in pushed.refused[0][1]
    assert len(states.crossings(Direction.IN)) == 2


def test_push_keeps_one_connection(japan: Node, states: Node) -> None:
    async def act(line: TaxiiLine) -> int:
        for number in range(3):
            await line.push([released(japan.indicator(number))])
        return len(line._client._transport._pool.connections)  # type: ignore[attr-defined]

    assert over_the_line(japan, states, act) == 1


def test_push_more_than_the_limit_goes_in_several_envelopes(japan: Node, states: Node) -> None:
    objects = [released(japan.indicator(number, description="x" * 30_000)) for number in range(1, 8)]
    canned = Canned(("/first/collections/c1/", 202, {"id": "s", "status": "complete"}), COLLECTIONS, ROOT, DISCOVERY)
    to_canned(japan, states, canned, lambda line: line.push(objects))
    assert canned.asked.count("/first/collections/c1/objects/") == 3


def test_push_object_larger_than_the_limit_is_refused_without_sending(japan: Node, states: Node) -> None:
    large, small = japan.indicator(1, description="x" * 200_000), japan.indicator(2)
    answer = {"id": "s", "status": "complete", "successes": [{"id": small["id"]}]}
    canned = Canned(("/first/collections/c1/", 202, answer), COLLECTIONS, ROOT, DISCOVERY)
    pushed = to_canned(japan, states, canned, lambda line: line.push([released(large), released(small)]))
    assert pushed.taken == (small["id"],)
    assert pushed.refused == ((large["id"], "larger than the 100000 bytes it takes"),)


def test_push_envelope_that_the_ally_calls_too_large_is_halved_down_to_the_object(japan: Node, states: Node) -> None:
    objects = [released(japan.indicator(number)) for number in range(1, 5)]
    canned = Canned(("/first/collections/c1/", 413, {"title": "too large"}), COLLECTIONS, ROOT, DISCOVERY)
    pushed = to_canned(japan, states, canned, lambda line: line.push(objects))
    assert pushed.refused == tuple((one.object_id, "too large") for one in objects)


def test_push_ally_that_refuses_every_envelope_is_not_asked_without_end(japan: Node, states: Node) -> None:
    objects = [released(japan.indicator(number)) for number in range(1, 200)]
    canned = Canned(("/first/collections/c1/", 422, {}), COLLECTIONS, ROOT, DISCOVERY)
    with pytest.raises(WorldError, match="AMG-LINK-ANSWER"):
        to_canned(japan, states, canned, lambda line: line.push(objects))
    assert len(canned.asked) <= MOST_REQUESTS + 4


def test_poll_gives_what_the_ally_released_to_us(japan: Node, states: Node) -> None:
    states.release([states.indicator(1)])
    states.clock.advance(1)
    states.release([states.indicator(2)])
    first = over_the_line(japan, states, lambda line: line.poll(added_after="", limit=1))
    second = over_the_line(japan, states, lambda line: line.poll(added_after=first.added_last, limit=10))
    assert (first.objects, first.has_more) == ((states.indicator(1),), True)
    assert (second.objects, second.has_more) == ((states.indicator(2),), False)


# --- when it goes wrong ------------------------------------------------------------------------------------------


def code_of(error: pytest.ExceptionInfo[WorldError]) -> str:
    return error.value.code


def test_push_nobody_listening_is_down(japan: Node, states: Node) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()

    async def act() -> None:
        line = japan.line_to(states, address)
        try:
            await line.push([released(japan.indicator())])
        finally:
            await line.close()

    with pytest.raises(WorldError) as error:
        asyncio.run(act())
    assert code_of(error) == "AMG-LINK-DOWN"


def test_push_expired_agreement_is_denied_in_the_allys_words(japan: Node, states: Node) -> None:
    states.clock.advance(3651 * 86400)
    with pytest.raises(WorldError, match="no agreement with this ally is in force") as error:
        over_the_line(japan, states, lambda line: line.push([released(japan.indicator())]))
    assert code_of(error) == "AMG-LINK-DENIED"


def test_push_our_certificate_not_pinned_is_a_tls_fault(japan: Node, states: Node, tmp_path: Any) -> None:
    japan.papers = make_papers(tmp_path, "other")
    other = Node(tmp_path / "third", "third", "XX", japan.party.role)
    agree(other, states)
    with pytest.raises(WorldError) as error:
        over_the_line_as(japan, states, pinned=other)
    other.store.close()
    assert code_of(error) in {"AMG-LINK-TLS", "AMG-LINK-BROKEN"}
    assert "certificate" in str(error.value)


def over_the_line_as(japan: Node, states: Node, *, pinned: Node) -> None:
    async def run() -> None:
        door = states.door()
        await door.start("127.0.0.1", 0, [pinned.papers.pem])
        line = japan.line_to(states, door.address)
        try:
            await line.push([released(japan.indicator())])
        finally:
            await line.close()
            await door.stop()

    asyncio.run(run())


def test_push_server_with_another_certificate_is_a_tls_fault(japan: Node, states: Node, tmp_path: Any) -> None:
    real = states.papers
    states.papers = make_papers(tmp_path, "impostor")

    async def run() -> None:
        door = states.door()
        await door.start("127.0.0.1", 0, [japan.papers.pem])
        context = ally_client_context(japan.papers.certificate, japan.papers.key, real.pem)
        line = TaxiiLine("states", f"https://127.0.0.1:{door.address[1]}/taxii2/", context)
        try:
            await line.push([released(japan.indicator())])
        finally:
            await line.close()
            await door.stop()

    with pytest.raises(WorldError) as error:
        asyncio.run(run())
    assert code_of(error) == "AMG-LINK-TLS"


WRONG_ANSWERS = [
    (500, b"", "AMG-LINK-ANSWER"),
    (503, {"title": "later"}, "AMG-LINK-ANSWER"),
    (302, b"", "AMG-LINK-ANSWER"),
    (404, b"", "AMG-LINK-ANSWER"),
    (202, b"not json", "AMG-LINK-ANSWER"),
    (202, b"[" * 100_000, "AMG-LINK-ANSWER"),
    (202, b"{}", "AMG-LINK-ANSWER"),
    (202, {"id": "s", "status": "complete", "successes": 5}, "AMG-LINK-ANSWER"),
    (202, b" " * (17 * 1024 * 1024), "AMG-LINK-ANSWER"),
    (401, b"\xff", "AMG-LINK-DENIED"),
    (403, {"title": "\x1b[31mno\u202e"}, "AMG-LINK-DENIED"),
]


@pytest.mark.parametrize("wrong", WRONG_ANSWERS, ids=range(len(WRONG_ANSWERS)))
def test_push_hostile_answer_is_a_world_error(japan: Node, states: Node, wrong: tuple[int, Any, str]) -> None:
    status, body, code = wrong
    canned = Canned(("/first/collections/c1/", status, body), COLLECTIONS, ROOT, DISCOVERY)
    with pytest.raises(WorldError) as error:
        to_canned(japan, states, canned, lambda line: line.push([released(japan.indicator())]))
    assert code_of(error) == code
    assert str(error.value).isprintable()


@pytest.mark.parametrize("default", ["https://elsewhere.example/first/", "http://127.0.0.1/first/", "//evil.example/x"])
def test_push_server_that_sends_us_elsewhere_is_not_followed(japan: Node, states: Node, default: str) -> None:
    canned = Canned(("/taxii2/", 200, {"title": "t", "default": default}))
    with pytest.raises(WorldError, match="AMG-LINK-ANSWER"):
        to_canned(japan, states, canned, lambda line: line.push([released(japan.indicator())]))


def test_push_server_without_a_writable_collection_is_a_world_error(japan: Node, states: Node) -> None:
    canned = Canned(("/first/collections/", 200, {"collections": []}), ROOT, DISCOVERY)
    with pytest.raises(WorldError, match="a collection which we may write"):
        to_canned(japan, states, canned, lambda line: line.push([released(japan.indicator())]))

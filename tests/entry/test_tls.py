import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.entry.link_papers import Papers, make_papers

from amagasa.adapters.seal.keys import create_party_keys
from amagasa.entry.allies.door import AllyDoor, Room
from amagasa.entry.allies.protocol import PEER, Patience
from amagasa.entry.allies.tls import (
    ally_client_context,
    ally_server_context,
    check_pin,
    fingerprint_of_pem,
)
from amagasa.vocab.errors import BadInputError, WorldError


class Echo:
    """An ASGI application which answers with the fingerprint it was shown and keeps count."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        fingerprint = scope["state"][PEER]
        self.seen.append(fingerprint)
        while (await receive()).get("more_body"):
            pass
        body = fingerprint.encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("papers")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Papers:
    return make_papers(folder, "ours")


@pytest.fixture(scope="module")
def ally(folder: Path) -> Papers:
    return make_papers(folder, "ally")


REQUEST = b"GET / HTTP/1.1\r\nHost: ally\r\n\r\n"


async def ask(address: tuple[str, int], context: ssl.SSLContext, request: bytes = REQUEST) -> bytes:
    """The whole answer, or b"" where the other side cut the line."""
    try:
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname="")
    except (ssl.SSLError, ConnectionError):
        return b""
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        return head + await reader.readexactly(64)
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.transport.abort()


def door_of(ours: Papers, app: object, **settings: object) -> AllyDoor:
    return AllyDoor(app, certificate=ours.certificate, key=ours.key, **settings)  # type: ignore[arg-type]


async def answers(ours: Papers, pins: list[str], context: ssl.SSLContext) -> tuple[bytes, AllyDoor, Echo]:
    echo = Echo()
    door = door_of(ours, echo)
    await door.start("127.0.0.1", 0, pins)
    try:
        return await ask(door.address, context), door, echo
    finally:
        await door.stop()


def test_door_pinned_certificate_is_let_in_and_named(ours: Papers, ally: Papers) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)
    answer, _, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert answer.endswith(fingerprint_of_pem(ally.pem).encode())
    assert echo.seen == [fingerprint_of_pem(ally.pem)]


def test_door_and_client_with_a_nodes_own_keys_shake_hands(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    (tmp_path / "japan").mkdir()
    (tmp_path / "states").mkdir()
    japan = create_party_keys(tmp_path / "japan", name="japan", hosts=["127.0.0.1"], now=now)
    states = create_party_keys(tmp_path / "states", name="states", hosts=["node.example"], now=now)
    context = ally_client_context(states.tls_certificate, states.tls_key, japan.certificate)

    async def run() -> bytes:
        door = AllyDoor(Echo(), certificate=japan.tls_certificate, key=japan.tls_key)
        await door.start("127.0.0.1", 0, [states.certificate])
        try:
            return await ask(door.address, context)
        finally:
            await door.stop()

    assert asyncio.run(run()).endswith(fingerprint_of_pem(states.certificate).encode())


def test_door_second_pinned_certificate_is_let_in_as_itself(ours: Papers, ally: Papers, folder: Path) -> None:
    other = make_papers(folder, "second")
    context = ally_client_context(other.certificate, other.key, ours.pem)
    answer, _, _ = asyncio.run(answers(ours, [ally.pem, other.pem], context))
    assert answer.endswith(fingerprint_of_pem(other.pem).encode())


def test_door_other_self_signed_certificate_is_refused_in_the_handshake(
    ours: Papers, ally: Papers, folder: Path
) -> None:
    stranger = make_papers(folder, "ally-too")
    context = ally_client_context(stranger.certificate, stranger.key, ours.pem)
    answer, door, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert answer == b""
    assert echo.seen == []
    assert door.n_refused["handshake refused"] == 1


def test_door_same_name_and_other_key_is_refused_in_the_handshake(ours: Papers, ally: Papers, tmp_path: Path) -> None:
    impostor = make_papers(tmp_path, "ally")
    context = ally_client_context(impostor.certificate, impostor.key, ours.pem)
    answer, door, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert (answer, echo.seen) == (b"", [])
    assert door.n_refused["handshake refused"] == 1


def test_door_no_certificate_is_refused_in_the_handshake(ours: Papers, ally: Papers) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    answer, door, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert (answer, echo.seen) == (b"", [])
    assert door.n_refused["handshake refused"] == 1


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)], ids=["expired", "not yet valid"])
def test_door_pinned_certificate_outside_its_time_is_refused(
    ours: Papers, tmp_path: Path, days: tuple[int, int]
) -> None:
    today = datetime.now(UTC)
    papers = make_papers(
        tmp_path, "late", from_at=today + timedelta(days=days[0]), until_at=today + timedelta(days=days[1])
    )
    context = ally_client_context(papers.certificate, papers.key, ours.pem)
    answer, door, echo = asyncio.run(answers(ours, [papers.pem], context))
    assert (answer, echo.seen) == (b"", [])
    assert door.n_refused["handshake refused"] == 1


def test_door_certificate_issued_by_the_pinned_key_is_refused(ours: Papers, ally: Papers, tmp_path: Path) -> None:
    child = make_papers(tmp_path, "child", issuer=ally)
    child.certificate.write_text(child.pem + ally.pem)
    context = ally_client_context(child.certificate, child.key, ours.pem)
    answer, door, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert (answer, echo.seen) == (b"", [])
    assert door.n_refused.total() == 1


def test_door_older_tls_is_refused(ours: Papers, ally: Papers) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    answer, _, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert (answer, echo.seen) == (b"", [])


def test_client_other_server_certificate_is_refused(ours: Papers, ally: Papers, folder: Path) -> None:
    expected = make_papers(folder, "expected")
    context = ally_client_context(ally.certificate, ally.key, expected.pem)
    answer, _, echo = asyncio.run(answers(ours, [ally.pem], context))
    assert (answer, echo.seen) == (b"", [])


def test_pin_that_is_an_authority_is_refused(ours: Papers, tmp_path: Path) -> None:
    authority = make_papers(tmp_path, "authority", is_authority=True)
    with pytest.raises(BadInputError, match="AMG-TLS-PIN"):
        ally_server_context(ours.certificate, ours.key, [authority.pem])


@pytest.mark.parametrize("pem", ["", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é"])
def test_pin_that_is_no_certificate_is_refused(pem: str) -> None:
    with pytest.raises(BadInputError, match="AMG-TLS-PIN"):
        check_pin(pem)


def test_pin_of_two_certificates_is_refused(ours: Papers, ally: Papers) -> None:
    with pytest.raises(BadInputError, match="2 certificates"):
        check_pin(ours.pem + ally.pem)


def test_own_key_of_another_certificate_is_a_world_error(ours: Papers, ally: Papers) -> None:
    with pytest.raises(WorldError, match="AMG-TLS-OWN"):
        ally_server_context(ours.certificate, ally.key, [])


def test_door_without_allies_does_not_listen(ours: Papers) -> None:
    async def run() -> bool:
        door = door_of(ours, Echo())
        await door.start("127.0.0.1", 0, [])
        is_open = door.is_open
        await door.stop()
        return is_open

    assert asyncio.run(run()) is False


@pytest.mark.parametrize("n_allies", [0, 1])
def test_door_port_in_use_is_a_world_error(ours: Papers, ally: Papers, n_allies: int) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        with pytest.raises(WorldError, match=r"port is in use.*AMG-PORT"):
            asyncio.run(door_of(ours, Echo()).start("127.0.0.1", held.getsockname()[1], [ally.pem][:n_allies]))


def test_door_reload_cuts_the_dropped_ally_and_leaves_the_other(ours: Papers, ally: Papers, folder: Path) -> None:
    other = make_papers(folder, "stays")
    stays = ally_client_context(other.certificate, other.key, ours.pem)
    goes = ally_client_context(ally.certificate, ally.key, ours.pem)

    async def run() -> tuple[bytes, bytes, bytes]:
        door = door_of(ours, Echo())
        await door.start("127.0.0.1", 0, [ally.pem, other.pem])
        kept = await asyncio.open_connection(*door.address, ssl=stays, server_hostname="")
        cut = await asyncio.open_connection(*door.address, ssl=goes, server_hostname="")
        for reader, writer in (kept, cut):
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(64)
        await door.reload([other.pem])
        kept[1].write(REQUEST)
        still = await kept[0].readuntil(b"\r\n\r\n")
        try:
            cut[1].write(REQUEST)
            ended = await cut[0].read()
        except (ConnectionError, ssl.SSLError):
            ended = b""
        again = await ask(door.address, goes)
        await door.stop()
        kept[1].transport.abort()
        cut[1].transport.abort()
        return still, ended, again

    still, ended, again = asyncio.run(run())
    assert still.startswith(b"HTTP/1.1 200")
    assert (ended, again) == (b"", b"")


def test_door_last_ally_gone_closes_and_first_ally_opens_on_the_same_port(ours: Papers, ally: Papers) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)

    async def run() -> tuple[bool, bytes, bytes]:
        door = door_of(ours, Echo())
        await door.start("127.0.0.1", 0, [ally.pem])
        address = door.address
        await door.reload([])
        is_open = door.is_open
        shut = await ask(address, context)
        await door.reload([ally.pem])
        answer = await ask(address, context)
        await door.stop()
        return is_open, shut, answer

    is_open, shut, answer = asyncio.run(run())
    assert (is_open, shut) == (False, b"")
    assert answer.startswith(b"HTTP/1.1 200")


SLOW = (b"", b"GET / HTTP/1.1\r\nHost: a", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")


@pytest.mark.parametrize("sent", SLOW, ids=["silent", "half a head", "half a body"])
def test_door_slow_request_is_cut(ours: Papers, ally: Papers, sent: bytes) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)

    async def run() -> bytes:
        door = door_of(ours, Echo(), patience=Patience(head_s=0.05, request_s=0.05))
        await door.start("127.0.0.1", 0, [ally.pem])
        reader, writer = await asyncio.open_connection(*door.address, ssl=context, server_hostname="")
        writer.write(sent)
        try:
            return await reader.read()
        except (ConnectionError, ssl.SSLError):
            return b""
        finally:
            writer.transport.abort()
            await door.stop()

    assert asyncio.run(run()) == b""


def test_door_peer_that_never_shakes_hands_is_cut(ours: Papers, ally: Papers) -> None:
    async def run() -> AllyDoor:
        door = door_of(ours, Echo(), patience=Patience(handshake_s=0.05))
        await door.start("127.0.0.1", 0, [ally.pem])
        reader, writer = await asyncio.open_connection(*door.address)
        await reader.read()
        writer.transport.abort()
        await door.stop()
        return door

    assert asyncio.run(run()).n_refused["handshake not finished"] == 1


def test_door_full_of_half_handshakes_cuts_the_next_at_once(ours: Papers, ally: Papers) -> None:
    async def run() -> tuple[bytes, AllyDoor]:
        door = door_of(ours, Echo(), room=Room(n_handshakes_per_address=2))
        await door.start("127.0.0.1", 0, [ally.pem])
        waiting = [await asyncio.open_connection(*door.address) for _ in range(3)]
        ended = await waiting[2][0].read()
        for _, writer in waiting:
            writer.transport.abort()
        await door.stop()
        return ended, door

    ended, door = asyncio.run(run())
    assert ended == b""
    assert door.n_refused["too many handshakes"] == 1


def test_door_more_lines_than_an_ally_may_hold_are_cut(ours: Papers, ally: Papers) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)

    async def run() -> tuple[bytes, bytes, AllyDoor]:
        door = door_of(ours, Echo(), room=Room(n_lines_per_ally=1))
        await door.start("127.0.0.1", 0, [ally.pem])
        first = await asyncio.open_connection(*door.address, ssl=context, server_hostname="")
        first[1].write(REQUEST)
        head = await first[0].readuntil(b"\r\n\r\n")
        second = await ask(door.address, context)
        first[1].transport.abort()
        await door.stop()
        return head, second, door

    head, second, door = asyncio.run(run())
    assert head.startswith(b"HTTP/1.1 200")
    assert second == b""
    assert door.n_refused["too many lines"] == 1


def test_door_junk_instead_of_http_is_answered_and_closed(ours: Papers, ally: Papers) -> None:
    context = ally_client_context(ally.certificate, ally.key, ours.pem)

    async def run() -> bytes:
        door = door_of(ours, Echo())
        await door.start("127.0.0.1", 0, [ally.pem])
        reader, writer = await asyncio.open_connection(*door.address, ssl=context, server_hostname="")
        writer.write(b"\x00\xff\x16\x03 junk\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.transport.abort()
            await door.stop()

    assert asyncio.run(run()).startswith(b"HTTP/1.1 400")

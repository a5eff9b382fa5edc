"""Syslog over TCP against real sockets: an end in order is a confirmation, and nothing else looks like one."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from amagasa.adapters.receive.senders import Senders
from amagasa.adapters.receive.streams import StreamReceiver
from amagasa.app.spool_ports import NO_ID, Kept, Tally
from tests.entry.link_papers import make_papers

LINE = b"<13>one line\n"


class Shelf:
    """A keeper with room, or without."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.has_room = has_room
        self.kept = b""
        self.n_synced = 0

    why = ""
    last_id = NO_ID

    def ids(self) -> tuple[bytes, ...]:
        return ()

    def keep(self, payload: bytes, identifier: bytes = NO_ID) -> Kept:
        del identifier
        if not self.has_room:
            return Kept.FULL
        self.kept += payload
        return Kept.KEPT

    def sync(self) -> None:
        self.n_synced = len(self.kept)


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - it looks at another's counts
            await asyncio.sleep(0.005)


def tally_of(receiver: StreamReceiver) -> Tally:
    receiver.tick()
    return receiver.tally


def with_receiver(shelf: Shelf, play: Callable[[StreamReceiver, socket.socket], Awaitable[None]]) -> bytes | None:
    """What a sender reads at the end: b"" where the receiver closed in order, None where it was reset."""

    async def sync() -> None:
        shelf.sync()

    async def run() -> bytes | None:
        receiver = StreamReceiver(shelf, Senders(()), sync=sync)
        port = await receiver.start("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", port), 20) as line:
            await play(receiver, line)
            try:
                return await asyncio.to_thread(line.recv, 1)
            except ConnectionResetError:
                return None
            finally:
                await receiver.stop()

    return asyncio.run(run())


def test_sender_that_ended_is_closed_in_order_once_all_is_synced() -> None:
    shelf = Shelf()

    async def play(_: StreamReceiver, line: socket.socket) -> None:
        line.sendall(LINE * 3)
        line.shutdown(socket.SHUT_WR)

    assert with_receiver(shelf, play) == b""
    assert shelf.kept == LINE * 3
    assert shelf.n_synced == len(LINE * 3)


@pytest.mark.parametrize("sent", [b"", LINE, LINE + b"<13>half a li"])
def test_sender_that_has_not_ended_is_reset_when_the_receiver_stops(sent: bytes) -> None:
    async def play(receiver: StreamReceiver, line: socket.socket) -> None:
        line.sendall(sent)
        await until(lambda: tally_of(receiver).n_open == 1)
        await receiver.stop()

    assert with_receiver(Shelf(), play) is None


def test_sender_that_ended_and_waits_for_room_is_reset_when_the_receiver_stops() -> None:
    shelf = Shelf(has_room=False)

    async def play(receiver: StreamReceiver, line: socket.socket) -> None:
        line.sendall(LINE)
        line.shutdown(socket.SHUT_WR)
        await until(lambda: tally_of(receiver).is_waiting)
        await receiver.stop()

    assert with_receiver(shelf, play) is None
    assert shelf.n_synced == 0


def test_sender_whose_connection_nobody_took_yet_is_reset_when_the_receiver_is_killed() -> None:
    # Between accept() and the first look at the connection: the kernel alone knows of it.
    async def run() -> bytes | None:
        receiver = StreamReceiver(Shelf(), Senders(()), sync=lambda: asyncio.sleep(0))
        port = await receiver.start("127.0.0.1", 0)
        server = receiver._server
        assert server is not None
        listener = server.sockets[0]
        asyncio.get_running_loop().remove_reader(listener.fileno())
        with socket.create_connection(("127.0.0.1", port), 20) as line:
            listener._sock.accept()[0].close()  # type: ignore[attr-defined]
            try:
                return line.recv(1)
            except ConnectionResetError:
                return None
            finally:
                await receiver.stop()

    assert asyncio.run(run()) is None


def test_sender_over_tls_that_closes_without_a_word_loses_nothing(tmp_path: Path) -> None:
    papers = make_papers(tmp_path, "node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.certificate, papers.key)
    shelf, sent = Shelf(), LINE * 100_000
    theirs = ssl.create_default_context()
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE

    def send(port: int) -> None:
        with theirs.wrap_socket(socket.create_connection(("127.0.0.1", port), 20)) as line:
            line.sendall(sent)

    async def run() -> None:
        receiver = StreamReceiver(shelf, Senders(()), sync=lambda: asyncio.sleep(0), context=context)
        port = await receiver.start("127.0.0.1", 0)
        await asyncio.to_thread(send, port)
        await until(lambda: tally_of(receiver).n_open == 0)
        await receiver.stop()

    asyncio.run(run())
    assert len(shelf.kept) == len(sent)

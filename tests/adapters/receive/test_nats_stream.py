"""Records out of a real NATS server on loopback: killed, gone and back, and the spool behind it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from amagasa.adapters.receive.nats_stream import Broker, NatsReceiver
from amagasa.adapters.source.spool import Spool
from amagasa.app.spool_ports import NO_ID
from tests.adapters.source.test_spool import follower_in, lines_of
from tests.journeys.broker import NATS, WAIT_S, Server

pytestmark = pytest.mark.skipif(not NATS.exists(), reason="there is no nats-server (Debian: nats-server)")


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not look():  # noqa: ASYNC110 - it looks at another's counts
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(home: Path, server: Server, mark: bytes = NO_ID) -> AsyncIterator[NatsReceiver]:
    spool = Spool(home / "spool", quota_bytes=64 * 1_048_576)
    receiver = NatsReceiver(spool, Broker(servers=(server.address,), stream="logs"), mark)
    await receiver.start("", 0)
    try:
        yield receiver
    finally:
        await receiver.stop()
        spool.close()


@pytest.fixture
def server(tmp_path: Path) -> Callable[[Callable[[Server], Coroutine[Any, Any, None]]], None]:
    def run(play: Callable[[Server], Coroutine[Any, Any, None]]) -> None:
        server = Server(tmp_path)
        server.start()
        try:
            asyncio.run(play(server))
        finally:
            server.kill()

    return run


Run = Callable[[Callable[[Server], Coroutine[Any, Any, None]]], None]


def test_stream_is_read_once_over_restarts_of_receiver_and_broker(server: Run, tmp_path: Path) -> None:
    async def play(broker: Server) -> None:
        await broker.publish(1, 50)
        async with reading(tmp_path, broker) as receiver:
            await until(lambda: receiver.tally.n_messages == 50)
        await broker.publish(51, 60)
        async with reading(tmp_path, broker) as receiver:
            await until(lambda: receiver.tally.n_messages == 10)
            broker.kill()
            await until(lambda: bool(receiver.tally.away))
            broker.start()
            await broker.publish(61, 70)
            await until(lambda: receiver.tally.n_messages == 20)
            assert receiver.tally.away == ""

    server(play)
    assert [int(line) for line in lines_of(follower_in(tmp_path / "spool"))[0]] == list(range(1, 71))


def test_broker_that_refuses_is_said_to_be_away_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with reading(tmp_path, Server(tmp_path)) as receiver, asyncio.timeout(20):
            await until(lambda: bool(receiver.tally.away))

    asyncio.run(play())


def test_reading_ends_when_it_is_asked_to_whatever_the_broker_does(server: Run, tmp_path: Path) -> None:
    async def play(broker: Server) -> None:
        await broker.publish(1, 2)
        for _ in range(3):
            async with reading(tmp_path, broker) as receiver:
                await until(lambda: receiver.tally.away == "" and receiver._sequence == 2)
                broker.kill()
                await asyncio.sleep(0)
            broker.start()
            await broker.publish(1, 0)

    server(play)


def test_place_in_the_stream_comes_from_what_was_committed_where_the_spool_is_empty(
    server: Run, tmp_path: Path
) -> None:
    async def play(broker: Server) -> None:
        await broker.publish(1, 5)
        async with reading(tmp_path, broker) as receiver:
            await until(lambda: receiver.tally.n_messages == 5)
        follower = follower_in(tmp_path / "spool")
        lines_of(follower)
        shutil.rmtree(tmp_path / "spool")
        await broker.publish(6, 7)
        async with reading(tmp_path, broker, bytes.fromhex(follower.token()["mark"])) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)

    server(play)
    assert lines_of(follower_in(tmp_path / "spool"))[0] == [b"6", b"7"]


def test_what_the_stream_let_go_before_it_was_read_is_counted(server: Run, tmp_path: Path) -> None:
    async def play(broker: Server) -> None:
        await broker.publish(1, 2, keep=3)
        async with reading(tmp_path, broker) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)
        await broker.publish(3, 9, keep=3)
        async with reading(tmp_path, broker) as receiver:
            await until(lambda: receiver.tally.n_messages == 3)
            assert receiver.tally.n_gone == 4

    server(play)
    assert lines_of(follower_in(tmp_path / "spool"))[0] == [b"1", b"2", b"7", b"8", b"9"]

"""Records out of topics of a real Kafka broker on loopback, and the spool behind them."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from amagasa.adapters.receive.kafka_client import Brokers, look
from amagasa.adapters.receive.kafka_topics import KafkaReceiver
from amagasa.adapters.source.spool import Spool
from amagasa.app.receiver_messages import ReceiverSpec, Transport
from tests.adapters.source.test_spool import follower_in, lines_of
from tests.entry.test_receiver import running
from tests.journeys import kafka_broker
from tests.journeys.kafka_broker import IS_THERE, PASSWORD, USER, WHY_NOT, Broker

pytestmark = pytest.mark.skipif(not IS_THERE, reason=WHY_NOT)
WAIT_S = 60.0
MIB = 1_048_576
Sync = Callable[[], Awaitable[None]]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def topic(broker: Broker) -> str:
    """One of its own for each test, of one partition."""
    broker.start()
    broker.until_there()
    name = f"logs-{uuid4().hex[:8]}"
    broker.add_topic(name)
    return name


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not look():  # noqa: ASYNC110 - it looks at another's counts
            await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(
    home: Path, brokers: Brokers, *, quota_bytes: int = 64 * MIB, sync: Sync | None = None
) -> AsyncIterator[KafkaReceiver]:
    spool = Spool(home / "spool", quota_bytes=quota_bytes)

    async def own_sync() -> None:
        await asyncio.to_thread(spool.sync)

    receiver = KafkaReceiver(spool, brokers, sync=sync or own_sync)
    await receiver.start("", 0)
    try:
        yield receiver
    finally:
        await receiver.stop()
        spool.close()


def at(broker: Broker, *topics: str, instance: str = "a", is_late: bool = False) -> Brokers:
    return Brokers(
        servers=(broker.address,), topics=topics, group=f"of-{topics[0]}", instance=instance, is_late=is_late
    )


def numbers(first: int, last: int) -> list[bytes | None]:
    return [b"%d" % number for number in range(first, last + 1)]


def kept(home: Path) -> list[bytes]:
    """All that is in the spool."""
    return [bytes(line) for line in lines_of(follower_in(home / "spool"))[0]]


def test_topic_is_read_once_over_restarts_of_receiver_and_broker(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        broker.publish(topic, numbers(1, 50))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 50)
        broker.publish(topic, numbers(51, 60))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 10)
            broker.kill()
            await until(lambda: bool(receiver.tally.away))
            broker.start()
            await asyncio.to_thread(broker.until_there)
            await asyncio.to_thread(broker.publish, topic, numbers(61, 70))
            await until(lambda: receiver.tally.n_messages == 20 and not receiver.tally.away)

    asyncio.run(play())
    assert [int(line) for line in kept(tmp_path)] == list(range(1, 71))


def test_receiver_process_that_is_killed_again_and_again_takes_each_message_once(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    spec = ReceiverSpec(
        name="bus",
        is_http=False,
        transport=Transport.TCP,
        host="",
        port=0,
        folder=str(tmp_path / "spool"),
        quota_bytes=64 * MIB,
        servers=(broker.address,),
        topics=(topic,),
        group=f"of-{topic}",
    )
    (tmp_path / "tls.crt").write_text("of the node")
    for turn in range(3):
        with running(tmp_path, spec):
            broker.publish(topic, numbers(turn * 1_000 + 1, turn * 1_000 + 1_000))
    with running(tmp_path, spec) as receiver:
        while len(kept(tmp_path)) < 3_000:
            receiver.hear()
    assert sorted(int(line) for line in kept(tmp_path)) == list(range(1, 3_001))


def test_only_the_topics_that_are_named_are_read(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        other = f"{topic}-other"
        broker.add_topic(other)
        broker.publish(other, [b"of another"])
        broker.publish(topic, numbers(1, 2))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)

    asyncio.run(play())
    assert kept(tmp_path) == [b"1", b"2"]


def test_group_is_told_no_place_before_what_lies_there_is_on_the_disk_and_the_spool_knows_better(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    n_asked = 0

    async def never() -> None:
        nonlocal n_asked
        n_asked += 1
        raise OSError(5, "the disk failed")

    async def play() -> None:
        brokers = at(broker, topic)
        broker.publish(topic, numbers(1, 5))
        async with reading(tmp_path, brokers, sync=never) as receiver:
            await until(lambda: receiver.tally.n_messages == 5 and n_asked > 1)
        assert broker.place_of(brokers.group, topic) == -1
        broker.publish(topic, numbers(6, 7))
        async with reading(tmp_path, brokers) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)
        assert broker.place_of(brokers.group, topic) == 7

    asyncio.run(play())
    assert kept(tmp_path) == numbers(1, 7)


def test_place_comes_from_the_group_where_the_spool_is_gone(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        broker.publish(topic, numbers(1, 5))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 5)
        shutil.rmtree(tmp_path / "spool")
        broker.publish(topic, numbers(6, 7))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)

    asyncio.run(play())
    assert kept(tmp_path) == [b"6", b"7"]


def test_topic_made_anew_under_the_name_is_read_from_its_start(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        broker.publish(topic, numbers(1, 3))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 3)
        broker.remove_topic(topic)
        broker.add_topic(topic)
        broker.publish(topic, numbers(4, 9))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 6)

    asyncio.run(play())
    assert kept(tmp_path) == numbers(1, 9)


def test_what_the_topic_let_go_before_it_was_read_is_counted(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        broker.publish(topic, numbers(1, 2))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)
        broker.publish(topic, numbers(3, 9))
        broker.let_go(topic, 6)
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 3)
            assert receiver.tally.n_gone == 4

    asyncio.run(play())
    assert kept(tmp_path) == [*numbers(1, 2), *numbers(7, 9)]


def test_while_there_is_no_room_nothing_is_taken_or_lost_and_the_lag_is_said(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    async def play() -> list[bytes]:
        broker.publish(topic, [b"%05d " % number + b"x" * 10_000 for number in range(600)])
        found: list[bytes] = []
        async with reading(tmp_path, at(broker, topic), quota_bytes=2 * MIB) as receiver:
            await until(lambda: receiver.tally.is_waiting)
            n_kept = receiver.tally.n_messages
            await asyncio.sleep(1.0)
            assert receiver.tally.n_messages == n_kept < 600
            follower = follower_in(tmp_path / "spool")

            def read() -> bool:
                lines = lines_of(follower)[0]
                follower.committed(follower.token())
                found.extend(bytes(line) for line in lines)
                return len(found) >= 600

            await until(read)
        assert receiver.tally.is_waiting is False
        return found

    assert [int(line[:5]) for line in asyncio.run(play())] == list(range(600))


def test_two_in_one_group_share_the_partitions_and_a_partition_goes_over_with_its_place(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    async def play() -> None:
        shared = f"{topic}-shared"
        broker.add_topic(shared, 4)
        broker.publish(shared, numbers(1, 400))
        async with reading(tmp_path / "a", at(broker, shared, instance="a")) as first:
            await until(lambda: first.tally.n_messages == 400)
            async with reading(tmp_path / "b", at(broker, shared, instance="b")) as second:
                await until(lambda: len(second._shares) == 2 == len(first._shares))
                broker.publish(shared, numbers(401, 800))
                await until(lambda: first.tally.n_messages + second.tally.n_messages == 800)

    asyncio.run(play())
    assert Counter(kept(tmp_path / "a") + kept(tmp_path / "b")) == Counter(numbers(1, 800))
    assert len(kept(tmp_path / "b")) > 100


def test_broker_is_proved_by_its_certificate_and_we_by_a_password(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        brokers = Brokers(
            servers=(broker.secure,),
            topics=(topic,),
            group="proved",
            sasl="SCRAM-SHA-512",
            secret=f"{USER}:{PASSWORD}\n",
            authorities=str(broker.ca),
        )
        broker.publish(topic, numbers(1, 2))
        async with reading(tmp_path, brokers) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("password", "is_authority", "why"),
    [("another", "yes", "Authentication failed"), (PASSWORD, "", "certificate verify failed")],
)
def test_what_is_not_proved_is_not_read_and_the_reason_is_said(  # noqa: PLR0917 - fixtures
    broker: Broker, topic: str, tmp_path: Path, password: str, is_authority: str, why: str
) -> None:
    async def play() -> None:
        brokers = Brokers(
            servers=(broker.secure,),
            topics=(topic,),
            group="proved",
            sasl="SCRAM-SHA-512",
            secret=f"{USER}:{password}",
            authorities=str(broker.ca) if is_authority else "",
        )
        async with reading(tmp_path, brokers) as receiver:
            await until(lambda: why in receiver.tally.away)
            assert PASSWORD not in receiver.tally.away
        with pytest.raises(OSError, match=why):
            look(brokers)

    asyncio.run(play())


def test_topic_that_is_not_there_is_said_and_read_once_it_is(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with reading(tmp_path, at(broker, f"{topic}-later")) as receiver:
            await until(lambda: f"{topic}-later" in receiver.tally.away)
            broker.add_topic(f"{topic}-later")
            broker.publish(f"{topic}-later", [b"1"])
            await until(lambda: receiver.tally.n_messages == 1 and not receiver.tally.away)

    asyncio.run(play())


def test_group_that_begins_late_leaves_out_what_is_there_and_goes_on_from_its_place_later(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    async def play() -> None:
        brokers = at(broker, topic, is_late=True)
        broker.publish(topic, numbers(1, 3))
        async with reading(tmp_path, brokers) as receiver:
            await until(lambda: bool(receiver._shares))
            broker.publish(topic, numbers(4, 4))
            await until(lambda: receiver.tally.n_messages == 1)
        broker.publish(topic, numbers(5, 6))
        async with reading(tmp_path, brokers) as receiver:
            await until(lambda: receiver.tally.n_messages == 2)

    asyncio.run(play())
    assert kept(tmp_path) == numbers(4, 6)


def test_what_a_transaction_took_back_is_not_read_and_empty_messages_are_passed(
    broker: Broker, topic: str, tmp_path: Path
) -> None:
    async def play() -> None:
        settings = {"bootstrap.servers": broker.address.removeprefix("kafka://"), "transactional.id": topic}
        producer = Producer({**settings, "log_level": 0})
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.produce(topic, b"taken back")
        producer.abort_transaction(WAIT_S)
        broker.publish(topic, [None, b"", b"kept"])
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 1)

    asyncio.run(play())
    assert kept(tmp_path) == [b"kept"]


def test_look_says_how_much_waits_for_the_group(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        broker.publish(topic, numbers(1, 5))
        assert f"topic {topic} has 1 partitions, and 5 messages" in look(at(broker, topic))
        async with reading(tmp_path, at(broker, topic)) as receiver:
            await until(lambda: receiver.tally.n_messages == 5)
        assert ", and 0 messages" in look(at(broker, topic))

    asyncio.run(play())


def test_receiver_whose_files_cannot_be_used_does_not_start(broker: Broker, topic: str, tmp_path: Path) -> None:
    async def play() -> None:
        brokers = Brokers(servers=(broker.secure,), topics=(topic,), group="g", authorities=str(tmp_path / "none.pem"))
        spool = Spool(tmp_path / "spool", quota_bytes=MIB)
        try:
            with pytest.raises(OSError, match=r"none\.pem"):
                await KafkaReceiver(spool, brokers, sync=_nothing).start("", 0)
        finally:
            spool.close()

    asyncio.run(play())


async def _nothing() -> None:
    """Nothing was kept."""

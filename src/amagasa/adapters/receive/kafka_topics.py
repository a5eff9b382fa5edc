"""Records out of topics of Kafka, as a member of a consumer group.

What comes is kept in one frame of the spool together with its partition and the offset behind it: that is the place
from which this source goes on, whatever becomes of it. The group is told a place (for others of the group, for whoever
looks at its lag) once what lies before it is on this disk, so a place of the group is never ahead of what is kept.
Where the two differ the further one counts. The client lives in a thread of its own; its callbacks run there, while
the loop waits.
"""

import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec import Struct

from amagasa.adapters.receive.kafka_client import ASKED_S, Brokers, consumer_settings, said_of, tag_of, topic_ids
from amagasa.adapters.receive.messages import records_of
from amagasa.app.spool_ports import Keeper, Kept, Tally

MAX_MESSAGES: Final = 1_000  # of one take
FRAME_BYTES: Final = 1_048_576
POLL_S: Final = 0.5
TOLD_EVERY_S: Final = 1.0
LOOKED_EVERY_S: Final = 2.0
BELIEVED_S: Final = 30.0
_CONSEQUENCES: Final = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT}  # noqa: SLF001 - its names for its codes
RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 10.0
ROOM_S: Final = 0.2
STOP_S: Final = 5.0
_MARK: Final = struct.Struct(">8sQ")

Sync = Callable[[], Awaitable[None]]
Found = TypeVar("Found")
Owned = tuple[str, int]


class Share(Struct, kw_only=True):
    """A partition which is ours for now: `next` is the offset behind what is kept, `told` what the group was told."""

    tag: bytes
    next: int
    told: int


class KafkaReceiver:
    """For one event loop. `sync` returns once all that was kept is on the disk."""

    def __init__(self, keeper: Keeper, brokers: Brokers, *, sync: Sync) -> None:
        self._keeper = keeper
        self._brokers = brokers
        self._sync = sync
        self._places = dict(_MARK.unpack(one) for one in keeper.ids())  # the last of a partition counts
        self._shares: dict[Owned, Share] = {}
        self._pool = ThreadPoolExecutor(1, "kafka")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_paused = False
        self._strays: list[Message] = []
        self._complaint = ""
        self._complained_at = 0.0
        self._told_at = self._looked_at = 0.0
        self.tally = Tally()

    async def start(self, host: str, port: int) -> int:
        """Begin to read; 0, since nothing listens. Raises OSError for settings and files that cannot be used."""
        del host, port
        self._loop = asyncio.get_running_loop()
        try:
            consumer = await self._call(self._client)
        except KafkaException as problem:
            raise OSError(None, said_of(problem)) from problem
        self._task = asyncio.create_task(self._run(consumer))
        return 0

    def tick(self) -> None:
        """Nothing waits for it."""

    async def stop(self) -> None:
        """Read no more; tell the group how far it came."""
        self._is_stopping = True
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_S)
            self._task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, act: Callable[[], Found]) -> Found:
        """In the thread of the client."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, act)

    def _client(self) -> Consumer:
        return Consumer(consumer_settings(self._brokers, self._complain))

    async def _run(self, consumer: Consumer | None) -> None:
        wait_s = RETRY_FIRST_S
        while not self._is_stopping:
            n_before = self.tally.n_messages
            try:
                if consumer is None:
                    consumer = await self._call(self._client)
                await self._read(consumer)
            except (KafkaException, OSError, TimeoutError) as problem:
                self.tally.away = said_of(problem)
            finally:
                await self._leave(consumer)
            consumer = None
            wait_s = RETRY_FIRST_S if self.tally.n_messages > n_before else min(2 * wait_s, RETRY_MOST_S)
            if not self._is_stopping:
                await asyncio.sleep(wait_s)

    async def _leave(self, consumer: Consumer | None) -> None:
        if consumer is not None:
            with contextlib.suppress(KafkaException, RuntimeError):
                await self._call(consumer.close)
        self._shares.clear()
        self._strays.clear()
        self._is_paused = False

    async def _read(self, consumer: Consumer) -> None:
        """Until it is to end. Raises what the client raises."""
        await self._call(lambda: self._subscribe(consumer))
        while not self._is_stopping:
            messages = await self._call(lambda: _take(consumer))
            await self._keep(consumer, messages)
            while self._strays and not self._is_stopping:
                strays, self._strays = self._strays, []
                await self._keep(consumer, strays)
            await self._call(lambda: self._look(consumer))
            await self._tell(consumer)
        self._told_at = 0.0
        await self._tell(consumer)

    def _subscribe(self, consumer: Consumer) -> None:
        consumer.subscribe(
            list(self._brokers.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    # What comes of a rebalance: in the thread of the client, within a call of it.

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        ids = topic_ids(self._brokers, {one.topic for one in partitions})
        for one in consumer.committed(partitions, timeout=ASKED_S):
            if one.error is not None:
                raise KafkaException(one.error)
            tag = tag_of(one.topic, one.partition, ids[one.topic])
            low, high = consumer.get_watermark_offsets(one, timeout=ASKED_S)
            begin = self._begin(max(self._places.get(tag, -1), one.offset), low, high)
            if begin > high:  # unclean election; or, where the cluster gives topics no identifier, a topic made anew
                begin = high if ids[one.topic] else low
            self._shares[one.topic, one.partition] = Share(tag=tag, next=begin, told=one.offset)
        consumer.incremental_assign([self._place_of(one) for one in partitions])
        if self._is_paused:
            consumer.pause(partitions)

    def _begin(self, known: int, low: int, high: int) -> int:
        """The offset to go on at, of a partition of which the offsets before `known` are kept; -1: none."""
        if known < 0:
            return high if self._brokers.is_late else low
        self.tally.n_gone += max(0, low - known)
        return max(known, low)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Whoever has them next begins behind what is kept here."""
        if self._loop is not None and self._untold():
            with contextlib.suppress(OSError, TimeoutError):
                asyncio.run_coroutine_threadsafe(_awaited(self._sync), self._loop).result(ASKED_S)
                self._commit(consumer, self._untold())
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others have them already."""
        for one in partitions:
            self._shares.pop((one.topic, one.partition), None)
        consumer.incremental_unassign(partitions)

    def _place_of(self, one: TopicPartition) -> TopicPartition:
        return TopicPartition(one.topic, one.partition, self._shares[one.topic, one.partition].next)

    # What is kept, and what the group is told of it.

    async def _keep(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        """In frames of one partition each, and with each the place behind it."""
        own: dict[Owned, list[tuple[int, bytes]]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._complain(error)
                continue
            where = (str(message.topic()), int(message.partition() or 0))
            own.setdefault(where, []).append((int(message.offset() or 0), _bytes_of(message.value())))
        for where, found in own.items():
            self._count_gone(consumer, where, found[0][0])
            for lines, behind in _frames(found):
                await self._keep_frame(consumer, where, lines, behind)

    def _count_gone(self, consumer: Consumer, where: Owned, first: int) -> None:
        """What the topic let go before it was read; offsets are left out for other reasons too."""
        share = self._shares.get(where)
        if share is not None and first > share.next:
            low, _ = consumer.get_watermark_offsets(TopicPartition(*where), cached=True)
            self.tally.n_gone += max(0, min(low, first) - share.next)

    async def _keep_frame(self, consumer: Consumer, where: Owned, lines: list[bytes], behind: int) -> None:
        """Waits while there is no room, and stays in the group meanwhile. What went to another is his to keep."""
        payload = b"".join(line + b"\n" for line in lines)
        while (share := self._shares.get(where)) is not None and behind > share.next:
            kept = self._keeper.keep(payload, _MARK.pack(share.tag, behind)) if lines else Kept.KNOWN
            if kept in {Kept.KEPT, Kept.KNOWN}:
                share.next = self._places[share.tag] = behind
                self._count(kept, len(lines), len(payload))
                break
            self.tally.is_waiting, self.tally.why = True, self._keeper.why if kept is Kept.BROKEN else ""
            await self._call(lambda: self._pause(consumer))
            await asyncio.sleep(ROOM_S)
            if self._is_stopping:
                return
        if self._is_paused:
            await self._call(lambda: self._resume(consumer))
        self.tally.is_waiting, self.tally.why = False, ""

    def _count(self, kept: Kept, n_lines: int, n_bytes: int) -> None:
        if kept is Kept.KNOWN:
            self.tally.n_again += n_lines
        else:
            self.tally.n_messages += n_lines
            self.tally.n_bytes += n_bytes

    def _pause(self, consumer: Consumer) -> None:
        """Fetch no more, and answer the group."""
        if not self._is_paused:
            self._is_paused = True
            consumer.pause(consumer.assignment())
        message = consumer.poll(0.0)
        if message is not None:
            self._strays.append(message)

    def _resume(self, consumer: Consumer) -> None:
        """Behind what was taken last: what was fetched and not taken is fetched again."""
        self._is_paused = False
        consumer.resume(consumer.assignment())

    async def _tell(self, consumer: Consumer) -> None:
        """The group: what is on the disk."""
        now = time.monotonic()
        untold = self._untold()
        if untold and now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            try:
                await self._sync()
            except OSError as problem:
                self.tally.why = problem.strerror or str(problem)
                return
            await self._call(lambda: self._commit(consumer, untold))

    def _untold(self) -> dict[Owned, int]:
        return {where: share.next for where, share in self._shares.items() if share.next > share.told}

    def _commit(self, consumer: Consumer, places: dict[Owned, int]) -> None:
        """Where that fails the next time says it too, and this source does not need it."""
        offsets = [TopicPartition(*where, offset) for where, offset in places.items() if where in self._shares]
        try:
            for one in consumer.commit(offsets=offsets, asynchronous=False) if offsets else ():
                if one.error is None and (share := self._shares.get((one.topic, one.partition))) is not None:
                    share.told = one.offset
        except KafkaException as problem:
            self._complain(problem.args[0])

    def _look(self, consumer: Consumer) -> None:
        """How much waits at the brokers; while something is wrong, whether it still is."""
        now = time.monotonic()
        if now - self._looked_at < LOOKED_EVERY_S:
            return
        self._looked_at = now
        ends = {where: consumer.get_watermark_offsets(TopicPartition(*where), cached=True)[1] for where in self._shares}
        self.tally.n_behind = sum(max(0, ends[where] - share.next) for where, share in self._shares.items())
        if self._complaint or not self._shares:
            wrong = _wrong_with(consumer, self._brokers.topics)
            if not (self._is_believed and (wrong or not self._shares)):
                self._complaint = wrong
        self.tally.away = self._complaint

    @property
    def _is_believed(self) -> bool:
        """Whether there is a complaint, and a young one: what is asked afterwards says less of the cause."""
        return bool(self._complaint) and time.monotonic() - self._complained_at < BELIEVED_S

    def _complain(self, error: KafkaError) -> None:
        """Called by the client from within its calls. Raises KafkaException where this client can do no more."""
        if error.fatal():
            raise KafkaException(error)
        if error.code() in _CONSEQUENCES and self._is_believed:
            return
        self.tally.away = self._complaint = said_of(error)
        self._complained_at = time.monotonic()


def _take(consumer: Consumer) -> list[Message]:
    """What is there at once, or the first that comes within `POLL_S`."""
    first = consumer.poll(POLL_S)
    return [] if first is None else [first, *consumer.consume(MAX_MESSAGES - 1, 0.0)]


def _frames(found: Iterable[tuple[int, bytes]]) -> Iterator[tuple[list[bytes], int]]:
    """Lines and the offset behind them, cut at about `FRAME_BYTES`."""
    lines: list[bytes] = []
    n_bytes, behind = 0, -1
    for offset, data in found:
        lines += records_of(data)
        n_bytes += len(data)
        behind = offset + 1
        if n_bytes >= FRAME_BYTES:
            yield lines, behind
            lines, n_bytes, behind = [], 0, -1
    if behind >= 0:
        yield lines, behind


def _wrong_with(consumer: Consumer, topics: Sequence[str]) -> str:
    """What keeps these topics from being read; "" where nothing seems to."""
    for topic in topics:
        try:
            error = consumer.list_topics(topic, timeout=ASKED_S / 4).topics[topic].error
        except KafkaException as problem:
            return said_of(problem)
        if error is not None:
            return f"topic {topic}: {said_of(error)}"
    return ""


def _bytes_of(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""


async def _awaited(sync: Sync) -> None:
    await sync()

"""Records out of a stream of NATS JetStream: kept here, with how far the stream was read, in one frame of the spool.

The consumer is made anew at each connection, begins behind the last frame and acknowledges nothing: the broker keeps no
position of ours, so there is no second position that could differ. A broker that is gone is tried again without end.
"""

import asyncio
import contextlib
import hashlib
import struct
from collections.abc import Sequence
from typing import Any, Final

import nats
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from amagasa.adapters.receive.messages import records_of
from amagasa.app.spool_ports import NO_ID, Keeper, Kept, Tally
from amagasa.vocab.text import show

MAX_MESSAGES: Final = 200  # of one fetch
FRAME_BYTES: Final = 1_048_576
FETCH_S: Final = 1.0
CONNECT_S: Final = 5
FORGOTTEN_S: Final = 60.0
RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 10.0
ROOM_S: Final = 0.2
STOP_S: Final = 0.5
_MARK: Final = struct.Struct(">Q8s")


class Broker(Struct, frozen=True, kw_only=True):
    """Where a stream is. `secret` is `user:password` or a token; "" for none. `subject` "" means all of the stream."""

    servers: tuple[str, ...]
    stream: str
    subject: str = ""
    secret: str = ""


class NatsReceiver:
    """For one event loop. `mark`: identifier of the last frame that was kept, where the spool holds none any more."""

    def __init__(self, keeper: Keeper, broker: Broker, mark: bytes = NO_ID) -> None:
        self._keeper = keeper
        self._broker = broker
        kept = keeper.last_id if keeper.last_id != NO_ID else mark
        self._sequence, self._tag = _MARK.unpack(kept)
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.tally = Tally()

    async def start(self, host: str, port: int) -> int:
        """Begin to read; 0, since nothing listens."""
        del host, port
        self._task = asyncio.create_task(self._run())
        return 0

    def tick(self) -> None:
        """Nothing waits for it."""

    async def stop(self) -> None:
        """Read no more."""
        self._is_stopping = True
        while self._task is not None and not self._task.done():
            # The client turns a cancellation into an error of its own where its line is broken.
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_S)

    async def _run(self) -> None:
        wait_s = RETRY_FIRST_S
        while not self._is_stopping:
            n_before = self.tally.n_messages
            try:
                await self._read()
            except (Error, OSError, TimeoutError) as problem:
                self.tally.away = show(str(problem) or type(problem).__name__)
            wait_s = RETRY_FIRST_S if self.tally.n_messages > n_before else min(2 * wait_s, RETRY_MOST_S)
            await asyncio.sleep(wait_s)

    async def _read(self) -> None:
        """Until the line breaks. Raises what the client raises."""
        client = await nats.connect(
            list(self._broker.servers),
            connect_timeout=CONNECT_S,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # else a broker that refuses is said to be away after two minutes
            reconnect_time_wait=RETRY_FIRST_S,
            error_cb=_unsaid,
            **_proof(self._broker.secret),
        )
        try:
            subscription = await self._subscribed(client)
            self.tally.away = ""
            while client.is_connected:
                try:
                    messages = await subscription.fetch(MAX_MESSAGES, timeout=FETCH_S)
                except TimeoutError:
                    continue
                await self._keep(messages)
                self.tally.n_behind = messages[-1].metadata.num_pending if messages else 0
        finally:
            with contextlib.suppress(Error, OSError, TimeoutError):
                await client.close()
        self.tally.away = "the line to the broker broke"

    async def _subscribed(self, client: Client) -> Any:
        stream = client.jetstream()
        info = await stream.stream_info(self._broker.stream)
        tag = hashlib.sha256(f"{self._broker.stream} {info.created}".encode()).digest()[:8]
        if self._sequence and (tag != self._tag or info.state.last_seq < self._sequence):
            self._sequence = 0  # another stream of this name: there is no place in it yet
        elif self._sequence:
            self.tally.n_gone += max(0, info.state.first_seq - self._sequence - 1)
        self._tag = tag
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._sequence + 1,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=FORGOTTEN_S,
        )
        return await stream.pull_subscribe(self._broker.subject or ">", stream=self._broker.stream, config=config)

    async def _keep(self, messages: Sequence[Msg]) -> None:
        """In frames, and with each the place behind it."""
        lines: list[bytes] = []
        n_bytes = 0
        for message in messages:
            lines += records_of(message.data)
            n_bytes += len(message.data)
            if n_bytes >= FRAME_BYTES or message is messages[-1]:
                await self._keep_frame(lines, message.metadata.sequence.stream)
                lines, n_bytes = [], 0

    async def _keep_frame(self, lines: list[bytes], sequence: int) -> None:
        """Waits while there is no room."""
        payload = b"".join(line + b"\n" for line in lines)
        mark = _MARK.pack(sequence, self._tag)
        while lines and (kept := self._keeper.keep(payload, mark)) in {Kept.FULL, Kept.BROKEN}:
            self.tally.is_waiting, self.tally.why = True, self._keeper.why if kept is Kept.BROKEN else ""
            await asyncio.sleep(ROOM_S)
        self.tally.is_waiting, self.tally.why = False, ""
        self._sequence = sequence
        self.tally.n_messages += len(lines)
        self.tally.n_bytes += len(payload)


def _proof(secret: str) -> dict[str, str]:
    user, colon, password = secret.strip().partition(":")
    if colon:
        return {"user": user, "password": password}
    return {"token": user} if user else {}


async def _unsaid(problem: Exception) -> None:
    """What breaks a line is told by the call that it breaks."""
    del problem

"""Wiring of receivers: the port, the spool behind it, and what is said of both."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Final, Protocol

import uvicorn

from amagasa.adapters.receive.datagrams import DatagramReceiver
from amagasa.adapters.receive.kafka_topics import KafkaReceiver
from amagasa.adapters.receive.nats_stream import Broker, NatsReceiver
from amagasa.adapters.receive.push import PushDoor
from amagasa.adapters.receive.senders import Senders
from amagasa.adapters.receive.streams import StreamReceiver, Sync
from amagasa.adapters.source.spool import Spool
from amagasa.app.receiver_messages import ReceiverSpec, Transport
from amagasa.app.spool_ports import NO_ID, Tally
from amagasa.entry.serving import Server
from amagasa.entry.wiring_broker import brokers_of, secret_in

HTTP_CONNECTIONS: Final = 128
IDLE_S: Final = 30


class Receiver(Protocol):
    """One open port."""

    @property
    def tally(self) -> Tally:
        """What it counted."""

    async def start(self, host: str, port: int) -> int:
        """Listen; the port. Raises OSError."""

    def tick(self) -> None:
        """Called ten times a second."""

    async def stop(self) -> None:
        """Take what has come, then close."""


class GroupSync:
    """Waits until what was kept before the call is on the disk; calls that come together share one sync."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._lock = asyncio.Lock()
        self._n_asked = self._n_done = 0

    async def __call__(self) -> None:
        """Raises OSError."""
        self._n_asked += 1
        wanted = self._n_asked
        async with self._lock:
            if self._n_done < wanted:
                n_asked = self._n_asked
                await asyncio.to_thread(self._spool.sync)
                self._n_done = n_asked


class PushReceiver:
    """The push door with its server."""

    def __init__(self, door: PushDoor, context: ssl.SSLContext | None) -> None:
        self._door = door
        self._context = context
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def tally(self) -> Tally:
        """See Receiver."""
        return self._door.tally

    async def start(self, host: str, port: int) -> int:
        """See Receiver."""
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host.strip("[]"), port))
            listener.listen(HTTP_CONNECTIONS)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        config = uvicorn.Config(
            self._door,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=3,
            limit_concurrency=HTTP_CONNECTIONS,
        )
        config.load()
        config.ssl = self._context
        self._server = Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        found: int = listener.getsockname()[1]
        return found

    def tick(self) -> None:
        """See Receiver."""
        self._door.tick()

    async def stop(self) -> None:
        """See Receiver."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def spool_of(spec: ReceiverSpec) -> Spool:
    """The spool behind a receiver. Raises OSError."""
    return Spool(Path(spec.folder), quota_bytes=spec.quota_bytes, least=spec.least)


def receiver_of(spec: ReceiverSpec, spool: Spool, sync: Sync, *, certificate: str, key: str) -> Receiver:
    """The receiver of a spec, not listening yet. Raises OSError (ssl.SSLError too) for files that cannot be used."""
    if spec.topics:
        return KafkaReceiver(spool, brokers_of(spec, certificate), sync=sync)
    if spec.servers:
        secret = secret_in(spec.secret)
        broker = Broker(servers=spec.servers, stream=spec.stream, subject=spec.subject, secret=secret)
        return NatsReceiver(spool, broker, bytes.fromhex(spec.mark) if spec.mark else NO_ID)
    senders = Senders(spec.senders)
    context = _context(spec, certificate, key) if spec.transport is Transport.TLS else None
    if spec.is_http:
        return PushReceiver(PushDoor(spool, senders, sync=sync, token_hash=spec.token_hash), context)
    if spec.transport is Transport.UDP:
        return DatagramReceiver(spool, senders)
    return StreamReceiver(spool, senders, sync=sync, context=context)


def _context(spec: ReceiverSpec, certificate: str, key: str) -> ssl.SSLContext:
    """RFC 5425 and RFC 9662: TLS 1.2 or newer; a self-signed certificate of a sender is its own anchor."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    if spec.clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(spec.clients)
    return context

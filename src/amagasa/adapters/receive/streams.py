"""Syslog over TCP and TLS (RFC 6587, RFC 5425). A sender that is too fast, or for which there is no room, waits.

A sender that closes its side in order and waits for ours to close knows by that that all it sent is on the disk. A
connection is set to end with a reset, from the instant the kernel makes it, and is closed in order only after its
sender ended it and all that it sent is kept: else the end of a receiver, killed or not, would read like a confirmation.
Without that syslog over TCP confirms nothing: what lies in the kernel's buffers when a machine dies is gone.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from amagasa.adapters.receive.senders import Senders
from amagasa.app.spool_ports import Keeper, Kept, Tally
from amagasa.event.syslog_frames import SyslogFrames

MAX_CONNECTIONS: Final = 256
# Messages that are not whole yet, of all connections together.
MAX_HELD_BYTES: Final = 64 * 1_048_576
HANDSHAKE_S: Final = 10.0
LAST_WORDS_S: Final = 0.2
_WITH_RESET: Final = struct.pack("ii", 1, 0)
_IN_ORDER: Final = struct.pack("ii", 0, 0)

Sync = Callable[[], Awaitable[None]]


class StreamReceiver:
    """One listening port. `sync` returns once all that was kept is on the disk. For one event loop."""

    def __init__(self, keeper: Keeper, senders: Senders, *, sync: Sync, context: ssl.SSLContext | None = None) -> None:
        self._keeper = keeper
        self._senders = senders
        self._sync = sync
        self._context = context
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._n_held = 0
        self.tally = Tally()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port. Raises OSError."""
        if self._context is not None:
            # A ticket that nobody reads makes a sender which just closes throw away what we have not read yet.
            self._context.num_tickets = 0
        handshake_s = None if self._context is None else HANDSHAKE_S
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), host, port, ssl=self._context, ssl_handshake_timeout=handshake_s
        )
        for listener in self._server.sockets:  # what the kernel accepts has it from the listener
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITH_RESET)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    def tick(self) -> None:
        """Try again what there was no room for."""
        for connection in tuple(self._connections):
            connection.try_again()
        self.tally.is_waiting = any(one.is_waiting for one in self._connections)
        self.tally.n_open = len(self._connections)

    async def stop(self) -> None:
        """Listen no more; take what has come, then close."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.sleep(LAST_WORDS_S)
        for connection in tuple(self._connections):
            connection.give_up()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def opened(self, connection: "_Connection", address: str) -> bool:
        """Whether this connection may stay."""
        if len(self._connections) >= MAX_CONNECTIONS or not self._senders.may(address):
            self.tally.n_refused += 1
            return False
        self._connections.add(connection)
        return True

    def holds(self, n_more: int) -> bool:
        """A connection holds so many bytes more of what is not whole; whether it may."""
        self._n_held += n_more
        return self._n_held <= MAX_HELD_BYTES

    def keep(self, lines: list[bytes]) -> bool:
        """Keep messages; whether there was room."""
        payload = b"\n".join(lines) + b"\n"
        kept = self._keeper.keep(payload)
        self.tally.why = self._keeper.why
        if kept is not Kept.KEPT:
            return False
        self.tally.n_messages += len(lines)
        self.tally.n_bytes += len(payload)
        return True

    def over(self, connection: "_Connection") -> None:
        """It is closed, and all that came from it is kept."""
        self._connections.discard(connection)

    def confirm(self, transport: asyncio.Transport) -> None:
        """Close our side once all that came is on the disk."""
        task = asyncio.ensure_future(self._confirmed(transport))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _confirmed(self, transport: asyncio.Transport) -> None:
        try:
            await self._sync()
        except OSError:
            transport.abort()  # a sender which waits for an orderly end is not told that all is well
        else:
            _end_with(transport, _IN_ORDER)
            transport.close()


def _end_with(transport: asyncio.Transport, how: bytes) -> None:
    line = transport.get_extra_info("socket")
    if line is not None:
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: StreamReceiver) -> None:
        self._receiver = receiver
        self._frames = SyslogFrames()
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._is_ended = False
        self._is_lost = False

    @property
    def is_waiting(self) -> bool:
        """Whether there was no room for what came."""
        return bool(self._pending)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(type(transport))
        address = (transport.get_extra_info("peername") or ("",))[0]
        if self._receiver.opened(self, address):
            self._transport = transport
            _end_with(transport, _WITH_RESET)
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._transport is None:
            return
        n_held, n_cut = self._frames.n_held, self._frames.n_cut
        lines = self._frames.feed(data)
        self._receiver.tally.n_cut += self._frames.n_cut - n_cut
        if not self._receiver.holds(self._frames.n_held - n_held):
            self._transport.abort()
        self._keep(lines)

    def eof_received(self) -> bool:
        """The sender has said all. Ours stays open until all of it is on the disk."""
        n_held = self._frames.n_held
        lines = self._frames.end()
        self._receiver.holds(-n_held)
        self._is_ended = True
        self._keep(lines)
        if not self._pending:
            self._confirm()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """What was not whole is no message; what waits for room still waits."""
        del exc
        if self._transport is None:
            return
        if self._frames.n_held:
            self._receiver.tally.n_torn += 1
            self._receiver.holds(-self._frames.n_held)
        self._is_lost = True
        if not self._pending:
            self._receiver.over(self)

    def try_again(self) -> None:
        """Keep what waits, if there is room now, and read on."""
        if not self._pending:
            return
        waiting, self._pending = self._pending, []
        self._keep(waiting)
        if self._pending:
            return
        if self._is_lost:
            self._receiver.over(self)
        elif self._is_ended:
            self._confirm()
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def give_up(self) -> None:
        """The node ends. Whoever has not ended, or waits for room, is told by a reset that not all is kept."""
        if self._transport is not None and (self._pending or not self._is_ended):
            self._transport.abort()

    def _keep(self, lines: list[bytes]) -> None:
        if self._pending:
            self._pending += lines
        elif lines and not self._receiver.keep(lines):
            self._pending = lines
            if self._transport is not None and not (self._is_ended or self._is_lost or self._transport.is_closing()):
                self._transport.pause_reading()

    def _confirm(self) -> None:
        if self._transport is not None and not self._is_lost:
            self._receiver.confirm(self._transport)

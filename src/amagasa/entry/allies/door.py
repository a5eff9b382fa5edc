"""The ally door: a listening socket that opens only to certificates of agreements in force.

It opens with the first agreement, lets go of a line whose certificate is no longer pinned, and closes with the last.
A change of agreements leaves the other allies' lines as they are.
"""

import asyncio
import contextlib
import errno
import functools
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from msgspec import Struct
from uvicorn.server import ServerState

from amagasa.entry.allies.protocol import Blame, Patience, PeerProtocol
from amagasa.entry.allies.tls import ally_server_context, fingerprint_of_der, fingerprint_of_pem
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import show

_LOG = structlog.get_logger("amagasa.ally_door")


class Room(Struct, frozen=True, kw_only=True):
    """How many connections fit: a stranger may fill the handshakes, never the lines of those already in."""

    n_handshakes: int = 32
    n_handshakes_per_address: int = 8
    n_lines: int = 64
    n_lines_per_ally: int = 16
    head_bytes: int = 16 * 1024


class AllyDoor:
    """Serves an ASGI application over mutual TLS to pinned certificates. One event loop; not thread-safe.

    `start` once, `reload` whenever agreements change or expire, `stop` at the end. `n_refused` counts, by reason,
    those who did not get in. `blame` hears of allies, known by their certificate, who take too many lines or too long.
    """

    def __init__(
        self,
        app: Any,
        *,
        certificate: Path,
        key: Path,
        patience: Patience | None = None,
        room: Room | None = None,
        blame: Blame | None = None,
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._patience = patience or Patience()
        self._room = room or Room()
        self._blame = blame
        self._config = uvicorn.Config(
            app,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=self._patience.idle_s,
            h11_max_incomplete_event_size=self._room.head_bytes,
        )
        self._state = ServerState()
        self._address = ("127.0.0.1", 0)
        self._pins: frozenset[str] = frozenset()
        self._context: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: dict[asyncio.Task[None], str] = {}
        self.n_refused: Counter[str] = Counter()

    @property
    def is_open(self) -> bool:
        """Whether anybody is listening."""
        return self._listener is not None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port is the real one from the first opening on, where 0 was asked for."""
        return self._address

    async def start(self, host: str, port: int, allies: Sequence[str]) -> None:
        """Open for these certificates (PEM). With none the door stays shut, but the port is tried.

        Raises WorldError (AMG-PORT) where the port cannot be had, and what `tls.ally_server_context` raises.
        """
        self._address = (host, port)
        if not allies:
            _bind(host, port).close()
        await self.reload(allies)

    async def reload(self, allies: Sequence[str]) -> None:
        """Serve exactly these certificates (PEM) from now on. Lines of any other are cut. Raises as `start`."""
        pins = frozenset(fingerprint_of_pem(pem) for pem in allies)
        if pins == self._pins:
            return
        context = ally_server_context(self._certificate, self._key, allies) if pins else None
        if context is not None and self._listener is None:
            self._open()
        self._context, self._pins = context, pins
        for line in self._lines():
            if line.fingerprint not in pins:
                line.abort()
        if context is None:
            await self._close()

    async def stop(self, *, grace_s: float = 2.0) -> None:
        """Let in nobody more, let requests under way finish within `grace_s`, then cut every line."""
        await self._close()
        self._pins = frozenset()
        for line in self._lines():
            line.shutdown()
        if self._state.tasks:
            await asyncio.wait(set(self._state.tasks), timeout=grace_s)
        for line in self._lines():
            line.abort()
        await asyncio.sleep(0)

    def _open(self) -> None:
        self._listener = _bind(*self._address)
        self._address = self._listener.getsockname()[:2]
        if not self._config.loaded:
            self._config.load()
        self._accepting = asyncio.create_task(self._accept(self._listener))

    async def _close(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._accepting
            self._accepting = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        handshakes = tuple(self._handshakes)
        for task in handshakes:
            task.cancel()
        await asyncio.gather(*handshakes, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                # Out of descriptors, or the peer is gone already: the next one may fare better.
                _LOG.warning("the ally door could not accept a connection", why=str(error))
                await asyncio.sleep(0.1)
                continue
            host = str(peer[0])
            if not self._has_room(host):
                self._refuse("too many handshakes", host)
                connection.close()
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._shake_hands(connection, host))
            self._handshakes[task] = host
            task.add_done_callback(functools.partial(self._handshake_ended, connection))

    def _handshake_ended(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        del self._handshakes[task]
        if task.cancelled():
            connection.close()

    async def _shake_hands(self, connection: socket.socket, host: str) -> None:
        context = self._context
        if context is None:
            connection.close()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=context, ssl_handshake_timeout=self._patience.handshake_s
            )
        except ssl.SSLError as error:
            self._refuse("handshake refused", host, str(error))
        except (OSError, TimeoutError) as error:
            self._refuse("handshake not finished", host, str(error))

    def _protocol(self) -> PeerProtocol:
        protocol = PeerProtocol(self._config, self._state, {})
        protocol.patience = self._patience
        protocol.greet = self._greet
        if self._blame is not None:
            protocol.blame = self._blame
        return protocol

    def _greet(self, certificate: bytes | None) -> str | None:
        fingerprint = fingerprint_of_der(certificate) if certificate else ""
        if fingerprint not in self._pins:
            self._refuse("certificate not pinned", "", fingerprint)
            return None
        held = Counter(line.fingerprint for line in self._lines())
        if held.total() > self._room.n_lines or held[fingerprint] >= self._room.n_lines_per_ally:
            self._refuse("too many lines", "", fingerprint)
            if self._blame is not None:
                self._blame(fingerprint, "AMG-DOOR-LINES", "it wanted more lines than an ally may hold")
            return None
        return fingerprint

    def _lines(self) -> list[PeerProtocol]:
        return [line for line in tuple(self._state.connections) if isinstance(line, PeerProtocol)]

    def _has_room(self, host: str) -> bool:
        under_way = tuple(self._handshakes.values())
        return len(under_way) < self._room.n_handshakes and under_way.count(host) < self._room.n_handshakes_per_address

    def _refuse(self, why: str, host: str, detail: str = "") -> None:
        self.n_refused[why] += 1
        n = self.n_refused[why]
        if n & (n - 1) == 0:  # the 1st, 2nd, 4th, 8th ...: a flood of strangers must not flood the log
            _LOG.warning("the ally door let somebody not in", why=why, host=host, detail=show(detail), n=n)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_port(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _no_port(host, port, error) from error
    listener.setblocking(False)
    return listener


def _no_port(host: str, port: int, error: OSError) -> WorldError:
    in_use = error.errno == errno.EADDRINUSE
    return WorldError(
        "AMG-PORT",
        f"the ally door cannot open at {host} port {port}",
        expected="an address of this machine and a free port",
        got="the port is in use" if in_use else str(error.strerror or error),
        then="end what holds it or choose another in node.toml; nothing is listening for allies",
    )

"""HTTP/1.1 for the ally door: who is at the other end, and how long it may take.

uvicorn shows an application neither the peer's certificate nor a limit on slow requests. Both are added here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import h11
from msgspec import Struct
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

PEER: Final = "peer_fingerprint"  # key in the ASGI scope's "state": SHA-256 of the peer certificate's DER, in hex


class Patience(Struct, frozen=True, kw_only=True):
    """How long a peer may take before its connection is cut, in seconds."""

    handshake_s: float = 5.0
    head_s: float = 10.0  # from connecting, or from the first byte of a further request, to its last header
    request_s: float = 120.0  # from the headers to the last byte of the answer: 10 MiB at 0.7 Mbit/s
    idle_s: int = 75  # between two requests


# Told that whoever showed this certificate (its fingerprint) was refused: code and reason.
Blame = Callable[[str, str, str], None]


class PeerProtocol(H11Protocol):
    """One connection. Its peer's certificate has been verified by TLS; `greet` says whether it may stay.

    `greet` gets the DER of the certificate (None where there is none) and returns the fingerprint to put into the
    scope, or None to cut the connection before a byte of HTTP is read. `blame` hears of a line cut because its peer
    was slow: fingerprint, code, reason.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.patience = Patience()
        self.greet: Callable[[bytes | None], str | None] = _nobody
        self.blame: Blame = _nothing
        self.fingerprint: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._waits_for_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Cut the line, or keep it and put the fingerprint into each request's scope."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.fingerprint = self.greet(tls.getpeercert(binary_form=True) if tls is not None else None)
        if self.fingerprint is None:
            transport.abort()
            return
        self.app_state = {**self.app_state, PEER: self.fingerprint}
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and start the clock of whatever has begun."""
        if self.fingerprint is None:
            return
        if self._deadline is None:
            self._expect_head()
        super().data_received(data)
        if self._waits_for_head and self.conn.their_state is not h11.IDLE:
            self._waits_for_head = False
            self._arm(self.patience.request_s)

    def on_response_complete(self) -> None:
        """The answer is out: the clock of the request stops, uvicorn's for an idle line starts."""
        self._disarm()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle line, and abort it where the peer does not read what it is still owed."""
        super().timeout_keep_alive_handler()
        self._arm(self.patience.head_s, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._disarm()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Cut the line without further words."""
        if self.transport is not None:
            # Closed twice, a TLS transport of Python before 3.11.5 has let go of what it would abort: it is ending.
            with contextlib.suppress(AttributeError):
                self.transport.abort()

    def _expect_head(self) -> None:
        self._waits_for_head = True
        self._arm(self.patience.head_s)

    def _arm(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, then or self._too_slow)

    def _too_slow(self) -> None:
        if self.fingerprint is not None:
            patience = self.patience
            what, limit = ("a head", patience.head_s) if self._waits_for_head else ("a request", patience.request_s)
            self.blame(self.fingerprint, "AMG-DOOR-SLOW", f"{what} took longer than {limit:g} s and its line was cut")
        self.abort()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _nobody(certificate: bytes | None) -> str | None:
    del certificate
    return None


def _nothing(fingerprint: str, code: str, why: str) -> None:
    del fingerprint, code, why

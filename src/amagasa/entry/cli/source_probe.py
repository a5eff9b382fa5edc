"""Trying the port of a source: whether it answers as it should or, where the node does not run, could be had."""

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from amagasa.app.receiver_messages import Transport
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.settings.source import SourceSettings
from amagasa.entry.wiring_broker import kafka_answer
from amagasa.vocab.text import show

TIMEOUT_S: Final = 5.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not a door opened here


def probed(source: SourceSettings, node: Path, *, is_running: bool) -> dict[str, Any]:
    """`is_good` and what was `found`, in words."""
    try:
        found = _found(source, node, is_running=is_running)
    except (OSError, http.client.HTTPException) as problem:
        got = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        return {"address": source.address, "is_good": False, "found": show(got or type(problem).__name__)}
    return {"address": source.address, "is_good": True, "found": found}


def _found(source: SourceSettings, node: Path, *, is_running: bool) -> str:
    """Raises OSError and http.client.HTTPException."""
    if source.kind is SourceKind.NATS:
        return _greeted(source)
    if source.kind is SourceKind.KAFKA:
        return kafka_answer(source, node)
    return _answer(source, node) if is_running else _free(source)


def _free(source: SourceSettings) -> str:
    """Raises OSError where the port cannot be had."""
    kind = socket.SOCK_DGRAM if source.transport is Transport.UDP else socket.SOCK_STREAM
    host = source.host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, source.at_port))
    return "the node does not run; the port is free"


def _answer(source: SourceSettings, node: Path) -> str:
    """Raises OSError, ssl.SSLError too, and http.client.HTTPException."""
    host = source.host.strip("[]")
    host = _ANY.get(host, host)
    if source.transport is Transport.UDP:
        with contextlib.suppress(OSError):
            _free(source)
            raise ConnectionRefusedError(None, "nobody holds the port")
        return "the port is held; UDP confirms nothing: send a line and look at `amagasa source list`"
    context = None
    if source.transport is Transport.TLS:
        # The node's own certificate is its own anchor; its name may be another than that of the address.
        context = ssl.create_default_context(cafile=str(node / "tls.crt"))
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if source.kind is SourceKind.HTTP:
        return _asked(source, host, context)
    with socket.create_connection((host, source.at_port), TIMEOUT_S) as plain:
        if context is None:
            return "it answers"
        with context.wrap_socket(plain) as secured:
            return f"it answers, {secured.version()}" + ("; senders need a certificate" if source.clients else "")


def _greeted(source: SourceSettings) -> str:
    """The broker says who it is to whoever connects. Raises OSError."""
    parts = urlsplit(source.servers[0])
    with socket.create_connection((parts.hostname or "", parts.port or 4222), TIMEOUT_S) as line:
        if not line.recv(4_096).startswith(b"INFO "):
            raise ConnectionError(None, "what answers is no NATS")
    return "a NATS server answers"


def _asked(source: SourceSettings, host: str, context: ssl.SSLContext | None) -> str:
    if context is None:
        connection = http.client.HTTPConnection(host, source.at_port, timeout=TIMEOUT_S)
    else:
        connection = http.client.HTTPSConnection(host, source.at_port, timeout=TIMEOUT_S, context=context)
    with contextlib.closing(connection):
        connection.request("POST", "/records", body=b"")
        status = connection.getresponse().status
    if status != http.client.UNAUTHORIZED:
        raise http.client.HTTPException(f"expected 401 to a request without a token; got {status}")
    return "it answers, and wants its token"

"""The listening sockets of the console: one for people, and one in the node's folder for its owner."""

import errno
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import uvicorn

from amagasa.entry.cli.client import SOCKET_NAME
from amagasa.entry.serving import Server
from amagasa.entry.wiring import World
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import show

BACKLOG = 128


def people_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Raises WorldError (AMG-PORT) where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, so that asyncio sends small answers at once (TCP_NODELAY); else each waits 40 ms for the other side.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        is_taken = problem.errno == errno.EADDRINUSE
        raise WorldError(
            "AMG-PORT",
            f"the console cannot listen on {host} port {port}",
            expected="an address of this machine and a free port",
            got="the port is in use" if is_taken else str(problem.strerror or problem),
            then="end the program that holds it, or set another [console] port in node.toml",
        ) from None
    listener.setblocking(False)
    return listener


def owner_socket(folder: Path) -> socket.socket:
    """The owner's socket in the node's folder, mode 0600; one left by a node that was killed is replaced.

    It is bound through the folder's descriptor, since a socket's path may have at most 107 bytes.
    """
    path = folder / SOCKET_NAME
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    inside = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{inside}/{path.name}")
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise WorldError(
            "AMG-SOCKET",
            "the node's own socket cannot be made",
            expected="a folder on a file system that knows sockets",
            got=f"{show(str(path))}: {problem.strerror}",
            then="the node did not start",
        ) from None
    finally:
        os.umask(mask)
        os.close(inside)
    listener.setblocking(False)
    return listener


def server_of(application: Any, world: World, *, is_people: bool) -> Server:
    """The server of one of the two sockets; HTTPS for people where the settings say so."""
    is_tls = is_people and world.settings.console.tls
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        ws="websockets-sansio",
        ws_max_size=65_536,
        limit_concurrency=512,
        ssl_certfile=str(world.keys.tls_certificate) if is_tls else None,
        ssl_keyfile=str(world.keys.tls_key) if is_tls else None,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
    return Server(config)

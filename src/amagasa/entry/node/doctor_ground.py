"""What a node stands on: the program, its folder, disk and ports. Nothing is changed, and nothing stays open."""

import errno
import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from amagasa.app.doctor import Finding, Kind
from amagasa.app.receiver_messages import Transport
from amagasa.app.worker_messages import SourceKind
from amagasa.entry.cli.client import is_running
from amagasa.entry.node.beginning import LOCK_FILE
from amagasa.entry.settings.tree import MIB, Settings
from amagasa.event.native import library
from amagasa.vocab.text import show

GB: Final = 1_000_000_000
# Below this a busy node has minutes.
LOW_BYTES: Final = 500_000_000
_KEYS: Final = "keys"


def program() -> Iterator[Finding]:
    """Whether the fast half is there."""
    if library() is None:
        yield Finding(part="program", kind=Kind.NOTE, code="no-native")
    else:
        yield Finding(part="program", kind=Kind.SOUND, code="native")


def folder(node: Path) -> Iterator[Finding]:
    """Whether others than the owner can open what is secret."""
    secret = [(node / _KEYS, 0o700), *((path, 0o600) for path in sorted((node / _KEYS).glob("*")))]
    secret += [(node / "state", 0o700), (node / "node.toml", 0o600)]
    is_open = False
    for path, wanted in secret:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # what is missing is said by the part that needs it
        if mode & 0o077:
            is_open = True
            args = (show(str(path)), f"{mode:04o}", f"{wanted:o}")
            yield Finding(part="folder", kind=Kind.WRONG, code="open", args=args)
    if not is_open:
        yield Finding(part="folder", kind=Kind.SOUND, code="private")


def disk(node: Path, settings: Settings) -> Iterator[Finding]:
    """Room for the store and for what the kept records may still grow by."""
    lake = node / settings.lake.path
    places = {node / settings.store.path: 0, lake: _growth(lake, settings)}
    for path, growth in places.items():
        here = next(one for one in (path, *path.absolute().parents) if one.exists())
        try:
            free = shutil.disk_usage(here).free
        except OSError as problem:
            why = f"{show(str(path))}: {problem.strerror}"
            yield Finding(part="disk", kind=Kind.UNLOOKED, code="error", args=(why, ""))
            continue
        args = (f"{free / GB:,.1f}", show(str(path)), f"{growth / GB:,.1f}")
        if free < LOW_BYTES:
            yield Finding(part="disk", kind=Kind.WRONG, code="disk-full", args=args[:2])
        elif free < growth:
            yield Finding(part="disk", kind=Kind.NOTE, code="disk-soon", args=args)
        else:
            yield Finding(part="disk", kind=Kind.SOUND, code="disk", args=args[:2])


def _growth(lake: Path, settings: Settings) -> int:
    if not settings.lake.enabled:
        return 0
    used = sum(_size(path) for path in lake.glob("*/*"))
    n_sources = sum(1 for source in settings.source if source.enabled)
    return max(0, n_sources * settings.lake.quota_mib * MIB - used)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # packed and taken away in between


def ports(node: Path, settings: Settings) -> Iterator[Finding]:
    """Of a node that runs, whether it answers; of one that does not, whether it could listen."""
    if is_running(node):
        yield Finding(part="ports", kind=Kind.SOUND, code="running")
        return
    if _is_locked(node):
        yield Finding(part="ports", kind=Kind.WRONG, code="hangs")
        return
    is_taken = False
    for key, host, port, kind in _listeners(settings):
        why = _refusal(host, port, kind)
        if why:
            is_taken = True
            args = (show(f"{host} {port}"), show(key), why)
            yield Finding(part="ports", kind=Kind.WRONG, code="port-taken", args=args)
    if not is_taken:
        yield Finding(part="ports", kind=Kind.SOUND, code="ports")


def _is_locked(node: Path) -> bool:
    try:
        descriptor = os.open(node / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _listeners(settings: Settings) -> Iterator[tuple[str, str, int, socket.SocketKind]]:
    yield "[console]", settings.console.host, settings.console.port, socket.SOCK_STREAM
    yield "[allies]", settings.allies.host, settings.allies.port, socket.SOCK_STREAM
    for source in settings.source:
        if source.enabled and source.kind in {SourceKind.SYSLOG, SourceKind.HTTP}:
            kind = socket.SOCK_DGRAM if source.transport is Transport.UDP else socket.SOCK_STREAM
            yield f"[[source]] {source.name}", source.host, source.at_port, kind


def _refusal(host: str, port: int, kind: socket.SocketKind) -> str:
    """Why the address cannot be had; "" where it can. It is bound, never listened on, and let go at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host.strip("[]"), port))
    except OSError as problem:
        return "in use / 使用中" if problem.errno == errno.EADDRINUSE else show(problem.strerror or str(problem))
    return ""

"""Syslog over UDP (RFC 5426): one message a datagram. UDP cannot be slowed, so what finds no room is counted."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Final

from amagasa.adapters.receive.senders import Senders
from amagasa.app.spool_ports import Keeper, Kept, Tally
from amagasa.event.syslog_frames import as_line

# What is held in memory while there is no room; beyond it messages are let go, and counted.
MAX_HELD_BYTES: Final = 8 * 1_048_576
MAX_AT_ONCE: Final = 512
MAX_DATAGRAM: Final = 65_535
_BUFFER_BYTES: Final = 16 * 1_048_576
_FORCE: Final = 33  # SO_RCVBUFFORCE: beyond the kernel's limit, where we may
_TABLES: Final = ("/proc/net/udp", "/proc/net/udp6")


class DatagramReceiver:
    """One port. For one event loop."""

    def __init__(self, keeper: Keeper, senders: Senders) -> None:
        self._keeper = keeper
        self._senders = senders
        self._socket: socket.socket | None = None
        self._inode = 0
        self._held: list[bytes] = []
        self._n_held = 0
        self.tally = Tally()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_DGRAM)
        try:
            listener.setblocking(False)
            with contextlib.suppress(OSError):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
                listener.setsockopt(socket.SOL_SOCKET, _FORCE, _BUFFER_BYTES)
            listener.bind((host.strip("[]"), port))
        except OSError:
            listener.close()
            raise
        self._socket = listener
        self._inode = os.fstat(listener.fileno()).st_ino
        asyncio.get_running_loop().add_reader(listener, self._read)
        found: int = listener.getsockname()[1]
        return found

    def tick(self) -> None:
        """Try again what there was no room for; look what the kernel let go."""
        self._flush()
        self.tally.is_waiting = bool(self._held)
        self.tally.n_unheard = max(self.tally.n_unheard, self._n_lost())

    async def stop(self) -> None:
        """Take what has come, then listen no more."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        while self._read():
            pass
        self._flush()
        self._drop_beyond(0)
        self._socket.close()
        self._socket = None

    def _read(self) -> int:
        """Take what has come, some at a time; how many."""
        if self._socket is None:
            return 0
        n = 0
        while n < MAX_AT_ONCE:
            try:
                data, sender = self._socket.recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            n += 1
            if not self._senders.may(sender[0]):
                self.tally.n_refused += 1
            elif line := as_line(data):
                self._held.append(line)
                self._n_held += len(line) + 1
        self._flush()
        self._drop_beyond(MAX_HELD_BYTES)
        return n

    def _flush(self) -> None:
        if not self._held:
            return
        kept = self._keeper.keep(b"\n".join(self._held) + b"\n")
        self.tally.why = self._keeper.why
        if kept is Kept.KEPT:
            self.tally.n_messages += len(self._held)
            self.tally.n_bytes += self._n_held
            self._held, self._n_held = [], 0

    def _drop_beyond(self, n_bytes: int) -> None:
        """The newest go: what came first is told first."""
        while self._n_held > n_bytes:
            self._n_held -= len(self._held.pop()) + 1
            self.tally.n_dropped += 1

    def _n_lost(self) -> int:
        """Datagrams which the kernel let go since the socket was opened, since nobody took them in time."""
        for table in _TABLES:
            with contextlib.suppress(OSError):
                for row in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                    cells = row.split()
                    if len(cells) > 12 and cells[9] == str(self._inode):
                        return int(cells[12])
        return 0

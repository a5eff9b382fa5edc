"""The receiver process of a node: it listens, and what comes is in the spool before anybody relies on it.

It knows nothing of rules or of the store, so senders are served while detection starts, stops or dies. It ends when
its pipe does. Syslog is on the disk within `SYNC_S`, HTTP before its 202 (see `adapters.source.spool`).
"""

import asyncio
import os
import signal
import sys
import threading
import time
from typing import Any, Final

import msgspec

from amagasa.app.receiver_messages import FromReceiver, Listening, Receive, Received, ReceiverSpec, read_receive
from amagasa.app.spool_ports import Tally
from amagasa.entry.node.frames import FrameReader, write_frame
from amagasa.entry.wiring_receive import GroupSync, Receiver, receiver_of, spool_of
from amagasa.vocab.errors import EXIT_COULD_NOT
from amagasa.vocab.text import show

TICK_S: Final = 0.1
SYNC_S: Final = 1.0
RETRY_S: Final = 1.0
TOLD_EVERY_S: Final = 5.0
LAST_S: Final = 8.0
_STDIN: Final = 0


class Station:
    """One source: opened, and opened again where that failed, until the end."""

    def __init__(self, spec: ReceiverSpec, begin: Receive, tell: Any) -> None:
        self._spec = spec
        self._begin = begin
        self._tell = tell
        self._receiver: Receiver | None = None
        self._fault = ""
        self._told: tuple[str, float] = ("", 0.0)
        self._told_lost = 0
        self._sync: GroupSync | None = None
        self._n_synced = 0
        self._spool: Any = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until it is cancelled."""
        while not stop.is_set():
            if self._receiver is None and not await self._open():
                self._say()
                await asyncio.sleep(RETRY_S)
                continue
            await self._work(stop)
        if self._receiver is not None:
            await self._receiver.stop()
        if self._spool is not None:
            await asyncio.to_thread(self._close)

    async def _open(self) -> bool:
        spec = self._spec
        try:
            if self._spool is None:
                self._spool = spool_of(spec)
        except BlockingIOError:
            self._fault = "the receiver of the run before still ends; it is waited for [AMG-RECEIVE-005]"
            return False
        except OSError as problem:
            self._fault = f"its spool cannot be opened: {show(str(problem))}; it is tried again [AMG-RECEIVE-003]"
            return False
        try:
            self._sync = GroupSync(self._spool)
            made = receiver_of(spec, self._spool, self._sync, certificate=self._begin.certificate, key=self._begin.key)
            port = await made.start(spec.host, spec.port)
        except OSError as problem:
            got = show(str(problem.strerror or problem))
            what = "its broker cannot be read" if spec.servers else f"it cannot listen on {spec.host} port {spec.port}"
            self._fault = (
                f"{what}; expected a free port of this machine and files that can be read; got {got}; it is tried "
                "again [AMG-RECEIVE-001]"
            )
            return False
        self._receiver, self._fault = made, ""
        self._tell(Listening(source=spec.name, port=port))
        return True

    async def _work(self, stop: asyncio.Event) -> None:
        synced_at = time.monotonic()
        while not stop.is_set():
            await asyncio.sleep(TICK_S)
            if self._receiver is None or self._sync is None:
                return
            self._receiver.tick()
            now = time.monotonic()
            if now - synced_at >= SYNC_S:
                synced_at = now
                await self._synced()
            self._say()

    async def _synced(self) -> None:
        if self._receiver is None or self._sync is None or self._n_synced == self._receiver.tally.n_messages:
            return
        n_messages = self._receiver.tally.n_messages
        try:
            await self._sync()
        except OSError as problem:
            self._receiver.tally.why = problem.strerror or str(problem)
        else:
            self._n_synced = n_messages

    def _say(self) -> None:
        tally = Tally() if self._receiver is None else self._receiver.tally
        now = time.monotonic()
        fault, told_at = self._told
        if now - told_at < TOLD_EVERY_S and (self._is_said(tally) or now - told_at < RETRY_S):
            return
        n_lost = _n_lost(tally)
        fault = self._fault or self._fault_of(tally, n_lost - self._told_lost)
        self._told, self._told_lost = (fault, now), n_lost
        self._tell(Received(source=self._spec.name, fault=fault, tally=tally))

    def _is_said(self, tally: Tally) -> bool:
        """Whether what there is to say was said."""
        has_trouble = bool(self._fault or tally.is_waiting or tally.away or _n_lost(tally) > self._told_lost)
        return has_trouble == bool(self._told[0])

    def _fault_of(self, tally: Tally, n_lost: int) -> str:
        parts = []
        if tally.is_waiting:
            cause = f"the disk says: {show(tally.why)}" if tally.why else "its spool is full and reading catches up"
            code = "AMG-RECEIVE-003" if tally.why else "AMG-RECEIVE-002"
            parts.append(f"senders wait, since {cause}; nothing is lost of what can wait [{code}]")
        if tally.away:
            parts.append(f"the broker cannot be read: {tally.away}; it is tried again [AMG-RECEIVE-004]")
        if n_lost > 0 and self._spec.servers:
            parts.append(f"{n_lost} messages at most were gone from the stream before they were read [AMG-SOURCE-011]")
        elif n_lost > 0:
            parts.append(
                f"{n_lost} messages came faster than they could be kept and are lost, "
                f"{tally.n_unheard} of all in the kernel's buffer; UDP cannot be slowed, use TCP [AMG-SOURCE-011]"
            )
        return "; ".join(parts)

    def _close(self) -> None:
        try:
            self._spool.close()
        except OSError as problem:
            sys.stderr.write(f"the spool of {show(self._spec.name)} could not be closed: {problem.strerror}\n")


def _n_lost(tally: Tally) -> int:
    return tally.n_dropped + tally.n_unheard + tally.n_gone


async def _serve(begin: Receive, reader: FrameReader, output: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def tell(message: FromReceiver) -> None:
        try:
            write_frame(output, msgspec.msgpack.encode(message))
        except BrokenPipeError:
            stop.set()

    def heard() -> None:
        try:
            reader.read(0.0)
        except EOFError:
            loop.remove_reader(_STDIN)
            stop.set()
            # All that was kept outlives an end without ceremony; an old receiver must not stand before the next.
            last = threading.Timer(LAST_S, os._exit, (EXIT_COULD_NOT,))
            last.daemon = True
            last.start()

    loop.add_reader(_STDIN, heard)
    await asyncio.gather(*(Station(spec, begin, tell).run(stop) for spec in begin.specs))


def main() -> None:
    """Talk to the main process over the standard streams; whatever else prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    output = os.dup(1)
    os.dup2(2, 1)
    reader = FrameReader(_STDIN)
    try:
        begin = read_receive(reader.read(None) or b"")
        asyncio.run(_serve(begin, reader, output))
    except EOFError:
        sys.exit(0)


if __name__ == "__main__":
    main()

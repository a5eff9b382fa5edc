"""Everything at once against one node: sources of every kind under load, and a world that fails at random.

Each record carries a mark of its own, so that each is accounted for: lost where its alert is not there, doubled where
it is there twice, or was counted more often than its sender sent it.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import random
import resource
import socket
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import httpx
import nats
from msgspec import Struct
from tests.journeys.broker import NATS, Server
from tests.journeys.nodes import JourneyNode, access_line, children_of, command_of, eventually, free_port

TOKEN: Final = "chaos-token"
BATCH: Final = 12  # records of a batch, one of them an attack
PULSE_S: Final = 0.1
GIVE_UP_S: Final = 5.0
UP_S: Final = 150.0
STEADY_S: Final = 1.0
LOOK_S: Final = 0.5  # to count thousands of alerts costs the node a while
SHOWN: Final = 5
_NETWORKS: Final = {"file": 10, "tcp": 11, "http": 12, "nats": 13}


class Counted(Struct, kw_only=True):
    """What one sender sent: records, and of each attack how often (more than once where it was not confirmed)."""

    n_records: int = 0
    attacks: dict[str, int]
    n_again: int = 0  # batches sent again, since it was not confirmed that they had come


class Sender:
    """Sends batches until told to stop, each until it is confirmed. `send` says whether that batch was."""

    def __init__(self, name: str, send: Callable[[bytes, str], bool]) -> None:
        self.name = name
        self.counted = Counted(attacks={})
        self._send = send
        self._stopping = threading.Event()
        self._is_abandoned = False
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_abandoned = kind is not None
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        for n in itertools.count():
            if self._stopping.wait(PULSE_S):
                return
            address = f"{_NETWORKS[self.name]}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            lines = [access_line(address, f"/journey-mark/{n}", second=n)]
            lines += [access_line("192.0.2.1", f"/page/{n}/{k}") for k in range(BATCH - 1)]
            data = "".join(line + "\n" for line in lines).encode()
            self.counted.n_records += BATCH
            self.counted.attacks[address] = 1
            # Whoever has begun to send a batch sends it until it is confirmed, or the count would not be known.
            while not self._send(data, f"{self.name}-{n}") and not self._is_abandoned:
                self.counted.attacks[address] += 1
                self.counted.n_again += 1
                time.sleep(0.05)


def to_file(path: Path) -> Callable[[bytes, str], bool]:
    """Appends; a log is there to be read again, so what is written is confirmed."""

    def send(data: bytes, key: str) -> bool:
        del key
        with path.open("ab", buffering=0) as stream:
            stream.write(data)
        return True

    return send


def to_tcp(port: int) -> Callable[[bytes, str], bool]:
    """A connection a batch; confirmed where the node closes it in order."""

    def send(data: bytes, key: str) -> bool:
        del key
        try:
            with socket.create_connection(("127.0.0.1", port), GIVE_UP_S) as line:
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
                return line.recv(1) == b""
        except OSError:
            return False

    return send


def to_http(port: int) -> Callable[[bytes, str], bool]:
    """Confirmed by 202; sent again under the same key."""

    def send(data: bytes, key: str) -> bool:
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
        try:
            answer = httpx.post(f"http://127.0.0.1:{port}/records", content=data, headers=headers, timeout=GIVE_UP_S)
        except httpx.HTTPError:
            return False
        return answer.status_code == 202

    return send


def to_nats(broker: Server) -> Callable[[bytes, str], bool]:
    """Confirmed by the broker; sent again under the same key."""

    def send(data: bytes, key: str) -> bool:
        try:
            asyncio.run(broker.publish_once(data, key))
        except (nats.errors.Error, OSError, TimeoutError):
            return False
        return True

    return send


class Chaos:
    """A node with sources `web` (a file), `core` (syslog over TCP), `push` (HTTP), and `bus` where NATS is installed.

    And what goes wrong with it.
    """

    def __init__(self, node: JourneyNode, home: Path, seed: int, *, clock: Path | None = None) -> None:
        self.node = node
        self.chance = random.Random(seed)
        self.log = home / "access.log"  # which the node may follow as "web" already
        self.log.touch()
        self.ports = {"tcp": free_port(), "http": free_port()}
        self.n: dict[str, int] = {}
        self.up_s: list[float] = []  # of each kill that was awaited: until the node worked again
        self._clock = clock
        self._broker = Server(home) if NATS.exists() else None
        token = hashlib.sha256(TOKEN.encode()).hexdigest()
        tables = [
            f'name = "core"\nkind = "syslog"\nport = {self.ports["tcp"]}\nformat = "access"',
            f'name = "push"\nkind = "http"\nport = {self.ports["http"]}\nformat = "access"\ntoken_sha256 = "{token}"',
        ]
        if self._broker is not None:
            self._broker.start()
            asyncio.run(self._broker.publish(1, 0))
            tables.append(
                f'name = "bus"\nkind = "nats"\nformat = "access"\nstream = "logs"\nservers = ["{self._broker.address}"]'
            )
        if str(self.log) not in (node.folder / "node.toml").read_text(encoding="utf-8"):
            tables.append(f'name = "web"\npath = "{self.log}"\nformat = "access"')
        node.set_settings(lambda text: text + "".join(f"\n[[source]]\n{table}\n" for table in tables))

    def senders(self) -> tuple[Sender, ...]:
        """One for each source."""
        senders = (
            Sender("file", to_file(self.log)),
            Sender("tcp", to_tcp(self.ports["tcp"])),
            Sender("http", to_http(self.ports["http"])),
        )
        return senders if self._broker is None else (*senders, Sender("nats", to_nats(self._broker)))

    def lose_broker(self, seconds: float) -> None:
        """The broker is killed, and comes back."""
        if self._broker is not None:
            self._note("broker gone")
            self._broker.kill()
            time.sleep(seconds)
            self._broker.start()

    def close(self) -> None:
        """End what is not the node's."""
        if self._broker is not None:
            self._broker.kill()

    def kill(self) -> None:
        """SIGKILL: to the whole node, or to one of its processes."""
        whom = self.chance.choice(("node", "worker", "receiver", "all"))
        self._note(f"killed: {whom}")
        if whom in {"worker", "receiver"}:
            pid = self._child(whom)
            if pid:
                os.kill(pid, 9)
            return
        children = self._children() if whom == "all" else []
        self.node.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        time.sleep(self.chance.uniform(0, 0.2))
        self.node.begin(**self.environment())

    def run_on(self, *, is_awaited: bool) -> None:
        """As a service manager: start it again where it ended by itself. With `is_awaited`, wait until it works."""

        def is_up() -> bool:
            if self.node.process is None or self.node.process.poll() is not None:
                self._note("ended by itself")  # the disk was full, or the store locked, while it started
                self.node.begin(**self.environment())
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{self.node.base}/readyz", timeout=GIVE_UP_S).status_code == 200
            return False

        if not is_awaited:
            is_up()
            return
        began = time.monotonic()
        try:
            eventually(is_up, about="the node is up", deadline_s=UP_S)
        except AssertionError as late:
            late.add_note(self.node.told()[-4_000:])
            raise
        self.up_s.append(time.monotonic() - began)

    def lock_store(self, seconds: float) -> None:
        """Another connection holds the store."""
        self._note("store locked")
        with contextlib.suppress(sqlite3.OperationalError):
            other = sqlite3.connect(self.node.folder / "state" / "amagasa.sqlite", timeout=5, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            other.execute("ROLLBACK")
            other.close()

    def fill_disk(self, seconds: float) -> None:
        """No file of the node's may grow: the file size limit stands in for the disk."""
        self._note("disk full")
        process = self.node.process
        pids = ([process.pid] if process is not None else []) + self._children()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        time.sleep(seconds)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def jump_clock(self) -> None:
        """The node's clock jumps, up to two days there or back."""
        if self._clock is not None:
            self._note("clock jumped")
            self._clock.write_text(f"{self.chance.randint(-172_800, 172_800):+d}\n", encoding="ascii")

    def environment(self) -> dict[str, str]:
        """For the node's process: with a clock that can be set, where there is one."""
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if self._clock is None or library is None:
            return {}
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def settle(self, senders: tuple[Sender, ...], deadline_s: float = 300.0) -> dict[str, Any]:
        """Let the node catch up with nobody in its way, then count."""
        if self._clock is not None:
            self._clock.write_text("+0\n", encoding="ascii")
        self.run_on(is_awaited=True)
        wanted = {"file": "web", "tcp": "core", "http": "push", "nats": "bus"}
        for sender in senders:
            source = wanted[sender.name]
            with contextlib.suppress(AssertionError):  # what is lost is counted, below
                eventually(
                    partial(self._has_read, source, sender),
                    about=f"all of {source}",
                    deadline_s=deadline_s,
                    every_s=LOOK_S,
                )
        # Records that were sent again make up the number before the last has come; and too many are to be seen as well.
        with contextlib.suppress(AssertionError):
            eventually(partial(self._has_told, senders), about="all attacks", deadline_s=deadline_s, every_s=LOOK_S)
        n_read = -1
        while n_read != (n_read := sum(self._n_read(source) for source in wanted.values())):
            time.sleep(STEADY_S)
        return self.account(senders, wanted)

    def account(self, senders: tuple[Sender, ...], sources: dict[str, str]) -> dict[str, Any]:
        """Records lost, alerts doubled, records counted more often than they were sent; of each source, and of all."""
        alerts: dict[str, list[int]] = {}
        for alert in self.node.alerts():
            alerts.setdefault(alert["subject"], []).append(alert["n_detections"])
        rows = {}
        for sender in senders:
            sent, n_read = sender.counted, self._n_read(sources[sender.name])
            n_twice = sum(len(alerts.get(one, ())) > 1 for one in sent.attacks)
            # Over syslog a record sent again is another record; a file and a key leave no such doubt.
            may = sent.attacks if sender.name == "tcp" else dict.fromkeys(sent.attacks, 1)
            rows[sender.name] = {
                "n_sent": sent.n_records,
                "n_read": n_read,
                "n_sent_again": sent.n_again * BATCH,
                "n_lost": max(0, sent.n_records - n_read) + sum(one not in alerts for one in sent.attacks),
                "lost": [one for one in sent.attacks if one not in alerts][:SHOWN],
                "n_attacks": len(sent.attacks),
                "n_doubled": n_twice + sum(sum(alerts.get(one, ())) > most for one, most in may.items()),
                "n_read_twice": max(0, n_read - sent.n_records),
            }
        return {
            "up_s": {"median": round(statistics.median(self.up_s), 1), "most": round(max(self.up_s), 1)},
            "events": dict(sorted(self.n.items())),
            "sources": rows,
            "n_lost": sum(row["n_lost"] for row in rows.values()),
            "n_doubled": sum(row["n_doubled"] for row in rows.values()),
        }

    def _has_read(self, source: str, sender: Sender) -> bool:
        return self._n_read(source) >= sender.counted.n_records

    def _has_told(self, senders: tuple[Sender, ...]) -> bool:
        told = {alert["subject"] for alert in self.node.alerts()}
        return all(one in told for sender in senders for one in sender.counted.attacks)

    def _n_read(self, source: str) -> int:
        try:
            return int(self.node.source(source)["n_read"])
        except (httpx.HTTPError, StopIteration):
            return 0

    def _note(self, what: str) -> None:
        self.n[what] = self.n.get(what, 0) + 1

    def _children(self) -> list[int]:
        try:
            return children_of(self.node.process.pid) if self.node.process is not None else []
        except FileNotFoundError:
            return []

    def _child(self, name: str) -> int:
        wanted = f"amagasa.entry.node.{name}".encode()
        return next((pid for pid in self._children() if wanted in command_of(pid)), 0)

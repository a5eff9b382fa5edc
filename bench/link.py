"""How fast the link is: two nodes in two processes on loopback, real stores, real certificates, mutual TLS.

    python -m bench.link [--rate 1000] [--seconds 10] [--bulk 100000] [--peer MEDALLION_CHECKOUT,PYTHON]

Prints one JSON document: (a) from the transaction that releases an object to our note that the ally holds it, one at a
time and at `rate` a second; (b) after a partition: `bulk` objects wait, objects a second until the last, and meanwhile
the latency of what is new; CPU and memory of both; bytes on the wire; (c) the same number of objects taken in over HTTP
by our ally door and by medallion, the OASIS reference server (memory backend), envelope by envelope by one client that
is the same for both, each for at most `--limit` seconds; then (d) what each holds given out, page by page of ENVELOPE
objects, for as long.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.entry.link_papers import make_agreement, make_party
from tests.entry.link_world import Node, StoppedClock

from amagasa.app.delivery import Delivery, DeliveryDeps, OutboxBell
from amagasa.app.ports import CrossingState, Direction
from amagasa.entry.allies.tls import ally_client_context
from amagasa.entry.wiring import ally_line
from amagasa.share.agreement import Agreement, Party, Role

KIND = "application/taxii+json;version=2.1"
ENVELOPE = 100  # the largest that medallion's sample configuration serves as a page
A_STEP = 10  # objects in a transaction, as in the ingest
NEW_A_SECOND = 20
N_ALONE = 100


class RunningClock(StoppedClock):
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


class Relay:
    """Counts the bytes between two ends of a line, both ways, on a thread for each."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._target = address
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._door.getsockname()
        self.n_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            here, _ = self._door.accept()
            there = socket.create_connection(self._target)
            for one, other in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65_536):
                self.n_bytes += len(data)
                other.sendall(data)
        except OSError:
            pass  # the other half of the line was closed first
        other.close()


def cpu_s() -> float:
    """Of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mib() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def shares(waits: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 in milliseconds."""
    ranked = sorted(waits)
    return {f"p{share}": round(ranked[len(ranked) * share // 100], 1) for share in (50, 95, 99)}


def receive(folder: str, japan: Party, pipe: Connection) -> None:
    """The ally's process: opens its door, says where, and tells its costs when asked, until told to stop."""

    async def run() -> None:
        node = Node(Path(folder), "states", "US", Role.SUPPORTING)
        node.clock = RunningClock()
        node.agreements.append(make_agreement(japan, node.party))
        door = node.door()
        await door.start("127.0.0.1", 0, [japan.certificate])
        pipe.send((door.address, node.papers.pem))
        while await asyncio.to_thread(pipe.recv) != "stop":
            pipe.send((cpu_s(), peak_mib()))
        await door.stop()
        with node.store.read() as reading:
            pipe.send(reading.n_crossings()[Direction.IN, CrossingState.ADMITTED])
        node.store.close()

    asyncio.run(run())


class Sender:
    """Our half: releases, delivers, and notes when each object was known to have arrived."""

    def __init__(self, node: Node, agreement: Agreement, pipe: Connection, *, first: int = 0) -> None:
        self.node = node
        node.clock = RunningClock()
        node.agreements[:] = [agreement]
        self.ally = agreement.ally_of(node.party.id)
        self.pipe = pipe
        self._released: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._releasing = 0
        node.signals.subscribe(self._heard)
        self.n_released = first

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        # A release announces its crossings on its own thread: that is no arrival.
        if topic == "crossing" and threading.get_ident() != self._releasing:
            now = time.perf_counter()
            self._arrived |= {each: now for each in payload.get("ids", ()) if each not in self._arrived}

    def release(self, n: int) -> None:
        """`n` new objects in one transaction."""
        objects = [self.node.indicator(self.n_released + each) for each in range(n)]
        self.n_released += n
        began = time.perf_counter()
        self._releasing = threading.get_ident()
        made = self.node.release(objects)
        self._releasing = 0
        self._released |= {one.id: began for one in made}

    def waits_ms(self) -> list[float]:
        """Since the last call: of each object that arrived."""
        waits = [(at - self._released[each]) * 1000 for each, at in self._arrived.items() if each in self._released]
        self._released.clear()
        self._arrived.clear()
        return waits

    def delivery(self) -> tuple[Delivery, Any]:
        """A new one over a new line."""
        node = self.node
        line = ally_line(self.ally, certificate=node.papers.certificate, key=node.papers.key)
        deps = DeliveryDeps(
            store=node.store, book=node.book, clock=node.clock, signals=node.signals, jitter=lambda: 0.5
        )
        return Delivery(self.ally.id, line, deps), line

    def n_waiting(self) -> int:
        """Still to be delivered."""
        with self.node.store.read() as reading:
            return reading.n_crossings().get((Direction.OUT, CrossingState.PENDING), 0)

    def costs(self) -> tuple[float, float, int, int]:
        """CPU seconds here and there, peak memory here and there."""
        self.pipe.send("costs")
        there = self.pipe.recv()
        return cpu_s(), there[0], peak_mib(), there[1]


async def latency(sender: Sender, *, rate: int, seconds: float) -> dict[str, Any]:
    """One at a time, then at `rate` a second."""
    delivery, line = sender.delivery()
    bell = OutboxBell(sender.node.signals, sender.ally.id)
    running = asyncio.create_task(delivery.run(bell))
    await _released(sender, 1)
    first = sender.waits_ms()[0]
    for _ in range(N_ALONE):
        await _released(sender, 1)
    alone = sender.waits_ms()
    step_s, began = A_STEP / rate, time.perf_counter()
    for number in range(int(seconds / step_s)):
        await asyncio.sleep(max(0.0, began + number * step_s - time.perf_counter()))
        await asyncio.to_thread(sender.release, A_STEP)
    behind_s = time.perf_counter() - began - seconds
    await _until_nothing_waits(sender)
    together = sender.waits_ms()
    await _ended(running, line)
    return {
        "first_push_ms": round(first, 1),
        "push_ms": shares(alone),
        "n_pushes": len(alone),
        "rate_per_s": rate,
        "rate_kept": behind_s < seconds / 10,
        "at_rate_ms": shares(together),
        "n_at_rate": len(together),
    }


async def _released(sender: Sender, n: int) -> None:
    await asyncio.to_thread(sender.release, n)
    await _until_nothing_waits(sender)


async def _until_nothing_waits(sender: Sender) -> None:
    while sender.n_waiting():  # noqa: ASYNC110 - the store is what is waited for
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)  # what was committed is announced after it


async def _ended(running: "asyncio.Task[None]", line: Any) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await line.close()


async def partition(sender: Sender, n_bulk: int) -> dict[str, Any]:
    """The line is cut, `n_bulk` objects are released; then it is back, and new ones come all the while."""
    for _ in range(n_bulk // 500):
        await asyncio.to_thread(sender.release, 500)
    sender.waits_ms()
    ours, theirs, _, _ = sender.costs()
    delivery, line = sender.delivery()
    bell = OutboxBell(sender.node.signals, sender.ally.id)
    began = time.perf_counter()
    running = asyncio.create_task(delivery.run(bell))
    n_new = 0
    while sender.n_waiting() > NEW_A_SECOND:
        await asyncio.to_thread(sender.release, 1)
        n_new += 1
        await asyncio.sleep(1 / NEW_A_SECOND)
    await _until_nothing_waits(sender)
    elapsed_s = time.perf_counter() - began
    n_all = n_bulk + n_new
    waits = sender.waits_ms()
    await _ended(running, line)
    ours_after, theirs_after, peak, peak_there = sender.costs()
    return {
        "n_bulk": n_bulk,
        "bulk_objects_per_s": round(n_all / elapsed_s),
        "new_meanwhile_ms": shares(waits) if waits else None,
        "n_new_meanwhile": n_new,
        "n_new_measured": len(waits),
        "cpu_us_per_object": {
            "sender": round((ours_after - ours) / n_all * 1e6),
            "receiver": round((theirs_after - theirs) / n_all * 1e6),
        },
        "peak_mib": {"sender": peak, "receiver": peak_there},
    }


async def bytes_on_the_wire(sender: Sender, relay: Relay) -> dict[str, int]:
    """Both ways, TLS included: of one object by itself, and of each of 5,000 at once."""
    delivery, line = sender.delivery()
    await delivery.step()
    sender.release(1)
    before = relay.n_bytes
    await delivery.step()
    alone = relay.n_bytes - before
    sender.release(5_000)
    before = relay.n_bytes
    await delivery.step()
    await line.close()
    return {"alone": alone, "of_many": (relay.n_bytes - before) // 5_000}


def envelopes(node: Node, n: int) -> Iterator[bytes]:
    """`n` indicators as a client sends them, in envelopes of ENVELOPE."""
    for start in range(500_000, 500_000 + n, ENVELOPE):
        objects = [node.indicator(start + each) for each in range(ENVELOPE)]
        yield msgspec.json.encode({"objects": objects})


def taken_in(send: Callable[[bytes], httpx.Response], bodies: Iterator[bytes], *, limit_s: float) -> dict[str, Any]:
    """Objects a second, as far as the time goes."""
    n_objects, spent_s = 0, 0.0
    last_s = 0.0
    for body in bodies:
        began = time.perf_counter()
        answer = send(body)
        last_s = time.perf_counter() - began
        spent_s += last_s
        if answer.status_code != 202:
            message = f"HTTP {answer.status_code}: {answer.text[:200]}"
            raise RuntimeError(message)
        n_objects += ENVELOPE
        if spent_s > limit_s:
            break
    return {"n": n_objects, "per_s": round(n_objects / spent_s, 1), "per_s_at_the_end": round(ENVELOPE / last_s, 1)}


def given_out(ask: Callable[[dict[str, str]], httpx.Response], *, limit_s: float) -> dict[str, Any]:
    """Objects a second, page by page from the first on as far as the time goes; our own door and the peer alike."""
    n_objects, spent_s, last_s, first_s = 0, 0.0, 0.0, 0.0
    query: dict[str, str] | None = {"limit": str(ENVELOPE)}
    while query is not None and spent_s < limit_s:
        began = time.perf_counter()
        try:
            answer = ask(query)
        except httpx.ReadTimeout:
            return {"n": n_objects, "no_answer_in_s": round(time.perf_counter() - began)}
        last_s = time.perf_counter() - began
        first_s = first_s or last_s
        spent_s += last_s
        page = answer.raise_for_status().json()
        n_objects += len(page.get("objects", ()))
        query = {"limit": str(ENVELOPE), "next": page["next"]} if page.get("more") else None
    return {
        "n": n_objects,
        "per_s": round(n_objects / spent_s, 1),
        "per_s_at_the_end": round(ENVELOPE / last_s, 1),
        "first_page_s": round(first_s, 3),
        "is_whole": query is None,
    }


def give(folder: str, states: Party, pipe: Connection) -> None:
    """Our own door in a process of its own, over the store that the sender filled."""

    async def run() -> None:
        node = Node(Path(folder), "japan", "JP", Role.SUPPORTED)
        node.clock = RunningClock()
        node.agreements.append(make_agreement(node.party, states))
        door = node.door()
        await door.start("127.0.0.1", 0, [states.certificate])
        pipe.send((door.address, node.papers.pem))
        await asyncio.to_thread(pipe.recv)
        await door.stop()
        node.store.close()

    asyncio.run(run())


def from_our_door(folder: str, states: Party, *, limit_s: float) -> dict[str, Any]:
    """What was released to the ally, over mutual TLS, as it would fetch it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    giver = context.Process(target=give, args=(folder, states, theirs))
    giver.start()
    address, pem = ours.recv()
    mine = Path(folder) / "states"
    tls = ally_client_context(mine / "states.crt", mine / "states.key", pem)
    url = f"https://{address[0]}:{address[1]}/taxii2/umbrella/collections/outbox/objects/"
    with httpx.Client(verify=tls, trust_env=False, headers={"accept": KIND}, timeout=120) as client:
        found = given_out(lambda query: client.get(url, params=query), limit_s=limit_s)
    ours.send("stop")
    giver.join()
    return found


def by_our_door(node: Node, ally: Party, n: int, *, limit_s: float) -> dict[str, Any]:
    """Over mutual TLS; each object is judged, kept with its leaf in the record, and put to use."""
    context = ally_client_context(node.papers.certificate, node.papers.key, ally.certificate)
    headers = {"accept": KIND, "content-type": KIND}
    with httpx.Client(verify=context, trust_env=False, headers=headers, timeout=120) as client:
        url = f"{ally.address}umbrella/collections/inbox/objects/"
        return taken_in(lambda body: client.post(url, content=body), envelopes(node, n), limit_s=limit_s)


def by_medallion(checkout: Path, python: str, node: Node, n: int, *, limit_s: float) -> tuple[dict[str, Any], ...]:
    """What it takes in and what it gives out, over plain HTTP, kept in memory: its way to run without MongoDB."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    command = [python, "-m", "medallion.scripts.run", "--host", "127.0.0.1", "--port", str(port)]
    config = str(checkout / "sample-config-with-memory-backend.json")
    server = subprocess.Popen(
        [*command, config],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": "."},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    collection = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
    url = f"http://127.0.0.1:{port}/trustgroup1/collections/{collection}/objects/"
    headers = {"accept": KIND, "content-type": KIND}
    try:
        with httpx.Client(
            trust_env=False, headers=headers, auth=("admin", "Password0"), timeout=600,
            transport=httpx.HTTPTransport(retries=8),
        ) as client:  # fmt: skip
            took = taken_in(lambda body: client.post(url, content=body), envelopes(node, n), limit_s=limit_s)
            gave = given_out(lambda query: client.get(url, params=query, timeout=2 * limit_s), limit_s=limit_s)
            return took, gave
    finally:
        server.kill()
        server.wait(10)


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--bulk", type=int, default=100_000)
    parser.add_argument("--limit", type=float, default=60)
    parser.add_argument("--peer", dest="medallion", metavar="CHECKOUT,PYTHON")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder), "japan", "JP", Role.SUPPORTED)
        ours, theirs = context.Pipe()
        ally = context.Process(target=receive, args=(folder, node.party, theirs))
        ally.start()
        address, pem = ours.recv()
        papers = msgspec.structs.replace(node.papers, pem=pem)
        relay = Relay(address)

        def agreement(at: tuple[str, int]) -> Agreement:
            party = make_party("states", "US", Role.SUPPORTING, papers, address=f"https://{at[0]}:{at[1]}/taxii2/")
            return make_agreement(node.party, party)

        sender = Sender(node, agreement(address), ours)
        figures = asyncio.run(latency(sender, rate=asked.rate, seconds=asked.seconds))
        print("latency", json.dumps(figures), file=sys.stderr)
        figures |= asyncio.run(partition(sender, asked.bulk))
        counted = Sender(node, agreement(relay.address), ours, first=sender.n_released)
        figures["bytes_per_object"] = asyncio.run(bytes_on_the_wire(counted, relay))
        door = by_our_door(node, sender.ally, asked.bulk, limit_s=asked.limit)
        figures["taken_in"] = {"amagasa": door}
        if asked.medallion is not None:
            checkout, python = (Path(part) for part in asked.medallion.split(","))
            took, gave = by_medallion(checkout.resolve(), str(python), node, asked.bulk, limit_s=asked.limit)
            figures["taken_in"]["medallion"], figures["given_out"] = took, {"medallion": gave}
        ours.send("stop")
        figures["n_received_companions_included"] = ours.recv()
        ally.join()
        node.store.close()
        out = from_our_door(folder, sender.ally, limit_s=asked.limit)
        figures["given_out"] = {"amagasa": out} | figures.get("given_out", {})
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

"""How fast the link is: two nodes in two processes on loopback, real stores, real certificates, mutual TLS.

Prints (a) from the transaction that releases an object to the ally's answer that it holds it, one at a time;
(b) objects a second when many wait. Run: python -m bench.link [--pushes N] [--bulk N]
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.entry.link_papers import make_agreement, make_party
from tests.entry.link_world import Node

from amagasa.app.delivery import Delivery, DeliveryDeps, OutboxBell
from amagasa.app.ports import CrossingState, Direction
from amagasa.entry.wiring import ally_line
from amagasa.share.agreement import Agreement, Party, Role


class RunningClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


def receive(folder: str, japan: Party, pipe: Connection) -> None:
    """The ally's process: opens its door, says where, and runs until told to stop."""

    async def run() -> None:
        node = Node(Path(folder), "states", "US", Role.SUPPORTING)
        node.clock = RunningClock()  # type: ignore[assignment]
        node.agreements.append(make_agreement(japan, node.party))
        door = node.door()
        await door.start("127.0.0.1", 0, [japan.certificate])
        pipe.send((door.address, node.papers.pem))
        await asyncio.to_thread(pipe.recv)
        await door.stop()
        with node.store.read() as reading:
            pipe.send(reading.n_crossings()[Direction.IN, CrossingState.ADMITTED])
        node.store.close()

    asyncio.run(run())


async def measure(node: Node, agreement: Agreement, n_pushes: int, n_bulk: int) -> dict[str, Any]:
    """Both figures, over one line."""
    node.clock = RunningClock()  # type: ignore[assignment]
    node.agreements.append(agreement)
    ally = agreement.ally_of(node.party.id)
    line = ally_line(ally, certificate=node.papers.certificate, key=node.papers.key)
    deps = DeliveryDeps(store=node.store, book=node.book, clock=node.clock, signals=node.signals, jitter=lambda: 0.5)
    delivery = Delivery(ally.id, line, deps)
    bell = OutboxBell(node.signals, ally.id)
    noted = asyncio.Event()
    loop = asyncio.get_running_loop()
    node.signals.subscribe(
        lambda topic, _: (loop.call_soon_threadsafe(noted.set), None)[1] if topic == "link" else None
    )
    running = asyncio.create_task(delivery.run(bell))
    waits = []
    for number in range(n_pushes + 1):
        noted.clear()
        began = time.perf_counter()
        await asyncio.to_thread(node.release, [node.indicator(number)])
        await noted.wait()
        waits.append((time.perf_counter() - began) * 1000)
    first, waits = waits[0], sorted(waits[1:])
    bulk = [node.indicator(100_000 + number) for number in range(n_bulk)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.to_thread(node.release, bulk)
    began = time.perf_counter()
    await delivery.step()
    elapsed_s = time.perf_counter() - began
    await line.close()
    with node.store.read() as reading:
        n_delivered = reading.n_crossings()[Direction.OUT, CrossingState.DELIVERED]
    return {
        "first_push_ms": round(first, 1),
        "push_ms": {f"p{share}": round(waits[len(waits) * share // 100], 1) for share in (50, 95, 99)},
        "n_pushes": n_pushes,
        "bulk_objects_per_s": round(n_bulk / elapsed_s),
        "n_bulk": n_bulk,
        "n_delivered": n_delivered,
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=500)
    parser.add_argument("--bulk", type=int, default=5000)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder), "japan", "JP", Role.SUPPORTED)
        ours, theirs = context.Pipe()
        ally = context.Process(target=receive, args=(folder, node.party, theirs))
        ally.start()
        (host, port), pem = ours.recv()
        papers = type(node.papers)(
            certificate=node.papers.certificate, key=node.papers.key, pem=pem, private=node.papers.private
        )
        address = f"https://{host}:{port}/taxii2/"
        party = make_party("states", "US", Role.SUPPORTING, papers, address=address)
        figures = asyncio.run(measure(node, make_agreement(node.party, party), asked.pushes, asked.bulk))
        ours.send("stop")
        figures["n_received_companions_included"] = ours.recv()
        ally.join()
        node.store.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

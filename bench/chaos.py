"""Everything at once against a real node: is anything lost, is any alert doubled.

    python -m bench.chaos [--kills 200] [--minutes N] [--seed N] [--json]

Sources of every kind send without pause: a log that grows, syslog over TCP, records over HTTP, and a stream of NATS
where a server is installed. Meanwhile the node, or one of its processes, is killed (SIGKILL) at random instants; every
few kills the disk is full, the store is locked by another connection, the broker is killed and comes back, or the clock
jumps up to two days (by libfaketime, where that is installed).

Each record is accounted for at the end. Exit 1 where one was lost or an alert is there twice.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench.machine import machine
from tests.journeys.chaos import Chaos
from tests.journeys.nodes import eventually, node_in

LOCKED_S = 7.0  # longer than the store waits
FULL_S = 1.5
AWAITED = 0.5  # how often a kill waits until the node works again; else it may hit a start


def main() -> None:
    """Run, count, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=60.0, help="kill no longer than this")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        found = run(Path(home), arguments.kills, arguments.seed, minutes=arguments.minutes)
    found |= {"seed": arguments.seed, "machine": machine()}
    print(json.dumps(found, indent=None if arguments.json else 2))
    sys.exit(1 if found["n_lost"] or found["n_doubled"] else 0)


def run(home: Path, n_kills: int, seed: int, *, minutes: float) -> dict[str, Any]:
    """The run: what was counted."""
    clock = home / "clock"
    clock.write_text("+0\n", encoding="ascii")
    has_clock = any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    began = time.monotonic()
    with node_in(home / "node") as node, ExitStack() as last, ExitStack() as stack:
        node.own_rule()
        chaos = Chaos(node, home, seed, clock=clock if has_clock else None)
        last.enter_context(closing(chaos))
        node.start(**chaos.environment())
        eventually(lambda: '"files_to_come": 0' in node.told(), about="the node's own rule is looked with")
        senders = tuple(stack.enter_context(sender) for sender in chaos.senders())
        number = 0
        while number < n_kills and time.monotonic() - began < minutes * 60:
            number += 1
            chaos.run_on(is_awaited=chaos.chance.random() < AWAITED)
            time.sleep(chaos.chance.uniform(0, 1.5))
            chaos.kill()
            if number % 10 == 3:
                chaos.jump_clock()
            if number % 10 == 6:
                time.sleep(chaos.chance.uniform(0, 2))
                chaos.fill_disk(FULL_S)
            if number % 10 == 1:
                chaos.lose_broker(chaos.chance.uniform(0, 3))
            if number % 20 == 9:
                time.sleep(chaos.chance.uniform(0, 2))
                chaos.lock_store(LOCKED_S)
            if sys.stderr.isatty() or number % 20 == 0:
                sys.stderr.write(f"{number} kills\n")
        chaos.run_on(is_awaited=True)
        stack.close()  # nobody sends any more
        sent_s = time.monotonic() - began
        found = chaos.settle(senders)
        node.terminate()
    return found | {"n_kills": number, "sent_s": round(sent_s, 1), "elapsed_s": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    main()

"""How soon a changed rule counts in a running node under load, and what the change does to detection meanwhile.

A node follows a web log to which lines are appended all the while (20 a second are attacks, each from an address of
its own, which a rule on disk finds), and a log of process creations whose command lines are all different. Meanwhile
its content is changed by the console's API, over the owner's socket:

  one rule     the delay from the return of the request to the instant (noted by the node) from which the rule is looked
               with; one at a time, with nothing and with a whole set of rules held beside it; added, replaced, removed
  100 rules    the same until the last of them is active
  whole set    every rule of --rules (or 3,000 generated ones), added and removed again

and the delay of the attacks, from write() to their alert seen in the store, in each of these phases. At the end the
lines read are counted against those written, and the alerts against the attacks: nothing may be lost or doubled.

    python bench/content_change.py [--rules PATH] [--singles 40] [--lines-per-second 1000] [--json]
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hard_corpus import lines as hard_lines
from machine import machine
from umbrella_latency import STORE_FILE, AlertsSeen, Observer, cpu_s, running

from amagasa.adapters.store.sqlite import open_store
from amagasa.entry.cli.client import NodeClient, connected
from amagasa.entry.cli.content import send_rules
from amagasa.entry.demo.nodes import DemoNode, RunningNode, free_ports
from amagasa.entry.node.new_node import NewNode, make_node
from amagasa.entry.people.application import mount_locally
from amagasa.entry.wiring_check import rule_texts

FIRST_PORT = 9680
ATTACKS_PER_S = 20
PULSE_S = 0.01
LOOK_S = 0.003
SETTLE_S = 3.0
GIVE_UP_S = 300.0
N_GENERATED = 3_000
_MARK = """\
title: Mark of the bench
id: 6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a99
status: test
logsource: {category: webserver}
detection: {mark: {cs-uri-stem|contains: /bench-mark}, condition: mark}
level: high
"""
_OWN = """\
title: Bench rule {number}
id: 8f6a1c1e-3f0e-4b44-9d3c-{number:012}
status: test
logsource: {{category: webserver}}
detection:
    path: {{cs-uri-stem|contains: [/bench-{number}-{version}, /bench-{number}-b]}}
    agent: {{cs-user-agent|contains: bench{number}}}
    condition: path and not agent
level: high
"""

# (seconds since the epoch, what is done from then on)
Phases = list[tuple[float, str]]


def own_rule(number: int, version: int = 0) -> str:
    """A rule of the bench's own."""
    return _OWN.format(number=number, version=version)


def feed(path: str, lines_per_s: float, processes_per_s: float, pipe: Connection) -> None:
    """Append lines until the pipe says so; then say what was written: attackers with their instants, and the lines.

    Beside the web log a second one gets process creations of Windows: whatever changes is prepared for them too.
    """
    processes = hard_lines(1_000_000)
    n_processes = 0
    n_lines, n_attacks = 0, 0
    written: dict[str, float] = {}
    began = time.monotonic()
    with Path(path).open("ab", buffering=0) as stream, Path(path + ".json").open("ab", buffering=0) as windows:
        while not pipe.poll():
            while n_processes < (time.monotonic() - began) * processes_per_s:
                windows.write(next(processes) + b"\n")
                n_processes += 1
            due = int((time.monotonic() - began) * lines_per_s)
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
            lines = []
            if n_attacks < (time.monotonic() - began) * ATTACKS_PER_S:
                n_attacks += 1
                address = f"10.{n_attacks >> 16 & 255}.{n_attacks >> 8 & 255}.{n_attacks & 255}"
                lines.append(f'{address} - - [{stamp}] "GET /bench-mark/{n_attacks} HTTP/1.1" 404 9 "-" "M"\n')
                written[address] = 0.0
            while n_lines + len(lines) < due:
                number = n_lines + len(lines)
                lines.append(f'192.0.2.{number % 250} - - [{stamp}] "GET /page/{number} HTTP/1.1" 200 512 "-" "M"\n')
            if lines:
                stream.write("".join(lines).encode())
                now = time.time()
                written |= {address: now for address, at in list(written.items())[-1:] if not at}
                n_lines += len(lines)
            time.sleep(PULSE_S)
    pipe.recv()
    pipe.send((written, n_lines))


@contextmanager
def feeding(log: Path, lines_per_s: float, processes_per_s: float) -> Iterator[Connection]:
    """A process that appends to the logs."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=feed, args=(str(log), lines_per_s, processes_per_s, theirs)
    )
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.join(5)
        process.terminate()


def instant(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 instant."""
    return datetime.fromisoformat(text).timestamp()


def until_active(client: NodeClient, content_id: str) -> float:
    """Seconds from now to the instant from which the item is looked with; 0 where that is past."""
    asked_at = time.time()
    while True:
        item = client.get(f"/api/content/{content_id}")
        if item["activated_at"]:
            return max(0.0, instant(item["activated_at"]) - asked_at)
        if item["fault"] or time.time() - asked_at > GIVE_UP_S:
            message = f"it is not active: {item['fault'] or 'too long'}"
            raise RuntimeError(message)
        time.sleep(LOOK_S)


def all_active(path: Path, n: int) -> float:
    """Seconds until so many items are active or cannot be; looked for beside the node, which has enough to do."""
    began = time.monotonic()
    store = open_store(path)
    while time.monotonic() - began < GIVE_UP_S:
        with store.read() as reading:
            done = sum(bool(one.activated_at or one.fault) for one in reading.content())
        if done >= n:
            store.close()
            return time.monotonic() - began
        time.sleep(0.5)
    message = "not all became active"
    raise RuntimeError(message)


def shares(delays_s: Sequence[float]) -> dict[str, int]:
    """Milliseconds: p50, p95 and the longest."""
    found = sorted(delays_s)
    last = len(found) - 1
    parts = {f"p{share}": found[min(len(found) * share // 100, last)] for share in (50, 95)}
    return {name: round(value * 1000) for name, value in {**parts, "max": found[last]}.items()}


def singles(client: NodeClient, n: int, *, version: int = 0) -> dict[str, int]:
    """Add rules one at a time, each once the one before is active."""
    delays = []
    for number in range(n):
        added = client.post("/api/content/rules", {"text": own_rule(number, version)})
        delays.append(until_active(client, added["id"]))
    return shares(delays)


class Course:
    """The changes, one after another, each with the instant at which it began."""

    def __init__(self, client: NodeClient, store: Path, n_singles: int, rules: Sequence[tuple[str, str]]) -> None:
        self._client = client
        self._store = store
        self._n = n_singles
        self._rules = rules
        self.phases: Phases = []
        self.figures: dict[str, Any] = {}

    def run(self) -> None:
        """All of it."""
        own = [f"8f6a1c1e-3f0e-4b44-9d3c-{number:012}" for number in range(100)]
        self._phase("nothing changes", lambda: time.sleep(SETTLE_S))
        self._phase("one rule after another", lambda: self._keep("one, none held", singles(self._client, self._n)))
        self._remove(own[: self._n])
        ids: list[str] = []
        self._phase("the whole set is added", lambda: ids.extend(self._whole()))
        self._phase("the whole set is held", lambda: time.sleep(SETTLE_S))
        self._phase(
            "one rule after another beside it", lambda: self._keep("one, the set held", singles(self._client, self._n))
        )
        self._phase(
            "one rule replaced after another beside it",
            lambda: self._keep("one replaced, the set held", singles(self._client, self._n, version=1)),
        )
        self._remove(own[: self._n])
        self._phase("100 rules beside it", self._hundred)
        self._phase("the whole set is removed", lambda: self._remove([*ids, *own]))
        self._phase("nothing is held again", lambda: time.sleep(SETTLE_S))

    def _keep(self, name: str, figure: Any) -> None:
        self.figures[name] = figure

    def _phase(self, name: str, act: Callable[[], None]) -> None:
        self.phases.append((time.time(), name))
        act()

    def _whole(self) -> list[str]:
        began = time.monotonic()
        sent = send_rules(self._client, self._rules, {"share": False, "marking": "amber"})
        self._keep("set_sent_s", round(time.monotonic() - began, 1))
        all_active(self._store, len(sent.added))
        self._keep("set_active_s", round(time.monotonic() - began, 1))
        self._keep("set_rules", len(sent.added))
        return sent.added

    def _hundred(self) -> None:
        texts = [("", own_rule(number)) for number in range(100)]
        sent = send_rules(self._client, texts, {"share": False, "marking": "amber"})
        self._keep("hundred_active_ms", round(max(until_active(self._client, one) for one in sent.added) * 1000))

    def _remove(self, ids: Sequence[str]) -> None:
        began = time.monotonic()
        for start in range(0, len(ids), 200):
            self._client.post("/api/content/removals", {"ids": list(ids[start : start + 200])})
        self._keep("removed_s", round(time.monotonic() - began, 1))


def n_web(client: NodeClient) -> int:
    """Lines of the web log that are committed."""
    return sum(one["n_read"] for one in client.get("/api/status")["sources"] if one["name"] == "web")


def by_phase(phases: Phases, written: dict[str, float], seen: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """The delays of the attacks written in each phase."""
    ends = [at for at, _ in phases[1:]] + [float("inf")]
    found = {}
    for (start, name), end in zip(phases, ends, strict=True):
        delays = [seen[address][0] - at for address, at in written.items() if start <= at < end and address in seen]
        if delays:
            found[name] = {"n": len(delays), **shares(delays)}
    return found


def measure(home: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One run; a JSON document."""
    log = home / "access.log"
    log.touch()
    log.with_name("access.log.json").touch()
    console_port, ally_port = free_ports(FIRST_PORT, 2)
    folder = home / "jp"
    new = NewNode(
        folder=folder,
        name="Japan",
        country="JP",
        console_port=console_port,
        ally_port=ally_port,
        sources=(("web", log), ("windows", log.with_name("access.log.json"))),
    )
    make_node(new, now=datetime.now(UTC))
    (folder / "content" / "mark.yml").write_text(_MARK, encoding="utf-8")
    node = DemoNode(name="Japan", folder=folder, console_port=console_port, ally_port=ally_port)
    rules = rule_texts([asked.rules])[0] if asked.rules else [("", own_rule(10_000 + n)) for n in range(N_GENERATED)]
    alerts = AlertsSeen()
    with ExitStack() as stack:
        process: RunningNode = stack.enter_context(running(node))
        client = stack.enter_context(connected(folder, mount_locally))
        while not client.get("/api/rules")["n_rules"]:
            time.sleep(0.1)
        observer = Observer(node, alerts.look)
        observer.start()
        stack.callback(observer.stop)
        pipe = stack.enter_context(feeding(log, asked.lines_per_second, asked.processes_per_second))
        time.sleep(SETTLE_S)
        spent = cpu_s(process._process.pid)  # noqa: SLF001 - bench looks inside
        course = Course(client, folder / STORE_FILE, asked.singles, rules)
        course.run()
        spent = cpu_s(process._process.pid) - spent  # noqa: SLF001
        pipe.send(None)
        written, n_lines = pipe.recv()
        began = time.monotonic()
        while time.monotonic() - began < 60 and n_web(client) < n_lines:
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        n_read = n_web(client)
    return {
        "bench": "content_change",
        **course.figures,
        "attacks_ms": by_phase(course.phases, written, alerts.seen),
        "lines_written": n_lines,
        "lines_read": n_read,
        "attacks": len(written),
        "attacks_lost": len(written.keys() - alerts.seen.keys()),
        "lines_per_s": asked.lines_per_second,
        "cpu_s": round(spent, 1),
        "machine": machine(),
    }


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=Path, default=None, help="a set of rules; else generated ones")
    parser.add_argument("--singles", type=int, default=40)
    parser.add_argument("--lines-per-second", type=float, default=1000.0)
    parser.add_argument("--processes-per-second", type=float, default=50.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amagasa-bench-") as folder:
        document = measure(Path(folder), asked)
    json.dump(document, sys.stdout, indent=None if asked.json else 1)
    print()


if __name__ == "__main__":
    main()

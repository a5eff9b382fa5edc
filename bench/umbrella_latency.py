"""How fast protection spreads: from a line in Japan's web log to an ally's screen and to a third party's detection.

Three nodes run as they do in earnest, each with its own processes, store, keys and certificates: Japan (supported),
the United States and Australia (each supporting Japan under an agreement of its own, drafted and signed here). Ordinary
lines are appended to the log which Japan follows, and among them attacks, each from an address of its own. For each
attack three delays are taken, all from the instant at which the write() of its line returned:

  alert      the alert is committed in Japan's store
  sighting   the sighting of this attacker is committed in the American store
  indicator  the indicator of this attacker is at work in Australia's detection

"Seen" figures are the upper bound: a reader in another process saw the commit (it looks every 5 ms). "Noted" figures
are the instants which the nodes note themselves. Those of alert and sighting are taken just before the commit (when the
batch, or the envelope, was taken up), so they lie below the seen ones; that of the indicator is taken after Australia's
detection process said that it looks with it. All processes share the machine's one clock.

    python bench/umbrella_latency.py [--attacks 1000] [--per-second 20] [--lines-per-second 1000] [--json]
"""

import argparse
import json
import multiprocessing
import os
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from machine import machine
from umbrella_lines import attackers, feed, lines

from amagasa.adapters.store.sqlite import open_store
from amagasa.app import agreements
from amagasa.app.pages import Page
from amagasa.app.ports import Reading
from amagasa.entry.cli.client import connected
from amagasa.entry.demo.nodes import DemoNode, RunningNode, free_ports
from amagasa.entry.node.new_node import NewNode, make_node
from amagasa.entry.people.application import mount_locally
from amagasa.entry.wiring import CARD_FILE, agreement_files

PARTIES = (("Japan", "JP"), ("United States", "US"), ("Australia", "AU"))
FIRST_PORT = 9480
QUIET_LINES = 100_000  # of the past of each ally, with --tried
LOOK_S = 0.005
GIVE_UP_AFTER_S = 30.0
SETTLE_S = 1.0  # lines in which nothing was found are committed twice a second
STORE_FILE = "state/amagasa.sqlite"
STAGES = {
    "alert": "alert committed in Japan",
    "sighting": "sighting committed in the United States",
    "indicator": "indicator at work in Australia",
}
_ADDRESS = re.compile(r"addr:value = '([^']+)'")

# Address of an attacker -> when it was seen here first, and the instant the node notes; seconds since the epoch.
Seen = dict[str, tuple[float, float]]


def make_nodes(home: Path, log: Path, *, are_tried: bool = False) -> list[DemoNode]:
    """Japan, the United States, Australia; and Japan's agreements with the other two.

    With `are_tried` the allies keep records as well, so that what Japan sends is tried on them first.
    """
    now = datetime.now(UTC)
    ports = free_ports(FIRST_PORT, 2 * len(PARTIES))
    nodes = []
    quiet = home / "quiet.log"
    if are_tried:
        quiet.write_bytes(b"".join(line for line, _ in lines(QUIET_LINES, [])))
    for number, (name, country) in enumerate(PARTIES):
        console_port, ally_port = ports[2 * number : 2 * number + 2]
        folder = home / country.lower()
        sources = (("web", log),) if country == "JP" else (("web", quiet),) if are_tried else ()
        new = NewNode(
            folder=folder, name=name, country=country, console_port=console_port, ally_port=ally_port, sources=sources
        )
        make_node(new, now=now)
        nodes.append(DemoNode(name=name, folder=folder, console_port=console_port, ally_port=ally_port))
    for ally in nodes[1:]:
        sign(home, nodes[0], ally, now)
    return nodes


def sign(home: Path, supported: DemoNode, supporting: DemoNode, now: datetime) -> None:
    """Draft an agreement, sign it on both sides, install it in both nodes."""
    files = agreement_files()
    begin = now - timedelta(minutes=1)
    cards = (supported.folder / CARD_FILE, supporting.folder / CARD_FILE)
    draft = home / f"{supporting.folder.name}.toml"
    text = agreements.draft(files, *cards, valid_from_at=begin, valid_until_at=begin + timedelta(days=30))
    draft.write_text(text, encoding="utf-8")
    prepared = agreements.prepare(files, supported.folder, draft, now=now)
    signed = agreements.sign(files, supported.folder, prepared, now=now)
    for node in (supporting, supported):
        agreements.sign(files, node.folder, agreements.prepare(files, node.folder, signed.target, now=now), now=now)


class Observer:
    """Watches one node's store from outside, on a thread: what was committed, and when that was first seen."""

    def __init__(self, node: DemoNode, look: Callable[[Reading, float], None]) -> None:
        self._path = node.folder / STORE_FILE
        self._look = look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=node.name, daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        store = open_store(self._path)
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as bell:
            last = -1
            while not self._stopping.is_set():
                # Moves when another connection commits, and costs some 10 us: the store is read only then.
                (version,) = bell.execute("PRAGMA data_version").fetchone()
                if version != last:
                    last = version
                    with store.read() as reading:
                        self._look(reading, time.time())
                time.sleep(LOOK_S)
        store.close()


class AlertsSeen:
    """Alerts by their attacker's address."""

    def __init__(self) -> None:
        self.seen: Seen = {}
        self._known: set[str] = set()

    def look(self, reading: Reading, now: float) -> None:
        """Newest first, until a page brings nothing new."""
        for alert in pages(reading.alerts, lambda alert: alert.id in self._known):
            self._known.add(alert.id)
            for entity in alert.entities:
                self.seen.setdefault(entity.value, (now, alert.created_at.timestamp()))


class SightingsSeen:
    """Sightings by the address of the indicator which they sight."""

    def __init__(self) -> None:
        self.seen: Seen = {}
        self._address: dict[str, str] = {}
        self._known: set[str] = set()

    def look(self, reading: Reading, now: float) -> None:
        """Indicators and sightings that came since the last look."""
        found = list(pages(reading.objects_page, lambda one: one.id in self._known))
        self._known.update(one.id for one in found)
        bodies = [(one, json.loads(one.body)) for one in found]
        for one, body in bodies:
            if one.type == "indicator" and (named := _ADDRESS.search(body["pattern"])):
                self._address[one.id] = named[1]
        for one, body in bodies:
            address = self._address.get(body.get("sighting_of_ref", ""))
            if address is not None:
                self.seen.setdefault(address, (now, one.added_at.timestamp()))


class IndicatorsSeen:
    """Indicators at work, by their address."""

    def __init__(self) -> None:
        self.seen: Seen = {}
        self._waiting: set[str] = set()
        self._known: set[str] = set()

    def look(self, reading: Reading, now: float) -> None:
        """Which of those that came are at work since the last look."""
        for one in pages(reading.objects_page, lambda one: one.id in self._known):
            self._known.add(one.id)
            if one.type == "indicator":
                self._waiting.add(one.id)
        for item in reading.content_items(self._waiting):
            named = _ADDRESS.search(item.text)
            if item.activated_at is not None and named:
                self._waiting.discard(item.id)
                self.seen.setdefault(named[1], (now, item.activated_at.timestamp()))


def pages(fetch: Callable[[Page], Any], is_known: Callable[[Any], bool]) -> Iterator[Any]:
    """What is new of a list that is newest first."""
    cursor = None
    while True:
        found, cursor = fetch(Page(limit=25, before=cursor))
        new = [one for one in found if not is_known(one)]
        yield from new
        if len(new) < len(found) or cursor is None:
            return


def cpu_s(root: int) -> float:
    """CPU seconds of a process and all below it, those that have ended included."""
    tick = os.sysconf("SC_CLK_TCK")
    parents, times = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended; its parent has its time
            parents[int(entry.name)] = int(fields[1])
            times[int(entry.name)] = sum(map(int, fields[11:15])) / tick
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(times.get(pid, 0.0) for pid in family)


def figures(written: dict[str, float], seen: Seen, column: int) -> dict[str, Any]:
    """Milliseconds from the write: p50, p95, p99 and the longest; `n_lost` never came."""
    delays = sorted((seen[address][column] - at) * 1000 for address, at in written.items() if address in seen)
    lost = {"n_lost": len(written) - len(delays)}
    if not delays:
        return lost
    last = len(delays) - 1
    shares = {f"p{share}": round(delays[min(len(delays) * share // 100, last)]) for share in (50, 95, 99)}
    return {**shares, "max": round(delays[last]), **lost}


@contextmanager
def running(node: DemoNode) -> Iterator[RunningNode]:
    """The node's processes."""
    process = RunningNode(node)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


def wait_until_looking(nodes: list[DemoNode]) -> None:
    """Return when every node has loaded its rules and Japan's lines to both allies are warm."""
    for node in nodes:
        with connected(node.folder, mount_locally) as client:
            while not client.get("/api/rules")["n_rules"]:
                time.sleep(0.1)
    time.sleep(2.0)


def measure(home: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """One run; a JSON document."""
    log = home / "access.log"
    log.touch()
    nodes = make_nodes(home, log, are_tried=asked.tried)
    alerts, sightings, indicators = AlertsSeen(), SightingsSeen(), IndicatorsSeen()
    parts = {"alert": alerts, "sighting": sightings, "indicator": indicators}
    addresses = attackers(asked.attacks)
    seconds = asked.attacks / asked.per_second
    with ExitStack() as stack:
        processes = {node.name: stack.enter_context(running(node)) for node in nodes}
        wait_until_looking(nodes)
        for node, part in zip(nodes, parts.values(), strict=True):
            observer = Observer(node, part.look)
            observer.start()
            stack.callback(observer.stop)
        before = {name: cpu_s(one._process.pid) for name, one in processes.items()}  # noqa: SLF001 - bench looks inside
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        n_lines = round(seconds * asked.lines_per_second)
        feeder = multiprocessing.get_context("spawn").Process(
            target=feed,
            args=(str(log), addresses, theirs),
            kwargs={"n_lines": n_lines, "lines_per_s": asked.lines_per_second},
        )
        feeder.start()
        theirs.close()  # so that the end of a feeder that failed is noticed
        written, took_s = ours.recv()
        feeder.join()
        give_up_at = time.monotonic() + GIVE_UP_AFTER_S
        while time.monotonic() < give_up_at and any(written.keys() - part.seen.keys() for part in parts.values()):
            time.sleep(0.05)
        time.sleep(SETTLE_S)
        spent = {name: round(cpu_s(one._process.pid) - before[name], 1) for name, one in processes.items()}  # noqa: SLF001
        with connected(nodes[0].folder, mount_locally) as client:
            status = client.get("/api/status")
    return {
        "bench": "umbrella_latency",
        "attacks": len(written),
        "attacks_per_s": asked.per_second,
        "lines_written": n_lines,
        "lines_read": sum(source["n_read"] for source in status["sources"]),
        "lines_per_s": round(n_lines / took_s),
        "seconds": round(took_s, 1),
        "ms_seen": {name: figures(written, part.seen, 0) for name, part in parts.items()},
        "ms_noted": {name: figures(written, part.seen, 1) for name, part in parts.items()},
        "cpu_s": spent,
        "machine": machine(),
    }


def show(document: dict[str, Any]) -> str:
    """The document as a table for people."""
    what = (
        f"{document['attacks']} attacks among {document['lines_written']} lines in {document['seconds']} s "
        f"({document['lines_per_s']} lines/s; {document['lines_read']} read)"
    )
    rows = [
        what,
        f"{'from write() to ..., ms':<48}{'p50':>7}{'p95':>7}{'p99':>7}{'max':>7}{'lost':>6}",
    ]
    for kind in ("seen", "noted"):
        for name, words in STAGES.items():
            found = document[f"ms_{kind}"][name]
            cells = "".join(f"{found.get(key, '-'):>7}" for key in ("p50", "p95", "p99", "max"))
            rows.append(f"{words + ', ' + kind:<48}" + cells + f"{found['n_lost']:>6}")
    spent = ", ".join(f"{name} {seconds}" for name, seconds in document["cpu_s"].items())
    rows.append(f"CPU seconds: {spent}; load average {document['machine']['load']}")
    return "\n".join(rows)


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", type=int, default=1000)
    parser.add_argument("--per-second", type=float, default=20.0, help="attacks a second")
    parser.add_argument("--lines-per-second", type=float, default=1000.0, help="lines a second, attacks among them")
    parser.add_argument("--folder", type=Path, default=None, help="keep the nodes and their logs in this empty folder")
    parser.add_argument("--tried", action="store_true", help="the allies keep records, and try what comes on them")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as stack:
        if asked.folder is not None:
            asked.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amagasa-bench-")))
        document = measure(home, asked)
    if asked.json:
        json.dump(document, sys.stdout, indent=2)
        print()
    else:
        print(show(document))


if __name__ == "__main__":
    main()

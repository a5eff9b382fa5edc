"""Indicators by the hundred thousand: what loading them costs, what they cost detection, how soon changes count.

- load: `amagasa detect` over an empty log with ever more indicators: CPU seconds of the first start with a list (it is
  read and made a table) and of the next (the table is mapped), and the memory of the whole process.
- slow-down: the same over logs, in turn with none: CPU seconds with indicators to CPU seconds without, of the whole
  process and less its start. A record that an indicator names must be weighed and told, or counted as aged, which no
  log without bad addresses has to pay for: so the web logs are looked at with the list as it is, and with the list less
  every address that they show.
- look-up: in one process, single values asked for: addresses and domains, listed and not.
- changes: in one process, messages of 1,000 indicators that are new, replaced, or taken back, with all held and none.
- node: a running node: the list added, then addresses one by one with none held and with all, each from the return of
  the request to the instant from which it is looked with.

    python bench/indicators.py --rules RULES.tar.gz --indicators LIST.csv.zst --windows 'windows/*.zst' --web 'web/*.gz'
        [--sizes 10000 100000 1000000] [--repeat 3] [--json]
"""

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import zstandard
from content_change import shares, until_active
from machine import machine
from umbrella_latency import running
from whole import Bench, Cost, cost_of, n_lines, unpacked

from amagasa.adapters.content.indicators import load_indicators
from amagasa.adapters.content.kept_files import KeptFiles
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import joined, settled, with_lists
from amagasa.detect.indicators.kinds import ADDRESS, DOMAIN
from amagasa.detect.indicators.lookup import hits
from amagasa.entry.cli.client import NodeClient, connected
from amagasa.entry.demo.nodes import DemoNode, RunningNode, free_ports
from amagasa.entry.node.new_node import NewNode, make_node
from amagasa.entry.people.application import mount_locally

FIRST_PORT: Final = 9720
MIN_WEB_LINES: Final = 600_000
N_LOOKS: Final = 200_000
N_MESSAGES: Final = 20
OF_MESSAGE: Final = 1_000
_NO_RULE: Final = b"""\
title: Matches nothing
id: 8f6a1c1e-3f0e-4b44-9d3c-000000000001
status: test
logsource: {category: webserver}
detection: {never: {cs-method: NEVER-A-METHOD}, condition: never}
level: low
"""
_AMAGASA: Final = (str(Path(sys.executable).with_name("amagasa")), "detect")
_RSS: Final = re.compile(r"VmRSS:\s+(\d+)")


def rows_of(path: Path) -> list[bytes]:
    """The lines of a list, plain or .zst."""
    with path.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read() if path.suffix == ".zst" else file.read()
    return data.splitlines()


def written(rows: Sequence[bytes], path: Path) -> Path:
    """A list of these rows."""
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


def lists_of(path: Path, sizes: Sequence[int], folder: Path) -> dict[int, Path]:
    """Lists of as many indicators drawn by lot as each size says, and the whole one; by size."""
    head, *rows = rows_of(path)
    draw = random.Random(3)
    found = {
        size: written([head, *draw.sample(rows, size)], folder / f"list{size}.csv")
        for size in sizes
        if size < len(rows)
    }
    return {**found, len(rows): written([head, *rows], folder / f"list{len(rows)}.csv")}


def less_named(path: Path, found: Path, target: Path) -> Path:
    """The list without the values that detections speak of."""
    titles = [json.loads(line)["rule_title"] for line in rows_of(found)]
    named = {title.partition(", on the list")[0].encode() for title in titles}
    head, *rows = rows_of(path)
    return written([head, *(row for row in rows if row.split(b",", 2)[1] not in named)], target)


def aside(make: Callable[..., Any], *given: Any) -> Any:
    """Made by another process: the kernel counts the most memory of ours as that of a process which we start."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make, *given).result()


class Files:
    """`amagasa detect` as a user runs it."""

    def __init__(self, bench: Bench, scratch: Path, repeat: int) -> None:
        self._bench = bench
        self._repeat = repeat
        self._scratch = scratch
        self._summary = scratch / "summary.json"
        self._empty = [str(written([], scratch / "empty.log"))]

    def run(self, logs: list[str], listed: Path | None) -> Cost:
        """One process."""
        given = () if listed is None else ("--indicators", str(listed))
        return self._bench.ours(logs, "--summary", str(self._summary), *given)

    def less_named(self, logs: list[str], listed: Path) -> Path:
        """The list without the values which these logs show, however old."""
        ageing, found = self._scratch / "ageing.toml", self._scratch / "named.ndjson"
        ageing.write_text("floor = 0\n", encoding="utf-8")
        rules = written([_NO_RULE], self._scratch / "none.yml")
        given = ("--rules", str(rules), "--indicators", str(listed), "--ageing", str(ageing), "-o", str(found))
        cost_of((*_AMAGASA, *given, *logs))
        less: Path = aside(less_named, listed, found, self._scratch / "less.csv")
        return less

    def load(self, listed: Path) -> dict[str, Any]:
        """The first start with a list, and the next ones."""
        first = self.run(self._empty, listed)
        next_ = [self.run(self._empty, listed) for _ in range(self._repeat)]
        return {
            "n": json.loads(self._summary.read_text())["n_indicators"],
            "first_cpu_s": first.cpu_s,
            "first_rss_mb": first.rss_mb,
            "cpu_s": statistics.median(one.cpu_s for one in next_),
            "rss_mb": max(one.rss_mb for one in next_),
        }

    def start(self, listed: Path | None) -> float:
        """CPU seconds of a start with nothing to read."""
        return statistics.median(self.run(self._empty, listed).cpu_s for _ in range(self._repeat))

    def slow_down(self, logs: list[str], lists: dict[str, Path]) -> dict[str, Any]:
        """The price of each list over these logs, in turn with none."""
        for listed in (None, *lists.values()):  # what the cache learns is part of a warm start
            self.run(logs, listed)
        none_start = self.start(None)
        told: dict[str, Any] = {"n_events": n_lines(logs), "lists": {}}
        nones: list[Cost] = []
        for name, listed in lists.items():
            pairs = [(self.run(logs, None), self.run(logs, listed)) for _ in range(self._repeat)]
            said = json.loads(self._summary.read_text())
            nones += [none for none, _ in pairs]
            start = self.start(listed)
            told["lists"][name] = {
                "whole": statistics.median(one.cpu_s / none.cpu_s for none, one in pairs),
                "looking": statistics.median(
                    (one.cpu_s - start) / max(none.cpu_s - none_start, 0.001) for none, one in pairs
                ),
                "rss_mb": max(one.rss_mb for _, one in pairs),
                "n_silent": sum(said["n_silenced"].values()),
                "n_detections": said["n_detections"],
            }
        told["cpu_s"] = statistics.median(one.cpu_s for one in nones)
        told["rate"] = told["n_events"] / told["cpu_s"]
        return told


def look_ups(held: IndicatorSet, rows: Sequence[bytes]) -> dict[str, float]:
    """Millionths of a second for a value, by what it is and whether it is listed."""
    draw = random.Random(7)
    told = {}
    for name, where, kind in (("address", ADDRESS, b"ipv4-addr,"), ("domain", DOMAIN, b"domain-name,")):
        there = [row.split(b",", 2)[1].decode() for row in draw.sample(rows, N_LOOKS // 2) if row.startswith(kind)]
        absent = [
            f"10.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(256)}"
            if where == ADDRESS
            else f"{draw.getrandbits(40):x}.absent.example"
            for _ in range(N_LOOKS // 2)
        ]
        for kind_of_value, values in (("listed", there), ("not listed", absent)):
            began = time.process_time()
            for value in values:
                hits(held, where, (value,))
            told[f"{name}, {kind_of_value}"] = (time.process_time() - began) / max(1, len(values)) * 1e6
    return told


def reported(number: int, version: int) -> dict[str, Any]:
    """An indicator of an ally."""
    address = f"5.{64 + (number >> 16 & 63)}.{number >> 8 & 255}.{number & 255}"
    return {
        "type": "indicator",
        "id": f"indicator--00000000-0000-4000-8000-{number:012}",
        "pattern": f"[ipv4-addr:value = '{address}']",
        "pattern_type": "stix",
        "name": f"version {version}",
    }


def changes(held: IndicatorSet) -> dict[str, float]:
    """Indicators a second of messages that bring new ones, replace them, take them back; the slowest message in ms."""
    told: dict[str, float] = {}
    slowest = 0.0
    for name, version in (("new", 0), ("replaced", 1), ("taken back", None)):
        spent = 0.0
        for message in range(N_MESSAGES):
            numbers = range(message * OF_MESSAGE, (message + 1) * OF_MESSAGE)
            objects = [reported(number, version or 0) for number in numbers]
            began = time.process_time()
            if version is None:
                held = settled(joined(held, IndicatorSet(), [str(one["id"]) for one in objects]))
            else:
                held = settled(joined(held, compile_indicators(objects)[0]))
            took = time.process_time() - began
            spent, slowest = spent + took, max(slowest, took)
        told[name] = N_MESSAGES * OF_MESSAGE / spent
    return {**told, "slowest_ms": slowest * 1000}


def memory_mb(pid: int) -> int:
    """Of a process that runs now."""
    found = _RSS.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) // 1024 if found else 0


def children_of(pid: int) -> Iterator[int]:
    """Processes that it started."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, path.read_text(encoding="ascii").split())


def one_by_one(client: NodeClient, n: int, first: int) -> dict[str, int]:
    """Addresses added one after another, each once the one before is looked with."""
    delays = []
    for number in range(first, first + n):
        address = str(reported(number, 0)["pattern"]).split("'")[1]
        added = client.post("/api/content/addresses", {"address": address, "title": "", "marking": "amber"})
        delays.append(until_active(client, added["id"]))
    return shares(delays)


def in_a_node(home: Path, listed: Path, n: int) -> dict[str, Any]:
    """A node that runs with nothing but its built-in rules."""
    console_port, ally_port = free_ports(FIRST_PORT, 2)
    folder, log = home / "node", home / "access.log"
    log.touch()
    new = NewNode(
        folder=folder,
        name="Japan",
        country="JP",
        console_port=console_port,
        ally_port=ally_port,
        sources=(("web", log),),
    )
    make_node(new, now=datetime.now(UTC))
    node = DemoNode(name="Japan", folder=folder, console_port=console_port, ally_port=ally_port)
    with ExitStack() as stack:
        process: RunningNode = stack.enter_context(running(node))
        client = stack.enter_context(connected(folder, mount_locally))
        while not client.get("/api/rules")["n_rules"]:
            time.sleep(0.1)
        pid = process._process.pid  # noqa: SLF001 - bench looks inside
        told: dict[str, Any] = {"none_held_ms": one_by_one(client, n, 0), "main_before_mb": memory_mb(pid)}
        began = time.monotonic()
        kept = KeptFiles(folder).keep(listed)
        read_at = time.monotonic()
        item = client.post("/api/content/files", {"file": kept.file})
        until_active(client, item["id"])
        told |= {"read_s": read_at - began, "active_ms": (time.monotonic() - read_at) * 1000}
        told["all_held_ms"] = one_by_one(client, n, n)
        told["main_mb"] = memory_mb(pid)
        told["worker_mb"] = max(memory_mb(child) for child in children_of(pid))
    return told


def measure(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All of it."""
    lists: dict[int, Path] = aside(lists_of, asked.indicators, asked.sizes, scratch)
    all_ = lists[max(lists)]
    files = Files(Bench((str(asked.rules),), asked.repeat, scratch), scratch, asked.repeat)
    files.start(None)  # the rules are compiled, and known from then on
    told: dict[str, Any] = {
        "none": {"cpu_s": files.start(None)},
        "load": [files.load(path) for _, path in sorted(lists.items())],
    }
    by_name = {f"{size:,}": path for size, path in sorted(lists.items())}
    if asked.windows:
        told["windows"] = files.slow_down(unpacked(asked.windows, scratch / "windows"), by_name)
    if asked.web:
        web = unpacked(asked.web, scratch / "web")
        times = max(1, -(-asked.web_lines // n_lines(web)))
        lists_ = {**by_name, "all less what the log shows": files.less_named(web, all_)}
        told["web"] = files.slow_down(web * times, lists_)
    loaded = load_indicators([all_], cache=scratch / "tables")
    held = with_lists(IndicatorSet(), loaded.tables)
    told["look_us"] = look_ups(held, rows_of(all_)[1:])
    told["changes"] = {"none held": changes(IndicatorSet()), "all held": changes(held)}
    told["node"] = in_a_node(scratch, all_, asked.singles)
    return told


def main() -> None:
    """Measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--indicators", type=Path, required=True, help="a list with a header: type,value,...")
    parser.add_argument("--windows", nargs="*", default=[], help="patterns of files of Windows events")
    parser.add_argument("--web", nargs="*", default=[], help="patterns of access logs")
    parser.add_argument("--web-lines", type=int, default=MIN_WEB_LINES, help="the web logs again, until so many lines")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--singles", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amagasa-bench-") as scratch:
        told = measure(asked, Path(scratch))
    json.dump(
        {"bench": "indicators", "machine": machine(), "figures": told}, sys.stdout, indent=None if asked.json else 1
    )
    print()


if __name__ == "__main__":
    main()

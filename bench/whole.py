"""Whole processes of `amagasa detect`: what a user waits for, beside orjson.loads over the same lines.

    python bench/whole.py --rules sigma-rules.tar.gz --windows 'windows/*/*.zst' --web 'web/*.gz' [--repeat 3] [--json]

Each corpus is unpacked into a folder of its own before anything is timed. A run is a process; its CPU seconds (user and
system, start-up and its children included) and its memory are what the kernel says of it. The reference is a process
that reads the same files and gives each line to orjson.loads. Both run in turn `--repeat` times; the median is told.
Rates of several processes are of wall-clock time, which other work on the machine disturbs; beside each stands what
as many references give together that have nothing to do with one another: the machine allows no more.
"""

import argparse
import glob
import gzip
import json
import math
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import hard_corpus
import zstandard
from machine import machine
from more_rules import write_copies
from msgspec import Struct

_REFERENCE: Final = """
import sys, orjson
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        for line in file:
            try:
                orjson.loads(line)
            except orjson.JSONDecodeError:
                pass  # a few lines of the corpus are syslog
"""
AMAGASA: Final = (str(Path(sys.executable).with_name("amagasa")), "detect")


class Cost(Struct, frozen=True):
    """What the kernel says of a process that ended well: seconds and megabytes."""

    cpu_s: float
    wall_s: float
    rss_mb: int


def cost_of(
    command: Iterable[str],
    environment: dict[str, str] | None = None,
    stdout: str = os.devnull,
    *,
    may_end: frozenset[int] = frozenset({0, 1, 3}),
) -> Cost:
    """Run it to its end; what it says is not kept, or in the file `stdout`.

    Raises ChildProcessError where it ends otherwise than it may: of ours, to find something, or that some part could
    not be read, is no failure.
    """
    began = time.monotonic()
    quiet = [
        (os.POSIX_SPAWN_OPEN, place, path, os.O_WRONLY | os.O_CREAT, 0o600)
        for place, path in ((1, stdout), (2, os.devnull))
    ]
    words = list(command)
    pid = os.posix_spawn(words[0], words, {**os.environ, **(environment or {})}, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    wall_s = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) not in may_end:
        message = f"{' '.join(words)}: {status}"
        raise ChildProcessError(message)
    return Cost(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss // 1024)


def together(commands: Iterable[list[str]]) -> float:
    """Wall-clock seconds until all have ended which were begun at once. Raises ChildProcessError where one fails."""
    began = time.monotonic()
    quiet = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_WRONLY, 0) for place in (1, 2)]
    pids = [os.posix_spawn(words[0], words, os.environ, file_actions=quiet) for words in commands]
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if any(ends):
        message = f"a reference ended with {max(ends)}"
        raise ChildProcessError(message)
    return time.monotonic() - began


def unpacked(patterns: Iterable[str], folder: Path) -> list[str]:
    """The files, unpacked; those with the same first part of the name follow one another."""
    folder.mkdir(parents=True)
    for pattern in patterns:
        for name in sorted(glob.glob(pattern)):  # noqa: PTH207 - a pattern over several folders
            path = Path(name)
            with path.open("rb") as file, (folder / path.stem).open("wb") as plain:
                if path.suffix == ".zst":
                    zstandard.ZstdDecompressor().copy_stream(file, plain)
                elif path.suffix == ".gz":
                    shutil.copyfileobj(gzip.GzipFile(fileobj=file), plain)
                else:
                    shutil.copyfileobj(file, plain)
    return sorted(str(path) for path in folder.iterdir())


def written(lines: Iterator[bytes], path: Path) -> list[str]:
    """A corpus of one file."""
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in lines)
    return [str(path)]


def flood(n_events: int) -> Iterator[bytes]:
    """Process creations in which every value is new, as one who floods us would write them."""
    draw = random.Random(6)
    for line in hard_corpus.lines(n_events):
        event = json.loads(line)
        for name, value in event.items():
            if isinstance(value, str) and name not in {"Message", "Channel", "EventTime", "EventType", "SourceName"}:
                # Before the end of a file's name: a program without `.exe` is suspicious by itself.
                stem, dot, end = value.rpartition(".") if value[-4:-3] == "." else (value, "", "")
                event[name] = f"{stem}{draw.getrandbits(64):x}{dot}{end}"
        yield json.dumps(event).encode()


def n_lines(paths: Iterable[str]) -> int:
    """Lines of all files."""
    count = 0
    for path in paths:
        with Path(path).open("rb") as file:
            count += sum(part.count(b"\n") for part in iter(lambda file=file: file.read(1 << 20), b""))  # type: ignore[misc]
    return count


class Bench:
    """One rule set; every corpus is looked at `repeat` times."""

    def __init__(self, rules: tuple[str, ...], repeat: int, scratch: Path) -> None:
        self._rules = [word for path in rules for word in ("--rules", path)]
        self._repeat = repeat
        self._scratch = scratch
        self._environment = {"XDG_CACHE_HOME": str(scratch / "cache")}
        self._empty = written(iter(()), scratch / "empty.ndjson")

    def ours(self, paths: list[str], *more: str, environment: dict[str, str] | None = None) -> Cost:
        """Our process over these files."""
        command = (*AMAGASA, *self._rules, "-o", str(self._scratch / "found.ndjson"), *more, *paths)
        return cost_of(command, {**self._environment, **(environment or {})})

    def first_start(self) -> dict[str, Any]:
        """From YAML, with an empty cache; then with what that left."""
        cold = self.ours(self._empty)
        warm = self._median(lambda: self.ours(self._empty))
        return {"first_cpu_s": cold.cpu_s, "first_wall_s": cold.wall_s, "warm_cpu_s": warm.cpu_s, "rss_mb": warm.rss_mb}

    def corpus(self, paths: list[str], *, is_json: bool = True, processes: tuple[int, ...] = (1,)) -> dict[str, Any]:
        """Rates and the ratio to the reference, taken in turn."""
        n_events = n_lines(paths)
        self.ours(paths)  # what the cache learns of these files is part of a warm start
        pairs = []
        for _ in range(self._repeat):
            command = [sys.executable, "-c", _REFERENCE, *paths]
            reference = cost_of(command, may_end=frozenset({0})) if is_json else None
            pairs.append((reference, [self.ours(paths, "--processes", str(n)) for n in processes]))
        ones = [ours[0] for _, ours in pairs]
        told: dict[str, Any] = {
            "n_events": n_events,
            "mb": round(sum(Path(path).stat().st_size for path in paths) / 1e6),
            "cpu_s": statistics.median(one.cpu_s for one in ones),
            "rate": n_events / statistics.median(one.cpu_s for one in ones),
            "rss_mb": max(one.rss_mb for one in ones),
            "n_found": n_lines([str(self._scratch / "found.ndjson")]),
        }
        if is_json:
            told["orjson_rate"] = n_events / statistics.median(one.cpu_s for one, _ in pairs if one)
            told["ratio"] = statistics.median(one.cpu_s / ours[0].cpu_s for one, ours in pairs if one)
        told["processes"] = [
            {
                "n": n,
                "times_one": statistics.median(ours[0].wall_s / ours[index].wall_s for _, ours in pairs),
                "machine": self._machine(paths, n) if is_json else None,
            }
            for index, n in enumerate(processes)
        ]
        return told

    def _machine(self, paths: list[str], n: int) -> float:
        """How many times one reference `n` of them do, each over all of it."""
        command = [sys.executable, "-c", _REFERENCE, *paths]
        return statistics.median(n * together([command]) / together([command] * n) for _ in range(self._repeat))

    def _median(self, run: Callable[[], Cost]) -> Cost:
        costs = [run() for _ in range(self._repeat)]
        return Cost(
            statistics.median(one.cpu_s for one in costs),
            statistics.median(one.wall_s for one in costs),
            max(one.rss_mb for one in costs),
        )


def speed(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """All corpora with the rules as they are."""
    bench = Bench(tuple(asked.rules), asked.repeat, scratch)
    told: dict[str, Any] = {"start": bench.first_start()}
    n = asked.hard
    if asked.windows:
        windows = unpacked(asked.windows, scratch / "windows")
        told["bench"] = bench.corpus(windows, processes=(1, 2))
        shutil.rmtree(scratch / "windows")
    told["hard"] = bench.corpus(written(hard_corpus.lines(n), scratch / "hard.ndjson"), processes=(1, 2))
    told["flood"] = bench.corpus(written(flood(n), scratch / "flood.ndjson"))
    told["flood, four times as long"] = bench.corpus(written(flood(4 * n), scratch / "flood4.ndjson"))
    for pattern in asked.web:
        web = unpacked([pattern], scratch / "web")
        told[Path(web[0]).name] = bench.corpus(web * max(1, math.ceil(2e5 / n_lines(web))), is_json=False)
        shutil.rmtree(scratch / "web")
    return told


def growth(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """The same events with ever more rules: each copy of the set looks for other words."""
    events = written(hard_corpus.lines(asked.hard), scratch / "hard.ndjson")
    windows = unpacked(asked.windows, scratch / "windows")
    told = {}
    for times in asked.times:
        archive = scratch / f"rules{times}.tar.gz"
        n_rules = write_copies(Path(asked.rules[0]), times, archive)
        bench = Bench((str(archive),), asked.repeat, scratch)
        first = bench.first_start()
        told[str(times)] = {"n_rules": n_rules, "hard": bench.corpus(events), "start": first}
        if windows:
            told[str(times)]["bench"] = bench.corpus(windows)
    return told


def main() -> None:
    """Measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", action="append", required=True)
    parser.add_argument("--windows", nargs="*", default=[], help="patterns of files of Windows events")
    parser.add_argument("--web", nargs="*", default=[], help="patterns of access logs")
    parser.add_argument("--hard", type=int, default=200_000, help="events of the generated corpora")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--times", type=int, nargs="*", default=[], help="so many copies of the rules, instead of speed"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        told = (growth if asked.times else speed)(asked, Path(scratch))
    print(json.dumps({"machine": machine(), "figures": told}, indent=1))


if __name__ == "__main__":
    main()

"""Attacks on a growing log, all of them counted."""

import threading
from pathlib import Path
from typing import Self

from tests.journeys.nodes import JourneyNode, access_line, eventually

LINES_PER_PULSE = 40


def attacker(n: int) -> str:
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def attack(n: int) -> str:
    return access_line(attacker(n), f"/journey-mark/{n}", second=n)


def count_of(node: JourneyNode) -> tuple[int, int, int]:
    source = node.source("web")
    return source["n_read"], source["n_accepted"], source["n_rejected"]


class Load:
    """Writes attacks, each `times` over from an address of its own, among ordinary visits, until told to stop."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.n_lines = 0
        self.wanted: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        n = 0
        with self._log.open("ab", buffering=0) as stream:
            while not self._stopping.wait(0.01):
                lines = []
                for _ in range(LINES_PER_PULSE // 8):
                    n += 1
                    times = 1 + n % 3
                    self.wanted[attacker(n)] = times
                    lines += [attack(n)] * times
                lines += [access_line("192.0.2.1", f"/page/{n}")] * (LINES_PER_PULSE - len(lines))
                # Ends of writes are not ends of lines: the first line of a pulse is cut in two.
                data = "".join(line + "\n" for line in lines).encode()
                stream.write(data[:60])
                stream.write(data[60:])
                self.n_lines += len(lines)


def seen_by(node: JourneyNode) -> dict[str, int]:
    """Detections by subject; two alerts of one subject would show."""
    seen: dict[str, int] = {}
    for alert in node.alerts():
        assert alert["subject"] not in seen, f"two alerts of {alert['subject']}"
        seen[alert["subject"]] = alert["n_detections"]
    return seen


def assert_all_seen_once(node: JourneyNode, load: Load) -> None:
    eventually(lambda: count_of(node)[0] >= load.n_lines, about=f"all of {load.n_lines} lines are read")
    assert count_of(node) == (load.n_lines, load.n_lines, 0)
    assert seen_by(node) == load.wanted

"""The demo's two nodes: made, put under a signed agreement, run as processes of their own, and stopped."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from amagasa.entry.cli.client import is_running
from amagasa.vocab.errors import WorldError

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
PORTS_TRIED: Final = 40


class DemoNode(Struct, frozen=True, kw_only=True):
    """A node of the demo: its folder, the ports of its doors and the files its sources follow."""

    name: str
    folder: Path
    console_port: int
    ally_port: int


def free_ports(first: int, n: int) -> list[int]:
    """`n` ports of loopback that nobody holds now, from `first` on. Raises WorldError (AMG-PORT)."""
    found: list[int] = []
    for port in range(first, first + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        if len(found) == n:
            return found
    raise WorldError(
        "AMG-PORT",
        "there are not enough free ports for the demo",
        expected=f"{n} free ports on 127.0.0.1 between {first} and {first + PORTS_TRIED - 1}",
        got=f"{len(found)}",
        then="end what holds them and try again",
    )


class RunningNode:
    """A node's process; its own words go to `serve.log` in its folder."""

    def __init__(self, node: DemoNode) -> None:
        self.node = node
        self._log = (node.folder.parent / f"{node.folder.name}.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "amagasa", "serve", str(node.folder)],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "NO_COLOR": "1"},
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its nodes in order
        )

    def wait_until_ready(self) -> None:
        """Return when the node answers. Raises WorldError (AMG-DEMO-START) with the end of its log."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not is_running(self.node.folder):
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise WorldError(
                    "AMG-DEMO-START",
                    f"the node {self.node.name} did not start",
                    expected=f"an answer within {START_TIMEOUT_S:.0f} s",
                    got=self._last_words(),
                    then=f"its log is {self._log.name}",
                )
            time.sleep(0.05)

    def ask_to_stop(self) -> None:
        """SIGTERM; returns at once."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not heeded in time."""
        self.ask_to_stop()
        if self._process.poll() is None:
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        words = Path(self._log.name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(words[-4:])

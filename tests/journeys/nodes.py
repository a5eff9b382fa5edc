"""Real nodes for the journeys: the command line as a person runs it, and nodes as processes on loopback ports."""

import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import msgspec
from msgspec import Struct

T = TypeVar("T")
# Patience, no measure: a start takes a second, and minutes where many others use the machine.
DEADLINE_S: Final = 180.0
LOOK_EVERY_S: Final = 0.03
AMAGASA: Final = (sys.executable, "-m", "amagasa")
PLAIN: Final = {"NO_COLOR": "1", "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
# Below the ports that the system gives to clients, so that nobody gets one of ours between the look and the use.
_ports = itertools.chain.from_iterable(itertools.repeat(random.sample(range(11_000, 32_000), 20_000)))

# A rule of the journeys' own: a line that carries the mark is one detection, and nothing else is.
MARK_RULE: Final = """\
title: Mark of the journey
id: 6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
status: test
logsource:
    category: webserver
detection:
    mark:
        cs-uri-stem|contains: /journey-mark
    condition: mark
level: high
tags:
    - attack.initial-access
    - attack.t1190
"""


class Answer(Struct, frozen=True, kw_only=True):
    """What a command gave back."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    def json(self) -> Any:
        return msgspec.json.decode(self.raw)

    def rows(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.raw.splitlines()]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMAGASA_")}
    return kept | PLAIN | more


def run(
    *arguments: object, given: bytes = b"", env: dict[str, str] | None = None, before: Sequence[str] = ()
) -> Answer:
    """Run a command to its end. Whatever happens to it, it never shows a traceback and never calls itself broken."""
    command = [*before, *AMAGASA, *(str(one) for one in arguments)]
    done = subprocess.run(
        command, input=given, capture_output=True, timeout=DEADLINE_S * 2, check=False, env=environment(**(env or {}))
    )
    return answer_of(done.returncode, done.stdout, done.stderr)


def answer_of(code: int, out: bytes, err: bytes) -> Answer:
    told = err.decode(errors="replace")
    assert_composed(told)
    assert b"Traceback" not in out
    return Answer(code=code, raw=out, err=told)


def assert_composed(told: str) -> None:
    """No traceback, no mistake of ours."""
    assert "Traceback" not in told, told
    assert "AMG-BUG" not in told, told


def eventually(
    look: Callable[[], T], *, about: str, deadline_s: float = DEADLINE_S, every_s: float = LOOK_EVERY_S
) -> T:
    """What `look` gives once it gives something true; fails, with the last it gave, when that takes too long."""
    give_up_at = time.monotonic() + deadline_s
    while not (seen := look()):
        if time.monotonic() > give_up_at:
            message = f"{about}: not within {deadline_s:.0f} s; the last look gave {seen!r}"
            raise AssertionError(message)
        time.sleep(every_s)
    return seen


def free_port() -> int:
    """A port of loopback that nobody holds."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError


def access_line(address: str, target: str = "/", *, second: int = 0, status: int = 200) -> str:
    """A line of an access log, of today's first minutes."""
    at = time.strftime("%d/%b/%Y", time.gmtime(time.time() - 3_600))
    hour = time.strftime("%H:%M", time.gmtime(time.time() - 3_600))
    return f'{address} - - [{at}:{hour}:{second % 60:02} +0000] "GET {target} HTTP/1.1" {status} 512 "-" "Mozilla/5.0"'


def append(log: Path, *lines: str) -> None:
    with log.open("ab", buffering=0) as stream:
        stream.write("".join(line + "\n" for line in lines).encode())


class JourneyNode:
    """A node's folder and, while it runs, its process. Its own words go to a file beside the folder."""

    def __init__(self, folder: Path, *, name: str = "Japan", country: str = "JP", like: Path | None = None) -> None:
        """A node made by `init`; with `like`, a copy of a node that was, which is quicker."""
        self.folder = folder
        self.name = name
        self.console_port = free_port()
        self.ally_port = free_port()
        self.words = folder.parent / f"{folder.name}.words"
        self.process: subprocess.Popen[bytes] | None = None
        if like is not None:
            shutil.copytree(like, folder, symlinks=True)
            ports = iter((self.console_port, self.ally_port))
            self.set_settings(lambda text: re.sub(r"(?m)^port = \d+$", lambda _: f"port = {next(ports)}", text))
            return
        made = run(
            *("init", folder, "--name", name, "--country", country, "--json"),
            *("--console-port", self.console_port, "--ally-port", self.ally_port),
        )
        assert made.code == 0, made.err
        self.sign_in: str = made.json()["sign_in"]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.console_port}"

    @property
    def card(self) -> Path:
        return self.folder / "party.json"

    def follow(self, name: str, path: Path, *, form: str = "") -> None:
        """Add a source as an operator does."""
        added = run("source", "add", name, path, "--node", self.folder, *(("--format", form) if form else ()))
        assert added.code == 0, added.err

    def set_settings(self, change: Callable[[str], str]) -> None:
        """Edit node.toml."""
        path = self.folder / "node.toml"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def keep_card_port(self) -> None:
        """Listen for allies where the card says, which the agreement repeats: a copy cannot choose another port."""
        found = re.search(r"https://127\.0\.0\.1:(\d+)/", self.card.read_text(encoding="utf-8"))
        assert found is not None
        old, self.ally_port = self.ally_port, int(found[1])
        self.set_settings(lambda text: text.replace(f"port = {old}\n", f"port = {self.ally_port}\n"))

    def own_rule(self, text: str = MARK_RULE) -> None:
        (self.folder / "content" / "own.yml").write_text(text, encoding="utf-8")

    def begin(self, *, before: Sequence[str] = (), **env: str) -> "JourneyNode":
        """Start it; returns at once."""
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                [*before, *AMAGASA, "serve", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=environment(**env),
            )
        return self

    def start(self, *, before: Sequence[str] = (), **env: str) -> "JourneyNode":
        """Start it; returns when it is ready."""
        self.begin(before=before, **env)
        eventually(self._is_ready, about=f"{self.name} is ready")
        return self

    def terminate(self) -> int:
        """SIGTERM; how it ended."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE_S)
        self.process = None
        assert_composed(self.told())
        return code

    def kill(self) -> None:
        """SIGKILL to the main process."""
        process = self._running()
        process.kill()
        process.wait(DEADLINE_S)
        self.process = None

    def close(self) -> None:
        """Whatever state it is in, let it run no longer."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
            self.process = None

    def ended(self) -> int:
        """Wait until it ends of itself; how."""
        code = self._running().wait(DEADLINE_S)
        self.process = None
        return code

    def worker(self) -> int:
        """The process id of its worker; 0 while there is none."""
        for child in children_of(self._running().pid):
            if b"amagasa.entry.node.worker" in command_of(child):
                return child
        return 0

    def told(self) -> str:
        """All it said so far."""
        return self.words.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """Ask it over its owner's socket."""
        return self._asked("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        return self._asked("POST", path, body)

    def alerts(self) -> list[dict[str, Any]]:
        """All its alerts."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"/api/alerts?limit=500{cursor}")
            found += page["alerts"]
            if not page["next"]:
                return found
            cursor = f"&before={page['next']}"

    def source(self, name: str) -> dict[str, Any]:
        return next(dict(one) for one in self.get("/api/status")["sources"] if one["name"] == name)

    def crossings(self, **wanted: str) -> list[dict[str, Any]]:
        query = "&".join(f"{key}={value}" for key, value in wanted.items())
        return list(self.get(f"/api/crossings?limit=500&{query}")["crossings"])

    def command(self, *arguments: object) -> Answer:
        """A command on this node."""
        return run(*arguments, "--node", self.folder)

    def _asked(self, method: str, path: str, body: Any) -> Any:
        transport = httpx.HTTPTransport(uds=str(self.folder / "run" / "node.sock"))
        with httpx.Client(transport=transport, base_url="http://node", timeout=DEADLINE_S) as client:
            response = client.request(method, path, json=body)
            response.raise_for_status()
            return response.json() if response.content else None

    def _is_ready(self) -> bool:
        process = self._running()
        assert process.poll() is None, self.told()
        try:
            return httpx.get(f"{self.base}/readyz", timeout=DEADLINE_S).status_code == 200
        except httpx.TransportError:
            return False

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, "it does not run"
        return self.process


@contextmanager
def node_in(
    folder: Path, *, name: str = "Japan", country: str = "JP", like: Path | None = None
) -> Iterator[JourneyNode]:
    node = JourneyNode(folder, name=name, country=country, like=like)
    try:
        yield node
    finally:
        node.close()


def sign_between(japan: JourneyNode, america: JourneyNode, home: Path, *, change: Callable[[str], str] = str) -> Path:
    """Draft, sign on both sides and install in both; `change` edits the draft. Returns the signed file."""
    signed = sign_first(japan, america, home, change=change)
    second = run("agreement", "sign", america.folder, signed, "--yes", "--json")
    assert second.code == 0, second.err
    third = run("agreement", "sign", japan.folder, signed, "--yes", "--json")
    assert third.code == 0, third.err
    return signed


def sign_first(japan: JourneyNode, america: JourneyNode, home: Path, *, change: Callable[[str], str] = str) -> Path:
    """Draft it and sign it in Japan; returns the file to hand to the other side."""
    draft = home / "agreement.toml"
    drafted = run("agreement", "draft", "--supported", japan.card, "--supporting", america.card)
    assert drafted.code == 0, drafted.err
    draft.write_text(change(drafted.out), encoding="utf-8")
    signed = run("agreement", "sign", japan.folder, draft, "--yes", "--json")
    assert signed.code == 0, signed.err
    return Path(signed.json()["file"])


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text("ascii").split()]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""

"""Hunts asked for in the console: each in a process of its own, at low priority, cancelled when asked.

Findings are kept while the node runs, those of the latest hunts; what a hunt said stays in the store.
"""

import signal
import subprocess
import sys
import threading
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Clock, Store
from amagasa.app.signals import Signals
from amagasa.vocab.errors import BadInputError, WorldError
from amagasa.vocab.text import show

MAX_RUNNING: Final = 2
MAX_FOUND: Final = 1_000  # of one hunt; what is beyond is counted alone
MAX_HELD: Final = 20
MAX_HISTORY: Final = 100
META: Final = "hunts"
PROGRAM: Final = "from amagasa.entry.cli.main import main; main()"

log = structlog.get_logger("hunt")


class HuntState(StrEnum):
    """Where a hunt stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class HuntAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `query`, `rule` (an identifier) and `indicator` (a value or a STIX pattern)."""

    query: str = ""
    rule: str = ""
    indicator: str = ""
    since: str = ""
    until: str = ""
    sources: tuple[str, ...] = ()


class Hunt(Struct, frozen=True, kw_only=True):
    """A hunt as it stands. `is_whole`: all of that time was looked at, so that nothing found means never seen."""

    id: str
    asked: HuntAsked
    by: str
    begun_at: datetime
    ended_at: datetime | None = None
    state: HuntState = HuntState.RUNNING
    n_found: int = 0
    n_hosts: int = 0
    first_at: str | None = None
    last_at: str | None = None
    done_ratio: float = 0.0
    is_whole: bool = False
    n_records: int = 0
    n_passed: int = 0
    not_looked_at: tuple[str, ...] = ()
    fault: str = ""


class HuntDetail(Struct, frozen=True, kw_only=True):
    """A hunt with what was found from `after` on; `next` is the `after` for what comes. `is_cut`: more was found."""

    hunt: Hunt
    found: list[dict[str, Any]]
    next: int
    is_cut: bool


class _Run:
    def __init__(self, hunt: Hunt, child: "subprocess.Popen[bytes]") -> None:
        self.hunt = hunt
        self.child = child
        self.found: list[dict[str, Any]] = []
        self.is_cancelled = False


class HuntDesk:
    """Thread-safe."""

    def __init__(self, folder: Path, store: Store, clock: Clock, signals: Signals) -> None:
        self._folder, self._store, self._clock, self._signals = folder, store, clock, signals
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def start(self, actor: Actor, asked: HuntAsked) -> Hunt:
        """Begin a hunt. Raises BadInputError (AMG-HUNT-WHAT, AMG-HUNT-BUSY) and WorldError."""
        require(actor, Act.TRIAGE)
        if sum(bool(one) for one in (asked.query, asked.rule, asked.indicator)) != 1:
            raise BadInputError(
                "AMG-HUNT-WHAT",
                "it is not clear what to hunt for",
                expected="one of: words, a rule, an indicator",
                got="none or several of them",
                then="nothing was looked at",
            )
        hunt = Hunt(id=str(uuid4()), asked=asked, by=actor.name, begun_at=self._clock.now())
        with self._lock:
            if sum(run.hunt.state is HuntState.RUNNING for run in self._runs.values()) >= MAX_RUNNING:
                raise BadInputError(
                    "AMG-HUNT-BUSY",
                    "other hunts are under way",
                    expected=f"at most {MAX_RUNNING} at a time",
                    got="one more",
                    then="wait for one of them, or cancel it",
                )
            run = _Run(hunt, self._child(asked))
            self._runs[hunt.id] = run
            while len(self._runs) > MAX_HELD:
                self._runs.pop(next(one for one, held in self._runs.items() if held.hunt.ended_at is not None))
        threading.Thread(target=self._follow, args=(run,), name="hunt", daemon=True).start()
        self._signals.publish("hunt", {"id": hunt.id})
        return hunt

    def _child(self, asked: HuntAsked) -> "subprocess.Popen[bytes]":
        options = ["--node", str(self._folder.absolute()), "--ndjson", "--for-node"]
        named = {name: getattr(asked, name) for name in ("rule", "indicator", "since", "until")}
        options += [f"--{name}={value}" for name, value in named.items() if value]
        options += [f"--source={name}" for name in asked.sources]
        words = ["--", asked.query] if asked.query else []
        try:
            return subprocess.Popen(
                [sys.executable, "-c", PROGRAM, "hunt", *options, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except (OSError, ValueError) as problem:
            raise WorldError(
                "AMG-HUNT-PROCESS",
                "the hunt could not be begun",
                expected="a further process, and words without NUL",
                got=str(problem),
                then="nothing was looked at",
            ) from None

    def cancel(self, actor: Actor, hunt_id: str) -> Hunt:
        """End it with what was found; nothing changes where it is over. Raises BadInputError (AMG-HUNT-UNKNOWN)."""
        require(actor, Act.TRIAGE)
        with self._lock:
            run = self._runs.get(hunt_id)
            if run is not None and run.hunt.state is HuntState.RUNNING:
                run.is_cancelled = True
                run.child.send_signal(signal.SIGINT)
        return self.detail(actor, hunt_id).hunt

    def hunts(self, actor: Actor) -> list[Hunt]:
        """Those under way and those that were, the latest first."""
        require(actor, Act.TRIAGE)
        with self._lock:
            here = {run.hunt.id: run.hunt for run in self._runs.values()}
        known = {hunt.id: hunt for hunt in self._history()} | here
        return sorted(known.values(), key=lambda hunt: hunt.begun_at, reverse=True)[:MAX_HISTORY]

    def detail(self, actor: Actor, hunt_id: str, after: int = 0) -> HuntDetail:
        """One of them. Raises BadInputError (AMG-HUNT-UNKNOWN)."""
        require(actor, Act.TRIAGE)
        with self._lock:
            run = self._runs.get(hunt_id)
            if run is not None:
                found = run.found[after:]
                is_cut = run.hunt.n_found > len(run.found) and run.hunt.state is not HuntState.RUNNING
                return HuntDetail(hunt=run.hunt, found=found, next=after + len(found), is_cut=is_cut)
        for hunt in self._history():
            if hunt.id == hunt_id:
                return HuntDetail(hunt=hunt, found=[], next=0, is_cut=hunt.n_found > 0)
        raise BadInputError("AMG-HUNT-UNKNOWN", "there is no such hunt here", got=hunt_id, then="ask for it anew")

    def stop(self) -> None:
        """End all that run: the node ends."""
        with self._lock:
            for run in self._runs.values():
                if run.hunt.state is HuntState.RUNNING:
                    run.is_cancelled = True
                    run.child.kill()

    def _history(self) -> list[Hunt]:
        with self._store.read() as reading:
            noted = reading.meta(META)
        return msgspec.json.decode(noted, type=list[Hunt]) if noted else []

    def _follow(self, run: _Run) -> None:
        """Take in what the process says until it ends."""
        said: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(run.child, said), daemon=True)
        reader.start()
        with run.child as child:
            for line in child.stdout or ():
                try:
                    told = msgspec.json.decode(line, type=dict[str, Any])
                except msgspec.DecodeError:
                    continue  # a process that was killed leaves half a line
                with self._lock:
                    self._take(run, told)
                self._signals.publish("hunt", {"id": run.hunt.id})
            code = child.wait()
            reader.join()
        with self._lock:
            self._end(run, code, b"".join(said))
        self._note(run.hunt)
        self._signals.publish("hunt", {"id": run.hunt.id})

    def _take(self, run: _Run, told: dict[str, Any]) -> None:
        if "step" in told:
            step = told["step"]
            ratio = min(1.0, step["done"] / max(1, step["total"]))
            run.hunt = replace(run.hunt, done_ratio=round(ratio, 4), n_found=step["n_found"])
        elif "answer" in told:
            answer = told["answer"]
            run.hunt = replace(
                run.hunt,
                n_found=answer["n_found"],
                n_hosts=len(answer["by_host"]),
                first_at=answer["first_at"],
                last_at=answer["last_at"],
                is_whole=answer["is_whole"],
                n_records=answer["n_records"],
                n_passed=answer["n_passed"],
                not_looked_at=tuple(
                    show(f"{one['source']}, {one['what']}: {one['why']}") for one in answer["unlooked"][:20]
                ),
            )
        elif len(run.found) < MAX_FOUND:
            run.found.append(told)

    def _end(self, run: _Run, code: int, said: bytes) -> None:
        is_failed = code in {1, 2} or code < 0
        state = HuntState.CANCELLED if run.is_cancelled else HuntState.FAILED if is_failed else HuntState.DONE
        fault = " ".join(show(line.strip(), 300) for line in said.splitlines()[:4]) if state is HuntState.FAILED else ""
        run.hunt = replace(run.hunt, state=state, ended_at=self._clock.now(), done_ratio=1.0, fault=fault)

    def _note(self, hunt: Hunt) -> None:
        try:
            with self._store.write() as tx:
                noted = tx.meta(META)
                known = msgspec.json.decode(noted, type=list[Hunt]) if noted else []
                tx.save_meta(META, msgspec.json.encode([hunt, *known][:MAX_HISTORY]).decode())
        except WorldError as problem:
            log.error("what a hunt said could not be kept", problem=str(problem))  # noqa: TRY400 - the world's fault


def _drain(child: "subprocess.Popen[bytes]", said: list[bytes]) -> None:
    """The first of what it says on stderr; the rest is thrown away, so that it never waits."""
    for line in child.stderr or ():
        if len(said) < 20:
            said.append(line[:1_000])

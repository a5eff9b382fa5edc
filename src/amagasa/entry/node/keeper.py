"""Keeps what the worker looks with in step with what the store holds: gathered, compiled, sent, confirmed."""

import threading
from typing import Any, Final, Protocol

import structlog

from amagasa.app.active_content import Compile, Gathered, confirm, gather, gather_more, with_more
from amagasa.app.ports import Clock, Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import Active, Content, MoreIndicators
from amagasa.vocab.errors import AmagasaError

RETRY_S: Final = 2.0

log = structlog.get_logger("content")


class Taker(Protocol):
    """Whoever hands content to the worker that runs (`watcher.Watcher`)."""

    def send_content(self, content: Content | MoreIndicators) -> None:
        """In the order in which it is called."""


class ContentKeeper:
    """One thread: on each `content` signal it sends the worker what is active; on its answer it notes since when.

    One message is under way at a time: signals that come before its answer are taken together in the next, so a flood
    of indicators makes fewer and larger messages. A compiler or store that fails leaves what was active in place, says
    so, and is tried again.
    """

    def __init__(self, store: Store, clock: Clock, signals: Signals, compile_rules: Compile) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._compile = compile_rules
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._is_all_stale = True
        self._answer: Active | None = None
        # Only the thread writes these.
        self._held: set[str] = set()
        self._under_way: Gathered | None = None
        self._version = 0
        # What the worker has: everything at one time, and what was added since.
        self._all: Content | None = None
        self._more: list[MoreIndicators] = []
        self._thread = threading.Thread(target=self._run, name="content", daemon=True)
        self._unsubscribe = signals.subscribe(self._heard)
        self.watcher: Taker | None = None

    def start(self) -> None:
        """Gather what is active now and go on from there."""
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was under way is finished."""
        self._unsubscribe()
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def latest(self) -> Content | None:
        """What a worker that starts now is to look with; None before the first gathering."""
        with self._lock:
            return None if self._all is None else with_more(self._all, self._more)

    def activated(self, active: Active) -> None:
        """The worker looks with this version from now on."""
        with self._lock:
            self._answer = active
        self._wanted.set()

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        if topic != "content":
            return
        ids = payload.get("ids") or ([payload["id"]] if "id" in payload else [])
        with self._lock:
            self._changed.update(ids)
            self._is_all_stale |= not ids
        self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._confirm()
                self._send()
            except AmagasaError as problem:
                log.error("content could not be put to use; what was active stays so", problem=str(problem))  # noqa: TRY400
                self._stopping.wait(RETRY_S)
                self._wanted.set()

    def _send(self) -> None:
        if self._under_way is not None:
            return
        with self._lock:
            changed, self._changed = self._changed, set()
            is_all, self._is_all_stale = self._is_all_stale, False
        try:
            gathered = self._gather(changed, is_all=is_all)
        except BaseException:
            with self._lock:
                self._changed |= changed
                self._is_all_stale |= is_all
            raise
        if gathered is None:
            return
        message = gathered.message
        with self._lock:
            if isinstance(message, Content):
                self._all, self._more, self._held = message, [], set(gathered.ids)
            else:
                self._more.append(message)
                self._held |= gathered.ids
        self._version = message.version
        self._under_way = gathered
        if self.watcher is not None:
            self.watcher.send_content(message)

    def _gather(self, changed: set[str], *, is_all: bool) -> Gathered | None:
        version = self._version + 1
        if is_all:
            return gather(self._store, self._compile, version=version)
        if not changed:
            return None
        more = gather_more(self._store, changed, self._held, version=version)
        if more is None:
            return gather(self._store, self._compile, version=version)
        return more if more.ids or more.why else None

    def _confirm(self) -> None:
        with self._lock:
            answer = self._answer
        gathered = self._under_way
        if answer is None or gathered is None or answer.version < gathered.message.version:
            return
        changed = confirm(self._store, gathered, answer.faults, now=self._clock.now())
        self._under_way = None
        if changed:
            self._signals.publish("active", {"ids": changed})

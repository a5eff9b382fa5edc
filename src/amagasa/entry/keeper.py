"""Keeps what the worker looks with in step with what the store holds: gathered, compiled, sent, confirmed."""

import queue
import threading
from typing import Any, Final

import structlog

from amagasa.app.active_content import Compile, confirm, gather
from amagasa.app.ports import Clock, Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import Active, Content
from amagasa.entry.watcher import Watcher
from amagasa.vocab.errors import AmagasaError

RETRY_S: Final = 2.0
KEPT_VERSIONS: Final = 8  # sent and not confirmed yet: the worker confirms in order, and soon

log = structlog.get_logger("content")


class ContentKeeper:
    """One thread: on each `content` signal it sends the worker all that is active; on its answer it notes since when.

    Signals that come while it works are taken together. A compiler or store that fails leaves what was active in
    place, says so, and is tried again.
    """

    def __init__(self, store: Store, clock: Clock, signals: Signals, compile_rules: Compile) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._compile = compile_rules
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._confirmations: queue.SimpleQueue[Active] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._sent: dict[int, tuple[Content, dict[str, str]]] = {}
        self._latest: Content | None = None
        self._version = 0
        self._is_stale = True
        self._thread = threading.Thread(target=self._run, name="content", daemon=True)
        self._unsubscribe = signals.subscribe(self._heard)
        self.watcher: Watcher | None = None

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
            return self._latest

    def activated(self, active: Active) -> None:
        """The worker looks with this version from now on."""
        self._confirmations.put(active)
        self._wanted.set()

    def _heard(self, topic: str, _payload: dict[str, Any]) -> None:
        if topic == "content":
            self._is_stale = True
            self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            try:
                if self._is_stale:
                    self._is_stale = False
                    self._send()
                self._confirm()
            except AmagasaError as problem:
                log.error("content could not be put to use; what was active stays so", problem=str(problem))  # noqa: TRY400
                self._is_stale = True
                self._stopping.wait(RETRY_S)
                self._wanted.set()

    def _send(self) -> None:
        content, why = gather(self._store, self._compile, version=self._version + 1)
        self._version = content.version
        with self._lock:
            self._latest = content
            self._sent[content.version] = (content, why)
            for old in sorted(self._sent)[:-KEPT_VERSIONS]:
                del self._sent[old]
        if self.watcher is not None:
            self.watcher.send_content(content)

    def _confirm(self) -> None:
        while not self._confirmations.empty():
            active = self._confirmations.get()
            with self._lock:
                sent = self._sent.get(active.version)
            if sent is None:
                continue
            try:
                changed = confirm(self._store, *sent, active.faults, now=self._clock.now())
            except AmagasaError:
                self._confirmations.put(active)
                raise
            if changed:
                self._signals.publish("active", {"ids": changed})

"""Keeps what the worker looks with in step with what the store holds: gathered, compiled, sent, confirmed."""

import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from amagasa.app.active_content import Compile, Gathered, Held, answer_of, confirm, gather, gather_change, parts
from amagasa.app.ports import Clock, Store
from amagasa.app.signals import Signals
from amagasa.app.worker_messages import Active, Change, Content
from amagasa.vocab.errors import AmagasaError

RETRY_S: Final = 2.0
# Items of one message. A whole set of rules goes in parts, each active as soon as it is compiled; what comes alone in
# between does not wait for the rest.
MAX_TOGETHER: Final = 50
# Messages that the worker has not answered: the next is compiled while it prepares the one before.
MAX_UNDER_WAY: Final = 2

Changes = Iterator[Change]

log = structlog.get_logger("content")


class Taker(Protocol):
    """Whoever hands content to the worker that runs (`watcher.Watcher`)."""

    def send_content(self, content: Changes) -> None:
        """In the order in which it is called; messages are made while they are sent."""


class ContentKeeper:
    """One thread: on each `content` signal it sends the worker what is active; on its answer it notes since when.

    Few messages are under way at a time: signals that come before the answers are taken together in the next, so a
    flood of changes makes fewer and larger messages. A compiler or store that fails leaves what was active in place,
    says so, and is tried again.
    """

    def __init__(self, store: Store, clock: Clock, signals: Signals, compile_rules: Compile) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._compile = compile_rules
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}  # the latest few first
        self._is_all_stale = True
        self._answers: list[Active] = []
        self._held = Held()
        # Only the thread writes these.
        self._under_way: deque[Gathered] = deque()
        # By version: once the worker looks with it, what was changed and gathered then counts: (ids, or all; when).
        self._settles: dict[int, tuple[frozenset[str] | None, datetime]] = {}
        self._has_begun = False
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

    def latest(self) -> Changes | None:
        """What a worker that starts now is to look with; None before the first gathering.

        Indicators are read while they are sent: some may be newer than the version says, and then they come again.
        """
        with self._lock:
            return self._all_of(self._held.content()) if self._has_begun else None

    def activated(self, active: Active) -> None:
        """The worker looks with this version from now on."""
        with self._lock:
            self._answers.append(active)
        self._wanted.set()

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        if topic != "content":
            return
        ids = payload.get("ids") or ([payload["id"]] if "id" in payload else [])
        with self._lock:
            # A few stand before the rest of a whole set that is on its way.
            few = dict.fromkeys(ids)
            self._changed = few | self._changed if len(few) < MAX_TOGETHER else self._changed | few
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
                self._begin_without()
                self._stopping.wait(RETRY_S)
                self._wanted.set()

    def _begin_without(self) -> None:
        """A worker waits for the first content: rather have it look with the rules on disk alone."""
        if not self._has_begun:
            empty = Content(version=1, rules=(), indicators=(), origins={})
            self._tell(Gathered(message=empty, ids=frozenset(), why={}, is_all=False))

    def _send(self) -> None:
        while len(self._under_way) < MAX_UNDER_WAY and (changes := self._next()) is not None:
            for gathered in changes:
                self._tell(gathered)

    def _next(self) -> list[Gathered] | None:
        """What is to be told next, [] where what changed is nothing to the worker; None where nothing changed."""
        with self._lock:
            if not self._changed and not self._is_all_stale:
                return None
            is_all, self._is_all_stale = self._is_all_stale, False
            taken = dict.fromkeys(self._changed if is_all else list(self._changed)[:MAX_TOGETHER])
            self._changed = {key: None for key in self._changed if key not in taken}
        try:
            return self._gathered(frozenset(taken), is_all=is_all)
        except BaseException:
            with self._lock:
                self._changed = taken | self._changed
                self._is_all_stale |= is_all
            raise

    def _gathered(self, changed: frozenset[str], *, is_all: bool) -> list[Gathered]:
        version, since = self._held.version + 1, self._clock.now()
        if not is_all:
            found = gather_change(self._store, self._compile, changed, self._held, version=version)
            if found is not None:
                if found:
                    self._settles[found[-1].message.version] = (changed, since)
                else:
                    self._settled(changed, since)
                return found
        self._settles[version] = (None, since)
        return [gather(self._store, self._compile, version=version)]

    def _settled(self, ids: frozenset[str] | None, since: datetime) -> None:
        """The worker looks with what the store held of these at `since`, and with nothing else of them."""
        self._signals.publish("settled", {"ids": None if ids is None else sorted(ids), "since": since.isoformat()})

    def _tell(self, gathered: Gathered) -> None:
        with self._lock:
            self._held.take(gathered)
            self._has_begun = True
        self._under_way.append(gathered)
        if self.watcher is not None:
            self.watcher.send_content(self._sent(gathered))

    def _sent(self, gathered: Gathered) -> Changes:
        yield gathered.message
        if gathered.rest is not None:
            yield from parts(self._store, version=gathered.message.version, after=gathered.rest)

    def _all_of(self, head: Content) -> Changes:
        yield head
        yield from parts(self._store, version=head.version, after="")

    def _confirm(self) -> None:
        with self._lock:
            answers = tuple(self._answers)
        while self._under_way:
            gathered = self._under_way[0]
            answer = answer_of(answers, gathered.message.version)
            if answer is None:
                break
            changed = confirm(self._store, gathered, answer, now=self._clock.now())
            self._under_way.popleft()
            if changed:
                self._signals.publish("active", {"ids": changed})
            if (settled := self._settles.pop(gathered.message.version, None)) is not None:
                self._settled(*settled)
        with self._lock:
            del self._answers[: len(answers)]

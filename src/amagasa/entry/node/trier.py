"""Tries what allies sent on the last 24 hours, each before it is looked with, and keeps the clocks of that."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from amagasa.app.past import digest_of
from amagasa.app.ports import AgreementBook, Clock, ContentItem, Store
from amagasa.app.quarantine import an_hour
from amagasa.app.signals import Signals
from amagasa.app.trying import BACK, TOPIC, Look, decide, end_clocks, on_trial
from amagasa.entry.node.past_child import PastChild, Tally
from amagasa.vocab.errors import AmagasaError

MAX_TOGETHER: Final = 1_000
LOOK_S: Final = 0.2  # how late a clock's end may be noticed
AGAIN_S: Final = 30.0  # agreements begin, and with them a process is kept ready

log = structlog.get_logger("trial")


class Trier:
    """Two threads: one looks at the past, one at the clocks. What was under way is looked for again at the next start.

    `may_come`: whether anything may come from allies, so that a process is worth keeping ready.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        clock: Clock,
        signals: Signals,
        *,
        book: AgreementBook,
        may_come: Callable[[], bool],
    ) -> None:
        self._store, self._clock, self._signals, self._book = store, clock, signals, book
        self._child = PastChild(folder, may_wait=may_come)
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._run, "trial"), (self._watch_clocks, "trial clocks"))
        ]

    def start(self) -> None:
        """Go on with what is on trial, and with what comes."""
        self._unsubscribe = self._signals.subscribe(self._heard)
        self._wanted.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; the state stays in the store."""
        self._stopping.set()
        self._wanted.set()
        self._child.kill()
        self._unsubscribe()
        for thread in self._threads:
            thread.join(10)
        self._child.close()

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        del payload
        if topic == TOPIC:
            self._wanted.set()

    def _watch_clocks(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                while end_clocks(self._store, self._signals, self._book, now=self._clock.now()):
                    pass
            except AmagasaError as problem:
                log.error("a trial's end could not be kept; it is tried again", problem=str(problem))  # noqa: TRY400
                self._stopping.wait(AGAIN_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._child.get_ready()
                self._wanted.wait(AGAIN_S)
                self._wanted.clear()
                while not self._stopping.is_set() and (items := on_trial(self._store, limit=MAX_TOGETHER)):
                    self._try([one for one in items if one.kind is items[0].kind])
                    self._child.get_ready()
            except (AmagasaError, OSError, ValueError) as problem:
                if self._stopping.is_set():
                    return
                log.error("the past could not be looked at; it is tried again", problem=str(problem))  # noqa: TRY400
                self._stopping.wait(1.0)
                self._wanted.set()

    def _try(self, items: Sequence[ContentItem]) -> None:
        since = self._clock.now() - BACK
        hours = int(BACK / timedelta(hours=1))
        tally = self._child.look_for(items, f"--since={hours}h")
        looks = looks_of(items, tally, since=since)
        aside = decide(self._store, self._signals, self._book, looks, now=self._clock.now())
        log.info("tried on the past", items=len(items), put_aside=len(aside))


def looks_of(items: Sequence[ContentItem], tally: Tally, *, since: datetime) -> dict[str, Look]:
    """What the hunt says of each."""
    answer, ids = tally.answer, tally.ids
    counts: dict[str, int] = {}
    hosts: dict[str, int] = {}
    spans: dict[str, tuple[datetime, datetime]] = {}
    for content_id, n in answer["by_content"].items():
        item = ids.get(content_id, content_id)
        counts[item] = counts.get(item, 0) + n
        hosts[item] = max(hosts.get(item, 0), answer["n_hosts"].get(content_id, 0))
        first, last = msgspec.convert(answer["spans"][content_id], tuple[datetime, datetime])
        held = spans.get(item, (first, last))
        spans[item] = (min(first, held[0]), max(last, held[1]))
    faults = {ids.get(fault["rule_id"], fault["rule_id"]): str(fault["why"]) for fault in answer["faults"]}
    missed = next((f"{one['source']}: {one['why']}" for one in answer["unlooked"]), "")
    missed = missed or (faults.get("", "part of it is damaged") if answer["n_unlooked"] else "")
    looks: dict[str, Look] = {}
    for item in items:
        n = counts.get(item.id, 0)
        span = spans[item.id][1] - spans[item.id][0] if n else timedelta()
        looks[item.id] = Look(
            digest=digest_of(item),
            since=since,
            n=n,
            n_hosts=hosts.get(item.id, 0),
            an_hour=an_hour(n, span),
            why_not=faults.get(item.id, missed),
        )
    return looks

"""Looks for each new rule and indicator in the past, at low priority; goes on after a restart where it was."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from amagasa.app.past import Past, answers_of, as_past, note, unasked
from amagasa.app.ports import Clock, ContentItem, Store, Writing
from amagasa.app.signals import Signals
from amagasa.app.watch import Recorded, Tell, record_past
from amagasa.detect.report import Detection
from amagasa.entry.node.past_child import PastChild
from amagasa.vocab.errors import AmagasaError

MAX_TOGETHER: Final = 5_000
SETTLE_S: Final = 1.0  # what comes at once is looked for at once
AGAIN_S: Final = 60.0

log = structlog.get_logger("past")


class Retro:
    """One thread, one process at a time."""

    def __init__(self, folder: Path, store: Store, clock: Clock, signals: Signals, *, tell: Tell) -> None:
        self._store, self._clock, self._signals, self._tell = store, clock, signals, tell
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._child = PastChild(folder)
        self._thread = threading.Thread(target=self._run, name="past", daemon=True)
        self.publish: Callable[[Recorded], None] = lambda recorded: None  # noqa: ARG005

    def start(self) -> None:
        """Look for what was not looked for yet, and for what comes."""
        self._unsubscribe = self._signals.subscribe(self._heard)
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is looked for again at the next start."""
        self._stopping.set()
        self._wanted.set()
        self._child.kill()
        self._unsubscribe()
        self._thread.join(10)
        self._child.close()

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        del payload
        if topic == "content":
            self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(AGAIN_S)
            self._wanted.clear()
            if self._stopping.wait(SETTLE_S):
                return
            try:
                while items := unasked(self._store)[:MAX_TOGETHER]:
                    self._look_for([one for one in items if one.kind is items[0].kind])
                    if self._stopping.is_set():
                        return
            except (AmagasaError, OSError, ValueError) as problem:
                log.error("the past could not be looked at; it is tried again", problem=str(problem))  # noqa: TRY400
                self._stopping.wait(AGAIN_S)

    def _look_for(self, items: Sequence[ContentItem]) -> None:
        tally = self._child.look_for(items)
        firsts, answer, ids = tally.firsts, tally.answer, tally.ids
        now = self._clock.now()
        where = {ids.get(one["content_id"], one["content_id"]): _place(one) for one in firsts}
        answers = answers_of(items, ids, answer, where, now=now)
        found: dict[str, list[Detection]] = {}
        for one in firsts:
            detection = msgspec.convert(one["detection"], Detection)
            found.setdefault(one["source"], []).extend(as_past([detection], ids))
        self.publish(record_past(self._store, found, self._tell, now=now, note=_noting(answers)))
        self._signals.publish("past", {"ids": list(answers)})
        log.info("looked at the past", for_items=len(items), seen=sum(one.n > 0 for one in answers.values()))


def _place(one: dict[str, Any]) -> str:
    hosts = ", ".join(one["hosts"][:3])
    return f"{one['source']}:{one['record']}" + (f" ({hosts})" if hosts else "")


def _noting(answers: dict[str, Past]) -> Callable[[Writing], None]:
    return lambda tx: note(tx, answers)

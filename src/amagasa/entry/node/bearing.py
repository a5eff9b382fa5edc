"""The node's look at its missions: soon after something changed, and once a minute anyway."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog

from amagasa.app.bearing import Bearing
from amagasa.app.sharing import announce
from amagasa.app.signals import Signals
from amagasa.vocab.errors import AmagasaError

ANYWAY_S: Final = 60.0  # an ally's word grows stale by time alone
# A look at thousands of open incidents takes a while: it may cost a tenth of the time at most.
REST: Final = 10.0
_TOPICS: Final = frozenset({"alert", "incident", "mission", "crossing", "agreement"})

log = structlog.get_logger("mission")


class MissionLook:
    """Call `tick` once a second."""

    def __init__(self, bearing: Bearing, signals: Signals, now: Callable[[], datetime]) -> None:
        self._bearing = bearing
        self._signals = signals
        self._now = now
        self._is_due = threading.Event()
        self._is_all_told = True  # agreements may have changed while the node was off
        self._next_at = 0.0
        self._anyway_at = 0.0
        signals.subscribe(self._heard)
        self._is_due.set()

    def tick(self) -> None:
        """Look where something changed since the last look, or a minute has passed."""
        began = time.monotonic()
        if began < self._next_at or not (self._is_due.is_set() or began >= self._anyway_at):
            return
        self._is_due.clear()
        is_all_told, self._is_all_told = self._is_all_told, False
        try:
            borne = self._bearing.bear(now=self._now(), is_all_told=is_all_told)
        except AmagasaError as problem:
            self._is_all_told = is_all_told
            log.error("the missions could not be looked at; it is tried again", problem=str(problem))  # noqa: TRY400
            borne = None
        ended = time.monotonic()
        self._next_at = ended + REST * (ended - began)
        self._anyway_at = ended + ANYWAY_S
        if borne is not None:
            announce(self._signals, borne.crossings)
            if borne.is_reordered:
                self._signals.publish("impact", {})

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        del payload
        if topic == "agreement":
            self._is_all_told = True
        if topic in _TOPICS:
            self._is_due.set()

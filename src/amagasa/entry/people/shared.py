"""Answers that are the same for everyone who may read: made once, however many ask for them at once.

A hundred watchers are told of an alert in the same instant, and all of them look at the queue. An answer is kept for a
second at most and forgotten as soon as anything is published, so what somebody just did is always in the next one.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from amagasa.app.signals import Signals

KEEP_S: Final = 1.0
MAX_KEPT: Final = 32
T = TypeVar("T")


class _Place:
    """One answer, and the lock under which it is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.version = -1
        self.made_at = 0.0
        self.answer: Any = None


class Shared:
    """Thread-safe. Whoever asks must have been permitted before."""

    def __init__(self, signals: Signals, *, clock: Callable[[], float]) -> None:
        """`clock` gives seconds; where it is set back, answers are made anew."""
        self._clock = clock
        self._lock = threading.Lock()
        self._version = 0
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        signals.subscribe(self._changed)

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The answer of `key`. What `make` raises is raised, and nothing is kept."""
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > MAX_KEPT:
                self._places.popitem(last=False)
        with place.lock:
            version = self._version
            now = self._clock()
            if place.version != version or not 0 <= now - place.made_at < KEEP_S:
                place.answer = make()
                place.version, place.made_at = version, now
            answer: T = place.answer
            return answer

    def _changed(self, topic: str, payload: dict[str, Any]) -> None:
        del topic, payload
        with self._lock:
            self._version += 1

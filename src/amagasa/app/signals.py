"""Telling the doors that something changed: topics and subscribers, in one process."""

import threading
from collections.abc import Callable
from typing import Any

Subscriber = Callable[[str, dict[str, Any]], None]


class Signals:
    """Fan-out by topic, e.g. `alert`, `lead`, `incident`, `crossing`, `outbox`, `content`, `rules`, `source`.

    `publish` may be called from any thread, always after the transaction has committed. A subscriber must not block
    and must not raise: it is called on the publisher's thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[int, Subscriber] = {}
        self._next = 0

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(topic, payload)` for each publication; returns what ends it."""
        with self._lock:
            key = self._next
            self._next += 1
            self._subscribers[key] = subscriber

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers.pop(key, None)

        return unsubscribe

    def publish(self, topic: str, payload: dict[str, Any]) -> None:
        """Hand `payload` (JSON values) to every subscriber."""
        with self._lock:
            subscribers = tuple(self._subscribers.values())
        for subscriber in subscribers:
            subscriber(topic, payload)

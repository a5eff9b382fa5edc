"""Keeps collections of the library current while the node runs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

from amagasa.app.exporting import ExportAsked, Exported
from amagasa.app.feeds import Feed, parse_feeds, renew
from amagasa.app.ports import Clock
from amagasa.app.signals import Signals
from amagasa.app.taxii_library import Library
from amagasa.vocab.errors import AmagasaError

FEEDS_FILE: Final = "state/feeds.json"
SETTLE_S: Final = 5.0  # what comes at once is brought at once
REST: Final = 10.0  # it works for a tenth of the time at most
AGAIN_S: Final = 300.0  # changes by other processes are not heard of
TOPICS: Final = frozenset({"content", "active", "crossing", "incident", "agreement", "feeds"})

log = structlog.get_logger("feeds")


class Feeder:
    """One thread; without a file of feeds it does nothing."""

    def __init__(
        self,
        folder: Path,
        library: Library,
        clock: Clock,
        signals: Signals,
        *,
        party: str,
        export: Callable[[ExportAsked], Exported],
    ) -> None:
        self._path = folder / FEEDS_FILE
        self._library, self._clock, self._signals = library, clock, signals
        self._party, self._export = party, export
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)

    def start(self) -> None:
        """Bring everything up to now, and then what changes."""
        self._unsubscribe = self._signals.subscribe(self._heard)
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """Returns when the collection in hand is finished."""
        self._unsubscribe()
        self._stopping.set()
        self._wanted.set()
        self._thread.join(10)

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        del payload
        if topic in TOPICS:
            self._wanted.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(AGAIN_S)
            if self._stopping.wait(SETTLE_S):
                return
            self._wanted.clear()
            began = time.monotonic()
            for feed in read_feeds(self._path):
                self._renew(feed)
            if self._stopping.wait(REST * (time.monotonic() - began)):
                return

    def _renew(self, feed: Feed) -> None:
        try:
            done = renew(self._library, self._export, feed, party=self._party, now=self._clock.now())
        except (AmagasaError, OSError, ValueError) as problem:
            log.error("a collection could not be kept current", collection="/".join(feed.place), problem=str(problem))  # noqa: TRY400
            return
        if done.n_added or done.n_gone:
            log.info(
                "a collection was kept current", collection="/".join(feed.place), added=done.n_added, gone=done.n_gone
            )


def read_feeds(path: Path) -> tuple[Feed, ...]:
    """None where there is no such file, or it cannot be read, which is said."""
    try:
        found = parse_feeds(path.read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as problem:
        log.error("the collections to keep current cannot be read", problem=str(problem))  # noqa: TRY400
        return ()
    if found is None:
        log.error("the file of collections to keep current is damaged", path=str(path))
    return found or ()

"""What the worker does for a plant: it learns what is usual, and once a person froze that, says what differs.

Findings go with the batch whose records show them, so they are committed with the position. What was learnt is put on
the disk twice a minute and at the end: a kill forgets half a minute of learning, and no finding.
"""

import time
from datetime import datetime
from pathlib import Path
from typing import Final

from amagasa.app.baselines import detection_of, messages_of
from amagasa.app.worker_messages import BaselineWish, Begin
from amagasa.detect.baseline.profile import Baseline, State, learn
from amagasa.detect.baseline.watch import Finding, Watch
from amagasa.detect.report import Detection
from amagasa.entry.wiring_detect import baseline_of, keep_baseline
from amagasa.event.record import Chunk, Format, Reject
from amagasa.vocab.errors import AmagasaError

SAVE_EVERY_S: Final = 30.0
REST: Final = 20.0  # saving a large one may take a twentieth of the time at most
LIVE_S: Final = 60.0  # messages not older than this when they are read: the line is live, and its silence counts
_MARKS: Final = (b'"ot":', b'"modbus"', b'"dnp3"')


class BaselineDesk:
    """For the worker's one thread. Nothing is learnt where the node was given no file for it, or it cannot be read."""

    def __init__(self, begin: Begin) -> None:
        self._path = Path(begin.baseline) if begin.baseline else None
        self._baseline = Baseline()
        self._watch: Watch | None = None
        self._troubles: list[str] = []
        self._sources: dict[str, str] = {}
        self._is_changed = False
        self._save_at = time.monotonic() + SAVE_EVERY_S
        if self._path is not None and self._path.exists():
            try:
                self._baseline = baseline_of(self._path)
            except AmagasaError as problem:
                self._troubles.append(f"the baseline of the plant is not used: {problem}")
                self._path = None
        self._begin_to_watch()
        if begin.baseline_wish is not None:
            self.wish(begin.baseline_wish)

    def see(self, source: str, item: Chunk | Reject) -> tuple[Detection, ...]:
        """Learn from the messages in a chunk, or say what in them is unusual."""
        if self._path is None or not isinstance(item, Chunk) or item.format is not Format.JSON:
            return ()
        if not any(mark in item.data for mark in _MARKS):
            return ()
        self._sources[source] = item.path
        if self._watch is None:
            learn(self._baseline, messages_of(item))
            self._is_changed = True
            return ()
        self._watch.see(messages_of(item))
        return _told(self._watch.fresh(), item.path)

    def due(self, now: datetime) -> tuple[str, tuple[Detection, ...]]:
        """Once a loop: keep what was learnt; the polls that stopped, as of (the name of) the source seen last."""
        if self._is_changed and time.monotonic() >= self._save_at:
            self.save()
        if self._watch is None or not self._sources:
            return "", ()
        source, path = next(reversed(self._sources.items()))
        if not self._watch.pass_time(now.timestamp(), live_s=LIVE_S):
            return "", ()
        return source, _told(self._watch.fresh(), path)

    def wish(self, wish: BaselineWish) -> None:
        """Freeze it or let it learn again, as a person said; what was said before is done already."""
        before = self._baseline.changed_at
        if self._path is None or (before is not None and wish.at <= before):
            return
        self._baseline.state, self._baseline.changed_by, self._baseline.changed_at = wish.state, wish.by, wish.at
        self._begin_to_watch()
        self.save()

    def save(self) -> None:
        """Put it on the disk."""
        if self._path is None:
            return
        began = time.monotonic()
        try:
            keep_baseline(self._path, self._baseline)
            self._is_changed = False
        except AmagasaError as problem:
            self._troubles.append(str(problem))
        ended = time.monotonic()
        self._save_at = ended + max(SAVE_EVERY_S, REST * (ended - began))

    def close(self) -> None:
        """Nothing more is learnt."""
        if self._is_changed:
            self.save()

    def troubles(self) -> list[str]:
        """What a person must know, once."""
        found, self._troubles = self._troubles, []
        return found

    def _begin_to_watch(self) -> None:
        self._watch = Watch(self._baseline) if self._baseline.state is State.FROZEN else None


def _told(findings: list[Finding], path: str) -> tuple[Detection, ...]:
    return tuple(detection_of(finding, path) for finding in findings)

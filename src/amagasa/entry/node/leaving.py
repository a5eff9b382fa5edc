"""What the site makes of its rules, counted: told when the worker loads rules, and now and then while it counts."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from amagasa.app.left_out import given_placeholders
from amagasa.app.worker_messages import LeftOut
from amagasa.detect.report import Excluded
from amagasa.detect.sigma.rule import Rule
from amagasa.entry.wiring_detect import Loaded

EVERY_S: Final = 5.0


class Leaving:
    """Counts since the worker began; an exclusion that is changed begins anew. `clock` counts seconds."""

    def __init__(self, loaded: Loaded, clock: Callable[[], float] = time.monotonic) -> None:
        self._loaded = loaded
        self._counts: Counter[tuple[int, str]] = Counter()
        self._clock = clock
        self._told_at = clock()
        self._is_counted = self._is_told = False

    def load(self, loaded: Loaded) -> None:
        """All rules and exclusions on disk were loaded anew."""
        places = {one: place for place, one in enumerate(loaded.exclusions)}
        old = self._loaded.exclusions
        self._counts = Counter(
            {(places[old[by]], rule_id): n for (by, rule_id), n in self._counts.items() if old[by] in places}
        )
        self._loaded = loaded

    def count(self, excluded: Sequence[Excluded]) -> None:
        """What was taken out of one chunk."""
        for one in excluded:
            self._counts[one.exclusion, one.rule_id] += one.n
            self._is_counted = True

    @property
    def has_any(self) -> bool:
        """Whether there is anything to tell, or was when it was told last."""
        return self._is_told or self._has_now

    @property
    def is_due(self) -> bool:
        """Whether there is something new to tell, and it was some time since."""
        return self._is_counted and self._clock() - self._told_at >= EVERY_S

    def told(self, rules: Iterable[Rule]) -> LeftOut:
        """All of it; `rules` are those in force."""
        self._told_at, self._is_counted, self._is_told = self._clock(), False, self._has_now
        return LeftOut(
            off=self._loaded.off,
            excluded=self._loaded.excluded(self._counts, rules),
            placeholders=given_placeholders(self._loaded.content.placeholders),
        )

    @property
    def _has_now(self) -> bool:
        return bool(self._loaded.off.n or self._loaded.exclusions or self._loaded.content.placeholders)

"""The node's look at its sources: what each minute showed of their rhythms, silences that begin and end."""

from collections.abc import Callable
from datetime import datetime

import structlog

from amagasa.app.signals import Signals
from amagasa.app.source_health import SourceHealth
from amagasa.app.watch import Recorded
from amagasa.vocab.errors import WorldError

log = structlog.get_logger("sources")


class HealthLook:
    """Call `tick` once a second. `is_looking` says whether the sources are being read at all."""

    def __init__(
        self,
        health: SourceHealth,
        signals: Signals,
        now: Callable[[], datetime],
        *,
        is_looking: Callable[[], bool],
        publish: Callable[[Recorded], None],
    ) -> None:
        self._health, self._signals, self._now = health, signals, now
        self._is_looking, self._publish = is_looking, publish

    def tick(self) -> None:
        """At the end of a minute, tell what it brought."""
        try:
            ticked = self._health.tick(now=self._now(), is_looking=self._is_looking())
        except WorldError as problem:
            log.error("how the sources are read could not be kept; it is tried again", problem=str(problem))  # noqa: TRY400
            return
        if ticked is None:
            return
        self._publish(ticked.recorded)
        for incident in ticked.ended:
            self._signals.publish("incident", {"id": incident})
        for alert in ticked.recorded.alerts:
            log.warning("a source fell silent", name=alert.source)
        if ticked.recorded.alerts or ticked.ended:
            self._signals.publish("source", {})

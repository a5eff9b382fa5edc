"""What was found in a batch -> detections, and counts of what is not said."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from amagasa.detect.indicators.policy import Named, Policy, Word, word_of
from amagasa.detect.report import Detection, MatchReport, Silence, Standing
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail, instant_of
from amagasa.event.record import Event, EventBatch

MAX_RAW_BYTES: Final = 4_096
CLOCK_SKEW: Final = timedelta(minutes=5)  # an event from later than this happened when it was looked at


class Saying:
    """One batch at one time of looking."""

    def __init__(self, batch: EventBatch, policy: Policy, now: datetime) -> None:
        self._batch = batch
        self._columns = {field: column for column, field in enumerate(batch.fields)}
        self._policy = policy
        self._now = now
        self._event: tuple[int, Event] | None = None
        # Days decide how old an indicator is, so that many lines from one address are weighed once a day.
        self._words: dict[tuple[str, int], Word | Silence] = {}

    def report(self, found: Mapping[tuple[int, str], tuple[Named, set[str]]]) -> MatchReport:
        """Detections in the order of records; `found` is by row and the indicator's id."""
        silenced: Counter[Silence] = Counter()
        detections: list[Detection] = []
        for (row, _), (met, fields) in sorted(found.items(), key=lambda one: one[0]):
            word = self._word(row, met)
            if isinstance(word, Silence):
                silenced[word] += 1
            else:
                detections.append(self._detection(row, met, word, fields))
        return MatchReport(n_events=len(self._batch.rows), detections=tuple(detections), silenced=dict(silenced))

    def _word(self, row: int, met: Named) -> Word | Silence:
        now = self._now
        at = self._instant_of(row)
        believed = at if at is not None and at <= now + CLOCK_SKEW else now
        key = (met.indicator.id, believed.toordinal())
        word = self._words.get(key)
        if word is None:
            word = self._words[key] = word_of(met, believed, now=now, ageing=self._policy.ageing)
        return word

    def _instant_of(self, row: int) -> datetime | None:
        known = self._event is not None and self._event[0] == row
        return self._event_of(row).event_at if known else instant_of(self._batch, row)

    def _event_of(self, row: int) -> Event:
        """The whole event, read anew; of the last row asked for it is known."""
        if self._event is None or self._event[0] != row:
            self._event = (row, detail(self._batch, row))
        return self._event[1]

    def _detection(self, row: int, met: Named, word: Word, fields: set[str]) -> Detection:
        batch, event, indicator = self._batch, self._event_of(row), met.indicator
        title = word.title
        if word.standing is Standing.GUARDED:
            title += f" (known: {word.guard})" if word.guard else " (shared by many)"
        return Detection(
            indicator_id=indicator.id,
            title=title,
            level=word.level,
            path=batch.path,
            record=batch.records[row],
            event_at=event.event_at,
            techniques=indicator.techniques,
            tactics=indicator.tactics,
            fields={field: batch.rows[row][self._columns[field]] for field in sorted(fields)},
            event=event.fields,
            entities=entities_of(event.fields),
            raw=batch.lines[row][:MAX_RAW_BYTES].decode("utf-8", "backslashreplace"),
            origin=indicator.origin,
            confidence=word.confidence,
            standing=word.standing,
        )

"""What was found in a batch -> detections, and counts of what is not said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final

from amagasa.detect.indicators.ageing import Ageing
from amagasa.detect.indicators.policy import Named, Policy, Word, changes_of, word_of
from amagasa.detect.report import Detection, MatchReport, Silence, Standing
from amagasa.detect.watching import Day, Silent
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail, instant_of
from amagasa.event.record import Event, EventBatch

MAX_RAW_BYTES: Final = 4_096
MAX_WORDS: Final = 65_536
CLOCK_SKEW: Final = timedelta(minutes=5)  # an event from later than this happened when it was looked at


def silent_on(met: Sequence[Named], day: Day, *, now: datetime, policy: Policy) -> Silent | None:
    """What is counted where these indicators alone are met in a record of that day; None where one of them speaks.

    As `Saying` weighs it: a day lies in two of UTC at most, and what happens later than it may happened now.
    """
    believed, changes = [day.first_at, day.last_at], [change for one in met for change in changes_of(one)]
    if day.last_at > now + CLOCK_SKEW:
        believed.append(now)
        changes.append(datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo))
    counts: Counter[Silence] = Counter()
    for one in met:
        words = {
            word if isinstance(word, Silence) else None
            for word in (word_of(one, at, now=now, ageing=policy.ageing) for at in believed)
        }
        if len(words) > 1 or (why := words.pop()) is None:
            return None
        counts[why] += 1
    until = min((change for change in changes if change > now), default=None)
    return Silent(tuple(sorted(counts.items())), until)


class Words:
    """What was weighed so far. Days decide how old an indicator is: many lines of an address are weighed once a day.

    For one set of indicators and one policy.
    """

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._known: dict[tuple[object, ...], Word | Silence] = {}

    def begin(self, now: datetime) -> None:
        """Look at this time; what was weighed at another counts no more."""
        if now != self._now or len(self._known) > MAX_WORDS:
            self._now = now
            self._known.clear()

    def of(self, met: Named, at: datetime, ageing: Ageing) -> Word | Silence:
        """What the indicator says of an event of that instant. `begin` comes before."""
        # An indicator of many values may be met by one that is known and by one that is not.
        key = (met.indicator.id, met.allowed, met.guards, at.toordinal())
        word = self._known.get(key)
        if word is None:
            word = self._known[key] = word_of(met, at, now=self._now or at, ageing=ageing)
        return word


class Saying:
    """One batch at one time of looking."""

    def __init__(self, batch: EventBatch, policy: Policy, now: datetime, words: Words | None = None) -> None:
        self._batch = batch
        self._columns = {field: column for column, field in enumerate(batch.fields)}
        self._policy = policy
        self._now = now
        self._event: tuple[int, Event] | None = None
        self._words = Words() if words is None else words
        self._words.begin(now)

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
        return self._words.of(met, believed, self._policy.ageing)

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

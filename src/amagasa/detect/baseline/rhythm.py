"""The rhythm of a source: when it usually speaks, how long it is usually silent, and whether this silence is unusual.

Time is counted in minutes in which the source was looked at. For each hour of the week the share of minutes with
records is kept; where an hour was seen too little, the same hour of all days and then all hours stand in for it. A
minute of silence is as surprising as records were to be expected in it (minus the logarithm of the chance of none);
the surprises of a silence add up. So a silent night weighs nothing for an office, and three silent minutes much for a
firewall. Records come in bursts, so the sum alone says little: it is compared with the longest silences, measured
alike, which this source has had itself. What is remembered fades over some weeks.
"""

from math import log
from typing import Final

from msgspec import Struct, field

HOURS: Final = 168
DAY: Final = 24
HOUR_MINUTES: Final = 60
MEMORY_MINUTES: Final = 8 * HOUR_MINUTES  # of an hour of the week: eight weeks
GAP_MEMORY: Final = 8 * 7 * 1_440  # minutes after which a long silence is forgotten
KEPT_GAPS: Final = 32
# Learning ends after so many minutes looked at, with records in so many, and so many silences between them.
LEARN_MINUTES: Final = 6 * HOUR_MINUTES
LEARN_ACTIVE: Final = 30
LEARN_GAPS: Final = 12
SURPRISE_OF_A_MINUTE: Final = 2.5  # however regular it was: three minutes of silence are never an alarm
LEAST_SURPRISE: Final = 14.0  # the chance is one in a million, were its minutes independent of each other
BEYOND_THE_LONGEST: Final = 1.5
# Where so many silences were all shorter than a third of this one, chance needs no reckoning: an hourly job.
MANY_GAPS: Final = 24
MANY_MINUTES: Final = 3 * 1_440
FAR_BEYOND: Final = 3.0
LEAST_OF_MANY: Final = 3.0
ADAPTS_BY: Final = 3.0  # a silence that was alarmed of makes the next alarm later by at most so much
OF_AN_OUTAGE: Final = 0.5
WORKING_DAYS: Final = 5  # a first night and a first weekend are no outage: nobody knows yet what is usual in them


class Rhythm(Struct, kw_only=True):
    """What was learnt of a source so far. Minutes count from 1970 (UTC); `minute` is the last that was taken in.

    `gaps` are the longest silences as (surprise, minute of their end, minutes), the most surprising first. `surprise`
    and `n_silent` are of the silence that goes on now.
    """

    active: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    watched: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    gaps: list[tuple[float, int, int]] = field(default_factory=list)
    n_gaps: int = 0
    minute: int = 0
    surprise: float = 0.0
    n_silent: int = 0
    is_alarmed: bool = False
    weighed_hour: int = -1  # the weight of a minute is reckoned once an hour
    weighed: float = 0.0

    @property
    def is_learning(self) -> bool:
        """Whether too little is known of it to call a silence unusual."""
        return (
            sum(self.watched) < LEARN_MINUTES or sum(self.active) < LEARN_ACTIVE or self.n_gaps < LEARN_GAPS
        ) and not self._is_never_silent

    @property
    def _is_never_silent(self) -> bool:
        """A source with records in nearly each minute may have had no silences to learn from."""
        watched = sum(self.watched)
        return watched >= LEARN_MINUTES and sum(self.active) >= 0.9 * watched

    @property
    def threshold(self) -> float:
        """The surprise from which on a silence is unusual."""
        longest = self.gaps[0][0] if self.gaps else 0.0
        least = LEAST_SURPRISE
        if self.n_gaps >= MANY_GAPS and sum(self.watched) >= MANY_MINUTES:
            least = min(least, max(LEAST_OF_MANY, FAR_BEYOND * longest))
        return max(least, BEYOND_THE_LONGEST * longest)

    def take(self, minute: int, *, has_records: bool) -> None:
        """Take in a minute that was looked at; one that was taken in before changes nothing."""
        if minute <= self.minute:
            return
        self.minute = minute
        if has_records:
            self._end_silence(minute)
        else:
            if (hour := hour_of(minute)) != self.weighed_hour:
                self.weighed_hour, self.weighed = hour, self.weight(minute)
            self.surprise += self.weighed
            self.n_silent += 1
            self.is_alarmed = self.is_alarmed or (not self.is_learning and self.surprise > self.threshold)
        # An outage is not how the source usually is; a new habit is, and two such silences teach it.
        self._learn(minute, part=OF_AN_OUTAGE if self.is_alarmed else 1.0, has_records=has_records)

    def weight(self, minute: int) -> float:
        """How surprising this minute is when it is silent."""
        hour = hour_of(minute)
        if not self._is_known(hour):
            return 0.0
        return min(-log(1 - min(self._share(hour), 1 - 1e-9)), SURPRISE_OF_A_MINUTE)

    def minutes_left(self, *, at_most: int = 14 * 1_440) -> int | None:
        """After how many more silent minutes it would be unusual; None while learning, and beyond `at_most`."""
        if self.is_learning:
            return None
        left = self.threshold - self.surprise
        n = 0
        while left >= 0 and n < at_most:
            minute = self.minute + 1 + n
            rest_of_hour = HOUR_MINUTES - minute % HOUR_MINUTES
            weight = self.weight(minute)
            n_needed = int(left / weight) + 1 if weight > 0 else rest_of_hour
            n += min(rest_of_hour, n_needed)
            left -= weight * min(rest_of_hour, n_needed)
        return None if n >= at_most else n

    def _is_known(self, hour: int) -> bool:
        """Whether this hour was ever looked at: on a working day for working days, at a weekend for weekends."""
        return any(self.watched[one] for one in _alike(hour))

    def _share(self, hour: int) -> float:
        """The share of minutes with records, or that of the hour beside it where that is less.

        People come later now and then, and clocks are changed twice a year.
        """
        return min(self._share_of((hour + beside) % HOURS) for beside in (-1, 0, 1))

    def _share_of(self, hour: int) -> float:
        watched = sum(self.watched)
        overall = sum(self.active) / watched if watched else 0.0
        alike_active, alike_watched = (sum(of[one] for one in _alike(hour)) for of in (self.active, self.watched))
        alike = _shrunk(alike_active, alike_watched, towards=overall, minutes=5)
        return _shrunk(self.active[hour], self.watched[hour], towards=alike, minutes=60)

    def _end_silence(self, minute: int) -> None:
        # In the first hours nothing is known yet: each silence would seem the longest for weeks.
        if self.n_silent and sum(self.watched) >= LEARN_MINUTES:
            most = self.threshold / BEYOND_THE_LONGEST * ADAPTS_BY
            surprise = min(self.surprise, most) if self.is_alarmed else self.surprise
            kept = [(surprise, minute, self.n_silent), *self.gaps]
            kept = [one for one in kept if one[1] > minute - GAP_MEMORY]
            self.gaps = sorted(kept, reverse=True)[:KEPT_GAPS]
            self.n_gaps += 1
        self.surprise, self.n_silent, self.is_alarmed = 0.0, 0, False

    def _learn(self, minute: int, *, part: float, has_records: bool) -> None:
        hour = hour_of(minute)
        if self.watched[hour] >= MEMORY_MINUTES:
            fade = 1 - HOUR_MINUTES / MEMORY_MINUTES
            self.watched[hour] *= fade
            self.active[hour] *= fade
        self.watched[hour] += part
        self.active[hour] += part * has_records


def hour_of(minute: int) -> int:
    """The hour of the week, Monday first, of a minute since 1970 (a Thursday)."""
    return (minute // HOUR_MINUTES + 3 * DAY) % HOURS


def _alike(hour: int) -> range:
    """The same hour of all working days, or of both days of the weekend."""
    first = 0 if hour < WORKING_DAYS * DAY else WORKING_DAYS * DAY
    return range(first + hour % DAY, WORKING_DAYS * DAY if first == 0 else HOURS, DAY)


def _shrunk(active: float, watched: float, *, towards: float, minutes: float) -> float:
    """A share, as if so many `minutes` more had been seen with the share that it is drawn `towards`."""
    return (active + minutes * towards) / (watched + minutes)

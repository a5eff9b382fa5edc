"""The rhythm of a source, minute by minute."""

from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.baseline.rhythm import KEPT_GAPS, MEMORY_MINUTES, Rhythm, hour_of

MONDAY = 29_534_400 - 29_534_400 % 10_080 + 4 * 1_440  # 1970 began on a Thursday
HOUR, DAY, WEEK = 60, 1_440, 10_080


def is_office_hour(minute: int) -> bool:
    return hour_of(minute) // 24 < 5 and 8 <= hour_of(minute) % 24 < 18


def played(rhythm: Rhythm, minutes: Iterable[int], active: Iterable[int]) -> list[int]:
    """The minutes at which an alarm began."""
    found: list[int] = []
    those = set(active)
    for minute in minutes:
        was = rhythm.is_alarmed
        rhythm.take(minute, has_records=minute in those)
        if rhythm.is_alarmed and not was:
            found.append(minute)
    return found


def office(minutes: Iterable[int]) -> list[int]:
    return [minute for minute in minutes if is_office_hour(minute) and minute % 3]


def learnt(weeks: int = 3) -> Rhythm:
    rhythm = Rhythm()
    span = range(MONDAY, MONDAY + weeks * WEEK)
    assert played(rhythm, span, office(span)) == []
    return rhythm


def test_rhythm_of_an_office_takes_no_night_and_no_sunday_for_an_outage() -> None:
    rhythm = learnt()
    following = range(MONDAY + 3 * WEEK, MONDAY + 5 * WEEK)
    assert played(rhythm, following, office(following)) == []


def test_rhythm_of_an_office_misses_records_within_the_hour_on_a_working_morning() -> None:
    rhythm = learnt()
    begin = MONDAY + 3 * WEEK + 10 * HOUR
    span = range(MONDAY + 3 * WEEK, begin + 2 * HOUR)
    (alarm,) = played(rhythm, span, [one for one in office(span) if one < begin])
    assert begin < alarm <= begin + HOUR


def test_rhythm_of_an_hourly_job_misses_it_after_some_hours() -> None:
    rhythm = Rhythm()
    span = range(MONDAY, MONDAY + WEEK)
    assert played(rhythm, span, [one for one in span if one % HOUR == 5]) == []
    (alarm,) = played(rhythm, range(MONDAY + WEEK, MONDAY + WEEK + DAY), [])
    assert 2 * HOUR < alarm - (MONDAY + WEEK) < 6 * HOUR


def test_rhythm_that_was_never_silent_misses_records_within_minutes_but_not_within_three() -> None:
    rhythm = Rhythm()
    span = range(MONDAY, MONDAY + DAY)
    played(rhythm, span, span)
    (alarm,) = played(rhythm, range(MONDAY + DAY, MONDAY + DAY + HOUR), [])
    assert 3 < alarm - (MONDAY + DAY) <= 10


def test_rhythm_that_is_being_learnt_calls_nothing_unusual() -> None:
    rhythm = Rhythm()
    played(rhythm, range(MONDAY, MONDAY + 3 * HOUR), range(MONDAY, MONDAY + 3 * HOUR))
    assert rhythm.is_learning
    assert played(rhythm, range(MONDAY + 3 * HOUR, MONDAY + 2 * DAY), []) == []


def test_rhythm_alarms_once_an_outage_and_is_quiet_when_records_come_again() -> None:
    rhythm = learnt()
    begin = MONDAY + 3 * WEEK
    assert len(played(rhythm, range(begin, begin + 3 * DAY), [])) == 1
    rhythm.take(begin + 3 * DAY, has_records=True)
    assert not rhythm.is_alarmed


def test_rhythm_after_an_outage_of_two_days_still_misses_records() -> None:
    rhythm = learnt()
    outage = range(MONDAY + 3 * WEEK, MONDAY + 3 * WEEK + 2 * DAY)
    following = range(outage.stop, MONDAY + 5 * WEEK)
    played(rhythm, outage, [])
    assert played(rhythm, following, office(following)) == []
    assert len(played(rhythm, range(following.stop, following.stop + DAY), [])) == 1


def test_rhythm_learns_a_new_habit_after_few_alarms() -> None:
    rhythm = learnt()
    following = range(MONDAY + 3 * WEEK, MONDAY + 11 * WEEK)
    no_mondays = [minute for minute in office(following) if hour_of(minute) // 24]
    assert len(played(rhythm, following, no_mondays)) <= 5


def test_rhythm_says_when_it_would_alarm() -> None:
    rhythm = learnt()
    begin = MONDAY + 3 * WEEK + 10 * HOUR
    span = range(MONDAY + 3 * WEEK, begin)
    played(rhythm, span, office(span))
    left = rhythm.minutes_left()
    assert left is not None
    (alarm,) = played(rhythm, range(begin, begin + DAY), [])
    assert abs(alarm - (begin - 1 + left)) <= 3


def test_rhythm_of_a_first_weekend_is_no_outage() -> None:
    rhythm = Rhythm()
    span = range(MONDAY, MONDAY + WEEK)
    assert played(rhythm, span, office(span)) == []


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 1 << 40))
def test_rhythm_of_anything_stays_bounded_and_comes_back_from_its_bytes(seen: list[bool], begin: int) -> None:
    rhythm = Rhythm()
    for at, has_records in enumerate(seen):
        rhythm.take(begin + at * 37, has_records=has_records)
    assert len(rhythm.gaps) <= KEPT_GAPS
    assert max(rhythm.watched) <= MEMORY_MINUTES + 1
    assert msgspec.json.decode(msgspec.json.encode(rhythm), type=Rhythm) == rhythm

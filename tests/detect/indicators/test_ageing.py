"""Ageing: confidence never rises with age, halves when it should, and an indicator's end comes before all of it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.indicators.ageing import (
    DEFAULT,
    FLOOR,
    KINDS,
    LIST_FALLS,
    REPORT_FALLS,
    Ageing,
    Fall,
    age_days,
    confidence_at,
)
from amagasa.detect.indicators.indicator import Indicator
from amagasa.detect.indicators.listing import EPOCH_DAY
from amagasa.detect.indicators.policy import Named, Word, word_of
from amagasa.detect.report import Silence, Standing
from amagasa.vocab.severity import Level

NOW: Final = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
TODAY: Final = NOW.toordinal() - EPOCH_DAY
FALLS: Final = st.builds(
    Fall, half_life_days=st.floats(0, 10_000, allow_nan=False), holds_days=st.floats(0, 10_000, allow_nan=False)
)


ENTRY: Final = Indicator(
    id="indicator--x",
    title="x",
    level=Level.LOW,
    origin="",
    valid_from=None,
    valid_until=None,
    techniques=(),
    tactics=(),
    confidence=30,
    weight=30,
    kind="ip-addr",
    is_listed=True,
    sources=("a",),
)


def entry(**more: Any) -> Indicator:
    return replace(ENTRY, **more)


def said(indicator: Indicator, at: datetime = NOW, ageing: Ageing = DEFAULT) -> Word | Silence:
    return word_of(Named(indicator=indicator), at, now=NOW, ageing=ageing)


@given(st.floats(0, 100), st.lists(st.floats(0, 1e6), min_size=2, max_size=6), FALLS)
def test_confidence_never_rises_with_age(stated: float, ages: list[float], fall: Fall) -> None:
    left = [confidence_at(stated, age, fall) for age in sorted(ages)]
    assert left == sorted(left, reverse=True)
    assert all(0 <= one <= stated for one in left)


@given(st.floats(1, 100), st.floats(1, 1_000), st.floats(0, 1_000), st.integers(0, 10))
def test_confidence_halves_with_each_half_life(stated: float, half_life: float, holds: float, n: int) -> None:
    fall = Fall(half_life_days=half_life, holds_days=holds)
    assert confidence_at(stated, holds + n * half_life, fall) == pytest.approx(stated / 2**n)
    assert confidence_at(stated, holds, fall) == stated


@given(st.floats(0, 100), st.floats(0, 1e9))
def test_confidence_without_a_half_life_stays(stated: float, age: float) -> None:
    assert confidence_at(stated, age, Fall()) == stated


@pytest.mark.parametrize(
    ("first", "last", "offset", "age"),
    [
        (TODAY - 10, TODAY - 5, 0, 5),
        (TODAY - 10, TODAY - 5, -7, 0),
        (TODAY - 10, TODAY - 5, -30, 20),
        (TODAY - 10, 0, 0, 10),
        (0, TODAY - 5, 0, 5),
        (0, TODAY - 5, -100, 0),
        (0, 0, 0, 0),
    ],
)
def test_age_of_an_entry_is_its_distance_in_time(first: int, last: int, offset: int, age: int) -> None:
    assert age_days(entry(first_day=first, last_day=last), NOW + timedelta(days=offset)) == age


def test_age_of_a_report_does_not_count_before_it() -> None:
    report = entry(is_listed=False, sources=(), first_day=TODAY - 10, last_day=TODAY - 10)
    assert age_days(report, NOW - timedelta(days=500)) == 0
    assert age_days(report, NOW) == 10


@given(st.integers(0, 4_000), st.integers(0, 4_000), st.sampled_from(sorted(KINDS)))
def test_word_of_an_older_entry_is_never_louder(one: int, other: int, kind: str) -> None:
    young, old = sorted((one, other))
    words = [said(entry(kind=kind, first_day=TODAY - 5_000, last_day=TODAY - age, weight=90)) for age in (young, old)]
    loud = [one.level.severity if isinstance(one, Word) else -1 for one in words]
    sure = [one.confidence or 0 if isinstance(one, Word) else -1 for one in words]
    assert loud == sorted(loud, reverse=True)
    assert sure == sorted(sure, reverse=True)


def test_word_of_an_entry_below_the_floor_is_silence() -> None:
    half_life = LIST_FALLS["ip-addr"].half_life_days
    at_floor = int(half_life * 1.585)  # 30 * 2 ** -1.585 = 10
    assert isinstance(said(entry(last_day=TODAY - at_floor + 1)), Word)
    assert said(entry(last_day=TODAY - at_floor - 1)) is Silence.AGED


def test_word_of_a_fresh_entry_of_low_confidence_is_not_aged() -> None:
    word = said(entry(weight=FLOOR - 5, confidence=FLOOR - 5, last_day=TODAY))
    assert isinstance(word, Word)
    assert word.level is Level.INFORMATIONAL


def test_word_of_a_digest_does_not_age() -> None:
    word = said(entry(kind="file-hash", last_day=TODAY - 3_650))
    assert isinstance(word, Word)
    assert (word.level, word.confidence, word.standing) == (Level.LOW, 30, Standing.ALONE)


def test_word_of_a_reported_address_holds_a_year_and_then_falls() -> None:
    fall = REPORT_FALLS["ip-addr"]
    of_age = [
        said(entry(is_listed=False, sources=(), level=Level.HIGH, weight=90, confidence=90, last_day=TODAY - age))
        for age in (0, 365, 365 + 365, 365 * 6)
    ]
    assert fall.holds_days == fall.half_life_days == 365
    assert [one.level if isinstance(one, Word) else one for one in of_age] == [
        Level.HIGH,
        Level.HIGH,
        Level.LOW,
        Silence.AGED,
    ]


def test_word_of_a_reported_domain_does_not_age() -> None:
    report = entry(is_listed=False, sources=(), kind="domain-name", level=Level.MEDIUM, weight=65, confidence=None)
    word = said(report, NOW + timedelta(days=0))
    assert word == Word(level=Level.MEDIUM, confidence=None, standing=Standing.FULL, title=report.title)


@given(st.integers(0, 3_000), st.integers(1, 100), st.booleans())
def test_word_after_the_end_is_silence_whatever_the_confidence(age: int, weight: int, is_listed: bool) -> None:  # noqa: FBT001
    ended = entry(is_listed=is_listed, weight=weight, last_day=TODAY - age, valid_until=NOW - timedelta(seconds=1))
    assert said(ended) is Silence.NOT_IN_FORCE


def test_ageing_beside_the_built_in_keeps_what_is_not_named() -> None:
    ageing = Ageing(list={"ip-addr": Fall(half_life_days=1)}, report={}).beside_the_built_in()
    assert ageing.list["ip-addr"].half_life_days == 1
    assert ageing.list["url"] == LIST_FALLS["url"]
    assert ageing.report == REPORT_FALLS


def test_ageing_of_an_unknown_kind_is_refused_with_those_known() -> None:
    with pytest.raises(ValueError, match=r"ip-addr.*got address"):
        Ageing(list={"address": Fall()}, report={}).beside_the_built_in()

"""What event times against times of reading say of a clock."""

from datetime import UTC, datetime, timedelta

import pytest

from amagasa.event.skew import KEPT, ClockState, Sample, skew_of, with_sample

AT = datetime(2026, 11, 27, tzinfo=UTC)


def samples(*ahead_s: float, every_s: float = 60) -> tuple[Sample, ...]:
    return tuple(Sample(at=AT + timedelta(seconds=n * every_s), ahead_s=one) for n, one in enumerate(ahead_s))


@pytest.mark.parametrize(
    ("ahead_s", "state", "is_zone"),
    [
        ((-0.2, -0.1, -3.0, -0.4, -0.2), ClockState.RIGHT, False),
        ((40.0, 41.0, 38.0, 40.2, 40.1), ClockState.AHEAD, False),
        ((32_400.0, 32_399.0, 32_398.0, 32_400.2, 32_390.1), ClockState.AHEAD, True),
        ((-19_800.0, -19_801.0, -19_850.0, -19_800.4, -19_803.0), ClockState.BEHIND, True),
        ((-700.0, -701.0, -760.0, -700.4, -702.0), ClockState.BEHIND, False),
        ((-700.0, -0.5, -900.0, -0.4, -702.0), ClockState.RIGHT, False),  # late now and then
        ((900.0, -0.5, -0.4, -0.4, -0.2), ClockState.RIGHT, False),  # one odd record
    ],
)
def test_skew_of_samples_over_minutes(ahead_s: tuple[float, ...], state: ClockState, *, is_zone: bool) -> None:
    found = skew_of(samples(*ahead_s))
    assert (found.state, found.is_zone) == (state, is_zone)


@pytest.mark.parametrize("few", [samples(40.0, 40.0), samples(*[40.0] * 20, every_s=1)])
def test_skew_of_few_samples_or_of_one_burst_is_not_known(few: tuple[Sample, ...]) -> None:
    assert skew_of(few).state is ClockState.UNKNOWN


def test_skew_is_of_the_newest_samples() -> None:
    kept: tuple[Sample, ...] = ()
    for one in samples(*[90.0] * KEPT, *[-0.1] * KEPT):
        kept = with_sample(kept, one)
    assert len(kept) == KEPT
    assert skew_of(kept).state is ClockState.RIGHT


def test_clock_of_a_source_with_a_record_each_second_is_known_after_two_minutes() -> None:
    samples: tuple[Sample, ...] = ()
    for second in range(300):
        samples = with_sample(samples, Sample(at=AT + timedelta(seconds=second), ahead_s=32_400.0))
    assert len(samples) <= KEPT
    assert (skew_of(samples).state, skew_of(samples).is_zone) == (ClockState.AHEAD, True)

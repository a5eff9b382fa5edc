"""Whether the clock behind a source runs ahead or behind, from event times against the times of reading.

A record cannot be read before it happened: where events keep coming from the future, the clock (or the zone in which
its times are read) is ahead. Where even the least late of many comes late by the same, it is behind, or a relay on
the way holds records back: these two cannot be told apart from here.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

KEPT: Final = 30
ENOUGH: Final = 5
ENOUGH_S: Final = 120.0  # samples over less time are one burst
APART_S: Final = 5.0  # `KEPT` samples of a busy source must reach over more than `ENOUGH_S`
AHEAD_S: Final = 5.0
BEHIND_S: Final = 120.0
ZONE_S: Final = 1_800.0  # zones differ by whole half hours (but for a few by quarters, which no log of ours is in)
ZONE_SLACK_S: Final = 90.0
MOST_ZONE_S: Final = 14.5 * 3_600


class ClockState(StrEnum):
    """What is known of the clock."""

    UNKNOWN = "unknown"
    RIGHT = "right"
    AHEAD = "ahead"
    BEHIND = "behind"


class Sample(Struct, frozen=True, kw_only=True):
    """A record read as soon as it was there: when, and how far its own time is ahead of that (negative: behind)."""

    at: datetime
    ahead_s: float


class Skew(Struct, frozen=True, kw_only=True):
    """`ahead_s` is the least late of the samples. With `is_zone` it looks like a time zone told wrongly."""

    state: ClockState = ClockState.UNKNOWN
    ahead_s: float | None = None
    is_zone: bool = False


def with_sample(samples: Sequence[Sample], sample: Sample) -> tuple[Sample, ...]:
    """The newest `KEPT`, each at least `APART_S` after the one before: one that comes sooner is passed over."""
    if samples and 0 <= (sample.at - samples[-1].at).total_seconds() < APART_S:
        return tuple(samples)
    return (*samples, sample)[-KEPT:]


def skew_of(samples: Sequence[Sample]) -> Skew:
    """What the samples say together."""
    if len(samples) < ENOUGH or (samples[-1].at - samples[0].at).total_seconds() < ENOUGH_S:
        return Skew()
    ahead_s = sorted(one.ahead_s for one in samples)[-2]  # one odd record proves nothing
    if -BEHIND_S <= ahead_s <= AHEAD_S:
        return Skew(state=ClockState.RIGHT, ahead_s=ahead_s)
    zones = round(ahead_s / ZONE_S)
    is_zone = zones != 0 and abs(ahead_s - zones * ZONE_S) <= ZONE_SLACK_S and abs(ahead_s) <= MOST_ZONE_S
    state = ClockState.AHEAD if ahead_s > 0 else ClockState.BEHIND
    return Skew(state=state, ahead_s=ahead_s, is_zone=is_zone)

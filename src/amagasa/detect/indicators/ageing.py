"""How the confidence in an indicator falls with age, and when it is too low to speak.

    confidence(age) = stated * 2 ** -(max(0, age - holds) / half_life)

Exponential, with a half-life for each kind of value. MISP's decaying models (Mokaddem et al., "Taxonomy driven
indicator scoring in MISP threat intelligence platforms", 2019, arXiv:1902.03914) and OpenCTI's decay rules use a
polynomial, `stated * (1 - (age / lifetime) ** (1 / speed))`. Ours was preferred for three reasons: a half-life is one
number which a watch officer can judge; what is left falls by the same share in any equal time, so nobody need know when
the falling began; and it never reaches nothing by itself, so that silence is decided in one place, by the floor.

Age is counted in days between the event and the time in which the indicator was seen: an old log is judged by what was
known of that time. Before `first_seen` a list's entry grows older too: an address that was listed last week says little
of whoever had it three years ago. For a report (STIX, MISP) it does not: attackers prepare long before they are named.
An entry without dates does not age. `valid_until` and revocation end an indicator at once, whatever its confidence.
"""

from datetime import datetime
from math import exp2
from typing import Annotated, Final

import msgspec
from msgspec import Struct

from amagasa.detect.indicators.indicator import Indicator
from amagasa.detect.indicators.listing import EPOCH_DAY

MAX_DAYS: Final = 1_000_000
FLOOR: Final = 10  # of 100: an entry of one list (30) goes silent after 1.6 half-lives


class Fall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Confidence holds for `holds_days`, then halves every `half_life_days`. A half-life of 0: it never falls."""

    half_life_days: Annotated[float, msgspec.Meta(ge=0, le=MAX_DAYS)] = 0.0
    holds_days: Annotated[float, msgspec.Meta(ge=0, le=MAX_DAYS)] = 0.0


_NEVER: Final = Fall()
# Addresses are given to somebody else within weeks or months (dial-up, clouds), domains when they run out after a year;
# a digest means the same file for ever. What a person reported stands for a year before it begins to fall.
LIST_FALLS: Final = {
    "ip-addr": Fall(half_life_days=90),
    "url": Fall(half_life_days=180),
    "domain-name": Fall(half_life_days=365),
    "email-addr": Fall(half_life_days=365),
    "file-name": Fall(half_life_days=730),
    "file-hash": _NEVER,
}
REPORT_FALLS: Final = {
    "ip-addr": Fall(half_life_days=365, holds_days=365),
    "url": Fall(half_life_days=730, holds_days=365),
}


KINDS: Final = frozenset(LIST_FALLS)


class Ageing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The falls by class and kind (`kind_of_place`); kinds not named never fall. Below `floor` nothing is detected."""

    floor: Annotated[int, msgspec.Meta(ge=0, le=100)] = FLOOR
    list: dict[str, Fall] = msgspec.field(default_factory=LIST_FALLS.copy)
    report: dict[str, Fall] = msgspec.field(default_factory=REPORT_FALLS.copy)

    def beside_the_built_in(self) -> "Ageing":
        """These falls, and the built-in ones of kinds not named. Raises ValueError for a kind that nobody knows."""
        unknown = sorted((self.list.keys() | self.report.keys()) - KINDS)
        if unknown:
            message = f"expected one of {', '.join(sorted(KINDS))}; got {unknown[0]}"
            raise ValueError(message)
        return Ageing(floor=self.floor, list=LIST_FALLS | self.list, report=REPORT_FALLS | self.report)

    def fall(self, indicator: Indicator) -> Fall:
        """How this indicator's confidence falls."""
        return (self.list if indicator.is_listed else self.report).get(indicator.kind, _NEVER)


DEFAULT: Final = Ageing()


def confidence_at(stated: float, age_days: float, fall: Fall) -> float:
    """What is left of `stated` (0 to 100) at that age; never more than stated, never more at a greater age."""
    if fall.half_life_days <= 0:
        return stated
    n_half_lives = max(0.0, age_days - fall.holds_days) / fall.half_life_days
    return stated * exp2(-n_half_lives)


def age_days(indicator: Indicator, at: datetime) -> int:
    """Whole days between `at` and the span in which it was seen; 0 inside it, and where no day is known."""
    day = at.toordinal() - EPOCH_DAY
    first, last = indicator.first_day, indicator.last_day
    if last and day > last:
        return day - last
    if first and not last and day > first:
        return day - first
    return first - day if first and day < first and indicator.is_listed else 0


def aged(indicator: Indicator, at: datetime, ageing: Ageing) -> float:
    """The confidence in it of an event of that instant."""
    return confidence_at(indicator.weight, age_days(indicator, at), ageing.fall(indicator))

"""What is known of the trial of an ally's rule or indicator: kept with the item, shown, and in the record."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.share.terms import Otherwise

_NO_HURRY: Final = timedelta(days=3_650)  # behind whatever has a clock


class Stage(StrEnum):
    """Where a trial stands. WAITING and HELD are not looked with yet: HELD waits for the look, or for a person.

    PASSED, UNTRIED (its clock ended first) and LIFTED (by a person) are in use, NOISY was put aside.
    """

    WAITING = "waiting"
    HELD = "held"
    PASSED = "passed"
    UNTRIED = "untried"
    NOISY = "noisy"
    LIFTED = "lifted"


class Tried(Struct, frozen=True, kw_only=True):
    """A trial on the recent past. `until` is when its clock ends, `otherwise` what follows where it ended first.

    Once it was looked (`looked_at`): it would have found `n` on `n_hosts` hosts since `since`, `an_hour` in each hour
    in which it found anything. `is_whole`: all of that time could be looked at. `why` says what was decided.
    """

    stage: Stage
    until: datetime
    otherwise: Otherwise
    noisy_an_hour: int
    since: datetime | None = None
    looked_at: datetime | None = None
    n: int = 0
    n_hosts: int = 0
    an_hour: int = 0
    is_whole: bool = False
    why: str = ""

    @property
    def due_at(self) -> datetime | None:
        """When something is to be done with it at the latest; None where only a person does."""
        if self.stage is Stage.HELD and self.looked_at is None:
            return self.until + _NO_HURRY
        return self.until if self.stage is Stage.WAITING else None

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return self.stage in {Stage.WAITING, Stage.HELD}

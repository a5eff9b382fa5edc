"""Use case: a rule or an indicator tried on the recent past, before it is put to use or sent to an ally."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from amagasa.app.hunt import Answer, Asked, Period, hunt
from amagasa.app.lake_ports import Lake
from amagasa.app.permissions import Actor
from amagasa.app.seeking import Found, Seeker

MAX_EXAMPLES: Final = 5


class Trial(Struct, frozen=True, kw_only=True):
    """It would have fired `n` times on `n_hosts` hosts since then. `is_whole`: all of that time was looked at."""

    since: datetime
    until: datetime
    n: int
    n_hosts: int
    hosts: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    examples: tuple[Found, ...]
    n_records: int
    is_whole: bool
    not_looked_at: tuple[str, ...] = ()

    @property
    def is_never_seen(self) -> bool:
        """Not even once, and everything was looked at."""
        return self.n == 0 and self.is_whole


def try_on_the_past(
    lake: Lake,
    actor: Actor,
    seeker: Seeker,
    *,
    now: datetime,
    back: timedelta = timedelta(hours=24),
    sources: Sequence[str] = (),
) -> Trial:
    """What it would have found in the last 24 hours, or as far `back` as asked. Raises as `hunt`."""
    answer = Answer()
    examples: list[Found] = []
    asked = Asked(sources=tuple(sources), period=Period(since=now - back, until=now))
    for one in hunt(lake, actor, seeker, asked, answer=answer, now=now):
        if isinstance(one, Found) and len(examples) < MAX_EXAMPLES:
            examples.append(one)
    return Trial(
        since=now - back,
        until=now,
        n=answer.n_found,
        n_hosts=len(answer.by_host),
        hosts=tuple(sorted(answer.by_host, key=lambda host: -answer.by_host[host]))[:20],
        first_at=answer.first_at,
        last_at=answer.last_at,
        examples=tuple(examples),
        n_records=answer.n_records + answer.n_passed,
        is_whole=answer.is_whole,
        not_looked_at=tuple(f"{one.what}: {one.why}" for one in answer.unlooked),
    )

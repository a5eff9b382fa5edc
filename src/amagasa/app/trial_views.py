"""The trial of what an ally sent, as it is shown."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from amagasa.app.trial_ports import Tried
from amagasa.vocab.text import show

WHY_CHARACTERS: Final = 300


class TriedView(Struct, frozen=True, kw_only=True):
    """The trial of what an ally sent: where it stands, until when it may take, what it would have found in 24 hours."""

    stage: str
    until: datetime
    since: datetime | None
    looked_at: datetime | None
    n: int
    n_hosts: int
    is_whole: bool
    why: str


def tried_view(tried: Tried | None) -> TriedView | None:
    """None of what was never on trial."""
    if tried is None:
        return None
    return TriedView(
        stage=tried.stage.value,
        until=tried.until,
        since=tried.since,
        looked_at=tried.looked_at,
        n=tried.n,
        n_hosts=tried.n_hosts,
        is_whole=tried.is_whole,
        why=show(tried.why, WHY_CHARACTERS),
    )

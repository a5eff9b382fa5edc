"""An ally's heartbeat as people see it."""

from datetime import datetime

from msgspec import Struct

from amagasa.app.hearts import USUAL_SILENCE_S, Heart
from amagasa.share.agreement import Agreement


class HeartView(Struct, frozen=True, kw_only=True):
    """What the ally states, and for how long it may say nothing.

    It watches `n_watching` of `n_sources` sources, None until it said so; `freshest_s` and `stalest_s` are the ages
    of their newest records when it said so. `heard_at` is when its last statement came, `told_at` when it took ours.
    `silent_at` is since when the alarm stands, None while there is none; `incident` is where. `fault` is why the last
    statement did not count, "" where it did.
    """

    n_sources: int | None
    n_watching: int | None
    freshest_s: int | None
    stalest_s: int | None
    heard_at: datetime | None
    told_at: datetime | None
    silence_s: int
    silent_at: datetime | None
    incident: str
    fault: str


def heart_view(heart: Heart, agreement: Agreement) -> HeartView:
    """As `agreement` has the clock."""
    beat = heart.beat.beat if heart.beat is not None else None
    return HeartView(
        n_sources=beat.n_sources if beat is not None else None,
        n_watching=beat.n_watching if beat is not None else None,
        freshest_s=beat.freshest_s if beat is not None else None,
        stalest_s=beat.stalest_s if beat is not None else None,
        heard_at=heart.heard_at,
        told_at=heart.told_at,
        silence_s=agreement.clocks.silence_s or USUAL_SILENCE_S,
        silent_at=heart.silent_at,
        incident=heart.incident,
        fault=heart.fault,
    )

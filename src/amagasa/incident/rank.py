"""In which order open incidents are looked at: mission impact, then score, then age against the clock.

Three numbers which are never made one: what is lost (`impact`, 0 to 100, from `mission`; 0 where nobody said), how bad
it is for the nation (`incident.score`), and how long it waits. The store keeps the same order in an index.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from amagasa.incident.alert import Incident, Status
from amagasa.incident.score import score_of


class Ranked(Struct, frozen=True, kw_only=True):
    """`rank` is 1 for the first; `waits_s` since it was opened."""

    incident: Incident
    rank: int
    impact: int
    score: int
    waits_s: float


def rank(incidents: Iterable[Incident], impacts: Mapping[str, int], *, now: datetime) -> tuple[Ranked, ...]:
    """The open ones among them, the first to be looked at first. `impacts` are 0 to 100, by incident."""
    found = [(impacts.get(one.id, 0), score_of(one).score, one) for one in incidents if one.status is Status.OPEN]
    found.sort(key=lambda each: (each[0], each[1], -each[2].created_at.timestamp(), each[2].id), reverse=True)
    return tuple(
        Ranked(
            incident=incident,
            rank=place,
            impact=impact,
            score=score,
            waits_s=max(0.0, (now - incident.created_at).total_seconds()),
        )
        for place, (impact, score, incident) in enumerate(found, 1)
    )

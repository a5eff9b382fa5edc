"""What a node looks with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from amagasa.detect.correlation.link import Links
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan
from amagasa.detect.engine.sieve import Rest, Sieve
from amagasa.detect.exclusion import Exclusions
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.looking import Looking
from amagasa.detect.indicators.policy import Policy
from amagasa.event.record import Chunk, Route

MAX_MET: Final = 512  # routes are made of what stands in a log: an attacker may invent new ones


class Sight:
    """What a node looks with: plans of rules (built-in, own, the ally's), their memos, indicators, and correlations.

    The sieve is of the same plans; it spares them records in which certainly nothing matches. `hidden` are for each
    plan the ids of rules which no longer count (`app.layers`); `met` the routes that were asked for. Set `exclusions`
    for what is to be left out.
    """

    def __init__(
        self,
        plans: Sequence[tuple[Plan, Memo]],
        indicators: IndicatorSet,
        *,
        policy: Policy | None = None,
        sieve: Sieve | None = None,
        links: Links | None = None,
        hidden: Sequence[frozenset[str]] = (),
    ) -> None:
        self.plans = tuple(plans)
        self.hidden = tuple(hidden) or (frozenset[str](),) * len(self.plans)
        self.met: dict[str, Route] = {}
        self.looking = Looking(indicators, policy)
        self.sieve = sieve
        self.links = links or Links()
        self.exclusions = Exclusions()

    def rest_of(self, chunk: Chunk, *, now: datetime) -> Rest:
        """The records that must be looked at; the others fell through: sound ones, in which nothing matches."""
        if self.sieve is None:
            return Rest(chunk=chunk, n_through=0, suspects=tuple({} for _ in self.plans))
        self.sieve.look_for(self.looking if self.looking.has_any else None, now=now)
        return self.sieve.rest_of(chunk)

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields which any plan or indicator will look at in events of this route."""
        if len(self.met) < MAX_MET:
            self.met[route.name] = route
        wanted = dict.fromkeys(field for plan, _ in self.plans for field in plan.wanted(route))
        wanted |= dict.fromkeys(self.exclusions.wanted(route))
        return tuple(wanted | dict.fromkeys(self.looking.wanted(route)))

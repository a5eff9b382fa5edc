"""What a node looks with."""

from collections.abc import Sequence

from amagasa.detect.correlation.link import Links
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan
from amagasa.detect.engine.sieve import Sieve
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.event.record import Chunk, Route


class Sight:
    """What a node looks with: plans of rules (built-in, own, the ally's), their memos, indicators, and correlations.

    The sieve is of the same plans; it spares them records in which certainly nothing matches.
    """

    def __init__(
        self,
        plans: Sequence[tuple[Plan, Memo]],
        indicators: IndicatorSet,
        *,
        sieve: Sieve | None = None,
        links: Links | None = None,
    ) -> None:
        self.plans = tuple(plans)
        self.indicators = indicators
        self.sieve = sieve
        self.links = links or Links()

    def sifted(self, chunk: Chunk) -> tuple[Chunk, int]:
        """The records that must be looked at, and how many fell through: sound ones, in which nothing matches."""
        if self.sieve is None or self.indicators.indicators:
            return chunk, 0
        return self.sieve.named(chunk)

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields which any plan or indicator will look at in events of this route."""
        wanted = dict.fromkeys(field for plan, _ in self.plans for field in plan.wanted(route))
        return tuple(wanted | dict.fromkeys(self.indicators.wanted(route)))

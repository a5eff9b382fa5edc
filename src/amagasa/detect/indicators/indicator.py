"""What is known of each indicator, and the set of them that is looked with."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from amagasa.detect.correlation.pattern import Pattern
from amagasa.detect.indicators.kinds import real_place
from amagasa.detect.indicators.table import Table, Where
from amagasa.detect.stix.absent import absent_from
from amagasa.detect.stix.forms import Property, Shape
from amagasa.detect.stix.observables import shapes_of
from amagasa.detect.stix.pattern import Expression, Observation
from amagasa.event.record import Route
from amagasa.vocab.severity import Level

Prefixes: TypeAlias = dict[tuple[int, int], dict[int, tuple[int, ...]]]  # (IP version, length) -> network -> indicators


class Indicator(Struct, frozen=True, kw_only=True, gc=False):
    """What evaluation needs of an indicator. In force from `valid_from` until before `valid_until`.

    `kind` says how it ages (`kind_of_place`), `weight` how sure we are of it fresh (0-100), `confidence` what its
    author stated. Days count from 1970, 0 for not told. `is_listed`: an entry of the flat lists named in `sources`.
    """

    id: str
    title: str
    level: Level
    origin: str
    valid_from: datetime | None
    valid_until: datetime | None
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    confidence: int | None = None
    weight: int = 0
    kind: str = ""
    first_day: int = 0
    last_day: int = 0
    is_listed: bool = False
    sources: tuple[str, ...] = ()

    def is_in_force(self, now: datetime) -> bool:
        """Whether it may be used at `now`."""
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )


class Series(Struct, frozen=True, kw_only=True):
    """A pattern over several records: its `[...]`, resolved and as written, how they are bound, and within what span.

    `alone` is the whole pattern where one record may satisfy it too: such a record is a detection, and no part.
    """

    parts: tuple[Observation, ...]
    titles: tuple[str, ...]
    pattern: Pattern
    timespan_s: int
    alone: Expression | None = None


class IndicatorSet(Struct, frozen=True, kw_only=True):
    """Indicators to look with. Those which stand in `tables`, and compiled ones beside, plain data.

    `equal`, `prefixes`, `others` and `series` (patterns over several records) hold positions in `indicators`; those in
    `dead` count no longer. A table was made in the generation `born`; `gone` says of an identifier up to which
    generation tables hold it in vain: it was removed then, or a newer version took its place.
    """

    indicators: tuple[Indicator, ...] = ()
    equal: dict[Where, dict[str, tuple[int, ...]]] = {}
    prefixes: dict[Where, Prefixes] = {}
    others: tuple[tuple[int, Expression], ...] = ()
    series: tuple[tuple[int, Series], ...] = ()
    used: frozenset[Where] = frozenset()
    n_revoked: int = 0
    dead: frozenset[int] = frozenset()
    tables: tuple[Table, ...] = ()
    born: tuple[int, ...] = ()
    gone: tuple[Mapping[str, int], ...] = ()
    generation: int = 0

    def is_void(self, indicator_id: str, born: int) -> bool:
        """Whether a table of this generation holds the indicator in vain."""
        return any(born <= layer.get(indicator_id, -1) for layer in self.gone)

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields of this route's events which some indicator looks at."""
        used = self.used | places_of(self.tables)
        parts = (part for shape in shapes_of(route) for part in used_parts(shape, used))
        absent = absent_from(route)
        return tuple(dict.fromkeys(field for part in parts for field in part.fields if field not in absent))


def n_indicators(held: IndicatorSet) -> int:
    """Indicators that are looked with. One that stands in two lists counts twice: lists are not compared."""
    beside = len(held.indicators) - len(held.dead)
    return beside + sum(table.plan.about.tally.get("n_indicators", 0) for table in held.tables)


def places_of(tables: Sequence[Table]) -> frozenset[Where]:
    """The places of events in which values of these tables may stand."""
    return frozenset(real_place(where) for table in tables for where in table.places)


def used_parts(shape: Shape, used: frozenset[Where]) -> list[Property]:
    """The properties of this object which some indicator looks at."""
    return [part for part in shape.properties if (shape.kind, part.path) in used]


def kind_of_place(where: Where) -> str:
    """Address, domain, link ...: what such a value is, as the tables of `ageing` call it; "" for what never ages."""
    kind, path = where
    if kind == "file":
        return "file-hash" if path.startswith("hashes.") else "file-name"
    return kind if kind in {"ip-addr", "domain-name", "url", "email-addr"} else ""

"""What is known of each indicator, and the set of them that is looked with."""

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from amagasa.detect.stix.observables import Property, Shape, shapes_of
from amagasa.detect.stix.pattern import Expression
from amagasa.event.record import Route
from amagasa.vocab.severity import Level

Where: TypeAlias = tuple[str, str]  # (kind, path) as `observables` names them
Prefixes: TypeAlias = dict[tuple[int, int], dict[int, tuple[int, ...]]]  # (IP version, length) -> network -> indicators


class Indicator(Struct, frozen=True, kw_only=True, gc=False):
    """What evaluation needs of a STIX indicator. In force from `valid_from` until before `valid_until`."""

    id: str
    title: str
    level: Level
    origin: str
    valid_from: datetime | None
    valid_until: datetime | None
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]

    def is_in_force(self, now: datetime) -> bool:
        """Whether it may be used at `now`."""
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )


class IndicatorSet(Struct, frozen=True, kw_only=True):
    """Compiled indicators, plain data. The tables hold positions in `indicators`."""

    indicators: tuple[Indicator, ...] = ()
    equal: dict[Where, dict[str, tuple[int, ...]]] = {}
    prefixes: dict[Where, Prefixes] = {}
    others: tuple[tuple[int, Expression], ...] = ()
    used: frozenset[Where] = frozenset()
    n_revoked: int = 0

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields of this route's events which some indicator looks at."""
        parts = (part for shape in shapes_of(route) for part in used_parts(shape, self.used))
        return tuple(dict.fromkeys(field for part in parts for field in part.fields))


def used_parts(shape: Shape, used: frozenset[Where]) -> list[Property]:
    """The properties of this object which some indicator looks at."""
    return [part for part in shape.properties if (shape.kind, part.path) in used]

"""A Sigma correlation as plain data (Sigma correlation specification 2.1): what its document says, nothing resolved."""

from decimal import Context, Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from typing import Any, Final

from msgspec import Struct

# What a condition may ask to be held at once; beyond it a correlation would need more memory than it may have.
MAX_NEEDED: Final = 10_000
# Digits before and behind the point: sums of millions of such numbers stay exact.
MAX_DIGITS: Final = 30
# Room for any sum or product of such numbers; nothing is rounded in it.
EXACT: Final = Context(prec=10 * MAX_DIGITS)


class Kind(StrEnum):
    """What is looked for among the events of a group."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"
    PATTERN = "pattern"  # not Sigma's: a STIX pattern over several records, each `[...]` a rule


# Kinds which ask what comes with what: of a record that satisfies several rules each counts.
TEMPORAL: Final = frozenset({Kind.TEMPORAL, Kind.TEMPORAL_ORDERED, Kind.PATTERN})
NUMERIC: Final = frozenset({Kind.VALUE_SUM, Kind.VALUE_AVG, Kind.VALUE_PERCENTILE, Kind.VALUE_MEDIAN})


class Comparison(StrEnum):
    """How a measure is compared with a number."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NEQ = "neq"


LOWER: Final = frozenset({Comparison.GT, Comparison.GTE})


class Bound(Struct, frozen=True, array_like=True, gc=False):
    """One line of a condition; all of a condition must hold (a range is two of them)."""

    comparison: Comparison
    number: Decimal

    def holds(self, measure: Decimal | int, of: int = 1) -> bool:
        """Whether `measure / of` keeps to it: nothing is divided, so nothing is rounded."""
        number = EXACT.multiply(self.number, Decimal(of)) if of != 1 else self.number
        match self.comparison:
            case Comparison.GT:
                return measure > number
            case Comparison.GTE:
                return measure >= number
            case Comparison.LT:
                return measure < number
            case Comparison.LTE:
                return measure <= number
            case Comparison.EQ:
                return measure == number
            case Comparison.NEQ:
                return measure != number


class Join(IntEnum):
    """How an extended condition joins its items; RULE is a leaf."""

    RULE = 0
    AND = 1
    OR = 2
    NOT = 3


class Expr(Struct, frozen=True, array_like=True, gc=False):
    """An extended condition: `rule` is a place in the correlation's rules, NOT has one item."""

    join: Join
    rule: int = -1
    items: tuple["Expr", ...] = ()

    @property
    def has_not(self) -> bool:
        """Whether an event can make it false."""
        return self.join is Join.NOT or any(item.has_not for item in self.items)


class Alias(Struct, frozen=True, array_like=True, gc=False):
    """One name in `group-by` for fields which each rule calls otherwise: (reference of the rule, its field)."""

    name: str
    fields: tuple[tuple[str, str], ...]


class Correlation(Struct, frozen=True, kw_only=True, gc=False):
    """What a `correlation` section says. `rules` are references as written: an id or a name.

    `fields` are those of the condition. `condition` is the extended one, else the measure must keep to all `bounds`.
    `percentile` of `value_percentile` is 0 to 100; None: the share of each value among all, in percent.
    `is_level_own` and `are_tags_own` say whether the document states them; else they come from the rules.
    """

    kind: Kind
    rules: tuple[str, ...]
    group_by: tuple[str, ...] = ()
    aliases: tuple[Alias, ...] = ()
    timespan_s: int
    bounds: tuple[Bound, ...] = ()
    condition: Expr | None = None
    fields: tuple[str, ...] = ()
    percentile: Decimal | None = None
    is_generating: bool = False
    is_level_own: bool = False
    are_tags_own: bool = False

    @property
    def is_rising(self) -> bool:
        """Whether a further event can only help the condition to hold: then it is judged at each event.

        Otherwise (an upper bound, a mean, a `not`) only a whole window can tell.
        """
        if self.condition is not None:
            return not self.condition.has_not
        is_counted = self.kind in TEMPORAL | {Kind.EVENT_COUNT, Kind.VALUE_COUNT, Kind.VALUE_SUM}
        return is_counted and all(bound.comparison in LOWER for bound in self.bounds)

    @property
    def needed(self) -> int:
        """The smallest whole measure which keeps to the lower bounds; 0 where any does."""
        floors = [
            bound.number.to_integral_value("ROUND_FLOOR") + 1
            if bound.comparison is Comparison.GT
            else bound.number.to_integral_value("ROUND_CEILING")
            for bound in self.bounds
            if bound.comparison in LOWER
        ]
        return max([0, *map(int, floors)])

    @property
    def deciding(self) -> int:
        """A whole measure beyond which every further one is judged alike."""
        return max((abs(int(bound.number)) for bound in self.bounds), default=0) + 1


def number_of(value: Any) -> Decimal | None:
    """A number as it stands in a document or in a field; None for anything else, and for what has too many digits."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, int) and value.bit_length() > 4 * MAX_DIGITS:
        return None
    text = str(value).strip()
    if not text or len(text) > 2 * MAX_DIGITS or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    is_small = not number or -MAX_DIGITS <= number.adjusted() <= MAX_DIGITS
    is_short = -number.as_tuple().exponent <= MAX_DIGITS  # type: ignore[operator] # finite: an int
    return number if is_small and is_short else None

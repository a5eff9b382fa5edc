"""A plain correlator: every question asked anew of all events, in quadratic time and worse. It shares no state machine.

It takes the entries of one group as (instant, source, path, record, member, value, is_new) in any order and gives the
episodes, as docs/correlations.md defines them.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, product
from statistics import median
from typing import NamedTuple

from amagasa.detect.correlation.definition import Bound, Comparison, Correlation, Expr, Join, Kind

TEMPORAL = (Kind.TEMPORAL, Kind.TEMPORAL_ORDERED)


class Row(NamedTuple):
    at: int
    source: str
    path: str
    record: int
    member: int
    value: str
    is_new: bool = True

    @property
    def mark(self) -> tuple[int, str, str, int]:
        return self[:4]


class Hold(NamedTuple):
    """The condition holds at `row`, for `n` records from `first_at` on."""

    row: Row
    first_at: int
    n: int
    values: frozenset[str]
    measure: str = ""


class Found(NamedTuple):
    trigger: Row
    first_at: int
    last_at: int
    n: int
    values: frozenset[str]
    measure: str


def keeps(bound: Bound, measure: Fraction | int) -> bool:
    number = Fraction(bound.number)
    return {
        Comparison.GT: measure > number,
        Comparison.GTE: measure >= number,
        Comparison.LT: measure < number,
        Comparison.LTE: measure <= number,
        Comparison.EQ: measure == number,
        Comparison.NEQ: measure != number,
    }[bound.comparison]


def all_keep(correlation: Correlation, measure: Fraction | int) -> bool:
    return all(keeps(bound, measure) for bound in correlation.bounds)


def relevant(correlation: Correlation, rows: Sequence[Row]) -> list[Row]:
    """In order; a record that satisfies two rules counts once for the kinds that count events."""
    ordered = sorted(set(rows))
    if correlation.kind in TEMPORAL or correlation.kind is Kind.VALUE_COUNT:
        return ordered
    ordered = [row for row in ordered if row.is_new]
    return [next(rows_of_one) for _, rows_of_one in groupby(ordered, key=lambda row: row.mark)]


def episodes(correlation: Correlation, rows: Sequence[Row]) -> list[Found]:
    ordered = relevant(correlation, rows)
    span = correlation.timespan_s * 1_000_000
    holds = list(rising(correlation, ordered, span) if is_rising(correlation) else whole(correlation, ordered, span))
    found: list[Found] = []
    begun: list[list[Hold]] = []
    for hold in holds:
        reaches = hold.row.at if is_rising(correlation) else hold.first_at
        if begun and reaches <= begun[-1][-1].row.at + span:
            begun[-1].append(hold)
        else:
            begun.append([hold])
    for some in begun:
        first, last = some[0], some[-1]
        if is_rising(correlation):
            inside = [row for row in ordered if first.row < row <= last.row and row.mark != first.row.mark]
            n = first.n + len({row.mark for row in inside})
            later = [row for row in ordered if first.row < row <= last.row]
            values = first.values | {row.value.lower() for row in later if correlation.kind is Kind.VALUE_COUNT}
        else:
            n = sum(one.n for one in some)
            values = frozenset(value for one in some for value in one.values)
        found.append(Found(first.row, first.first_at, last.row.at, n, frozenset(values), first.measure))
    return found


def held_rows(correlation: Correlation, rows: Sequence[Row]) -> list[tuple[Row, bool]]:
    """What an outer correlation sees: each record at which it holds, and whether an episode begins there."""
    ordered = relevant(correlation, rows)
    span = correlation.timespan_s * 1_000_000
    begins = {one.trigger for one in episodes(correlation, rows)}
    holds = rising(correlation, ordered, span) if is_rising(correlation) else whole(correlation, ordered, span)
    once = {hold.row.mark: hold.row for hold in reversed(list(holds))}
    return [(row, row in begins) for row in sorted(once.values())]


def is_rising(correlation: Correlation) -> bool:
    if correlation.condition is not None:
        return not mentions_not(correlation.condition)
    if correlation.kind in (Kind.VALUE_AVG, Kind.VALUE_MEDIAN, Kind.VALUE_PERCENTILE):
        return False
    return all(bound.comparison in (Comparison.GT, Comparison.GTE) for bound in correlation.bounds)


def mentions_not(expr: Expr) -> bool:
    return expr.join is Join.NOT or any(mentions_not(item) for item in expr.items)


def rising(correlation: Correlation, ordered: Sequence[Row], span: int) -> Iterator[Hold]:
    for place, row in enumerate(ordered):
        window = [one for one in ordered[: place + 1] if one.at >= row.at - span]
        hold = hold_at(correlation, window, row)
        if hold is not None:
            yield hold


def hold_at(correlation: Correlation, window: Sequence[Row], row: Row) -> Hold | None:
    kind = correlation.kind
    if kind is Kind.EVENT_COUNT:
        least = next(n for n in range(len(window) + 2) if n > len(window) or all_keep(correlation, n))
        if least > len(window):
            return None
        needed = max(1, least)
        return Hold(row, window[-needed].at, needed, frozenset())
    if kind is Kind.VALUE_COUNT:
        latest = {one.value.lower(): one.at for one in window}
        recent = sorted(latest.items(), key=lambda one: max(r for r in window if r.value.lower() == one[0]))
        least = next(n for n in range(len(recent) + 2) if n > len(recent) or all_keep(correlation, n))
        if least > len(recent):
            return None
        counted = recent[-max(1, least) :]
        return Hold(row, counted[0][1], len(counted), frozenset(value for value, _ in counted))
    if kind is Kind.VALUE_SUM:
        total = sum((Fraction(one.value) for one in window), Fraction(0))
        return Hold(row, window[0].at, len(window), frozenset()) if all_keep(correlation, total) else None
    if kind is Kind.TEMPORAL:
        last = {one.member: one for one in window}
        present = set(last)
        does_hold = (
            all_keep(correlation, len(present))
            if correlation.condition is None
            else true_of(correlation.condition, present)
        )
        if not does_hold:
            return None
        records = {one.mark for one in last.values()}
        return Hold(row, min(records)[0], len(records), frozenset(), str(len(present)))
    return series_at(correlation, window, row)


def series_at(correlation: Correlation, window: Sequence[Row], row: Row) -> Hold | None:
    """The best series of records, each after the one before, that ends at this row."""
    found = []
    if correlation.condition is None:
        for series in ending_at(window, row, len(correlation.rules)):
            members = [one.member for one in series]
            if members == sorted(set(members)) and all_keep(correlation, len(series)):
                found.append((len(series), series[0].at, series))
    else:
        words = list(sequences(correlation.condition))
        ending = ending_at(window, row, max(map(len, words)))
        found = [(one[0].at, len(one), one) for one in ending if [row.member for row in one] in words]
    if not found:
        return None
    best = max(found, key=lambda one: one[:2])[2]
    return Hold(row, best[0].at, len(best), frozenset(), str(len({one.member for one in best})))


def ending_at(window: Sequence[Row], row: Row, longest: int) -> Iterator[list[Row]]:
    """Every series of at most `longest` different records in their order which ends with `row`."""
    yield [row]
    for one in window if longest > 1 else ():
        if one.mark < row.mark:
            for series in ending_at(window, one, longest - 1):
                yield [*series, row]


def sequences(expr: Expr) -> Iterator[list[int]]:
    """Every sequence of rules which an expression without `not` accepts: `and` in the order of the rules."""
    if expr.join is Join.RULE:
        yield [expr.rule]
    elif expr.join is Join.OR:
        for item in expr.items:
            yield from sequences(item)
    else:
        items = sorted(expr.items, key=least)
        for parts in product(*(list(sequences(item)) for item in items)):
            yield [rule for part in parts for rule in part]


def least(expr: Expr) -> int:
    return expr.rule if expr.join is Join.RULE else min(least(item) for item in expr.items)


def true_of(expr: Expr, present: set[int]) -> bool:
    if expr.join is Join.RULE:
        return expr.rule in present
    if expr.join is Join.NOT:
        return not true_of(expr.items[0], present)
    results = [true_of(item, present) for item in expr.items]
    return all(results) if expr.join is Join.AND else any(results)


def ordered_true_of(expr: Expr, window: Sequence[Row]) -> bool:
    """A condition with `not` over a whole window: parts free of it are series, joined where `and` joins them."""
    if not mentions_not(expr):
        words = list(sequences(expr))
        return any(
            [one.member for one in series] in words
            for row in window
            for series in ending_at(window, row, max(map(len, words)))
        )
    if expr.join is Join.NOT:
        return not ordered_true_of(expr.items[0], window)
    if expr.join is Join.OR:
        return any(ordered_true_of(item, window) for item in expr.items)
    free = tuple(item for item in expr.items if not mentions_not(item))
    rest = [item for item in expr.items if mentions_not(item)]
    is_free_true = not free or ordered_true_of(Expr(Join.AND, items=free), window)
    return is_free_true and all(ordered_true_of(item, window) for item in rest)


def whole(correlation: Correlation, ordered: Sequence[Row], span: int) -> Iterator[Hold]:
    left = list(ordered)
    while left:
        window = [row for row in left if row.at <= left[0].at + span]
        left = left[len(window) :]
        does_hold, values = holds_of(correlation, window)
        if does_hold:
            yield Hold(window[-1], window[0].at, len({row.mark for row in window}), values)


def holds_of(correlation: Correlation, window: Sequence[Row]) -> tuple[bool, frozenset[str]]:
    kind, none = correlation.kind, frozenset[str]()
    if kind is Kind.EVENT_COUNT:
        return all_keep(correlation, len(window)), none
    if kind is Kind.VALUE_COUNT:
        values = frozenset(row.value.lower() for row in window)
        return all_keep(correlation, len(values)), values
    if kind is Kind.VALUE_PERCENTILE and correlation.percentile is None:
        named = [row.value.lower() for row in window]
        fitting = {value for value in named if all_keep(correlation, Fraction(100 * named.count(value), len(named)))}
        return bool(fitting), frozenset(fitting)
    if kind in TEMPORAL:
        present = {row.member for row in window}
        if correlation.condition is not None:
            is_ordered = kind is Kind.TEMPORAL_ORDERED
            condition = correlation.condition
            return ordered_true_of(condition, window) if is_ordered else true_of(condition, present), none
        if kind is Kind.TEMPORAL:
            return all_keep(correlation, len(present)), none
        lengths = [
            len(series)
            for row in window
            for series in ending_at(window, row, len(correlation.rules))
            if (members := [one.member for one in series]) == sorted(set(members))
        ]
        return all_keep(correlation, max(lengths)), none
    numbers = sorted(Fraction(Decimal(row.value)) for row in window)
    return all_keep(correlation, measured(correlation, numbers)), none


def measured(correlation: Correlation, numbers: list[Fraction]) -> Fraction:
    match correlation.kind:
        case Kind.VALUE_SUM:
            return sum(numbers, Fraction(0))
        case Kind.VALUE_AVG:
            return sum(numbers, Fraction(0)) / len(numbers)
        case Kind.VALUE_MEDIAN:
            return Fraction(median(numbers))
        case _:
            assert correlation.percentile is not None
            rank = Fraction(correlation.percentile) / 100 * (len(numbers) - 1)
            low = int(rank)
            high = min(low + 1, len(numbers) - 1)
            return numbers[low] + (rank - low) * (numbers[high] - numbers[low])

"""What must follow what: a temporal_ordered correlation as a chain of steps, each fed by the steps before it.

A chain has one step for each way in which a rule may come next. What is kept of a step is only the latest instant at
which a series that has come this far began: a series fits a window exactly if the best one does, so however many
events come, the state stays as small as the rule.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from amagasa.detect.correlation.definition import Correlation, Expr, Join


class Step(Struct, frozen=True):
    """`rule` comes; the series was at one of the steps `after`, or begins here where `is_first`."""

    rule: int
    after: tuple[int, ...]
    is_first: bool
    length: int


class Chain(Struct, frozen=True):
    """`last` are the steps at which a series is complete. `by_rule[r]` are the steps of rule r."""

    steps: tuple[Step, ...]
    last: frozenset[int]
    by_rule: tuple[tuple[int, ...], ...]


class Unit(Struct, frozen=True):
    """A condition taken apart: either a chain, or a join of units (NOT has one)."""

    chain: int = -1
    join: Join = Join.RULE
    items: tuple["Unit", ...] = ()


def chain_of(correlation: Correlation) -> Chain:
    """The chain of a correlation judged at each event: its series of enough rules, or its condition without `not`."""
    n_rules = len(correlation.rules)
    if correlation.condition is not None:
        return _chain_of_expr(correlation.condition, n_rules)
    return counted_chain(n_rules, correlation.needed)


def counted_chain(n_rules: int, needed: int) -> Chain:
    """Series of rules in the order in which they are named; complete from `needed` different ones on."""
    wanted = max(1, needed)
    numbers = {
        (rule, length): place
        for place, (rule, length) in enumerate(
            (rule, length)
            for rule in range(n_rules)
            for length in range(1, rule + 2)
            if length + n_rules - 1 - rule >= wanted
        )
    }
    steps = tuple(
        Step(
            rule,
            tuple(numbers[one, length - 1] for one in range(rule) if (one, length - 1) in numbers),
            length == 1,
            length,
        )
        for rule, length in numbers
    )
    last = frozenset(place for (_, length), place in numbers.items() if length >= wanted)
    return Chain(steps, last, _by_rule(steps, n_rules))


def units_of(expr: Expr, n_rules: int) -> tuple[Unit, tuple[Chain, ...]]:
    """A condition with `not`: what is free of it becomes chains; `and` puts its free items into one.

    So `a and b and not c` is: b after a, and nowhere in the window a c.
    """
    chains: list[Chain] = []
    return _unit(expr, n_rules, chains), tuple(chains)


def _unit(expr: Expr, n_rules: int, chains: list[Chain]) -> Unit:
    if not expr.has_not:
        chains.append(_chain_of_expr(expr, n_rules))
        return Unit(len(chains) - 1)
    if expr.join is Join.AND:
        free = tuple(item for item in expr.items if not item.has_not)
        parts = [Expr(Join.AND, items=free)] if free else []
        parts += [item for item in expr.items if item.has_not]
        return Unit(join=Join.AND, items=tuple(_unit(part, n_rules, chains) for part in parts))
    return Unit(join=expr.join, items=tuple(_unit(item, n_rules, chains) for item in expr.items))


class _Ends(Struct, frozen=True):
    first: tuple[int, ...]
    last: tuple[int, ...]


def _chain_of_expr(expr: Expr, n_rules: int) -> Chain:
    rules: list[int] = []
    after: list[set[int]] = []
    ends = _build(expr, rules, after)
    steps = tuple(Step(rule, tuple(sorted(after[place])), place in ends.first, 0) for place, rule in enumerate(rules))
    return Chain(steps, frozenset(ends.last), _by_rule(steps, n_rules))


def _build(expr: Expr, rules: list[int], after: list[set[int]]) -> _Ends:
    """Glushkov's construction: `and` is one after the other, in the order of the rules; `or` is either."""
    if expr.join is Join.RULE:
        rules.append(expr.rule)
        after.append(set())
        return _Ends((len(rules) - 1,), (len(rules) - 1,))
    if expr.join is Join.OR:
        parts = [_build(item, rules, after) for item in expr.items]
        return _Ends(
            tuple(place for part in parts for place in part.first),
            tuple(place for part in parts for place in part.last),
        )
    parts = [_build(item, rules, after) for item in sorted(expr.items, key=_least_rule)]
    for before, then in pairwise(parts):
        for place in then.first:
            after[place].update(before.last)
    return _Ends(parts[0].first, parts[-1].last)


def _least_rule(expr: Expr) -> int:
    return expr.rule if expr.join is Join.RULE else min(_least_rule(item) for item in expr.items)


def _by_rule(steps: Sequence[Step], n_rules: int) -> tuple[tuple[int, ...], ...]:
    found: list[list[int]] = [[] for _ in range(n_rules)]
    for place, step in enumerate(steps):
        found[step.rule].append(place)
    return tuple(tuple(places) for places in found)


def holds(expr: Expr, present: Sequence[bool]) -> bool:
    """Whether an extended condition holds where exactly these rules are present, in whatever order."""
    if expr.join is Join.RULE:
        return present[expr.rule]
    if expr.join is Join.NOT:
        return not holds(expr.items[0], present)
    results = (holds(item, present) for item in expr.items)
    return all(results) if expr.join is Join.AND else any(results)


def unit_holds(unit: Unit, complete: Sequence[bool]) -> bool:
    """Whether a condition taken apart holds where exactly these chains are complete."""
    if unit.join is Join.RULE:
        return complete[unit.chain]
    if unit.join is Join.NOT:
        return not unit_holds(unit.items[0], complete)
    results = (unit_holds(item, complete) for item in unit.items)
    return all(results) if unit.join is Join.AND else any(results)

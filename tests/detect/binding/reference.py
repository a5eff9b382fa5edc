"""A plain evaluator of STIX patterns over STIX 2.0 observed-data, to hold `match` against: every binding is tried.

Written from the standard with none of the code under test but the tree. Exponential; for a handful of observations.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from amagasa.detect.stix.pattern import (
    AllOf,
    AnyOf,
    Comparison,
    During,
    Either,
    Expression,
    Followed,
    Index,
    Instant,
    Observation,
    Op,
    Repeated,
    Step,
    Test,
    Together,
    Within,
)

Seen = tuple[int, int]  # (position of the observation, which of the times it was seen)


def matches(expression: Expression, observations: list[dict[str, Any]]) -> bool:
    """Whether the pattern is satisfied."""
    return any(True for _ in bindings(expression, observations))


def bindings(node: Expression, observations: list[dict[str, Any]]) -> Iterator[frozenset[Seen]]:
    """Every set of observations that satisfies the node."""
    match node:
        case Observation(test=test):
            return _single(test, observations)
        case Either(parts=parts):
            return (binding for part in parts for binding in bindings(part, observations))
        case Together(parts=parts):
            return _products([list(bindings(part, observations)) for part in parts])
        case Followed(parts=parts):
            return _in_order([list(bindings(part, observations)) for part in parts], observations)
        case Repeated(part=part, n_times=n_times):
            return _repeated(list(bindings(part, observations)), n_times)
        case Within(part=part, duration_s=duration_s):
            length = timedelta(seconds=duration_s)
            return (one for one in bindings(part, observations) if _is_close(one, length, observations))
        case During(part=part, start=start, stop=stop):
            span = (instant(start.text), instant(stop.text))
            return (one for one in bindings(part, observations) if _is_during(one, span, observations))


def _single(test: Test, observations: list[dict[str, Any]]) -> Iterator[frozenset[Seen]]:
    for position, one in enumerate(observations):
        if any(holds(test, root, one["objects"]) for root in one["objects"].values()):
            yield from (frozenset({(position, k)}) for k in range(one["number_observed"]))


def _repeated(found: list[frozenset[Seen]], n_times: int) -> Iterator[frozenset[Seen]]:
    for chosen in combinations(found, n_times):
        if sum(map(len, chosen)) == len(frozenset().union(*chosen)):
            yield frozenset().union(*chosen)


def _is_close(binding: frozenset[Seen], length: timedelta, observations: list[dict[str, Any]]) -> bool:
    begin = min(last(one, observations) for one in binding)
    return all(first(one, observations) <= begin + length for one in binding)


def _is_during(binding: frozenset[Seen], span: tuple[datetime, datetime], observations: list[dict[str, Any]]) -> bool:
    begin, end = span
    return begin < end and all(first(one, observations) < end and last(one, observations) >= begin for one in binding)


def _products(sides: list[list[frozenset[Seen]]]) -> Iterator[frozenset[Seen]]:
    if not sides:
        yield frozenset()
        return
    for left in sides[0]:
        yield from (left | right for right in _products(sides[1:]) if not left & right)


def _in_order(sides: list[list[frozenset[Seen]]], observations: list[dict[str, Any]]) -> Iterator[frozenset[Seen]]:
    joined = sides[0]
    for side in sides[1:]:
        joined = [
            left | right
            for left in joined
            for right in side
            if not left & right
            and max(first(one, observations) for one in left) <= min(last(one, observations) for one in right)
        ]
    yield from joined


def first(one: Seen, observations: list[dict[str, Any]]) -> datetime:
    return instant(observations[one[0]]["first_observed"])


def last(one: Seen, observations: list[dict[str, Any]]) -> datetime:
    return instant(observations[one[0]]["last_observed"])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def holds(test: Test, root: dict[str, Any], objects: dict[str, Any]) -> bool:
    """Whether the object satisfies the test."""
    if isinstance(test, AllOf):
        return all(holds(part, root, objects) for part in test.parts)
    if isinstance(test, AnyOf):
        return any(holds(part, root, objects) for part in test.parts)
    if root["type"] != test.kind:
        return False
    values = list(selected(root, list(test.steps), objects))
    if test.op is Op.EXISTS:
        return bool(values) != test.is_negated
    return any(compare(test, value) for value in values)


def selected(value: Any, steps: list[Step], objects: dict[str, Any]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, Index):
        if isinstance(value, list):
            items = value if step.position is None else value[step.position : step.position + 1]
            for item in items if step.position is None or step.position >= 0 else []:
                yield from selected(item, rest, objects)
    elif isinstance(value, dict) and step in value:
        found = value[step]
        if step.endswith("_ref"):
            if found in objects:
                yield from selected(objects[found], rest, objects)
        elif step.endswith("_refs"):
            targets = [objects[ref] for ref in found if ref in objects]
            if targets:
                yield from selected(targets, rest, objects)
        else:
            yield from selected(found, rest, objects)


def compare(test: Comparison, value: Any) -> bool:
    """Over numbers, booleans and texts (times beside time constants); a wrong order of types is no, NOT or not."""
    if test.op in {Op.EQ, Op.NE, Op.IN}:
        is_one = any(_same_kind(value, constant) and value == _plain(constant) for constant in test.constants)
        return (is_one != (test.op is Op.NE)) != test.is_negated
    constant = _plain(test.constants[0])
    comparable = _same_kind(value, test.constants[0])
    answers = {
        Op.LT: lambda: value < constant,
        Op.LE: lambda: value <= constant,
        Op.GT: lambda: value > constant,
        Op.GE: lambda: value >= constant,
    }
    return (comparable and bool(answers[test.op]())) != test.is_negated


def _plain(constant: Any) -> Any:
    return constant.text if isinstance(constant, Instant) else constant


def _same_kind(value: Any, constant: Any) -> bool:
    kinds = {bool: bool, int: float, float: float, str: str, Instant: str}
    return kinds.get(type(value)) is kinds.get(type(constant)) and type(value) in kinds

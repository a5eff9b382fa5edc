"""Patterns that are more than "this or that value": tried on each combination of values that may satisfy them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from amagasa.detect.indicators.indicator import used_parts
from amagasa.detect.indicators.table import Where
from amagasa.detect.stix.comparison import holds, is_address_path
from amagasa.detect.stix.forms import Form, Property
from amagasa.detect.stix.observables import shapes_of
from amagasa.detect.stix.pattern import (
    AnyOf,
    Comparison,
    Either,
    Expression,
    Observation,
    Op,
    Test,
    comparisons_of,
    observations_of,
    parts_of,
)
from amagasa.event.record import EventBatch, Route

_Key = TypeVar("_Key")
MAX_ROUTES: Final = 4_096  # routes are made of what stands in a log: an attacker may invent new ones
MAX_OTHER_TEXTS: Final = 4_096  # of one combination of values, kept while a batch is looked at


def places_in(expression: Expression) -> set[Where]:
    """Each (kind, path) which the pattern speaks of."""
    return {
        (comparison.kind, comparison.path)
        for observation in observations_of(expression)
        for comparison in comparisons_of(observation.test)
    }


class Others(Generic[_Key]):
    """Patterns by key, ready to be tried: those which need one of a few values wait until a record shows one."""

    def __init__(self, named: Sequence[tuple[_Key, Expression]]) -> None:
        self._named = tuple(named)
        self._used = frozenset(where for _, expression in self._named for where in places_in(expression))
        self._always: list[int] = []
        self._by_text: dict[Where, dict[str, list[int]]] = {}
        self._telling: dict[str, dict[str, list[tuple[Form, Mapping[str, list[int]]]]]] = {}
        for number, (_, expression) in enumerate(self._named):
            anchors = anchors_of(expression)
            if anchors is None:
                self._always.append(number)
            for where, text in anchors or ():
                self._by_text.setdefault(where, {}).setdefault(text, []).append(number)

    def __bool__(self) -> bool:
        return bool(self._named)

    def is_always_worth_trying(self, route: Route) -> bool:
        """Whether some pattern must be tried on every event of the route that shows one of its objects."""
        if not self._always:
            return False
        shown = {(shape.kind, part.path) for shape in shapes_of(route) for part in shape.properties}
        return any(not shown.isdisjoint(places_in(self._named[number][1])) for number in self._always)

    def telling(self, route: Route) -> Mapping[str, Sequence[tuple[Form, Mapping[str, list[int]]]]]:
        """By field of the route's events, how its values are read and which of the texts some pattern waits for."""
        found = self._telling.get(route.name)
        if found is None:
            if len(self._telling) >= MAX_ROUTES:
                self._telling.clear()
            found = self._telling[route.name] = {}
            for shape in shapes_of(route) if self._by_text else ():
                for part in shape.properties:
                    texts = self._by_text.get((shape.kind, part.path))
                    for field in part.fields if texts else ():
                        found.setdefault(field, []).append((part.form, texts or {}))
        return found

    def texts_at(self, where: Where) -> Collection[str]:
        """What some pattern waits for in this place."""
        return self._by_text.get(where, ())

    def may_need(self, route: Route, field: str, value: Any) -> bool:
        """Whether some pattern waits for what this value of the field shows."""
        return any(not texts.keys().isdisjoint(form(value)) for form, texts in self.telling(route).get(field, ()))

    def tried(self, batch: EventBatch) -> Iterator[tuple[int, _Key, set[str]]]:
        """(row, key of the pattern, fields that matched) for each pattern that a record satisfies by itself."""
        columns = {field: column for column, field in enumerate(batch.fields)}
        shapes = shapes_of(batch.route)
        wanted = tuple((shape.kind, parts) for shape in shapes if (parts := used_parts(shape, self._used)))
        fields = {field for _, parts in wanted for part in parts for field in part.fields}
        needed = sorted(columns[field] for field in fields & columns.keys())
        memo: dict[str, list[tuple[_Key, set[str]]]] = {}
        for row, values in enumerate(batch.rows):
            key = repr([values[column] for column in needed])
            results = memo.get(key)
            if results is None:
                numbers = self._worth_trying(wanted, values, columns)
                objects = [(kind, _observed(parts, values, columns)) for kind, parts in wanted] if numbers else []
                tried = ((self._named[number], holds(self._named[number][1], objects)) for number in numbers)
                results = [(name, matched) for (name, _), matched in tried if matched is not None]
                if len(memo) < MAX_OTHER_TEXTS:
                    memo[key] = results
            for name, matched in results:
                yield row, name, matched

    def _worth_trying(
        self, wanted: Sequence[tuple[str, list[Property]]], values: Sequence[Any], columns: Mapping[str, int]
    ) -> list[int]:
        """The patterns which need no value, and those of which the record shows one."""
        numbers = set(self._always)
        for kind, parts in wanted:
            for part in parts:
                table = self._by_text.get((kind, part.path))
                if table:
                    numbers.update(
                        number for text, _ in _texts_of(part, values, columns) for number in table.get(text, ())
                    )
        return sorted(numbers)


def anchors_of(expression: Expression) -> list[tuple[Where, str]] | None:
    """Values of which a record must show one to satisfy the pattern; None where it may do so without any of a few."""
    if isinstance(expression, Observation):
        return _anchors_of_test(expression.test)
    found = [anchors_of(part) for part in parts_of(expression)]
    return _all_of(found) if isinstance(expression, Either) else _fewest(found)


def _anchors_of_test(test: Test) -> list[tuple[Where, str]] | None:
    if not isinstance(test, Comparison):
        found = [_anchors_of_test(part) for part in test.parts]
        return _all_of(found) if isinstance(test, AnyOf) else _fewest(found)
    if test.is_negated or test.op not in {Op.EQ, Op.IN}:
        return None
    texts = [str(constant) for constant in test.constants]
    is_prefix = is_address_path(test.kind, test.path) and any("/" in text for text in texts)
    return None if is_prefix else [((test.kind, test.path), text) for text in texts]


def _all_of(found: list[list[tuple[Where, str]] | None]) -> list[tuple[Where, str]] | None:
    known = [anchors for anchors in found if anchors is not None]
    return [one for anchors in known for one in anchors] if len(known) == len(found) else None


def _fewest(found: list[list[tuple[Where, str]] | None]) -> list[tuple[Where, str]] | None:
    return min((anchors for anchors in found if anchors is not None), key=len, default=None)


def _observed(
    parts: list[Property], values: Sequence[Any], columns: Mapping[str, int]
) -> dict[str, list[tuple[str, str]]]:
    return {part.path: _texts_of(part, values, columns) for part in parts}


def _texts_of(part: Property, values: Sequence[Any], columns: Mapping[str, int]) -> list[tuple[str, str]]:
    """What the record shows of a property, each text with the field it stands in."""
    return [(text, field) for field in part.fields if field in columns for text in part.form(values[columns[field]])]

"""Patterns that are more than "this or that value": tried one by one on each combination of values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from amagasa.detect.indicators.indicator import used_parts
from amagasa.detect.indicators.table import Where
from amagasa.detect.stix.comparison import holds
from amagasa.detect.stix.forms import Property
from amagasa.detect.stix.observables import shapes_of
from amagasa.detect.stix.pattern import Expression, comparisons_of, observations_of
from amagasa.event.record import EventBatch

_Key = TypeVar("_Key")
MAX_OTHER_TEXTS: Final = 4_096  # of one combination of values, kept while a batch is looked at


def places_in(expression: Expression) -> set[Where]:
    """Each (kind, path) which the pattern speaks of."""
    return {
        (comparison.kind, comparison.path)
        for observation in observations_of(expression)
        for comparison in comparisons_of(observation.test)
    }


def try_others(batch: EventBatch, others: Sequence[tuple[_Key, Expression]]) -> Iterator[tuple[int, _Key, set[str]]]:
    """(row, key of the pattern, fields that matched) for each pattern that a record satisfies by itself."""
    columns = {field: column for column, field in enumerate(batch.fields)}
    used = frozenset(where for _, expression in others for where in places_in(expression))
    wanted = tuple((shape.kind, parts) for shape in shapes_of(batch.route) if (parts := used_parts(shape, used)))
    fields = {field for _, parts in wanted for part in parts for field in part.fields}
    needed = sorted(columns[field] for field in fields & columns.keys())
    memo: dict[str, list[tuple[_Key, set[str]]]] = {}
    for row, values in enumerate(batch.rows):
        key = repr([values[column] for column in needed])
        results = memo.get(key)
        if results is None:
            objects = [(kind, _observed(parts, values, columns)) for kind, parts in wanted]
            tried = ((name, holds(expression, objects)) for name, expression in others)
            results = [(name, matched) for name, matched in tried if matched is not None]
            if len(memo) < MAX_OTHER_TEXTS:
                memo[key] = results
        for name, matched in results:
            yield row, name, matched


def _observed(
    parts: list[Property], values: Sequence[Any], columns: Mapping[str, int]
) -> dict[str, list[tuple[str, str]]]:
    return {
        part.path: [
            (text, field) for field in part.fields if field in columns for text in part.form(values[columns[field]])
        ]
        for part in parts
    }

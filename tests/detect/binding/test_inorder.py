"""The order in which the OASIS matcher finds its bindings."""

import pytest

from amagasa.detect.binding.inorder import first_in_order
from amagasa.detect.binding.solve import Answer, Pool
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import PatternFault

A, B = "[a:b = 1]", "[a:c = 1]"
TEN = Pool(range(10), range(10), [1] * 10)


def first(pattern: str, *hits: list[int], pool: Pool = TEN) -> set[int] | Answer:
    expression = parse(pattern)
    assert not isinstance(expression, PatternFault)
    found = first_in_order(expression, hits, pool)
    return set(found) if isinstance(found, frozenset) else found


@pytest.mark.parametrize(
    ("pattern", "hits", "expected"),
    [
        (A, [[3, 1]], {3}),
        (f"{A} OR {B}", [[], [4]], {4}),
        (f"{A} OR {B}", [[5], [4]], {5}),
        (f"{A} AND {B}", [[1, 2], [1, 2]], {1, 2}),
        (f"{A} AND {B}", [[7, 1], [7, 2]], {7, 2}),
        (f"{A} FOLLOWEDBY {B}", [[5, 1], [3, 6]], {5, 6}),
        (f"{A} REPEATS 2 TIMES", [[9, 4, 1]], {9, 4}),
        (f"{A} REPEATS 2 TIMES WITHIN 0.000001 SECONDS", [[9, 4, 1, 5]], {4, 5}),
        (f"{A} REPEATS 3 TIMES", [[1, 2]], Answer.NONE),
        (f"{A} AND {B}", [[1], [1]], Answer.NONE),
    ],
)
def test_first_in_order_is_that_of_the_joins(pattern: str, hits: list[list[int]], expected: set[int] | Answer) -> None:
    assert first(pattern, *hits) == expected


def test_first_in_order_alternative_that_takes_long_is_not_waited_for() -> None:
    long = f"{B} REPEATS 9 TIMES WITHIN 0.000001 SECONDS"
    hits = list(range(200))
    pool = Pool(range(0, 2000, 10), range(0, 2000, 10), [1] * 200)
    assert first(long, hits, pool=pool) is Answer.UNKNOWN
    assert first(f"{A} OR {long}", [7], hits, pool=pool) == {7}


def test_first_in_order_of_very_many_is_left_to_the_solver() -> None:
    assert first(f"{A} REPEATS 101 TIMES", list(range(10))) is Answer.UNKNOWN

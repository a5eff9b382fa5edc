"""Patterns as demands: OR chosen, REPEATS counted, time as bounds between blocks."""

import pytest

from amagasa.detect.binding.terms import Block, Bound, Demands, Term, demands_of
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import PatternFault

A, B, C, D = "[a:b = 1]", "[a:c = 1]", "[a:d = 1]", "[a:e = 1]"
SPAN = "START t'1970-01-01T00:00:01Z' STOP t'1970-01-01T00:00:02.5Z'"


def demands(pattern: str) -> Demands:
    expression = parse(pattern)
    assert not isinstance(expression, PatternFault)
    found = demands_of(expression)
    assert isinstance(found, Demands)
    return found


def test_demands_alternatives_of_one_observation_are_one_leaf() -> None:
    assert demands(f"{A} OR {B} {SPAN}") == Demands(
        (((0, ()), (1, ((1_000_000, 2_500_000),))),), (Term((Block(0, 1),), ()),)
    )


def test_demands_other_alternatives_are_terms_of_their_own() -> None:
    assert [len(term.blocks) for term in demands(f"({A} OR {B} AND {C}) AND {D}").terms] == [2, 3]


def test_demands_repetitions_without_an_order_of_their_own_are_counted() -> None:
    assert demands(f"({A} AND {B} REPEATS 2 TIMES) REPEATS 500 TIMES").terms == (
        Term((Block(0, 500), Block(1, 1000)), ()),
    )


def test_demands_repetitions_of_an_order_are_written_out() -> None:
    assert demands(f"({A} FOLLOWEDBY {B}) REPEATS 2 TIMES").terms == (
        Term((Block(0, 1), Block(1, 1), Block(0, 1), Block(1, 1)), (Bound((0,), (1,), 0), Bound((2,), (3,), 0))),
    )


def test_demands_repetitions_of_alternatives_are_chosen() -> None:
    terms = demands(f"({A} OR {B} AND {C}) REPEATS 2 TIMES").terms
    assert [[block.n for block in term.blocks] for term in terms] == [[2], [1, 1, 1], [2, 2]]


def test_demands_order_and_windows_are_bounds() -> None:
    assert demands(f"{A} FOLLOWEDBY {B} FOLLOWEDBY ({C} AND {D}) WITHIN 0.5 SECONDS").terms == (
        Term(
            (Block(0, 1), Block(1, 1), Block(2, 1), Block(3, 1)),
            (Bound((2, 3), (2, 3), 500_000), Bound((0,), (1,), 0), Bound((0, 1), (2, 3), 0)),
        ),
    )


def test_demands_window_around_one_observation_is_none() -> None:
    assert demands(f"{A} WITHIN 1 SECONDS").terms == (Term((Block(0, 1),), ()),)


@pytest.mark.parametrize(
    "pattern",
    [
        f"({A} FOLLOWEDBY {B}) REPEATS 100000 TIMES",
        f"({A} OR {B} AND {C}) REPEATS 100000 TIMES",
        " AND ".join([f"({A} OR {B} AND {C})"] * 13),
        " FOLLOWEDBY ".join([A] * 3_000),
        f"(({A} OR {B} AND {C}) REPEATS 60 TIMES AND {A}) REPEATS 60 TIMES",
    ],
)
def test_demands_too_many_alternatives_are_refused_with_the_reason(pattern: str) -> None:
    expression = parse(pattern)
    assert not isinstance(expression, PatternFault)
    found = demands_of(expression)
    assert isinstance(found, str)
    assert "alternatives" in found

"""Demands met by observations: without and with sharing, and where the budget ends."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.binding.solve import Answer, Pool, candidates_of, solve
from amagasa.detect.binding.terms import Block, Bound, Term

EVERYONE = (0, 1, 2)


def taken(term: Term, pool: Pool, leaves: list[list[int]], max_looks: int = 10_000) -> list[dict[int, int]] | Answer:
    return solve([term], pool, [candidates_of(leaf, pool) for leaf in leaves], max_looks)


def points(*instants: int) -> Pool:
    return Pool(instants, instants, [1] * len(instants))


def test_solve_takes_the_earliest_which_keep_the_bounds() -> None:
    pool = points(0, 10, 12, 13, 30)
    term = Term((Block(0, 1), Block(1, 2)), (Bound((0, 1), (0, 1), 3),))
    assert taken(term, pool, [[0, 1], [0, 2, 3, 4]]) == [{1: 1}, {2: 1, 3: 1}]


def test_solve_observation_seen_often_serves_often() -> None:
    pool = Pool([0, 5], [0, 5], [2, 3])
    assert taken(Term((Block(0, 4),), ()), pool, [[0, 1]]) == [{0: 2, 1: 2}]
    assert taken(Term((Block(0, 6),), ()), pool, [[0, 1]]) is Answer.NONE


def test_solve_rest_of_an_observation_is_used_when_earlier_ones_fall_away() -> None:
    pool = Pool([0, 1, 9], [0, 9, 9], [1, 5, 1])
    term = Term((Block(0, 2), Block(1, 1)), (Bound((0, 1), (0, 1), 2),))
    assert taken(term, pool, [[0, 1], [2]]) == [{1: 2}, {2: 1}]


def test_solve_those_wanted_by_two_go_where_nothing_else_does() -> None:
    term = Term((Block(0, 1), Block(1, 1)), ())
    assert taken(term, points(0, 1), [[0, 1], [0]]) == [{1: 1}, {0: 1}]
    assert taken(term, points(0), [[0], [0]]) is Answer.NONE


def test_solve_contest_under_a_bound_goes_on_to_later_observations() -> None:
    term = Term((Block(0, 1), Block(0, 1)), (Bound((0, 1), (0, 1), 1),))
    assert taken(term, points(0, 5, 6), [[0, 1, 2]]) in ([{1: 1}, {2: 1}], [{2: 1}, {1: 1}])


def test_solve_first_term_that_can_be_met_counts() -> None:
    pool = points(0, 1)
    leaves = [candidates_of([1], pool), candidates_of([0], pool)]
    assert solve([Term((Block(0, 2),), ()), Term((Block(1, 1),), ())], pool, leaves) == [{0: 1}]


def test_solve_budget_ends_the_search() -> None:
    term = Term(tuple(Block(0, 1) for _ in EVERYONE), (Bound(EVERYONE, EVERYONE, 1),))
    spread = points(*range(0, 3000, 2))
    assert taken(term, spread, [list(range(1500))], max_looks=100) is Answer.UNKNOWN
    assert taken(term, spread, [list(range(1500))], max_looks=1_000_000) is Answer.NONE


SPANS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=5)
BOUNDS = st.lists(
    st.builds(
        Bound,
        st.sampled_from([(0,), (1,), (0, 1), EVERYONE]),
        st.sampled_from([(2,), (1,), (1, 2), EVERYONE]),
        st.integers(-2, 4),
    ),
    max_size=3,
)
LEAVES = st.lists(st.sets(st.integers(0, 4)), min_size=3, max_size=3)


def is_met(bounds: list[Bound], chosen: tuple[int, ...], pool: Pool) -> bool:
    return all(
        pool.firsts[chosen[i]] <= pool.lasts[chosen[j]] + bound.slack_us
        for bound in bounds
        for i in bound.before
        for j in bound.after
    )


@given(SPANS, BOUNDS, LEAVES)
def test_solve_finds_a_solution_where_trying_all_finds_one(
    spans: list[tuple[int, int]], bounds: list[Bound], leaves: list[set[int]]
) -> None:
    pool = Pool([begin for begin, _ in spans], [begin + length for begin, length in spans], [1] * len(spans))
    usable = [sorted(one for one in leaf if one < len(spans)) for leaf in leaves]
    there_is = any(
        all(chosen[i] in usable[i] for i in EVERYONE) and is_met(bounds, chosen, pool)
        for chosen in permutations(range(len(spans)), 3)
    )
    found = taken(Term(tuple(Block(i, 1) for i in EVERYONE), tuple(bounds)), pool, usable, 1_000_000)
    assert isinstance(found, list) == there_is
    if isinstance(found, list):
        chosen = tuple(next(iter(block)) for block in found)
        assert len(set(chosen)) == 3
        assert is_met(bounds, chosen, pool)


def test_candidates_window_holds_all_that_may_be_meant() -> None:
    pool = Pool([0, 1, 2, 9], [0, 8, 2, 9], [1] * 4)
    candidates = candidates_of([3, 2, 1, 0], pool)
    assert list(candidates.positions) == [0, 1, 2, 3]
    assert candidates.window(5, 8) == (1, 3)
    assert candidates.window(-5, 100) == (0, 4)
    assert candidates.window(10, 100) == (4, 4)


@pytest.mark.parametrize("n", [1, 5])
def test_solve_is_empty_without_candidates(n: int) -> None:
    assert taken(Term((Block(0, n),), ()), points(), [[]]) is Answer.NONE

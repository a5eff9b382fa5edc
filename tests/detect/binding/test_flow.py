"""A flow shares out what is wanted by several."""

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.binding.flow import distribute


def test_distribute_moves_earlier_shares_aside() -> None:
    assert distribute([1, 1, 1], [[0, 1], [0], [1, 2]], [1, 1, 1]) == [{1: 1}, {0: 1}, {2: 1}]


def test_distribute_counts_are_not_exceeded() -> None:
    assert distribute([3, 2], [[0, 1], [0]], [3, 2]) == [{0: 1, 1: 2}, {0: 2}]
    assert distribute([3, 3], [[0, 1], [0]], [3, 2]) is None


def test_distribute_chain_of_replacements_is_followed_to_its_end() -> None:
    usable = [[i, i + 1] for i in range(50)]
    assert distribute([1] * 51, [*usable, [0]], [1] * 51) is not None
    assert distribute([1] * 52, [*usable, [0], [50]], [1] * 51) is None


def test_distribute_nothing_wanted_is_given() -> None:
    assert distribute([], [], []) == []


def _fits(wanted: list[int], usable: list[list[int]], counts: list[int]) -> bool:
    """By trying: one unit after the other to each who may have it."""
    if not any(wanted):
        return True
    i = next(k for k, n in enumerate(wanted) if n)
    less = [n - (k == i) for k, n in enumerate(wanted)]
    return any(
        counts[one] > 0 and _fits(less, usable, [n - (k == one) for k, n in enumerate(counts)]) for one in usable[i]
    )


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(0, 3))), max_size=4),
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_distribute_gives_exactly_what_is_wanted_or_says_that_it_cannot(
    blocks: list[tuple[int, set[int]]], counts: list[int]
) -> None:
    wanted = [n for n, _ in blocks]
    usable = [sorted(ones) for _, ones in blocks]
    found = distribute(wanted, usable, counts)
    assert (found is not None) == _fits(wanted, usable, counts)
    if found is not None:
        assert [sum(block.values()) for block in found] == wanted
        assert all(set(block) <= set(ones) for block, ones in zip(found, usable, strict=True))
        assert all(sum(block.get(one, 0) for block in found) <= counts[one] for one in range(4))

"""A record checked part by part: the same answer as at once, and whatever was altered is found."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.ledger import Act, Leaf, Misfit, leaf_bytes
from amagasa.share.merkle import Frontier, leaf_hash, root_of
from amagasa.share.record_check import check_heads, go_on, leaf_of, prove
from tests.share.samples import JAPAN_ID
from tests.share.test_ledger import KEYS, head_over, made

ABOUT = ("a", JAPAN_ID)


def rows_of(leaves: list[Leaf]) -> list[tuple[int, bytes]]:
    return [(number, leaf_bytes(leaf)) for number, leaf in enumerate(leaves)]


class Roots:
    """Roots of perfect subtrees, from all leaves."""

    def __init__(self, leaves: list[Leaf]) -> None:
        self._hashes = [leaf_hash(leaf_bytes(leaf)) for leaf in leaves]

    def __call__(self, level: int, index: int) -> bytes:
        some = self._hashes[index << level : (index + 1) << level]
        if len(some) != 1 << level:
            raise LookupError
        return root_of(some)


@settings(deadline=None)
@given(n=st.integers(0, 40), cut=st.integers(0, 40))
def test_record_in_two_parts_ends_in_the_tree_of_all(n: int, cut: int) -> None:
    rows, heads = rows_of(made(n)), [head_over(made(n // 2))]
    first = go_on(Frontier(), rows[:cut], heads)
    assert isinstance(first, Frontier)
    whole = go_on(first, rows[cut:], heads)
    assert isinstance(whole, Frontier)
    assert whole.root == root_of([leaf_hash(data) for _, data in rows])


@settings(deadline=None)
@given(n=st.integers(1, 30), place=st.integers(0, 29))
def test_record_with_a_leaf_altered_stops_there_or_right_behind(n: int, place: int) -> None:
    place %= n
    rows = rows_of(made(n))
    rows[place] = (place, leaf_bytes(replace(made(n)[place], act=Act.REFUSAL)))
    found = go_on(Frontier(), rows, [head_over(made(n))])
    assert isinstance(found, Misfit)
    assert found.leaf in {place, place + 1}


def test_record_with_a_leaf_missing_says_which() -> None:
    rows = rows_of(made(9))
    found = go_on(Frontier(), [*rows[:4], *rows[5:]], [])
    assert found == Misfit(leaf=4, why="this leaf is not there")


def test_record_built_anew_does_not_go_through_the_head() -> None:
    other = made(9, why=lambda number: f"another {number}")
    found = go_on(Frontier(), rows_of(other), [head_over(made(5))])
    assert isinstance(found, Misfit)
    assert found.leaf == 4


@given(data=st.binary(max_size=300))
def test_bytes_that_nobody_wrote_are_no_leaf(data: bytes) -> None:
    leaf = leaf_of(data)
    assert leaf is None or leaf_bytes(leaf) == data


def test_leaf_written_in_another_way_is_none() -> None:
    data = leaf_bytes(made(1)[0])
    assert leaf_of(data) == made(1)[0]
    assert leaf_of(data.replace(b'","', b'", "', 1)) is None
    assert leaf_of(b"[" * 100_000) is None


@settings(deadline=None)
@given(n=st.integers(1, 40), place=st.integers(0, 39))
def test_leaf_is_proved_in_its_place_and_another_is_not(n: int, place: int) -> None:
    place %= n
    leaves = made(n)
    tree = (n, root_of([leaf_hash(leaf_bytes(leaf)) for leaf in leaves]).hex())
    assert prove(leaf_bytes(leaves[place]), place, tree, subtree=Roots(leaves)).why == ""
    other = leaf_bytes(replace(leaves[place], why="another"))
    assert prove(other, place, tree, subtree=Roots(leaves)).why == "the leaf is not the one that stood there"


def test_leaf_of_a_record_with_gaps_is_not_proved() -> None:
    leaves = made(8)
    proved = prove(leaf_bytes(leaves[0]), 0, (8, "ab" * 32), subtree=Roots(leaves[:5]))
    assert (proved.why, proved.path) == ("leaves are missing", ())


def test_heads_of_a_record_that_only_grew_all_hold() -> None:
    leaves = made(12)
    heads = [head_over(leaves[:n], is_counter=True) for n in (1, 5, 8, 12)]
    now = (12, heads[-1].head.root)
    checked = check_heads(heads, now, about=ABOUT, keys=KEYS, subtree=Roots(leaves))
    assert [one.why for one in checked] == ["", "", "", ""]
    assert checked[0].n_hashes > 0


def test_heads_of_which_one_was_forged_forked_or_longer_are_named() -> None:
    leaves = made(12)
    fork = head_over(made(5, why=lambda number: f"another {number}"))
    forged = replace(head_over(leaves[:8]), signature="A" * 86)
    ahead = head_over(made(14))
    now = (12, head_over(leaves).head.root)
    why = [
        check_heads([head], now, about=ABOUT, keys=KEYS, subtree=Roots(leaves))[0].why
        for head in (fork, forged, ahead, replace(fork, head=replace(fork.head, root="no hash")))
    ]
    assert why[0] == why[2] == "what was recorded after it does not go on from it"
    assert "is not signed by" in why[1]
    assert "is not signed by" in why[3]


def test_heads_of_an_empty_record_hold() -> None:
    empty = head_over([])
    checked = check_heads([empty], (0, empty.head.root), about=ABOUT, keys=KEYS, subtree=Roots([]))
    assert [one.why for one in checked] == [""]

"""A record that one holds, checked part by part: what was checked before is a frontier, so nothing is read twice."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.share.heads import proof_between
from amagasa.share.ledger import Leaf, Misfit, SignedHead, altered, leaf_bytes, misplaced, untrue
from amagasa.share.merkle import (
    Frontier,
    SubtreeRoot,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    range_root,
)

_ROOT: Final = re.compile("[0-9a-f]{64}")


class Proved(Struct, frozen=True, kw_only=True):
    """That a leaf of this hash stands in the tree of `n_leaves` leaves with this root (RFC 9162 section 2.1.3).

    `path` are the hashes from the leaf up. Where it does not hold, `why` says so and the path may be empty.
    """

    hash: str
    n_leaves: int
    root: str
    path: tuple[str, ...] = ()
    why: str = ""


class CheckedHead(Struct, frozen=True, kw_only=True):
    """A head, and why it does not hold; "" where it does. `n_hashes`: of the proof that it goes on from the last."""

    signed: SignedHead
    n_hashes: int = 0
    why: str = ""


def leaf_of(data: bytes) -> Leaf | None:
    """A leaf as it was written down; None where these bytes are none, or are another's way to write it."""
    try:
        leaf = msgspec.json.decode(data, type=Leaf)
        return leaf if leaf_bytes(leaf) == data else None
    except (ValueError, RecursionError):
        return None


def go_on(tree: Frontier, rows: Iterable[tuple[int, bytes]], heads: Sequence[SignedHead]) -> Frontier | Misfit:
    """The tree with these leaves (numbers and bytes, in order), or the first that does not follow.

    It must go through each head whose number of leaves is reached. Linear in the leaves.
    """
    wanted: dict[int, list[SignedHead]] = {}
    for signed in heads:
        wanted.setdefault(signed.head.n_leaves, []).append(signed)
    for number, data in rows:
        if number != tree.n:
            return Misfit(leaf=tree.n, why="this leaf is not there")
        leaf = leaf_of(data)
        why = "this line is no leaf" if leaf is None else misplaced(leaf, tree)
        if why:
            return Misfit(leaf=tree.n, why=why)
        tree = tree.append(leaf_hash(data))
        for signed in wanted.get(tree.n, ()):
            if signed.head.root != tree.root.hex():
                return altered(signed.head)
    return tree


def prove(data: bytes, index: int, tree: tuple[int, str], *, subtree: SubtreeRoot) -> Proved:
    """That leaf `index` is in `tree` (its leaves and its root in hex); a few dozen look-ups."""
    n, root = tree
    held = leaf_hash(data)
    bare = Proved(hash=held.hex(), n_leaves=n, root=root)
    try:
        path = tuple(range_root(one, subtree) for one in inclusion_ranges(index, n))
    except LookupError:
        return replace(bare, why="leaves are missing")
    is_in = is_included(held, index, n, proof=path, root=bytes.fromhex(root))
    return replace(
        bare, path=tuple(one.hex() for one in path), why="" if is_in else "the leaf is not the one that stood there"
    )


def check_heads(
    heads: Sequence[SignedHead],
    now: tuple[int, str],
    *,
    about: tuple[str, str],
    keys: Mapping[str, str],
    subtree: SubtreeRoot,
) -> list[CheckedHead]:
    """Each head of `about` (agreement, party): its signatures, and that the record went on from it to the next.

    `heads` stand in the order of their leaves; the last goes on to the tree of `now` (its leaves and root).
    """
    checked: list[CheckedHead] = []
    trees = [*((one.head.n_leaves, one.head.root) for one in heads[1:]), now]
    for signed, after in zip(heads, trees, strict=True) if heads else ():
        why = untrue(signed, about, keys)
        n_hashes, gap = _goes_on((signed.head.n_leaves, signed.head.root), after, subtree)
        checked.append(CheckedHead(signed=signed, n_hashes=n_hashes, why=why or gap))
    return checked


def _goes_on(before: tuple[int, str], after: tuple[int, str], subtree: SubtreeRoot) -> tuple[int, str]:
    """(hashes of the proof, why it fails)."""
    if before[0] == 0:
        return 0, "" if before[1] == Frontier().root.hex() else "it counts no leaf and has another root"
    if _ROOT.fullmatch(before[1]) is None or _ROOT.fullmatch(after[1]) is None:
        return 0, "its root is no hash"
    try:
        proof = [bytes.fromhex(one) for one in proof_between(before[0], after[0], subtree)]
    except LookupError:
        return 0, "leaves are missing"
    is_one = is_consistent(before[0], bytes.fromhex(before[1]), after[0], bytes.fromhex(after[1]), proof=proof)
    return len(proof), "" if is_one else "what was recorded after it does not go on from it"

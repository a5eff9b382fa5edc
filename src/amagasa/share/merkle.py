"""The Merkle tree of RFC 9162 section 2.1 over SHA-256: roots from a frontier, proofs, and their verification.

A frontier holds the roots of the perfect trees that make up a tree of n leaves, the largest first: log2(n) hashes are
enough to append and to know the root. A proof needs roots of ranges of leaves: whoever keeps those of the larger
perfect subtrees (`Frontier.grow` gives them as they come about) makes one with a few dozen look-ups.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

EMPTY: Final = hashlib.sha256(b"").digest()
# Perfect subtrees of at least 2**8 leaves are worth keeping: one row for 128 leaves, and a proof reads a few hundred.
KEPT_LEVEL: Final = 8

# Leaves from the first on up to, and without, the second.
Range: TypeAlias = tuple[int, int]
# The root of the perfect subtree of this level (2**level leaves) and of this number among those of its level.
SubtreeRoot: TypeAlias = Callable[[int, int], bytes]


class Subtree(Struct, frozen=True, kw_only=True):
    """A perfect subtree of 2**`level` leaves, the `index`th of its level, and its root."""

    level: int
    index: int
    root: bytes


class Frontier(Struct, frozen=True, kw_only=True):
    """A tree of `n` leaves; `peaks` are the roots of its perfect parts."""

    n: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """With one more leaf, of which this is the hash."""
        return self.grow(leaf)[0]

    def grow(self, leaf: bytes) -> tuple["Frontier", tuple[Subtree, ...]]:
        """As `append`, and the perfect subtrees of KEPT_LEVEL and above that this leaf completes."""
        peaks, size, root, level = list(self.peaks), self.n, leaf, 0
        made: tuple[Subtree, ...] = ()
        while size & 1:
            root = node_hash(peaks.pop(), root)
            size >>= 1
            level += 1
            if level >= KEPT_LEVEL:
                made += (Subtree(level=level, index=self.n >> level, root=root),)
        return Frontier(n=self.n + 1, peaks=(*peaks, root)), made

    @property
    def root(self) -> bytes:
        """The root of the tree (section 2.1.1)."""
        if not self.peaks:
            return EMPTY
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def leaf_hash(data: bytes) -> bytes:
    """Of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Of these leaf hashes, by the definition (section 2.1.1)."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def range_root(wanted: Range, subtree: SubtreeRoot) -> bytes:
    """The root over these leaves, at least one, as it stands in a proof: the beginning is where a subtree begins."""
    start, end = wanted
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    split = start + _split(size)
    return node_hash(range_root((start, split), subtree), range_root((split, end), subtree))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """That leaf `index` is in the tree (section 2.1.3.1)."""
    return tuple(root_of(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves)))


def inclusion_ranges(index: int, n: int) -> tuple[Range, ...]:
    """Of which leaves the proof holds the roots, that leaf `index` is in a tree of `n`, in its order."""
    ranges: list[Range] = []
    start, end = 0, n
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return tuple(reversed(ranges))


def is_included(leaf: bytes, index: int, n: int, *, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows it (section 2.1.3.2)."""
    if not 0 <= index < n:
        return False
    first, last, found = index, n - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            found = node_hash(step, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, step)
        first, last = first >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], before: int) -> tuple[bytes, ...]:
    """That the first `before` leaves are the beginning of the tree (section 2.1.4.1); 0 < before <= all."""
    return tuple(root_of(leaves[start:end]) for start, end in consistency_ranges(before, len(leaves)))


def consistency_ranges(before: int, n: int) -> tuple[Range, ...]:
    """Of which leaves that proof holds the roots, in its order (SUBPROOF of section 2.1.4.1); () for before 0 or n."""
    if not 0 < before < n:
        return ()
    ranges: list[Range] = []
    start, end = 0, n
    while before != end:
        split = start + _split(end - start)
        if before <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    # What is left of the old tree is known to whoever knows its root, unless it is only a part of it.
    return ((start, end), *reversed(ranges)) if start else tuple(reversed(ranges))


def is_consistent(before: int, root_before: bytes, after: int, root_after: bytes, *, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `after` leaves only appended to that of `before` (section 2.1.4.2)."""
    if before == after:
        return not proof and root_before == root_after
    if not 0 < before < after or not proof:
        return False
    steps = list(proof) if before & (before - 1) else [root_before, *proof]
    first, last = before - 1, after - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = node_hash(new, step)
        first, last = first >> 1, last >> 1
    return last == 0 and old == root_before and new == root_after


def _split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1

"""The Merkle tree of RFC 9162 section 2.1 over SHA-256: roots from a frontier, proofs, and their verification.

A frontier holds the roots of the perfect trees that make up a tree of n leaves, the largest first: log2(n) hashes are
enough to append and to know the root.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

EMPTY: Final = hashlib.sha256(b"").digest()


class Frontier(Struct, frozen=True, kw_only=True):
    """A tree of `n` leaves; `peaks` are the roots of its perfect parts."""

    n: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """With one more leaf, of which this is the hash."""
        peaks, size, root = list(self.peaks), self.n, leaf
        while size & 1:
            root = node_hash(peaks.pop(), root)
            size >>= 1
        return Frontier(n=self.n + 1, peaks=(*peaks, root))

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


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """That leaf `index` is in the tree (section 2.1.3.1)."""
    if len(leaves) <= 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*inclusion_proof(leaves[:split], index), root_of(leaves[split:]))
    return (*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split]))


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
    return _subproof(leaves, before, is_whole=True)


def _subproof(leaves: Sequence[bytes], before: int, *, is_whole: bool) -> tuple[bytes, ...]:
    if before == len(leaves):
        return () if is_whole else (root_of(leaves),)
    split = _split(len(leaves))
    if before <= split:
        return (*_subproof(leaves[:split], before, is_whole=is_whole), root_of(leaves[split:]))
    return (*_subproof(leaves[split:], before - split, is_whole=False), root_of(leaves[:split]))


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

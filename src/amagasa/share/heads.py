"""Tree heads that two parties show each other: checked against what each held before, countersigned or found false.

Whoever signs a head binds itself to all leaves up to it. The next head must be shown to hold the one before as its
beginning (RFC 9162 section 2.1.4); a party which rewrites its record, shows two, or goes back to an older one cannot.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from amagasa.share.ledger import SignedHead, is_signed
from amagasa.share.merkle import SubtreeRoot, consistency_ranges, is_consistent, range_root

MAX_PROOF: Final = 128  # hashes: a tree of 2**64 leaves needs fewer
MAX_KEPT: Final = 100
_NEWEST: Final = 40
_ROOT: Final = re.compile("[0-9a-f]{64}")

Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Proof = Annotated[tuple[Hash, ...], Meta(max_length=MAX_PROOF)]


class HeadFault(StrEnum):
    """What is wrong with a head. `LOST` is our own doing: the ally holds one which our record no longer has."""

    FORGED = "AMG-HEAD-FORGED"
    OTHER = "AMG-HEAD-OTHER"
    OLD = "AMG-HEAD-OLD"
    FORKED = "AMG-HEAD-FORKED"
    REWRITTEN = "AMG-HEAD-REWRITTEN"
    LOST = "AMG-HEAD-LOST"


class Whose(Struct, frozen=True, kw_only=True):
    """Whose record under which agreement, and that party's Ed25519 public key."""

    agreement: str
    party: str
    key: str


class Shown(Struct, frozen=True, kw_only=True):
    """A head, and the proof that the tree of `since` leaves is its beginning."""

    head: SignedHead
    since: int = 0
    proof: Proof = ()


def fault_of(shown: Shown, whose: Whose, held: Sequence[SignedHead]) -> HeadFault | None:
    """What is wrong with it, given the heads of this record that we countersigned, the newest last; None: nothing.

    A proof that begins elsewhere than at the newest we hold proves nothing: ask `wants_proof` first.
    """
    head = shown.head.head
    is_ours = (head.agreement, head.party) == (whose.agreement, whose.party)
    if not is_ours or head.n_leaves < 0 or _ROOT.fullmatch(head.root) is None:
        return HeadFault.OTHER
    if not is_signed(shown.head, whose.key):
        return HeadFault.FORGED
    if any(one.head.n_leaves == head.n_leaves and one.head.root != head.root for one in held):
        return HeadFault.FORKED
    newest = held[-1].head if held else None
    if newest is None or newest.root == head.root:
        return None
    if head.n_leaves < newest.n_leaves:
        return HeadFault.OLD
    return None if newest.n_leaves == 0 or _goes_on(shown, newest.root) else HeadFault.REWRITTEN


def wants_proof(shown: Shown, held: Sequence[SignedHead]) -> SignedHead | None:
    """The head of ours from which the proof must begin, where it begins elsewhere; None where it will do."""
    newest = held[-1] if held else None
    if newest is None or newest.head.n_leaves == 0 or shown.head.head.n_leaves <= newest.head.n_leaves:
        return None
    return newest if shown.since != newest.head.n_leaves else None


def proof_between(before: int, n: int, subtree: SubtreeRoot) -> Proof:
    """That the first `before` leaves are the beginning of the `n`. Raises LookupError where leaves are missing."""
    return tuple(range_root(one, subtree).hex() for one in consistency_ranges(before, n))


def thinned(heads: Sequence[SignedHead]) -> tuple[SignedHead, ...]:
    """At most MAX_KEPT: the newest, and of the older ones every other, so that they span the record's life."""
    kept = list(heads)
    while len(kept) > MAX_KEPT:
        older, newer = kept[:-_NEWEST], kept[-_NEWEST:]
        kept = [*older[::2], *newer]
    return tuple(kept)


def _goes_on(shown: Shown, root: str) -> bool:
    proof = [bytes.fromhex(one) for one in shown.proof]
    head = shown.head.head
    return is_consistent(shown.since, bytes.fromhex(root), head.n_leaves, bytes.fromhex(head.root), proof=proof)

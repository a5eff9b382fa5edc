"""The record of an agreement, leaf by leaf and head by head, as people and tools see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from amagasa.app.head_book import FoundFault
from amagasa.app.views import Named, named
from amagasa.share.heads import Hash
from amagasa.share.ledger import Leaf, Misfit, SignedHead
from amagasa.share.merkle import Frontier
from amagasa.share.record_check import CheckedHead
from amagasa.vocab.text import show

MAX_PEAKS: Final = 62


class PartyKey(Struct, frozen=True, kw_only=True):
    """With which key a party signs: Ed25519, base64url."""

    party: Named
    is_ours: bool
    key: str


class HeadView(Struct, frozen=True, kw_only=True):
    """A tree head; `countersigned_by` is None until the other party put its word to it."""

    n_leaves: int
    root: str
    at: str
    by: Named
    countersigned_by: Named | None


class FaultView(Struct, frozen=True, kw_only=True):
    """What was wrong with a head that the ally showed, or with our own record; `heads` prove it."""

    at: datetime
    code: str
    why: str
    heads: list[HeadView]


class LedgerView(Struct, frozen=True, kw_only=True):
    """The record under one agreement; nothing is recorded where `n_leaves` is 0.

    `ours` are heads of our record that the ally countersigned, `theirs` those of its record that we did, the newest
    first. `exchanged_at` is when heads were last exchanged; None where they never were. `title` is "" and there are no
    keys where the agreement is not held any more.
    """

    agreement: str
    title: str
    ally: Named | None
    is_in_force: bool
    n_leaves: int
    root: str
    keys: list[PartyKey]
    ours: list[HeadView]
    theirs: list[HeadView]
    exchanged_at: datetime | None
    faults: list[FaultView]


class LeafView(Struct, frozen=True, kw_only=True):
    """One act. `fault`: what stands under this number is no leaf, and why; then the other fields are empty."""

    n: int
    at: str
    act: str
    ally: Named | None
    object_id: str
    object_type: str
    version: str
    clause: str
    marking: str
    content: str
    by: str
    why: str
    terms: str
    fault: str


class LeavesView(Struct, frozen=True, kw_only=True):
    """A page of leaves, the newest first. `next` is None at the end.

    It was looked down to number `looked_to`: with a filter a page may be short, or empty, and there may be more.
    """

    leaves: list[LeafView]
    next: int | None
    looked_to: int
    n_leaves: int


class LeafProof(Struct, frozen=True, kw_only=True):
    """That a leaf stands in a tree, by its hash and the hashes on the way up to the root; `why` says where it does not.

    `head` is the head over that tree which the ally countersigned; None where there is none yet that covers the leaf,
    so that only this node's own word stands for the tree.
    """

    leaf: LeafView
    text: str
    hash: str
    n_leaves: int
    root: str
    path: list[str]
    head: HeadView | None
    why: str


class HeadChecked(Struct, frozen=True, kw_only=True):
    """A head, and why it does not hold; `why` "" where it does. `n_hashes`: of the proof of consistency."""

    head: HeadView
    n_hashes: int
    why: str


class HeadsChecked(Struct, frozen=True, kw_only=True):
    """Signatures of all heads, and of ours that each tree goes on to the next and the last to the record as it is."""

    ours: list[HeadChecked]
    theirs: list[HeadChecked]
    n_leaves: int
    root: str


class Tree(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was checked already: so many leaves, and the roots of the perfect parts of their tree."""

    n: Annotated[int, Meta(ge=0, le=2**MAX_PEAKS)] = 0
    peaks: Annotated[list[Hash], Meta(max_length=MAX_PEAKS)] = []


class MisfitView(Struct, frozen=True, kw_only=True):
    """The first leaf that does not fit; None where it is not a leaf."""

    leaf: int | None
    why: str


class PartChecked(Struct, frozen=True, kw_only=True):
    """How far the record was checked. All of it fits where `is_done` and there is no `misfit`.

    The record goes through `n_heads` signed heads; the ally countersigned its first `countersigned` leaves.
    """

    tree: Tree
    n_leaves: int
    is_done: bool
    misfit: MisfitView | None
    root: str
    n_heads: int
    countersigned: int


def head_view(signed: SignedHead, names: Mapping[str, str]) -> HeadView:
    """Its texts come from another party's node."""
    head = signed.head
    return HeadView(
        n_leaves=head.n_leaves,
        root=show(head.root),
        at=show(head.at, 40),
        by=named(head.party, names),
        countersigned_by=named(signed.ally, names) if signed.ally else None,
    )


def fault_view(fault: FoundFault, names: Mapping[str, str]) -> FaultView:
    """With the heads that prove it."""
    heads = [head_view(one, names) for one in fault.evidence]
    return FaultView(at=fault.at, code=show(fault.code), why=show(fault.why, 600), heads=heads)


def leaf_view(number: int, leaf: Leaf | None, names: Mapping[str, str]) -> LeafView:
    """None is what is no leaf."""
    if leaf is None:
        texts = dict.fromkeys(_TEXTS, "")
        return LeafView(n=number, act="", ally=None, fault="this line is no leaf", **texts)
    texts = {name: show(getattr(leaf, name)) for name in _TEXTS}
    return LeafView(
        n=number, act=leaf.act.value, ally=named(leaf.ally, names) if leaf.ally else None, fault="", **texts
    )


def checked_view(checked: Sequence[CheckedHead], names: Mapping[str, str]) -> list[HeadChecked]:
    """The newest first."""
    return [
        HeadChecked(head=head_view(one.signed, names), n_hashes=one.n_hashes, why=one.why) for one in reversed(checked)
    ]


def tree_view(tree: Frontier) -> Tree:
    """As it is handed out, and comes back with the next question."""
    return Tree(n=tree.n, peaks=[peak.hex() for peak in tree.peaks])


def misfit_view(misfit: Misfit) -> MisfitView:
    """Texts of a leaf may stand in it."""
    return MisfitView(leaf=misfit.leaf, why=show(misfit.why))


_TEXTS: Final = ("at", "object_id", "object_type", "version", "clause", "marking", "content", "by", "why", "terms")

"""Each act under an agreement becomes a leaf of its record, in the transaction of the act itself."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from amagasa.app.ports import Bond, Crossing, CrossingState, Direction, Writing
from amagasa.share.ledger import Act, Leaf, digest_of, leaf_bytes
from amagasa.share.merkle import Subtree, leaf_hash
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

WHY_CHARACTERS: Final = 200
_OUT: Final = {
    CrossingState.WANTING: Act.OFFER,
    CrossingState.PENDING: Act.RELEASE,
    CrossingState.WITHHELD: Act.WITHHOLD,
    CrossingState.REFUSED: Act.REFUSAL,
    CrossingState.DELIVERED: Act.DELIVERY,
    CrossingState.FAILED: Act.FAILURE,
}
_IN: Final = {CrossingState.ADMITTED: Act.ADMISSION, CrossingState.REFUSED: Act.REFUSAL}


def record(
    tx: Writing, bond: Bond | None, crossings: Iterable[Crossing], *, now: datetime, act: Act | None = None
) -> None:
    """A leaf for each crossing, by its state or as `act`. The first leaf under new terms says which they are."""
    given: dict[str, list[Crossing]] = {}
    for crossing in crossings:
        given.setdefault(crossing.agreement, []).append(crossing)
    for agreement, some in given.items():
        terms = bond.digest if bond is not None and bond.agreement.id == agreement else ""
        _append(tx, agreement, some, terms=terms, now=now, act=act)


def _append(
    tx: Writing, agreement: str, crossings: Sequence[Crossing], *, terms: str, now: datetime, act: Act | None
) -> None:
    tree = tx.ledgers.frontier(agreement)
    key = f"ledger-terms:{agreement}"
    leaves: list[Leaf] = []
    subtrees: list[Subtree] = []
    told = tx.meta(key) or ""
    terms = terms or told
    if terms != told:
        tx.save_meta(key, terms)
        blank = {name: "" for name in Leaf.__struct_fields__ if name not in {"n", "at", "act"}}
        opening = blank | {"ally": crossings[0].ally, "terms": terms, "before": tree.root.hex()}
        leaves.append(Leaf(n=tree.n, at=to_rfc3339(now), act=Act.TERMS, **opening))
        tree, made = tree.grow(leaf_hash(leaf_bytes(leaves[-1])))
        subtrees += made
    for crossing in crossings:
        states = _OUT if crossing.direction is Direction.OUT else _IN
        leaf = Leaf(
            n=tree.n,
            at=to_rfc3339(now),
            act=act or states[crossing.state],
            ally=show(crossing.ally),
            terms=terms,
            object_id=show(crossing.object_id),
            object_type=show(crossing.object_type),
            version=show(crossing.version),
            clause=show(crossing.clause),
            marking=show(crossing.marking),
            content=digest_of(crossing.content),
            by=show(crossing.decided_by),
            why=show(crossing.why, WHY_CHARACTERS),
            before=tree.root.hex(),
        )
        leaves.append(leaf)
        tree, made = tree.grow(leaf_hash(leaf_bytes(leaf)))
        subtrees += made
    tx.ledgers.add(agreement, leaves, tree, subtrees=subtrees)

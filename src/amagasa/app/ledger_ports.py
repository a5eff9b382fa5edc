"""What the record of each agreement asks of the store."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from amagasa.share.ledger import Leaf
from amagasa.share.merkle import Frontier, Subtree


class Ledgers(Protocol):
    """One record for each agreement: leaves are added and never changed."""

    def names(self) -> list[str]:
        """The agreements that have a record."""

    def frontier(self, agreement: str) -> Frontier:
        """Its tree as it is now; an empty one where there is no record."""

    def add(self, agreement: str, leaves: Sequence[Leaf], after: Frontier, *, subtrees: Sequence[Subtree] = ()) -> None:
        """Append the leaves, which end in the tree `after` and complete these `subtrees`."""

    def subtree(self, agreement: str, level: int, index: int) -> bytes:
        """The root of a perfect subtree (`share.merkle.SubtreeRoot`). Raises LookupError where leaves are missing."""

    def leaves(self, agreement: str, *, start: int = 0) -> Iterator[Leaf]:
        """From number `start` on, in order; read as one goes."""

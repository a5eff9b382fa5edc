"""What the record of each agreement asks of the store."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from amagasa.share.ledger import Leaf
from amagasa.share.merkle import Frontier, Subtree


class Wanted(Struct, frozen=True, kw_only=True):
    """Which leaves are looked for: those numbered `end` and more are not. `acts` and `text` "" or () are all of them.

    `text` stands somewhere in the leaf as it is written down (ASCII letters of either case). At most `limit` are given,
    and at most `depth` looked at: the time that takes is bounded, however long the record is.
    """

    end: int
    acts: tuple[str, ...] = ()
    text: str = ""
    limit: int = 100
    depth: int = 50_000


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

    def rows(self, agreement: str, start: int, end: int) -> list[tuple[int, bytes]]:
        """Numbers and bytes of leaves from `start` up to, and without, `end`, as they are kept; gaps are left out."""

    def found(self, agreement: str, wanted: Wanted) -> tuple[list[tuple[int, bytes]], int]:
        """Numbers and bytes, the newest first, and down to which number was looked: 0 means that this is all."""

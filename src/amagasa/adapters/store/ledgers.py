"""The records of agreements: a row a leaf, and the frontier of each tree."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store.tables import LEDGER_LEAF, LEDGER_SUBTREE, LEDGER_TREE
from amagasa.share.ledger import Leaf, leaf_bytes
from amagasa.share.merkle import KEPT_LEVEL, Frontier, Subtree, leaf_hash, node_hash, root_of

_PAGE: Final = 1_000
_SAVE_TREE: Final = insert(LEDGER_TREE).on_conflict_do_update(
    index_elements=["agreement"], set_={"body": insert(LEDGER_TREE).excluded.body}
)


class SqlLedgers:
    """`app.ledger_ports.Ledgers` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def names(self) -> list[str]:
        """Sorted."""
        return list(self._db.execute(select(LEDGER_TREE.c.agreement).order_by(LEDGER_TREE.c.agreement)).scalars())

    def frontier(self, agreement: str) -> Frontier:
        """Empty where there is no record."""
        body = self._db.execute(select(LEDGER_TREE.c.body).where(LEDGER_TREE.c.agreement == agreement)).scalar()
        return Frontier() if body is None else msgspec.msgpack.decode(body, type=Frontier)

    def add(self, agreement: str, leaves: Sequence[Leaf], after: Frontier, *, subtrees: Sequence[Subtree] = ()) -> None:
        """A leaf of a number that is there already breaks the transaction: the record is only ever appended to."""
        rows = [{"agreement": agreement, "n": leaf.n, "body": leaf_bytes(leaf)} for leaf in leaves]
        if rows:
            self._db.execute(insert(LEDGER_LEAF), rows)
            self._db.execute(_SAVE_TREE, {"agreement": agreement, "body": msgspec.msgpack.encode(after)})
        made = [{"agreement": agreement, "level": one.level, "n": one.index, "root": one.root} for one in subtrees]
        if made:
            self._db.execute(insert(LEDGER_SUBTREE), made)

    def subtree(self, agreement: str, level: int, index: int) -> bytes:
        """Raises LookupError where the record does not hold all its leaves."""
        if level >= KEPT_LEVEL:
            table = LEDGER_SUBTREE.c
            query = select(table.root).where(table.agreement == agreement, table.level == level, table.n == index)
            kept: bytes | None = self._db.execute(query).scalar()
            if kept is not None:
                return kept
        if level > KEPT_LEVEL:  # leaves that were added before subtrees were kept
            left, right = (self.subtree(agreement, level - 1, 2 * index + side) for side in (0, 1))
            return node_hash(left, right)
        first, size = index << level, 1 << level
        query = select(LEDGER_LEAF.c.body).where(
            LEDGER_LEAF.c.agreement == agreement, LEDGER_LEAF.c.n >= first, LEDGER_LEAF.c.n < first + size
        )
        hashes = [leaf_hash(body) for body in self._db.execute(query.order_by(LEDGER_LEAF.c.n)).scalars()]
        if len(hashes) != size:
            message = f"leaves {first} to {first + size} are not all there"
            raise LookupError(message)
        return root_of(hashes)

    def leaves(self, agreement: str, *, start: int = 0) -> Iterator[Leaf]:
        """A thousand at a time."""
        number = start
        while True:
            query = select(LEDGER_LEAF.c.n, LEDGER_LEAF.c.body).where(
                LEDGER_LEAF.c.agreement == agreement, LEDGER_LEAF.c.n >= number
            )
            rows = self._db.execute(query.order_by(LEDGER_LEAF.c.n).limit(_PAGE)).all()
            yield from (msgspec.json.decode(row.body, type=Leaf) for row in rows)
            if len(rows) < _PAGE:
                return
            number = rows[-1].n + 1

"""The records of agreements: a row a leaf, and the frontier of each tree."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import rfc8785
from sqlalchemy import Connection, Text, cast, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store.tables import LEDGER_LEAF, LEDGER_SUBTREE, LEDGER_TREE
from amagasa.app.ledger_ports import Wanted
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
        hashes = [leaf_hash(_as_kept(body)) for body in self._db.execute(query.order_by(LEDGER_LEAF.c.n)).scalars()]
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
            yield from (msgspec.json.decode(_as_kept(row.body), type=Leaf) for row in rows)
            if len(rows) < _PAGE:
                return
            number = rows[-1].n + 1

    def rows(self, agreement: str, start: int, end: int) -> list[tuple[int, bytes]]:
        """By number."""
        table = LEDGER_LEAF.c
        query = select(table.n, table.body).where(table.agreement == agreement, table.n >= start, table.n < end)
        return [(row.n, _as_kept(row.body)) for row in self._db.execute(query.order_by(table.n))]

    def found(self, agreement: str, wanted: Wanted) -> tuple[list[tuple[int, bytes]], int]:
        """A leaf is kept as canonical JSON, so its act stands in it in one way only, and never inside another text."""
        table, least = LEDGER_LEAF.c, max(0, wanted.end - wanted.depth)
        query = select(table.n, table.body).where(table.agreement == agreement, table.n < wanted.end, table.n >= least)
        if wanted.acts:
            query = query.where(or_(*(func.instr(table.body, b'"act":"%s"' % act.encode()) for act in wanted.acts)))
        if wanted.text:
            written = rfc8785.dumps(wanted.text)[1:-1].decode()
            query = query.where(func.instr(func.lower(cast(table.body, Text)), func.lower(written)))
        rows = self._db.execute(query.order_by(table.n.desc()).limit(wanted.limit)).all()
        found = [(row.n, _as_kept(row.body)) for row in rows]
        return found, found[-1][0] if len(found) == wanted.limit else least


def _as_kept(body: Any) -> bytes:
    """Whoever altered the file may have left another type in the column."""
    return body if isinstance(body, bytes) else str(body).encode()

"""The open windows of correlations: one row a group, under the digest of what its correlation means."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store import bodies
from amagasa.adapters.store.tables import META, OPEN_WINDOW
from amagasa.detect.correlation.windows import Group, GroupKey, Loss, Tally

TALLY_KEY: Final = "correlation-tally"
_DIGESTS_AT_ONCE: Final = 400
_SAVE: Final = insert(OPEN_WINDOW).on_conflict_do_update(
    index_elements=["correlation", "key"], set_={"body": insert(OPEN_WINDOW).excluded.body}
)
_REMOVE: Final = delete(OPEN_WINDOW).where(
    OPEN_WINDOW.c.correlation == bindparam("of"), OPEN_WINDOW.c.key == bindparam("its")
)
_SAVE_TALLY: Final = insert(META).on_conflict_do_update(
    index_elements=["key"], set_={"value": insert(META).excluded.value}
)


class SqlWindows:
    """`app.correlation_ports.KeptWindows` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def of(self, digests: Iterable[str]) -> list[tuple[GroupKey, Group]]:
        """Every group of these, in the order of their keys."""
        wanted = list(dict.fromkeys(digests))
        found: list[tuple[GroupKey, Group]] = []
        for start in range(0, len(wanted), _DIGESTS_AT_ONCE):
            part = wanted[start : start + _DIGESTS_AT_ONCE]
            query = select(OPEN_WINDOW).where(OPEN_WINDOW.c.correlation.in_(part))
            rows = self._db.execute(query.order_by(OPEN_WINDOW.c.correlation, OPEN_WINDOW.c.key))
            found += [((row.correlation, row.key), bodies.GROUP.unpack(row.body)) for row in rows]
        return found

    def tally(self) -> Tally:
        """Empty where nothing was counted yet."""
        value = self._db.execute(select(META.c.value).where(META.c.key == TALLY_KEY)).scalar()
        return {(rule_id, title, Loss(loss)): n for rule_id, title, loss, n in json.loads(value or "[]")}

    def save(self, changed: Mapping[GroupKey, Group | None]) -> None:
        """What runs ahead of a group is not kept: it follows from the rest."""
        gone = [{"of": digest, "its": key} for (digest, key), group in changed.items() if group is None]
        rows = [
            {"correlation": digest, "key": key, "body": bodies.GROUP.pack(replace(group, ahead=None))}
            for (digest, key), group in changed.items()
            if group is not None
        ]
        if gone:
            self._db.execute(_REMOVE, gone)
        if rows:
            self._db.execute(_SAVE, rows)

    def keep_only(self, digests: Iterable[str]) -> None:
        """One statement for each correlation that is gone."""
        kept = set(digests)
        for (digest,) in self._db.execute(select(OPEN_WINDOW.c.correlation).distinct()).all():
            if digest not in kept:
                self._db.execute(delete(OPEN_WINDOW).where(OPEN_WINDOW.c.correlation == digest))

    def save_tally(self, tally: Tally) -> None:
        """As one value: a few counts for each rule of each correlation."""
        rows = [[rule_id, title, loss.value, n] for (rule_id, title, loss), n in sorted(tally.items())]
        self._db.execute(_SAVE_TALLY, {"key": TALLY_KEY, "value": json.dumps(rows)})

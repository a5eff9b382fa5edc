"""Retractions and their receipts: a row each."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store.columns import micros
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.tables import RECEIPT
from amagasa.app.receipt_ports import TakenBack, Way

_NEW: Final = insert(RECEIPT)
_SAVE: Final = _NEW.on_conflict_do_update(
    index_elements=["agreement", "way", "object_id"],
    set_={name: getattr(_NEW.excluded, name) for name in ("cause", "is_open", "asked_at", "body")},
)
_R: Final = RECEIPT.c


class SqlReceipts:
    """`app.receipt_ports.Receipts` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def save(self, one: TakenBack) -> None:
        """Insert or replace."""
        row = {
            "agreement": one.agreement,
            "way": one.way.value,
            "object_id": one.object_id,
            "cause": one.cause,
            "is_open": int(one.is_open),
            "asked_at": micros(one.asked_at),
            "body": msgspec.msgpack.encode(one),
        }
        self._db.execute(_SAVE, row)

    def get(self, agreement: str, way: Way, object_id: str) -> TakenBack | None:
        """None where there is none."""
        return next(iter(self.of(agreement, way, [object_id])), None)

    def open(self, agreement: str, way: Way, *, limit: int = 500) -> list[TakenBack]:
        """The oldest first."""
        query = select(_R.body).where(_R.agreement == agreement, _R.way == way.value, _R.is_open == 1)
        return self._read(query.order_by(_R.asked_at, _R.object_id).limit(limit))

    def n_open(self, agreement: str, way: Way) -> int:
        """How many."""
        query = select(func.count()).where(_R.agreement == agreement, _R.way == way.value, _R.is_open == 1)
        return int(self._db.execute(query).scalar_one())

    def caused_by(self, cause: str) -> list[TakenBack]:
        """Awaited ones."""
        return self._read(select(_R.body).where(_R.cause == cause, _R.way == Way.AWAITED.value).limit(500))

    def of(self, agreement: str, way: Way, object_ids: Iterable[str]) -> list[TakenBack]:
        """In no order."""
        query = select(_R.body).where(_R.agreement == agreement, _R.way == way.value)
        return [one for part in in_lists(object_ids) for one in self._read(query.where(_R.object_id.in_(part)))]

    def _read(self, query: Select[Any]) -> list[TakenBack]:
        return [msgspec.msgpack.decode(body, type=TakenBack) for body in self._db.execute(query).scalars()]

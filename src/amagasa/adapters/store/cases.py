"""Deeds, which are added and never changed, and open incidents in the order in which they are to be read."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from amagasa.adapters.store import bodies
from amagasa.adapters.store.columns import from_micros, micros
from amagasa.adapters.store.found import WRITTEN, index_notes
from amagasa.adapters.store.tables import DEED, INCIDENT, TALLY
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import Deed, DeedKind

MAX_OF_ONE: Final = 5_000
MAX_DONE: Final = 10_000
_ADD: Final = insert(DEED).returning(DEED.c.id)
_IMPACT: Final = update(INCIDENT).where(INCIDENT.c.id == bindparam("its_id")).values(impact=bindparam("percent"))


class SqlCases:
    """`app.case_ports.Cases` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def deeds_of(self, incident_id: str) -> list[Deed]:
        """Oldest first."""
        named = or_(DEED.c.incident_id == incident_id, DEED.c.other_id == incident_id)
        query = select(DEED.c.id, DEED.c.body).where(named).order_by(DEED.c.id.desc()).limit(MAX_OF_ONE)
        rows = self._db.execute(query).all()
        return [replace(bodies.DEED.unpack(row.body), id=row.id) for row in reversed(rows)]

    def deed(self, deed_id: int) -> Deed | None:
        """None where there is no such deed."""
        if not 0 < deed_id < 1 << 63:  # SQLite counts no further, and the driver raises
            return None
        row = self._db.execute(select(DEED.c.id, DEED.c.body).where(DEED.c.id == deed_id)).first()
        return None if row is None else replace(bodies.DEED.unpack(row.body), id=row.id)

    def add(self, deed: Deed) -> Deed:
        """The deed with its number."""
        row = {
            "incident_id": deed.incident_id,
            "other_id": deed.other,
            "kind": deed.kind.value,
            "at": micros(deed.at),
            "body": bodies.DEED.pack(deed),
        }
        added = replace(deed, id=self._db.execute(_ADD, row).scalar_one())
        if deed.kind in WRITTEN:
            index_notes(self._db, deed.incident_id, self.deeds_of(deed.incident_id))
        return added

    def done_at(self, kind: DeedKind, *, since: datetime) -> list[datetime]:
        """By the index, oldest first."""
        query = select(DEED.c.at).where(DEED.c.kind == kind.value, DEED.c.at >= micros(since))
        rows = self._db.execute(query.order_by(DEED.c.at.desc()).limit(MAX_DONE))
        return [from_micros(at) for (at,) in reversed(rows.all())]

    def queue(self, *, limit: int, offset: int = 0) -> list[tuple[Incident, int, int]]:
        """By the index: the cost does not grow with what is in the store."""
        rows = self._db.execute(
            select(INCIDENT.c.body, INCIDENT.c.impact, INCIDENT.c.score)
            .where(INCIDENT.c.status == Status.OPEN.value)
            .order_by(*(INCIDENT.c[name].desc() for name in ("impact", "score", "waiting", "id")))
            .limit(limit)
            .offset(offset)
        )
        return [(bodies.INCIDENT.unpack(row.body), row.impact, row.score) for row in rows]

    def n_graver(self, score: int, *, beyond: int) -> int:
        """Counts in the index alone."""
        order = [INCIDENT.c[name].desc() for name in ("impact", "score", "waiting", "id")]
        is_open = INCIDENT.c.status == Status.OPEN.value
        rest = select(INCIDENT.c.score).where(is_open).order_by(*order).limit(-1).offset(beyond).subquery()
        return int(self._db.execute(select(func.count()).where(rest.c.score >= score)).scalar_one())

    def n_alone(self) -> int:
        """From the counts which are kept while writing."""
        found = self._db.execute(select(TALLY.c.n).where(TALLY.c.kind == "alert-alone")).scalar()
        return int(found or 0)

    def set_impacts(self, impacts: Iterable[tuple[str, int]]) -> None:
        """One row each."""
        rows = [{"its_id": incident, "percent": percent} for incident, percent in impacts]
        if rows:
            self._db.execute(_IMPACT, rows)

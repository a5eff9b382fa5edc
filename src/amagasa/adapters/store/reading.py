"""Queries. Each runs on the connection it was given, in the one snapshot which that connection holds."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select, tuple_
from sqlalchemy import literal as value_of

from amagasa.adapters.store import bodies
from amagasa.adapters.store import rows as rows_of
from amagasa.adapters.store.columns import Words, micros
from amagasa.adapters.store.cursors import limit_of, read_cursor, write_cursor
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.pressing import pressing
from amagasa.adapters.store.reading_content import ContentReading
from amagasa.adapters.store.tables import (
    ACCOUNT,
    ALERT,
    CROSSING,
    DEAD,
    INCIDENT,
    INCIDENT_ENTITY,
    INCIDENT_LINK,
    META,
    OBJECT,
    POSITION,
    SESSION,
    TALLY,
    TECHNIQUE,
    TECHNIQUE_TACTIC,
)
from amagasa.app.pages import Page
from amagasa.app.ports import (
    Account,
    Crossing,
    CrossingState,
    Dead,
    Direction,
    Position,
    Session,
    StoredObject,
)
from amagasa.event.entity import Entity
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.severity import Severity

# A linking entity of more open incidents than this links nothing: the newest are enough to group with.
MAX_TOUCHING: Final = 1_000
MAX_OF_KEYS: Final = 2_000

_T = TypeVar("_T")


class SqlReading(ContentReading):
    """`app.ports.Reading` on one connection."""

    def positions(self) -> list[Position]:
        """Every source's position, by name."""
        rows = self._db.execute(select(POSITION.c.body).order_by(POSITION.c.source))
        return [bodies.POSITION.unpack(body) for (body,) in rows]

    def dead(self, page: Page) -> list[Dead]:
        """The page without its cursor."""
        return self.dead_page(page)[0]

    def dead_page(self, page: Page, *, source: str | None = None) -> tuple[list[Dead], str | None]:
        """Newest first."""
        query = select(DEAD.c.id, DEAD.c.body)
        if source is not None:
            query = query.where(DEAD.c.source == source)
        rows, cursor = self._by_number(query, DEAD.c.id, page, "dead")
        return [bodies.DEAD.unpack(row.body) for row in rows], cursor

    def n_dead(self) -> dict[str, int]:
        """Dead records kept, by source: at most 10,000 each, so counting is cheap."""
        rows = self._db.execute(select(DEAD.c.source, func.count()).group_by(DEAD.c.source))
        return dict(tuple(row) for row in rows)

    def alerts_by_key(self, keys: Iterable[str], *, since: datetime, until: datetime | None = None) -> list[Alert]:
        """By key, then by time; at most the 2,000 seen last, should a record claim to be years old."""
        found: list[Alert] = []
        for part in in_lists(keys):
            query = rows_of.alerts().where(ALERT.c.key.in_(part), ALERT.c.last_seen_at >= micros(since))
            if until is not None:
                query = query.where(ALERT.c.first_seen_at <= micros(until))
            rows = self._db.execute(query.order_by(ALERT.c.last_seen_at.desc(), ALERT.c.id).limit(MAX_OF_KEYS))
            alerts = sorted(map(rows_of.alert_of, rows), key=lambda alert: (alert.key, alert.last_seen_at, alert.id))
            # Without `until` the last of each key stands, which is the newest.
            found += alerts if until is not None else {alert.key: alert for alert in alerts}.values()
        return found

    def alerts(self, page: Page, *, incident_id: str | None = None) -> tuple[list[Alert], str | None]:
        """Newest `updated_at` first. An alert which changes while somebody turns pages moves to the front."""
        query = rows_of.alerts()
        if incident_id is not None:
            query = query.where(ALERT.c.incident_id == incident_id)
        rows, cursor = self._by_time(query, ALERT, page, "alert")
        return [rows_of.alert_of(row) for row in rows], cursor

    def alert(self, alert_id: str) -> Alert | None:
        """None where there is no such alert."""
        row = self._db.execute(rows_of.alerts().where(ALERT.c.id == alert_id)).first()
        return None if row is None else rows_of.alert_of(row)

    def n_alerts(self) -> int:
        """All alerts."""
        return sum(self.n_by_severity().values())

    def n_by_severity(self) -> dict[Severity, int]:
        """Alerts by severity."""
        return {Severity(int(name)): n for name, n in self._tally("alert") if n}

    def n_by_status(self) -> dict[Status, int]:
        """Incidents by status."""
        return dict.fromkeys(Status, 0) | {Status(name): n for name, n in self._tally("incident")}

    def incidents_touching(self, entities: Iterable[Entity], *, since: datetime) -> list[Incident]:
        """Latest seen first; at most 1,000."""
        found: list[Incident] = []
        for part in in_lists((entity.kind.value, entity.value) for entity in entities):
            each = (and_(INCIDENT_ENTITY.c.kind == kind, INCIDENT_ENTITY.c.value == value) for kind, value in part)
            found += self._open_incidents(select(INCIDENT_ENTITY.c.incident_id).where(or_(*each)), since)
        return _latest(found)

    def incidents_linked(self, links: Iterable[str], *, since: datetime) -> list[Incident]:
        """Latest seen first; at most 1,000."""
        found: list[Incident] = []
        for part in in_lists(links):
            found += self._open_incidents(
                select(INCIDENT_LINK.c.incident_id).where(INCIDENT_LINK.c.link.in_(part)), since
            )
        return _latest(found)

    def incidents(self, page: Page, *, status: Status | None = None) -> tuple[list[Incident], str | None]:
        """Newest `updated_at` first."""
        query = select(INCIDENT.c.id, INCIDENT.c.updated_at, INCIDENT.c.body)
        if status is not None:
            query = query.where(INCIDENT.c.status == status.value)
        rows, cursor = self._by_time(query, INCIDENT, page, "incident")
        return [bodies.INCIDENT.unpack(row.body) for row in rows], cursor

    def incident(self, incident_id: str) -> Incident | None:
        """None where there is no such incident."""
        return self._one(INCIDENT, INCIDENT.c.id == incident_id, bodies.INCIDENT.unpack)

    def incidents_by_id(self, ids: Iterable[str]) -> list[Incident]:
        """Open or closed."""
        found: list[Incident] = []
        for part in in_lists(ids):
            rows = self._db.execute(select(INCIDENT.c.body).where(INCIDENT.c.id.in_(part)))
            found += [bodies.INCIDENT.unpack(body) for (body,) in rows]
        return sorted(found, key=lambda incident: incident.id)

    def techniques_seen(self) -> list[tuple[str, tuple[str, ...], int]]:
        """Most detections first; tactics in the order of the matrix."""
        tactics: dict[str, list[str]] = {}
        for technique, tactic in self._db.execute(select(TECHNIQUE_TACTIC.c.technique, TECHNIQUE_TACTIC.c.tactic)):
            tactics.setdefault(technique, []).append(tactic)
        rows = self._db.execute(
            select(TECHNIQUE.c.id, TECHNIQUE.c.n_detections)
            .where(TECHNIQUE.c.n_detections > 0)
            .order_by(TECHNIQUE.c.n_detections.desc(), TECHNIQUE.c.id)
        )
        return [(technique, tuple(sorted(tactics.get(technique, ()), key=_place)), n) for technique, n in rows]

    def crossings(
        self,
        page: Page,
        *,
        ally: str | None = None,
        direction: Direction | None = None,
        state: CrossingState | None = None,
    ) -> tuple[list[Crossing], str | None]:
        """Latest stored first."""
        query = select(CROSSING.c.id, CROSSING.c.body)
        if ally is not None:
            query = query.where(CROSSING.c.ally == ally)
        if direction is not None:
            query = query.where(CROSSING.c.direction == direction.value)
        if state is not None:
            query = query.where(CROSSING.c.state == state.value)
        rows, cursor = self._by_number(query, CROSSING.c.id, page, "crossing")
        return [_crossing(row) for row in rows], cursor

    def crossing(self, crossing_id: int) -> Crossing | None:
        """None where there is no such crossing."""
        if not 0 < crossing_id < 1 << 63:  # SQLite counts no further, and the driver raises
            return None
        row = self._db.execute(select(CROSSING.c.id, CROSSING.c.body).where(CROSSING.c.id == crossing_id)).first()
        return None if row is None else _crossing(row)

    def crossings_numbered(self, ids: Iterable[int]) -> dict[int, Crossing]:
        """By number; what is not there is left out."""
        parts = (self._crossings_where(CROSSING.c.id.in_(part), limit=len(part)) for part in in_lists(ids))
        return {one.id: one for one in chain.from_iterable(parts)}

    def n_crossings(self, *, ally: str | None = None) -> dict[tuple[Direction, CrossingState], int]:
        """Where they stand."""
        counts: dict[tuple[Direction, CrossingState], int] = {}
        for name, n in self._tally("crossing"):
            direction, state, whose = name.split(" ", 2)
            if n and ally in {None, whose}:
                stands = Direction(direction), CrossingState(state)
                counts[stands] = counts.get(stands, 0) + n
        return counts

    def late(self, ally: str, *, before: datetime) -> tuple[int, Crossing | None]:
        """Counted in the index of what stands where."""
        waiting = [CrossingState.WANTING.value, CrossingState.PENDING.value]
        where = and_(
            CROSSING.c.ally == ally,
            CROSSING.c.direction == Direction.OUT.value,
            CROSSING.c.state.in_(waiting),
            CROSSING.c.created_at < micros(before),
        )
        n, first = self._db.execute(select(func.count(), func.min(CROSSING.c.id)).where(where)).one()
        return n, None if first is None else self.crossing(first)

    def given_before(self, ally: str, before: datetime, *, after_id: int, limit: int) -> list[Crossing]:
        """By `id`."""
        given = and_(
            CROSSING.c.ally == ally,
            CROSSING.c.direction == Direction.IN.value,
            CROSSING.c.id > after_id,
            CROSSING.c.state == CrossingState.ADMITTED.value,
            CROSSING.c.created_at < micros(before),
        )
        return self._crossings_where(given, order=(CROSSING.c.id,), limit=limit)

    def due(self, ally: str, *, now: datetime, limit: int, after_id: int = 0) -> list[Crossing]:
        """Oldest first. The literals match the partial index, which holds what is pending and nothing else."""
        return self._crossings_where(
            CROSSING.c.direction == value_of("out", literal_execute=True),
            CROSSING.c.state == value_of("pending", literal_execute=True),
            CROSSING.c.ally == ally,
            CROSSING.c.id > after_id,
            CROSSING.c.next_try_at <= micros(now),
            order=(CROSSING.c.id,),
            limit=limit,
        )

    def pressing(self, ally: str, *, now: datetime, limit: int) -> list[Crossing]:
        """See `pressing.pressing`."""
        chosen = pressing(self._db, ally, now=now, limit=limit)
        found = self.crossings_numbered(chosen)
        return [found[each] for each in chosen]

    def released_after(
        self,
        ally: str,
        *,
        added_after: datetime | None,
        limit: int,
        after_id: int | None = None,
        object_ids: Iterable[str] | None = None,
    ) -> list[Crossing]:
        """Oldest first."""
        where = [
            CROSSING.c.direction == value_of("out", literal_execute=True),
            CROSSING.c.state.in_([value_of(state, literal_execute=True) for state in ("pending", "delivered")]),
            CROSSING.c.ally == ally,
        ]
        if added_after is not None and after_id is not None:
            place = tuple_(CROSSING.c.created_at, CROSSING.c.id)
            where.append(place > tuple_(value_of(micros(added_after)), value_of(after_id)))
        elif added_after is not None:
            where.append(CROSSING.c.created_at > micros(added_after))
        order = (CROSSING.c.created_at, CROSSING.c.id)
        if object_ids is None:
            return self._crossings_where(*where, order=order, limit=limit)
        # An order that no index has: else SQLite walks all of the outbox in order to look for these few.
        apart = (CROSSING.c.created_at + 0, CROSSING.c.id)
        parts = [
            self._crossings_where(*where, CROSSING.c.object_id.in_(part), order=apart, limit=limit)
            for part in in_lists(object_ids)
        ]
        return sorted(chain.from_iterable(parts), key=lambda one: (one.created_at, one.id))[:limit]

    def crossings_of(self, ally: str, direction: Direction, object_ids: Iterable[str]) -> list[Crossing]:
        """By `object_id`."""
        newest: dict[str, Crossing] = {}
        for part in in_lists(object_ids):
            query = select(CROSSING.c.id, CROSSING.c.body).where(
                CROSSING.c.ally == ally,
                CROSSING.c.direction == direction.value,
                CROSSING.c.object_id.in_(part),
            )
            found = (_crossing(row) for row in self._db.execute(query.order_by(CROSSING.c.object_id, CROSSING.c.id)))
            newest |= {crossing.object_id: crossing for crossing in found}
        return list(newest.values())

    def objects(self, ids: Iterable[str]) -> list[StoredObject]:
        """Newest version of each that is held, by `id`."""
        found: dict[str, StoredObject] = {}
        for part in in_lists(ids):
            rows = self._db.execute(
                select(OBJECT.c.body)
                .where(OBJECT.c.id.in_(part))
                .order_by(OBJECT.c.id, OBJECT.c.version_at, OBJECT.c.version)
            )
            found |= {stored.id: stored for stored in (bodies.OBJECT.unpack(body) for (body,) in rows)}
        return sorted(found.values(), key=lambda stored: stored.id)

    def objects_page(
        self, page: Page, *, origin: str | None = None, object_type: str | None = None
    ) -> tuple[list[StoredObject], str | None]:
        """Latest stored first."""
        query = select(OBJECT.c.seq, OBJECT.c.body)
        if origin is not None:
            query = query.where(OBJECT.c.origin == origin)
        if object_type is not None:
            query = query.where(OBJECT.c.type == object_type)
        rows, cursor = self._by_number(query, OBJECT.c.seq, page, "object")
        return [bodies.OBJECT.unpack(row.body) for row in rows], cursor

    def account(self, name: str) -> Account | None:
        """None where there is no such account."""
        return self._one(ACCOUNT, ACCOUNT.c.name == name, bodies.ACCOUNT.unpack)

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        return [bodies.ACCOUNT.unpack(body) for (body,) in self._db.execute(select(ACCOUNT.c.body).order_by("name"))]

    def session(self, token_hash: str) -> Session | None:
        """Also one which has expired: whoever asks compares `expires_at` with the clock."""
        return self._one(SESSION, SESSION.c.token_hash == token_hash, bodies.SESSION.unpack)

    def meta(self, key: str) -> str | None:
        """None where nothing was saved under `key`."""
        value: str | None = self._db.execute(select(META.c.value).where(META.c.key == key)).scalar()
        return value

    def _one(self, table: Table, where: ColumnElement[bool], unpack: Callable[[bytes], _T]) -> _T | None:
        body = self._db.execute(select(table.c.body).where(where)).scalar()
        return None if body is None else unpack(body)

    def _open_incidents(self, ids: Select[Any], since: datetime) -> list[Incident]:
        rows = self._db.execute(
            select(INCIDENT.c.body)
            .where(INCIDENT.c.id.in_(ids), INCIDENT.c.last_seen_at >= micros(since))
            .where(INCIDENT.c.status == Status.OPEN.value)
            .order_by(INCIDENT.c.last_seen_at.desc(), INCIDENT.c.id)
            .limit(MAX_TOUCHING)
        )
        return [bodies.INCIDENT.unpack(body) for (body,) in rows]

    def _tally(self, kind: str) -> list[tuple[str, int]]:
        rows = self._db.execute(select(TALLY.c.name, TALLY.c.n).where(TALLY.c.kind == kind))
        return [(name, n) for name, n in rows]

    def _crossings_where(
        self, *where: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = (), limit: int
    ) -> list[Crossing]:
        query = select(CROSSING.c.id, CROSSING.c.body).where(*where).order_by(*order).limit(limit)
        return [_crossing(row) for row in self._db.execute(query)]

    def _by_time(
        self, query: Select[Any], table: Table, page: Page, kind: str
    ) -> tuple[Sequence[rows_of.AnyRow], str | None]:
        """Newest (updated_at, id) first. New rows come in front, so a place once given stays where it is."""
        limit = limit_of(page)
        after = read_cursor(kind, page, int, str)
        place = tuple_(table.c.updated_at, table.c.id)
        if after is not None:
            query = query.where(place < tuple_(value_of(after[0]), value_of(after[1], Words)))
        rows = self._db.execute(query.order_by(table.c.updated_at.desc(), table.c.id.desc()).limit(limit + 1)).all()
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], write_cursor(kind, last.updated_at, last.id)

    def _by_number(
        self, query: Select[Any], number: ColumnElement[int], page: Page, kind: str
    ) -> tuple[Sequence[rows_of.AnyRow], str | None]:
        """Highest number first; numbers are given once and rise."""
        limit = limit_of(page)
        after = read_cursor(kind, page, int)
        if after is not None:
            query = query.where(number < after[0])
        rows = self._db.execute(query.order_by(number.desc()).limit(limit + 1)).all()
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], write_cursor(kind, rows[limit - 1][0])


def _latest(incidents: Iterable[Incident]) -> list[Incident]:
    each = {incident.id: incident for incident in incidents}.values()
    return sorted(each, key=lambda incident: (incident.last_seen_at, incident.id), reverse=True)[:MAX_TOUCHING]


def _crossing(row: rows_of.AnyRow) -> Crossing:
    return replace(bodies.CROSSING.unpack(row.body), id=row.id)


def _place(tactic: str) -> tuple[int, str]:
    return (TACTICS.index(tactic) if tactic in TACTICS else len(TACTICS), tactic)

"""Changes. All run in the one transaction of the connection they were given."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Connection, RowMapping, Table, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import Insert, insert

from amagasa.adapters.store import bodies
from amagasa.adapters.store.columns import micros
from amagasa.adapters.store.found import index_alerts, index_incidents
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.letting_go import remove_versions
from amagasa.adapters.store.reading import SqlReading
from amagasa.adapters.store.tables import (
    ACCOUNT,
    ALERT,
    CONTENT,
    CROSSING,
    DEAD,
    INCIDENT,
    INCIDENT_ENTITY,
    INCIDENT_LINK,
    LINK,
    META,
    OBJECT,
    POSITION,
    SESSION,
    TALLY,
    TECHNIQUE,
    TECHNIQUE_TACTIC,
)
from amagasa.app.ports import Account, ContentItem, Crossing, Dead, Position, Session, StoredObject
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.score import score_of
from amagasa.share.urgency import urgency_of
from amagasa.vocab.instants import from_rfc3339

# Dead records kept of each source. The totals stand in its position; a flood of junk must not fill the disk.
KEPT_DEAD: Final = 10_000


def _upsert(table: Table, *, keep: str = "") -> Insert:
    """Insert or replace; the column `keep` is another's to change."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    names = [column.name for column in table.columns if not column.primary_key and column.name != keep]
    rest = {name: statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _add_up(table: Table, count: str) -> Insert:
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={count: table.c[count] + statement.excluded[count]}
    )


# Built once: SQLAlchemy compiles each a single time and finds it again by identity.
_SAVE_POSITION: Final = _upsert(POSITION)
_SAVE_ALERT: Final = _upsert(ALERT)
_SAVE_INCIDENT: Final = _upsert(INCIDENT, keep="impact")
_SAVE_CONTENT: Final = _upsert(CONTENT)
_SAVE_ACCOUNT: Final = _upsert(ACCOUNT)
_SAVE_SESSION: Final = _upsert(SESSION)
_SAVE_META: Final = _upsert(META)
_SAVE_LINK: Final = insert(LINK).on_conflict_do_nothing()
_ADD_DEAD: Final = insert(DEAD)
_ADD_TALLY: Final = _add_up(TALLY, "n")
_ADD_TECHNIQUE: Final = _add_up(TECHNIQUE, "n_detections")
_ADD_TACTIC: Final = insert(TECHNIQUE_TACTIC).on_conflict_do_nothing()
_ADD_ENTITY: Final = insert(INCIDENT_ENTITY).on_conflict_do_nothing()
_ADD_INCIDENT_LINK: Final = insert(INCIDENT_LINK).on_conflict_do_nothing()
_ADD_CROSSING: Final = (
    insert(CROSSING)
    .on_conflict_do_nothing()
    .returning(CROSSING.c.id, CROSSING.c.ally, CROSSING.c.direction, CROSSING.c.object_id, CROSSING.c.version)
)
_ADD_OBJECT: Final = insert(OBJECT).on_conflict_do_nothing().returning(OBJECT.c.id, OBJECT.c.version)
_MOVE_ALERT: Final = update(ALERT).where(ALERT.c.id == bindparam("its_id")).values(incident_id=bindparam("into"))
_CHANGE_CROSSING: Final = (
    update(CROSSING)
    .where(CROSSING.c.id == bindparam("its_id"))
    .values({column.name: bindparam(column.name) for column in CROSSING.columns if not column.primary_key})
)


class SqlWriting(SqlReading):
    """`app.ports.Writing` on the writer's connection. Whoever commits calls `finish` first."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._counts: Counter[tuple[str, str]] = Counter()

    def finish(self) -> None:
        """Write the counts: once a transaction, for each crossing would cost as much again as the crossing."""
        rows = [{"kind": kind, "name": name, "n": n} for (kind, name), n in self._counts.items() if n]
        self._counts.clear()
        if rows:
            self._db.execute(_ADD_TALLY, rows)

    def save_position(self, position: Position) -> None:
        """Insert or replace."""
        self._db.execute(_SAVE_POSITION, {"source": position.source, "body": bodies.POSITION.pack(position)})

    def save_dead(self, dead: Sequence[Dead]) -> None:
        """Insert, and forget the oldest of a source beyond 10,000."""
        if not dead:
            return
        self._db.execute(_ADD_DEAD, [{"source": one.source, "body": bodies.DEAD.pack(one)} for one in dead])
        for source in {one.source for one in dead}:
            oldest_kept = (
                select(DEAD.c.id)
                .where(DEAD.c.source == source)
                .order_by(DEAD.c.id.desc())
                .offset(KEPT_DEAD - 1)
                .limit(1)
                .scalar_subquery()
            )
            self._db.execute(delete(DEAD).where(DEAD.c.source == source, DEAD.c.id < oldest_kept))

    def forget_dead(self, source: str, records: Iterable[int]) -> None:
        """At most 10,000 of a source are kept, so they are looked through one by one."""
        gone = set(records)
        rows = self._db.execute(select(DEAD.c.id, DEAD.c.body).where(DEAD.c.source == source))
        ids = [str(row.id) for row in rows if bodies.DEAD.unpack(row.body).record in gone]
        for part in in_lists(ids):
            self._db.execute(delete(DEAD).where(DEAD.c.id.in_([int(one) for one in part])))

    def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Insert or replace; counts by severity and technique move with them."""
        by_id = {alert.id: alert for alert in alerts}
        if not by_id:
            return
        before = self._alerts_before(by_id)
        counts: Counter[tuple[str, str]] = Counter()
        techniques: Counter[str] = Counter()
        tactics: dict[tuple[str, str], None] = {}
        rows = []
        for alert in by_id.values():
            tags = json.dumps([alert.techniques, alert.tactics]).encode()
            old = before.get(alert.id)
            counts["alert", str(alert.severity.value)] += 1
            counts["alert-alone", ""] += alert.incident_id is None
            techniques.update(dict.fromkeys(alert.techniques, alert.n_detections))
            if old is not None:
                counts["alert", str(old.severity)] -= 1
                counts["alert-alone", ""] -= old.incident_id is None
                techniques.subtract(dict.fromkeys(json.loads(old.tags)[0], old.n_detections))
            if old is None or old.tags != tags:
                tactics |= {(technique, tactic): None for technique in alert.techniques for tactic in alert.tactics}
            rows.append(_row_of_alert(alert, tags))
        self._db.execute(_SAVE_ALERT, rows)
        index_alerts(self._db, by_id.values(), before)
        self._counts.update(counts)
        moved = [{"id": name, "n_detections": n} for name, n in techniques.items() if n]
        if moved:
            self._db.execute(_ADD_TECHNIQUE, moved)
        if tactics:
            self._db.execute(_ADD_TACTIC, [{"technique": name, "tactic": tactic} for name, tactic in tactics])

    def save_incidents(self, incidents: Sequence[Incident]) -> None:
        """Insert or replace; what links to open ones is indexed anew where it changed."""
        by_id = {incident.id: incident for incident in incidents}
        if not by_id:
            return
        before: dict[str, Any] = {}
        for part in in_lists(by_id):
            query = select(INCIDENT.c.id, INCIDENT.c.status, INCIDENT.c.entities).where(INCIDENT.c.id.in_(part))
            before |= {row.id: row for row in self._db.execute(query)}
        digests = {incident.id: _digest_of(incident) for incident in by_id.values()}
        counts: Counter[tuple[str, str]] = Counter()
        for incident in by_id.values():
            counts["incident", incident.status.value] += 1
            if incident.id in before:
                counts["incident", before[incident.id].status] -= 1
        self._db.execute(_SAVE_INCIDENT, [_row_of_incident(one, digests[one.id]) for one in by_id.values()])
        index_incidents(self._db, by_id.values(), by_id)
        self._counts.update(counts)
        for incident in by_id.values():
            old = before.get(incident.id)
            if (old.entities if old is not None else b"") != digests[incident.id]:
                self._index(incident)
            if incident.merged_into is not None:
                moved = update(ALERT).where(ALERT.c.incident_id == incident.id)
                self._db.execute(moved.values(incident_id=incident.merged_into))

    def move_alerts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """One row each; an alert that is not there is left out."""
        rows = [{"its_id": alert, "into": incident} for alert, incident in pairs]
        if rows:
            self._db.execute(_MOVE_ALERT, rows)

    def add_crossing(self, crossing: Crossing) -> Crossing | None:
        """The crossing with its number."""
        return next(iter(self.add_crossings((crossing,))), None)

    def add_crossings(self, crossings: Sequence[Crossing]) -> list[Crossing]:
        """In their order, numbered upwards; those that are there already are left out."""
        rows = [_row_of_crossing(one) for one in crossings]
        if not rows:
            return []
        numbers = {tuple(row[1:]): row.id for row in self._db.execute(_ADD_CROSSING, rows)}
        added: list[Crossing] = []
        for crossing, row in zip(crossings, rows, strict=True):
            number = numbers.pop((row["ally"], row["direction"], row["object_id"], row["version"]), None)
            if number is not None:
                self._counts[_stands(row)] += 1
                added.append(replace(crossing, id=number))
        return added

    def update_crossing(self, crossing: Crossing) -> None:
        """Replace every field. Raises LookupError where there is no such number."""
        self.update_crossings((crossing,))

    def update_crossings(self, crossings: Sequence[Crossing]) -> None:
        """Two statements for all of them, whose numbers differ."""
        if not crossings:
            return
        query = select(CROSSING.c.id, CROSSING.c.ally, CROSSING.c.direction, CROSSING.c.state)
        old: dict[int, RowMapping] = {}
        for part in in_lists(one.id for one in crossings):
            old |= {row["id"]: row for row in self._db.execute(query.where(CROSSING.c.id.in_(part))).mappings()}
        missing = next((one.id for one in crossings if one.id not in old), None)
        if missing is not None:
            message = f"no crossing has the number {missing}"
            raise LookupError(message)
        rows = [_row_of_crossing(one) for one in crossings]
        numbered = [{"its_id": one.id, **row} for one, row in zip(crossings, rows, strict=True)]
        self._db.execute(_CHANGE_CROSSING, numbered)
        self._counts.update(_stands(row) for row in rows)
        self._counts.subtract(_stands(row) for row in old.values())

    def save_object(self, stored: StoredObject) -> bool:
        """Whether it was new."""
        return bool(self.save_objects((stored,)))

    def save_objects(self, stored: Sequence[StoredObject]) -> set[tuple[str, str]]:
        """(id, version) of those that were new."""
        rows = [
            {
                "id": one.id,
                "version": one.version,
                "version_at": _instant_of(one.version),
                "type": one.type,
                "origin": one.origin,
                "body": bodies.OBJECT.pack(one),
            }
            for one in stored
        ]
        return {(row.id, row.version) for row in self._db.execute(_ADD_OBJECT, rows)} if rows else set()

    def remove_objects(self, versions: Iterable[tuple[str, str]], *, origin: str) -> None:
        """What is not there is left out."""
        remove_versions(self._db, versions, origin)

    def save_content(self, item: ContentItem) -> None:
        """Insert or replace."""
        self.save_contents((item,))

    def save_contents(self, items: Sequence[ContentItem]) -> None:
        """Insert or replace."""
        rows = [
            {
                "id": one.id,
                "kind": one.kind.value,
                "trial_until": None if one.tried is None or one.tried.due_at is None else micros(one.tried.due_at),
                "body": bodies.CONTENT.pack(one),
            }
            for one in items
        ]
        if rows:
            self._db.execute(_SAVE_CONTENT, rows)

    def remove_content(self, content_id: str) -> bool:
        """Whether it was there."""
        return self._db.execute(delete(CONTENT).where(CONTENT.c.id == content_id)).rowcount > 0

    def save_account(self, account: Account) -> None:
        """Insert or replace."""
        self._db.execute(_SAVE_ACCOUNT, {"name": account.name, "body": bodies.ACCOUNT.pack(account)})

    def save_session(self, session: Session) -> None:
        """Insert or replace."""
        row = {"token_hash": session.token_hash, "expires_at": micros(session.expires_at)}
        self._db.execute(_SAVE_SESSION, {**row, "body": bodies.SESSION.pack(session)})

    def remove_session(self, token_hash: str) -> None:
        """Nothing happens where it is gone already."""
        self._db.execute(delete(SESSION).where(SESSION.c.token_hash == token_hash))

    def use_link(self, token_hash: str, *, now: datetime) -> bool:
        """One statement under the writer's lock, so two who come at once cannot both be first."""
        unused = update(LINK).where(LINK.c.token_hash == token_hash, LINK.c.used_at.is_(None))
        return self._db.execute(unused.where(LINK.c.expires_at > micros(now)).values(used_at=micros(now))).rowcount == 1

    def save_link(self, token_hash: str, *, expires_at: datetime) -> None:
        """A link which was saved before stays as it is: saving it again does not make it usable again."""
        self._db.execute(_SAVE_LINK, {"token_hash": token_hash, "expires_at": micros(expires_at)})

    def save_meta(self, key: str, value: str) -> None:
        """Insert or replace."""
        self._db.execute(_SAVE_META, {"key": key, "value": value})

    def remove_expired(self, *, now: datetime) -> int:
        """Sessions and links whose end has come."""
        ended = (delete(table).where(table.c.expires_at <= micros(now)) for table in (SESSION, LINK))
        return sum(self._db.execute(statement).rowcount for statement in ended)

    def _alerts_before(self, ids: Iterable[str]) -> dict[str, Any]:
        before: dict[str, Any] = {}
        for part in in_lists(ids):
            query = select(*(ALERT.c[name] for name in ("id", "severity", "n_detections", "tags", "incident_id")))
            query = query.where(ALERT.c.id.in_(part))
            before |= {row.id: row for row in self._db.execute(query)}
        return before

    def _index(self, incident: Incident) -> None:
        for table in (INCIDENT_ENTITY, INCIDENT_LINK):
            self._db.execute(delete(table).where(table.c.incident_id == incident.id))
        if incident.status is not Status.OPEN:
            return
        if incident.entities:
            rows = [{"kind": e.kind.value, "value": e.value, "incident_id": incident.id} for e in incident.entities]
            self._db.execute(_ADD_ENTITY, rows)
        if incident.links:
            links = [{"link": link, "incident_id": incident.id} for link in incident.links]
            self._db.execute(_ADD_INCIDENT_LINK, links)

    def _tally(self, kind: str) -> list[tuple[str, int]]:
        self.finish()
        return super()._tally(kind)


def _row_of_alert(alert: Alert, tags: bytes) -> dict[str, Any]:
    return {
        "id": alert.id,
        "key": alert.key,
        "incident_id": alert.incident_id,
        "severity": alert.severity.value,
        "first_seen_at": micros(alert.first_seen_at),
        "last_seen_at": micros(alert.last_seen_at),
        "updated_at": micros(alert.updated_at),
        "n_detections": alert.n_detections,
        "tags": tags,
        "body": bodies.ALERT.pack(alert),
    }


def _row_of_incident(incident: Incident, digest: bytes) -> dict[str, Any]:
    return {
        "id": incident.id,
        "status": incident.status.value,
        "last_seen_at": micros(incident.last_seen_at),
        "updated_at": micros(incident.updated_at),
        "entities": digest,
        "waiting": -micros(incident.created_at),
        "score": score_of(incident).score,
        "body": bodies.INCIDENT.pack(incident),
    }


def _row_of_crossing(crossing: Crossing) -> dict[str, Any]:
    return {
        "ally": crossing.ally,
        "direction": crossing.direction.value,
        "state": crossing.state.value,
        "object_id": crossing.object_id,
        "version": crossing.version,
        "created_at": micros(crossing.created_at),
        "next_try_at": 0 if crossing.next_try_at is None else micros(crossing.next_try_at),
        "body": bodies.CROSSING.pack(crossing),
        "urgency": urgency_of(crossing.object_type, crossing.content).value,
    }


def _stands(row: Mapping[Any, Any]) -> tuple[str, str]:
    return "crossing", f"{row['direction']} {row['state']} {row['ally']}"


def _digest_of(incident: Incident) -> bytes:
    """Changes whenever the indexed entities and links must; b"" for what has none in the index."""
    if incident.status is not Status.OPEN or not (incident.entities or incident.links):
        return b""
    entities = [[entity.kind.value, entity.value] for entity in incident.entities]
    return hashlib.sha256(json.dumps([entities, incident.links]).encode()).digest()


def _instant_of(version: str) -> int:
    """For ordering: `...00Z` and `...00.123Z` do not sort as text. 0 where the version is no instant."""
    try:
        return micros(from_rfc3339(version))
    except ValueError:
        return 0

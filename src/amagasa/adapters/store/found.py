"""The words that alerts and incidents are found by, and the search in them.

Words stand in a plain table, once; SQLite's FTS5 holds the index of them. What does not change is not written again: an
alert that folds a thousand times is indexed when it is made and when an entity joins. No trigger keeps the two in step:
with `trusted_schema` off SQLite 3.40 lets none touch FTS5.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, func, insert, select, text, update

from amagasa.adapters.store import bodies
from amagasa.adapters.store.cursors import limit_of, read_cursor, write_cursor
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.rows import alert_of, alerts
from amagasa.adapters.store.tables import ALERT, ALERT_FOUND, INCIDENT, INCIDENT_FOUND
from amagasa.app.pages import Page
from amagasa.incident.alert import Alert, Incident
from amagasa.incident.case import Deed, DeedKind, case_of
from amagasa.incident.finding import (
    Sought,
    found_by_of_alert,
    found_by_of_incident,
    found_by_of_notes,
    found_by_of_techniques,
    sought_of,
)

# Deeds which change what people wrote.
WRITTEN: Final = frozenset({DeedKind.NOTE, DeedKind.TASK, DeedKind.EVIDENCE, DeedKind.UNDO})


class _Index:
    """One table of words and FTS5's index of them."""

    def __init__(self, table: Table, key: str) -> None:
        self.table = table
        self.key = table.c[key]
        columns = [column.name for column in table.columns if column.name not in {"seq", key}]
        self.blank = dict.fromkeys(columns, "")
        words = f"{table.name.removesuffix('_found')}_words"
        names = ", ".join(columns)
        values = ", ".join(f":{name}" for name in columns)
        self.add = text(f"INSERT INTO {words}(rowid, {names}) VALUES (:seq, {values})")  # noqa: S608 - names of ours
        self.take = text(f"INSERT INTO {words}({words}, rowid, {names}) VALUES ('delete', :seq, {values})")  # noqa: S608 - the same
        self.newest = select(func.max(table.c.seq))
        self.insert = insert(table)
        self.change = update(table).where(table.c.seq == bindparam("its"))

    def write(self, connection: Connection, rows: Mapping[str, Mapping[str, str]], held: Collection[str]) -> None:
        """`rows`: columns by identifier; those of `held` may be there already.

        A column that is not named stays, and what does not differ is not written.
        """
        before = self._before(connection, [its for its in rows if its in held])
        seq = connection.execute(self.newest).scalar() or 0
        new, changed = [], []
        for its, row in rows.items():
            if (old := before.get(its)) is None:
                seq += 1  # one process writes, and nothing is ever deleted here
                new.append({**self.blank, **row, "seq": seq, self.key.name: its})
            elif any(old[name] != value for name, value in row.items()):
                changed.append((old, {**old, **row}))
        if changed:
            connection.execute(self.take, [old for old, _ in changed])
            connection.execute(self.change, [{"its": row["seq"], **row} for _, row in changed])
        if new:
            connection.execute(self.insert, new)
        if new or changed:
            connection.execute(self.add, [*new, *(row for _, row in changed)])

    def _before(self, connection: Connection, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for part in in_lists(ids):
            rows = connection.execute(select(self.table).where(self.key.in_(part))).mappings()
            found |= {row[self.key.name]: dict(row) for row in rows}
        return found


_ALERTS: Final = _Index(ALERT_FOUND, "alert_id")
_INCIDENTS: Final = _Index(INCIDENT_FOUND, "incident_id")
_MATCHING: Final = (
    "SELECT rowid AS seq FROM {what}_words WHERE {what}_words MATCH :sought AND rowid < :before "
    "ORDER BY rowid DESC LIMIT :most"
)
_PAGES: Final = {what: text(_MATCHING.format(what=what)) for what in ("alert", "incident")}
_COUNT: Final = text("SELECT count(*) FROM (SELECT 1 FROM alert_words WHERE alert_words MATCH :sought LIMIT :most)")
_BEYOND: Final = (1 << 63) - 1


class SqlFinding:
    """`app.finding_ports.Finding` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def alerts(self, page: Page, *, words: str = "", technique: str = "") -> tuple[list[Alert], str | None]:
        """By the index; bodies of the page alone are read."""
        numbers, cursor = self._page("alert", asked(words, technique), page)
        found: dict[int, Alert] = {}
        for part in in_lists(numbers):
            query = alerts().add_columns(ALERT_FOUND.c.seq).join(ALERT_FOUND, ALERT_FOUND.c.alert_id == ALERT.c.id)
            rows = self._db.execute(query.where(ALERT_FOUND.c.seq.in_(part)))
            found |= {row.seq: alert_of(row) for row in rows}
        return [found[number] for number in numbers if number in found], cursor

    def n_alerts(self, *, words: str = "", technique: str = "", most: int) -> int:
        """In the index alone."""
        sought = asked(words, technique)
        return int(self._db.execute(_COUNT, {"sought": sought, "most": most}).scalar_one()) if sought else 0

    def incidents(self, page: Page, *, words: str) -> tuple[list[Incident], str | None]:
        """By the index; bodies of the page alone are read."""
        numbers, cursor = self._page("incident", asked(words, ""), page)
        found: dict[int, Incident] = {}
        its = INCIDENT_FOUND.c.incident_id == INCIDENT.c.id
        for part in in_lists(numbers):
            query = select(INCIDENT_FOUND.c.seq, INCIDENT.c.body).join(INCIDENT, its)
            rows = self._db.execute(query.where(INCIDENT_FOUND.c.seq.in_(part)))
            found |= {row.seq: bodies.INCIDENT.unpack(row.body) for row in rows}
        return [found[number] for number in numbers if number in found], cursor

    def _page(self, what: str, sought: str, page: Page) -> tuple[list[int], str | None]:
        limit = limit_of(page)
        place = read_cursor(f"found-{what}", page, int)
        if not sought:
            return [], None
        before = _BEYOND if place is None else place[0]
        rows = self._db.execute(_PAGES[what], {"sought": sought, "before": before, "most": limit + 1})
        numbers = [int(row.seq) for row in rows]
        if len(numbers) <= limit:
            return numbers, None
        return numbers[:limit], write_cursor(f"found-{what}", numbers[limit - 1])


def asked(words: str, technique: str) -> str:
    """The query in the language of FTS5; "" where nothing is asked. Words hold no quotation mark."""
    each = [_phrase(one) for one in sought_of(words)]
    if name := found_by_of_techniques((technique,)).split(" ")[0]:
        each.append(f'techniques : "{name}"')
    return " AND ".join(each)


def index_alerts(connection: Connection, alerts: Iterable[Alert], held: Collection[str]) -> None:
    """Write the words of these alerts where they changed; `held` are identifiers of those which may be there."""
    rows = {
        one.id: {"words": found_by_of_alert(one), "techniques": found_by_of_techniques(one.techniques)}
        for one in alerts
    }
    _ALERTS.write(connection, rows, held)


def index_incidents(connection: Connection, incidents: Iterable[Incident], held: Collection[str]) -> None:
    """Write the words of these incidents where they changed; notes stay. `held` as above."""
    rows = {
        one.id: {"words": found_by_of_incident(one), "techniques": found_by_of_techniques(one.techniques)}
        for one in incidents
    }
    _INCIDENTS.write(connection, rows, held)


def index_notes(connection: Connection, incident_id: str, deeds: Iterable[Deed]) -> None:
    """Write the words of what people wrote to an incident; what they took back is not found."""
    case = case_of(incident_id, deeds)
    said = [(one.id, one.text) for one in (*case.notes, *case.evidence)] + [(one.id, one.text) for one in case.tasks]
    notes = found_by_of_notes(words for _, words in sorted(said, reverse=True))
    _INCIDENTS.write(connection, {incident_id: {"notes": notes}}, {incident_id})


def _phrase(sought: Sought) -> str:
    return f'"{" ".join(sought.words)}"{" *" if sought.is_begun else ""}'

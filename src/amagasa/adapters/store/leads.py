"""Leads: what one list says and nothing else yet, and the links of alerts that could confirm it.

The newest 10,000 leads and the newest 100,000 links are kept: lists name half of those who visit a public website.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.dialects.sqlite import Insert, insert

from amagasa.adapters.store import bodies
from amagasa.adapters.store.columns import micros
from amagasa.adapters.store.cursors import limit_of, read_cursor, write_cursor
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.tables import LEAD, LEAD_LINK, SPOKEN
from amagasa.app.pages import Page
from amagasa.incident.alert import Alert
from amagasa.incident.lead import is_guarded
from amagasa.incident.links import identity_links

KEPT_LEADS: Final = 10_000
KEPT_LINKS: Final = 100_000
# One link of more leads than this raises the newest: an address that is on a list makes one lead, not a thousand.
MAX_LINKED: Final = 100


def _upsert(table: Table) -> Insert:
    statement = insert(table)
    rest = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


_SAVE: Final = _upsert(LEAD)
_SPEAK: Final = insert(SPOKEN).on_conflict_do_update(
    index_elements=["link"],
    set_={"last_seen_at": func.max(SPOKEN.c.last_seen_at, insert(SPOKEN).excluded["last_seen_at"])},
)
_ADD_LINK: Final = insert(LEAD_LINK).on_conflict_do_nothing()


class SqlLeads:
    """`app.ports.Leads` on one connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def by_key(self, keys: Iterable[str], *, since: datetime, until: datetime) -> list[Alert]:
        """By key, then by time."""
        found: list[Alert] = []
        for part in in_lists(keys):
            query = select(LEAD.c.body).where(LEAD.c.key.in_(part), LEAD.c.last_seen_at >= micros(since))
            rows = self._db.execute(query.order_by(LEAD.c.key, LEAD.c.last_seen_at))
            found += [lead for (body,) in rows if (lead := bodies.ALERT.unpack(body)).first_seen_at <= until]
        return found

    def linked(self, links: Iterable[str], *, since: datetime) -> list[Alert]:
        """Newest first. Guarded ones are not among them: nothing raises those."""
        found: dict[str, Alert] = {}
        for part in in_lists(links):
            ids = select(LEAD_LINK.c.lead_id).where(LEAD_LINK.c.link.in_(part))
            query = select(LEAD.c.body).where(LEAD.c.id.in_(ids), LEAD.c.last_seen_at >= micros(since))
            query = query.where(LEAD.c.is_guarded == 0).order_by(LEAD.c.last_seen_at.desc()).limit(MAX_LINKED)
            found |= {lead.id: lead for (body,) in self._db.execute(query) if (lead := bodies.ALERT.unpack(body))}
        return list(found.values())

    def spoken(self, links: Iterable[str], *, since: datetime) -> frozenset[str]:
        """Those of the links which an alert that stands had, not before `since`."""
        found: set[str] = set()
        for part in in_lists(links):
            query = select(SPOKEN.c.link).where(SPOKEN.c.link.in_(part), SPOKEN.c.last_seen_at >= micros(since))
            found.update(link for (link,) in self._db.execute(query))
        return frozenset(found)

    def page(self, page: Page) -> tuple[list[Alert], str | None]:
        """Newest `updated_at` first, and the cursor of the next page."""
        limit = limit_of(page)
        after = read_cursor("lead", page, int, str)
        query = select(LEAD.c.id, LEAD.c.updated_at, LEAD.c.body)
        if after is not None:
            at, last_id = after
            is_older = (LEAD.c.updated_at < at) | ((LEAD.c.updated_at == at) & (LEAD.c.id < last_id))
            query = query.where(is_older)
        rows = self._db.execute(query.order_by(LEAD.c.updated_at.desc(), LEAD.c.id.desc()).limit(limit + 1)).all()
        found = [bodies.ALERT.unpack(row.body) for row in rows[:limit]]
        if len(rows) <= limit:
            return found, None
        return found, write_cursor("lead", rows[limit - 1].updated_at, rows[limit - 1].id)

    def n(self) -> int:
        """How many are kept."""
        return int(self._db.execute(select(func.count()).select_from(LEAD)).scalar_one())

    def save(self, leads: Iterable[Alert]) -> None:
        """Insert or replace by `id`, and forget the oldest beyond 10,000."""
        each = {lead.id: lead for lead in leads}
        if not each:
            return
        rows = [
            {
                "id": lead.id,
                "key": lead.key,
                "is_guarded": int(is_guarded(lead)),
                "last_seen_at": micros(lead.last_seen_at),
                "updated_at": micros(lead.updated_at),
                "body": bodies.ALERT.pack(lead),
            }
            for lead in each.values()
        ]
        self._db.execute(_SAVE, rows)
        links = [{"link": link, "lead_id": lead.id} for lead in each.values() for link in identity_links(lead)]
        if links:
            self._db.execute(_ADD_LINK, links)
        beyond = select(LEAD.c.id).order_by(LEAD.c.updated_at.desc(), LEAD.c.id.desc()).offset(KEPT_LEADS)
        self._db.execute(delete(LEAD).where(LEAD.c.id.in_(beyond)))

    def remove(self, ids: Iterable[str]) -> None:
        """Those which are alerts now."""
        for part in in_lists(ids):
            self._db.execute(delete(LEAD).where(LEAD.c.id.in_(part)))

    def speak(self, links: Mapping[str, datetime]) -> None:
        """Note that alerts which stand have these links, last seen then; forget the oldest beyond 100,000."""
        if not links:
            return
        self._db.execute(_SPEAK, [{"link": link, "last_seen_at": micros(at)} for link, at in links.items()])
        newest = select(func.max(SPOKEN.c.seq)).scalar_subquery()
        self._db.execute(delete(SPOKEN).where(SPOKEN.c.seq <= newest - KEPT_LINKS))

"""Queries for content: all, some, and page by page, since indicators may be many."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from amagasa.adapters.store import bodies
from amagasa.adapters.store.columns import micros
from amagasa.adapters.store.in_lists import in_lists
from amagasa.adapters.store.tables import CONTENT
from amagasa.app.ports import ContentItem, ContentKind


def every(db: Connection) -> list[ContentItem]:
    """By `id`."""
    return [bodies.CONTENT.unpack(body) for (body,) in db.execute(select(CONTENT.c.body).order_by(CONTENT.c.id))]


def page_of(db: Connection, kind: ContentKind, *, after: str, limit: int) -> list[ContentItem]:
    """Of the kind, behind the identifier `after`, by `id`."""
    query = select(CONTENT.c.body).where(CONTENT.c.kind == kind.value, CONTENT.c.id > after)
    return [bodies.CONTENT.unpack(body) for (body,) in db.execute(query.order_by(CONTENT.c.id).limit(limit))]


def on_trial(db: Connection, until: datetime | None, *, limit: int) -> list[ContentItem]:
    """Of whose trial something is due until then, the most urgent first."""
    query = select(CONTENT.c.body).where(CONTENT.c.trial_until.is_not(None)).order_by(CONTENT.c.trial_until)
    if until is not None:
        query = query.where(CONTENT.c.trial_until <= micros(until))
    return [bodies.CONTENT.unpack(body) for (body,) in db.execute(query.limit(limit))]


def some(db: Connection, ids: Iterable[str]) -> list[ContentItem]:
    """Those that are there, by `id`."""
    found: list[ContentItem] = []
    for part in in_lists(ids):
        rows = db.execute(select(CONTENT.c.body).where(CONTENT.c.id.in_(part)))
        found += [bodies.CONTENT.unpack(body) for (body,) in rows]
    return sorted(found, key=lambda item: item.id)

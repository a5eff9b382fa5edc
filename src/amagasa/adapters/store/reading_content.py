"""The queries for content, as a part of `app.ports.Reading`."""

from collections.abc import Iterable
from datetime import datetime

from amagasa.adapters.store import contents
from amagasa.adapters.store.parts import SqlParts
from amagasa.app.ports import ContentItem, ContentKind


class ContentReading(SqlParts):
    """On one connection."""

    def content(self) -> list[ContentItem]:
        """All content, by `id`."""
        return contents.every(self._db)

    def content_page(self, kind: ContentKind, *, after: str, limit: int) -> list[ContentItem]:
        """By `id`."""
        return contents.page_of(self._db, kind, after=after, limit=limit)

    def content_items(self, ids: Iterable[str]) -> list[ContentItem]:
        """By `id`."""
        return contents.some(self._db, ids)

    def content_on_trial(self, until: datetime | None = None, *, limit: int) -> list[ContentItem]:
        """The most urgent first."""
        return contents.on_trial(self._db, until, limit=limit)

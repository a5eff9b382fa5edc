"""Pages of long lists."""

from msgspec import Struct


class Page(Struct, frozen=True, kw_only=True):
    """Newest first. `before` is a cursor as the last answer gave it; at most `limit` (1..500) rows."""

    limit: int = 100
    before: str | None = None

"""Which of what waits leaves next: by urgency, with a share for what is new and one for each urgency."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy import literal as value_of

from amagasa.adapters.store.columns import micros
from amagasa.adapters.store.tables import CROSSING
from amagasa.share.urgency import Urgency

# Of each batch: behind 100,000 objects of a lost day, what happens now is with the ally in the next batch all the same.
NEW_SHARE = 4  # a fourth
OTHERS_SHARE = 8  # an eighth for each urgency, so that a flood of urgent things holds up no other for ever


def pressing(db: Connection, ally: str, *, now: datetime, limit: int) -> list[int]:
    """Numbers of at most `limit` crossings that are due, by urgency and then by age. Reads the index alone."""
    due = (
        CROSSING.c.direction == value_of("out", literal_execute=True),
        CROSSING.c.state == value_of("pending", literal_execute=True),
        CROSSING.c.ally == ally,
        CROSSING.c.next_try_at <= micros(now),
    )
    oldest = {
        urgency: list(_ids(db, *due, CROSSING.c.urgency == urgency.value, order=CROSSING.c.id, limit=limit + 1))
        for urgency in Urgency
    }
    chosen = dict.fromkeys(islice((each for some in oldest.values() for each in some), limit + 1))
    if len(chosen) > limit:
        new = list(_ids(db, *due, order=CROSSING.c.id.desc(), limit=limit // NEW_SHARE))
        shares = [each for some in oldest.values() for each in some[: limit // OTHERS_SHARE]]
        chosen = dict.fromkeys(islice(dict.fromkeys([*new, *shares, *chosen]), limit))
    ranks = {each: urgency.value for urgency, some in oldest.items() for each in some}
    return sorted(chosen, key=lambda each: (ranks.get(each, len(Urgency)), each))


def _ids(db: Connection, *where: ColumnElement[bool], order: ColumnElement[int], limit: int) -> Iterator[int]:
    yield from db.execute(select(CROSSING.c.id).where(*where).order_by(order).limit(limit)).scalars()

"""What an ally asks of its outbox: the filters of TAXII 2.1 section 3.4, and the page that answers them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from amagasa.app.ports import Bond, Crossing, Reading
from amagasa.app.sharing import may_still_leave
from amagasa.entry.allies.wire import (
    PAGE,
    TaxiiError,
    limit_of,
    read_instant,
    read_next,
    to_date_added,
    values_of,
    write_next,
)
from amagasa.intel.stix import instant_of

LONGEST_PAGE: Final = 500
# Rows looked at for one answer: a rare type must not hold a reader for long; the answer then says there is more.
SCANNED: Final = 5_000
VERSIONS: Final = 20_000


class Ask(Struct, frozen=True, kw_only=True):
    """One question. An empty filter lets everything pass; `versions` holds words or instants of `modified`."""

    added_after: datetime | None = None
    after_id: int | None = None
    limit: int = PAGE
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ("last",)
    spec_versions: tuple[str, ...] = ()


class Found(Struct, frozen=True, kw_only=True):
    """A page in the order in which it was added; `next` is "" at the end."""

    crossings: tuple[Crossing, ...]
    next: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """`X-TAXII-Date-Added-First` and `-Last` (section 3.3); none for an empty page."""
        if not self.crossings:
            return {}
        return {
            "X-TAXII-Date-Added-First": to_date_added(self.crossings[0].created_at),
            "X-TAXII-Date-Added-Last": to_date_added(self.crossings[-1].created_at),
        }


def ask_of(query: Mapping[str, str], *, object_id: str = "") -> Ask:
    """The question in the query parameters; unknown ones are passed over. Raises TaxiiError 400."""
    after, after_id = query.get("added_after"), None
    added_after = read_instant(after, "added_after") if after is not None else None
    if query.get("next"):
        added_after, after_id = read_next(query["next"])
    versions = values_of(query, "match[version]") or ("last",)
    for version in versions:
        if version not in {"first", "last", "all"} and instant_of(version) is None:
            raise TaxiiError(400, "AMG-TAXII-QUERY", "match[version] is first, last, all or an instant", got=version)
    return Ask(
        added_after=added_after,
        after_id=after_id,
        limit=limit_of(query, most=LONGEST_PAGE),
        ids=(object_id,) if object_id else values_of(query, "match[id]"),
        types=values_of(query, "match[type]"),
        versions=versions,
        spec_versions=values_of(query, "match[spec_version]"),
    )


def find(reading: Reading, bond: Bond, ask: Ask, *, now: datetime) -> Found:
    """What of the ally's outbox fits. Reads at most SCANNED rows; where more may follow, `next` leads there.

    What is held until later is not there yet, and what no clause lets leave any longer is not there any more.
    """
    ally = bond.ally.id
    fitting: list[Crossing] = []
    added_after, after_id, n_scanned = ask.added_after, ask.after_id, 0
    n_rows = min(ask.limit + 1, LONGEST_PAGE)  # mostly each is given out, and one more says that there is more
    while n_scanned < SCANNED:
        rows = reading.released_after(
            ally, added_after=added_after, after_id=after_id, limit=n_rows, object_ids=ask.ids or None
        )
        open_ = [row for row in rows if row.created_at <= now and may_still_leave(row, bond)]
        for row in _fitting(reading, ally, open_, ask):
            if len(fitting) == ask.limit:
                return _page(fitting, fitting[-1])
            fitting.append(row)
        if len(rows) < n_rows:
            return Found(crossings=tuple(fitting))
        n_scanned, n_rows = n_scanned + len(rows), LONGEST_PAGE
        added_after, after_id = rows[-1].created_at, rows[-1].id
    return _page(fitting, rows[-1])


def _page(fitting: Sequence[Crossing], last: Crossing) -> Found:
    return Found(crossings=tuple(fitting), next=write_next(last.created_at, last.id))


def _fitting(reading: Reading, ally: str, rows: Sequence[Crossing], ask: Ask) -> Iterable[Crossing]:
    if ask.spec_versions and "2.1" not in ask.spec_versions:
        return
    kept = [row for row in rows if not ask.types or row.object_type in ask.types]
    wanted = None if "all" in ask.versions or not kept else _wanted(reading, ally, kept, ask.versions)
    for row in kept:
        if wanted is None or row.id in wanted:
            yield row


def _wanted(reading: Reading, ally: str, rows: Sequence[Crossing], versions: Sequence[str]) -> set[int]:
    """Numbers of those crossings of these objects which hold one of the versions asked for."""
    ids = tuple(dict.fromkeys(row.object_id for row in rows))
    by_object: dict[str, list[Crossing]] = {}
    for one in reading.released_after(ally, added_after=None, limit=VERSIONS, object_ids=ids):
        by_object.setdefault(one.object_id, []).append(one)
    instants = {instant_of(version) for version in versions} - {None}
    wanted: set[int] = set()
    for held in by_object.values():
        held.sort(key=_age)
        wanted |= {held[-1].id} if "last" in versions else set()
        wanted |= {held[0].id} if "first" in versions else set()
        wanted |= {one.id for one in held if instant_of(one.version) in instants}
    return wanted


def _age(crossing: Crossing) -> tuple[float, int]:
    version = instant_of(crossing.version)
    return (version.timestamp() if version is not None else 0.0, crossing.id)

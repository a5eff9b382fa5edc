"""Collections of the library that follow what is known here, so that a product which polls one is never behind.

What is new or has a new version is added. What is there no longer is taken back: our own objects as a revoked version,
which a poller hears of; those of others, whose versions are not ours to make, are taken out of the collection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.exporting import ExportAsked, Exported
from amagasa.app.queries import MissingError
from amagasa.app.taxii_library import Library, LibraryReading, LibraryWriting, Shelved, Want, Which, shelved
from amagasa.intel.stix import instant_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339

MAX_FEEDS: Final = 50
_PAGE: Final = 1_000
_MILLISECOND: Final = timedelta(milliseconds=1)


class Feed(Struct, frozen=True, kw_only=True):
    """What is kept current in which collection. `ally`: what was released to it; `what` is then the agreement."""

    what: str
    root: str
    collection: str
    ally: str = ""
    marking: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """One feed fills a collection."""
        return self.root, self.collection


class Renewed(Struct, frozen=True, kw_only=True):
    """How many versions were added, and how many objects taken back or out."""

    n_added: int = 0
    n_gone: int = 0


def parse_feeds(data: bytes) -> tuple[Feed, ...] | None:
    """None of what is no list of feeds."""
    try:
        return msgspec.json.decode(data, type=tuple[Feed, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def with_feed(feeds: Sequence[Feed], feed: Feed) -> tuple[Feed, ...]:
    """With this one in place of what filled the same collection before.

    Raises BadInputError AMG-FEED-RELEASE for what would be a release each time, AMG-FEED-MANY for too many.
    """
    if feed.ally and not feed.what.startswith("agreement--"):
        raise BadInputError(
            "AMG-FEED-RELEASE",
            "a release is decided each time, and does not go on by itself",
            expected="with --for the identifier of the agreement: what was released under it",
            got=feed.what,
            then="nothing is kept current",
        )
    kept = (*(one for one in feeds if one.place != feed.place), feed)
    if len(kept) > MAX_FEEDS:
        expected = f"at most {MAX_FEEDS}"
        raise BadInputError("AMG-FEED-MANY", "these are too many collections to keep current", expected=expected)
    return kept


def renew(
    library: Library, export: Callable[[ExportAsked], Exported], feed: Feed, *, party: str, now: datetime
) -> Renewed:
    """Bring the collection to what is known now; one that is gone stays as it is.

    Raises WorldError, and BadInputError where the export cannot be made, e.g. while no agreement is in force.
    """
    try:
        text = export(ExportAsked(what=feed.what, ally=feed.ally, marking=feed.marking)).text
        told: list[dict[str, Any]] = msgspec.json.decode(text).get("objects", [])
    except MissingError:
        told = []
    with library.read() as reading:
        place = _place(reading, feed)
        if place is None:
            return Renewed()
        held = {one.object_id: one for one in _latest(reading, place)}
    wanted = {str(one["id"]) for one in told}
    fresh = [one for one in told if _is_new(one, held.get(str(one["id"])))]
    revoked, out = _gone([one for one in held.values() if one.object_id not in wanted], party=party, now=now)
    kept = [shelved(one, content=msgspec.json.encode(one), now=now) for one in (*fresh, *revoked)]
    rows = [one for one in kept if not isinstance(one, str)]
    if not rows and not out:
        return Renewed()
    with library.write() as tx:
        _take_out(tx, place, out)
        tx.add(*place, rows)
    return Renewed(n_added=len(rows) - len(revoked), n_gone=len(revoked) + len(out))


def _place(reading: LibraryReading, feed: Feed) -> tuple[str, str] | None:
    found = [one for one in reading.collections(feed.root) if feed.collection in {one.id, one.alias}]
    return (feed.root, found[0].id) if len(found) == 1 else None


def _latest(reading: LibraryReading, place: tuple[str, str]) -> Iterator[Shelved]:
    want = Want(limit=_PAGE, words=frozenset({Which.LAST}))
    while True:
        leaf = reading.objects(*place, want)
        yield from leaf.objects
        if not leaf.has_more:
            return
        last = leaf.objects[-1]
        want = msgspec.structs.replace(want, added_after=last.added_at, after_seq=last.seq)


def _is_new(obj: Mapping[str, Any], held: Shelved | None) -> bool:
    if held is None:
        return True
    version = instant_of(obj.get("modified") or obj.get("created"))
    return version is not None and bool(held.version) and version > held.version_at


def _gone(held: Sequence[Shelved], *, party: str, now: datetime) -> tuple[list[dict[str, Any]], list[str]]:
    """(our objects, revoked; identifiers of those of others). What is revoked already stays as it is."""
    revoked: list[dict[str, Any]] = []
    out: list[str] = []
    for one in held:
        obj = msgspec.json.decode(one.content, type=dict[str, Any])
        if obj.get("revoked") is True:
            continue
        if obj.get("created_by_ref") == party and one.version:
            modified = max(now, one.version_at + _MILLISECOND)
            revoked.append(obj | {"revoked": True, "modified": to_rfc3339(modified)})
        elif "created_by_ref" in obj:
            out.append(one.object_id)
    return revoked, out


def _take_out(tx: LibraryWriting, place: tuple[str, str], ids: Sequence[str]) -> None:
    for at in range(0, len(ids), _PAGE):
        tx.remove(*place, Want(ids=tuple(ids[at : at + _PAGE]), words=frozenset({Which.ALL})))

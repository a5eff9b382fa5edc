"""A collection that is kept current has what is known now; what is gone is revoked there or taken out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.store.library import open_library
from amagasa.app.exporting import ExportAsked, Exported
from amagasa.app.feeds import Feed, Renewed, parse_feeds, renew, with_feed
from amagasa.app.queries import MissingError
from amagasa.app.taxii_library import Collection, Document, Library, Root, Want
from amagasa.vocab.errors import BadInputError

US = "identity--00000000-0000-4000-8000-000000000001"
THEM = "identity--00000000-0000-4000-8000-000000000002"
NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
FEED = Feed(what="content", root="feeds", collection="all")


def obj(number: int, *, by: str = US, modified: str = "2026-11-01T00:00:00.000Z") -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--00000000-0000-4000-8000-{number:012}",
        "created_by_ref": by,
        "created": "2026-11-01T00:00:00.000Z",
        "modified": modified,
    }


class Shelf:
    """A library with one collection, and what the node knows."""

    def __init__(self, folder: Path) -> None:
        self.library: Library = open_library(folder)
        self.known: list[dict[str, Any]] | None = []
        self.now = NOW
        root = Root(name="feeds", title="feeds", versions=(), max_content_length=1_000_000)
        collection = Collection(root="feeds", id="1", alias="all", title="all", can_read=True, can_write=False)
        with self.library.write() as tx:
            tx.put_server(Document(discovery=None, roots=(root,), collections=(collection,), objects=()))

    def export(self, asked: ExportAsked) -> Exported:
        if self.known is None:
            raise MissingError("AMG-EXPORT-UNKNOWN", "gone", got=asked.what)
        return Exported(
            title="",
            form="stix",
            ally=None,
            file="",
            media_type="",
            marking="amber",
            n_objects=0,
            n_written=0,
            n_left_out=0,
            n_beside=0,
            left_out=[],
            text=msgspec.json.encode({"type": "bundle", "objects": self.known}).decode(),
        )

    def renew(self, feed: Feed = FEED) -> Renewed:
        self.now += timedelta(minutes=1)
        return renew(self.library, self.export, feed, party=US, now=self.now)

    def held(self, *, added_after: datetime | None = None) -> dict[str, bool]:
        """Of each object whether its last version is revoked."""
        with self.library.read() as reading:
            leaf = reading.objects("feeds", "1", Want(added_after=added_after))
        return {one.object_id[-1]: msgspec.json.decode(one.content).get("revoked", False) for one in leaf.objects}

    def n_versions(self) -> int:
        with self.library.read() as reading:
            return reading.n_versions("feeds", "1")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_what_is_new_is_added_and_the_same_again_adds_nothing(shelf: Shelf) -> None:
    shelf.known = [obj(1), obj(2)]
    assert shelf.renew() == Renewed(n_added=2)
    assert shelf.renew() == Renewed()
    shelf.known.append(obj(3))
    assert shelf.renew() == Renewed(n_added=1)
    assert shelf.held() == {"1": False, "2": False, "3": False}


def test_newer_version_stands_beside_the_older(shelf: Shelf) -> None:
    shelf.known = [obj(1)]
    shelf.renew()
    shelf.known = [obj(1, modified="2026-11-02T00:00:00.000Z")]
    assert shelf.renew() == Renewed(n_added=1)
    assert shelf.n_versions() == 2


def test_own_object_that_is_gone_is_revoked_and_a_poller_hears_of_it(shelf: Shelf) -> None:
    shelf.known = [obj(1), obj(2)]
    shelf.renew()
    polled_at = shelf.now
    shelf.known = [obj(2)]
    assert shelf.renew() == Renewed(n_gone=1)
    assert shelf.held(added_after=polled_at) == {"1": True}
    assert shelf.renew() == Renewed()


def test_object_of_another_that_is_gone_is_taken_out(shelf: Shelf) -> None:
    shelf.known = [obj(1, by=THEM), obj(2)]
    shelf.renew()
    shelf.known = [obj(2)]
    assert shelf.renew() == Renewed(n_gone=1)
    assert shelf.held() == {"2": False}


def test_own_object_that_comes_back_with_a_newer_version_is_there_again(shelf: Shelf) -> None:
    shelf.known = [obj(1)]
    shelf.renew()
    shelf.known = []
    shelf.renew()
    shelf.known = [obj(1, modified="2026-11-24T00:00:00.000Z")]
    shelf.renew()
    assert shelf.held() == {"1": False}


def test_what_is_known_no_longer_at_all_takes_everything_back(shelf: Shelf) -> None:
    shelf.known = [obj(1)]
    shelf.renew()
    shelf.known = None
    assert shelf.renew() == Renewed(n_gone=1)
    assert shelf.held() == {"1": True}


def test_many_objects_are_compared_over_pages(shelf: Shelf) -> None:
    shelf.known = [obj(number) for number in range(1, 2_502)]
    assert shelf.renew() == Renewed(n_added=2_501)
    shelf.known = shelf.known[:1]
    assert shelf.renew() == Renewed(n_gone=2_500)
    assert shelf.renew() == Renewed()


def test_collection_that_is_gone_stays_gone(shelf: Shelf) -> None:
    shelf.known = [obj(1)]
    assert shelf.renew(Feed(what="content", root="feeds", collection="none")) == Renewed()


def test_feed_takes_the_place_of_what_filled_the_collection_before() -> None:
    other = Feed(what="incident--x", root="feeds", collection="all")
    assert with_feed((FEED,), other) == (other,)


def test_release_that_would_go_on_by_itself_is_refused() -> None:
    with pytest.raises(BadInputError, match="AMG-FEED-RELEASE"):
        with_feed((), Feed(what="content", root="feeds", collection="all", ally="United States"))
    released = Feed(what="agreement--x", root="feeds", collection="all", ally="United States")
    assert with_feed((), released) == (released,)


def test_too_many_feeds_are_refused() -> None:
    feeds = tuple(Feed(what="content", root="feeds", collection=str(number)) for number in range(50))
    with pytest.raises(BadInputError, match="AMG-FEED-MANY"):
        with_feed(feeds, FEED)


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_reading_it_never_raises(data: bytes) -> None:
    assert parse_feeds(data) in {None, ()}

"""Collections for other tools (TAXII 2.1): roots, collections, objects and users that a node keeps beside its own.

What allies exchange goes through the agreement and the ally door alone. This is a library: whoever has an account on it
reads and writes objects in the collections that it holds, and nothing in it is looked with or released.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from amagasa.intel.stix import instant_of

STIX_20: Final = "application/stix+json;version=2.0"
STIX_21: Final = "application/stix+json;version=2.1"
EVERYWHERE: Final = "*"


class Root(Struct, frozen=True, kw_only=True):
    """An API root (section 4.2). `name` is the first part of its address."""

    name: str
    title: str
    description: str = ""
    versions: tuple[str, ...]
    max_content_length: int


class Collection(Struct, frozen=True, kw_only=True):
    """A collection (section 5.2) as everybody on the server sees it; an account may see less of it."""

    root: str
    id: str
    title: str
    can_read: bool
    can_write: bool
    description: str = ""
    alias: str = ""
    media_types: tuple[str, ...] = (STIX_21,)


class Discovery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The server's own description (section 4.1)."""

    title: str
    description: str = ""
    contact: str = ""
    default: str = ""
    api_roots: tuple[str, ...] = ()


class Shelved(Struct, frozen=True, kw_only=True):
    """One version of an object. `version` as in its manifest entry; `content` is its JSON as it came."""

    seq: int = 0
    object_id: str
    object_type: str
    spec_version: str
    version: str
    version_at: datetime
    added_at: datetime
    content: bytes

    @property
    def media_type(self) -> str:
        """Of the content."""
        return STIX_20 if self.spec_version == "2.0" else STIX_21


class Which(StrEnum):
    """Versions that can be asked for by a word."""

    FIRST = "first"
    LAST = "last"
    ALL = "all"


class Want(Struct, frozen=True, kw_only=True):
    """The filters of section 3.4; an empty one lets everything pass. No `spec_versions`: the latest that there is.

    `after_seq` is where the page before ended, within `added_after`.
    """

    added_after: datetime | None = None
    after_seq: int | None = None
    limit: int = 100
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    words: frozenset[Which] = frozenset({Which.LAST})
    versions: tuple[datetime, ...] = ()
    spec_versions: tuple[str, ...] = ()


class Leaf(Struct, frozen=True):
    """A page in the order in which objects were added, and whether more follow."""

    objects: tuple[Shelved, ...]
    has_more: bool


class Grant(Struct, frozen=True, kw_only=True):
    """What an account may do in a collection of a root, or in all (`*`) of them; a collection's own bounds stay."""

    root: str = EVERYWHERE
    collection: str = EVERYWHERE
    may_read: bool = True
    may_write: bool = False

    def covers(self, collection: Collection) -> bool:
        """Whether it is for this collection."""
        return self.root in {EVERYWHERE, collection.root} and self.collection in {
            EVERYWHERE,
            collection.id,
            collection.alias or collection.id,
        }


class Reader(Struct, frozen=True, kw_only=True):
    """An account: `secret` is a hash of its password or token."""

    name: str
    secret: str
    grants: tuple[Grant, ...]

    def rights(self, collection: Collection) -> tuple[bool, bool]:
        """Whether it may read the collection, and whether it may write it."""
        grants = [one for one in self.grants if one.covers(collection)]
        return (
            collection.can_read and any(one.may_read for one in grants),
            collection.can_write and any(one.may_write for one in grants),
        )


class Document(Struct, frozen=True, kw_only=True):
    """All of a server: what a document in the format of the OASIS reference server holds."""

    discovery: Discovery | None
    roots: tuple[Root, ...]
    collections: tuple[Collection, ...]
    objects: tuple[tuple[str, str, Shelved], ...]
    statuses: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    passwords: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()


class LibraryReading(Protocol):
    """One snapshot."""

    def discovery(self) -> Discovery | None:
        """What `/taxii2/` answers; None before anything was loaded."""

    def roots(self) -> tuple[Root, ...]:
        """In the order in which they were loaded."""

    def collections(self, root: str) -> tuple[Collection, ...]:
        """In that order too."""

    def objects(self, root: str, collection: str, want: Want) -> Leaf:
        """A page."""

    def holds(self, root: str, collection: str, object_id: str) -> bool:
        """Whether any version of it is there."""

    def n_versions(self, root: str, collection: str) -> int:
        """How many versions of objects it holds."""

    def status(self, root: str, status_id: str) -> bytes | None:
        """The JSON of a status."""

    def reader(self, name: str) -> Reader | None:
        """An account."""

    def readers(self) -> tuple[Reader, ...]:
        """All accounts, by name."""


class LibraryWriting(LibraryReading, Protocol):
    """One transaction."""

    def put_server(self, document: Document) -> None:
        """Replace the roots that it names, with all that is in them; others stay, and what it does not describe."""

    def add(self, root: str, collection: str, objects: Sequence[Shelved]) -> None:
        """Add versions; one that is there already stays as it is."""

    def remove(self, root: str, collection: str, want: Want) -> int:
        """Delete the versions asked for, without regard to its page; how many those were."""

    def put_status(self, root: str, status_id: str, content: bytes, *, now: datetime) -> None:
        """Keep a status; those of more than a day ago go."""

    def put_reader(self, reader: Reader) -> None:
        """Add an account, or replace the one of that name."""

    def drop_reader(self, name: str) -> bool:
        """Remove an account; whether it was there."""


class Library(Protocol):
    """Raises WorldError (AMG-STORE-...) where its file cannot be read or written."""

    def read(self) -> AbstractContextManager[LibraryReading]:
        """A snapshot."""

    def write(self) -> AbstractContextManager[LibraryWriting]:
        """A transaction, committed at its end."""


def shelved(value: Any, *, content: bytes, now: datetime) -> Shelved | str:
    """An object as it came, or why it cannot be kept. Its version: `modified`, else `created`, else `now`."""
    if not isinstance(value, dict):
        return "an object was expected"
    object_id, object_type = value.get("id"), value.get("type")
    if (
        not isinstance(object_id, str)
        or not isinstance(object_type, str)
        or not object_id.startswith(f"{object_type}--")
    ):
        return "its `id` is not its `type`, two dashes and a UUID"
    version = value.get("modified") or value.get("created")
    version_at = now if version is None else instant_of(version) if isinstance(version, str) else None
    if version_at is None:
        return "its `modified` or `created` is no instant"
    spec_version = value.get("spec_version", "2.0" if version is not None else "2.1")
    if spec_version not in {"2.0", "2.1"}:
        return "its `spec_version` is neither 2.0 nor 2.1"
    return Shelved(
        object_id=object_id,
        object_type=object_type,
        spec_version=spec_version,
        version=version or "",
        version_at=version_at,
        added_at=now,
        content=content,
    )


def counted(objects: Iterable[Shelved]) -> int:
    """How many different objects."""
    return len({one.object_id for one in objects})

"""A server's whole content as one JSON document, in the format of the OASIS TAXII reference server."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.taxii_library import STIX_21, Collection, Discovery, Document, Root, Shelved, shelved
from amagasa.intel.stix import instant_of
from amagasa.vocab.errors import BadInputError

DISCOVERY: Final = "/discovery"
_ROOT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# First parts of addresses that the door for people has of its own.
RESERVED: Final = frozenset({"api", "assets", "taxii2", "healthz", "readyz", "metrics", "index.html", "favicon.ico"})
CONTENT_BYTES: Final = 10 * 1024 * 1024
_TAXII: Final = "application/taxii+json;version=2.1"

Some = TypeVar("Some")


class _Information(Struct):
    title: str
    description: str = ""
    versions: tuple[str, ...] = (_TAXII,)
    max_content_length: int = CONTENT_BYTES


class _Entry(Struct):
    id: str
    date_added: str
    version: str = ""


class _Collection(Struct):
    id: str
    title: str
    can_read: bool
    can_write: bool
    description: str = ""
    alias: str = ""
    media_types: tuple[str, ...] = (STIX_21,)
    objects: list[msgspec.Raw] = []
    manifest: list[_Entry] = []


class _Root(Struct):
    information: _Information
    status: list[dict[str, Any]] = []
    collections: list[_Collection] = []


def parse_document(data: bytes, *, now: datetime) -> Document:
    """The document. Objects that cannot be kept stand in `faults`, in a sentence each; the others are there.

    Besides the server's keys it may hold `users` (name: password), as the reference server's configuration does, on the
    first level or under `config`. Raises BadInputError (AMG-TAXII-DOCUMENT).
    """
    try:
        parts = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong("one JSON object", str(error)) from None
    discovery = _part(parts.get(DISCOVERY), Discovery, DISCOVERY) if DISCOVERY in parts else None
    users = _users(parts)
    roots: list[Root] = []
    collections: list[Collection] = []
    objects: list[tuple[str, str, Shelved]] = []
    statuses: list[tuple[str, Mapping[str, Any]]] = []
    faults: list[str] = []
    for name, raw in parts.items():
        if name in {DISCOVERY, "users", "config", "backend", "taxii"}:
            continue
        if _ROOT_NAME.fullmatch(name) is None or name.lower() in RESERVED:
            raise _wrong("API roots named with letters, digits, dots, dashes; none of ours", name)
        root = _part(raw, _Root, name)
        roots.append(
            Root(
                name=name,
                title=root.information.title,
                description=root.information.description,
                versions=root.information.versions,
                max_content_length=min(max(root.information.max_content_length, 1), CONTENT_BYTES),
            )
        )
        statuses += [(name, status) for status in root.status if isinstance(status.get("id"), str)]
        for one in root.collections:
            collections.append(_collection(name, one))
            for found in _objects(one, now):
                if isinstance(found, str):
                    faults.append(f"{name}/{one.id}: {found}")
                else:
                    objects.append((name, one.id, found))
    _refuse_twice(collections)
    return Document(
        discovery=discovery,
        roots=tuple(roots),
        collections=tuple(collections),
        objects=tuple(objects),
        statuses=tuple(statuses),
        passwords=tuple(users.items()),
        faults=tuple(faults),
    )


def _part(raw: msgspec.Raw | None, kind: type[Some], name: str) -> Some:
    try:
        return msgspec.json.decode(raw or b"null", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong("the format of the OASIS reference server", f"{name}: {error}") from None


def _users(parts: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    if "users" in parts:
        return _part(parts["users"], dict[str, str], "users")
    config = _part(parts["config"], dict[str, Any], "config") if "config" in parts else {}
    return _part(msgspec.Raw(msgspec.json.encode(config.get("users", {}))), dict[str, str], "config.users")


def _collection(root: str, one: _Collection) -> Collection:
    return Collection(
        root=root,
        id=one.id,
        title=one.title,
        can_read=one.can_read,
        can_write=one.can_write,
        description=one.description,
        alias=one.alias,
        media_types=one.media_types,
    )


def _refuse_twice(collections: list[Collection]) -> None:
    places = [(one.root, name) for one in collections for name in {one.id, one.alias} - {""}]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise _wrong("each collection of a root once", "/".join(twice))


def _objects(collection: _Collection, now: datetime) -> Iterator[Shelved | str]:
    """Each version with the instant that the manifest gives for it; where it gives none, `now`."""
    by_version: dict[tuple[str, datetime | None], datetime] = {}
    for entry in collection.manifest:
        added_at = instant_of(entry.date_added)
        if added_at is None:
            yield f"its manifest gives {entry.id} a date_added that is no instant"
        else:
            by_version[entry.id, instant_of(entry.version)] = added_at
    for raw in collection.objects:
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, RecursionError) as error:
            yield f"an object cannot be read: {error}"
            continue
        made = shelved(value, content=bytes(raw), now=now)
        if isinstance(made, str):
            yield f"an object was left out: {made}"
            continue
        yield replace(made, added_at=by_version.get((made.object_id, instant_of(made.version)), now))


def _wrong(expected: str, got: str) -> BadInputError:
    return BadInputError(
        "AMG-TAXII-DOCUMENT",
        "this is no content of a TAXII server",
        expected=expected,
        got=got,
        then="nothing was loaded",
    )

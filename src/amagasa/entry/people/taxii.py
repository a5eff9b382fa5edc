"""TAXII 2.1 for other tools, at the door for people: collections of the node's library, by account.

Allies come by their own door and see nothing of this; nothing in here is looked with or released.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from litestar import Litestar, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import asdict

from amagasa.app.ports import Clock, Passwords
from amagasa.app.taxii_library import Collection, Leaf, Library, Reader, Root, Shelved, Want, Which, shelved
from amagasa.entry.allies.wire import (
    TaxiiError,
    answer,
    error_answer,
    on_http,
    parse_envelope,
    read_body,
    require_accept,
    require_content_type,
    to_date_added,
)
from amagasa.entry.people.taxii_query import next_of, want_of
from amagasa.entry.people.taxii_readers import Readers
from amagasa.vocab.errors import AmagasaError, BadInputError, WorldError

_LOG: Final = structlog.get_logger("amagasa.library")
TAXII: Final = "/taxii2"
OBJECT_BYTES: Final = 1_048_576
# The words of the OASIS reference server for what a client did wrong, which some clients look for.
_TITLE: Final = "ProcessingError"
_WHILE: Final = "While processing supplied content, an error occurred"

Asked = Request[Any, Any, State]
Some = TypeVar("Some")


class LibraryDeps(Struct, frozen=True, kw_only=True):
    """What the server needs. `draw_id` draws the identifier of a status (UUID version 4)."""

    library: Library
    passwords: Passwords
    clock: Clock
    draw_id: Callable[[], str] = lambda: str(uuid.uuid4())


class Desk:
    """What the handlers share."""

    def __init__(self, deps: LibraryDeps) -> None:
        self.deps = deps
        self.readers = Readers(deps.library, deps.passwords)


def build_library(deps: LibraryDeps) -> Litestar:
    """The application: discovery at `/taxii2/`, each API root at `/ROOT/`."""
    return Litestar(
        route_handlers=[
            discovery,
            api_root,
            get_status,
            collections,
            collection,
            manifest,
            get_objects,
            add_objects,
            get_object,
            delete_object,
            get_versions,
        ],
        exception_handlers={
            TaxiiError: _on_taxii,
            AmagasaError: _on_known,
            HTTPException: on_http,
            Exception: _on_unknown,
        },
        state=State({"desk": Desk(deps)}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # read_body has the limit, with an answer in TAXII's words
    )


class Place(Struct, frozen=True, kw_only=True):
    """The collection that is asked for, and what the caller may do there."""

    root: Root
    collection: Collection
    may_read: bool
    may_write: bool


@get(TAXII)
async def discovery(request: Asked) -> Response[bytes]:
    """Server discovery (section 4.1), as it was loaded."""

    def look(_: Reader) -> dict[str, Any]:
        with _desk(request).deps.library.read() as reading:
            found = reading.discovery()
            if found is None:
                raise TaxiiError(
                    404, "AMG-TAXII-NONE", "this library is empty", then="amagasa taxii load FILE fills it"
                )
            told = {name: value for name, value in asdict(found).items() if value}
            return told if "api_roots" in told else told | {"api_roots": [f"/{root.name}/" for root in reading.roots()]}

    return answer(await _asked(request, look))


@get("/{root:str}")
async def api_root(request: Asked, root: FromPath[str]) -> Response[bytes]:
    """API root information (section 4.2)."""

    def look(_: Reader) -> dict[str, Any]:
        found = _root(request, root)
        return {name: value for name, value in asdict(found).items() if name != "name" and value != ""}

    return answer(await _asked(request, look))


@get("/{root:str}/status/{status_id:str}")
async def get_status(request: Asked, root: FromPath[str], status_id: FromPath[str]) -> Response[bytes]:
    """Status of an earlier request (section 4.3)."""

    def look(_: Reader) -> bytes:
        with _desk(request).deps.library.read() as reading:
            content = reading.status(_root(request, root).name, status_id)
        if content is None:
            raise TaxiiError(404, "AMG-TAXII-NONE", "there is no such status", got=status_id)
        return content

    return answer(msgspec.Raw(await _asked(request, look)))


@get("/{root:str}/collections")
async def collections(request: Asked, root: FromPath[str]) -> Response[bytes]:
    """All collections of a root (section 5.1), those that may be neither read nor written included."""

    def look(reader: Reader) -> dict[str, Any]:
        with _desk(request).deps.library.read() as reading:
            found = reading.collections(_root(request, root).name)
        return {"collections": [_shown(one, reader) for one in found]} if found else {}

    return answer(await _asked(request, look))


@get("/{root:str}/collections/{name:str}")
async def collection(request: Asked, root: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """One collection (section 5.2), by identifier or alias."""
    return answer(await _asked(request, lambda reader: _shown(_place(request, reader, root, name).collection, reader)))


@get("/{root:str}/collections/{name:str}/manifest")
async def manifest(request: Asked, root: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """What a collection holds, without the objects (section 5.3)."""

    def entry(one: Shelved) -> dict[str, str]:
        return {
            "id": one.object_id,
            "date_added": to_date_added(one.added_at),
            "version": _version(one),
            "media_type": one.media_type,
        }

    want = want_of(request.query_params)
    return _page(request, "objects", await _asked(request, _looking(request, root, name, want)), entry)


@get("/{root:str}/collections/{name:str}/objects")
async def get_objects(request: Asked, root: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Objects in the order in which they were added (section 5.4)."""
    want = want_of(request.query_params)
    return _page(request, "objects", await _asked(request, _looking(request, root, name, want)), _content)


@post("/{root:str}/collections/{name:str}/objects", status_code=202)
async def add_objects(request: Asked, root: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Take in an envelope (section 5.5): done before the answer, so its status is complete."""

    def may(reader: Reader) -> Place:
        place = _place(request, reader, root, name)
        if not place.may_write:
            raise TaxiiError(403, "AMG-TAXII-READONLY", "this account may not write this collection")
        return place

    place = await _asked(request, may)
    require_content_type(request)
    body = await read_body(request)
    if len(body) > place.root.max_content_length:
        raise TaxiiError(413, "AMG-TAXII-LARGE", f"a body of this root holds {place.root.max_content_length} bytes")
    return answer(await asyncio.to_thread(_take, _desk(request).deps, place, body), status=202)


@get("/{root:str}/collections/{name:str}/objects/{object_id:str}")
async def get_object(
    request: Asked, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
) -> Response[bytes]:
    """One object (section 5.6), in the versions asked for."""
    want = want_of(request.query_params, object_id=object_id)
    return _page(request, "objects", await _asked(request, _looking(request, root, name, want)), _content)


@get("/{root:str}/collections/{name:str}/objects/{object_id:str}/versions")
async def get_versions(
    request: Asked, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
) -> Response[bytes]:
    """Every version of one object (section 5.8)."""
    want = want_of(request.query_params, object_id=object_id, words=frozenset({Which.ALL}))
    return _page(request, "versions", await _asked(request, _looking(request, root, name, want)), _version)


@delete("/{root:str}/collections/{name:str}/objects/{object_id:str}", status_code=200)
async def delete_object(
    request: Asked, root: FromPath[str], name: FromPath[str], object_id: FromPath[str]
) -> Response[bytes]:
    """Delete the versions asked for (section 5.7): all, where none are named."""
    named = "match[version]" in request.query_params
    every = None if named else frozenset({Which.ALL})
    want = want_of(request.query_params, object_id=object_id, words=every)

    def drop(reader: Reader) -> dict[str, Any]:
        place = _place(request, reader, root, name)
        if not (place.may_read and place.may_write):
            raise TaxiiError(403, "AMG-TAXII-READONLY", "to delete, an account reads and writes the collection")
        with _desk(request).deps.library.write() as tx:
            if not tx.holds(root, place.collection.id, object_id):
                raise TaxiiError(404, "AMG-TAXII-NONE", "the collection does not hold this object", got=object_id)
            tx.remove(root, place.collection.id, want)
        return {}

    return answer(await _asked(request, drop))


def _desk(request: Asked) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def _asked(request: Asked, look: Callable[[Reader], Some]) -> Some:
    """What an account that is known sees. It is asked for before anything else is said."""
    desk = _desk(request)

    def run() -> Some:
        reader = desk.readers.of(request, now=desk.deps.clock.now())
        require_accept(request)
        return look(reader)

    return await asyncio.to_thread(run)


def _root(request: Asked, name: str) -> Root:
    with _desk(request).deps.library.read() as reading:
        for root in reading.roots():
            if root.name == name:
                return root
    raise TaxiiError(404, "AMG-TAXII-NONE", "there is no such API root", got=name)


def _place(request: Asked, reader: Reader, root_name: str, name: str) -> Place:
    root = _root(request, root_name)
    with _desk(request).deps.library.read() as reading:
        for one in reading.collections(root.name):
            if name in {one.id, one.alias or one.id}:
                may_read, may_write = reader.rights(one)
                return Place(root=root, collection=one, may_read=may_read, may_write=may_write)
    raise TaxiiError(404, "AMG-TAXII-NONE", "there is no such collection", got=name)


def _looking(request: Asked, root: str, name: str, want: Want) -> Callable[[Reader], Leaf]:
    def look(reader: Reader) -> Leaf:
        place = _place(request, reader, root, name)
        if not place.may_read:
            raise TaxiiError(403, "AMG-TAXII-WRITEONLY", "this account may not read this collection")
        with _desk(request).deps.library.read() as reading:
            leaf = reading.objects(root, place.collection.id, want)
            one = want.ids[0] if len(want.ids) == 1 and "match[id]" not in request.query_params else ""
            if one and not leaf.objects and not reading.holds(root, place.collection.id, one):
                raise TaxiiError(404, "AMG-TAXII-NONE", "the collection does not hold this object", got=one)
        return leaf

    return look


def _page(request: Asked, name: str, leaf: Leaf, tell: Callable[[Shelved], Any]) -> Response[bytes]:
    if not leaf.objects:
        return answer({})
    first, last = leaf.objects[0], leaf.objects[-1]
    body: dict[str, Any] = {"more": leaf.has_more}
    if leaf.has_more:
        body["next"] = next_of(request.query_params, last)
    body[name] = [tell(one) for one in leaf.objects]
    return answer(
        body,
        headers={
            "X-TAXII-Date-Added-First": to_date_added(first.added_at),
            "X-TAXII-Date-Added-Last": to_date_added(last.added_at),
        },
    )


def _take(deps: LibraryDeps, place: Place, body: bytes) -> dict[str, Any]:
    now = deps.clock.now()
    taken: list[Shelved] = []
    failures: list[dict[str, str]] = []
    for value in parse_envelope(body, requires_objects=True):
        content = msgspec.json.encode(value)
        made = shelved(value, content=content, now=now)
        if isinstance(made, str) or len(content) > OBJECT_BYTES:
            why = made if isinstance(made, str) else f"an object holds at most {OBJECT_BYTES} bytes"
            failures.append({"id": _id_of(value), "message": why})
        else:
            taken.append(made)
    status = {
        "id": deps.draw_id(),
        "status": "complete",
        "request_timestamp": to_date_added(now),
        "total_count": len(taken) + len(failures),
        "success_count": len(taken),
        **_some("successes", [{"id": one.object_id, "version": _version(one)} for one in taken]),
        "failure_count": len(failures),
        **_some("failures", failures),
        "pending_count": 0,
    }
    with deps.library.write() as tx:
        tx.add(place.root.name, place.collection.id, taken)
        tx.put_status(place.root.name, status["id"], msgspec.json.encode(status), now=now)
    return status


def _some(name: str, values: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {name: values} if values else {}


def _id_of(value: Any) -> str:
    found = value.get("id") if isinstance(value, dict) else None
    return found[:200] if isinstance(found, str) else ""


def _shown(one: Collection, reader: Reader) -> dict[str, Any]:
    may_read, may_write = reader.rights(one)
    told = {name: value for name, value in asdict(one).items() if name != "root" and value != ""}
    return told | {"can_read": may_read, "can_write": may_write}


def _content(one: Shelved) -> msgspec.Raw:
    return msgspec.Raw(one.content)


def _version(one: Shelved) -> str:
    return one.version or to_date_added(one.added_at)


def _on_taxii(_: Asked, error: TaxiiError) -> Response[bytes]:
    if error.status in {400, 422}:
        told = TaxiiError(
            error.status, error.code, _TITLE, got=error.got, then=f"{_WHILE}: {error.what}", headers=error.headers
        )
        return error_answer(told, error.status, error.headers)
    return error_answer(error, error.status, error.headers)


def _on_known(_: Asked, error: AmagasaError) -> Response[bytes]:
    if isinstance(error, BadInputError):
        return error_answer(error, 422)
    if isinstance(error, WorldError):
        _LOG.warning("the library could not answer", why=str(error))
        return error_answer(WorldError("AMG-TAXII-AWAY", "the library cannot answer now"), 503, {"retry-after": "5"})
    return error_answer(error, 500)


def _on_unknown(_: Asked, error: Exception) -> Response[bytes]:
    _LOG.error("a request to the library met a mistake of ours", exc_info=error)
    return error_answer(TaxiiError(500, "AMG-TAXII-FAULT", "the node made a mistake"), 500)

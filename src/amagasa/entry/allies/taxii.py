"""The TAXII 2.1 server for allies: one API root, and for each ally an inbox to write and an outbox to read.

The inbox takes what an ally sends; the outbox holds what was released to that ally, for one that would rather fetch
than be pushed to. An ally sees nothing of another. Who calls is known by the certificate of the connection alone.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog
from litestar import Litestar, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from amagasa.app.ports import Bond, Crossing
from amagasa.app.receiving import Outcome, Received, receive
from amagasa.entry.allies.desk import CLOSE, Asked, Desk, TaxiiDeps, desk_of
from amagasa.entry.allies.heads import exchange_beats, exchange_heads
from amagasa.entry.allies.protocol import PEER
from amagasa.entry.allies.query import Found, ask_of, find
from amagasa.entry.allies.waiting import get_waiting, settle_waiting
from amagasa.entry.allies.wire import (
    CONTENT_BYTES,
    STIX,
    TAXII,
    TaxiiError,
    answer,
    error_answer,
    on_http,
    parse_envelope,
    read_body,
    require_content_type,
    to_date_added,
)
from amagasa.vocab.errors import AmagasaError, BadInputError, DeniedError, WorldError
from amagasa.vocab.ids import is_stix_id

_LOG = structlog.get_logger("amagasa.taxii")

ROOT: Final = "/taxii2"
API_ROOT: Final = "/taxii2/umbrella"
INBOX: Final = "inbox"
OUTBOX: Final = "outbox"
# What is not asked for by mistake: what cannot be read, is too large or of another kind, or not for this caller.
_BLAMED: Final = frozenset([400, 403, 413, 415, 422])


def build_taxii(deps: TaxiiDeps) -> Litestar:
    """The application, to be served by `taxii_door.AllyDoor`, whose protocol says who the peer is."""
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
            get_versions,
            exchange_heads,
            exchange_beats,
            get_waiting,
            settle_waiting,
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


@get(ROOT)
async def discovery(request: Asked) -> Response[bytes]:
    """Server discovery (section 4.1)."""
    bond = desk_of(request).caller(request)
    ours = bond.agreement.ally_of(bond.ally.id)
    root = f"{API_ROOT}/"
    return answer(
        {
            "title": ours.name,
            "description": "Amagasa node: objects that a signed agreement releases",
            "default": root,
            "api_roots": [root],
        }
    )


@get(API_ROOT)
async def api_root(request: Asked) -> Response[bytes]:
    """API root information (section 4.2)."""
    bond = desk_of(request).caller(request)
    return answer({"title": bond.agreement.title, "versions": [TAXII], "max_content_length": CONTENT_BYTES})


@get(f"{API_ROOT}/status/{{status_id:str}}")
async def get_status(request: Asked, status_id: FromPath[str]) -> Response[bytes]:
    """Status of an earlier envelope (section 4.3)."""
    desk = desk_of(request)
    return answer(msgspec.Raw(desk.status(desk.caller(request).ally.id, status_id)))


@get(f"{API_ROOT}/collections")
async def collections(request: Asked) -> Response[bytes]:
    """Both of the ally's collections (section 5.1)."""
    bond = desk_of(request).caller(request)
    return answer({"collections": [_collection(bond, name) for name in (INBOX, OUTBOX)]})


@get(f"{API_ROOT}/collections/{{name:str}}")
async def collection(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """One collection, by identifier or alias (section 5.2)."""
    bond = desk_of(request).caller(request)
    return answer(_collection(bond, _named(bond, name)))


@get(f"{API_ROOT}/collections/{{name:str}}/manifest")
async def manifest(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """What the outbox holds, without the objects (section 5.3)."""
    found = await _find(request, name)
    entries = [
        {
            "id": one.object_id,
            "date_added": to_date_added(one.created_at),
            "version": _version(one),
            "media_type": STIX,
        }
        for one in found.crossings
    ]
    return _page(found, "objects", entries)


@get(f"{API_ROOT}/collections/{{name:str}}/objects")
async def get_objects(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """The objects of the outbox, in the order in which they were added (section 5.4)."""
    found = await _find(request, name)
    return _page(found, "objects", [msgspec.Raw(one.content) for one in found.crossings])


@post(f"{API_ROOT}/collections/{{name:str}}/objects", status_code=202)
async def add_objects(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """Take in an envelope (section 5.5): judged before the answer, so its status is complete."""
    desk = desk_of(request)
    bond = desk.caller(request)
    if _named(bond, name) != INBOX:
        raise TaxiiError(403, "AMG-TAXII-READONLY", "this collection is read, not written", then="write to the inbox")
    require_content_type(request)
    body = await read_body(request)
    deps = desk.deps
    now = deps.clock.now()

    def take() -> Received:
        given, objects = (deps.store, deps.signals, bond.ally.id), parse_envelope(body)
        return receive(*given, objects, book=deps.book, now=now, pass_on=deps.pass_on, own=deps.own())

    async with desk.intake:
        received = await asyncio.to_thread(take)
    status = _status(deps.draw_id(), to_date_added(now), received)
    return answer(msgspec.Raw(desk.keep(bond.ally.id, status)), status=202)


@get(f"{API_ROOT}/collections/{{name:str}}/objects/{{object_id:str}}")
async def get_object(request: Asked, name: FromPath[str], object_id: FromPath[str]) -> Response[bytes]:
    """One object of the outbox, in the versions asked for (section 5.6)."""
    found = await _find(request, name, object_id)
    return _page(found, "objects", [msgspec.Raw(one.content) for one in found.crossings])


@get(f"{API_ROOT}/collections/{{name:str}}/objects/{{object_id:str}}/versions")
async def get_versions(request: Asked, name: FromPath[str], object_id: FromPath[str]) -> Response[bytes]:
    """Every version of one object of the outbox (section 5.8)."""
    found = await _find(request, name, object_id, all_versions=True)
    return _page(found, "versions", [_version(one) for one in found.crossings])


async def _find(request: Asked, name: str, object_id: str = "", *, all_versions: bool = False) -> Found:
    desk = desk_of(request)
    bond = desk.caller(request)
    if _named(bond, name) != OUTBOX:
        raise TaxiiError(403, "AMG-TAXII-WRITEONLY", "this collection is written, not read", then="read the outbox")
    if object_id and not is_stix_id(object_id):
        raise TaxiiError(404, "AMG-TAXII-NONE", "this is no identifier of an object", got=object_id)
    query = {key: value for key, value in request.query_params.items() if isinstance(value, str)}
    ask = ask_of(query | ({"match[version]": "all"} if all_versions else {}), object_id=object_id)

    def look() -> Found:
        with desk.deps.store.read() as reading:
            found = find(reading, bond, ask, now=desk.deps.clock.now())
            if object_id and not found.crossings:
                held = reading.released_after(bond.ally.id, added_after=None, limit=1, object_ids=[object_id])
                if not held:
                    raise TaxiiError(404, "AMG-TAXII-NONE", "the outbox does not hold this object", got=object_id)
        return found

    return await asyncio.to_thread(look)


def _collection(bond: Bond, name: str) -> dict[str, Any]:
    is_inbox = name == INBOX
    ours = bond.agreement.ally_of(bond.ally.id)
    return {
        "id": collection_id(bond, name),
        "alias": name,
        "title": f"to {ours.name} from {bond.ally.name}" if is_inbox else f"from {ours.name} to {bond.ally.name}",
        "can_read": not is_inbox,
        "can_write": is_inbox,
        "media_types": [STIX],
    }


def collection_id(bond: Bond, name: str) -> str:
    """The collection's UUID: the same for as long as the two parties are the same."""
    ours = bond.agreement.ally_of(bond.ally.id)
    digest = hashlib.sha256(f"{ours.id} {bond.ally.id} {name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _named(bond: Bond, name: str) -> str:
    for known in (INBOX, OUTBOX):
        if name in {known, collection_id(bond, known)}:
            return known
    raise TaxiiError(404, "AMG-TAXII-NONE", "there is no such collection", got=name)


def _version(crossing: Crossing) -> str:
    return crossing.version or to_date_added(crossing.created_at)


def _page(found: Found, name: str, entries: Sequence[Any]) -> Response[bytes]:
    body: dict[str, Any] = {"more": True, "next": found.next} if found.next else {"more": False}
    return answer(body | ({name: entries} if entries else {}), headers=found.headers)


def _status(status_id: str, requested_at: str, received: Received) -> dict[str, Any]:
    return {
        "id": status_id,
        "status": "complete",
        "request_timestamp": requested_at,
        "total_count": len(received.outcomes),
        "success_count": len(received.taken),
        "successes": [_detail(one) for one in received.taken],
        "failure_count": len(received.refused),
        "failures": [_detail(one) for one in received.refused],
        "pending_count": 0,
    }


def _detail(outcome: Outcome) -> dict[str, str]:
    detail = {"id": outcome.object_id, "version": outcome.version, "message": outcome.why}
    return {name: value for name, value in detail.items() if value or name == "id"}


def _on_taxii(request: Asked, error: TaxiiError) -> Response[bytes]:
    if error.status in _BLAMED and (fingerprint := request.scope["state"].get(PEER)):
        desk_of(request).blame(fingerprint, error.code, error.what)
    return error_answer(error, error.status, error.headers)


def _on_known(_: Asked, error: AmagasaError) -> Response[bytes]:
    if isinstance(error, DeniedError):
        return error_answer(error, 403, CLOSE)
    if isinstance(error, BadInputError):
        return error_answer(error, 422)
    if isinstance(error, WorldError):
        _LOG.warning("the node could not answer an ally", why=str(error))
        # The ally learns that it may try again, not which disk of ours is full.
        return error_answer(WorldError("AMG-TAXII-AWAY", "the node cannot answer now"), 503, {"retry-after": "5"})
    return error_answer(error, 500)


def _on_unknown(_: Asked, error: Exception) -> Response[bytes]:
    _LOG.error("a request of an ally met a mistake of ours", exc_info=error)
    return error_answer(TaxiiError(500, "AMG-TAXII-FAULT", "the node made a mistake"), 500)

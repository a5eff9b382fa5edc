"""The API's records of agreements: leaf by leaf, checked part by part, and as the copy for `ledger verify`."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from amagasa.app.ledger_ports import Wanted
from amagasa.app.record_desk import RecordDesk
from amagasa.app.record_pages import HeadsChecked, LeafProof, LeavesView, LedgerView, PartChecked, Tree
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.queue import Limit
from amagasa.entry.people.security import Asked, actor_of
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError

NEWEST: Final = 2**62
CHUNK_LINES: Final = 500
Number = Annotated[int, QueryParameter(ge=0, le=NEWEST, description="`next` of the page before")]


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@get("/api/records", tags=["share"])
@threaded
def records(request: Asked) -> list[LedgerView]:
    """The records of all agreements, the heads that both parties stand by, and what was found wrong."""
    return _desk(request).records(actor_of(request), now=console_of(request).now())


@get("/api/records/{agreement:str}/leaves", tags=["share"])
@threaded
def leaves(
    request: Asked,
    agreement: FromPath[str],
    *,
    act: Annotated[list[Act] | None, QueryParameter(description="Of these kinds only")] = None,
    text: Annotated[str, QueryParameter(max_length=200, description="Stands in the leaf")] = "",
    limit: Limit = 100,
    before: Number = NEWEST,
) -> LeavesView:
    """Leaves, the newest first; at most 50,000 are looked at for one page."""
    acts = tuple(one.value for one in act or ())
    wanted = Wanted(end=before, acts=acts, text=text.strip(), limit=limit)
    return _desk(request).leaves(actor_of(request), agreement, wanted)


@get("/api/records/{agreement:str}/leaves/{number:int}", tags=["share"])
@threaded
def leaf(request: Asked, agreement: FromPath[str], number: FromPath[int]) -> LeafProof:
    """A leaf with the proof that it stands in the record."""
    return _desk(request).leaf(actor_of(request), agreement, number)


@post("/api/records/{agreement:str}/heads", status_code=200, tags=["share"])
@threaded
def check_heads(request: Asked, agreement: FromPath[str], data: JSONBody[Nothing]) -> HeadsChecked:
    """Check the signatures of all heads, and that the record goes on from each of them to the next."""
    del data
    return _desk(request).check_heads(actor_of(request), agreement)


@post("/api/records/{agreement:str}/check", status_code=200, tags=["share"])
@threaded
def check_part(request: Asked, agreement: FromPath[str], data: JSONBody[Tree]) -> PartChecked:
    """Check the next 20,000 leaves behind `data`, which is `{}` at first and then `tree` of the last answer."""
    return _desk(request).check_part(actor_of(request), agreement, data)


@get("/api/records/{agreement:str}/export", tags=["share"], media_type="application/x-ndjson")
@threaded
def export(request: Asked, agreement: FromPath[str]) -> Stream:
    """The copy that `amagasa ledger verify` checks offline, NDJSON, with a freshly signed head."""
    lines = _desk(request).export(actor_of(request), agreement, now=console_of(request).now())
    headers = {"Content-Disposition": 'attachment; filename="ledger.ndjson"', "X-Content-Type-Options": "nosniff"}
    return Stream(_chunks(lines), headers=headers, media_type="application/x-ndjson")


HANDLERS: tuple[BaseRouteHandler, ...] = (records, leaves, leaf, check_heads, check_part, export)


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    while some := b"".join(islice(lines, CHUNK_LINES)):
        yield some


def _desk(request: Asked) -> RecordDesk:
    found = console_of(request).deps.records
    if found is None:
        raise BadInputError("AMG-LEDGER-NONE", "this door shows no records", then="nothing was looked up")
    return found

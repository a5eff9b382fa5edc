"""Tree heads and heartbeats over the link: beside TAXII, which knows nothing of them, at addresses of our own."""

import asyncio
from datetime import datetime
from typing import Final, Protocol

import msgspec
from litestar import Response, post

from amagasa.app.ports import Bond
from amagasa.entry.allies.desk import Asked, desk_of
from amagasa.entry.allies.wire import TaxiiError, answer, read_body, require_content_type

HEADS: Final = "/taxii2/umbrella/heads"
BEAT: Final = "/taxii2/umbrella/beat"


class Answering(Protocol):
    """What answers an ally's statement with ours (`app.heads`, `app.hearts`)."""

    def answer(self, bond: Bond, body: bytes, *, now: datetime) -> bytes:
        """Ours, as JSON."""


@post(HEADS, status_code=200)
async def exchange_heads(request: Asked) -> Response[bytes]:
    """The caller's newest head, judged; ours, and what we countersigned."""
    return await _exchanged(request, desk_of(request).deps.heads, "this node exchanges no tree heads")


@post(BEAT, status_code=200)
async def exchange_beats(request: Asked) -> Response[bytes]:
    """The caller's heartbeat, kept where it is true; and ours."""
    return await _exchanged(request, desk_of(request).deps.hearts, "this node has no heartbeat")


async def _exchanged(request: Asked, ours: Answering | None, why_none: str) -> Response[bytes]:
    desk = desk_of(request)
    bond = desk.caller(request)
    require_content_type(request)
    if ours is None:
        raise TaxiiError(404, "AMG-TAXII-NONE", why_none)
    body = await read_body(request)
    said = await asyncio.to_thread(ours.answer, bond, body, now=desk.deps.clock.now())
    return answer(msgspec.Raw(said))

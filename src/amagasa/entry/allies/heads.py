"""Tree heads and heartbeats over the link: beside TAXII, which knows nothing of them, at addresses of our own."""

import asyncio
from typing import Final

import msgspec
from litestar import Response, post

from amagasa.entry.allies.desk import Asked, desk_of
from amagasa.entry.allies.wire import TaxiiError, answer, read_body, require_content_type

HEADS: Final = "/taxii2/umbrella/heads"
BEAT: Final = "/taxii2/umbrella/beat"


@post(HEADS, status_code=200)
async def exchange_heads(request: Asked) -> Response[bytes]:
    """The caller's newest head, judged; ours, and what we countersigned (`app.heads`)."""
    desk = desk_of(request)
    bond = desk.caller(request)
    require_content_type(request)
    heads = desk.deps.heads
    if heads is None:
        raise TaxiiError(404, "AMG-TAXII-NONE", "this node exchanges no tree heads")
    body = await read_body(request)
    said = await asyncio.to_thread(heads.answer, bond, body, now=desk.deps.clock.now())
    return answer(msgspec.Raw(said))


@post(BEAT, status_code=200)
async def exchange_beats(request: Asked) -> Response[bytes]:
    """The caller's heartbeat, kept where it is true; and ours (`app.hearts`)."""
    desk = desk_of(request)
    bond = desk.caller(request)
    require_content_type(request)
    hearts = desk.deps.hearts
    if hearts is None:
        raise TaxiiError(404, "AMG-TAXII-NONE", "this node has no heartbeat")
    body = await read_body(request)
    said = await asyncio.to_thread(hearts.answer, bond, body, now=desk.deps.clock.now())
    return answer(msgspec.Raw(said))

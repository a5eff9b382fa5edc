"""Tree heads over the link: beside TAXII, which knows nothing of them, at an address of our own."""

import asyncio
from typing import Final

import msgspec
from litestar import Response, post

from amagasa.entry.allies.desk import Asked, desk_of
from amagasa.entry.allies.wire import TaxiiError, answer, read_body, require_content_type

HEADS: Final = "/taxii2/umbrella/heads"


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

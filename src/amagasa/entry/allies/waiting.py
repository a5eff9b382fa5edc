"""What waits for the caller, beside TAXII at an address of our own: for an ally that our push does not reach.

TAXII's outbox shows all that was released; this shows what is not known to have arrived, and hears what became of it.
"""

import asyncio
from typing import Final

import msgspec
from litestar import Response, get, post

from amagasa.app.fetching import fates_of, settle, waiting_for
from amagasa.entry.allies.desk import Asked, desk_of
from amagasa.entry.allies.wire import answer, read_body, require_content_type

WAITING: Final = "/taxii2/umbrella/waiting"


@get(WAITING)
async def get_waiting(request: Asked) -> Response[bytes]:
    """A page of what waits for the caller (`app.fetching.Page`)."""
    desk = desk_of(request)
    bond, deps = desk.caller(request), desk.deps
    return answer(msgspec.Raw(await asyncio.to_thread(waiting_for, deps.store, bond, now=deps.clock.now())))


@post(WAITING, status_code=200)
async def settle_waiting(request: Asked) -> Response[bytes]:
    """What became of it at the caller (`app.fetching.Fates`); what was noted is counted in the answer."""
    desk = desk_of(request)
    bond, deps = desk.caller(request), desk.deps
    require_content_type(request)
    fates = fates_of(await read_body(request))
    n_settled = await asyncio.to_thread(settle, deps.store, deps.signals, bond, fates, now=deps.clock.now())
    return answer({"n_settled": n_settled})

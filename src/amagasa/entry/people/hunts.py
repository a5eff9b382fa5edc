"""The API's hunts: looking back through the lake."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app.past import Past, past_of
from amagasa.app.permissions import Act, require
from amagasa.entry.node.hunts import Hunt, HuntAsked, HuntDesk, HuntDetail
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.vocab.errors import BadInputError


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@get("/api/hunts", tags=["hunt"])
@threaded
def hunts(request: Asked) -> list[Hunt]:
    """Hunts under way and those that were, the latest first."""
    return _desk(request).hunts(actor_of(request))


@post("/api/hunts", status_code=201, tags=["hunt"])
@threaded
def start(request: Asked, data: JSONBody[HuntAsked]) -> Hunt:
    """Begin a hunt; what it finds is at its own address, and `hunt` on the WebSocket says when there is more."""
    return _desk(request).start(actor_of(request), data)


@get("/api/hunts/{hunt_id:str}", tags=["hunt"])
@threaded
def hunt(
    request: Asked,
    hunt_id: FromPath[str],
    after: Annotated[int, QueryParameter(ge=0, le=1_000_000, description="Leave out so many findings")] = 0,
) -> HuntDetail:
    """A hunt and its findings."""
    return _desk(request).detail(actor_of(request), hunt_id, after)


@post("/api/hunts/{hunt_id:str}/cancel", status_code=200, tags=["hunt"])
@threaded
def cancel(request: Asked, hunt_id: FromPath[str], data: JSONBody[Nothing]) -> Hunt:
    """End a hunt with what it found."""
    del data
    return _desk(request).cancel(actor_of(request), hunt_id)


@get("/api/content/{content_id:str}/past", tags=["hunt"])
@threaded
def past(request: Asked, content_id: FromPath[str]) -> Past | None:
    """What a rule or an indicator would have found in the past: null where nobody has looked yet."""
    console = console_of(request)
    return past_of(console.deps.store, actor_of(request), content_id)


HANDLERS: tuple[BaseRouteHandler, ...] = (hunts, start, hunt, cancel, past)


def _desk(request: Asked) -> HuntDesk:
    require(actor_of(request), Act.TRIAGE)
    desk = console_of(request).deps.hunts
    if desk is None:
        raise BadInputError("AMG-HUNT-NONE", "nothing can be hunted for here", then="the node keeps no records")
    return desk

"""The API's watches: what one officer leaves to the next and to allies, and where an incident stands with them."""

from typing import Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from amagasa.app.handovers import HandoverAsked, Handovers, HandoversView, LineView
from amagasa.app.sharing import announce
from amagasa.entry.people.deps import Console, console_of, threaded
from amagasa.entry.people.queue import Nothing, queue_of
from amagasa.entry.people.security import Asked, actor_of

LOOKED_AT: Final = 500


@get("/api/handovers", tags=["queue"])
@threaded
def handovers(request: Asked) -> HandoversView:
    """The last hand-overs of the watch, the newest first, and who can take one."""
    return _all(request)


@post("/api/handovers", status_code=201, tags=["queue"])
@threaded
def hand_over(request: Asked, data: JSONBody[HandoverAsked]) -> HandoversView:
    """Leave the watch: incidents, words, and what allies are to be told as far as the agreements let it."""
    console, actor = console_of(request), actor_of(request)
    left = _desk(console).hand_over(actor, data, queue_of(console, actor, LOOKED_AT), now=console.now())
    announce(console.deps.signals, left.crossings)
    console.publish("incident", id="")
    return _all(request)


@post("/api/handovers/{number:int}/taken", status_code=200, tags=["queue"])
@threaded
def take_over(request: Asked, number: FromPath[int], data: JSONBody[Nothing]) -> HandoversView:
    """Take the watch: its incidents become one's own."""
    del data
    console = console_of(request)
    for one in _desk(console).take_over(actor_of(request), number, now=console.now()):
        console.publish("incident", id=one.id)
    console.publish("incident", id="")
    return _all(request)


@get("/api/incidents/{incident_id:str}/lines", tags=["queue"])
@threaded
def incident_lines(request: Asked, incident_id: FromPath[str]) -> list[LineView]:
    """Where an incident stands towards each ally."""
    console = console_of(request)
    return _desk(console).lines_of(actor_of(request), incident_id, now=console.now())


HANDLERS: tuple[BaseRouteHandler, ...] = (handovers, hand_over, take_over, incident_lines)


def _desk(console: Console) -> Handovers:
    return Handovers(console.deps.store, console.deps.sharing, console.names())


def _all(request: Asked) -> HandoversView:
    console = console_of(request)
    return _desk(console).all(actor_of(request), now=console.now())

"""The API's view of the plant: what is usual at each device, frozen and thawed by a person."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta, Struct

from amagasa.app.plant import Plant, PlantView
from amagasa.detect.baseline.profile import State
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.vocab.errors import BadInputError


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Freeze it or let it learn; `by` names the person where an operator acts for one."""

    state: State
    by: Annotated[str, Meta(max_length=80)] = ""


@get("/api/plant", tags=["node"])
@threaded
def plant(
    request: Asked,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    after: Annotated[str, QueryParameter(max_length=300, description="`next` of the page before")] = "",
) -> PlantView:
    """What was learnt of the plant, device by device."""
    return _plant(request).show(actor_of(request), after=after, limit=limit)


@post("/api/plant/state", status_code=200, tags=["node"])
@threaded
def change(request: Asked, data: JSONBody[Said]) -> PlantView:
    """Freeze the baseline: from now on what differs is an alert. Or let it learn again."""
    console = console_of(request)
    return _plant(request).change(actor_of(request), data.state, by=data.by, now=console.now())


HANDLERS: tuple[BaseRouteHandler, ...] = (plant, change)


def _plant(request: Asked) -> Plant:
    found = console_of(request).deps.plant
    if found is None:
        raise BadInputError(
            "AMG-PLANT-NONE",
            "this node has no plant to watch",
            expected="a node with a file for its baseline",
            got="none",
            then="nothing was looked up",
        )
    return found

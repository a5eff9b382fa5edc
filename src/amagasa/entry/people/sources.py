"""The API's view of sources: what could not be read of each, and having it read again."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app.rejects import Rejects, RejectsView
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.vocab.errors import BadInputError


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@get("/api/sources/{name:str}/rejects", tags=["node"])
@threaded
def rejects(
    request: Asked,
    name: FromPath[str],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    after: Annotated[str | None, QueryParameter(max_length=30, description="`next` of the page before")] = None,
) -> RejectsView:
    """Records of a source which could not be read, as they came, oldest first."""
    return _rejects(request).show(actor_of(request), name, after=after, limit=limit)


@post("/api/sources/{name:str}/replay", status_code=202, tags=["node"])
@threaded
def replay(request: Asked, name: FromPath[str], data: JSONBody[Nothing]) -> RejectsView:
    """Read the rejects of a source again, once, after a mapping was mended."""
    del data
    return _rejects(request).feed_again(actor_of(request), name)


HANDLERS: tuple[BaseRouteHandler, ...] = (rejects, replay)


def _rejects(request: Asked) -> Rejects:
    found = console_of(request).deps.rejects
    if found is None:
        raise BadInputError(
            "AMG-REJECTS-NONE",
            "this node keeps no rejects",
            expected="a node with a folder for them",
            got="none",
            then="nothing was looked up",
        )
    return found

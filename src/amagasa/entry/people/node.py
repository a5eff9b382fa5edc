"""The API's view of the node itself: the rules it looks with, and links for the first sign-in."""

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from amagasa.app.accounts import offer_link
from amagasa.app.permissions import Act, require
from amagasa.app.queries import RulesView
from amagasa.entry.people.deps import console_of, draw_token, threaded
from amagasa.entry.people.security import Asked, actor_of


class Link(Struct, frozen=True, kw_only=True):
    """A one-time sign-in link's token; only its hash is kept."""

    token: str


@get("/api/rules", tags=["node"])
@threaded
def rules(request: Asked) -> RulesView:
    """How many rules run beside the content, and which cannot, with the reason."""
    return console_of(request).queries.rules(actor_of(request))


@post("/api/links", status_code=201, tags=["accounts"])
@threaded
def offer(request: Asked) -> Link:
    """A link for the first sign-in; it opens nothing once there is an account."""
    console = console_of(request)
    require(actor_of(request), Act.ADMINISTER)
    token = draw_token()
    offer_link(console.deps.store, token, now=console.now())
    return Link(token=token)


HANDLERS: tuple[BaseRouteHandler, ...] = (rules, offer)

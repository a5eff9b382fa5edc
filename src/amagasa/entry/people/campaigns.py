"""The API's campaigns: incidents of several parties that belong together."""

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from amagasa.app import campaigns as uses
from amagasa.app.campaigns import CampaignsView, CampaignView
from amagasa.app.permissions import Actor
from amagasa.entry.people.deps import Console, console_of, threaded
from amagasa.entry.people.security import Asked, actor_of


@get("/api/campaigns", tags=["queue"])
@threaded
def campaigns(request: Asked) -> CampaignsView:
    """Campaigns across parties, the worst first."""
    console, actor = console_of(request), actor_of(request)
    return console.same_for_all(actor, "campaigns", lambda: _all(console, actor))


@get("/api/campaigns/{campaign_id:str}", tags=["queue"])
@threaded
def campaign(request: Asked, campaign_id: FromPath[str]) -> CampaignView:
    """A campaign with its incidents and what ties them."""
    console = console_of(request)
    return uses.campaign(console.deps.store, actor_of(request), console.names(), campaign_id, known=console.campaigns)


def _all(console: Console, actor: Actor) -> CampaignsView:
    return uses.campaigns(console.deps.store, actor, console.names(), console.campaigns)


HANDLERS: tuple[BaseRouteHandler, ...] = (campaigns, campaign)

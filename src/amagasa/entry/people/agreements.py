"""The API's agreements: as people read them, and what a draft would have let go."""

from typing import Final

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody
from msgspec import Struct

from amagasa.app.agreement_trial import Trial
from amagasa.app.agreement_views import AgreementText, ArticleView, Told, agreement_texts, articles_of, changes_of
from amagasa.app.agreements import examine
from amagasa.app.permissions import Act, require
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.share.words import tell

TEXT_BYTES: Final = 2 * 1024 * 1024
MAX_DAYS: Final = 366


class Draft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft (TOML) or a signed agreement (JSON), and over how many days it is tried."""

    text: str
    days: int = 30


class DraftView(Struct, frozen=True, kw_only=True):
    """What a draft says, what is wrong with it, what it changes, and what it would have let go."""

    problems: list[Told]
    is_sound: bool
    articles: list[ArticleView]
    changes: list[Told]
    trial: Trial | None


@get("/api/agreements", tags=["share"])
@threaded
def agreements(request: Asked) -> list[AgreementText]:
    """The signed agreements, article by article in both languages, with their clocks."""
    console = console_of(request)
    return agreement_texts(console.deps.store, actor_of(request), console.deps.agreements, now=console.now())


@post("/api/agreements/drafts", status_code=200, tags=["share"], request_max_body_size=TEXT_BYTES)
@threaded
def try_draft(request: Asked, data: JSONBody[Draft]) -> DraftView:
    """Examine a draft, and try it over the last days. Nothing is kept."""
    console, actor = console_of(request), actor_of(request)
    require(actor, Act.READ)
    found = examine(data.text.encode("utf-8", "backslashreplace"), now=console.now())
    problems = [Told(en=tell(problem), ja=tell(problem, "ja")) for problem in found.problems]
    draft = found.agreement
    if draft is None:
        return DraftView(problems=problems, is_sound=False, articles=[], changes=[], trial=None)
    before = next((one.agreement for one in console.deps.agreements.bonds() if one.digest == draft.amends), None)
    days = min(max(data.days, 1), MAX_DAYS)
    is_ours = console.deps.party.id in {party.id for party in draft.parties} and not found.faults
    return DraftView(
        problems=problems,
        is_sound=not found.faults,
        articles=articles_of(draft),
        changes=[] if before is None else changes_of(before, draft),
        trial=console.deps.sharing.try_agreement(actor, draft, now=console.now(), days=days) if is_ours else None,
    )


HANDLERS: tuple[BaseRouteHandler, ...] = (agreements, try_draft)

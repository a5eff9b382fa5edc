"""The API's line to the allies: who they are, what crossed, what waits for consent, and our own content."""

from collections.abc import Sequence
from typing import Annotated, Final

from litestar import delete, get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app import content, indicator_files
from amagasa.app.ally_views import AllyDetail, ally_detail
from amagasa.app.consulting import Answer, Talk
from amagasa.app.consulting import answer as say_word
from amagasa.app.pages import Page
from amagasa.app.ports import ContentItem, CrossingState, Direction
from amagasa.app.previewing import Preview, PreviewAsked
from amagasa.app.quarantine import lift
from amagasa.app.situation import AllyView
from amagasa.app.views import ContentView, CrossingDetail, CrossingsView, content_view
from amagasa.entry.people.deps import Console, console_of, threaded
from amagasa.entry.people.queue import Before, Limit
from amagasa.entry.people.security import Asked, actor_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.tlp import tlp_of_word

RULE_BYTES: Final = 4 * 1024 * 1024  # of a body with rules: the longest, every character of it escaped


class DecisionMade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release officer's yes or no; `version` is what was looked at ("" takes whatever stands now)."""

    approve: bool
    version: str = ""


@get("/api/allies", tags=["share"])
@threaded
def allies(request: Asked) -> list[AllyView]:
    """Allies, the lines to them, and the agreements clause by clause."""
    console = console_of(request)
    return console.situation.allies(actor_of(request), console.agreements(), now=console.now())


@get("/api/allies/{ally_id:str}", tags=["share"])
@threaded
def ally(request: Asked, ally_id: FromPath[str]) -> AllyDetail:
    """One ally: line, papers, what came and why not, receipts that are awaited, couriers."""
    console = console_of(request)
    return ally_detail(console.deps.store, actor_of(request), ally_id, console.agreements(), now=console.now())


@get("/api/crossings", tags=["share"])
@threaded
def crossings(
    request: Asked,
    *,
    ally: Annotated[str | None, QueryParameter(max_length=200)] = None,
    direction: FromQuery[Direction | None] = None,
    state_of: Annotated[CrossingState | None, QueryParameter(name="state")] = None,
    limit: Limit = 100,
    before: Before = None,
) -> CrossingsView:
    """What crossed the line in both directions, waits at it, or was kept from it; newest first."""
    console, page = console_of(request), Page(limit=limit, before=before)
    found = console.queries.crossings(actor_of(request), page, ally=ally, direction=direction, state=state_of)
    return console.queries.with_receipts(found, console.agreements(), now=console.now())


@get("/api/crossings/{crossing_id:int}", tags=["share"])
@threaded
def crossing(request: Asked, crossing_id: FromPath[int]) -> CrossingDetail:
    """A crossing with what it carries, as text."""
    return console_of(request).queries.crossing(actor_of(request), crossing_id)


@post("/api/crossings/{crossing_id:int}/decision", status_code=200, tags=["share"])
@threaded
def decide(request: Asked, crossing_id: FromPath[int], data: JSONBody[DecisionMade]) -> CrossingDetail:
    """Approve or refuse what wants consent."""
    console = console_of(request)
    actor = actor_of(request)
    console.deps.sharing.decide(actor, crossing_id, approve=data.approve, version=data.version, now=console.now())
    return console.queries.crossing(actor, crossing_id)


@post("/api/preview", status_code=200, tags=["share"], request_max_body_size=RULE_BYTES)
@threaded
def preview(request: Asked, data: JSONBody[PreviewAsked]) -> list[Preview]:
    """What would leave of an alert, an incident or given objects: field by field, by which clause, with whose yes."""
    console = console_of(request)
    return console.deps.sharing.preview(actor_of(request), data, now=console.now())


class ToRetract(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object that left, by the identifier under which it left, and why it is taken back."""

    object_id: str
    why: str = ""


class Retracted(Struct, frozen=True, kw_only=True):
    """To how many allies the retraction goes, and how often the object was kept from leaving; the crossings of both."""

    n_sent: int
    n_held: int
    crossings: list[int]


@post("/api/retractions", status_code=200, tags=["share"])
@threaded
def retract(request: Asked, data: JSONBody[ToRetract]) -> Retracted:
    """Take an object back from every ally that has it; what has not left does not leave."""
    console = console_of(request)
    done = console.deps.sharing.retract(actor_of(request), data.object_id, why=data.why, now=console.now())
    ids = [one.id for one in (*done.sent, *done.held)]
    return Retracted(n_sent=len(done.sent), n_held=len(done.held), crossings=ids)


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Less of it: properties to take away, or a stricter marking ("" leaves it)."""

    strip: list[str] = []
    marking: str = ""
    version: str = ""


@post("/api/crossings/{crossing_id:int}/edit", status_code=200, tags=["share"])
@threaded
def edit(request: Asked, crossing_id: FromPath[int], data: JSONBody[Edit]) -> CrossingDetail:
    """Take something away from what waits, or mark it higher; never the other way."""
    console, actor = console_of(request), actor_of(request)
    marking = tlp_of_word(data.marking) if data.marking else None
    if data.marking and marking is None:
        raise BadInputError("AMG-SHARE-TLP", "this is no TLP marking", expected="clear ... red", got=data.marking)
    console.deps.sharing.edit(
        actor, crossing_id, strip=data.strip, marking=marking, version=data.version, now=console.now()
    )
    return console.queries.crossing(actor, crossing_id)


@get("/api/content", tags=["content"])
@threaded
def list_content(request: Asked) -> list[ContentView]:
    """Rules and indicators beside the built-in ones, newest first."""
    return console_of(request).queries.content(actor_of(request))


@get("/api/content/{content_id:str}", tags=["content"])
@threaded
def content_item(request: Asked, content_id: FromPath[str]) -> ContentView:
    """One of them with its text."""
    return console_of(request).queries.content_item(actor_of(request), content_id)


@post("/api/content/rules", tags=["content"], request_max_body_size=RULE_BYTES)
@threaded
def add_rule(request: Asked, data: JSONBody[content.NewRule]) -> ContentView:
    """Add a Sigma rule and, if asked, share it."""
    console = console_of(request)
    item = content.add_rule(
        console.deps.store, actor_of(request), data, sharing=console.deps.sharing, now=console.now()
    )
    _changed(request, item.id, is_shared=data.share)
    return content_view(item, console.names())


class RefusedRule(Struct, frozen=True, kw_only=True):
    """A text that was not added: its number in the list, from 0, and why."""

    number: int
    code: str
    what: str
    expected: str
    got: str


class RulesAdded(Struct, frozen=True, kw_only=True):
    """What came of many rules; `added` are their identifiers."""

    added: list[str]
    refused: list[RefusedRule]


class Removed(Struct, frozen=True, kw_only=True):
    """Those that were there and are no longer."""

    removed: list[str]


class ToRemove(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules and indicators to look for no longer."""

    ids: list[str]


@post("/api/content/rules/many", tags=["content"], request_max_body_size=RULE_BYTES)
@threaded
def add_rules(request: Asked, data: JSONBody[content.NewRules]) -> RulesAdded:
    """Add up to 500 Sigma rules in one transaction; what is no rule is refused and the others are added."""
    console = console_of(request)
    added = content.add_rules(
        console.deps.store, actor_of(request), data, sharing=console.deps.sharing, now=console.now()
    )
    ids = [item.id for item in added.items]
    if ids:
        _changed(request, *ids, is_shared=data.share)
    refused = [
        RefusedRule(number=number, code=why.code, what=why.what, expected=why.expected, got=why.got)
        for number, why in added.refused
    ]
    return RulesAdded(added=ids, refused=refused)


@post("/api/content/removals", status_code=200, tags=["content"])
@threaded
def remove_many(request: Asked, data: JSONBody[ToRemove]) -> Removed:
    """Stop looking for these; those that are not there are passed over."""
    console = console_of(request)
    removed = content.remove_all(console.deps.store, actor_of(request), data.ids)
    _drop_files(console, removed)
    ids = [item.id for item in removed]
    if ids:
        _changed(request, *ids, is_shared=False)
    return Removed(removed=ids)


@post("/api/content/addresses", tags=["content"])
@threaded
def add_address(request: Asked, data: JSONBody[content.NewAddress]) -> ContentView:
    """Add an indicator for an address and, if asked, share it."""
    console = console_of(request)
    item = content.add_address(
        console.deps.store, actor_of(request), data, sharing=console.deps.sharing, now=console.now()
    )
    _changed(request, item.id, is_shared=data.share)
    return content_view(item, console.names())


@post("/api/content/files", tags=["content"])
@threaded
def add_file(request: Asked, data: JSONBody[indicator_files.NewFile]) -> ContentView:
    """Look with a file of indicators that was put into the node's folder."""
    console = console_of(request)
    item = indicator_files.add_file(
        console.deps.store, actor_of(request), data, files=console.deps.files, now=console.now()
    )
    _changed(request, item.id, is_shared=False)
    return content_view(item, console.names(), with_text=True)


@delete("/api/content/{content_id:str}", status_code=204, tags=["content"])
@threaded
def remove_content(request: Asked, content_id: FromPath[str]) -> None:
    """Stop looking for it."""
    console = console_of(request)
    removed = content.remove(console.deps.store, actor_of(request), content_id)
    _drop_files(console, [removed])
    _changed(request, content_id, is_shared=False)


@post("/api/content/{content_id:str}/lift", status_code=200, tags=["content"])
@threaded
def lift_content(request: Asked, content_id: FromPath[str]) -> ContentView:
    """Look again with what was put aside as noise."""
    console, actor = console_of(request), actor_of(request)
    lift(console.deps.store, console.deps.signals, actor, content_id)
    return console.queries.content_item(actor, content_id)


class WordSaid(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first word on a serious incident that an ally gave."""

    object_id: str
    answer: Answer


@post("/api/allies/consultations", status_code=200, tags=["allies"])
@threaded
def consult(request: Asked, data: JSONBody[WordSaid]) -> Talk:
    """Say the first word; a second changes nothing."""
    console, actor = console_of(request), actor_of(request)
    deps = console.deps
    return say_word(
        deps.store,
        deps.signals,
        actor,
        deps.agreements,
        object_id=data.object_id,
        word=data.answer,
        now=deps.clock.now(),
    )


HANDLERS: tuple[BaseRouteHandler, ...] = (
    allies,
    ally,
    crossings,
    crossing,
    decide,
    edit,
    preview,
    retract,
    list_content,
    content_item,
    add_rule,
    add_rules,
    add_address,
    add_file,
    remove_content,
    remove_many,
    lift_content,
    consult,
)


def _drop_files(console: Console, removed: Sequence[ContentItem]) -> None:
    for item in removed:
        kept = indicator_files.kept_in(item)
        if kept is not None and console.deps.files is not None:
            console.deps.files.remove(kept.file)


def _changed(request: Asked, *content_ids: str, is_shared: bool) -> None:
    console = console_of(request)
    console.publish("content", ids=list(content_ids))
    if is_shared:
        console.publish("crossing")
        console.publish("outbox")

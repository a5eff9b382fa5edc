"""The API's missions: the model, what open incidents take from it, the graph, what-if."""

from typing import Annotated

from litestar import get, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app.mission_views import CheckedView, GraphView, HurtView, ImpactView, ModelText, ModelView
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.mission.model import Kind
from amagasa.mission.operability import Method
from amagasa.mission.read import MAX_TEXT_BYTES

MODEL_BYTES = 2 * MAX_TEXT_BYTES
How = Annotated[Method, QueryParameter(description="fdna, soda or weakest")]


class Proposed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model: one TOML, or one CSV or two. `version`: the one that was edited, so that nobody is overrun."""

    texts: tuple[ModelText, ...]
    version: int | None = None


class Undoing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version from which to go back."""

    version: int | None = None


class Supposed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The own health of nodes, 0 to 100, by name."""

    settings: dict[str, float]
    method: Method = Method.FDNA


class Supposition(Struct, frozen=True, kw_only=True):
    """How everything would stand. Not `is_settled`: figures in rings are upper bounds."""

    operability: dict[str, float]
    is_settled: bool = True


@get("/api/mission", tags=["mission"])
@threaded
def model(request: Asked) -> ModelView:
    """The model of missions that this node holds, with its texts."""
    return console_of(request).missions.model(actor_of(request))


@put("/api/mission", tags=["mission"], request_max_body_size=MODEL_BYTES)
@threaded
def save(request: Asked, data: JSONBody[Proposed]) -> ModelView:
    """Keep a model; refused whole where it has errors."""
    console = console_of(request)
    kept = console.missions.save(actor_of(request), data.texts, version=data.version, now=console.now())
    console.publish("mission", version=kept.version)
    return kept


@post("/api/mission/check", status_code=200, tags=["mission"], request_max_body_size=MODEL_BYTES)
@threaded
def check(request: Asked, data: JSONBody[Proposed]) -> CheckedView:
    """What is wrong with a model, by file and line; nothing is kept."""
    return console_of(request).missions.check(actor_of(request), data.texts)


@post("/api/mission/undo", status_code=200, tags=["mission"])
@threaded
def undo(request: Asked, data: JSONBody[Undoing]) -> ModelView:
    """Bring back the version of the model before this one."""
    console = console_of(request)
    kept = console.missions.undo(actor_of(request), version=data.version, now=console.now())
    console.publish("mission", version=kept.version)
    return kept


@get("/api/mission/impact", tags=["mission"])
@threaded
def impact(request: Asked, method: How = Method.FDNA) -> ImpactView:
    """What open incidents take from each mission, and what to restore first."""
    console, actor = console_of(request), actor_of(request)
    return console.same_for_all(
        actor, ("impact", method), lambda: console.impact.impact(actor, method=method, now=console.now())
    )


@get("/api/mission/graph", tags=["mission"])
@threaded
def graph(
    request: Asked,
    around: Annotated[str, QueryParameter(max_length=200, description="A node to draw from")] = "",
    opened: Annotated[list[str] | None, QueryParameter(description="Nodes whose feeders are all drawn")] = None,
    limit: Annotated[int, QueryParameter(ge=5, le=500)] = 150,
) -> GraphView:
    """A part of the mission graph that can be drawn, with how each node stands."""
    console = console_of(request)
    return console.impact.graph(actor_of(request), now=console.now(), around=around, opened=opened or (), limit=limit)


@get("/api/mission/hurts", tags=["mission"])
@threaded
def hurts(
    request: Asked,
    method: How = Method.FDNA,
    services: Annotated[bool, QueryParameter(description="Rank services too")] = False,  # noqa: FBT002
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 20,
) -> tuple[HurtView, ...]:
    """Assets by what the failure of each alone would take from the missions."""
    kinds = (Kind.ASSET, Kind.SERVICE) if services else (Kind.ASSET,)
    return console_of(request).missions.hurts(actor_of(request), kinds=kinds, method=method, limit=limit)


@post("/api/mission/what-if", status_code=200, tags=["mission"])
@threaded
def what_if(request: Asked, data: JSONBody[Supposed]) -> Supposition:
    """How everything would stand with the health of these nodes so; nothing is changed."""
    standing = console_of(request).missions.what_if(actor_of(request), data.settings, method=data.method)
    return Supposition(
        operability=dict(zip(standing.network.names, standing.values, strict=True)), is_settled=standing.is_settled
    )


HANDLERS: tuple[BaseRouteHandler, ...] = (model, save, check, undo, impact, graph, hurts, what_if)

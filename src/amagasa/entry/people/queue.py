"""The API's queue: status, alerts, incidents, the matrix, rejects."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app import queue as reading_queue
from amagasa.app import triage
from amagasa.app.case_views import DeedView, IncidentDetail, QueueView, deed_view
from amagasa.app.casework import Asked as AskedDeed
from amagasa.app.casework import do
from amagasa.app.pages import Page
from amagasa.app.permissions import Actor
from amagasa.app.situation import StatusView
from amagasa.app.views import (
    AlertDetail,
    AlertsView,
    AttackView,
    IncidentsView,
    IncidentView,
    RejectView,
    incident_view,
)
from amagasa.entry.people.deps import Console, console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.incident.alert import Incident, Status

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="Rows of a page")]
Before = Annotated[str | None, QueryParameter(max_length=200, description="The cursor `next` of the page before")]

Words = Annotated[str, QueryParameter(max_length=200, description="Beginnings of words, each of which must be there")]
Technique = Annotated[
    str, QueryParameter(max_length=20, description="An ATT&CK technique; its sub-techniques are of it")
]


class Closing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an incident is closed."""

    why: str = ""


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@get("/api/status", tags=["node"])
@threaded
def status(request: Asked) -> StatusView:
    """The node at a glance: sources, allies, counts, what to do next."""
    console, actor = console_of(request), actor_of(request)
    return console.same_for_all(
        actor, "status", lambda: console.situation.status(actor, console.agreements(), now=console.now())
    )


@get("/api/alerts", tags=["queue"])
@threaded
def alerts(
    request: Asked, *, limit: Limit = 100, before: Before = None, q: Words = "", technique: Technique = ""
) -> AlertsView:
    """Alerts, the last changed first; of a search, the last made first."""
    queries, actor, page = console_of(request).queries, actor_of(request), Page(limit=limit, before=before)
    if q or technique:
        return queries.found_alerts(actor, page, words=q, technique=technique)
    return queries.alerts(actor, page)


@get("/api/leads", tags=["queue"])
@threaded
def leads(request: Asked, limit: Limit = 100, before: Before = None) -> AlertsView:
    """What one list of indicators says and nothing confirms: no alerts yet. The last changed first."""
    return console_of(request).queries.leads(actor_of(request), Page(limit=limit, before=before))


@get("/api/alerts/{alert_id:str}", tags=["queue"])
@threaded
def alert(request: Asked, alert_id: FromPath[str]) -> AlertDetail:
    """An alert with its evidence."""
    return console_of(request).queries.alert(actor_of(request), alert_id)


@get("/api/incidents", tags=["queue"])
@threaded
def incidents(
    request: Asked,
    *,
    status_of: Annotated[Status | None, QueryParameter(name="status")] = None,
    limit: Limit = 100,
    before: Before = None,
    q: Words = "",
) -> IncidentsView:
    """Incidents, the last changed first; of a search, open or closed, the last made first."""
    queries, actor, page = console_of(request).queries, actor_of(request), Page(limit=limit, before=before)
    if q:
        return queries.found_incidents(actor, page, words=q)
    return queries.incidents(actor, page, status=status_of)


@get("/api/incidents/{incident_id:str}", tags=["queue"])
@threaded
def incident(request: Asked, incident_id: FromPath[str]) -> IncidentDetail:
    """An incident with its alerts and its timeline."""
    return console_of(request).queries.incident(actor_of(request), incident_id)


@post("/api/incidents/{incident_id:str}/close", status_code=200, tags=["queue"])
@threaded
def close_incident(request: Asked, incident_id: FromPath[str], data: JSONBody[Closing]) -> IncidentView:
    """Close an incident, saying why."""
    console = console_of(request)
    closed = triage.close(console.deps.store, actor_of(request), incident_id, why=data.why, now=console.now())
    return _told(request, closed)


@post("/api/incidents/{incident_id:str}/reopen", status_code=200, tags=["queue"])
@threaded
def reopen_incident(request: Asked, incident_id: FromPath[str], data: JSONBody[Nothing]) -> IncidentView:
    """Open a closed incident again."""
    del data
    console = console_of(request)
    return _told(request, triage.reopen(console.deps.store, actor_of(request), incident_id, now=console.now()))


class DoneView(Struct, frozen=True, kw_only=True):
    """What was done, and the incidents as they are now: this one first, then the other where there is one."""

    deed: DeedView
    incidents: list[IncidentView]


class BudgetAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many incidents a shift can read; null: let it be learnt from what shifts close."""

    n_per_shift: int | None = None


@post("/api/incidents/{incident_id:str}/deeds", status_code=200, tags=["queue"])
@threaded
def do_with_incident(request: Asked, incident_id: FromPath[str], data: JSONBody[AskedDeed]) -> DoneView:
    """Do something with an incident: own, stage, note, task, evidence, assess, close, split, move, merge, undo."""
    console = console_of(request)
    done = do(console.deps.store, actor_of(request), incident_id, data, now=console.now())
    for one in done.incidents:
        console.publish("incident", id=one.id)
    return DoneView(deed=deed_view(done.deed), incidents=[incident_view(one) for one in done.incidents])


@get("/api/queue", tags=["queue"])
@threaded
def queue(request: Asked, limit: Limit = 200) -> QueueView:
    """Open incidents, the first to be looked at first; what this shift can read, and what becomes of the rest."""
    console, actor = console_of(request), actor_of(request)
    return console.same_for_all(actor, ("queue", limit), lambda: queue_of(console, actor, limit))


def queue_of(console: Console, actor: Actor, limit: int) -> QueueView:
    """The queue of this instant."""
    has_ally = any(one.is_in_force(console.now()) for one in console.agreements())
    store, shifts = console.deps.store, console.deps.shifts
    return reading_queue.queue(store, actor, has_ally=has_ally, now=console.now(), limit=limit, shifts=shifts)


@post("/api/queue/budget", status_code=200, tags=["queue"])
@threaded
def set_budget(request: Asked, data: JSONBody[BudgetAsked]) -> BudgetAsked:
    """Say how many incidents a shift can read."""
    console = console_of(request)
    store, actor = console.deps.store, actor_of(request)
    budget = reading_queue.set_budget(store, actor, data.n_per_shift, now=console.now(), shifts=console.deps.shifts)
    console.publish("incident", id="")
    return BudgetAsked(n_per_shift=budget.n_per_shift)


@get("/api/attack", tags=["queue"])
@threaded
def attack(request: Asked) -> AttackView:
    """ATT&CK techniques seen here."""
    console, actor = console_of(request), actor_of(request)
    return console.same_for_all(actor, "attack", lambda: console.queries.attack(actor))


@get("/api/rejects", tags=["node"])
@threaded
def rejects(request: Asked, limit: Limit = 100, before: Before = None) -> list[RejectView]:
    """Records which could not be read, newest first."""
    return console_of(request).queries.rejects(actor_of(request), Page(limit=limit, before=before))


HANDLERS: tuple[BaseRouteHandler, ...] = (
    status,
    alerts,
    leads,
    alert,
    incidents,
    incident,
    close_incident,
    reopen_incident,
    do_with_incident,
    queue,
    set_budget,
    attack,
    rejects,
)


def _told(request: Asked, changed: Incident) -> IncidentView:
    console_of(request).publish("incident", id=changed.id)
    return incident_view(changed)

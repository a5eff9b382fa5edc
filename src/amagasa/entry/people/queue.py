"""The API's queue: status, alerts, incidents, the matrix, rejects."""

from typing import Annotated

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from amagasa.app import triage
from amagasa.app.pages import Page
from amagasa.app.situation import StatusView
from amagasa.app.views import (
    AlertDetail,
    AlertsView,
    AttackView,
    IncidentDetail,
    IncidentsView,
    IncidentView,
    RejectView,
    incident_view,
)
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.security import Asked, actor_of
from amagasa.incident.alert import Incident, Status

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="Rows of a page")]
Before = Annotated[str | None, QueryParameter(max_length=200, description="The cursor `next` of the page before")]


class Closing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an incident is closed."""

    why: str = ""


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty object."""


@get("/api/status", tags=["node"])
@threaded
def status(request: Asked) -> StatusView:
    """The node at a glance: sources, allies, counts, what to do next."""
    console = console_of(request)
    return console.situation.status(actor_of(request), console.agreements(), now=console.now())


@get("/api/alerts", tags=["queue"])
@threaded
def alerts(request: Asked, limit: Limit = 100, before: Before = None) -> AlertsView:
    """Alerts, the last changed first."""
    return console_of(request).queries.alerts(actor_of(request), Page(limit=limit, before=before))


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
    status_of: Annotated[Status | None, QueryParameter(name="status")] = None,
    limit: Limit = 100,
    before: Before = None,
) -> IncidentsView:
    """Incidents, the last changed first."""
    page = Page(limit=limit, before=before)
    return console_of(request).queries.incidents(actor_of(request), page, status=status_of)


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


@get("/api/attack", tags=["queue"])
@threaded
def attack(request: Asked) -> AttackView:
    """ATT&CK techniques seen here."""
    return console_of(request).queries.attack(actor_of(request))


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
    attack,
    rejects,
)


def _told(request: Asked, changed: Incident) -> IncidentView:
    console_of(request).publish("incident", id=changed.id)
    return incident_view(changed)

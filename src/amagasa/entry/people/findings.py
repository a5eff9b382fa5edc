"""The API's OCSF: alerts and incidents as findings, pulled page by page by whatever else a team looks at."""

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from amagasa.app.findings import FindingsView, finding_of_alert, finding_page, findings_of_incident
from amagasa.app.pages import Page
from amagasa.entry.people.deps import console_of, threaded
from amagasa.entry.people.queue import Before, Limit
from amagasa.entry.people.security import Asked, actor_of


@get("/api/findings", tags=["queue"])
@threaded
def findings(request: Asked, limit: Limit = 100, before: Before = None) -> FindingsView:
    """Alerts as OCSF 1.7 Detection Findings, the last changed first."""
    return finding_page(console_of(request).deps.store, actor_of(request), Page(limit=limit, before=before))


@get("/api/alerts/{alert_id:str}/findings", tags=["queue"])
@threaded
def of_alert(request: Asked, alert_id: FromPath[str]) -> FindingsView:
    """One alert as an OCSF 1.7 Detection Finding."""
    return finding_of_alert(console_of(request).deps.store, actor_of(request), alert_id)


@get("/api/incidents/{incident_id:str}/findings", tags=["queue"])
@threaded
def of_incident(request: Asked, incident_id: FromPath[str]) -> FindingsView:
    """An incident as an OCSF 1.7 Incident Finding, and each of its alerts as a Detection Finding."""
    return findings_of_incident(console_of(request).deps.store, actor_of(request), incident_id)


HANDLERS: tuple[BaseRouteHandler, ...] = (findings, of_alert, of_incident)

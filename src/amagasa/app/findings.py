"""Use case: alerts and incidents as OCSF findings, for whatever else a team looks at."""

from typing import Any, Final

from msgspec import Struct

from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Store
from amagasa.app.queries import MissingError, all_alerts
from amagasa.incident.ocsf import alert_finding, incident_finding

_GONE: Final = "it may have been removed"


class FindingsView(Struct, frozen=True, kw_only=True):
    """Findings as OCSF 1.7 has them; `next` is the cursor of the next page, None behind the last."""

    findings: list[dict[str, Any]]
    next: str | None = None


def finding_page(store: Store, actor: Actor, page: Page) -> FindingsView:
    """The alerts, the last changed first."""
    require(actor, Act.READ)
    with store.read() as reading:
        found, cursor = reading.alerts(page)
    return FindingsView(findings=[alert_finding(one) for one in found], next=cursor)


def finding_of_alert(store: Store, actor: Actor, alert_id: str) -> FindingsView:
    """One alert. Raises MissingError."""
    require(actor, Act.READ)
    with store.read() as reading:
        found = reading.alert(alert_id)
    if found is None:
        raise MissingError("AMG-ALERT-UNKNOWN", "there is no such alert here", got=alert_id, then=_GONE)
    return FindingsView(findings=[alert_finding(found)])


def findings_of_incident(store: Store, actor: Actor, incident_id: str) -> FindingsView:
    """An incident, and each of its alerts after it. Raises MissingError."""
    require(actor, Act.READ)
    with store.read() as reading:
        found = reading.incident(incident_id)
        alerts = all_alerts(reading, incident_id) if found is not None else []
    if found is None:
        raise MissingError("AMG-INCIDENT-UNKNOWN", "there is no such incident here", got=incident_id, then=_GONE)
    return FindingsView(findings=[incident_finding(found, alerts), *map(alert_finding, alerts)])

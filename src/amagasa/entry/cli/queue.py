"""`amagasa alert` and `amagasa incident`: the queue of a node."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, Limit, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json

alert_app = typer.Typer()
incident_app = typer.Typer()
Id = Annotated[str, typer.Argument(metavar="ID", help="Its identifier, as `list` shows it.")]

ALERT_COLUMNS = ("severity", "title", "subject", "n_detections", "last_seen_at", "origin", "id")
INCIDENT_COLUMNS = ("severity", "status", "title", "n_alerts", "n_detections", "last_seen_at", "id")
NO_ALERTS = "no alerts: nothing that was read matched a rule. `amagasa source list` says what is being read"
NO_LEADS = "no leads: no list of indicators names anything that was read"
NO_INCIDENTS = "no incidents: no alert has been grave or frequent enough"


@alert_app.command("list")
def list_alerts(
    *, node: NodeFolder = HERE, limit: Limit = 50, as_json: AsJson = False, as_ndjson: AsNdjson = False
) -> None:
    """The alerts, the last changed first."""
    with client_of(node) as client:
        found = client.get(f"/api/alerts?limit={limit}")["alerts"]
    rows = found if as_json or as_ndjson else [row | {"origin": row["origin"]["name"] or "own"} for row in found]
    show_list(rows, ALERT_COLUMNS, form=(as_json, as_ndjson), empty=NO_ALERTS)


@alert_app.command("leads")
def list_leads(
    *, node: NodeFolder = HERE, limit: Limit = 50, as_json: AsJson = False, as_ndjson: AsNdjson = False
) -> None:
    """What one list of indicators says and nothing confirms yet. A rule for the same address makes it an alert."""
    with client_of(node) as client:
        found = client.get(f"/api/leads?limit={limit}")["alerts"]
    show_list(found, ALERT_COLUMNS[:-2], form=(as_json, as_ndjson), empty=NO_LEADS)


@alert_app.command("show")
def show_alert(alert_id: Id, *, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """An alert with its evidence."""
    del as_json  # an object has one form
    _show(node, f"/api/alerts/{quote(alert_id, safe='')}")


@incident_app.command("list")
def list_incidents(
    *, node: NodeFolder = HERE, limit: Limit = 50, as_json: AsJson = False, as_ndjson: AsNdjson = False
) -> None:
    """The incidents, the last changed first."""
    with client_of(node) as client:
        found = client.get(f"/api/incidents?limit={limit}")["incidents"]
    show_list(found, INCIDENT_COLUMNS, form=(as_json, as_ndjson), empty=NO_INCIDENTS)


@incident_app.command("show")
def show_incident(incident_id: Id, *, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """An incident with its alerts and its timeline."""
    del as_json
    _show(node, f"/api/incidents/{quote(incident_id, safe='')}")


@incident_app.command("close")
def close_incident(
    incident_id: Id,
    *,
    why: Annotated[str, typer.Option("--why", help="What was found; kept with the incident.")],
    node: NodeFolder = HERE,
) -> None:
    """Close an incident, saying why."""
    with client_of(node) as client:
        closed = client.post(f"/api/incidents/{quote(incident_id, safe='')}/close", {"why": why})
    say(f"closed: {closed['title']}")


@incident_app.command("reopen")
def reopen_incident(incident_id: Id, *, node: NodeFolder = HERE) -> None:
    """Open a closed incident again."""
    with client_of(node) as client:
        opened = client.post(f"/api/incidents/{quote(incident_id, safe='')}/reopen", {})
    say(f"open again: {opened['title']}")


def _show(node: Any, path: str) -> None:
    with client_of(node) as client:
        write_json(client.get(path))

"""`amagasa alert` and `amagasa incident`: the queue of a node."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.brief.forms import Form
from amagasa.entry.cli import casework
from amagasa.entry.cli.export_file import Target, Wanted, write_export
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, Limit, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.vocab.errors import BadInputError

alert_app = typer.Typer()
incident_app = typer.Typer()
incident_app.add_typer(casework.app)
Id = Annotated[str, typer.Argument(metavar="ID", help="Its identifier, as `list` shows it.")]
AsOcsf = Annotated[bool, typer.Option("--ocsf", help="OCSF 1.7, NDJSON: a finding a line.")]
Find = Annotated[
    str,
    typer.Option("--find", metavar="WORDS", help="Beginnings of words in titles, hosts, accounts, addresses, notes."),
]
Technique = Annotated[
    str, typer.Option("--technique", metavar="ID", help="An ATT&CK technique, with its sub-techniques.")
]

PAGE = 500
QUEUE_COLUMNS = ("rank", "impact", "score", "severity", "title", "n_alerts", "owner", "stage", "fate", "id")
NO_QUEUE = "nothing to look at: no incident is open"
ALERT_COLUMNS = ("severity", "title", "subject", "n_detections", "last_seen_at", "origin", "id")
INCIDENT_COLUMNS = ("severity", "status", "title", "n_alerts", "n_detections", "last_seen_at", "id")
NO_ALERTS = "no alerts: nothing that was read matched a rule. `amagasa source list` says what is being read"
NOT_FOUND = "nothing was found: each word must be the beginning of one in it"
NO_LEADS = "no leads: no list of indicators names anything that was read"
NO_INCIDENTS = "no incidents: no alert has been grave or frequent enough"


@alert_app.command("list")
def list_alerts(  # noqa: PLR0913 - each is an option of the command
    *,
    find: Find = "",
    technique: Technique = "",
    node: NodeFolder = HERE,
    limit: Limit = 50,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
    as_ocsf: AsOcsf = False,
) -> None:
    """The alerts, the last changed first; those of a search, the last made first."""
    if as_ocsf:
        _refuse_search(find or technique)
        _print_findings(node, "/api/findings", limit)
        return
    sought = f"&q={quote(find, safe='')}&technique={quote(technique, safe='')}"
    with client_of(node) as client:
        found = client.get(f"/api/alerts?limit={limit}{sought}")["alerts"]
    rows = found if as_json or as_ndjson else [row | {"origin": row["origin"]["name"] or "own"} for row in found]
    empty = NOT_FOUND if find or technique else NO_ALERTS
    show_list(rows, ALERT_COLUMNS, form=(as_json, as_ndjson), empty=empty)


@alert_app.command("leads")
def list_leads(
    *, node: NodeFolder = HERE, limit: Limit = 50, as_json: AsJson = False, as_ndjson: AsNdjson = False
) -> None:
    """What one list of indicators says and nothing confirms yet. A rule for the same address makes it an alert."""
    with client_of(node) as client:
        found = client.get(f"/api/leads?limit={limit}")["alerts"]
    show_list(found, ALERT_COLUMNS[:-2], form=(as_json, as_ndjson), empty=NO_LEADS)


@alert_app.command("show")
def show_alert(alert_id: Id, *, node: NodeFolder = HERE, as_json: AsJson = False, as_ocsf: AsOcsf = False) -> None:
    """An alert with its evidence."""
    del as_json  # an object has one form
    if as_ocsf:
        _print_findings(node, f"/api/alerts/{quote(alert_id, safe='')}/findings", 1)
        return
    _show(node, f"/api/alerts/{quote(alert_id, safe='')}")


@incident_app.command("list")
def list_incidents(
    *,
    find: Find = "",
    node: NodeFolder = HERE,
    limit: Limit = 50,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """The incidents, the last changed first; those of a search, the last made first."""
    with client_of(node) as client:
        found = client.get(f"/api/incidents?limit={limit}&q={quote(find, safe='')}")["incidents"]
    show_list(found, INCIDENT_COLUMNS, form=(as_json, as_ndjson), empty=NOT_FOUND if find else NO_INCIDENTS)


@incident_app.command("show")
def show_incident(
    incident_id: Id, *, node: NodeFolder = HERE, as_json: AsJson = False, as_ocsf: AsOcsf = False
) -> None:
    """An incident with its alerts and its timeline; as findings, the incident first, then each alert."""
    del as_json
    if as_ocsf:
        _print_findings(node, f"/api/incidents/{quote(incident_id, safe='')}/findings", None)
        return
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


@incident_app.command("queue")
def show_queue(
    *, node: NodeFolder = HERE, limit: Limit = 50, as_json: AsJson = False, as_ndjson: AsNdjson = False
) -> None:
    """Open incidents, the first to be looked at first, and what this shift cannot read."""
    with client_of(node) as client:
        found = client.get(f"/api/queue?limit={limit}")
    if as_json:
        write_json(found)
        return
    rows = [_queued(row) for row in found["incidents"]]
    show_list(found["incidents"] if as_ndjson else rows, QUEUE_COLUMNS, form=(False, as_ndjson), empty=NO_QUEUE)
    budget = found["budget"]
    say(
        f"{found['n_open']} open: {found['n_read']} to read in this shift (budget {budget['n_per_shift']}, "
        f"{budget['source']}; {budget['n_done']} closed in it), {found['n_deferred']} deferred, "
        f"{found['n_offered']} to offer to the ally; {found['n_alone_alerts']} alerts too quiet for an incident"
    )


@incident_app.command("budget")
def set_budget(
    n_per_shift: Annotated[int | None, typer.Argument(help="Incidents a shift can read; none: learn it.")] = None,
    *,
    node: NodeFolder = HERE,
) -> None:
    """Say how many incidents a shift can read, or let it be learnt from what shifts close."""
    with client_of(node) as client:
        told = client.post("/api/queue/budget", {"n_per_shift": n_per_shift})
    say(f"a shift reads {told['n_per_shift']} incidents")


def _queued(row: dict[str, Any]) -> dict[str, Any]:
    """A row for a terminal."""
    return {**row["incident"], "rank": row["rank"], "impact": row["impact"], "score": row["score"], "fate": row["fate"]}


def _refuse_search(sought: str) -> None:
    if sought:
        raise BadInputError(
            "AMG-QUEUE-OPTIONS",
            "findings are not searched",
            expected="--ocsf without --find and --technique",
            got=sought,
            then="nothing was asked",
        )


def _print_findings(node: Any, path: str, limit: int | None) -> None:
    """NDJSON on standard output; `limit` None: all that the address gives, else page after page."""
    n_left, cursor = limit, ""
    with client_of(node) as client:
        while n_left is None or n_left > 0:
            asked = "" if n_left is None else f"?limit={min(n_left, PAGE)}{cursor}"
            found = client.get(f"{path}{asked}")
            for finding in found["findings"]:
                typer.echo(json.dumps(finding, ensure_ascii=False))
            cursor = f"&before={quote(found['next'], safe='')}" if found["next"] else ""
            n_left = None if n_left is None else n_left - len(found["findings"])
            if not cursor:
                return


def _show(node: Any, path: str) -> None:
    with client_of(node) as client:
        write_json(client.get(path))


@incident_app.command("export")
def export_incident(
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="Its identifier, as `list` shows it.")],
    *,
    form: Wanted = Form.STIX,
    output: Target = None,
    node: NodeFolder = HERE,
) -> None:
    """Write it as a file for other tools, with what its alerts say, every object with its marking."""
    with client_of(node) as client:
        write_export(client, f"/api/incidents/{quote(incident_id, safe='')}/export", form, output)

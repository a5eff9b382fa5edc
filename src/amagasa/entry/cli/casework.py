"""What people do with incidents, as commands: `amagasa incident own|stage|note|task|done|evidence|assess|split|...`."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.entry.cli.options import HERE, NodeFolder, client_of
from amagasa.entry.cli.output import say

app = typer.Typer()
Id = Annotated[str, typer.Argument(metavar="ID", help="The incident, as `list` shows it.")]
Words = Annotated[str, typer.Argument(metavar="TEXT", help="A few words.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number in the case file.")]
Alerts = Annotated[list[str] | None, typer.Option("--alert", help="An alert of it; may be named again.")]
Choice = Annotated[str, typer.Argument(metavar="CATEGORY=OPTION", help="As docs/incidents.md lists them.")]
STAGES = "detected triage analysis containment eradication recovery lessons"


@app.command("own")
def own_incident(
    incident_id: Id,
    name: Annotated[str, typer.Argument(help="Whose it is now; '' lets it go.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Give an incident to somebody."""
    _do(node, incident_id, {"kind": "owner", "text": name})


@app.command("stage")
def stage_incident(
    incident_id: Id, stage: Annotated[str, typer.Argument(help=STAGES)], *, node: NodeFolder = HERE
) -> None:
    """Say how far the work on it is (NIST SP 800-61r3)."""
    _do(node, incident_id, {"kind": "stage", "text": stage})


@app.command("note")
def note_incident(incident_id: Id, text: Words, *, node: NodeFolder = HERE) -> None:
    """Write a note into its case file."""
    _do(node, incident_id, {"kind": "note", "text": text})


@app.command("task")
def task_incident(incident_id: Id, text: Words, *, node: NodeFolder = HERE) -> None:
    """Write down something to do."""
    _do(node, incident_id, {"kind": "task", "text": text})


@app.command("done")
def finish_task(incident_id: Id, task: Number, *, node: NodeFolder = HERE) -> None:
    """Say that a task is done, by its number in the case file."""
    _do(node, incident_id, {"kind": "done", "of": task})


@app.command("evidence")
def keep_evidence(incident_id: Id, text: Words, *, alert: Alerts = None, node: NodeFolder = HERE) -> None:
    """Put evidence into its case file: words, and the alerts they are about."""
    _do(node, incident_id, {"kind": "evidence", "text": text, "alerts": alert or []})


@app.command("assess")
def assess_incident(incident_id: Id, choice: Choice, *, node: NodeFolder = HERE) -> None:
    """Choose an option of a category of its score (NCISS); `category=` lets the evidence speak again."""
    _do(node, incident_id, {"kind": "assess", "text": choice})


@app.command("split")
def split_incident(incident_id: Id, *, alert: Alerts = None, node: NodeFolder = HERE) -> None:
    """Take alerts out of an incident into one of their own. Later alerts like them follow."""
    _do(node, incident_id, {"kind": "split", "alerts": alert or []})


@app.command("move")
def move_alerts(
    incident_id: Id,
    *,
    to: Annotated[str, typer.Option("--to", help="The incident they belong to.")],
    alert: Alerts = None,
    node: NodeFolder = HERE,
) -> None:
    """Take alerts of an incident over to another. Later alerts like them follow."""
    _do(node, incident_id, {"kind": "move", "other": to, "alerts": alert or []})


@app.command("merge")
def merge_incident(
    incident_id: Id,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The incident which becomes part of it.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Make another incident part of this one."""
    _do(node, incident_id, {"kind": "merge", "other": other})


@app.command("undo")
def undo_deed(incident_id: Id, deed: Number, *, node: NodeFolder = HERE) -> None:
    """Take back what was done, by its number in the case file's history."""
    _do(node, incident_id, {"kind": "undo", "of": deed})


def _do(node: Any, incident_id: str, asked: dict[str, Any]) -> None:
    with client_of(node) as client:
        done = client.post(f"/api/incidents/{quote(incident_id, safe='')}/deeds", asked)
    deed = done["deed"]
    say(f"deed {deed['id']}: {deed['kind']} {deed['text']}".rstrip())
    for one in done["incidents"]:
        say(f"  {one['id']}  {one['status']}  {one['title']}")

"""`amagasa handover`: the watch, as one officer leaves it and the next takes it."""

from typing import Annotated, Any

import typer

from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.workforce.handover import MOST_GIVEN

app = typer.Typer()
COLUMNS = ("number", "at", "by", "to", "incidents", "n_open", "taken_at", "taken_by")
GIVEN = ("severity", "stage", "score", "impact", "title", "ally", "incident_id")
NONE = "no hand-overs yet: `amagasa handover leave` makes the first"
NO_INCIDENTS = "no incident went over with it"
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Its number, as `list` shows it.")]
Ids = list[str] | None


@app.command("list")
def list_handovers(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """The last hand-overs, the newest first."""
    with client_of(node) as client:
        found = client.get("/api/handovers")["handovers"]
    plain = as_json or as_ndjson
    rows = found if plain else [row | {"to": row["to"] or "the next", "incidents": len(row["given"])} for row in found]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty=NONE)


@app.command("show")
def show_handover(number: Number, *, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """What was left: words, incidents as they stood then, and where they stand with allies now."""
    with client_of(node) as client:
        found = client.get("/api/handovers")["handovers"]
    one = next((each for each in found if each["number"] == number), None)
    if one is None:
        message = f"there is no hand-over {number}: `amagasa handover list` shows them"
        raise typer.BadParameter(message)
    if as_json:
        write_json(one)
        return
    say(_heading(one))
    if one["note"]:
        say(one["note"])
    show_list([_given(row, one["lines"]) for row in one["given"]], GIVEN, form=(False, False), empty=NO_INCIDENTS)


@app.command("leave")
def leave_watch(
    *,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Who takes it; whoever comes next when absent.")] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Words for the next.")] = "",
    incident: Annotated[
        Ids, typer.Option("--incident", metavar="ID", help="One that goes over; again for more.")
    ] = None,
    offer: Annotated[
        Ids, typer.Option("--offer", metavar="ID", help="One to put before the agreements for allies; again for more.")
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help=f"All open ones go over, the first {MOST_GIVEN}.")] = False,
    node: NodeFolder = HERE,
) -> None:
    """Leave the watch. Incidents change hands when it is taken."""
    with client_of(node) as client:
        given = list(incident or [])
        if is_all:
            rows = client.get(f"/api/queue?limit={MOST_GIVEN}")["incidents"]
            given = list(dict.fromkeys([*given, *(row["incident"]["id"] for row in rows)]))[:MOST_GIVEN]
        asked = {"to": to, "note": note, "incidents": given, "offered": offer or []}
        one = client.post("/api/handovers", asked)["handovers"][0]
    say(_heading(one))


@app.command("take")
def take_watch(number: Number, *, node: NodeFolder = HERE) -> None:
    """Take the watch: what was left and is still with the other officer becomes one's own."""
    with client_of(node) as client:
        found = client.post(f"/api/handovers/{number}/taken", {})["handovers"]
    say(_heading(next(each for each in found if each["number"] == number)))


def _heading(one: dict[str, Any]) -> str:
    taken = f"taken by {one['taken_by']} at {one['taken_at']}" if one["taken_at"] else "not taken yet"
    counts = f"{len(one['given'])} incidents of {one['n_open']} open, {one['n_done']} closed in the shift"
    return f"hand-over {one['number']}, {one['by']} to {one['to'] or 'the next'}, {one['at']}: {counts}; {taken}"


def _given(row: dict[str, Any], lines: list[dict[str, str]]) -> dict[str, Any]:
    mine = [line for line in lines if line["incident_id"] == row["incident_id"]]
    return row | {"ally": ", ".join(f"{line['ally']}: {line['state']}" for line in mine) or "-"}

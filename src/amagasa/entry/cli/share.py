"""`amagasa share`: what left, what came, what was kept back and what waits for consent."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amagasa.entry.cli import courier
from amagasa.entry.cli.export import export_command
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, Limit, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import Output, say, write_json, write_rows
from amagasa.vocab.errors import EXIT_FINDINGS, BadInputError

app = typer.Typer()
app.add_typer(courier.app, name="courier")
app.command("export")(export_command)
MAX_ID = 2**63 - 1
MAX_DIGITS = 19
COLUMNS = ("id", "at", "way", "ally", "object", "state", "clause", "marking", "receipt", "why")
Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=MAX_ID, help="Its number, as `share log` shows it.")]


@app.command("log")
def log(
    *,
    state: Annotated[str | None, typer.Option("--state", help="wanting, pending, delivered, withheld, ...")] = None,
    node: NodeFolder = HERE,
    limit: Limit = 50,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """What crossed the line in both directions, waits at it, or was kept from it."""
    wanted = f"/api/crossings?limit={limit}" + (f"&state={state}" if state else "")
    with client_of(node) as client:
        found = client.get(wanted)["crossings"]
    rows = found if as_json or as_ndjson else [_row(one) for one in found]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty="nothing has crossed the line, in either direction")


@app.command("preview")
def preview(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A crossing's number, an alert, an incident, or a file.")],
    *,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """What leaves, or would leave: the exact bytes, field by field, by which clause, and who must say yes.

    WHAT: the number of a crossing as `share log` shows it; the identifier of an alert or incident; or a file with a
    STIX object or bundle. Nothing is kept. JSON where the answer does not go to a terminal.
    Exit 1 where none of it would leave.
    """
    with client_of(node) as client:
        if what.isdigit() and len(what) < MAX_DIGITS:
            told = client.get(f"/api/crossings/{int(what)}")
            found = [_of_crossing(told)]
        else:
            told = client.post("/api/preview", _asked(what))
            found = told
    if as_json or not sys.stdout.isatty():
        write_json(told)
    else:
        for one in found:
            _print(one)
    if found and all(one["outcome"] == "withheld" for one in found):
        raise typer.Exit(EXIT_FINDINGS)
    if not found:
        say("no agreement is in force: nothing leaves")


@app.command("edit")
def edit(
    crossing: Id,
    *,
    strip: Annotated[list[str] | None, typer.Option("--strip", help="A property to take away; repeat it.")] = None,
    marking: Annotated[str, typer.Option("--marking", help="A stricter TLP marking.")] = "",
    node: NodeFolder = HERE,
) -> None:
    """Take something away from what waits, or mark it higher. Who said yes before must look again."""
    with client_of(node) as client:
        looked_at = client.get(f"/api/crossings/{crossing}")["crossing"]
        body = {"strip": strip or [], "marking": marking, "version": looked_at["version"]}
        _print(_of_crossing(client.post(f"/api/crossings/{crossing}/edit", body)))


@app.command("release")
def release(
    crossing: Id,
    *,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say no instead of yes.")] = False,
    node: NodeFolder = HERE,
) -> None:
    """Say yes (or no) to what waits for a release officer's consent."""
    with client_of(node) as client:
        looked_at = client.get(f"/api/crossings/{crossing}")["crossing"]
        body = {"approve": not refuse, "version": looked_at["version"]}
        decided = client.post(f"/api/crossings/{crossing}/decision", body)
    done = decided["crossing"]
    if done["state"] == "wanting":
        say(f"said yes: {', '.join(done['consents'])}; it waits for another person")
        return
    say(f"{decided['crossing']['state']}: {decided['crossing']['object_type']} {decided['crossing']['object_id']}")


@app.command("retract")
def retract(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="A crossing's number, or the identifier of an object.")],
    *,
    why: Annotated[str, typer.Option("--why", help="The reason, for the record.")] = "",
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Take an object back from every ally that has it. What has not left does not leave; later versions stay here."""
    with client_of(node) as client:
        object_id = what
        if what.isdigit() and len(what) < MAX_DIGITS:
            object_id = client.get(f"/api/crossings/{int(what)}")["crossing"]["object_id"]
        done = client.post("/api/retractions", {"object_id": object_id, "why": why})
    if as_json:
        write_json(done)
        return
    say(f"taken back from {done['n_sent']}, kept from leaving {done['n_held']}; share log shows when it was delivered")


def _asked(what: str) -> dict[str, Any]:
    """What is asked of the node: an object, a bundle of them, or an identifier."""
    file = Path(what)
    if not file.is_file():
        return {"incident" if what.startswith("incident--") else "alert": what}
    try:
        told = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInputError(
            "AMG-PREVIEW-FILE", f"{file} holds no STIX object", expected="a JSON object or bundle", got=str(error)
        ) from error
    objects = told.get("objects", []) if told.get("type") == "bundle" else [told]
    return {"objects": objects}


def _of_crossing(told: dict[str, Any]) -> dict[str, Any]:
    crossing = told["crossing"]
    return {
        "outcome": crossing["state"],
        "ally": crossing["ally"],
        "agreement": crossing["agreement"],
        "object_type": crossing["object_type"],
        "object_id": crossing["object_id"],
        "clause": crossing["clause"],
        "marking": crossing["marking"],
        "why": crossing["why"],
        "code": "",
        "wants": crossing["wants"],
        "n_wanted": crossing["n_wanted"],
        "consents": crossing["consents"],
        "fields": told["fields"],
        "content": told["content"],
    }


def _print(one: dict[str, Any]) -> None:
    """One object: what becomes of it, its fields, and the bytes."""
    code = f" [{one['code']}]" if one["code"] else ""
    why = f": {one['why']}{code}" if one["why"] else ""
    say(f"{one['outcome']} -> {one['ally']['name']}: {one['object_type']} {one['object_id']}{why}")
    if one["clause"]:
        say(f"  by the clause {one['clause']} of {one['agreement']}, marked {one['marking']}")
    if one["n_wanted"]:
        persons = "one person" if one["n_wanted"] == 1 else "two different persons"
        given = f"; said yes: {', '.join(one['consents'])}" if one.get("consents") else ""
        say(f"  wants the yes of {persons} ({' or '.join(one['wants'])}){given}")
    if one["fields"]:
        write_rows(one["fields"], ("what", "path", "value"), Output.TABLE, empty="")
    if one["content"]:
        sys.stdout.write(one["content"] + "\n")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return one | {
        "at": one["created_at"],
        "way": one["direction"],
        "ally": one["ally"]["name"],
        "object": one["title"] or one["object_type"],
        "receipt": _receipt(one["receipt"]),
    }


def _receipt(receipt: dict[str, Any] | None) -> str:
    """Of what was taken back: since when the holder looks for it no longer, or until when it must say so."""
    if receipt is None:
        return ""
    if receipt["done_at"] is None:
        return f"{'OVERDUE since' if receipt['is_overdue'] else 'awaited until'} {receipt['due_at']}"
    further = f", {receipt['n_onward_done']} of {receipt['n_onward']} further holders" if receipt["n_onward"] else ""
    return f"stopped {receipt['done_at']}{further}"

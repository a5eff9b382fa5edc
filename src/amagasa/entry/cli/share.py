"""`amagasa share`: what left, what came, what was kept back and what waits for consent."""

from typing import Annotated, Any

import typer

from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, Limit, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json

app = typer.Typer()
MAX_ID = 2**63 - 1
COLUMNS = ("id", "at", "way", "ally", "object", "state", "clause", "marking", "why")
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
def preview(crossing: Id, *, node: NodeFolder = HERE) -> None:
    """The exact bytes of one crossing, by which clause, and what was changed in them."""
    with client_of(node) as client:
        write_json(client.get(f"/api/crossings/{crossing}"))


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
    say(f"{decided['crossing']['state']}: {decided['crossing']['object_type']} {decided['crossing']['object_id']}")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return one | {
        "at": one["created_at"],
        "way": one["direction"],
        "ally": one["ally"]["name"],
        "object": one["title"] or one["object_type"],
    }

"""`amagasa campaign`: what several parties met of one hand."""

from typing import Annotated
from urllib.parse import quote

import typer

from amagasa.brief.forms import Form
from amagasa.entry.cli.export_file import Target, Wanted, write_export
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import write_json

app = typer.Typer()
COLUMNS = ("score", "severity", "title", "parties", "n_incidents", "n_sources", "n_detections", "last_seen_at", "id")
NONE = "no campaigns: no incident of ours and one that an ally told of have enough in common"


@app.command("list")
def list_campaigns(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """The campaigns, the worst first."""
    with client_of(node) as client:
        found = client.get("/api/campaigns")["campaigns"]
    plain = as_json or as_ndjson
    rows = found if plain else [row | {"parties": _names(row)} for row in found]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty=NONE)


@app.command("show")
def show_campaign(
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="Its identifier, as `list` shows it.")],
    *,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """A campaign with its incidents and what ties them."""
    del as_json  # an object has one form
    with client_of(node) as client:
        write_json(client.get(f"/api/campaigns/{quote(campaign_id, safe='')}"))


@app.command("export")
def export_campaign(
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="Its identifier, as `list` shows it.")],
    *,
    form: Wanted = Form.STIX,
    output: Target = None,
    node: NodeFolder = HERE,
) -> None:
    """Write it as a file for other tools, every object with its marking."""
    with client_of(node) as client:
        write_export(client, f"/api/campaigns/{quote(campaign_id, safe='')}/export", form, output)


def _names(row: dict[str, list[dict[str, str]]]) -> str:
    return ", ".join(party["name"] or "own" for party in row["parties"])

"""`amagasa content`: rules and indicators of a node; and checking rules in files, without one."""

import ipaddress
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from amagasa.entry.cli.check import check_command
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say, write_json
from amagasa.vocab.errors import BadInputError

app = typer.Typer()
app.command("check")(check_command)
COLUMNS = ("kind", "title", "origin", "active_since", "fault", "id")
MAX_RULE_BYTES = 1_048_576
Marking = Annotated[str, typer.Option("--marking", help="TLP 2.0: clear, green, amber, amber+strict, red.")]


@app.command("add")
def add(
    what: Annotated[str, typer.Argument(help="A Sigma rule's file, - for stdin, or an IP address.")],
    *,
    share: Annotated[
        bool, typer.Option("--share", help="Offer it to the allies, up to what agreements let out.")
    ] = False,
    marking: Marking = "amber",
    title: Annotated[str, typer.Option("--title", help="What an address is; a rule has its own title.")] = "",
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Add a rule or an indicator; a running node looks with it within a second."""
    text = _rule_text(what)
    with client_of(node) as client:
        if text is None:
            body = {"address": what, "title": title, "share": share, "marking": marking}
            added = client.post("/api/content/addresses", body)
        else:
            added = client.post("/api/content/rules", {"text": text, "share": share, "marking": marking})
    if as_json:
        write_json(added)
    else:
        say(f"added {added['title']} as {added['id']}")


@app.command("list")
def list_content(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """Rules and indicators beside the built-in ones, and since when each is looked with."""
    with client_of(node) as client:
        found = client.get("/api/content")
    rows = found if as_json or as_ndjson else [_row(one) for one in found]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty="none beside the built-in rules")


@app.command("remove")
def remove(content_id: Annotated[str, typer.Argument(metavar="ID")], *, node: NodeFolder = HERE) -> None:
    """Stop looking for it. What was shared of it stays with the allies."""
    with client_of(node) as client:
        client.delete(f"/api/content/{quote(content_id, safe='')}")
    say(f"removed {content_id}")


def _rule_text(what: str) -> str | None:
    """The text of a rule's file; None where `what` is an address."""
    if _is_address(what):
        return None
    try:
        if what == "-":
            return sys.stdin.buffer.read(MAX_RULE_BYTES).decode()
        with Path(what).open(encoding="utf-8") as stream:
            return stream.read(MAX_RULE_BYTES)
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInputError(
            "AMG-CONTENT-FILE",
            "this is no address, and no rule's file that can be read",
            expected="an IPv4 or IPv6 address, or a text file in UTF-8 that you may read",
            got=f"{what}: {getattr(problem, 'strerror', None) or problem}",
            then="nothing was added",
        ) from None


def _is_address(what: str) -> bool:
    try:
        ipaddress.ip_address(what)
    except ValueError:
        return False
    return True


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"origin": one["origin"]["name"] or "own", "active_since": one["activated_at"]}

"""`amagasa ally`: the allies of a node and the line to each."""

from typing import Annotated, Any

import typer

from amagasa.app.consulting import Answer
from amagasa.entry.cli.options import HERE, AsJson, AsNdjson, NodeFolder, client_of, show_list
from amagasa.entry.cli.output import say

app = typer.Typer()
COLUMNS = (
    "name",
    "country",
    "line",
    "why",
    "watches",
    "waiting",
    "last_sent_at",
    "last_received_at",
    "record",
    "agreement",
    "until",
)
EMPTY = "no allies: no agreement can be relied on. `amagasa agreement show` lists them, `agreement draft` begins one"


@app.command("list")
@app.command("status")
def list_allies(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """The allies, the agreement with each, and how the line stands."""
    with client_of(node) as client:
        found = client.get("/api/allies")
    rows = found if as_json or as_ndjson else [_row(one) for one in found]
    show_list(rows, COLUMNS, form=(as_json, as_ndjson), empty=EMPTY)


@app.command("consult")
def consult(
    what: Annotated[str, typer.Argument(metavar="INCIDENT", help="Its identifier, as `ally status` shows it.")],
    word: Annotated[Answer, typer.Option("--word", help="What the ally is told; no more than that leaves.")],
    *,
    node: NodeFolder = HERE,
) -> None:
    """Say the first word on a serious incident that an ally gave: it ends the clock of consultation on both sides."""
    with client_of(node) as client:
        client.post("/api/allies/consultations", {"object_id": what, "answer": word.value})
    say(f"said: {word.value}; it goes to the ally with the next heads of the record")


def _row(one: dict[str, Any]) -> dict[str, Any]:
    newest = one["agreements"][0] if one["agreements"] else {}
    return {
        "name": one["ally"]["name"],
        "country": one["country"],
        "line": one["link"]["state"],
        "why": one["link"]["why"],
        "watches": _watches(one["heart"]),
        "waiting": one["link"]["n_waiting"],
        "last_sent_at": one["link"]["last_sent_at"],
        "last_received_at": one["link"]["last_received_at"],
        "record": _record(one["record"]),
        "agreement": newest.get("title"),
        "until": newest.get("valid_until_at"),
    }


def _record(record: dict[str, Any]) -> str:
    """How much of our record the ally stands by; what was found wrong goes before."""
    if record["faults"]:
        return f"ALTERED: {record['faults'][0]['why']}"
    said = f"{record['n_countersigned']} of {record['n_leaves']} countersigned"
    if record["missed"]:
        return f"{'; '.join(_missed(one) for one in record['missed'])}; {said}"
    if record["n_receipts_overdue"]:
        return f"{record['n_receipts_overdue']} RECEIPTS OVERDUE, {said}"
    return said + (f", {record['n_receipts_awaited']} receipts awaited" if record["n_receipts_awaited"] else "")


def _missed(one: dict[str, Any]) -> str:
    whose = "OURS" if one["is_ours"] else "THEIRS"
    return f"LATE ({whose}): {one['clock']}, {one['n']}" + (f", {one['what']}" if one["what"] else "")


def _watches(heart: dict[str, Any]) -> str:
    """What the ally states of its own watch; that it is silent goes before."""
    if heart["silent_at"] is not None:
        return f"SILENT, last heard {heart['heard_at'] or 'never'}"
    if heart["n_sources"] is None:
        return ""
    fresh = "" if heart["freshest_s"] is None else f", newest record {heart['freshest_s']} s old"
    return f"{heart['n_watching']} of {heart['n_sources']} sources{fresh}"

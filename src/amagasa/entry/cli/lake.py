"""`amagasa lake`: the records of a node as they came."""

from pathlib import Path
from typing import Any

import msgspec
import typer

from amagasa.entry.cli.node_options import HERE, AsJson, AsNdjson, NodeFolder
from amagasa.entry.cli.output import output_of, say, write_json, write_rows
from amagasa.entry.settings.load import load_settings
from amagasa.entry.wiring_lake import opened_node, proofs_of
from amagasa.vocab.errors import EXIT_FINDINGS
from amagasa.vocab.text import show

app = typer.Typer()
EMPTY = "nothing is kept yet: a node keeps what it reads from its next start on"
COLUMNS = ("source", "n_records", "first_at", "last_at", "raw", "on_disk", "ratio", "n_let_go", "not_kept")


@app.command("status")
def status(*, node: NodeFolder = HERE, as_json: AsJson = False, as_ndjson: AsNdjson = False) -> None:
    """What is kept of each source, since when, and in how much room."""
    with opened_node(node) as (lake, _):
        rows = [_row(msgspec.to_builtins(size)) for size in lake.sizes()]
    write_rows(rows, COLUMNS, output_of(as_json=as_json, as_ndjson=as_ndjson), empty=EMPTY)


def _row(size: dict[str, Any]) -> dict[str, Any]:
    ratio = size["n_bytes"] / size["n_raw_bytes"] if size["n_raw_bytes"] else None
    return size | {
        "ratio": None if ratio is None else round(ratio, 4),
        "raw": _room(size["n_raw_bytes"]),
        "on_disk": _room(size["n_bytes"]),
        "not_kept": "; ".join(one["why"] for one in size["missed"]),
    }


def _room(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:,.2f} GB"


@app.command("verify")
def verify(*, node: NodeFolder = HERE, as_json: AsJson = False) -> None:
    """Read everything and prove that it is what was written. Exit 1 and the first thing that does not fit, else 0."""
    lake = Path(node) / load_settings(Path(node) / "node.toml").lake.path
    proofs = proofs_of(Path(node), lake)
    faults = [proof for proof in proofs if proof.fault]
    if as_json:
        write_json({"is_sound": not faults, "sources": proofs})
    else:
        for proof in proofs:
            n = f"{proof.n_records:,} records in {proof.n_blocks:,} blocks of {proof.n_segments:,} segments"
            found = f"does not fit: {show(proof.fault)}" if proof.fault else f"is as written; chain {proof.digest[:16]}"
            say(f"{show(proof.source)}: {n}, {proof.n_unchained:,} not chained yet: {found}")
        if not proofs:
            say(EMPTY)
    raise typer.Exit(EXIT_FINDINGS if faults else 0)

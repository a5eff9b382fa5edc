"""`amagasa lake`: the records of a node as they came."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amagasa.app.hunt import Answer, Asked, Period, read_instant
from amagasa.app.lake_rows import rows, take_out
from amagasa.entry.cli.hunt import (
    OPERATOR,
    IndicatorOption,
    Query,
    RuleOption,
    Since,
    Sources,
    Until,
    looker_of,
    print_unlooked,
)
from amagasa.entry.cli.node_options import HERE, AsJson, AsNdjson, NodeFolder
from amagasa.entry.cli.output import output_of, say, write_json, write_rows
from amagasa.entry.settings.load import load_settings
from amagasa.entry.wiring_lake import asked_by_sql, checked, opened_bundle, opened_node, proofs_of
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_FINDINGS
from amagasa.vocab.instants import to_rfc3339
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
def verify(
    path: Annotated[Path | None, typer.Argument(help="An export; else the lake of the node.")] = None,
    *,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
) -> None:
    """Prove that a lake, or an export of one, is what was written. Exit 1 and the first thing that does not fit, or 0.

    An export is checked by itself, offline: the key that signed it is shown, for you to compare with the node's.
    """
    if path is not None:
        _verify_export(path, as_json=as_json)
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


def _verify_export(path: Path, *, as_json: bool) -> None:
    found = checked(path)
    if as_json:
        write_json(msgspec.to_builtins(found) | {"is_sound": not found.fault})
    else:
        n = f"{found.n_records:,} records, of them {found.n_unchained:,} not in the chain"
        say(f"{n}; signed by {show(found.signed_by)}")
        for source, digest in zip(found.sources, found.digests, strict=True):
            say(f"{show(source)}: chain {digest}")
        say(f"it does not fit: {show(found.fault)}" if found.fault else "it is what was written")
    raise typer.Exit(EXIT_FINDINGS if found.fault else 0)


@app.command("export")
def export(  # noqa: PLR0913 - one parameter an option of the command line
    out: Annotated[Path, typer.Argument(help="The zip to write.")],
    query: Query = None,
    *,
    rule: RuleOption = None,
    indicator: IndicatorOption = None,
    since: Since = None,
    until: Until = None,
    source: Sources = None,
    why: Annotated[str, typer.Option("--why", help="What it is for; it goes into the custody note.")] = "",
    node: NodeFolder = HERE,
) -> None:
    """Take records out as evidence: as they came, with the proof that they are, and a signed custody note.

    The blocks in which they stand are in it whole, neighbours included: that is what proves them.
    """
    now = datetime.now(UTC)
    period = Period(since=_instant(since, now), until=_instant(until, now))
    asked = Asked(sources=tuple(source or ()), period=period)
    answer = Answer()
    with opened_bundle(Path(node), out) as (lake, store, bundle, keys):
        is_narrow = query is not None or rule is not None or indicator is not None
        seeker = looker_of(query, rule, indicator, store).seeker if is_narrow else None
        take_out(lake, OPERATOR, asked, seeker=seeker, take=bundle.add, answer=answer, now=now)
        note = {
            "made_by": getpass.getuser(),
            "made_at": to_rfc3339(now),
            "why": why,
            "node": load_settings(Path(node) / "node.toml").node.name,
            "public_key": keys.public_key,
            "query": {"text": query, "rule": rule, "indicator": indicator, "since": since, "until": until},
            "not_looked_at": msgspec.to_builtins(answer.unlooked),
            "n_rejected": answer.n_rejected,
        }
        bundle.write(note, keys.sign)
    say(f"exported {answer.n_found:,} records to {show(str(out))}; `amagasa lake verify {show(str(out))}` checks it")
    print_unlooked(answer)
    raise typer.Exit(answer.exit_code())


def _instant(text: str | None, now: datetime) -> datetime | None:
    return None if text is None else read_instant(text, now=now)


@app.command("sql")
def sql(  # noqa: PLR0913 - one parameter an option of the command line
    statement: Annotated[str, typer.Argument(help="One SELECT over the table records.")],
    *,
    since: Since = None,
    until: Until = None,
    source: Sources = None,
    max_records: Annotated[int, typer.Option(min=1, help="Records put into the table, at most.")] = 1_000_000,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of the answer, at most.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="Time for the statement.")] = 60.0,
    memory_mib: Annotated[int, typer.Option(min=64, help="Memory for the statement.")] = 1_024,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """Ask in SQL (duckdb): columns source, path, record, event_at, read_at, raw, fields (JSON: fields->>'Image')."""
    now = datetime.now(UTC)
    period = Period(since=_instant(since, now), until=_instant(until, now))
    asked = Asked(sources=tuple(source or ()), period=period, limit=max_records)
    answer = Answer()
    with opened_node(Path(node)) as (lake, _):
        records = rows(lake, OPERATOR, asked, answer=answer)
        table = asked_by_sql(statement, records, seconds=seconds, memory_mib=memory_mib, max_rows=max_rows)
    shown = [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows]
    write_rows(shown, table.columns, output_of(as_json=as_json, as_ndjson=as_ndjson), empty="no rows")
    if answer.is_cut:
        say(f"only the first {max_records:,} records were asked about: see --max-records, --since, --source")
    print_unlooked(answer)
    raise typer.Exit(EXIT_COULD_NOT if answer.is_cut else answer.exit_code())


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)

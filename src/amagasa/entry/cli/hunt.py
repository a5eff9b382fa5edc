"""`amagasa hunt`: look back through what a node has read."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from amagasa.app.hunt import Answer, Asked, Period, Step, hunt, most, read_instant
from amagasa.app.lake_ports import Lake, Unlooked
from amagasa.app.permissions import Actor, Role
from amagasa.app.seeking import Found
from amagasa.entry.cli.node_options import HERE, AsJson, AsNdjson, NodeFolder
from amagasa.entry.cli.output import Output, err, is_progress_wanted, output_of, plain_json, say, write_json
from amagasa.entry.wiring_hunt import Looker, indicator_looker, query_looker, rule_looker
from amagasa.entry.wiring_lake import opened_node
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

OPERATOR = Actor(name="operator", roles=frozenset(Role))  # whoever may open the node's folder
NICE = 10
MEMORY_BYTES = 4 << 30
STEP_S = 0.25
MAX_KEPT = 10_000  # findings of one JSON document
MAX_HOSTS_TOLD = 1_000  # of one rule or indicator
Query = Annotated[str | None, typer.Argument(help='Words, "words in a row", field=value; all must hold.')]
RuleOption = Annotated[str | None, typer.Option("--rule", help="A Sigma file, or the identifier of a rule.")]
IndicatorOption = Annotated[
    str | None, typer.Option("--indicator", help="A value, a STIX pattern, or a file of indicators.")
]
Since = Annotated[str | None, typer.Option("--since", help="2026-05-01T08:00:00Z, 2026-05-01, or 90m, 24h, 7d ago.")]
Until = Annotated[str | None, typer.Option("--until", help="As --since; not included.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Of these sources alone.")]
Tally = Annotated[bool, typer.Option("--tally", hidden=True, help="Of each rule or indicator the first finding.")]
ForNode = Annotated[bool, typer.Option("--for-node", hidden=True, help="Modest, with steps, and no files are read.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Stop after so many findings.")]


def hunt_command(  # noqa: PLR0913 - one parameter an option of the command line
    query: Query = None,
    *,
    rule: RuleOption = None,
    indicator: IndicatorOption = None,
    since: Since = None,
    until: Until = None,
    source: Sources = None,
    limit: Limit = None,
    node: NodeFolder = HERE,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
    is_for_node: ForNode = False,
    is_tally: Tally = False,
) -> None:
    """Look back through what was read: words, values of fields, a rule, indicators.

    Exit codes: 0 looked at everything (found or not), 2 bad input, 3 some part could not be looked at, 130 interrupted.
    """
    now = datetime.now(UTC)
    period = Period(since=_instant(since, now), until=_instant(until, now))
    asked = Asked(sources=tuple(source or ()), period=period, limit=limit)
    form = output_of(as_json=as_json, as_ndjson=as_ndjson)
    if is_for_node:
        _be_modest()
    with opened_node(node) as (lake, store):
        looker = looker_of(query, rule, indicator, store, may_be_file=is_tally or not is_for_node)
        answer = Answer(faults=list(looker.faults))
        if is_tally:
            _tally(lake, looker, asked, answer)
        else:
            run(lake, looker, asked, answer=answer, form=form, has_steps=is_for_node)
    raise typer.Exit(answer.exit_code())


def _instant(text: str | None, now: datetime) -> datetime | None:
    return None if text is None else read_instant(text, now=now)


def looker_of(
    query: str | None, rule: str | None, indicator: str | None, store: Any, *, may_be_file: bool = True
) -> Looker:
    """What looks. Raises BadInputError where not exactly one of them is given."""
    if sum(one is not None for one in (query, rule, indicator)) != 1:
        raise BadInputError(
            "AMG-HUNT-WHAT",
            "it is not clear what to hunt for",
            expected="one of: a query, --rule, --indicator",
            got="none of them" if query is rule is indicator is None else "several of them",
            then="nothing was looked at",
        )
    if rule is not None:
        return rule_looker(rule, store, may_be_file=may_be_file)
    return query_looker(query) if query is not None else indicator_looker(indicator or "", may_be_file=may_be_file)


def run(lake: Lake, looker: Looker, asked: Asked, *, answer: Answer, form: Output, has_steps: bool = False) -> None:
    """Hunt and print what is found as it is found; then what the hunt says. Ctrl-C ends it with what was found."""
    started = time.monotonic()
    kept: list[dict[str, Any]] = []
    show_one = {Output.JSON: kept.append, Output.NDJSON: _print_json, Output.TABLE: _print_line}[form]
    try:
        with _steps(lake) if has_steps else _progress(lake) as step:
            for one in hunt(lake, OPERATOR, looker.seeker, asked, answer=answer, now=datetime.now(UTC)):
                if isinstance(one, Found):
                    if form is not Output.JSON or len(kept) < MAX_KEPT:
                        show_one(public(one))
                elif isinstance(one, Step):
                    step(one.n_raw_bytes, answer.n_found)
    except KeyboardInterrupt:
        answer.is_interrupted = True
    answer.elapsed_s = round(time.monotonic() - started, 3)
    if form is Output.JSON:
        write_json(document_of(answer) | {"found": kept})
    else:
        if form is Output.NDJSON:
            _print_json({"answer": document_of(answer)})
        print_answer(answer)


def public(one: Found) -> dict[str, Any]:
    """One finding as it is printed."""
    content = {"content_id": one.content_id, "title": one.title, "fields": dict(one.fields)} if one.content_id else {}
    return {
        "source": one.source,
        "path": one.path,
        "record": one.record,
        "event_at": None if one.event_at is None else to_rfc3339(one.event_at),
        "read_at": to_rfc3339(one.read_at),
        **content,
        "hosts": list(one.hosts),
        "raw": one.raw,
    }


def document_of(answer: Answer) -> dict[str, Any]:
    """What the hunt says."""
    document: dict[str, Any] = msgspec.to_builtins(answer)
    return document | {"is_whole": answer.is_whole}


def _print_json(one: dict[str, Any]) -> None:
    sys.stdout.buffer.write(plain_json(msgspec.json.encode(one)) + b"\n")
    sys.stdout.buffer.flush()


def _print_line(one: dict[str, Any]) -> None:
    at = one["event_at"] or one["read_at"]
    named = f"{show(one['title'], 80)}: " if one.get("title") else ""
    sys.stdout.write(f"{at}  {show(one['source'], 40)}:{one['record']}  {named}{one['raw']}\n")
    sys.stdout.flush()


def print_answer(answer: Answer) -> None:
    """What the hunt says, on stderr; above all what could not be looked at."""
    console = err()
    if answer.n_found:
        seen = f"first {to_rfc3339(_of(answer.first_at))}, last {to_rfc3339(_of(answer.last_at))}"
        hosts = ", ".join(f"{show(name, 60)} ({n:,})" for name, n in most(answer.by_host, 3))
        more = f"; on {len(answer.by_host):,} hosts: {hosts}" if hosts else ""
        console.print(f"[bold]seen {answer.n_found:,} times[/], {seen}{escape(more)}")
    elif answer.is_whole:
        console.print("[bold]never seen[/]: all that is kept of that time was looked at")
    else:
        console.print("[bold]not seen[/] in what could be looked at, which is not all")
    console.print(
        f"looked at {answer.n_records:,} records and passed by {answer.n_passed:,} "
        f"({answer.n_raw_bytes / 1e6:,.0f} MB) in {answer.elapsed_s:.2f} s"
    )
    print_unlooked(answer)
    for fault in answer.faults[:20]:
        console.print(f"[yellow]did not run[/] {escape(show(fault.rule_id or fault.path))}: {escape(show(fault.why))}")
    if answer.is_cut:
        say("stopped at --limit: there may be more")
    if answer.is_interrupted:
        say("interrupted: there may be more")


def print_unlooked(answer: Answer) -> None:
    """What could not be looked at."""
    console = err()
    for one in answer.unlooked[:20]:
        console.print(f"[red]not looked at[/] {escape(_told(one))} [dim]\\[{one.code}][/]")
    if answer.n_unlooked > 20:
        say(f"... and {answer.n_unlooked - 20:,} more parts that were not looked at: --json lists them")
    if answer.n_rejected:
        console.print(f"[yellow]{answer.n_rejected:,} records[/] could not be read by their format")


def _told(one: Unlooked) -> str:
    span = ""
    if one.first_at is not None and one.last_at is not None:
        span = f" (read {to_rfc3339(one.first_at)} to {to_rfc3339(one.last_at)})"
    return f"{show(one.source, 60)}, {show(one.what)}{span}: {show(one.why)}"


def _of(at: datetime | None) -> datetime:
    return at or datetime.min.replace(tzinfo=UTC)


@contextmanager
def _progress(lake: Lake) -> Iterator[Callable[[int, int], None]]:
    if not is_progress_wanted():
        yield lambda n_bytes, n_found: None  # noqa: ARG005
        return
    total = sum(size.n_raw_bytes for size in lake.sizes())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        task = progress.add_task("looking back", total=total)

        def step(n_bytes: int, n_found: int) -> None:
            progress.update(task, advance=n_bytes, description=f"looking back, {n_found:,} found")

        yield step


def _be_modest() -> None:
    """For hunts beside a node at work: after everything else, and within bounds of memory."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


@contextmanager
def _steps(lake: Lake) -> Iterator[Callable[[int, int], None]]:
    """How far it is, as lines among the findings, a few times a second."""
    total = sum(size.n_raw_bytes for size in lake.sizes())
    done, told_at = 0, 0.0

    def step(n_bytes: int, n_found: int) -> None:
        nonlocal done, told_at
        done += n_bytes
        if time.monotonic() - told_at >= STEP_S:
            told_at = time.monotonic()
            _print_json({"step": {"done": done, "total": total, "n_found": n_found}})

    yield step


def _tally(lake: Lake, looker: Looker, asked: Asked, answer: Answer) -> None:
    """For the node itself: the first finding of each rule or indicator, whole; then what the hunt says."""
    told: set[str] = set()
    hosts: dict[str, set[str]] = {}
    for one in hunt(lake, OPERATOR, looker.seeker, asked, answer=answer, now=datetime.now(UTC)):
        if not isinstance(one, Found):
            continue
        if one.content_id not in told and len(told) < MAX_KEPT:
            told.add(one.content_id)
            _print_json({"first": msgspec.to_builtins(one)})
        if one.content_id in told and len(known := hosts.setdefault(one.content_id, set())) < MAX_HOSTS_TOLD:
            known.update(one.hosts)
    n_hosts = {content_id: len(names) for content_id, names in hosts.items()}
    _print_json({"answer": document_of(answer) | {"n_hosts": n_hosts}})

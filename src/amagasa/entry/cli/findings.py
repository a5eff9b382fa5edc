"""What `amagasa detect` writes of its detections: NDJSON lines, the summary file, and a table for a person."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from amagasa.app.detect_files import Summary
from amagasa.detect.report import Detection, Silence, Together
from amagasa.detect.sigma.link import OffBy
from amagasa.entry.cli.output import err, say
from amagasa.event.entity import EntityKind
from amagasa.vocab.errors import WorldError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

MAX_SHOWN = 20
MAX_SOURCES_KEPT = 10_000
_SILENCED = {
    Silence.AGED: "because their confidence has aged below the floor",
    Silence.ALLOWED: "on the allowlist",
    Silence.NOT_IN_FORCE: "because they are not in force",
}
_COLUMNS = ("level", "n", "rule", "technique", "from", "first at")
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "informational": "dim"}


def public(detection: Detection) -> dict[str, Any]:
    """One detection as `--output` promises it."""
    content = (
        {"rule_id": detection.rule_id} if detection.rule_id is not None else {"indicator_id": detection.indicator_id}
    )
    return content | {
        "rule_title": detection.title,
        "level": detection.level.value,
        "path": detection.path,
        "record": detection.record,
        "event_at": None if detection.event_at is None else to_rfc3339(detection.event_at),
        "techniques": list(detection.techniques),
        "fields": dict(detection.fields),
        **({} if detection.together is None else {"correlation": _together(detection.together)}),
    }


def _together(together: Together) -> dict[str, Any]:
    """What a correlation put together: how many records, from when to when, and some of them."""
    return {
        "n_events": together.n_events,
        "first_at": to_rfc3339(together.first_at),
        "last_at": to_rfc3339(together.last_at),
        "events": [
            {
                "rule_title": sign.title,
                "path": sign.path,
                "record": sign.record,
                "event_at": to_rfc3339(sign.event_at),
            }
            for sign in together.signs
        ],
    }


class Findings:
    """Counts by rule, with the sources and the first place of each: bounded, whatever the number of detections."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Detection, Counter[str]]] = {}
        self._n: Counter[str] = Counter()

    def add(self, detection: Detection) -> None:
        """Take one detection in."""
        content_id = detection.content_id
        row = self._rows.get(content_id)
        if row is None:
            row = self._rows[content_id] = (detection, Counter())
        sources = row[1]
        self._n[content_id] += 1
        source = _source_of(detection)
        if source and (source in sources or len(sources) < MAX_SOURCES_KEPT):
            sources[source] += 1

    def print(self) -> None:
        """Print the table on stdout, worst level first."""
        if not self._rows:
            return
        order = sorted(self._rows, key=lambda key: (-self._rows[key][0].level.severity, -self._n[key], key))
        rows = [self._row(key) for key in order]
        if sys.stdout.isatty():
            _print_coloured(rows)
        else:
            _print_plain(rows)

    def _row(self, key: str) -> tuple[str, ...]:
        first, sources = self._rows[key]
        return (
            first.level.value,
            f"{self._n[key]:,}",
            show(first.title),
            " ".join(first.techniques[:2]),
            _top(sources),
            f"{show(Path(first.path).name)}:{first.record}",
        )


def _print_coloured(rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _COLUMNS[:4]:
        table.add_column(name, justify="right" if name == "n" else "left", no_wrap=name != "rule")
    for name in _COLUMNS[4:]:
        table.add_column(name, overflow="fold")
    for level, *cells in rows:
        table.add_row(f"[{_COLOURS[level]}]{level}[/]", *map(escape, cells))
    Console(highlight=False).print(table)


def _print_plain(rows: Sequence[tuple[str, ...]]) -> None:
    """For a file or another program: the same columns, no colour, nothing folded."""
    whole = (_COLUMNS, *rows)
    widths = [max(cell_len(row[column]) for row in whole) for column in range(len(_COLUMNS))]
    for row in whole:
        cells = [
            " " * (width - cell_len(cell)) + cell if name == "n" else cell + " " * (width - cell_len(cell))
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


# Of `Summary`, of use to no reader.
_INNER = ("n_at_or_above", "taken_out")
_OFF = {
    OffBy.LEVEL: "below the level",
    OffBy.STATUS: "of another status",
    OffBy.REPLACED: "replaced by others",
}


def _source_of(detection: Detection) -> str:
    by_kind: Mapping[EntityKind, str] = {entity.kind: entity.value for entity in reversed(detection.entities)}
    return by_kind.get(EntityKind.SOURCE_ADDRESS) or by_kind.get(EntityKind.HOST) or ""


def _top(sources: Counter[str]) -> str:
    named = [show(source) for source, _ in sources.most_common(2)]
    more = f" +{len(sources) - len(named):,}" if len(sources) > len(named) else ""
    return ", ".join(named) + more


def print_summary(counts: Summary) -> None:
    """Say on stderr what was read, what was found and, above all, what could not be looked at."""
    console = err()
    rate = f", {counts.n_read / counts.elapsed_s:,.0f} records/s" if counts.elapsed_s else ""
    console.print(
        f"read {counts.n_read:,} records in {counts.elapsed_s:.1f} s{rate}; "
        f"{counts.n_rules:,} rules, {counts.n_indicators:,} indicators; [bold]{counts.n_detections:,} detections[/]"
    )
    if counts.n_silenced:
        reasons = ", ".join(f"{n:,} {_SILENCED[Silence(why)]}" for why, n in counts.n_silenced.items())
        console.print(f"records that indicators name and do not speak of: {reasons}")
    print_left_out(counts, console)
    for fault in counts.not_looked_at[:MAX_SHOWN]:
        console.print(f"[red]not looked at[/] {escape(show(fault.path))}: {escape(fault.why)} [dim]\\[{fault.code}][/]")
    if counts.n_rejected:
        first = counts.rejects[0]
        console.print(
            f"[yellow]{counts.n_rejected:,} records rejected[/], "
            f"the first at {escape(show(first.path))}:{first.record}: {escape(first.why)}"
        )
    for rule_fault in counts.faults[:MAX_SHOWN]:
        name = rule_fault.rule_id or rule_fault.path
        console.print(f"[yellow]did not run[/] {escape(show(name))}: {escape(rule_fault.why)}")
    if len(counts.faults) > MAX_SHOWN:
        say(f"... and {len(counts.faults) - MAX_SHOWN:,} more that did not run: --summary FILE lists them all")


def print_left_out(counts: Summary, console: Console) -> None:
    """Rules switched off and matches excluded, each with its reason."""
    if counts.n_rules_off:
        reasons = ", ".join(f"{n:,} {_OFF[OffBy(by)]}" for by, n in counts.n_rules_off_by.items())
        verb = "is" if counts.n_rules_off == 1 else "are"
        console.print(f"{_n(counts.n_rules_off, 'rule')} {verb} switched off: {reasons}")
    for rule in counts.rules_off[:MAX_SHOWN]:
        console.print(f"[dim]switched off[/] {escape(show(rule.rule_id))}: {escape(show(rule.why))}")
    for one in counts.excluded[:MAX_SHOWN]:
        said = f"({escape(show(one.reason))}; {escape(show(one.exclusion))})"
        if one.is_expired:
            console.print(f"[yellow]exclusion expired[/] on {one.expires}, it takes nothing out any more {said}")
        elif not one.n_rules:
            console.print(f"[yellow]exclusion fits no rule[/] that is loaded {said}")
        else:
            until = f"until {one.expires}" if one.expires else "for ever"
            what = f"{_n(one.n, 'match', 'matches')} of {_n(one.n_rules, 'rule')}"
            console.print(f"excluded {what}, {until} {said}")


def _n(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def document_of(counts: Summary) -> dict[str, Any]:
    """The counts as they are written."""
    document: dict[str, Any] = msgspec.to_builtins(counts)
    return {key: value for key, value in document.items() if key not in _INNER}


def write_summary(counts: Summary, path: Path) -> None:
    """Write the counts as one JSON document. Raises WorldError (AMG-OUT) where the file cannot be written."""
    document = document_of(counts)
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    except OSError as problem:
        raise cannot_write(path, problem) from None


def cannot_write(
    path: Path, problem: OSError, *, then: str = "what was found before is lost; name another file and run again"
) -> WorldError:
    """The error for an output file."""
    return WorldError(
        "AMG-OUT",
        f"{show(str(path))} cannot be written",
        expected="a file in a folder that is there, and room on the disk",
        got=problem.strerror or str(problem),
        then=then,
    )

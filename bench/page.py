"""The benches' output as tables of Markdown."""

import json
import re
from collections.abc import Sequence
from typing import Any

_HEAD = """\
# Benches

Written by `make bench` (`bench/run.py`); do not edit. The figures are measurements, not promises, and no test asserts
them. A load average far above the number of cores says that other work took part of the machine: delays are longer
and rates lower then, ratios and CPU seconds suffer less. DATA stands for a folder of real logs which is not part of
the project: where it is not there, the benches over it are listed as not run.
"""


def page(machine: dict[str, Any], sections: Sequence[tuple[str, str, str]]) -> str:
    """The whole README: the machine, then (title, what it measures, figures) of each bench."""
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    told = (
        f"Machine: {machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, {machine['kernel']}, "
        f"Python {machine['python']}, OpenSSL {machine['openssl']}, SQLite {machine['sqlite']}; {libraries}."
    )
    lines = [_HEAD, told]
    for title, what, figures in sections:
        lines += ["", f"## {title}", "", what, "", figures]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Markdown; numbers to the right."""
    marks = ["---" if index == 0 else "---:" for index in range(len(head))]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in (head, marks, *rows))


def table_of_umbrella(output: str) -> str:
    """Delays, losses, CPU seconds."""
    found = json.loads(output)
    words = {
        "alert": "alert committed in Japan",
        "sighting": "sighting committed in the United States",
        "indicator": "indicator at work in Australia",
    }
    rows = [
        (f"{words[name]}, {kind}", *(stage.get(key, "-") for key in ("p50", "p95", "p99", "max")), stage["n_lost"])
        for kind in ("seen", "noted")
        for name, stage in found[f"ms_{kind}"].items()
    ]
    spent = ", ".join(f"{name} {seconds}" for name, seconds in found["cpu_s"].items())
    text = (
        f"{found['attacks']:,} attacks among {found['lines_written']:,} lines in {found['seconds']} s: "
        f"{found['lines_per_s']:,} lines a second sustained, {found['lines_read']:,} read. CPU seconds of each node's "
        f"processes over the run: {spent}."
    )
    return table(("from write(), ms", "p50", "p95", "p99", "max", "lost"), rows) + "\n\n" + text


def table_of_content(output: str) -> str:
    """How soon rules are active, and the delay of attacks meanwhile."""
    found = json.loads(output)
    singles = ("one, none held", "one, the set held", "one replaced, the set held")
    rows = [(name, *found[name].values()) for name in singles]
    meanwhile = [(name, *delays.values()) for name, delays in found["attacks_ms"].items()]
    text = (
        f"100 rules at once, the set held: the last is active after {found['hundred_active_ms']} ms. The whole set, "
        f"{found['set_rules']:,} rules: sent in {found['set_sent_s']} s, all active {found['set_active_s']} s after "
        f"the first was sent, removed in {found['removed_s']} s. {found['lines_written']:,} lines written, "
        f"{found['lines_read']:,} read; {found['attacks']:,} attacks, {found['attacks_lost']} lost; "
        f"{found['cpu_s']} CPU seconds of the node's processes; load average {found['machine']['load']}."
    )
    head = ("a rule is active after, ms", "p50", "p95", "max")
    return "\n\n".join((table(head, rows), table(("attacks while ..., ms", "n", "p50", "p95", "max"), meanwhile), text))


_DETECT_CORPUS = re.compile(r"^(?P<corpus>[a-z ]+): (?P<events>\d+) events, (?P<mb>\d+) MB; orjson (?P<rate>[\d,]+)/s")
_DETECT_PASS = re.compile(
    r"^  (?P<name>[a-z ]+): (?P<rate>[\d,]+)/s, (?P<cpu>[\d.]+) CPU-s, ratio (?P<ratio>[\d.]+), "
    r"(?P<found>\d+) detections"
)


def table_of_detect(output: str) -> str:
    """Events a second and the ratio to orjson; the other lines as they came."""
    rows: list[Sequence[Any]] = []
    others = []
    for line in output.splitlines():
        if corpus := _DETECT_CORPUS.match(line):
            others.append(f"{int(corpus['events']):,} events, {corpus['mb']} MB.")
            rows.append(("orjson.loads alone", corpus["rate"], "", 1, ""))
        elif one := _DETECT_PASS.match(line):
            rows.append((one["name"], one["rate"], one["cpu"], one["ratio"], f"{int(one['found']):,}"))
        else:
            others.append(line.strip()[:1].upper() + line.strip()[1:] + ".")
    if not rows:
        return as_it_came(output)
    head = ("", "events a second", "CPU seconds", "ratio to orjson", "detections")
    return table(head, rows) + "\n\n" + " ".join(others)


_RECORDS = re.compile(r"^  (?P<name>[a-z ]+?) +(?P<mb>\d+) MB/s +(?P<records>[\d,]+) records/s")


def table_of_normalise(output: str) -> str:
    """A row for each file, a column for each step."""
    rows: list[list[Any]] = []
    names: dict[str, None] = {}
    for line in output.splitlines():
        if step := _RECORDS.match(line):
            names[step["name"]] = None
            rows[-1].append(f"{step['records']} ({step['mb']} MB/s)")
        elif ": " in line:
            path, _, kind = line.partition(": ")
            rows.append([f"{kind} ({path.rpartition('/')[2].split('.')[0]})"])
    if not rows:
        return as_it_came(output)
    return table(("records a second", *names), rows)


def table_of_correlate(output: str) -> str:
    """Hits a second by kind; what a flood of groups costs."""
    found = json.loads(output)
    rows = [(row["kind"], *(f"{row[name]:,}" for name in ("files", "node", "late"))) for row in found["kinds"]]
    flood = found["flood"]
    text = (
        f"{found['hits']:,} hits of {found['groups']:,} groups. A flood of new groups: {flood['n_groups']:,} hold "
        f"{flood['mb']} MB; beyond the limit {flood['per_s']:,} a second drive each other out."
    )
    return table(("hits a second", "files", "node", "node, a tenth late"), rows) + "\n\n" + text


def table_of_triage(output: str) -> str:
    """What is left to read of each data set, and how right; campaigns; rates."""
    found = json.loads(output)
    rates = found["rates"]
    text = (
        f"Rates over {rates['detections']:,} made-up detections, a CPU second: {rates['folded_per_s']:,} detections "
        f"folded, {rates['grouped_per_s']:,} alerts grouped, {rates['linked_per_s']:,} incidents linked. "
        f"{rates['incidents']:,} open incidents take {rates['open_incidents_mb']} MB."
    )
    names = ("set", "events", "detections", "alerts", "to_read", "precision", "recall", "facts")
    sets = [[_cell(row.get(name)) for name in names] for row in found["sets"]]
    crossing = [[_cell(value) for value in row.values()] for row in found["campaigns"]]
    parts = [table(("data set", "events", "detections", "alerts", "to read", "precision", "recall", "of"), sets)]
    head = ("split", "incidents", "campaigns", "parties", "sources", "heard of", "precision", "recall")
    parts.append(table(head, crossing))
    return "\n\n".join((*(parts if sets else ()), text))


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def table_of_stix(output: str) -> str:
    """Milliseconds of a matching, ours beside the peer's where it was measured, and whether the answers agree."""
    found = json.loads(output)
    rows = [_stix_row(row, found["limit_s"]) for row in found["rows"]]
    head = ("observations", "pattern", "ms", "ms, read before", "OASIS matcher, ms", "times faster", "answers")
    if not any("peer" in row for row in found["rows"]):
        return table(head[:4], [row[:4] for row in rows]) + "\n\nThe OASIS matcher was not given (`--peer`)."
    return table(head, rows)


def _stix_row(row: dict[str, Any], limit_s: int) -> tuple[str, ...]:
    ms, peer = row["ours"]["ms"], row.get("peer")
    head = (f"{row['n']:,}", row["name"], f"{ms:.2f}", f"{row['ours_read']['ms']:.2f}")
    if peer is None:
        return (*head, f"over {limit_s * 1000:,}", f"over {limit_s * 1000 / ms:,.0f}", "")
    is_same = peer["answer"] == row["ours"]["answer"]
    return (*head, f"{peer['ms']:,.1f}", f"{peer['ms'] / ms:,.1f}", "agree" if is_same else "differ")


def table_of_store(output: str) -> str:
    """The scalars, then the pages."""
    found = json.loads(output)
    pages = found.pop("pages")
    scalars = table(("", "figure"), [(name, f"{value:,}") for name, value in found.items()])
    rows = [(name, *one.values()) for name, one in pages.items()]
    return scalars + "\n\n" + table(("page", *next(iter(pages.values()))), rows)


def table_of_mission(output: str) -> str:
    """Milliseconds, the best and the median."""
    found = json.loads(output)
    rows = [(f"operability, {name}", *one.values()) for name, one in found.pop("operability").items()]
    rows += [(name.replace("_", " "), *one.values()) for name, one in found.items() if isinstance(one, dict)]
    head = f"{found['n_nodes']:,} nodes, {found['n_dependencies']:,} dependencies, {found['toml_bytes'] / 1e6:.1f} MB."
    return table(("", "best, ms", "median, ms"), rows) + f"\n\n{head}"


def as_it_came(output: str) -> str:
    """The output itself."""
    return f"```\n{output.rstrip()}\n```"

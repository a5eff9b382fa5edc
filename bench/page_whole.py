"""The figures of bench/whole.py as tables and plots."""

import json
from pathlib import Path
from typing import Any

from page import table
from plots import plot

_NAMES = {
    "bench": "bench corpus: recorded attacks among ordinary events",
    "hard": "hard corpus: command lines all different",
    "flood": "flood: every value new",
    "flood, four times as long": "flood, four times as long",
}


def table_of_whole(output: str) -> str:
    """A row for each corpus; the start; what two processes give."""
    figures = json.loads(output)["figures"]
    start = figures.pop("start")
    rows = [
        (
            _NAMES.get(name, f"web: {name}"),
            f"{one['n_events']:,}",
            f"{one['rate']:,.0f}",
            f"{one['ratio']:.3f}" if "ratio" in one else "",
            f"{one['orjson_rate']:,.0f}" if "ratio" in one else "",
            one["rss_mb"],
            f"{one['n_found']:,}",
        )
        for name, one in figures.items()
    ]
    head = ("", "events", "events a CPU second", "ratio to orjson", "orjson.loads alone", "memory, MB", "detections")
    several = "; ".join(
        f"{name} corpus, {one['n']} processes: {one['times_one']:.2f} times one"
        + (f" (as many references that share nothing: {one['machine']:.2f})" if one.get("machine") else "")
        for name, corpus in figures.items()
        for one in corpus["processes"]
        if one["n"] > 1
    )
    text = (
        f"Start with nothing to read: {start['warm_cpu_s']:.2f} CPU seconds, {start['rss_mb']} MB; the very first, "
        f"from YAML: {start['first_cpu_s']:.1f} CPU seconds, {start['first_wall_s']:.1f} s. "
        f"{several} (wall-clock time)."
    )
    return table(head, rows) + "\n\n" + text


def table_of_growth(output: str) -> str:
    """A row for each number of rules."""
    figures = json.loads(output)["figures"]
    corpora = [name for name in ("bench", "hard") if name in next(iter(figures.values()))]
    first = next(iter(figures.values()))
    rows = [
        (
            f"{one['n_rules']:,}",
            *(f"{one[name]['ratio']:.3f}" for name in corpora),
            *(f"{one[name]['cpu_s'] / first[name]['cpu_s']:.2f}" for name in corpora),
            f"{one['start']['warm_cpu_s']:.2f}",
            max(one[name]["rss_mb"] for name in corpora),
        )
        for one in figures.values()
    ]
    head = (
        "rules",
        *(f"{name}: ratio to orjson" for name in corpora),
        *(f"{name}: times the first's CPU" for name in corpora),
        "start, CPU s",
        "memory, MB",
    )
    return table(head, rows)


def plots_of_growth(output: str, folder: Path) -> str:
    """The ratio by the number of rules."""
    figures = json.loads(output)["figures"]
    series = {
        f"{name} corpus": [(one["n_rules"], one[name]["ratio"]) for one in figures.values()]
        for name in ("bench", "hard")
        if name in next(iter(figures.values()))
    }
    return plot(folder / "rules.svg", "Rate by number of rules", ("rules", "ratio to orjson.loads"), series)


def plots_of_whole(output: str, folder: Path) -> str:
    """Rates in wall-clock time by the number of processes."""
    figures: dict[str, Any] = json.loads(output)["figures"]
    series = {
        f"{name} corpus": [(one["n"], one["times_one"]) for one in corpus["processes"]]
        for name, corpus in figures.items()
        if name in {"bench", "hard"}
    }
    return plot(folder / "processes.svg", "Rate by number of processes", ("processes", "times one process"), series)


_WHY = """\
Why they differ, as far as looking at the events and the rules showed it. *Chainsaw* did not load 116 of the rules,
among them those that compare one field with another; it has no source for events whose values are below `UserData` (a
cleared log). *Zircolite* asks a database: `not filter` over a field that the event does not have is neither true nor
false there, so that the event is not found; and it takes an empty text for a missing one. Chainsaw, Zircolite and
Hayabusa let the rules for deleted registry keys match keys that are made. *Hayabusa* trims values (logon processes are
written with a blank at their end) and looks with rules for Sysmon at like events of the security log as well."""


def table_of_peers(output: str) -> str:
    """What each costs and finds, and where two differ."""
    programs = json.loads(output)["programs"]
    rows = [
        (
            name,
            one["cpu_s"],
            f"{one['cpu_s'] / programs['amagasa']['cpu_s']:.1f}",
            one["rss_mb"],
            f"{one['n_found']:,}",
            one["n_pairs"],
            *(one.get(key, "") for key in ("n_both", "n_ours_alone", "n_theirs_alone", "n_other_rules")),
        )
        for name, one in programs.items()
    ]
    head = ("", "CPU s", "times ours", "memory, MB", "found", "rule and file", "both", "ours alone", "theirs alone")
    parts = [table((*head, "by rules of its own"), rows)]
    for name, one in programs.items():
        sides = [("Amagasa alone", one.get("ours_alone")), (f"{name} alone", one.get("theirs_alone"))]
        told = [f"{side}: " + ", ".join(f"{title} ({n})" for title, n in found) for side, found in sides if found]
        parts += [f"Beside {name}. " + "; ".join(told) + "."] if told else []
    return "\n\n".join([*parts, _WHY] if len(programs) > 1 else parts)

"""The figures of bench/indicators.py as tables and a plot."""

import json
from pathlib import Path
from typing import Any

from page import table
from plots import plot

_CORPORA = {"windows": "Windows events", "web": "web logs"}


def _figures(output: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(output)["figures"]
    return figures


def table_of_indicators(output: str) -> str:
    """Loading, slow-down, then what one process and a node gave."""
    found = _figures(output)
    return "\n\n".join([_load(found), *(_slow_down(name, found) for name in _CORPORA if name in found), _inside(found)])


def _load(found: dict[str, Any]) -> str:
    rows = [("0", "", f"{found['none']['cpu_s']:.2f}", "")] + [
        (f"{one['n']:,}", f"{one['first_cpu_s']:.2f}", f"{one['cpu_s']:.2f}", one["first_rss_mb"])
        for one in found["load"]
    ]
    return table(("indicators", "first start, CPU s", "next starts, CPU s", "memory at most, MB"), rows)


def _slow_down(name: str, found: dict[str, Any]) -> str:
    corpus = found[name]
    rows = [
        (
            size,
            f"{one['whole']:.2f}",
            f"{one['looking']:.2f}",
            f"{one['n_silent']:,}",
            f"{one['n_detections']:,}",
            one["rss_mb"],
        )
        for size, one in corpus["lists"].items()
    ]
    head = (
        "indicators",
        "times the CPU of none",
        "less the start",
        "records named, silent",
        "detections",
        "memory, MB",
    )
    text = (
        f"{_CORPORA[name].capitalize()}, {corpus['n_events']:,} records; with none {corpus['rate']:,.0f} a CPU second."
    )
    return f"{text}\n\n{table(head, rows)}"


def _inside(found: dict[str, Any]) -> str:
    looks = "; ".join(f"{name} {took:.1f}" for name, took in found["look_us"].items())
    rows = [
        (held, *(f"{one[name]:,.0f}" for name in ("new", "replaced", "taken back")), f"{one['slowest_ms']:.0f}")
        for held, one in found["changes"].items()
    ]
    head = ("indicators a CPU second", "new", "replaced", "taken back", "slowest message of 1,000, ms")
    node = found["node"]
    one_by_one = "; ".join(
        f"{words} p50 {node[name]['p50']} ms, p95 {node[name]['p95']} ms, longest {node[name]['max']} ms"
        for name, words in (("none_held_ms", "with none held"), ("all_held_ms", "with all held"))
    )
    return (
        f"A look-up with all held, in us: {looks}.\n\n{table(head, rows)}\n\n"
        f"In a running node: all were read in {node['read_s']:.1f} s by whoever added them, and looked with "
        f"{node['active_ms']:.0f} ms later; then the main process held {node['main_mb']} MB "
        f"({node['main_before_mb']} before), the worker {node['worker_mb']}. "
        f"An address added is looked with: {one_by_one}."
    )


def plots_of_indicators(output: str, folder: Path) -> str:
    """The slow-down by the number of indicators."""
    found = _figures(output)
    series = {
        words: [(0.0, 1.0)]
        + [
            (float(size.replace(",", "")), one["whole"])
            for size, one in found[name]["lists"].items()
            if size.replace(",", "").isdecimal()
        ]
        for name, words in _CORPORA.items()
        if name in found
    }
    axes = ("indicators", "times the CPU of none")
    return plot(folder / "indicators.svg", "Cost of detection by number of indicators", axes, series)

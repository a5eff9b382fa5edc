"""The figures of bench/link.py as tables of Markdown."""

import json
from typing import Any

from page import table


def table_of_link(output: str) -> str:
    """Delays, what was behind, what it costs, and the two servers beside each other."""
    found = json.loads(output)
    delays = [
        ("one push, one at a time", found["n_pushes"], *found["push_ms"].values()),
        (f"at {found['rate_per_s']:,} a second", found["n_at_rate"], *found["at_rate_ms"].values()),
        ("new ones, while the rest catches up", found["n_new_measured"], *found["new_meanwhile_ms"].values()),
    ]
    kept = "" if found["rate_kept"] else " **The rate could not be kept.**"
    costs, peak, wire = found["cpu_us_per_object"], found["peak_mib"], found["bytes_per_object"]
    text = (
        f"After a partition {found['n_bulk']:,} objects wait: {found['bulk_objects_per_s']:,} a second to the last. "
        f"CPU for each: {costs['sender']} us at the sender, {costs['receiver']} at the receiver; at most "
        f"{peak['sender']} and {peak['receiver']} MiB. On the wire, both ways, with TLS: {wire['alone']:,} bytes for "
        f"one alone, {wire['of_many']:,} for each of many. The first push, which opens the line, took "
        f"{found['first_push_ms']} ms.{kept}"
    )
    rows = [_server(name, found) for name in found["taken_in"]]
    head = ("server", "objects taken in", "a second", "at the end", "given out", "a second", "first page, s")
    return "\n\n".join((table(("", "n", "p50, ms", "p95", "p99"), delays), text, table(head, rows)))


def _server(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    took, gave = found["taken_in"][name], found["given_out"][name]
    columns = (name, f"{took['n']:,}", f"{took['per_s']:,.0f}", f"{took['per_s_at_the_end']:,.0f}", f"{gave['n']:,}")
    if "no_answer_in_s" in gave:
        return (*columns, "-", f"none in {gave['no_answer_in_s']} s")
    return (*columns, f"{gave['per_s']:,.0f}", f"{gave['first_page_s']}")

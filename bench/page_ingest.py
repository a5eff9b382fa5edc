"""The figures of bench/ingest.py and bench/chaos.py as tables of Markdown."""

import json

from page import table


def table_of_ingest(output: str) -> str:
    """Each kind of source, and the peer; then what the lake costs."""
    found = json.loads(output)
    rows = [
        (kind, one["s"], f"{one['per_s']:,}", one["cpu_s"], f"{one['per_cpu_s']:,}")
        for kind, one in found["kinds"].items()
    ]
    head = ("from", "s", "records/s", "CPU s, all processes", "records a CPU second")
    slower = found["lake_slower_by"]
    udp = found["kinds"].get("syslog udp")
    lost = f"Lost on the way by UDP, which nobody can slow: {udp['n_lost']:,.0f}. " if udp else ""
    text = (
        f"{found['n_records']:,} lines, {found['n_bytes'] / 1e6:.0f} MB; the median of {found['n_rounds']} rounds. "
        f"{lost}"
        f"With the lake a file took {slower['s']:+.0%} of time and {slower['cpu_s']:+.0%} of CPU."
    )
    return table(head, rows) + "\n\n" + text


def table_of_chaos(output: str) -> str:
    """Each source: sent, read, lost, doubled; then what went wrong how often."""
    found = json.loads(output)
    rows = [
        (
            kind,
            f"{one['n_sent']:,}",
            f"{one['n_read']:,}",
            f"{one['n_sent_again']:,}",
            f"{one['n_attacks']:,}",
            one["n_lost"],
            one["n_doubled"],
        )
        for kind, one in found["sources"].items()
    ]
    head = ("from", "records sent", "read", "sent again", "attacks among them", "lost", "alerts doubled")
    events = ", ".join(f"{what} {n} times" for what, n in found["events"].items())
    text = (
        f"{found['n_kills']} kills in {found['sent_s']:,.0f} s under load: {events}. Lost: {found['n_lost']}. Alerts "
        f"doubled: {found['n_doubled']}. After a kill the node worked again in {found['up_s']['median']} s, and in "
        f"{found['up_s']['most']} s at most."
    )
    return table(head, rows) + "\n\n" + text

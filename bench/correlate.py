"""How fast correlations take what rules found, with ten thousand groups open; and what a flood of groups costs.

    .venv/bin/python bench/correlate.py [--hits 200000] [--groups 10000] [--json]

Each kind by itself, over hits that come in the order of time, each of a group drawn at random. *Files*: sorted, ten
thousand at a time, as `amagasa detect` does it. *Node*: a hundred at a time, told at once and kept for late ones,
without the store. *Late*: the same, a tenth of them up to the lateness behind. CPU time of one process. Memory is what
50,000 groups of one record each hold, as an attacker would make them.
"""

import argparse
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.definition import Bound, Comparison, Correlation, Kind
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links, link
from amagasa.detect.correlation.machine import FOREVER
from amagasa.detect.correlation.windows import Group, Manner, Windows
from amagasa.detect.sigma.rule import Node, Op, Rule
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level

NOW = datetime(2026, 11, 23, tzinfo=UTC)
T0 = 1_790_000_000_000_000
SECOND = 1_000_000
FILES_AT_ONCE, NODE_AT_ONCE = 10_000, 100
FLOOD = 50_000


def rule(name: str, correlation: Correlation | None = None) -> Rule:
    """A rule known by its name."""
    return Rule(
        id=name,
        title=name,
        level=Level.LOW,
        logsource=LogSource(),
        atoms=(),
        condition=Node(Op.OR),
        references=(name,),
        correlation=correlation,
    )


def links_of(kind: Kind) -> Links:
    """One correlation of this kind over two rules, by address, within ten minutes."""
    is_temporal = kind in {Kind.TEMPORAL, Kind.TEMPORAL_ORDERED}
    fields = () if is_temporal or kind is Kind.EVENT_COUNT else ("number",)
    correlation = Correlation(
        kind=kind,
        rules=("a", "b"),
        group_by=("src_ip",),
        timespan_s=600,
        bounds=(Bound(Comparison.GTE, Decimal(2 if is_temporal else 10)),),
        fields=fields,
        percentile=Decimal(95) if kind is Kind.VALUE_PERCENTILE else None,
    )
    links, faults = link([rule("a"), rule("b"), rule("x", correlation)])
    if faults:
        raise ValueError(faults)
    return links


def hits_of(n: int, n_groups: int) -> list[Hit]:
    """A thousand a second."""
    draw = random.Random(1)
    return [
        Hit(
            T0 + number * 1_000,
            "a" if draw.random() < 0.9 else "b",
            "/var/log/auth.log",
            number + 1,
            "auth",
            {"src_ip": address(draw.randrange(n_groups)), "number": str(draw.randrange(50))},
            "gate01",
            f"Nov 23 00:00:00 gate01 sshd[4211]: Failed password for root from port {number} ssh2",
        )
        for number in range(n)
    ]


def address(number: int) -> str:
    """An address for each number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Held:
    """Windows as a node holds them: changed in place, behind the commit."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Group]] = {}
        self.n_told = 0

    def go_on(self, hits: Sequence[Hit], manner: Manner, horizon_at: int | None) -> None:
        """One call."""
        result = correlate(hits, Windows(groups=self.groups), manner, now=NOW, horizon_at=horizon_at)
        self.n_told += len(result.detections)
        for (digest, key), group in result.changed.items():
            if group is None:
                self.groups.get(digest, {}).pop(key, None)
            else:
                self.groups.setdefault(digest, {})[key] = group


def rate(hits: Sequence[Hit], manner: Manner, at_once: int, *, is_sorted: bool) -> tuple[float, int]:
    """Hits a CPU second, and what was told."""
    held = Held()
    began = time.process_time()
    for start in range(0, len(hits), at_once):
        some = hits[start : start + at_once]
        held.go_on(some, manner, some[-1].at if is_sorted else None)
    if is_sorted:
        held.go_on([], manner, FOREVER)
    return len(hits) / (time.process_time() - began), held.n_told


def flood(manner: Manner) -> dict[str, Any]:
    """What groups of one record each hold, and how fast further ones drive each other out."""
    hits = [
        Hit(
            T0 + n * 1_000,
            "a",
            "/var/log/auth.log",
            n,
            "auth",
            {"src_ip": address(n), "number": "1"},
            "gate01",
            "x" * 120,
        )
        for n in range(2 * FLOOD)
    ]
    held = Held()
    tracemalloc.start()
    for start in range(0, FLOOD, NODE_AT_ONCE):
        held.go_on(hits[start : start + NODE_AT_ONCE], manner, None)
    n_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    began = time.process_time()
    for start in range(FLOOD, 2 * FLOOD, NODE_AT_ONCE):
        held.go_on(hits[start : start + NODE_AT_ONCE], manner, None)
    n_groups = sum(len(groups) for groups in held.groups.values())
    return {
        "n_groups": n_groups,
        "mb": round(n_bytes / 1e6, 1),
        "per_s": round(FLOOD / (time.process_time() - began)),
    }


def main() -> int:
    """Time each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hits", type=int, default=200_000)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    hits = hits_of(asked.hits, asked.groups)
    draw = random.Random(2)
    delays = {id(hit): draw.randrange(180 * SECOND) if draw.random() < 0.1 else 0 for hit in hits}
    late = sorted(hits, key=lambda hit: (hit.at or 0) + delays[id(hit)])
    rows = []
    for kind in (one for one in Kind if one is not Kind.PATTERN):
        links = links_of(kind)
        prompt, calm = Manner(links=links), Manner(links=links, is_prompt=False)
        files, n_found = rate(hits, calm, FILES_AT_ONCE, is_sorted=True)
        node, n_told = rate(hits, prompt, NODE_AT_ONCE, is_sorted=False)
        behind, _ = rate(late, prompt, NODE_AT_ONCE, is_sorted=False)
        row = {"kind": kind.value, "files": round(files), "node": round(node), "late": round(behind)}
        rows.append(row | {"n_found": n_found, "n_told": n_told})
    found = {
        "hits": asked.hits,
        "groups": asked.groups,
        "kinds": rows,
        "flood": flood(Manner(links=links_of(Kind.EVENT_COUNT))),
    }
    print(json.dumps(found, indent=None if asked.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

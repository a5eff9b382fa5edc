"""Sentences about how a node stands."""

from collections.abc import Sequence

from amagasa.mission.weighing import Step
from amagasa.vocab.text import show


def sentence_of(steps: Sequence[Step]) -> str:
    """`at most 20 above grid (10)`: why the first of these steps stands where it does; "" for full health."""
    if not steps:
        return ""
    first = steps[0]
    if first.bound_by == "own" or len(steps) == 1:
        return "its own health"
    feeder = f"{show(steps[1].name)} ({steps[1].operability:g})"
    if first.bound_by == "criticality":
        return f"at most {first.criticality:g} above {feeder}"
    if first.bound_by == "method":
        return f"as its weakest: {feeder}"
    return f"rests most on {feeder}"

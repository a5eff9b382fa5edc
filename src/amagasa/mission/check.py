"""What is wrong with a model as a whole: rings of dependencies, and what nothing rests on."""

import graphlib
from collections.abc import Mapping
from typing import Final

from amagasa.mission.model import Cycles, Kind, Model
from amagasa.mission.problem import Place, Problems
from amagasa.vocab.text import show

_SHOWN_RING: Final = 12


def check(model: Model, places: Mapping[str, Place], at: Place, problems: Problems) -> None:
    """Note a ring as an error (unless the model says to solve it), and orphans as warnings. Linear."""
    ring = _ring(model)
    if ring and model.cycles is Cycles.REFUSE:
        shown = [show(name, 60) for name in ring[:_SHOWN_RING]] + (["…"] if len(ring) > _SHOWN_RING else [])
        problems.error(
            "AMG-MISSION-CYCLE",
            places.get(ring[0], at),
            f"dependencies go round in a ring: {' -> '.join(shown)}",
            expected='no ring, or `cycles = "solve"` at the top of the file where they do depend on each other',
        )
    feeds = {one.feeder for one in model.dependencies}
    fed = {one.receiver for one in model.dependencies}
    useful = _reaches_mission(model)
    for node in model.nodes:
        place, name = places.get(node.name, at), show(node.name)
        if node.kind is Kind.MISSION:
            if node.name not in fed:
                problems.warn("AMG-MISSION-BARE", place, f"the mission `{name}` depends on nothing")
        elif node.name not in feeds:
            problems.warn("AMG-MISSION-ORPHAN", place, f"nothing depends on the {node.kind.value} `{name}`")
        elif node.name not in useful:
            problems.warn("AMG-MISSION-ORPHAN", place, f"no mission depends on the {node.kind.value} `{name}`")
    if not model.of_kind(Kind.MISSION):
        problems.warn("AMG-MISSION-NONE", at, "there is no mission in this model", expected="[[mission]]")


def _ring(model: Model) -> list[str]:
    """One ring, from feeder to receiver and back to the first; [] where there is none."""
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for one in model.dependencies:
        sorter.add(one.receiver, one.feeder)
    try:
        sorter.prepare()
    except graphlib.CycleError as ring:
        return list(ring.args[1])
    return []


def _reaches_mission(model: Model) -> set[str]:
    feeders: dict[str, list[str]] = {}
    for one in model.dependencies:
        feeders.setdefault(one.receiver, []).append(one.feeder)
    waiting = [node.name for node in model.of_kind(Kind.MISSION)]
    seen = set(waiting)
    while waiting:
        for name in feeders.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen

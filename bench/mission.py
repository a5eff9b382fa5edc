"""How fast missions are reckoned: 10,000 nodes, each method; what-if, ranking of assets, what to restore first.

    python bench/mission.py [--nodes 10000] [--json]

The model is made: 50 missions on services in five layers on assets, 2 to 4 feeders a node, seeded. Times are the best
and the median of ten in one process; reading the same model from TOML is timed once.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from amagasa.mission.impact import Touch, assess_impact, ground_of
from amagasa.mission.model import Dependency, Kind, Model, Node
from amagasa.mission.operability import Method, network_of, operability, own_of
from amagasa.mission.read import Text, read_model
from amagasa.mission.stages import health_after
from amagasa.mission.weighing import hurting, restore_order, stand

LAYERS = 6


def made(n_nodes: int) -> Model:
    """Half assets, half services in layers, 50 missions on top."""
    draw = random.Random(2015)
    n_missions = min(50, n_nodes // 10)
    n_assets = n_nodes // 2
    sizes = [n_assets, *[(n_nodes - n_assets - n_missions) // (LAYERS - 1)] * (LAYERS - 1)]
    sizes[1] += n_nodes - n_missions - sum(sizes)
    layers: list[list[Node]] = []
    nodes: list[Node] = []
    dependencies: list[Dependency] = []
    for depth, size in enumerate([*sizes, n_missions]):
        kind = Kind.ASSET if depth == 0 else Kind.MISSION if depth == LAYERS else Kind.SERVICE
        layer = [Node(name=f"{kind.value}-{depth}-{number}", kind=kind) for number in range(size)]
        if layers:
            dependencies.extend(_between(layers[-1], layer, draw))
        layers.append(layer)
        nodes.extend(layer)
    return Model(nodes=tuple(nodes), dependencies=tuple(dependencies))


def _between(below: list[Node], above: list[Node], draw: random.Random) -> list[Dependency]:
    return [
        Dependency(
            feeder=feeder.name,
            receiver=node.name,
            strength=round(draw.uniform(0.2, 1), 2),
            criticality=float(draw.randrange(0, 80, 5)),
        )
        for node in above
        for feeder in draw.sample(below, min(draw.randint(2, 4), len(below)))
    ]


def toml_of(model: Model) -> bytes:
    """The plain form of docs/missions.md."""
    parts = [f'[[{node.kind.value}]]\nname = "{node.name}"\n' for node in model.nodes]
    parts += [
        f'[[dependency]]\nfrom = "{one.feeder}"\nto = "{one.receiver}"\n'
        f"strength = {one.strength}\ncriticality = {one.criticality}\n"
        for one in model.dependencies
    ]
    return "".join(parts).encode()


def timed(what: Callable[[], Any], n: int = 10) -> dict[str, float]:
    """Milliseconds: the best and the median."""
    took = []
    for _ in range(n):
        began = time.perf_counter()
        what()
        took.append(1000 * (time.perf_counter() - began))
    return {"best_ms": round(min(took), 1), "median_ms": round(statistics.median(took), 1)}


def measure(n_nodes: int) -> dict[str, Any]:
    """All figures."""
    model = made(n_nodes)
    network = network_of(model)
    draw = random.Random(7)
    hit = {node.name: 0.0 for node in draw.sample(model.of_kind(Kind.ASSET), 20)}
    own = own_of(model, hit)
    damaged = stand(model, network, hit)
    ground = ground_of(model)
    touches = [
        Touch(incident_id=f"incident--{number // 3}", asset=node.name, health=health_after(("lateral-movement",), 75))
        for number, node in enumerate(draw.sample(model.of_kind(Kind.ASSET), min(600, n_nodes // 2)))
    ]
    text = toml_of(model)
    return {
        "n_nodes": len(model.nodes),
        "n_dependencies": len(model.dependencies),
        "operability": {method.value: timed(lambda how=method: operability(network, own, how)) for method in Method},
        "make_network": timed(lambda: network_of(model)),
        "rank_all_assets": timed(lambda: hurting(stand(model, network)), 3),
        "impact_of_200_incidents": timed(lambda: assess_impact(touches, ground), 3),
        "restore_order_of_20": timed(lambda: restore_order(damaged), 3),
        "read_and_check_toml": timed(lambda: read_model([Text(path="m.toml", content=text)]), 1),
        "toml_bytes": len(text),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nodes", type=int, default=10_000)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    figures = measure(given.nodes)
    json.dump(figures, sys.stdout, indent=None if given.json else 2)
    print()

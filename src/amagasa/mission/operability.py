"""How well everything works, given how well each thing works by itself: FDNA, SODA, and the weakest link.

*FDNA* (Garvey and Pinto, "Introduction to Functional Dependency Network Analysis", 2009): of feeders i of j
    by strength     S = mean of (alpha_i P_i + 100 (1 - alpha_i))
    by criticality  C = min of (P_i + beta_i)
    P_j = min(S, C, own_j): a node is never better than its own health, which the paper leaves to constituent nodes.
*SODA* (Guariniello and DeLaurentis, "Dependency Analysis of System-of-Systems Operational and Development Networks",
    2013): the own health, their self-effectiveness, stands in S in the place of 100, and not beside it:
    P_j = min(mean of (alpha_i P_i + (1 - alpha_i) own_j), C). Feeders in health may carry a node that is not.
*Weakest link*: P_j = min(own_j, all P_i); strength and criticality do not count.

All three are monotone, stay in 0..100, and do not depend on the order of anything. With rings the answer is the
greatest fixed point: what the nodes can hold up together, found by sweeps from the top that only go down.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.mission.model import FULL, Model

Feeds: TypeAlias = tuple[tuple[int, float, float], ...]
Rule: TypeAlias = Callable[[Feeds, float, Sequence[float]], float]
ROUNDS: Final = 2_000
_STILL: Final = 1e-9
_UNMOVED: Final = 1e-6  # standings are rounded to this
DECIMALS: Final = 6


class Method(StrEnum):
    """How dependencies are reckoned."""

    FDNA = "fdna"
    SODA = "soda"
    WEAKEST = "weakest"


class Network(Struct, frozen=True, kw_only=True):
    """A model made ready: nodes by number, in the model's order.

    `feeds` are (feeder, strength, criticality) of each node, by the feeders' names; `fed` the receivers of each.
    `order` has each node after its feeders; from `order[n_plain]` on nodes stand in rings or behind one.
    `rank` is the place of each in `order`.
    """

    names: tuple[str, ...]
    number: dict[str, int]
    feeds: tuple[Feeds, ...]
    fed: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]
    rank: tuple[int, ...]
    n_plain: int


class Settled(Struct, frozen=True, kw_only=True):
    """Operability by number. Not `is_settled`: rings were still sinking after 2,000 sweeps, so it is an upper bound."""

    values: tuple[float, ...]
    is_settled: bool = True


def network_of(model: Model) -> Network:
    """Made once for a model; linear in nodes and dependencies."""
    names = tuple(node.name for node in model.nodes)
    number = {name: place for place, name in enumerate(names)}
    feeds: list[list[tuple[int, float, float]]] = [[] for _ in names]
    fed: list[list[int]] = [[] for _ in names]
    # By name, so that sums of floats are the same whatever the order of the file.
    for one in sorted(model.dependencies, key=lambda one: (one.receiver, one.feeder)):
        feeds[number[one.receiver]].append((number[one.feeder], one.strength, one.criticality))
        fed[number[one.feeder]].append(number[one.receiver])
    order, n_plain = _order(feeds, fed)
    return Network(
        names=names,
        number=number,
        feeds=tuple(map(tuple, feeds)),
        fed=tuple(map(tuple, fed)),
        order=tuple(order),
        rank=tuple(place for _, place in sorted((at, place) for place, at in enumerate(order))),
        n_plain=n_plain,
    )


def own_of(model: Model, given: Mapping[str, float] | None = None) -> list[float]:
    """The own health of each node by number, with some of them `given` otherwise."""
    given = given or {}
    return [given.get(node.name, node.operability) for node in model.nodes]


def operability(network: Network, own: Sequence[float], method: Method = Method.FDNA) -> Settled:
    """How well each node works, by number, 0 to 100, rounded to millionths. 10,000 nodes in some 10 ms."""
    values = list(own)
    rule = RULES[method]
    _sweep(network, network.order[: network.n_plain], own, values, rule=rule)
    rings = network.order[network.n_plain :]
    for place in rings:
        values[place] = FULL
    is_settled = not rings or any(_sweep(network, rings, own, values, rule=rule) <= _STILL for _ in range(ROUNDS))
    return Settled(values=tuple(round(value, DECIMALS) for value in values), is_settled=is_settled)


def _sweep(network: Network, places: Sequence[int], own: Sequence[float], values: list[float], *, rule: Rule) -> float:
    """Reckon these nodes anew, in their order; the largest change."""
    feeds = network.feeds
    change = 0.0
    for place in places:
        before = values[place]
        values[place] = after = rule(feeds[place], own[place], values)
        change = max(change, abs(before - after))
    return change


def spread(
    network: Network, own: Sequence[float], values: list[float], changed: Mapping[int, float], *, method: Method
) -> dict[int, float]:
    """Let these nodes stand so and follow what moves with them, in `values`; what stood there before, by number.

    Only what rests on them is reckoned, each node once: for networks without rings (`n_plain` is all of them).
    """
    rule, rank = RULES[method], network.rank
    undo = {place: values[place] for place in changed}
    for place, value in changed.items():
        values[place] = value
    waiting = sorted({(rank[at], at) for place in changed for at in network.fed[place] if at not in changed})
    seen = {at for _, at in waiting} | set(changed)
    while waiting:
        _, at = heapq.heappop(waiting)
        after = rule(network.feeds[at], own[at], values)
        if abs(after - values[at]) <= _UNMOVED:
            continue
        undo[at], values[at] = values[at], after
        for receiver in network.fed[at]:
            if receiver not in seen:
                seen.add(receiver)
                heapq.heappush(waiting, (rank[receiver], receiver))
    return undo


def _fdna(feeds: Feeds, own: float, values: Sequence[float]) -> float:
    if not feeds:
        return own
    lost, cap = 0.0, own
    for feeder, strength, criticality in feeds:
        value = values[feeder]
        lost += strength * (FULL - value)
        cap = min(cap, value + criticality)
    return min(FULL - lost / len(feeds), cap)


def _soda(feeds: Feeds, own: float, values: Sequence[float]) -> float:
    if not feeds:
        return own
    moved, cap = 0.0, FULL
    for feeder, strength, criticality in feeds:
        value = values[feeder]
        moved += strength * (value - own)
        cap = min(cap, value + criticality)
    return min(max(own + moved / len(feeds), 0.0), cap)


def _weakest(feeds: Feeds, own: float, values: Sequence[float]) -> float:
    return min(own, min((values[feeder] for feeder, _, _ in feeds), default=FULL))


RULES: Final[dict[Method, Rule]] = {Method.FDNA: _fdna, Method.SODA: _soda, Method.WEAKEST: _weakest}


def _order(feeds: Sequence[Sequence[tuple[int, float, float]]], fed: Sequence[Sequence[int]]) -> tuple[list[int], int]:
    """Each node after its feeders; then those in rings or behind one, and how many stand before these."""
    waiting = [len(one) for one in feeds]
    order = [place for place, n in enumerate(waiting) if n == 0]
    for place in order:
        for receiver in fed[place]:
            waiting[receiver] -= 1
            if waiting[receiver] == 0:
                order.append(receiver)
    n_plain = len(order)
    return [*order, *(place for place, n in enumerate(waiting) if n > 0)], n_plain

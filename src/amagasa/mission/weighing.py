"""What matters most: which thing hurts most when it fails, what to restore first, and why a mission stands as it does.

A loss counts by the weight of the mission it meets. The losses of all missions are added; a mission of weight 0 is
watched and does not count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.mission.model import FULL, Kind, Model
from amagasa.mission.operability import RULES, Method, Network, operability, own_of, spread

_NEAR: Final = 1e-6
MAX_RESTORED: Final = 50
_LEAST_H: Final = 0.25
DEFAULT_REPAIR_H: Final = (8.0, 72.0)


class Hurt(Struct, frozen=True, kw_only=True):
    """What the failure of one node alone (to 0) takes from the missions, from where they stand now.

    `loss` is the weighted sum over missions; `worst` the mission that loses most, of `worst_loss`; `n_touched` nodes
    stand lower than before.
    """

    name: str
    loss: float
    worst: str
    worst_loss: float
    n_touched: int


class Restored(Struct, frozen=True, kw_only=True):
    """One step of repair. `gain`: of the missions, weighted; `gain_all`: of all nodes, where missions gain only later.

    `repair_h` are the least and the most hours; `is_estimated`: the model names none, so 8 to 72 are assumed.
    """

    name: str
    gain: float
    gain_all: float
    repair_h: tuple[float, float]
    is_estimated: bool


class Step(Struct, frozen=True, kw_only=True):
    """A node on the way of a loss, from the mission down. `bound_by`: `strength`, `criticality`, `own` or `method`.

    `strength` and `criticality` are those of the dependency on the next node; at the end both are None.
    """

    name: str
    operability: float
    bound_by: str
    strength: float | None = None
    criticality: float | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """A model as it stands: `own` health and what came of it (`values`), by number."""

    model: Model
    network: Network
    own: tuple[float, ...]
    values: tuple[float, ...]
    method: Method
    is_settled: bool = True

    @property
    def weights(self) -> dict[int, float]:
        """Of the missions, by number."""
        return {self.network.number[node.name]: node.weight for node in self.model.of_kind(Kind.MISSION)}

    def value(self, name: str) -> float:
        """How this node stands."""
        return self.values[self.network.number[name]]

    def of_missions(self) -> float:
        """The weighted sum over missions."""
        return sum(weight * self.values[place] for place, weight in sorted(self.weights.items()))


def stand(
    model: Model, network: Network, given: Mapping[str, float] | None = None, *, method: Method = Method.FDNA
) -> Standing:
    """How all stands with the health of some nodes `given` otherwise than the model has it."""
    return stand_with(model, network, own_of(model, given), method=method)


def stand_with(model: Model, network: Network, own: Sequence[float], *, method: Method) -> Standing:
    """How all stands with this own health of every node, by number."""
    settled = operability(network, own, method)
    return Standing(
        model=model,
        network=network,
        own=tuple(own),
        values=settled.values,
        method=method,
        is_settled=settled.is_settled,
    )


def hurting(standing: Standing, *, kinds: Iterable[Kind] = (Kind.ASSET,)) -> tuple[Hurt, ...]:
    """The nodes of these kinds, by what their failure would cost, the worst first. Only what rests on each is reckoned.

    With rings behind a node the whole model is reckoned for it: seconds for thousands of nodes in rings.
    """
    wanted = frozenset(kinds)
    values, weights, names = list(standing.values), standing.weights, standing.network.names
    found = []
    for place, node in enumerate(standing.model.nodes):
        if node.kind not in wanted:
            continue
        fallen = _fallen(standing, values, place)
        losses = {at: values[at] - value for at, value in fallen.items() if at in weights}
        worst = max(losses, key=lambda at: (weights[at] * losses[at], names[at]), default=None)
        found.append(
            Hurt(
                name=node.name,
                loss=round(sum(weights[at] * losses[at] for at in sorted(losses)), 6),
                worst=names[worst] if worst is not None else "",
                worst_loss=round(losses[worst], 6) if worst is not None else 0.0,
                n_touched=len(fallen),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.loss, -one.n_touched, one.name)))


def restore_order(standing: Standing) -> tuple[Restored, ...]:
    """In which order to bring damaged nodes back to full health: each time the one that gains most an hour.

    Hours are the middle of the estimate. Where no single repair helps a mission (two feeders bind it together), what
    all nodes gain decides. Greedy: for pairs that help only together the order within the pair may not be the best.
    At most the 50 worst damaged are ordered.
    """
    names = standing.network.names
    damaged = [place for place, health in enumerate(standing.own) if health < FULL]
    damaged = sorted(damaged, key=lambda place: (standing.own[place], names[place]))[:MAX_RESTORED]
    now = standing
    steps: list[Restored] = []
    while damaged:
        candidates = [(place, _with(now, place, FULL)) for place in damaged]
        options = [(_restored(now, after, place), place, after) for place, after in candidates]
        best, place, now = max(options, key=lambda one: (*_an_hour(one[0]), one[0].name))
        steps.append(best)
        damaged.remove(place)
    return tuple(steps)


def way_of_loss(standing: Standing, name: str) -> tuple[Step, ...]:
    """From a node down the dependency that holds it lowest, to where the loss begins; () where it is in full health."""
    names, values = standing.network.names, standing.values
    steps: list[Step] = []
    place, seen = standing.network.number[name], set[int]()
    while place not in seen and values[place] < FULL - _NEAR:
        seen.add(place)
        bound, feed = _bound(standing, place)
        if feed is None or values[feed[0]] >= FULL - _NEAR:
            steps.append(Step(name=names[place], operability=values[place], bound_by="own"))
            break
        _, strength, criticality = feed
        steps.append(
            Step(
                name=names[place],
                operability=values[place],
                bound_by=bound,
                strength=strength,
                criticality=criticality,
            )
        )
        place = feed[0]
    return tuple(steps)


def _bound(standing: Standing, place: int) -> tuple[str, tuple[int, float, float] | None]:
    """What holds this node where it is, and the feeder it does that by."""
    own, values, names = standing.own, standing.values, standing.network.names
    feeds = standing.network.feeds[place]
    is_soda = standing.method is Method.SODA
    if not feeds or (not is_soda and own[place] <= values[place] + _NEAR):
        return "own", None
    if standing.method is Method.WEAKEST:
        return "method", min(feeds, key=lambda feed: (values[feed[0]], names[feed[0]]))
    critical = min(feeds, key=lambda feed: (values[feed[0]] + feed[2], names[feed[0]]))
    if values[critical[0]] + critical[2] <= values[place] + _NEAR:
        return "criticality", critical
    if is_soda and own[place] < FULL - _NEAR:
        return "own", None
    return "strength", max(feeds, key=lambda feed: (feed[1] * (FULL - values[feed[0]]), names[feed[0]]))


def _fallen(standing: Standing, values: list[float], place: int) -> dict[int, float]:
    """The nodes that stand lower when this one is at 0, with how they stand then. `values` are as they were, after."""
    network, own = standing.network, standing.own
    if network.n_plain < len(network.order):
        after = _with(standing, place, 0.0).values
        return {at: value for at, value in enumerate(after) if value < values[at] - _NEAR}
    undo = spread(network, own, values, {place: 0.0}, method=standing.method)
    fallen = {at: round(values[at], 6) for at, before in undo.items() if before > values[at] + _NEAR}
    for at, before in undo.items():
        values[at] = before
    return fallen


def _with(standing: Standing, place: int, health: float) -> Standing:
    """With another own health of this node; in a network without rings only what rests on it is reckoned."""
    own, network = [*standing.own], standing.network
    own[place] = health
    if network.n_plain < len(network.order):
        return stand_with(standing.model, network, own, method=standing.method)
    values = [*standing.values]
    value = RULES[standing.method](network.feeds[place], health, values)
    undo = spread(network, own, values, {place: value}, method=standing.method)
    for at in undo:
        values[at] = round(values[at], 6)
    return replace(standing, own=tuple(own), values=tuple(values))


def _restored(before: Standing, after: Standing, place: int) -> Restored:
    node = before.model.nodes[place]
    return Restored(
        name=node.name,
        gain=round(after.of_missions() - before.of_missions(), 6),
        gain_all=round(sum(after.values) - sum(before.values), 6),
        repair_h=node.repair_h or DEFAULT_REPAIR_H,
        is_estimated=node.repair_h is None,
    )


def _an_hour(one: Restored) -> tuple[float, float]:
    hours = max(sum(one.repair_h) / 2, _LEAST_H)
    return one.gain / hours, one.gain_all / hours

"""Incidents -> impact: what open incidents take from each mission, as a range, and which incident takes most."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from amagasa.incident.alert import Alert
from amagasa.mission.matching import Matcher
from amagasa.mission.model import FULL, Kind, Model
from amagasa.mission.operability import DECIMALS, RULES, Method, Network, network_of, operability, spread
from amagasa.mission.span import HEALTHY, Span, sure
from amagasa.mission.stages import health_after
from amagasa.mission.weighing import Standing

ENDS: Final = ("worst", "likely", "best")
_INSTANTS: Final = 64


class Ground(Struct, frozen=True, kw_only=True):
    """A model made ready to reckon with."""

    model: Model
    network: Network
    matcher: Matcher


def ground_of(model: Model) -> Ground:
    """Made once for a model."""
    return Ground(model=model, network=network_of(model), matcher=Matcher(model))


class Touch(Struct, frozen=True, kw_only=True):
    """An incident reached an asset: the health it is left with, by the worst of its alerts there."""

    incident_id: str
    asset: str
    health: Span


class MissionLoss(Struct, frozen=True, kw_only=True):
    """What one incident alone takes from a mission; `worst` is the most."""

    mission: str
    loss: Span


class IncidentImpact(Struct, frozen=True, kw_only=True):
    """`loss` sums the losses of missions by their weight; `missions` are those that lose, the most first."""

    incident_id: str
    assets: tuple[str, ...]
    loss: Span
    missions: tuple[MissionLoss, ...]


class Impact(Struct, frozen=True, kw_only=True):
    """How everything stands, by number of the network: `own` health and what came of it."""

    own: tuple[Span, ...]
    values: tuple[Span, ...]
    touches: tuple[Touch, ...]
    incidents: tuple[IncidentImpact, ...]
    method: Method
    is_settled: bool = True

    def standing(self, ground: Ground, end: str = "likely") -> Standing:
        """One end of the range by itself."""
        return Standing(
            model=ground.model,
            network=ground.network,
            own=tuple(getattr(one, end) for one in self.own),
            values=tuple(getattr(one, end) for one in self.values),
            method=self.method,
            is_settled=self.is_settled,
        )


def touches_of(alerts: Iterable[Alert], matcher: Matcher) -> tuple[Touch, ...]:
    """Which assets the incidents of these alerts reached; of several alerts of one incident the worst counts."""
    found: dict[tuple[str, str], Span] = {}
    for alert in alerts:
        health = health_after(alert.tactics, alert.confidence)
        for asset in matcher.assets_of(alert.entities, alert.source):
            key = (alert.incident_id or "", asset)
            found[key] = found.get(key, HEALTHY).under(health)
    return tuple(Touch(incident_id=key[0], asset=key[1], health=health) for key, health in sorted(found.items()))


def assess_impact(
    touches: Sequence[Touch],
    ground: Ground,
    *,
    heard: Mapping[str, Span] | None = None,
    method: Method = Method.FDNA,
) -> Impact:
    """Reckon the missions with all that is touched, and each incident alone.

    `heard` is how an ally's boundary services stand by its own word, by name of the node here. Of several incidents on
    one asset the worst counts at each end: two break-ins do not add up to more than the machine. An incident that is
    closed has no touches, and what it took is whole again. Linear for all together; each incident costs what it moves.
    """
    network = ground.network
    quiet = [_own(node.operability, (heard or {}).get(node.name)) for node in ground.model.nodes]
    own = list(quiet)
    by_incident: dict[str, list[Touch]] = {}
    for touch in touches:
        place = network.number.get(touch.asset)
        if place is not None:
            own[place] = own[place].under(touch.health)
            by_incident.setdefault(touch.incident_id, []).append(touch)
    before, _ = _reckoned(network, quiet, method)
    values, is_settled = _reckoned(network, own, method)
    scale = _Scale(ground, quiet, before, method)
    incidents = [scale.weigh(held) for held in by_incident.values()]
    return Impact(
        own=tuple(own),
        values=values,
        touches=tuple(touches),
        incidents=tuple(sorted(incidents, key=lambda one: (-one.loss.likely, -one.loss.worst, one.incident_id))),
        method=method,
        is_settled=is_settled,
    )


def percent_of(impact: IncidentImpact, model: Model) -> int:
    """0 to 100 for the order of the queue: the largest likely loss of a mission, by its weight beside the heaviest.

    At least 1 where anything may be lost at worst, so that what may cost stands before what costs nothing.
    """
    weights = {node.name: node.weight for node in model.of_kind(Kind.MISSION)}
    heaviest = max(weights.values(), default=0.0)
    if heaviest == 0.0:
        return 0
    most = max((weights[one.mission] * one.loss.likely / heaviest for one in impact.missions), default=0.0)
    at_worst = any(weights[one.mission] * one.loss.worst > 0 for one in impact.missions)
    return min(100, max(round(most), int(at_worst)))


def _own(health: float, heard: Span | None) -> Span:
    return sure(health) if heard is None else sure(health).under(heard)


def _reckoned(network: Network, own: Sequence[Span], method: Method) -> tuple[tuple[Span, ...], bool]:
    ends = [operability(network, [getattr(one, end) for one in own], method) for end in ENDS]
    spans = (Span(worst=a, likely=b, best=c) for a, b, c in zip(*(one.values for one in ends), strict=True))
    return tuple(spans), all(one.is_settled for one in ends)


class _Scale:
    """Weighs incidents one by one against a quiet ground: each costs what it moves, and everything is put back."""

    def __init__(self, ground: Ground, quiet: Sequence[Span], before: Sequence[Span], method: Method) -> None:
        self._ground = ground
        self._method = method
        self._quiet = quiet
        self._before = before
        self._own = {end: [getattr(one, end) for one in quiet] for end in ENDS}
        self._values = {end: [getattr(one, end) for one in before] for end in ENDS}
        self._missions = [(ground.network.number[node.name], node) for node in ground.model.of_kind(Kind.MISSION)]

    def weigh(self, touches: Sequence[Touch]) -> IncidentImpact:
        """What one incident takes, with nothing else amiss."""
        own: dict[int, Span] = {}
        for touch in touches:
            place = self._ground.network.number[touch.asset]
            own[place] = own.get(place, self._quiet[place]).under(touch.health)
        ends = {end: self._moved({place: getattr(span, end) for place, span in own.items()}, end) for end in ENDS}
        losses = []
        total = dict.fromkeys(ENDS, 0.0)
        for place, node in self._missions:
            loss = self._before[place].minus(
                Span(**{end: moved.get(place, getattr(self._before[place], end)) for end, moved in ends.items()})
            )
            if loss.worst > 0:
                losses.append(MissionLoss(mission=node.name, loss=loss))
                total = {end: held + node.weight * getattr(loss, end) for end, held in total.items()}
        return IncidentImpact(
            incident_id=touches[0].incident_id,
            assets=tuple(touch.asset for touch in touches),
            loss=Span(**{end: round(held, DECIMALS) for end, held in total.items()}),
            missions=tuple(sorted(losses, key=lambda one: (-one.loss.likely, -one.loss.worst, one.mission))),
        )

    def _moved(self, given: Mapping[int, float], end: str) -> dict[int, float]:
        """What stands otherwise with this own health, by number."""
        network, own, values = self._ground.network, self._own[end], self._values[end]
        quiet = {place: own[place] for place in given}
        for place, health in given.items():
            own[place] = health
        if network.n_plain < len(network.order):
            moved = dict(enumerate(operability(network, own, self._method).values))
        else:
            undo: dict[int, float] = {}
            for place in sorted(given, key=lambda place: network.rank[place]):
                value = RULES[self._method](network.feeds[place], own[place], values)
                undo = spread(network, own, values, {place: value}, method=self._method) | undo
            moved = {place: round(values[place], DECIMALS) for place in undo}
            for place, value in undo.items():
                values[place] = value
        for place, health in quiet.items():
            own[place] = health
        return moved


def forecast(
    ground: Ground, impact: Impact, *, assumed_h: tuple[float, float]
) -> tuple[tuple[float, dict[str, Span]], ...]:
    """How missions come back: (hours from now, mission -> span) at each instant where something is restored.

    A damaged node is whole again after its repair: at best after the least hours, at worst after the most, likely in
    the middle; `assumed_h` where the model names none. Repairs go on side by side. At most 64 instants, evenly chosen.
    """
    model, network = ground.model, ground.network
    repairs = {
        place: model.nodes[place].repair_h or assumed_h for place, own in enumerate(impact.own) if own.worst < FULL
    }
    hours = sorted({0.0, *(hour for least, most in repairs.values() for hour in (least, (least + most) / 2, most))})
    if len(hours) > _INSTANTS:
        hours = [hours[at * (len(hours) - 1) // (_INSTANTS - 1)] for at in range(_INSTANTS)]
    found = []
    for hour in hours:
        own = [
            _repaired(one, repairs[place], hour) if place in repairs else one for place, one in enumerate(impact.own)
        ]
        values, _ = _reckoned(network, own, impact.method)
        found.append((hour, {node.name: values[network.number[node.name]] for node in model.of_kind(Kind.MISSION)}))
    return tuple(found)


def _repaired(own: Span, repair_h: tuple[float, float], hour: float) -> Span:
    least, most = repair_h
    return Span(
        worst=FULL if hour >= most else own.worst,
        likely=FULL if hour >= (least + most) / 2 else own.likely,
        best=FULL if hour >= least else own.best,
    )

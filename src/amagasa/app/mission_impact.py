"""What open incidents take from the missions, as people read it: in words, as a graph, and what to restore first."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from amagasa.app.mission_views import (
    EdgeView,
    GraphView,
    ImpactView,
    IncidentLossView,
    InstantView,
    MissionView,
    NodeView,
    RestoreView,
    StepView,
    TouchedView,
)
from amagasa.app.missions import Missions, Reckoned
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Store
from amagasa.mission.impact import forecast
from amagasa.mission.model import FULL, Kind
from amagasa.mission.operability import Method
from amagasa.mission.saying import sentence_of
from amagasa.mission.span import HEALTHY
from amagasa.mission.weighing import DEFAULT_REPAIR_H, Standing, restore_order, way_of_loss
from amagasa.vocab.text import show

SHOWN: Final = 200
GRAPH_NODES: Final = 150
_TITLE: Final = 200


class ImpactBoard:
    """The queries. Thread-safe."""

    def __init__(self, store: Store, missions: Missions) -> None:
        self._store = store
        self._missions = missions

    def impact(self, actor: Actor, *, method: Method, now: datetime) -> ImpactView:
        """Missions, the lowest first; what is touched; incidents, by what each takes; repairs, by what each gains."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            reckoned = self._missions.reckon(reading, now=now, method=method)
        if reckoned is None:
            return ImpactView(has_model=False, method=method.value, reckoned_at=now)
        ground, impact = reckoned.ground, reckoned.impact
        standing = impact.standing(ground)
        coming = forecast(ground, impact, assumed_h=DEFAULT_REPAIR_H)
        return ImpactView(
            has_model=True,
            method=method.value,
            reckoned_at=now,
            missions=_missions(reckoned, standing),
            touched=_touched(reckoned),
            incidents=_incidents(reckoned),
            restore=tuple(
                RestoreView(name=one.name, gain=one.gain, repair_h=one.repair_h, is_estimated=one.is_estimated)
                for one in restore_order(standing)
            ),
            forecast=tuple(InstantView(after_h=hour, missions=spans) for hour, spans in coming),
            heard=reckoned.heard,
            n_unmatched=reckoned.n_unmatched,
            is_settled=impact.is_settled,
            is_cut=reckoned.is_cut,
        )

    def graph(
        self, actor: Actor, *, now: datetime, around: str = "", opened: Sequence[str] = (), limit: int = GRAPH_NODES
    ) -> GraphView:
        """A part of the graph: from the missions (or `around` one node) down, the lowest feeders first, `limit` nodes.

        The feeders of nodes in `opened` are all there, whatever the limit of the rest.
        """
        require(actor, Act.READ)
        with self._store.read() as reading:
            reckoned = self._missions.reckon(reading, now=now)
        if reckoned is None:
            return GraphView(has_model=False)
        chosen = _chosen(reckoned, around, opened, limit)
        standing = reckoned.impact.standing(reckoned.ground)
        return GraphView(
            has_model=True,
            n_all=len(reckoned.ground.model.nodes),
            nodes=tuple(_node(reckoned, place, chosen) for place in chosen),
            edges=_edges(reckoned, standing, chosen),
        )


def _missions(reckoned: Reckoned, standing: Standing) -> tuple[MissionView, ...]:
    ground, values = reckoned.ground, reckoned.impact.values
    views = []
    for node in ground.model.of_kind(Kind.MISSION):
        way = way_of_loss(standing, node.name)
        views.append(
            MissionView(
                name=node.name,
                title=show(node.title or node.name),
                title_ja=show(node.title_ja),
                party=show(node.party),
                weight=node.weight,
                operability=values[ground.network.number[node.name]],
                why=sentence_of(way),
                way=tuple(
                    StepView(
                        name=step.name,
                        operability=step.operability,
                        bound_by=step.bound_by,
                        strength=step.strength,
                        criticality=step.criticality,
                    )
                    for step in way
                ),
            )
        )
    views.sort(key=lambda one: (-one.weight * (FULL - one.operability.likely), one.operability, one.name))
    return tuple(views[:SHOWN])


def _touched(reckoned: Reckoned) -> tuple[TouchedView, ...]:
    by_asset: dict[str, list[str]] = {}
    for touch in reckoned.impact.touches:
        by_asset.setdefault(touch.asset, []).append(touch.incident_id)
    number, nodes = reckoned.ground.network.number, reckoned.ground.model.nodes
    views = [
        TouchedView(
            name=name,
            title=show(nodes[number[name]].title or name),
            health=reckoned.impact.own[number[name]],
            incidents=tuple(incidents[:SHOWN]),
        )
        for name, incidents in by_asset.items()
    ]
    views.sort(key=lambda one: (one.health.likely, one.health.worst, one.name))
    return tuple(views[:SHOWN])


def _incidents(reckoned: Reckoned) -> tuple[IncidentLossView, ...]:
    return tuple(
        IncidentLossView(
            incident_id=one.incident_id,
            title=show(reckoned.incidents[one.incident_id].title, _TITLE),
            assets=one.assets[:SHOWN],
            loss=one.loss,
            missions=tuple((loss.mission, loss.loss) for loss in one.missions[:SHOWN]),
        )
        for one in reckoned.impact.incidents[:SHOWN]
    )


def _chosen(reckoned: Reckoned, around: str, opened: Sequence[str], limit: int) -> dict[int, None]:
    """Which nodes to draw, by number: breadth first, what stands lowest first."""
    network, values = reckoned.ground.network, reckoned.impact.values

    def lowest_first(places: Sequence[int]) -> list[int]:
        return sorted(places, key=lambda place: (values[place].likely, values[place].worst, network.names[place]))

    missions = [network.number[node.name] for node in reckoned.ground.model.of_kind(Kind.MISSION)]
    centre = network.number.get(around)
    start = [centre] if centre is not None else lowest_first(missions)
    if centre is not None:
        start += lowest_first(network.fed[centre])[: limit // 3]
    chosen = dict.fromkeys(start[:limit] or lowest_first(range(len(network.names)))[:limit])
    waiting = list(chosen)
    for place in waiting:
        if len(chosen) >= limit:
            break
        for feeder in lowest_first([feed[0] for feed in network.feeds[place]])[: limit - len(chosen)]:
            if feeder not in chosen:
                chosen[feeder] = None
                waiting.append(feeder)
    for name in opened[:SHOWN]:
        place_opened = network.number.get(name)
        if place_opened is not None:
            chosen |= dict.fromkeys(feed[0] for feed in network.feeds[place_opened][: 2 * limit])
            chosen[place_opened] = None
    return chosen


def _node(reckoned: Reckoned, place: int, chosen: dict[int, None]) -> NodeView:
    node = reckoned.ground.model.nodes[place]
    own = reckoned.impact.own[place]
    return NodeView(
        name=node.name,
        kind=node.kind.value,
        title=show(node.title or node.name),
        title_ja=show(node.title_ja),
        party=show(node.party),
        operability=reckoned.impact.values[place],
        health=own,
        n_hidden=sum(1 for feed in reckoned.ground.network.feeds[place] if feed[0] not in chosen),
        is_boundary=node.is_boundary,
        ally=show(node.ally),
        is_touched=own != HEALTHY,
    )


def _edges(reckoned: Reckoned, standing: Standing, chosen: dict[int, None]) -> tuple[EdgeView, ...]:
    network = reckoned.ground.network
    ways = set()
    for node in reckoned.ground.model.of_kind(Kind.MISSION):
        way = way_of_loss(standing, node.name)
        ways |= {(below.name, above.name) for above, below in pairwise(way)}
    return tuple(
        EdgeView(
            feeder=network.names[feeder],
            receiver=network.names[place],
            strength=strength,
            criticality=criticality,
            is_way=(network.names[feeder], network.names[place]) in ways,
        )
        for place in chosen
        for feeder, strength, criticality in network.feeds[place]
        if feeder in chosen
    )

"""Who touched what: the entities of an incident as nodes, what was seen between them as edges.

Every alert says that its actor (a source address, else an account, else the host itself) did something to each thing
it names. Beyond `MAX_OF_A_KIND` of one kind the rest is one node, which says how many it stands for: four hundred
addresses of a swarm are twenty and "380 more".
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.vocab.severity import Severity

MAX_OF_A_KIND: Final = 12
MAX_EDGES: Final = 200
TITLES: Final = 4
_ACTORS: Final = (EntityKind.SOURCE_ADDRESS, EntityKind.USER, EntityKind.HOST)
# What stands in a graph; hashes and URLs are evidence, and only make it unreadable.
_SHOWN: Final = (
    EntityKind.SOURCE_ADDRESS,
    EntityKind.USER,
    EntityKind.HOST,
    EntityKind.DESTINATION_ADDRESS,
    EntityKind.PROCESS,
    EntityKind.FILE,
    EntityKind.DOMAIN,
)


class Node(Struct, frozen=True, kw_only=True):
    """An entity and in how many alerts it stands; `n_more` > 0: so many others of its kind, and no value."""

    id: str
    kind: EntityKind
    value: str
    n_alerts: int
    severity: Severity
    n_more: int = 0


class Edge(Struct, frozen=True, kw_only=True):
    """What one did to another: titles of the first four rules, how often, how bad."""

    source: str
    target: str
    titles: tuple[str, ...]
    n_alerts: int
    n_detections: int
    severity: Severity


class Graph(Struct, frozen=True, kw_only=True):
    """Nodes by kind and weight, edges by weight. `n_left_out` edges are not among them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    n_left_out: int


def graph_of(alerts: Iterable[Alert]) -> Graph:
    """The graph; the order of alerts makes no difference but for the titles named first."""
    ordered = sorted(alerts, key=lambda one: (one.first_seen_at, one.id))
    nodes, names = _nodes(ordered)
    edges: dict[tuple[str, str], Edge] = {}
    for alert in ordered:
        pairs = dict.fromkeys((names[one], names[other]) for one, other in _pairs(alert))
        for source, target in pairs:
            if source != target:
                known = edges.get((source, target))
                edges[source, target] = _with(known, alert) if known else _edge(source, target, alert)
    weighed = sorted(edges.values(), key=lambda one: (-one.severity, -one.n_detections, one.source, one.target))
    return Graph(nodes=nodes, edges=tuple(weighed[:MAX_EDGES]), n_left_out=max(0, len(weighed) - MAX_EDGES))


def _pairs(alert: Alert) -> Iterator[tuple[Entity, Entity]]:
    """From the actor to an account or host, and from there on to the rest."""
    by_kind = {kind: [one for one in alert.entities if one.kind is kind] for kind in _SHOWN}
    actor_kind = next((kind for kind in _ACTORS if by_kind[kind]), None)
    if actor_kind is None:
        return
    for actor in by_kind[actor_kind]:
        for kind in _SHOWN:
            if kind is not actor_kind:
                yield from ((actor, one) for one in by_kind[kind])


def _nodes(alerts: Iterable[Alert]) -> tuple[tuple[Node, ...], dict[Entity, str]]:
    """The nodes, and for each entity the identifier of the node that it is, or is folded into."""
    n_alerts: Counter[Entity] = Counter()
    worst: dict[Entity, Severity] = {}
    for alert in alerts:
        for entity in alert.entities:
            if entity.kind in _SHOWN:
                n_alerts[entity] += 1
                worst[entity] = max(alert.severity, worst.get(entity, Severity.UNKNOWN))
    nodes: list[Node] = []
    names: dict[Entity, str] = {}
    for kind in _SHOWN:
        inside = [one for one in n_alerts if one.kind is kind]
        inside.sort(key=lambda one: (-worst[one], -n_alerts[one], one.value))
        for place, one in enumerate(inside[:MAX_OF_A_KIND]):
            names[one] = f"{kind.value}-{place}"
            node = Node(id=names[one], kind=kind, value=one.value, n_alerts=n_alerts[one], severity=worst[one])
            nodes.append(node)
        rest = inside[MAX_OF_A_KIND:]
        if rest:
            names |= dict.fromkeys(rest, f"{kind.value}-more")
            nodes.append(
                Node(
                    id=f"{kind.value}-more",
                    kind=kind,
                    value="",
                    n_alerts=sum(n_alerts[one] for one in rest),
                    severity=max(worst[one] for one in rest),
                    n_more=len(rest),
                )
            )
    return tuple(nodes), names


def _edge(source: str, target: str, alert: Alert) -> Edge:
    return Edge(
        source=source,
        target=target,
        titles=(alert.title,),
        n_alerts=1,
        n_detections=alert.n_detections,
        severity=alert.severity,
    )


def _with(edge: Edge, alert: Alert) -> Edge:
    return replace(
        edge,
        titles=tuple(dict.fromkeys((*edge.titles, alert.title)))[:TITLES],
        n_alerts=edge.n_alerts + 1,
        n_detections=edge.n_detections + alert.n_detections,
        severity=max(edge.severity, alert.severity),
    )

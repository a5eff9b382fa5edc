"""Incidents of different parties -> campaigns: what one hand did to several of us, known without pooling raw data.

What crosses is little: stand-ins of source addresses (`incident.tokens`) or their networks, ATT&CK techniques, the
span, the number of sources. Two incidents are linked by a weight of 1 or more:

| shared | weight |
|---|---|
| a source address | 1, divided by the number of other incidents that know it |
| a network (/24, /48) | a quarter of that |
| the same techniques, from a crowd of sources each, at the same time | 1 |

So what everybody shares weighs nothing: a crawler that is seen in fifty incidents links none of them, and the rare
address that two parties met links both. All of it counts only where the incidents lie within `LINK_WINDOW` of each
other, and, but for two shared sources or more, share a technique. A campaign is what hangs together so and struck at
least two parties. A source heard of through several parties counts once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Final

from msgspec import Struct

from amagasa.incident.score import linked_score
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Severity

LINK_WINDOW: Final = timedelta(hours=72)
OF_A_NETWORK: Final = 0.25
# Sources of an incident that make it a crowd, and how alike two crowds must be in techniques and in time.
CROWD: Final = 10
ALIKE: Final = 0.6
AT_ONCE: Final = 0.5
ENOUGH: Final = 1.0
# A value that more incidents know ties none of them; and its pairs need not be looked at.
HUB: Final = 20
# Crowds that are compared with each other: the newest.
MAX_CROWDS: Final = 500


class Member(Struct, frozen=True, kw_only=True):
    """An incident as far as it may be known: `party` is "" for our own. `sources` are stand-ins, `networks` texts."""

    id: str
    party: str
    title: str
    severity: Severity
    score: int
    techniques: frozenset[str]
    tactics: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    n_alerts: int
    n_detections: int
    n_sources: int
    sources: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()


class Tie(Struct, frozen=True, kw_only=True):
    """Two incidents that belong together, how much says so, and what: in a sentence, and in the figures it is made of.

    `crowds`: how many sources each of the two had, where two crowds did the same at the same time; else empty.
    """

    first: str
    second: str
    weight: float
    why: str
    n_sources: int = 0
    n_networks: int = 0
    crowds: tuple[int, ...] = ()
    techniques: tuple[str, ...] = ()


class Campaign(Struct, frozen=True, kw_only=True):
    """Incidents of one hand, oldest first, and what ties them. `n_sources` counts each source once where it is known.

    `id` is that of the oldest incident's campaign: it stays as others join.
    """

    id: str
    title: str
    severity: Severity
    score: int
    parties: tuple[str, ...]
    members: tuple[Member, ...]
    ties: tuple[Tie, ...]
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    n_alerts: int
    n_detections: int
    n_sources: int


def link(members: Sequence[Member]) -> tuple[Campaign, ...]:
    """The campaigns among these incidents, the worst first. Their order makes no difference.

    Costs as much as there are pairs that share something rare; crowds are compared with crowds of the same time.
    """
    known = {one.id: one for one in members}
    by_source, by_network = _index(known.values(), "sources"), _index(known.values(), "networks")
    pairs: dict[tuple[str, str], None] = {}
    for ids in (*by_source.values(), *by_network.values()):
        pairs |= dict.fromkeys(combinations(sorted(ids), 2))
    pairs |= dict.fromkeys(_alike(known.values()))
    ties = [tie for one, other in pairs if (tie := _tied(known[one], known[other], by_source, by_network)) is not None]
    groups = _joined(known, ties)
    campaigns = [_campaign(group, ties) for group in groups if len({one.party for one in group}) > 1]
    return tuple(sorted(campaigns, key=lambda one: (-one.score, one.first_seen_at, one.id)))


def _index(members: Iterable[Member], name: str) -> dict[str, list[str]]:
    """Which incidents know each value; values that too many know are left out."""
    found: dict[str, list[str]] = {}
    for one in members:
        for value in getattr(one, name):
            found.setdefault(value, []).append(one.id)
    return {value: ids for value, ids in found.items() if 1 < len(ids) <= HUB}


def _alike(members: Iterable[Member]) -> Iterator[tuple[str, str]]:
    """Pairs of the newest crowds that did the same at the same time, as `combinations` of sorted names gives them."""
    crowds = [one for one in members if one.n_sources >= CROWD and one.techniques]
    newest = sorted(crowds, key=lambda one: (one.last_seen_at, one.id), reverse=True)[:MAX_CROWDS]
    under_way: list[Member] = []
    for one in sorted(newest, key=lambda one: (one.first_seen_at, one.id)):
        under_way = [other for other in under_way if other.last_seen_at > one.first_seen_at]
        for other in under_way:
            if _are_crowds_alike(one, other):
                yield (one.id, other.id) if one.id < other.id else (other.id, one.id)
        under_way.append(one)


def _tied(
    one: Member, other: Member, by_source: Mapping[str, list[str]], by_network: Mapping[str, list[str]]
) -> Tie | None:
    gap = max(one.first_seen_at, other.first_seen_at) - min(one.last_seen_at, other.last_seen_at)
    if gap > LINK_WINDOW:
        return None
    sources = sorted(one.sources & other.sources)
    networks = sorted(one.networks & other.networks)
    of_sources = sum(1 / (len(by_source[value]) - 1) for value in sources if value in by_source)
    of_networks = sum(OF_A_NETWORK / (len(by_network[value]) - 1) for value in networks if value in by_network)
    crowds = _are_crowds_alike(one, other)
    techniques = sorted(one.techniques & other.techniques)
    if not techniques and of_sources < 2:
        return None
    weight = of_sources + of_networks + crowds
    if weight < ENOUGH:
        return None
    n_known, n_near = len(sources) if of_sources else 0, len(networks) if of_networks else 0
    told = [
        (n_known > 0, f"{n_known} source addresses in common"),
        (n_near > 0, f"{n_near} networks in common"),
        (crowds, f"a crowd of {one.n_sources} and one of {other.n_sources} sources did the same at the same time"),
        (bool(techniques), f"techniques {', '.join(techniques[:5])}"),
    ]
    why = "; ".join(text for holds, text in told if holds)
    return Tie(
        first=one.id,
        second=other.id,
        weight=round(weight, 3),
        why=why,
        n_sources=n_known,
        n_networks=n_near,
        crowds=(one.n_sources, other.n_sources) if crowds else (),
        techniques=tuple(techniques[:5]),
    )


def _are_crowds_alike(one: Member, other: Member) -> bool:
    """Whether many sources each did the same at the same time to both: what a hunt by many addresses looks like."""
    if min(one.n_sources, other.n_sources) < CROWD or not one.techniques or not other.techniques:
        return False
    alike = len(one.techniques & other.techniques) / len(one.techniques | other.techniques)
    both = min(one.last_seen_at, other.last_seen_at) - max(one.first_seen_at, other.first_seen_at)
    shorter = min(one.last_seen_at - one.first_seen_at, other.last_seen_at - other.first_seen_at)
    return alike >= ALIKE and both >= AT_ONCE * shorter and both > timedelta()


def _joined(known: Mapping[str, Member], ties: Iterable[Tie]) -> list[list[Member]]:
    """What hangs together, by union of the ends of each tie."""
    home = {key: key for key in known}

    def root(key: str) -> str:
        while home[key] != key:
            home[key] = home[home[key]]
            key = home[key]
        return key

    for tie in ties:
        first, second = sorted((root(tie.first), root(tie.second)))
        home[second] = first
    groups: dict[str, list[Member]] = {}
    for key in sorted(known):
        groups.setdefault(root(key), []).append(known[key])
    return list(groups.values())


def _campaign(group: Iterable[Member], ties: Iterable[Tie]) -> Campaign:
    members = sorted(group, key=lambda one: (one.first_seen_at, one.id))
    ids = {one.id for one in members}
    parties = tuple(dict.fromkeys(one.party for one in members))
    worst = max(members, key=lambda one: (one.severity, one.n_detections, one.id))
    order = {tactic: place for place, tactic in enumerate(TACTICS)}
    tactics = {tactic for one in members for tactic in one.tactics}
    return Campaign(
        id=stable_id("campaign", members[0].id),
        title=worst.title,
        severity=worst.severity,
        score=linked_score({one.id: one.score for one in members}, len(parties)),
        parties=parties,
        members=tuple(members),
        ties=tuple(
            sorted((tie for tie in ties if tie.first in ids), key=lambda tie: (-tie.weight, tie.first, tie.second))
        ),
        techniques=tuple(sorted({name for one in members for name in one.techniques})),
        tactics=tuple(sorted(tactics, key=lambda name: (order.get(name, len(order)), name))),
        first_seen_at=min(one.first_seen_at for one in members),
        last_seen_at=max(one.last_seen_at for one in members),
        n_alerts=sum(one.n_alerts for one in members),
        n_detections=sum(one.n_detections for one in members),
        n_sources=_n_sources(members),
    )


def _n_sources(members: Iterable[Member]) -> int:
    """Each known source once; where nobody names them, as many as the one that counted most."""
    each = list(members)
    known = frozenset[str]().union(*(one.sources for one in each))
    return max(len(known), *(one.n_sources for one in each))

"""Campaigns: what incidents of ours and of allies, as far as agreements let them cross, have in common.

Made of the newest incidents whenever somebody asks: nothing is stored that could be stale, and what an ally takes back
is gone from it at once. What did not change since the last time is not worked out again (`Known`). What an ally sent is
a claim; it is read leniently and bounded.
"""

import operator
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from amagasa.app.evidence_views import TITLE_CHARACTERS
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Reading, Store, StoredObject
from amagasa.app.queries import MissingError
from amagasa.app.views import Named, named
from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Incident
from amagasa.incident.link import Campaign, Member, Tie, link
from amagasa.incident.links import kind_of, values_of
from amagasa.incident.score import score_of
from amagasa.incident.swarm import n_sources
from amagasa.incident.tokens import network_of, token_of
from amagasa.intel.build import EXTENSION_ID
from amagasa.intel.stix import instant_of
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show

# Newest incidents of ours, and newest objects of allies, that are compared.
OWN: Final = 1_000
OF_ALLIES: Final = 2_000
MAX_VALUES: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")
_M = TypeVar("_M")
_SCORES: Final = (10, 10, 20, 35, 50, 65, 80)


class MemberView(Struct, frozen=True, kw_only=True):
    """An incident of a campaign: `is_ours` can be opened here; of an ally's no more is known than this."""

    id: str
    party: Named
    is_ours: bool
    title: str
    severity: int
    first_seen_at: datetime
    last_seen_at: datetime
    n_alerts: int
    n_detections: int
    n_sources: int
    techniques: list[str]


class TieView(Struct, frozen=True, kw_only=True):
    """Two incidents of it and what ties them: in a sentence, and in its figures (`incident.link.Tie`)."""

    first: str
    second: str
    weight: float
    why: str
    n_sources: int
    n_networks: int
    crowds: tuple[int, ...]
    techniques: list[str]


class CampaignView(Struct, frozen=True, kw_only=True):
    """A campaign across parties. `score` is NCISS of its worst incident, raised for the others (our extension)."""

    id: str
    title: str
    severity: int
    score: int
    parties: list[Named]
    n_incidents: int
    n_alerts: int
    n_detections: int
    n_sources: int
    techniques: list[str]
    tactics: list[str]
    first_seen_at: datetime
    last_seen_at: datetime
    members: list[MemberView]
    ties: list[TieView]


class CampaignsView(Struct, frozen=True, kw_only=True):
    """The campaigns, the worst first; made of so many incidents of ours and of allies."""

    campaigns: list[CampaignView]
    n_own: int
    n_of_allies: int


class _Facts(Struct):
    severity: int = 0
    techniques: list[Any] = []
    tactics: list[Any] = []
    n_alerts: int = 0
    n_detections: int = 0
    n_sources: int = 0
    first_seen: str = ""
    last_seen: str = ""
    source_addresses: list[Any] = []


class _Told(Struct):
    name: str = ""
    created: str = ""
    modified: str = ""
    revoked: bool = False
    extensions: dict[str, Any] = {}


class Known:
    """What was worked out before and holds still.

    An incident's member as long as it is the same, campaigns as long as their members are. Bounded by what is compared;
    thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: dict[str, tuple[Incident, Member]] = {}
        self._theirs: dict[str, tuple[StoredObject, Member | None]] = {}
        self._members: tuple[Member, ...] = ()
        self._campaigns: tuple[Campaign, ...] = ()

    def campaigns(
        self, own: Iterable[Incident], theirs: Iterable[StoredObject]
    ) -> tuple[tuple[Campaign, ...], int, int]:
        """The campaigns, and how many incidents of ours and of allies they were looked for in."""
        with self._lock:
            self._own = {one.id: _again(self._own.get(one.id), one, own_member) for one in own}
            self._theirs = {one.id: _again(self._theirs.get(one.id), one, allys_member) for one in theirs}
            told = [member for _, member in self._theirs.values() if member is not None]
            members = (*(member for _, member in self._own.values()), *told)
            if len(members) != len(self._members) or any(map(operator.is_not, members, self._members)):
                self._members, self._campaigns = members, link(members)
            return self._campaigns, len(self._own), len(told)


def campaigns(store: Store, actor: Actor, names: Mapping[str, str], known: Known | None = None) -> CampaignsView:
    """All of them."""
    require(actor, Act.READ)
    found, n_own, n_of_allies = (known or Known()).campaigns(*_compared(store))
    return CampaignsView(campaigns=[_view(one, names) for one in found], n_own=n_own, n_of_allies=n_of_allies)


def campaign(
    store: Store, actor: Actor, names: Mapping[str, str], campaign_id: str, *, known: Known | None = None
) -> CampaignView:
    """One of them. Raises MissingError."""
    found = {one.id: one for one in campaigns(store, actor, names, known).campaigns}
    if campaign_id not in found:
        raise MissingError(
            "AMG-CAMPAIGN-UNKNOWN",
            "there is no such campaign here",
            got=show(campaign_id),
            then="what held it together may have ended or been taken back",
        )
    return found[campaign_id]


def _again(held: tuple[_T, _M] | None, one: _T, make: Callable[[_T], _M]) -> tuple[_T, _M]:
    return held if held is not None and held[0] == one else (one, make(one))


def own_member(incident: Incident) -> Member:
    """An incident of ours."""
    addresses = [values_of(one)[0] for one in incident.links if kind_of(one) == EntityKind.SOURCE_ADDRESS.value]
    return Member(
        id=incident.id,
        party="",
        title=incident.title,
        severity=incident.severity,
        score=score_of(incident).score,
        techniques=frozenset(incident.techniques),
        tactics=incident.tactics,
        first_seen_at=incident.first_seen_at,
        last_seen_at=incident.last_seen_at,
        n_alerts=incident.n_alerts,
        n_detections=incident.n_detections,
        n_sources=n_sources(incident),
        sources=_made(addresses, token_of),
        networks=_made(addresses, network_of),
    )


def allys_member(stored: StoredObject) -> Member | None:
    """An incident that an ally told of; None where it says nothing that could be compared, or was revoked."""
    try:
        told = msgspec.json.decode(stored.body, type=_Told)
        facts = msgspec.convert(told.extensions.get(EXTENSION_ID, {}), _Facts)
    except msgspec.MsgspecError:
        return None
    if told.revoked:
        return None
    first = instant_of(facts.first_seen) or instant_of(told.created) or _EPOCH
    last = instant_of(facts.last_seen) or instant_of(told.modified) or first
    severity = Severity(min(max(facts.severity, 0), int(Severity.FATAL)))
    addresses = _texts(facts.source_addresses)
    return Member(
        id=stored.id,
        party=stored.origin,
        title=told.name,
        severity=severity,
        score=_SCORES[severity],
        techniques=frozenset(_texts(facts.techniques)[:100]),
        tactics=tuple(_texts(facts.tactics)[:20]),
        first_seen_at=first,
        last_seen_at=max(first, last),
        n_alerts=max(0, facts.n_alerts),
        n_detections=max(0, facts.n_detections),
        n_sources=max(0, facts.n_sources, len(addresses)),
        sources=_made(addresses, token_of),
        networks=_made(addresses, network_of),
    )


def _compared(store: Store) -> tuple[list[Incident], list[StoredObject]]:
    with store.read() as reading:
        own = [one for one in _newest(reading) if one.merged_into is None and one.n_alerts]
        newest: dict[str, StoredObject] = {}
        cursor = None
        for _ in range(OF_ALLIES // 500):
            some, cursor = reading.objects_page(Page(limit=500, before=cursor), object_type="incident")
            for stored in some:
                if stored.origin and _is_newer(stored, newest.get(stored.id)):
                    newest[stored.id] = stored
            if cursor is None:
                break
    return own, list(newest.values())


def _newest(reading: Reading) -> list[Incident]:
    found: list[Incident] = []
    cursor = None
    while len(found) < OWN:
        some, cursor = reading.incidents(Page(limit=500, before=cursor))
        found += some
        if cursor is None:
            break
    return found


def _is_newer(stored: StoredObject, held: StoredObject | None) -> bool:
    return held is None or (instant_of(stored.version) or _EPOCH) > (instant_of(held.version) or _EPOCH)


def _texts(values: Sequence[Any]) -> list[str]:
    return [value for value in values[:MAX_VALUES] if isinstance(value, str) and len(value) <= TITLE_CHARACTERS]


def _made(values: Iterable[str], make: Any) -> frozenset[str]:
    return frozenset(made for value in values if (made := make(value)) is not None)


def _view(one: Campaign, names: Mapping[str, str]) -> CampaignView:
    def party(identity: str) -> Named:
        return named(identity, names) if identity else Named(id="", name="")

    return CampaignView(
        id=one.id,
        title=show(one.title, TITLE_CHARACTERS),
        severity=int(one.severity),
        score=one.score,
        parties=[party(identity) for identity in one.parties],
        n_incidents=len(one.members),
        n_alerts=one.n_alerts,
        n_detections=one.n_detections,
        n_sources=one.n_sources,
        techniques=[show(name) for name in one.techniques],
        tactics=[show(name) for name in one.tactics],
        first_seen_at=one.first_seen_at,
        last_seen_at=one.last_seen_at,
        members=[
            MemberView(
                id=show(member.id),
                party=party(member.party),
                is_ours=not member.party,
                title=show(member.title, TITLE_CHARACTERS),
                severity=int(member.severity),
                first_seen_at=member.first_seen_at,
                last_seen_at=member.last_seen_at,
                n_alerts=member.n_alerts,
                n_detections=member.n_detections,
                n_sources=member.n_sources,
                techniques=[show(name) for name in sorted(member.techniques)],
            )
            for member in one.members
        ],
        ties=[_tie_view(tie) for tie in one.ties],
    )


def _tie_view(tie: Tie) -> TieView:
    return TieView(
        first=show(tie.first),
        second=show(tie.second),
        weight=tie.weight,
        why=show(tie.why, 300),
        n_sources=tie.n_sources,
        n_networks=tie.n_networks,
        crowds=tie.crowds,
        techniques=[show(name) for name in tie.techniques],
    )

"""One ally looked at closely: its line, its papers, what came and was refused, and what it has not acknowledged yet."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from amagasa.app.courier import seen_of
from amagasa.app.delivery import LineState, meta_key
from amagasa.app.fetching import fetched_at
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Crossing, CrossingState, Direction, Reading, Store
from amagasa.app.quarantine import heard, is_aside
from amagasa.app.queries import MissingError
from amagasa.app.receipt_ports import Way
from amagasa.app.taking_back import due_at
from amagasa.share.agreement import Agreement, Party
from amagasa.share.check import certificate_of
from amagasa.vocab.text import show

LOOKED_AT: Final = 1_000  # refusals looked at for their reasons, the newest
SHOWN: Final = 100
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)
_CODE: Final = re.compile(r"\[(AMG-[A-Z-]+)\]\s*$")


class PapersView(Struct, frozen=True, kw_only=True):
    """What the ally is known by. `pin` is the SHA-256 of its certificate, the only one that its lines may show.

    The instants are None, and `pin` "", where the agreement holds no certificate that can be read.
    """

    key: str
    address: str
    pin: str
    valid_from_at: datetime | None
    valid_until_at: datetime | None


class LineView(Struct, frozen=True, kw_only=True):
    """The line in detail. `since_at` is since when it is up or down; `answered_at` its last answer to anything of ours.

    `fetched_at` is when something was last fetched that the ally could not push; `oldest_at` the age of what waits.
    """

    is_up: bool | None
    since_at: datetime | None
    answered_at: datetime | None
    failed_at: datetime | None
    n_failures: int
    fetched_at: datetime | None
    oldest_at: datetime | None


class CountView(Struct, frozen=True, kw_only=True):
    """How many crossings stand so."""

    direction: Direction
    state: CrossingState
    n: int


class ReasonView(Struct, frozen=True, kw_only=True):
    """Refusals of one kind: the code, one reason as an example, how many of those looked at, the newest."""

    code: str
    why: str
    n: int
    last_at: datetime


class AsideView(Struct, frozen=True, kw_only=True):
    """An indicator that was put aside as noise, here or there; `why` as it stands there."""

    object_id: str
    title: str
    why: str


class AwaitedView(Struct, frozen=True, kw_only=True):
    """Something taken back, whose receipt has not come."""

    object_id: str
    asked_at: datetime
    due_at: datetime
    is_overdue: bool


class CourierSeen(Struct, frozen=True, kw_only=True):
    """Parts of a courier of the ally that were read here, and which are missing."""

    courier: str
    n_parts: int
    is_whole: bool
    missing: list[int]


class AllyDetail(Struct, frozen=True, kw_only=True):
    """`refused` is what we refused of its, `turned_down` what it refused of ours; of the newest `n_looked` each.

    `aside` is what we put aside of its, `aside_there` what it put aside of ours.
    """

    papers: PapersView
    line: LineView
    counts: list[CountView]
    refused: list[ReasonView]
    turned_down: list[ReasonView]
    n_looked: int
    aside: list[AsideView]
    aside_there: list[AsideView]
    awaited: list[AwaitedView]
    n_awaited: int
    couriers: list[CourierSeen]


def ally_detail(store: Store, actor: Actor, ally: str, agreements: Sequence[Agreement], *, now: datetime) -> AllyDetail:
    """Of the ally of this identity. Raises MissingError (AMG-ALLY-UNKNOWN) where no agreement names it."""
    require(actor, Act.READ)
    held = [one for one in agreements if ally in {party.id for party in one.parties}]
    held.sort(key=lambda one: (one.is_in_force(now), one.version, one.valid_from_at), reverse=True)
    if not held:
        raise MissingError("AMG-ALLY-UNKNOWN", "no agreement names this ally", got=show(ally))
    newest = {one.id: one for one in reversed(held)}
    party = next(party for party in held[0].parties if party.id == ally)
    with store.read() as reading:
        return AllyDetail(
            papers=_papers(party),
            line=_line(reading, ally),
            counts=[
                CountView(direction=direction, state=state, n=n)
                for (direction, state), n in sorted(reading.n_crossings(ally=ally).items())
            ],
            refused=_reasons(reading, ally, Direction.IN, CrossingState.REFUSED),
            turned_down=_reasons(reading, ally, Direction.OUT, CrossingState.FAILED),
            n_looked=LOOKED_AT,
            aside=_aside(reading, ally),
            aside_there=_aside_there(reading, newest),
            awaited=_awaited(reading, newest.values(), now=now),
            n_awaited=sum(reading.receipts.n_open(name, Way.AWAITED) for name in newest),
            couriers=[
                CourierSeen(
                    courier=one.courier,
                    n_parts=len(one.parts),
                    is_whole=bool(one.last) and not one.missing,
                    missing=list(one.missing),
                )
                for one in reversed(seen_of(reading, ally))
            ],
        )


def _papers(party: Party) -> PapersView:
    found = certificate_of(party.certificate)
    return PapersView(
        key=show(party.key),
        address=show(party.address),
        pin=found.fingerprint(SHA256()).hex() if found is not None else "",
        valid_from_at=found.not_valid_before_utc if found is not None else None,
        valid_until_at=found.not_valid_after_utc if found is not None else None,
    )


def _line(reading: Reading, ally: str) -> LineView:
    told = reading.meta(meta_key(ally))
    line = msgspec.json.decode(told, type=LineState) if told is not None else LineState(ally=ally)
    waiting = reading.due(ally, now=_ALWAYS, limit=1)
    return LineView(
        is_up=line.is_up,
        since_at=line.since_at,
        answered_at=line.last_success_at,
        failed_at=line.last_error_at,
        n_failures=line.n_failures,
        fetched_at=fetched_at(reading, ally),
        oldest_at=waiting[0].created_at if waiting else None,
    )


def _reasons(reading: Reading, ally: str, direction: Direction, state: CrossingState) -> list[ReasonView]:
    found: dict[str, ReasonView] = {}
    for one in _newest(reading, ally, direction, state):
        coded = _CODE.search(one.why)
        code = coded[1] if coded else show(one.why, 80)
        known = found.get(code) or ReasonView(code=code, why=show(one.why, 300), n=0, last_at=one.created_at)
        found[code] = msgspec.structs.replace(known, n=known.n + 1, last_at=max(known.last_at, one.created_at))
    return sorted(found.values(), key=lambda one: -one.n)[:SHOWN]


def _newest(reading: Reading, ally: str, direction: Direction, state: CrossingState) -> Iterable[Crossing]:
    cursor: str | None = None
    n = 0
    while n < LOOKED_AT:
        rows, cursor = reading.crossings(Page(limit=500, before=cursor), ally=ally, direction=direction, state=state)
        yield from rows
        n += len(rows)
        if cursor is None:
            return


def _aside(reading: Reading, ally: str) -> list[AsideView]:
    items = [one for one in reading.content() if one.origin == ally and is_aside(one)]
    return [AsideView(object_id=show(one.id), title=show(one.title), why=show(one.fault, 300)) for one in items[:SHOWN]]


def _aside_there(reading: Reading, agreements: Iterable[str]) -> list[AsideView]:
    told = [one for name in agreements for one in heard(reading, name)]
    return [AsideView(object_id=show(one.object_id), title="", why=f"{one.n:,}") for one in reversed(told)][:SHOWN]


def _awaited(reading: Reading, agreements: Iterable[Agreement], *, now: datetime) -> list[AwaitedView]:
    rows = [
        AwaitedView(
            object_id=show(one.object_id),
            asked_at=one.asked_at,
            due_at=due_at(one, agreement),
            is_overdue=due_at(one, agreement) < now,
        )
        for agreement in agreements
        for one in reading.receipts.open(agreement.id, Way.AWAITED, limit=SHOWN)
    ]
    return sorted(rows, key=lambda one: one.due_at)[:SHOWN]

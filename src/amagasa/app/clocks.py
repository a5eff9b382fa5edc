"""The clocks of an agreement, watched: a missed one is an alarm on the side that must act and on the one that waits.

Each side judges by what it knows itself. That what an ally has for us is late only the ally knows: it says so with the
tree heads; where the line is cut as well, its silence is the alarm.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.alarms import Alarm, end_alarm, raise_alarm
from amagasa.app.consulting import follow, talks_of
from amagasa.app.head_book import head_book
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Store, Writing
from amagasa.app.recording import record
from amagasa.app.sharing import in_force
from amagasa.app.signals import Signals
from amagasa.share.ledger import Act
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

RENEW_DAYS: Final = (30, 7, 1)
LOOKED_AT: Final = 2_000  # leaves, for the first that is not acknowledged


class Clock(StrEnum):
    """Which."""

    SHARE = "share"
    ACKNOWLEDGE = "acknowledge"
    CONSULT = "consult"
    RENEW = "renew"


CODES: Final = {clock: f"AMG-CLOCK-{clock.name}" for clock in Clock}
_TITLES: Final = {
    (Clock.SHARE, True): "An ally waits for what this node has for it",
    (Clock.SHARE, False): "An ally is late with what it has for this node",
    (Clock.ACKNOWLEDGE, True): "This node has not acknowledged what an ally gave",
    (Clock.ACKNOWLEDGE, False): "An ally has not acknowledged what it was given",
    (Clock.CONSULT, True): "An ally waits for a word on a serious incident",
    (Clock.CONSULT, False): "An ally has said nothing on a serious incident",
    (Clock.RENEW, True): "An agreement ends soon",
}


class Missed(Struct, frozen=True, kw_only=True):
    """A clock that ran out at `due_at`: `is_ours` where this side must act. Of `n` things `what` is the oldest.

    `level` is that of its alarm; `incident` is where that stands.
    """

    clock: Clock
    is_ours: bool
    due_at: datetime
    n: int = 1
    what: str = ""
    level: Level = Level.HIGH
    incident: str = ""

    @property
    def kind(self) -> tuple[str, bool, str]:
        """What one alarm is for."""
        return (self.clock.value, self.is_ours, self.level.value if self.clock is Clock.RENEW else "")


class Late(Struct, frozen=True, kw_only=True):
    """What a party says of itself: so many of its objects are late since `due_at`."""

    n: int
    due_at: datetime


def look_at_clocks(store: Store, signals: Signals, book: AgreementBook, *, now: datetime) -> None:
    """Raise the alarm for each clock that ran out, and end it where that is over. Raises WorldError."""
    for bond in in_force(book, now):
        if bond.agreement.clocks.consult_within_s is not None:
            with store.write() as tx:
                follow(tx, bond, now=now)
        with store.read() as reading:
            known = {one.kind: one for one in missed_of(reading, bond.agreement.id)}
            found = {one.kind: one for one in _missed(reading, bond, now, has_successor=_has_successor(book, bond))}
        if not known and not found:
            continue
        kept = [replace(one, incident=known[kind].incident) for kind, one in found.items() if kind in known]
        begun = [one for kind, one in found.items() if kind not in known]
        kept += [_raise(store, signals, bond, one, now=now) for one in begun]
        for one in [one for kind, one in known.items() if kind not in found]:
            why = f"{show(bond.ally.name)}: {one.clock.value} is kept again"
            end_alarm(store, signals, CODES[one.clock], one.incident, why=why, now=now)
        if kept != list(known.values()):
            with store.write() as tx:
                tx.save_meta(_key(bond.agreement.id), msgspec.json.encode(kept).decode())
        if known.keys() != found.keys():
            signals.publish("outbox", {"ally": bond.ally.id})


def missed_of(reading: Reading, agreement: str) -> tuple[Missed, ...]:
    """The clocks that have run out now, as the last look found them."""
    kept = reading.meta(_key(agreement))
    return msgspec.json.decode(kept, type=tuple[Missed, ...]) if kept else ()


def own_late(reading: Reading, agreement: str) -> Late | None:
    """What we tell the ally of ourselves."""
    late = next((one for one in missed_of(reading, agreement) if one.clock is Clock.SHARE and one.is_ours), None)
    return Late(n=late.n, due_at=late.due_at) if late is not None else None


def hear_late(tx: Writing, agreement: str, late: Late | None) -> None:
    """What the ally says of itself now."""
    told = msgspec.json.encode(late).decode()
    if (tx.meta(_heard(agreement)) or "null") != told:
        tx.save_meta(_heard(agreement), told)


def is_to_acknowledge(reading: Reading, bond: Bond, *, now: datetime) -> bool:
    """Whether half of the clock is over for something we took, or for something the ally took."""
    limit_s = bond.agreement.clocks.acknowledge_within_s
    if limit_s is None:
        return False
    half = now - timedelta(seconds=limit_s / 2)
    return any(_oldest_open(reading, bond, act, before=half)[0] for act in (Act.ADMISSION, Act.DELIVERY))


def _missed(reading: Reading, bond: Bond, now: datetime, *, has_successor: bool) -> Iterator[Missed]:
    clocks = bond.agreement.clocks
    if clocks.share_within_s is not None:
        yield from _share(reading, bond, timedelta(seconds=clocks.share_within_s), now)
    if clocks.acknowledge_within_s is not None:
        limit = timedelta(seconds=clocks.acknowledge_within_s)
        for act, is_ours in ((Act.ADMISSION, True), (Act.DELIVERY, False)):
            n, at = _oldest_open(reading, bond, act, before=now - limit)
            if at is not None:
                yield Missed(clock=Clock.ACKNOWLEDGE, is_ours=is_ours, due_at=at + limit, n=n)
    if clocks.consult_within_s is not None:
        limit = timedelta(seconds=clocks.consult_within_s)
        talks = [one for one in talks_of(reading, bond.agreement.id) if one.word is None and one.since + limit < now]
        for is_ours in (True, False):
            late = [one for one in talks if one.is_ours is is_ours]
            if late:
                oldest = min(late, key=lambda one: one.since)
                due_at = oldest.since + limit
                yield Missed(clock=Clock.CONSULT, is_ours=is_ours, due_at=due_at, n=len(late), what=oldest.object_id)
    if not has_successor:
        yield from _renew(bond, now)


def _share(reading: Reading, bond: Bond, limit: timedelta, now: datetime) -> Iterator[Missed]:
    n, oldest = reading.late(bond.ally.id, before=now - limit)
    if oldest is not None:
        due_at = oldest.created_at + limit
        yield Missed(clock=Clock.SHARE, is_ours=True, due_at=due_at, n=n, what=oldest.object_id)
    heard = reading.meta(_heard(bond.agreement.id))
    late = msgspec.json.decode(heard, type=Late | None) if heard else None
    if late is not None:
        yield Missed(clock=Clock.SHARE, is_ours=False, due_at=late.due_at, n=late.n)


def _oldest_open(reading: Reading, bond: Bond, act: Act, *, before: datetime) -> tuple[int, datetime | None]:
    """How many leaves of this act no countersigned head covers, and when the first was made; (0, None) of none.

    Of ours (DELIVERY) the ally's word is wanted. What we took (ADMISSION) is acknowledged with the head that the ally
    shows next: until heads were exchanged behind it, ours is wanted.
    """
    book = head_book(reading, bond.agreement.id)
    start = book.ours[-1].head.n_leaves if book.ours else 0
    n, first = 0, None
    for leaf in islice(reading.ledgers.leaves(bond.agreement.id, start=start), LOOKED_AT):
        at = from_rfc3339(leaf.at)
        if leaf.act is not act or at >= before:
            continue
        if act is Act.ADMISSION and book.exchanged_at is not None and at <= book.exchanged_at:
            continue
        n, first = n + 1, first or at
    return n, first


def _renew(bond: Bond, now: datetime) -> Iterator[Missed]:
    agreement = bond.agreement
    steps = [(days, _level(days)) for days in RENEW_DAYS]
    if agreement.clocks.renew_by_days:
        steps.append((agreement.clocks.renew_by_days, Level.MEDIUM))
    length = agreement.valid_until_at - agreement.valid_from_at
    passed = [
        (days, level)
        for days, level in steps
        if now >= agreement.valid_until_at - timedelta(days=days) and timedelta(days=days) < length
    ]
    if passed:
        level = max((level for _, level in passed), key=lambda one: one.severity)
        days = min(days for days, _ in passed)
        due_at = agreement.valid_until_at - timedelta(days=days)
        yield Missed(clock=Clock.RENEW, is_ours=True, due_at=due_at, n=days, level=level)


def _level(days: int) -> Level:
    return Level.HIGH if days <= 1 else Level.MEDIUM if days <= 7 else Level.LOW


def _has_successor(book: AgreementBook, bond: Bond) -> bool:
    """Whether a later version, or another agreement with this ally, goes on behind its end."""
    end = bond.agreement.valid_until_at
    others: Sequence[Bond] = [one for one in book.bonds() if one.ally.id == bond.ally.id and not one.ended]
    return bond.ended == "amended" or any(one.agreement.is_in_force(end) for one in others)


def _raise(store: Store, signals: Signals, bond: Bond, one: Missed, *, now: datetime) -> Missed:
    why = f"{_words(bond, one, now)} [{CODES[one.clock]}]"
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.OUT if one.is_ours else Direction.IN,
        state=CrossingState.REFUSED,
        object_id=one.what,
        object_type=one.what.partition("--")[0],
        version="",
        why=why,
        created_at=now,
    )
    with store.write() as tx:
        record(tx, bond, [leaf], now=now, act=Act.ALARM)
    side = "ours" if one.is_ours else "theirs"
    alarm = Alarm(
        code=CODES[one.clock],
        title=_TITLES[one.clock, one.is_ours],
        ally=bond.ally.name,
        why=why,
        level=one.level,
        occasion=f"{side}, since {one.due_at:%Y-%m-%d %H:%M:%S}Z",
    )
    incidents = raise_alarm(store, signals, alarm, now=now)
    return replace(one, incident=incidents[0] if incidents else "")


def _words(bond: Bond, one: Missed, now: datetime) -> str:
    who = "this node" if one.is_ours else show(bond.ally.name, 80)
    since = f"since {one.due_at:%Y-%m-%d %H:%M:%S}Z"
    match one.clock:
        case Clock.SHARE:
            return f"{who} is late with {one.n:,} objects, the oldest {since}"
        case Clock.ACKNOWLEDGE:
            return f"{who} has not acknowledged {one.n:,} objects, the oldest {since}"
        case Clock.CONSULT:
            return f"{who} has said no word on {one.n:,} serious incidents, on the oldest {since}"
        case Clock.RENEW:
            left = bond.agreement.valid_until_at - now
            hours = max(0, int(left / timedelta(hours=1)))
            end = f"{bond.agreement.valid_until_at:%Y-%m-%d %H:%M}Z"
            return f"the agreement ends on {end}, in {hours // 24} days {hours % 24} h, and nothing follows it"


def _key(agreement: str) -> str:
    return f"clocks:{agreement}"


def _heard(agreement: str) -> str:
    return f"clocks-heard:{agreement}"

"""What an ally sent is tried on the last 24 hours before it is looked with; the agreement says how long that may take.

A trial is ended by the look (used, or put aside as noise), the clock (used or held, as the clause says), or a person.
Where no records are kept there is nothing to try it on, and the clause's word counts at once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.lake_ports import head_in
from amagasa.app.past import digest_of
from amagasa.app.ports import (
    AgreementBook,
    Bond,
    ContentItem,
    ContentKind,
    Crossing,
    CrossingState,
    Direction,
    Reading,
    Store,
    Writing,
)
from amagasa.app.quarantine import lifted_in, put_aside, tell_here
from amagasa.app.recording import record
from amagasa.app.signals import Signals
from amagasa.app.trial_ports import Stage, Tried
from amagasa.share.ledger import Act
from amagasa.share.terms import Otherwise, Trial
from amagasa.vocab.text import show

BACK: Final = timedelta(hours=24)
TOPIC: Final = "trial"
HELD: Final = "AMG-CONTENT-HELD"
AT_ONCE: Final = 1_000
MAX_LEAVES: Final = 100  # of one look; the rest is counted in one


class Look(Struct, frozen=True, kw_only=True):
    """What the past says of one item as it was then (`digest`). `why_not`: "" where all of the time was looked at."""

    digest: str
    since: datetime
    n: int = 0
    n_hosts: int = 0
    an_hour: int = 0
    why_not: str = ""

    def words(self) -> str:
        """As it is told."""
        if not self.n:
            return "it would have found nothing in 24 h"
        hosts = f" on {self.n_hosts:,} host{'s' if self.n_hosts != 1 else ''}" if self.n_hosts else ""
        return f"it would have found {self.n:,} in 24 h{hosts}"


def has_past(reading: Reading) -> bool:
    """Whether records are kept here, on which something could be tried."""
    return any(head_in(position.token) is not None for position in reading.positions())


def begin(item: ContentItem, terms: Trial, before: ContentItem | None, *, may_look: bool, now: datetime) -> ContentItem:
    """The item as it is to be kept: on trial, in use, or held.

    What is looked for as before goes on as it stood: sent again it neither begins a clock anew nor ends one.
    """
    if not item.is_active:
        return item
    is_same = before is not None and before.origin == item.origin and is_same_sought(before, item)
    if before is not None and is_same and before.tried is not None:
        return replace(item, is_active=before.is_active, tried=before.tried, fault=before.fault)
    if not terms.wait_s:
        return item
    until = now + timedelta(seconds=terms.wait_s)
    tried = Tried(stage=Stage.WAITING, until=until, otherwise=terms.otherwise, noisy_an_hour=terms.noisy_an_hour)
    if may_look:
        return replace(item, is_active=False, tried=tried)
    return _without(item, replace(tried, until=now, looked_at=now), "no records are kept here")


def is_same_sought(one: ContentItem, other: ContentItem) -> bool:
    """Whether both look for the same."""
    return _sought(one) == _sought(other)


def _sought(item: ContentItem) -> str:
    return item.text if item.kind is ContentKind.SIGMA else str(msgspec.json.decode(item.text).get("pattern"))


def on_trial(store: Store, *, limit: int) -> list[ContentItem]:
    """What is to be looked for now, the most urgent first. Raises WorldError."""
    with store.read() as reading:
        return reading.content_on_trial(limit=limit)


def end_clocks(store: Store, signals: Signals, book: AgreementBook, *, now: datetime) -> list[str]:
    """Of what the clock ended before the past was looked at: used or held, as its clause says. Raises WorldError."""
    with store.read() as reading:
        if not reading.content_on_trial(now, limit=1):
            return []
    with store.write() as tx:
        items = tx.content_on_trial(now, limit=AT_ONCE)
        ended = [_without(item, _tried(item), "the past was not looked at in time") for item in items]
        tx.save_contents(ended)
        for bond, some in _by_bond(book, ended, now):
            for otherwise in Otherwise:
                of_it = [one for one in some if _tried(one).otherwise is otherwise]
                if of_it:
                    _leaf(tx, bond, of_it, _tried(of_it[0]).why, now=now)
    ids = [item.id for item in ended]
    signals.publish("content", {"ids": ids})
    return ids


def decide(
    store: Store, signals: Signals, book: AgreementBook, looks: Mapping[str, Look], *, now: datetime
) -> list[str]:
    """What follows from a look at the past; the identifiers of what was put aside. Raises WorldError.

    An item whose clock ended meanwhile is judged as well; one that is another now is not.
    """
    aside: list[tuple[ContentItem, Look]] = []
    used: list[ContentItem] = []
    with store.write() as tx:
        lifted = lifted_in(tx)
        bonds = {bond.ally.id: bond for bond in _bonds(book, now)}
        for item in tx.content_items(looks):
            look = looks[item.id]
            if not _awaits(item) or digest_of(item) != look.digest:
                continue
            judged = _judged(item, look, is_lifted=item.id in lifted, now=now)
            if _tried(judged).stage is Stage.NOISY:
                put_aside(tx, bonds.get(item.origin), judged, look.words(), n=look.an_hour, now=now)
                aside.append((judged, look))
            else:
                used.append(judged)
        tx.save_contents(used)
        for bond, some in _by_bond(book, used, now):
            _note(tx, bond, some, now=now)
    if aside or used:
        signals.publish("content", {"ids": [one.id for one in used] + [one.id for one, _ in aside]})
    for item, look in aside:
        name = bonds[item.origin].ally.name if item.origin in bonds else item.origin
        tell_here(store, signals, item, ally=name, why=look.words(), now=now)
    return [item.id for item, _ in aside]


def _awaits(item: ContentItem) -> bool:
    tried = item.tried
    return tried is not None and tried.looked_at is None and (tried.is_open or tried.stage is Stage.UNTRIED)


def _judged(item: ContentItem, look: Look, *, is_lifted: bool, now: datetime) -> ContentItem:
    before = _tried(item)
    tried = replace(
        before,
        since=look.since,
        looked_at=now,
        n=look.n,
        n_hosts=look.n_hosts,
        an_hour=look.an_hour,
        is_whole=not look.why_not,
        why=look.words(),
    )
    if look.an_hour >= before.noisy_an_hour and not is_lifted:
        return replace(item, tried=replace(tried, stage=Stage.NOISY))
    if look.why_not and before.is_open:
        return _without(item, tried, f"not all of the past could be looked at ({show(look.why_not, 100)})")
    return replace(item, is_active=True, fault="", tried=replace(tried, stage=Stage.PASSED))


def _without(item: ContentItem, tried: Tried, why: str) -> ContentItem:
    """The clause's word where the past says nothing."""
    if tried.otherwise is Otherwise.ACTIVATE:
        return replace(item, is_active=True, tried=replace(tried, stage=Stage.UNTRIED, why=f"{why}: it is used"))
    held = f"{why}: it waits"
    fault = f"{held}; amagasa content lift {show(item.id)} uses it [{HELD}]"
    return replace(item, is_active=False, fault=fault, tried=replace(tried, stage=Stage.HELD, why=held))


def _tried(item: ContentItem) -> Tried:
    if item.tried is None:
        message = "no item on trial"
        raise ValueError(message)
    return item.tried


def _bonds(book: AgreementBook, now: datetime) -> list[Bond]:
    """Those in force last, so that they count where there are several with one ally."""
    return sorted(book.bonds(), key=lambda bond: bond.agreement.is_in_force(now) and not bond.ended)


def _by_bond(book: AgreementBook, items: Sequence[ContentItem], now: datetime) -> list[tuple[Bond, list[ContentItem]]]:
    bonds = {bond.ally.id: bond for bond in _bonds(book, now)}
    found = {ally: [item for item in items if item.origin == ally] for ally in bonds}
    return [(bonds[ally], some) for ally, some in found.items() if some]


def _note(tx: Writing, bond: Bond, items: Sequence[ContentItem], *, now: datetime) -> None:
    """A leaf for each that would have found something, and one for all that would not."""
    telling = [item for item in items if _tried(item).n or _tried(item).stage is not Stage.PASSED]
    for item in telling[:MAX_LEAVES]:
        _leaf(tx, bond, [item], _tried(item).why, now=now)
    if telling[MAX_LEAVES:]:
        _leaf(tx, bond, telling[MAX_LEAVES:], "each would have found something in 24 h or could not be tried", now=now)
    told = {item.id for item in telling}
    quiet = [item for item in items if item.id not in told]
    if quiet:
        _leaf(tx, bond, quiet, _tried(quiet[0]).why, now=now)


def _leaf(tx: Writing, bond: Bond, items: Sequence[ContentItem], why: str, *, now: datetime) -> None:
    """One for these together: it names the one, or has the digest of the list of all."""
    ids = [item.id for item in items]
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.IN,
        state=CrossingState.ADMITTED,
        object_id=ids[0] if len(ids) == 1 else "",
        object_type="indicator",
        version="",
        content=msgspec.json.encode(sorted(ids)),
        why=why if len(ids) == 1 else f"{len(ids):,} tried: {why}",
        created_at=now,
    )
    record(tx, bond, [leaf], now=now, act=Act.TRIAL)

"""What an ally sent and turns out to be noise is put aside by itself: the ally is told, and a person may lift it.

Noise is judged by what it found since it is in use, and by what it would have found in the past (`app.past`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.alarms import Alarm, raise_alarm
from amagasa.app.pages import Page
from amagasa.app.past import META as PAST
from amagasa.app.past import Past
from amagasa.app.permissions import Act as May
from amagasa.app.permissions import Actor, require
from amagasa.app.ports import (
    AgreementBook,
    Bond,
    ContentItem,
    Crossing,
    CrossingState,
    Direction,
    Reading,
    Store,
    Writing,
)
from amagasa.app.recording import record
from amagasa.app.signals import Signals
from amagasa.app.trial_ports import Stage
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

# Findings of one item within an hour: a unit that reads one alert in four seconds is filled by it alone.
NOISY: Final = 1_000
CODE: Final = "AMG-CONTENT-NOISY"
TOLD: Final = "AMG-ALLY-QUARANTINED"
MAX_NOTICES: Final = 20
MAX_LIFTED: Final = 1_000
_HOUR: Final = timedelta(hours=1)
_LOOKED_AT: Final = 2_000
_LIFTED: Final = "quarantine-lifted"


class Notice(Struct, frozen=True, kw_only=True):
    """What the sender is told: which of its objects found so many within an hour, and was put aside at `at`."""

    object_id: str
    n: int
    at: datetime


def quarantine(store: Store, signals: Signals, book: AgreementBook, *, now: datetime) -> list[str]:
    """Put aside what is noisy now; the identifiers. Raises WorldError."""
    with store.read() as reading:
        noisy = _noisy(reading, least=_least(book), now=now)
        lifted = lifted_in(reading)
        held = [one for one in reading.content_items(noisy) if one.origin and one.is_active and one.id not in lifted]
        items = [one for one in held if noisy[one.id] >= (one.tried.noisy_an_hour if one.tried else NOISY)]
    if not items:
        return []
    bonds = {bond.ally.id: bond for bond in book.bonds()}
    with store.write() as tx:
        for item in items:
            n = noisy[item.id]
            put_aside(tx, bonds.get(item.origin), item, f"it found {n:,} within an hour", n=n, now=now)
    ids = [item.id for item in items]
    signals.publish("content", {"ids": ids})
    for item in items:
        name = bonds[item.origin].ally.name if item.origin in bonds else item.origin
        tell_here(store, signals, item, ally=name, why=f"found {noisy[item.id]:,} within an hour", now=now)
    return ids


def put_aside(tx: Writing, bond: Bond | None, item: ContentItem, why: str, *, n: int, now: datetime) -> None:
    """Look with it no longer: said at the item, in the record, and to the ally. `n` is what it finds within an hour."""
    fault = f"put aside: {why}; amagasa content lift {show(item.id)} [{CODE}]"
    tx.save_content(replace(item, is_active=False, activated_at=None, fault=fault))
    if bond is not None:
        _leaf(tx, bond, item, fault, now=now)
        _give_notice(tx, bond.agreement.id, Notice(object_id=item.id, n=n, at=now))


def tell_here(store: Store, signals: Signals, item: ContentItem, *, ally: str, why: str, now: datetime) -> None:
    """An alert for what was put aside."""
    told = f"{show(item.title, 80)}: {why} and was put aside [{CODE}]"
    title = "What an ally sent was noise and was put aside"
    alarm = Alarm(code=CODE, title=title, ally=ally, why=told, level=Level.MEDIUM, occasion=item.id)
    raise_alarm(store, signals, alarm, now=now)


def lift(store: Store, signals: Signals, actor: Actor, content_id: str) -> None:
    """Look with it again, and do not put it aside by itself any more.

    Raises DeniedError, and BadInputError AMG-CONTENT-NOT-ASIDE where it is not put aside.
    """
    require(actor, May.WRITE_CONTENT)
    with store.write() as tx:
        item = next(iter(tx.content_items([content_id])), None)
        if item is None or not (is_aside(item) or is_held(item)):
            raise BadInputError(
                "AMG-CONTENT-NOT-ASIDE",
                "this is no rule or indicator that was put aside or waits for a person",
                expected="the identifier of one, as `amagasa content list` shows it",
                got=content_id,
                then="nothing was changed",
            )
        tried = item.tried and replace(item.tried, stage=Stage.LIFTED, why=f"used on the word of {show(actor.name)}")
        added_by = f"{item.added_by}, lifted by {actor.name}"
        tx.save_content(replace(item, is_active=True, fault="", added_by=added_by, tried=tried))
        kept = [*(one for one in _lifted(tx) if one != content_id), content_id][-MAX_LIFTED:]
        tx.save_meta(_LIFTED, msgspec.json.encode(kept).decode())
    signals.publish("content", {"ids": [content_id]})


def is_aside(item: ContentItem) -> bool:
    """Whether it was put aside."""
    return not item.is_active and item.fault.endswith(f"[{CODE}]")


def is_held(item: ContentItem) -> bool:
    """Whether it waits for a person or for the end of its trial."""
    return item.tried is not None and item.tried.stage is Stage.HELD


def lifted_in(reading: Reading) -> frozenset[str]:
    """What a person put to use: it is never put aside by itself."""
    return frozenset(_lifted(reading))


def notices(reading: Reading, agreement: str) -> tuple[Notice, ...]:
    """What the ally is told, the newest last."""
    return _notices(reading, f"quarantine-notices:{agreement}")


def heard(reading: Reading, agreement: str) -> tuple[Notice, ...]:
    """What the ally said that it put aside of ours, the newest last."""
    return _notices(reading, f"quarantine-heard:{agreement}")


def hear(tx: Writing, bond: Bond, told: Sequence[Notice]) -> list[Notice]:
    """What the ally put aside of ours and we did not know of yet."""
    key = f"quarantine-heard:{bond.agreement.id}"
    known = _notices(tx, key)
    new = [one for one in told[:MAX_NOTICES] if one not in known]
    if new:
        tx.save_meta(key, msgspec.json.encode([*known, *new][-4 * MAX_NOTICES :]).decode())
    return new


def tell_of(store: Store, signals: Signals, bond: Bond, heard: Sequence[Notice], *, now: datetime) -> None:
    """An alert for what the ally put aside: whoever sent it may take it back or mend it. Raises WorldError."""
    for one in heard:
        why = f"{show(one.object_id)} found {one.n:,} within an hour there and was put aside [{TOLD}]"
        title = "An ally put aside what this node sent"
        alarm = Alarm(
            code=TOLD, title=title, ally=bond.ally.name, why=why, level=Level.LOW, occasion=show(one.object_id)
        )
        raise_alarm(store, signals, alarm, now=now)


def _least(book: AgreementBook) -> int:
    """The fewest findings within an hour that any clause calls noise."""
    return min(
        (clause.trial.noisy_an_hour for bond in book.bonds() for clause in bond.agreement.clauses), default=NOISY
    )


def _noisy(reading: Reading, *, least: int, now: datetime) -> dict[str, int]:
    """How often each found within an hour, of those that did so often at least."""
    found: dict[str, int] = {}
    cursor: str | None = None
    n_seen = 0
    while n_seen < _LOOKED_AT:
        alerts, cursor = reading.alerts(Page(limit=500, before=cursor))
        for alert in alerts:
            if alert.origin and now - alert.created_at < _HOUR:
                found[alert.content_id] = found.get(alert.content_id, 0) + alert.n_detections
        n_seen += len(alerts)
        if cursor is None or not alerts or now - alerts[-1].updated_at > _HOUR:
            break
    past = reading.meta(PAST)
    held: Mapping[str, Past] = msgspec.json.decode(past, type=dict[str, Past]) if past else {}
    for content_id, one in held.items():
        found[content_id] = max(found.get(content_id, 0), _an_hour(one))
    return {content_id: n for content_id, n in found.items() if n >= least}


def _an_hour(past: Past) -> int:
    if past.first_at is None or past.last_at is None:
        return 0
    return an_hour(past.n, past.last_at - past.first_at)


def an_hour(n: int, span: timedelta) -> int:
    """So many within a span, in each of its hours."""
    return int(n / max(1.0, span / _HOUR))


def _give_notice(tx: Writing, agreement: str, notice: Notice) -> None:
    kept = [*notices(tx, agreement), notice][-MAX_NOTICES:]
    tx.save_meta(f"quarantine-notices:{agreement}", msgspec.json.encode(kept).decode())


def _notices(reading: Reading, key: str) -> tuple[Notice, ...]:
    kept = reading.meta(key)
    return msgspec.json.decode(kept, type=tuple[Notice, ...]) if kept else ()


def _lifted(reading: Reading) -> list[str]:
    kept = reading.meta(_LIFTED)
    return msgspec.json.decode(kept, type=list[str]) if kept else []


def _leaf(tx: Writing, bond: Bond, item: ContentItem, why: str, *, now: datetime) -> None:
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.IN,
        state=CrossingState.REFUSED,
        object_id=item.id,
        object_type="indicator",
        version="",
        why=why,
        created_at=now,
    )
    record(tx, bond, [leaf], now=now, act=Act.QUARANTINE)

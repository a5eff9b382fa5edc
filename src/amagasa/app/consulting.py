"""Serious incidents on which the two parties consult: who owes the first word, and the word when it came.

Whoever gives an incident of high severity has spoken first; the other answers with one of a few words. It is no free
text: nothing leaves beside the clauses. Words ride along with the tree heads, and each is a leaf on both sides.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act as May
from amagasa.app.permissions import Actor, require
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Store, Writing
from amagasa.app.recording import record
from amagasa.app.sharing import in_force
from amagasa.app.signals import Signals
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show

MAX_TALKS: Final = 200
MAX_WORDS: Final = 20  # in one message
LOOKED_AT: Final = 5_000  # leaves, of one look
# A record from before this node counted is not called late now.
OLDEST: Final = timedelta(days=1)
_GIVEN: Final = frozenset([Act.DELIVERY, Act.ADMISSION])


class Answer(StrEnum):
    """The first word."""

    SEEN = "seen"
    WORKING = "working"
    CALL = "call-us"


class Word(Struct, frozen=True, kw_only=True):
    """A party's first word on the incident which the other gave it."""

    object_id: str
    answer: Answer
    at: datetime


class Talk(Struct, frozen=True, kw_only=True):
    """One incident: `is_ours` where we owe the word. `told_at` is when the ally took it."""

    object_id: str
    is_ours: bool
    since: datetime
    word: Word | None = None
    by: str = ""
    told_at: datetime | None = None


def talks_of(reading: Reading, agreement: str) -> tuple[Talk, ...]:
    """The newest last."""
    kept = reading.meta(_key(agreement))
    return msgspec.json.decode(kept, type=tuple[Talk, ...]) if kept else ()


def follow(tx: Writing, bond: Bond, *, now: datetime) -> None:
    """Note the serious incidents that crossed since the last look."""
    agreement = bond.agreement.id
    start = int(tx.meta(_seen(agreement)) or 0)
    end = min(tx.ledgers.frontier(agreement).n, start + LOOKED_AT)
    if start == end:
        return
    found: dict[str, tuple[Direction, datetime]] = {}
    for leaf in _leaves(tx, agreement, start, end):
        at = from_rfc3339(leaf.at)
        if leaf.object_type == "incident" and leaf.act in _GIVEN and now - at < OLDEST:
            found[leaf.object_id] = (Direction.OUT if leaf.act is Act.DELIVERY else Direction.IN, at)
    talks = {talk.object_id: talk for talk in talks_of(tx, agreement)}
    for way in Direction:
        ids = [one for one, (direction, _) in found.items() if direction is way and one not in talks]
        for crossing in tx.crossings_of(bond.ally.id, way, ids):
            if _is_serious(crossing.content):
                is_ours, since = way is Direction.IN, found[crossing.object_id][1]
                talks[crossing.object_id] = Talk(object_id=crossing.object_id, is_ours=is_ours, since=since)
    _keep(tx, agreement, list(talks.values()))
    tx.save_meta(_seen(agreement), str(end))


def answer(  # noqa: PLR0913 - who says what, on what, to whom: one sentence
    store: Store, signals: Signals, actor: Actor, book: AgreementBook, *, object_id: str, word: Answer, now: datetime
) -> Talk:
    """Our first word on an incident that an ally gave us; a second changes nothing.

    Raises DeniedError, and BadInputError AMG-CONSULT-UNKNOWN where no word is owed on it.
    """
    require(actor, May.TRIAGE)
    for bond in in_force(book, now):
        with store.write() as tx:
            follow(tx, bond, now=now)
            talks = talks_of(tx, bond.agreement.id)
            talk = next((one for one in talks if one.object_id == object_id and one.is_ours), None)
            if talk is None or talk.word is not None:
                if talk is not None:
                    return talk
                continue
            said = replace(talk, word=Word(object_id=object_id, answer=word, at=now), by=show(actor.name))
            _keep(tx, bond.agreement.id, [said if one is talk else one for one in talks])
            _leaf(tx, bond, said, Direction.OUT, now=now)
        signals.publish("outbox", {"ally": bond.ally.id})
        return said
    raise BadInputError(
        "AMG-CONSULT-UNKNOWN",
        "no ally waits for a word on this",
        expected="the identifier of a serious incident that an ally gave, as `amagasa ally status --json` shows it",
        got=object_id,
        then="nothing was said",
    )


def to_say(reading: Reading, agreement: str) -> tuple[Word, ...]:
    """Our words, those not told yet first."""
    said = [talk for talk in talks_of(reading, agreement) if talk.is_ours and talk.word is not None]
    said.sort(key=lambda talk: talk.told_at is not None)
    return tuple(talk.word for talk in said[:MAX_WORDS] if talk.word is not None)


def has_untold(reading: Reading, agreement: str) -> bool:
    """Whether a word of ours waits to be told."""
    return any(talk.word is not None and talk.is_ours and talk.told_at is None for talk in talks_of(reading, agreement))


def said_now(tx: Writing, bond: Bond, words: Sequence[Word], *, now: datetime) -> None:
    """The ally has these words of ours."""
    ids = {word.object_id for word in words}
    talks = talks_of(tx, bond.agreement.id)
    told = [replace(one, told_at=now) if one.object_id in ids and one.told_at is None else one for one in talks]
    if told != list(talks):
        _keep(tx, bond.agreement.id, told)


def hear_words(tx: Writing, bond: Bond, words: Sequence[Word], *, now: datetime) -> None:
    """The ally's words on what we gave it; one on anything else counts for nothing."""
    if not words:
        return
    follow(tx, bond, now=now)
    said = {word.object_id: word for word in words[:MAX_WORDS]}
    talks = list(talks_of(tx, bond.agreement.id))
    for number, talk in enumerate(talks):
        if not talk.is_ours and talk.word is None and talk.object_id in said:
            talks[number] = replace(talk, word=said[talk.object_id], told_at=now)
            _leaf(tx, bond, talks[number], Direction.IN, now=now)
    if tuple(talks) != talks_of(tx, bond.agreement.id):
        _keep(tx, bond.agreement.id, talks)


def _leaves(reading: Reading, agreement: str, start: int, end: int) -> Iterator[Any]:
    for leaf in reading.ledgers.leaves(agreement, start=start):
        if leaf.n >= end:
            return
        yield leaf


def _is_serious(content: bytes) -> bool:
    """By the severity that crossed: what a clause strips is known to neither side."""
    try:
        extensions = msgspec.json.decode(content, type=dict[str, Any]).get("extensions", {})
        severities = [one.get("severity", 0) for one in extensions.values() if isinstance(one, dict)]
    except (msgspec.DecodeError, AttributeError):
        return False
    return any(isinstance(one, int) and one >= Severity.HIGH for one in severities)


def _leaf(tx: Writing, bond: Bond, talk: Talk, way: Direction, *, now: datetime) -> None:
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=way,
        state=CrossingState.DELIVERED if way is Direction.OUT else CrossingState.ADMITTED,
        object_id=talk.object_id,
        object_type="incident",
        version="",
        content=msgspec.json.encode(talk.word),
        why=f"first word: {talk.word.answer.value}" if talk.word is not None else "",
        decided_by=talk.by,
        created_at=now,
    )
    record(tx, bond, [leaf], now=now, act=Act.CONSULTATION)


def _keep(tx: Writing, agreement: str, talks: Sequence[Talk]) -> None:
    """Those still open stay before those that are over."""
    done = [one for one in talks if one.word is not None and (not one.is_ours or one.told_at is not None)]
    over = {one.object_id for one in done[: max(0, len(talks) - MAX_TALKS)]}
    kept = [one for one in talks if one.object_id not in over][-2 * MAX_TALKS :]
    tx.save_meta(_key(agreement), msgspec.json.encode(kept).decode())


def _key(agreement: str) -> str:
    return f"consultations:{agreement}"


def _seen(agreement: str) -> str:
    return f"consultations-seen:{agreement}"

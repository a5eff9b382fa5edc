"""What leaves for the allies: each object is put before each agreement in force, and what comes of it is a crossing.

A crossing is written in the transaction of whatever caused it, so nothing is announced that was not kept and nothing
kept is forgotten to be announced. An object that grows does not make a crossing for each step: what has not left yet
is replaced by what is true now, and after something has left the next version waits a moment.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.budgets import budget_of, is_within, spend, spent_of
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Writing
from amagasa.app.provenance import Source, known_of, learnt_of
from amagasa.app.recording import record
from amagasa.app.signals import Signals
from amagasa.app.taking_back import expect
from amagasa.intel.stix import instant_of
from amagasa.share.agreement import Agreement, Clause
from amagasa.share.known import Known
from amagasa.share.release import release
from amagasa.share.timing import leaves_at
from amagasa.share.treatment import key_of, sent_id
from amagasa.share.verdict import Release, Released, Wanting, Withheld
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.tlp import tlp_of_word

# A scan makes an alert grow every second; its reader needs the count, not each step of it.
THROTTLE_S: Final = 10.0
_NOT_YET_GONE: Final = frozenset({CrossingState.PENDING, CrossingState.WANTING, CrossingState.WITHHELD})


# Among the changes of a crossing that takes back what left, or keeps back what was to leave.
RETRACTED: Final = ("revoked", "retracted")


def is_retraction(crossing: Crossing) -> bool:
    """Whether it takes an object back: then no later version of it leaves by itself."""
    return RETRACTED in crossing.changes


class SignedAgreements:
    """`app.ports.AgreementBook` over whatever gives the agreements with valid signatures, asked anew each time."""

    def __init__(self, party_id: str, agreements: Callable[[], Sequence[Agreement]]) -> None:
        self._party_id = party_id
        self._agreements = agreements

    def bonds(self) -> tuple[Bond, ...]:
        """Those of which we are a party."""
        return tuple(
            Bond(agreement=agreement, ally=agreement.ally_of(self._party_id))
            for agreement in self._agreements()
            if self._party_id in {party.id for party in agreement.parties}
        )


class Offer(Struct, frozen=True, kw_only=True):
    """What would become of an object towards one ally."""

    ally: str
    agreement: str
    verdict: Release


def in_force(book: AgreementBook, now: datetime) -> tuple[Bond, ...]:
    """One bond for each ally: of its agreements in force the one that began last, and of these the highest version."""
    newest: dict[str, Bond] = {}
    for bond in book.bonds():
        if bond.agreement.is_in_force(now):
            held = newest.get(bond.ally.id)
            if held is None or _age(bond) > _age(held):
                newest[bond.ally.id] = bond
    return tuple(newest.values())


def preview(
    actor: Actor, objects: Sequence[Mapping[str, Any]], *, book: AgreementBook, now: datetime, secret: bytes
) -> tuple[Offer, ...]:
    """The exact bytes that would leave, by which clause, or why they would not. Nothing is kept."""
    require(actor, Act.READ)
    return tuple(
        Offer(
            ally=bond.ally.id,
            agreement=bond.agreement.id,
            verdict=release(obj, bond.ally, bond.agreement, now=now, secret=secret),
        )
        for bond in in_force(book, now)
        for obj in objects
    )


def release_changes(  # noqa: PLR0913 - what, by which terms, and what we know of it: one sentence
    tx: Writing,
    objects: Sequence[Mapping[str, Any]],
    *,
    book: AgreementBook,
    now: datetime,
    secret: bytes,
    throttle_s: float = THROTTLE_S,
    sources: Mapping[str, Collection[Source]] | None = None,
    allies: Collection[str] | None = None,
) -> tuple[Crossing, ...]:
    """Put new or changed objects before each ally's agreement, and keep the crossings that are new or changed.

    Released ones are PENDING (the outbox), others WANTING or WITHHELD with the reason. Of each object one crossing is
    open at a time: a newer version takes its place. A version within `throttle_s` of the last that left is due only
    then. What a release officer refused stays refused in its later versions. `sources` say from whom each object (by
    its identifier) was learnt; `allies` are those to whom it may go at all, None for every one. Announce after the
    commit (`announce`).
    """
    made: list[Crossing] = []
    for bond in in_force(book, now):
        if allies is not None and bond.ally.id not in allies:
            continue
        made += _Letting(tx, bond, book, secret=secret, now=now).let(
            objects, sources or {}, throttle=timedelta(seconds=throttle_s)
        )
    return tuple(made)


def last_sent(reading: Reading, bond: Bond, ids: Sequence[str], *, secret: bytes, now: datetime) -> dict[str, Crossing]:
    """The newest crossing of each object towards this ally, by our own identifier."""
    key = key_of(bond.agreement, secret=secret, now=now)
    us = bond.agreement.ally_of(bond.ally.id).id
    sent = [sent_id(one, bond.agreement, us, key=key) for one in ids]
    found = reading.crossings_of(bond.ally.id, Direction.OUT, dict.fromkeys([*ids, *sent]))
    return {one.known_as: one for one in sorted(found, key=lambda one: one.id)}


class _Letting:
    """Puts objects before one ally's agreement, in one transaction."""

    def __init__(self, tx: Writing, bond: Bond, book: AgreementBook, *, secret: bytes, now: datetime) -> None:
        self._tx = tx
        self._bond = bond
        self._book = book
        self._secret = secret
        self._now = now
        self._us = bond.agreement.ally_of(bond.ally.id).id
        self._budget = budget_of(bond)

    def let(
        self,
        objects: Sequence[Mapping[str, Any]],
        sources: Mapping[str, Collection[Source]],
        *,
        throttle: timedelta,
    ) -> list[Crossing]:
        made: list[Crossing] = []
        ids = [identifier for obj in objects if isinstance(identifier := obj.get("id"), str)]
        last = last_sent(self._tx, self._bond, ids, secret=self._secret, now=self._now)
        known = known_of(self._tx, objects, self._bond, us=self._us)
        for obj in objects:
            learnt = learnt_of(self._tx, sources.get(obj.get("id", ""), ()), self._book)
            new = self._judge(obj, replace(known, learnt=learnt))
            before = last.get(new.known_as)
            if before is not None and is_retraction(before):
                continue
            if new.state is CrossingState.WITHHELD:
                known = replace(known, withheld=known.withheld | {new.known_as})
            kept = _keep(self._tx, new, before, throttle=throttle)
            if kept is None:
                continue
            made.append(kept)
            last[kept.known_as] = kept
            is_more = before is None or before.id != kept.id or before.state is not CrossingState.PENDING
            if self._budget is not None and kept.state is CrossingState.PENDING and is_more:
                spend(self._tx, self._bond.agreement.id, kept, self._now)
        record(self._tx, self._bond, made, now=self._now)
        expect(self._tx, made, now=self._now)
        return made

    def _judge(self, obj: Mapping[str, Any], known: Known) -> Crossing:
        if obj.get("created_by_ref") not in {None, self._us} and isinstance(obj.get("id"), str):
            known = replace(known, foreign=known.foreign | {obj["id"]})
        verdict = release(obj, self._bond.ally, self._bond.agreement, now=self._now, secret=self._secret, known=known)
        new = crossing_of(verdict, self._bond, version=version_of(obj), now=self._now)
        identifier = obj.get("id")
        if isinstance(identifier, str) and new.state is not CrossingState.WITHHELD and identifier != new.object_id:
            new = replace(new, ours=identifier)
        if new.state is not CrossingState.PENDING:
            return new
        if self._budget is not None:
            spent = spent_of(self._tx, self._bond.agreement.id, self._now)
            if not is_within(self._budget, spent, new):
                why = "the budget of this agreement is spent for today [AMG-SHARE-BUDGET]"
                return replace(new, state=CrossingState.WITHHELD, content=b"", changes=(), why=why)
        due_at = held_until(new, self._bond, self._now, secret=self._secret)
        return replace(new, created_at=due_at, next_try_at=due_at) if due_at > self._now else new


def announce(signals: Signals, crossings: Sequence[Crossing]) -> None:
    """Tell the doors, after the commit: `crossing` for the console, `outbox` for each ally with something to send."""
    if crossings:
        signals.publish("crossing", {"ids": [one.id for one in crossings]})
    for ally in dict.fromkeys(one.ally for one in crossings if one.state is CrossingState.PENDING):
        signals.publish("outbox", {"ally": ally})


def may_still_leave(crossing: Crossing, bond: Bond) -> bool:
    """Whether the clause by which it was released still stands: agreements are amended while an ally is away.

    What takes an object back may always leave while an agreement with the ally is in force.
    """
    if is_retraction(crossing):
        return crossing.agreement == bond.agreement.id
    giver = bond.agreement.ally_of(bond.ally.id)
    marking = tlp_of_word(crossing.marking)
    return (
        crossing.agreement == bond.agreement.id
        and marking is not None
        and any(
            clause.id == crossing.clause
            and clause.giver == giver.id
            and crossing.object_type in clause.objects
            and marking <= clause.ceiling
            for clause in bond.agreement.clauses
        )
    )


def clause_of(crossing: Crossing, bond: Bond) -> Clause:
    """The clause by which it leaves. Raises BadInputError (AMG-SHARE-FORCE) where it is gone or lets it no longer."""
    if not may_still_leave(crossing, bond):
        raise BadInputError(
            "AMG-SHARE-FORCE",
            "the clause by which it would leave no longer stands",
            expected=f"the clause {crossing.clause} as it was",
            then="nothing was changed; the next version of the object is put before the agreement anew",
        )
    return next(clause for clause in bond.agreement.clauses if clause.id == crossing.clause)


def held_until(crossing: Crossing, bond: Bond, now: datetime, *, secret: bytes) -> datetime:
    """When it may leave: `now`, or later where its clause blurs the time."""
    clause = next((one for one in bond.agreement.clauses if one.id == crossing.clause), None)
    if clause is None or not (clause.batch_s or clause.jitter_s):
        return now
    key = key_of(bond.agreement, secret=secret, now=now)
    return leaves_at(clause, now, key=key, object_id=crossing.object_id, version=crossing.version)


def crossing_of(verdict: Release, bond: Bond, *, version: str, now: datetime) -> Crossing:
    """The verdict as a crossing that is not stored yet."""
    bare = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.OUT,
        state=CrossingState.WITHHELD,
        object_id="",
        object_type="",
        version=version,
        created_at=now,
    )
    match verdict:
        case Withheld():
            why = f"{verdict.why} [{verdict.code}]"
            return replace(bare, object_id=verdict.object_id, object_type=verdict.object_type, why=why)
        case Wanting():
            bare = replace(bare, state=CrossingState.WANTING, wants=verdict.roles, n_wanted=verdict.n_persons)
            return _with_content(bare, verdict.released)
        case Released():
            return _with_content(replace(bare, state=CrossingState.PENDING), verdict)


def version_of(obj: Mapping[str, Any]) -> str:
    """`modified`, else `created`, else "" (observables have neither)."""
    stated = obj.get("modified", obj.get("created", ""))
    return stated if isinstance(stated, str) else ""


def _with_content(bare: Crossing, released: Released) -> Crossing:
    return replace(
        bare,
        object_id=released.object_id,
        object_type=released.object_type,
        clause=released.clause,
        marking=released.marking.word,
        content=released.content,
        changes=tuple((change.path, change.what) for change in released.changes),
    )


def _keep(tx: Writing, new: Crossing, last: Crossing | None, *, throttle: timedelta) -> Crossing | None:
    """Store `new` beside or in the place of the object's last crossing; None where nothing is to be kept."""
    if last is None:
        return tx.add_crossing(new)
    if _instant(new.version) < _instant(last.version):
        return None
    is_same = new.version == last.version
    if is_same and (last.state is not CrossingState.WITHHELD or new.state is last.state):
        return None
    if last.state is CrossingState.REFUSED and last.decided_by and new.state is CrossingState.WANTING:
        return _replace(tx, last, replace(new, state=last.state, decided_by=last.decided_by, why=last.why))
    if last.state in _NOT_YET_GONE and not _is_consented(last):
        # One that is held leaves when it was to leave, however it grows meanwhile.
        created_at = last.created_at if last.created_at < new.created_at and last.next_try_at else new.created_at
        is_held = last.next_try_at == last.created_at
        stands = replace(new, n_tries=last.n_tries, next_try_at=last.next_try_at)
        stands = replace(stands, created_at=created_at) if is_held else stands
        return _replace(tx, last, stands if new.state is last.state is CrossingState.PENDING else new)
    if new.state is CrossingState.PENDING and new.next_try_at is None:
        due_at = (last.delivered_at or last.created_at) + throttle
        return tx.add_crossing(replace(new, next_try_at=due_at) if due_at > new.created_at else new)
    return tx.add_crossing(new)


def _replace(tx: Writing, last: Crossing, new: Crossing) -> Crossing:
    stored = replace(new, id=last.id)
    tx.update_crossing(stored)
    return stored


def _is_consented(crossing: Crossing) -> bool:
    # What a person let go leaves as it was looked at; the next version asks again.
    return crossing.state is CrossingState.PENDING and bool(crossing.decided_by)


def _instant(version: str) -> float:
    moment = instant_of(version)
    return moment.timestamp() if moment is not None else 0.0


def _age(bond: Bond) -> tuple[datetime, int]:
    return bond.agreement.valid_from_at, bond.agreement.version

"""What leaves for the allies: each object is put before each agreement in force, and what comes of it is a crossing.

A crossing is written in the transaction of whatever caused it, so nothing is announced that was not kept and nothing
kept is forgotten to be announced. An object that grows does not make a crossing for each step: what has not left yet
is replaced by what is true now, and after something has left the next version waits a moment.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Store, Writing
from amagasa.app.signals import Signals
from amagasa.intel.stix import instant_of
from amagasa.share.agreement import Agreement
from amagasa.share.release import release
from amagasa.share.verdict import Release, Released, Wanting, Withheld
from amagasa.vocab.errors import BadInputError

# A scan makes an alert grow every second; its reader needs the count, not each step of it.
THROTTLE_S: Final = 10.0
_NOT_YET_GONE: Final = frozenset({CrossingState.PENDING, CrossingState.WANTING, CrossingState.WITHHELD})


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


def release_changes(
    tx: Writing,
    objects: Sequence[Mapping[str, Any]],
    *,
    book: AgreementBook,
    now: datetime,
    secret: bytes,
    throttle_s: float = THROTTLE_S,
) -> tuple[Crossing, ...]:
    """Put new or changed objects before each ally's agreement, and keep the crossings that are new or changed.

    Released ones are PENDING (the outbox), others WANTING or WITHHELD with the reason. Of each object one crossing is
    open at a time: a newer version takes its place. A version within `throttle_s` of the last that left is due only
    then. What a release officer refused stays refused in its later versions. Announce after the commit (`announce`).
    """
    made: list[Crossing] = []
    for bond in in_force(book, now):
        ids = [str(obj.get("id", "")) for obj in objects]
        last = {one.object_id: one for one in tx.crossings_of(bond.ally.id, Direction.OUT, ids)}
        for obj in objects:
            verdict = release(obj, bond.ally, bond.agreement, now=now, secret=secret)
            new = crossing_of(verdict, bond, version=version_of(obj), now=now)
            kept = _keep(tx, new, last.get(new.object_id), throttle=timedelta(seconds=throttle_s))
            if kept is not None:
                made.append(kept)
                last[kept.object_id] = kept
    return tuple(made)


def announce(signals: Signals, crossings: Sequence[Crossing]) -> None:
    """Tell the doors, after the commit: `crossing` for the console, `outbox` for each ally with something to send."""
    if crossings:
        signals.publish("crossing", {"ids": [one.id for one in crossings]})
    for ally in dict.fromkeys(one.ally for one in crossings if one.state is CrossingState.PENDING):
        signals.publish("outbox", {"ally": ally})


def decide(  # noqa: PLR0913 - who, what, on which version, and when: none of them can be left out
    store: Store, signals: Signals, actor: Actor, crossing_id: int, *, approve: bool, version: str, now: datetime
) -> Crossing:
    """A release officer's yes or no to what wants consent; a no may be taken back as long as the crossing stands.

    `version` is what the officer looked at: the object may have grown since ("": whatever stands there). Raises
    DeniedError, and BadInputError AMG-SHARE-UNKNOWN (no such crossing), AMG-SHARE-DECIDED (nothing to decide) or
    AMG-SHARE-CHANGED (grown since).
    """
    require(actor, Act.RELEASE)
    with store.write() as tx:
        crossing = tx.crossing(crossing_id)
        if crossing is None:
            raise BadInputError("AMG-SHARE-UNKNOWN", "there is no such crossing", got=str(crossing_id))
        if crossing.direction is not Direction.OUT or not _may_decide(crossing, approve=approve):
            raise BadInputError(
                "AMG-SHARE-DECIDED",
                "this crossing does not wait for a decision",
                expected=CrossingState.WANTING.value,
                got=crossing.state.value,
                then="nothing was changed",
            )
        if version and version != crossing.version:
            raise BadInputError(
                "AMG-SHARE-CHANGED",
                "the object has changed since you looked at it",
                expected=f"a decision on its version of {crossing.version}",
                got=version,
                then="look again, then decide",
            )
        decided = replace(
            crossing,
            state=CrossingState.PENDING if approve else CrossingState.REFUSED,
            decided_by=actor.name,
            why="" if approve else f"refused by {actor.name}",
            created_at=now,
        )
        tx.update_crossing(decided)
    announce(signals, [decided])
    return decided


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
            return _with_content(replace(bare, state=CrossingState.WANTING), verdict.released)
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


def _may_decide(crossing: Crossing, *, approve: bool) -> bool:
    is_refused_by_person = crossing.state is CrossingState.REFUSED and bool(crossing.decided_by)
    return crossing.state is CrossingState.WANTING or (approve and is_refused_by_person)


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
        stands = replace(new, n_tries=last.n_tries, next_try_at=last.next_try_at)
        return _replace(tx, last, stands if new.state is last.state is CrossingState.PENDING else new)
    if new.state is CrossingState.PENDING:
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

"""What allies send: judged object by object, kept in one transaction, put to use at once.

Delivered twice it changes nothing: a version that is held already is a success without an effect.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from amagasa.app.intake import within_quota
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
    StoredObject,
    Writing,
)
from amagasa.app.quarantine import is_aside
from amagasa.app.recording import record
from amagasa.app.retention import refuse_again
from amagasa.app.sharing import announce, in_force, version_of
from amagasa.app.signals import Signals
from amagasa.app.taking_back import owe
from amagasa.app.trying import TOPIC as TRIAL
from amagasa.app.trying import begin, has_past, is_same_sought
from amagasa.intel.marking import marking_of
from amagasa.intel.stix import instant_of
from amagasa.share.admit import admit
from amagasa.share.harm import NOTHING_KNOWN, OwnGround
from amagasa.share.verdict import Admission, Admitted, Refusal
from amagasa.vocab.errors import DeniedError
from amagasa.vocab.text import show

# Of one envelope; the sender learns each refusal, the share log need not let it be filled by one hostile envelope.
LOGGED_REFUSALS: Final = 100
_KINDS: Final = {"stix": ContentKind.STIX, "sigma": ContentKind.SIGMA}


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one object; `why` is "" where it was taken. Texts of a refusal are escaped and cut."""

    object_id: str
    version: str
    why: str = ""


class Received(Struct, frozen=True, kw_only=True):
    """One outcome for each object that came: taken first, then refused. `n_new` of them were not held before."""

    outcomes: tuple[Outcome, ...]
    n_new: int
    n_content: int

    @property
    def taken(self) -> tuple[Outcome, ...]:
        """Those we hold now."""
        return tuple(one for one in self.outcomes if not one.why)

    @property
    def refused(self) -> tuple[Outcome, ...]:
        """Those we do not, with the reason."""
        return tuple(one for one in self.outcomes if one.why)


class PassOn(Protocol):
    """Puts what one ally gave before the agreements with others, in the transaction that keeps it."""

    def __call__(
        self, tx: Writing, ally_id: str, objects: Sequence[dict[str, Any]], *, onward: frozenset[str], now: datetime
    ) -> Sequence[Crossing]:
        """`onward` are those whom the giver's clause names."""


def receive(  # noqa: PLR0913 - what came, from whom, and where it goes from here
    store: Store,
    signals: Signals,
    ally_id: str,
    objects: Sequence[Any],
    *,
    book: AgreementBook,
    now: datetime,
    pass_on: PassOn | None = None,
    own: OwnGround = NOTHING_KNOWN,
) -> Received:
    """Take in what the ally `ally_id`, known by its certificate, sent. Blocking.

    What its clause lets go on to others (`Handling.onward`) is put before their agreements by `pass_on`.

    Raises DeniedError (AMG-SHARE-FORCE) where no agreement with it is in force: nothing was looked at.
    """
    bond = require_in_force(book, ally_id, now)
    # Judged before the one writer is held: an envelope may take a second, and detection writes meanwhile.
    with store.read() as reading:
        held = _held(reading, objects)
    admission = admit(objects, bond.ally, bond.agreement, now=now, held=held, own=own)
    with store.write() as tx:
        if (newer := _held(tx, objects)) != held:
            held = newer
            admission = admit(objects, bond.ally, bond.agreement, now=now, held=held, own=own)
        admission = _without_over(tx, admission, bond)
        admission = within_quota(tx, admission, bond, held, now=now)
        stored = [_stored(one, bond, now) for one in admission.admitted]
        unheld = tx.save_objects(stored)
        new = [one for one, kept in zip(admission.admitted, stored, strict=True) if (kept.id, kept.version) in unheld]
        newest = [one for one in new if not _is_older(one.object, held)]
        elsewhere = _held_elsewhere(tx, newest, bond)
        content, waiting = _put_to_use(tx, newest, bond, now, others=elsewhere)
        taken_back = [one.object for one in newest if one.object.get("revoked") is True]
        owe(tx, bond, taken_back, stopped=[*content, *waiting], elsewhere=elsewhere, now=now)
        crossings = [_crossing(one, bond, now) for one in new]
        crossings += [_refused(refusal, bond, now) for refusal in admission.refused[:LOGGED_REFUSALS]]
        logged = tx.add_crossings(crossings)
        record(tx, bond, logged, now=now)
        passed = _pass_on(tx, new, bond, pass_on, now=now) if pass_on is not None else []
    ids = [one.id for one in logged]
    if content:
        signals.publish("content", {"ids": content})
    if waiting:
        signals.publish(TRIAL, {"ids": waiting})
    if ids:
        signals.publish("crossing", {"ids": ids})
    announce(signals, passed)
    taken = [Outcome(object_id=one.object["id"], version=version_of(one.object)) for one in admission.admitted]
    refused = [Outcome(object_id=one.object_id, version="", why=f"{one.why} [{one.code}]") for one in admission.refused]
    return Received(outcomes=(*taken, *refused), n_new=len(new), n_content=len({*content, *waiting}))


def would_receive(
    store: Store, ally_id: str, objects: Sequence[Any], *, book: AgreementBook, now: datetime, own: OwnGround
) -> tuple[Admission, int]:
    """What `receive` would make of these, but for the day's budget, and how many are not held yet. Nothing is kept.

    Raises as `receive`.
    """
    bond = require_in_force(book, ally_id, now)
    with store.read() as reading:
        held = _held(reading, objects)
    admission = admit(objects, bond.ally, bond.agreement, now=now, held=held, own=own)
    known = {(identifier, version_of(obj)) for identifier, obj in held.items()}
    versions = {(one.object["id"], version_of(one.object)) for one in admission.admitted}
    return admission, len(versions - known)


def _pass_on(tx: Writing, new: Sequence[Admitted], bond: Bond, pass_on: PassOn, *, now: datetime) -> list[Crossing]:
    """Clause by clause, since each names whom it lets it go on to."""
    passed: list[Crossing] = []
    for clause in bond.agreement.clauses:
        given = [one.object for one in new if one.clause == clause.id]
        if given and clause.handling.onward:
            passed += pass_on(tx, bond.ally.id, given, onward=frozenset(clause.handling.onward), now=now)
    return passed


def _without_over(tx: Writing, admission: Admission, bond: Bond) -> Admission:
    """Without what was let go when the term of its clause ended."""
    over = refuse_again(tx, bond, [one.object for one in admission.admitted])
    if not over:
        return admission
    admitted = [one for one in admission.admitted if (one.object["id"], version_of(one.object)) not in over]
    return Admission(admitted=tuple(admitted), refused=(*admission.refused, *over.values()))


def require_in_force(book: AgreementBook, ally_id: str, now: datetime) -> Bond:
    """The bond with this ally. Raises DeniedError (AMG-SHARE-FORCE) where none is in force."""
    bond = next((bond for bond in in_force(book, now) if bond.ally.id == ally_id), None)
    if bond is None:
        raise DeniedError(
            "AMG-SHARE-FORCE",
            "no agreement with this ally is in force now",
            then="amend or renew the agreement; until then nothing crosses",
        )
    return bond


def _held(reading: Reading, objects: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    ids = {obj["id"] for obj in objects if isinstance(obj, dict) and isinstance(obj.get("id"), str)}
    return {stored.id: msgspec.json.decode(stored.body) for stored in reading.objects(ids)}


def _stored(one: Admitted, bond: Bond, now: datetime) -> StoredObject:
    obj = one.object
    return StoredObject(
        id=obj["id"],
        version=version_of(obj),
        type=obj["type"],
        origin=bond.ally.id,
        body=msgspec.json.encode(obj),
        added_at=now,
    )


def _held_elsewhere(tx: Writing, admitted: Sequence[Admitted], bond: Bond) -> set[str]:
    """Those with which we look on our own word or another ally's."""
    ids = {one.object["id"] for one in admitted if one.object["type"] == "indicator"}
    return {item.id for item in tx.content_items(ids) if item.origin != bond.ally.id}


def _put_to_use(
    tx: Writing, admitted: Sequence[Admitted], bond: Bond, now: datetime, *, others: set[str]
) -> tuple[list[str], list[str]]:
    """Look with these indicators, or no longer with revoked ones: (those that changed, those that are tried first)."""
    newest = {one.object["id"]: one for one in admitted if one.object["type"] == "indicator"}
    for one in admitted:
        if one.object["id"] in newest and not _is_older(
            one.object, {one.object["id"]: newest[one.object["id"]].object}
        ):
            newest[one.object["id"]] = one
    before = {item.id: item for item in tx.content_items(newest)}
    terms = {clause.id: clause.trial for clause in bond.agreement.clauses}
    may_look = bool(newest) and has_past(tx)
    changed: list[str] = []
    waiting: list[str] = []
    kept: list[ContentItem] = []
    for identifier, one in newest.items():
        if identifier in others:
            continue  # ours, or another ally's: the object is kept, what we look with stays
        if one.object.get("revoked") is True:
            if tx.remove_content(identifier):
                changed.append(identifier)
            continue
        new, held = _content(one, bond, now), before.get(identifier)
        if held is not None and is_aside(held) and is_same_sought(held, new):
            continue  # the same again, in a newer version: it was noise and is
        tried = begin(new, terms[one.clause], held, may_look=may_look, now=now)
        kept.append(tried)
        is_open = tried.tried is not None and tried.tried.is_open
        if is_open:
            waiting.append(identifier)
        if not is_open or (held is not None and held.is_active):  # another version of it was looked with until now
            changed.append(identifier)
    tx.save_contents(kept)
    return changed, waiting


def _content(one: Admitted, bond: Bond, now: datetime) -> ContentItem:
    obj = one.object
    kind = _KINDS[obj["pattern_type"]]
    return ContentItem(
        id=obj["id"],
        kind=kind,
        title=show(obj.get("name") or obj["id"]),
        origin=bond.ally.id,
        text=obj["pattern"] if kind is ContentKind.SIGMA else msgspec.json.encode(obj).decode(),
        is_active=one.is_active,
        added_at=now,
        added_by=bond.ally.name,
    )


def _is_older(obj: Mapping[str, Any], held: Mapping[str, Mapping[str, Any]]) -> bool:
    ours, theirs = instant_of(version_of(held.get(obj["id"], {}))), instant_of(version_of(obj))
    return ours is not None and theirs is not None and theirs < ours


def _crossing(one: Admitted, bond: Bond, now: datetime) -> Crossing:
    marking = marking_of(one.object)
    return Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.IN,
        state=CrossingState.ADMITTED,
        object_id=one.object["id"],
        object_type=one.object["type"],
        version=version_of(one.object),
        clause=one.clause,
        marking=marking.word if marking is not None else "",
        content=msgspec.json.encode(one.object),
        created_at=now,
    )


def _refused(refusal: Refusal, bond: Bond, now: datetime) -> Crossing:
    # A refusal has no version that we trust; its reason stands there, so each reason is kept once for each object.
    reason = hashlib.sha256(refusal.why.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.IN,
        state=CrossingState.REFUSED,
        object_id=refusal.object_id,
        object_type=refusal.object_type,
        version=f"refused-{reason}",
        why=f"{refusal.why} [{refusal.code}]",
        created_at=now,
    )

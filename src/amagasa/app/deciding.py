"""The release officer's desk: yes, no, or less of it. What leaves is exactly what was looked at, never more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Actor, Role
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Store, Writing
from amagasa.app.recording import record
from amagasa.app.sharing import announce, clause_of, held_until, in_force, is_retraction
from amagasa.app.signals import Signals
from amagasa.share.consent import Yes, is_enough, may_consent
from amagasa.share.edit import NotDown, edit_down
from amagasa.share.ledger import Act
from amagasa.share.verdict import Change, Released
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.tlp import Tlp, tlp_of_word

# Of crossings that were stored before clauses named roles.
_ANY_TIME: Final = (Role.RELEASE_OFFICER.value,)


class Deciding(Struct, frozen=True, kw_only=True):
    """What a decision needs. `secret` keys when held objects leave."""

    store: Store
    signals: Signals
    book: AgreementBook
    secret: bytes

    def decide(self, actor: Actor, crossing_id: int, *, approve: bool, version: str, now: datetime) -> Crossing:
        """A yes or no to what wants consent; a no may be taken back as long as the crossing stands.

        A yes counts once for each person; what wants two leaves with the second. `version` is what was looked at: the
        object may have grown since ("": whatever stands there). Raises DeniedError, and BadInputError
        AMG-SHARE-UNKNOWN (no such crossing), AMG-SHARE-DECIDED (nothing to decide), AMG-SHARE-CHANGED (grown since),
        AMG-SHARE-SECOND (this person said yes already) or AMG-SHARE-FORCE (no clause lets it leave any longer).
        """
        with self.store.write() as tx:
            crossing = _to_decide(tx, crossing_id, actor, version, approve=approve)
            decided = self._agreed(crossing, actor, now) if approve else _refused(crossing, actor, now)
            tx.update_crossing(decided)
            record(tx, None, [decided], now=now, act=Act.CONSENT if approve else Act.REFUSAL)
            if decided.state is CrossingState.PENDING:
                record(tx, None, [decided], now=now)
        announce(self.signals, [decided])
        return decided

    def edit(
        self,
        actor: Actor,
        crossing_id: int,
        *,
        strip: Sequence[str],
        marking: Tlp | None,
        version: str,
        now: datetime,
    ) -> Crossing:
        """Take properties away or mark it higher before it leaves. Who said yes before must look again.

        Raises as `decide`, and BadInputError with the code of what would not be less (AMG-SHARE-UP and others).
        """
        with self.store.write() as tx:
            crossing = _to_decide(tx, crossing_id, actor, version, approve=True)
            bond = self._bond(crossing, now)
            answer = edit_down(_released(crossing), clause_of(crossing, bond), strip=strip, marking=marking)
            if isinstance(answer, NotDown):
                raise BadInputError(answer.code, "this edit is not done", got=answer.why, then="nothing was changed")
            edited = replace(
                crossing,
                state=CrossingState.WANTING,
                content=answer.content,
                marking=answer.marking.word,
                changes=tuple((change.path, change.what) for change in answer.changes),
                consents=(),
                why=f"edited by {actor.name}",
            )
            tx.update_crossing(edited)
            record(tx, None, [edited], now=now, act=Act.EDIT)
        announce(self.signals, [edited])
        return edited

    def _agreed(self, crossing: Crossing, actor: Actor, now: datetime) -> Crossing:
        if any(one.person == actor.name for one in crossing.consents):
            raise BadInputError(
                "AMG-SHARE-SECOND",
                "you have said yes to this already",
                expected="another person's yes",
                then="it leaves as soon as another person agrees",
            )
        yes = Yes(person=actor.name, roles=tuple(sorted(role.value for role in actor.roles)))
        given = (*crossing.consents, yes)
        bond = self._bond(crossing, now)
        clause = clause_of(crossing, bond)
        names = ", ".join(one.person for one in given)
        agreed = replace(crossing, consents=given, decided_by=names, why="")
        # By the clause as it stands today: an amendment may want more persons than it did when this was offered.
        if not is_enough(given, clause.approvers, clause.n_persons):
            wanted = replace(agreed, wants=clause.approvers, n_wanted=clause.n_persons)
            return replace(wanted, state=CrossingState.WANTING)
        due_at = held_until(crossing, bond, now, secret=self.secret)
        is_held = due_at > now
        return replace(agreed, state=CrossingState.PENDING, created_at=due_at, next_try_at=due_at if is_held else None)

    def _bond(self, crossing: Crossing, now: datetime) -> Bond:
        bond = next((one for one in in_force(self.book, now) if one.ally.id == crossing.ally), None)
        if bond is None or bond.agreement.id != crossing.agreement:
            raise BadInputError(
                "AMG-SHARE-FORCE",
                "the agreement by which it would leave is no longer in force",
                then="nothing was changed; amend or renew the agreement",
            )
        return bond


def _to_decide(tx: Writing, crossing_id: int, actor: Actor, version: str, *, approve: bool) -> Crossing:
    crossing = tx.crossing(crossing_id)
    if crossing is None:
        raise BadInputError("AMG-SHARE-UNKNOWN", "there is no such crossing", got=str(crossing_id))
    _require(actor, crossing)
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
    return crossing


def _require(actor: Actor, crossing: Crossing) -> None:
    wants = crossing.wants or _ANY_TIME
    if not may_consent({role.value for role in actor.roles}, wants):
        raise DeniedError(
            "AMG-DENIED",
            "this is not yours to do",
            expected=f"the role {' or '.join(wants)}",
            got=", ".join(sorted(actor.roles)) or "no role",
            then="ask an administrator of this node",
        )


def _may_decide(crossing: Crossing, *, approve: bool) -> bool:
    is_refused_by_person = crossing.state is CrossingState.REFUSED and bool(crossing.decided_by)
    is_refused_by_person = is_refused_by_person and not is_retraction(crossing)
    return crossing.state is CrossingState.WANTING or (approve and is_refused_by_person)


def _refused(crossing: Crossing, actor: Actor, now: datetime) -> Crossing:
    why = f"refused by {actor.name}"
    return replace(crossing, state=CrossingState.REFUSED, decided_by=actor.name, why=why, created_at=now, consents=())


def _released(crossing: Crossing) -> Released:
    return Released(
        object_id=crossing.object_id,
        object_type=crossing.object_type,
        content=crossing.content,
        clause=crossing.clause,
        marking=tlp_of_word(crossing.marking) or Tlp.RED,
        changes=tuple(Change(path=path, what=what) for path, what in crossing.changes),
    )

"""Use case: after a backup was put back the record of an agreement begins anew, and both sides say so.

The party whose record it is proposes; a person of the ally's looks at it and agrees; the party takes that in. From then
on heads are countersigned again. The lost head, the statement and the alarms that led to it stay with both.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from amagasa.app.head_book import HeadBook, head_book, keep_head_book
from amagasa.app.heads import root_at
from amagasa.app.ledger_export import Ours, keys_of
from amagasa.app.ports import AgreementBook, Bond, Crossing, CrossingState, Direction, Reading, Store, Writing
from amagasa.app.recording import record
from amagasa.share.heads import HeadFault
from amagasa.share.ledger import Act, SignedHead, to_text
from amagasa.share.restart import FORMAT, Restart, SignedRestart, agreed_bytes, fault_of, restart_bytes
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

_OVER = frozenset([HeadFault.OLD, HeadFault.FORKED, HeadFault.REWRITTEN, HeadFault.LOST])


def propose(
    reading: Reading, agreement: str, ours: Ours, *, book: AgreementBook, why: str, now: datetime
) -> SignedRestart:
    """What this node states of its own record, to be handed to the ally.

    Raises BadInputError: AMG-RESTART-NONE where the ally holds no head that this node's record has lost.
    """
    bond = bond_of(book, agreement)
    heads = head_book(reading, agreement)
    lost = _lost(reading, agreement, heads)
    if lost is None:
        raise BadInputError(
            "AMG-RESTART-NONE",
            "the ally has shown no head that this node's record no longer holds",
            expected="an alarm AMG-HEAD-LOST, which the next exchange of heads raises after a backup was put back",
            then="nothing was signed; where the line is down, open it first",
        )
    still = [one for one in heads.ours if root_at(reading, agreement, one.head.n_leaves) == one.head.root]
    still = [one for one in still if one.head.n_leaves < lost.head.n_leaves]
    restart = Restart(
        format=FORMAT,
        agreement=agreement,
        party=ours.party,
        ally=bond.ally.id,
        lost=lost,
        before=still[-1] if still else None,
        why=why.strip()[:200],
        at=to_rfc3339(now),
    )
    return SignedRestart(restart=restart, signature=to_text(ours.signer.sign(restart_bytes(restart))))


def agree(store: Store, signed: SignedRestart, ours: Ours, *, book: AgreementBook, now: datetime) -> SignedRestart:
    """This party's word to the ally's statement; from now on its record may go on behind the head in it.

    Raises BadInputError (AMG-RESTART-UNTRUE) where it does not hold together, or the head that it gives up is not the
    newest which this node countersigned: said once, it cannot be said again.
    """
    checked(signed, book)
    bond = bond_of(book, signed.restart.agreement)
    with store.write() as tx:
        heads = head_book(tx, bond.agreement.id)
        newest = heads.theirs[-1].head if heads.theirs else None
        if signed.restart.ally != ours.party or newest != signed.restart.lost.head:
            raise _untrue("the head that it gives up is not the newest that this node countersigned")
        agreed = replace(signed, countersignature=to_text(ours.signer.sign(agreed_bytes(signed))))
        theirs = (signed.restart.before,) if signed.restart.before is not None else ()
        kept = tuple(one for one in heads.theirs if one.head.n_leaves < signed.restart.n_kept)
        _keep(tx, bond, agreed, replace(heads, theirs=(*kept, *theirs)), now=now)
    return agreed


def take_in(store: Store, signed: SignedRestart, ours: Ours, *, book: AgreementBook, now: datetime) -> None:
    """The ally agreed: the alarm is over here as well. Raises BadInputError (AMG-RESTART-UNTRUE)."""
    checked(signed, book)
    bond = bond_of(book, signed.restart.agreement)
    if signed.restart.party != ours.party or not signed.countersignature:
        raise _untrue("the ally has not agreed to it yet")
    with store.write() as tx:
        heads = head_book(tx, bond.agreement.id)
        if signed in heads.restarts:
            return
        still = [one for one in heads.ours if root_at(tx, bond.agreement.id, one.head.n_leaves) == one.head.root]
        _keep(tx, bond, signed, replace(heads, ours=tuple(still)), now=now)


def checked(signed: SignedRestart, book: AgreementBook) -> Mapping[str, str]:
    """The keys it was checked with. Raises BadInputError (AMG-RESTART-UNTRUE)."""
    keys = keys_of(book, signed.restart.agreement)
    if why := fault_of(signed, keys):
        raise _untrue(why)
    return keys


def bond_of(book: AgreementBook, agreement: str) -> Bond:
    """The newest version. Raises BadInputError (AMG-LEDGER-UNKNOWN)."""
    bonds = [one for one in book.bonds() if one.agreement.id == agreement]
    if not bonds:
        raise BadInputError("AMG-LEDGER-UNKNOWN", "this node has no such agreement", got=show(agreement))
    return max(bonds, key=lambda one: one.agreement.version)


def _lost(reading: Reading, agreement: str, heads: HeadBook) -> SignedHead | None:
    """The longest of our heads that the ally showed and our record does not hold."""
    shown = [fault.evidence[0] for fault in heads.faults if fault.code == HeadFault.LOST and fault.evidence]
    gone = [one for one in shown if root_at(reading, agreement, one.head.n_leaves) != one.head.root]
    done = {one.restart.lost.head.root for one in heads.restarts}
    return max((one for one in gone if one.head.root not in done), key=lambda one: one.head.n_leaves, default=None)


def _keep(tx: Writing, bond: Bond, signed: SignedRestart, heads: HeadBook, *, now: datetime) -> None:
    faults = tuple(one for one in heads.faults if one.code not in _OVER)
    over = tuple(one for one in heads.faults if one.code in _OVER)
    settled = (*heads.settled, *over)[-20:]
    keep_head_book(
        tx,
        bond.agreement.id,
        replace(heads, faults=faults, settled=settled, restarts=(*heads.restarts, signed)[-20:]),
    )
    restart = signed.restart
    is_ours = restart.party != bond.ally.id
    n_lost = restart.lost.head.n_leaves - restart.n_kept
    leaf = Crossing(
        ally=bond.ally.id,
        agreement=bond.agreement.id,
        direction=Direction.OUT if is_ours else Direction.IN,
        state=CrossingState.DELIVERED if is_ours else CrossingState.ADMITTED,
        object_id="",
        object_type="",
        version="",
        content=msgspec.json.encode(signed),
        why=f"the record of {show(restart.party)} goes on behind leaf {restart.n_kept}, without {n_lost}: "
        f"{show(restart.why)}",
        created_at=now,
    )
    record(tx, bond, [leaf], now=now, act=Act.RESTART)


def _untrue(why: str) -> BadInputError:
    return BadInputError(
        "AMG-RESTART-UNTRUE", "this restart of a record does not count", got=why, then="nothing was kept"
    )

"""What an ally gave is let go when the term of its clause ends (`handling.keep_days`): the object, its use, its bytes.

What stays is the line of the share log and its leaf, which name the object and the digest of its bytes; a further leaf
says when they were let go. The duty outlives the agreement. Alerts that this node made with it are its own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from amagasa.app.ports import AgreementBook, Bond, Crossing, Direction, Reading, Store, Writing
from amagasa.app.recording import record
from amagasa.app.sharing import version_of
from amagasa.app.signals import Signals
from amagasa.share.agreement import Agreement
from amagasa.share.ledger import Act
from amagasa.share.verdict import Refusal

AT_ONCE: Final = 500
CODE: Final = "AMG-ADMIT-OVER"


def let_go(store: Store, signals: Signals, book: AgreementBook, *, now: datetime) -> int:
    """Let go of what is over; how many lines of the share log that were. Raises WorldError."""
    n_gone = 0
    for bond, terms in _duties(book):
        for clause, days in terms.items():
            while (n := _let_go(store, bond, clause, days, now=now)) is not None:
                n_gone += n
    if n_gone:
        signals.publish("content", {"ids": []})
        signals.publish("crossing", {"ids": []})
    return n_gone


def refuse_again(reading: Reading, bond: Bond, objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Refusal]:
    """Of these, by (id, version), what was let go already: sent once more it is not kept for a second term."""
    if not _terms(bond.agreement, bond.ally.id):
        return {}
    held = reading.crossings_of(bond.ally.id, Direction.IN, [obj["id"] for obj in objects])
    gone = {(one.object_id, one.version) for one in held if _is_gone(one)}
    return {
        (obj["id"], version_of(obj)): Refusal(
            object_id=obj["id"],
            object_type=obj["type"],
            why="the time for which its clause lets this node keep it is over",
            code=CODE,
        )
        for obj in objects
        if (obj["id"], version_of(obj)) in gone
    }


def _duties(book: AgreementBook) -> list[tuple[Bond, dict[str, int]]]:
    """Of each agreement the newest version, with how many days each clause lets us keep what came under it.

    A clause counts as its newest version has it, also for what came before; one that was dropped counts on.
    """
    newest: dict[str, tuple[Bond, dict[str, int]]] = {}
    for bond in sorted(book.bonds(), key=lambda one: one.agreement.version):
        _, before = newest.get(bond.agreement.id, (bond, {}))
        still = {one.id for one in bond.agreement.clauses}
        dropped = {clause: days for clause, days in before.items() if clause not in still}
        newest[bond.agreement.id] = (bond, dropped | _terms(bond.agreement, bond.ally.id))
    return list(newest.values())


def _terms(agreement: Agreement, giver: str) -> dict[str, int]:
    given = [clause for clause in agreement.clauses if clause.giver == giver]
    return {one.id: one.handling.keep_days for one in given if one.handling.keep_days is not None}


def _let_go(store: Store, bond: Bond, clause: str, days: int, *, now: datetime) -> int | None:
    """One page of the share log; None where there is no further one."""
    key = f"retention:{bond.agreement.id}:{clause}"
    before = now - timedelta(days=days)
    with store.read() as reading:
        start = int(reading.meta(key) or 0)
        if not reading.given_before(bond.ally.id, before, after_id=start, limit=1):
            return None
    with store.write() as tx:
        page = tx.given_before(bond.ally.id, before, after_id=start, limit=AT_ONCE)
        ours = [one for one in page if (one.agreement, one.clause) == (bond.agreement.id, clause)]
        over = [one for one in ours if not _is_gone(one)]
        tx.remove_objects([(one.object_id, one.version) for one in over], origin=bond.ally.id)
        _stop_using(tx, bond, over)
        why = f"let go after {days} days"
        record(tx, bond, [replace(one, why=why) for one in over], now=now, act=Act.DELETION)
        tx.update_crossings([replace(one, content=b"", why=why) for one in over])
        if page:
            tx.save_meta(key, str(page[-1].id))
    return len(over)


def _stop_using(tx: Writing, bond: Bond, over: Sequence[Crossing]) -> None:
    """What was put to use and of which no later version is held is looked with no longer."""
    ids = {one.object_id for one in over if one.object_type == "indicator"}
    held = {stored.id for stored in tx.objects(ids)}
    for item in tx.content_items(ids - held):
        if item.origin == bond.ally.id:
            tx.remove_content(item.id)


def _is_gone(one: Crossing) -> bool:
    return not one.content and one.why.startswith("let go after ")

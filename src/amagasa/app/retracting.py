"""Taking it back: what left goes out once more as revoked, to each ally that has it; what has not left does not leave.

An ally's node stops looking with a revoked indicator in the transaction that admits it, and passes the revocation on to
whomever it passed the object. Delivered means that the ally's node took it; that it looks for it no longer is what its
receipt says (`app.receipts`): until then `share log` shows it awaited.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import rfc8785
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.pages import Page
from amagasa.app.permissions import Act as May
from amagasa.app.permissions import Actor, require
from amagasa.app.ports import Crossing, CrossingState, Direction, Store, Writing
from amagasa.app.recording import record
from amagasa.app.sharing import RETRACTED, announce, is_retraction
from amagasa.app.signals import Signals
from amagasa.app.taking_back import expect
from amagasa.intel.stix import instant_of
from amagasa.share.ledger import Act
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

_ALLIES: Final = 500
_WAITS: Final = frozenset([CrossingState.PENDING, CrossingState.WANTING])


class Retraction(Struct, frozen=True, kw_only=True):
    """What became of it: sent after what left (`sent`), and held back where it had not left yet (`held`)."""

    sent: tuple[Crossing, ...]
    held: tuple[Crossing, ...]


def retract(  # noqa: PLR0913 - who takes what back from whom, why and when: none of them can be left out
    store: Store, signals: Signals, actor: Actor, object_id: str, *, why: str, now: datetime, allies: tuple[str, ...]
) -> Retraction:
    """Take back an object of ours from each of these allies. Later versions of it stay here, too.

    Raises DeniedError, and BadInputError AMG-RETRACT-NOTHING where none of them has it or is to have it, and
    AMG-RETRACT-OBSERVABLE where STIX knows no revocation of such an object.
    """
    require(actor, May.RELEASE)
    with store.write() as tx:
        last = [one for ally in allies[:_ALLIES] for one in _last_of(tx, ally, object_id)]
        sent = [_sent(tx, one, actor, why, now=now) for one in last if one.state is CrossingState.DELIVERED]
        held = [_held(tx, one, actor, why) for one in last if one.state in _WAITS]
        # What was replaced by a newer version that has not left may have left before.
        for one in (one for one in last if one.state in _WAITS):
            sent += [_sent(tx, left, actor, why, now=now) for left in _left(tx, one)]
        if not sent and not held:
            raise BadInputError(
                "AMG-RETRACT-NOTHING",
                "no ally has this object from this node",
                expected="the identifier of an object that left, or is to leave",
                got=object_id,
                then="nothing was changed",
            )
        record(tx, None, [*sent, *held], now=now, act=Act.RETRACTION)
        expect(tx, sent, now=now)
    announce(signals, sent)
    announce(signals, held)
    return Retraction(sent=tuple(sent), held=tuple(held))


def _last_of(tx: Writing, ally: str, object_id: str) -> list[Crossing]:
    found = tx.crossings_of(ally, Direction.OUT, [object_id])
    return [one for one in found if not is_retraction(one)]


def _left(tx: Writing, waiting: Crossing) -> list[Crossing]:
    """The version which the ally has while a newer one waits."""
    rows, _ = tx.crossings(Page(limit=500), ally=waiting.ally, direction=Direction.OUT, state=CrossingState.DELIVERED)
    return [row for row in rows if row.object_id == waiting.object_id][:1]


def _sent(tx: Writing, left: Crossing, actor: Actor, why: str, *, now: datetime) -> Crossing:
    obj: Mapping[str, Any] = msgspec.json.decode(left.content)
    before = instant_of(obj.get("modified"))
    if before is None:
        raise BadInputError(
            "AMG-RETRACT-OBSERVABLE",
            "an observable bears no version, so it cannot be revoked",
            got=left.object_type,
            then="retract the objects which refer to it; nothing was changed",
        )
    version = to_rfc3339(max(now, before + timedelta(milliseconds=1)))
    content = rfc8785.dumps({**obj, "revoked": True, "modified": version})
    added = tx.add_crossing(
        replace(
            left,
            id=0,
            state=CrossingState.PENDING,
            version=version,
            content=content,
            changes=(*left.changes, RETRACTED),
            why=_why(actor, why),
            decided_by=actor.name,
            created_at=now,
            delivered_at=None,
            next_try_at=None,
            n_tries=0,
        )
    )
    return left if added is None else added


def _held(tx: Writing, waiting: Crossing, actor: Actor, why: str) -> Crossing:
    held = replace(
        waiting,
        state=CrossingState.REFUSED,
        changes=(*waiting.changes, RETRACTED),
        why=_why(actor, why),
        decided_by=actor.name,
    )
    tx.update_crossing(held)
    return held


def _why(actor: Actor, why: str) -> str:
    return f"retracted by {actor.name}" + (f": {show(why)}" if why else "")

"""When a released object leaves, where its clause blurs the time at which something was known."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from amagasa.share.agreement import Clause

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS: Final = 1_000_000


def leaves_at(clause: Clause, now: datetime, *, key: bytes, object_id: str, version: str) -> datetime:
    """`now`, or the next whole multiple of `batch_s` (since 1970) and up to `jitter_s` later.

    How much later only the giver can know: it is drawn from a keyed hash of the object's version, so that asking again
    gives the same answer.
    """
    due_at = now
    if clause.batch_s:
        step = timedelta(seconds=clause.batch_s)
        due_at = _EPOCH + -(-(now - _EPOCH) // step) * step
    if not clause.jitter_s:
        return due_at
    message = b"\x00".join((b"amagasa jitter 1", object_id.encode(), version.encode("utf-8", "backslashreplace")))
    draw = int.from_bytes(hmac.new(key, message, hashlib.sha256).digest()[:8]) % _STEPS
    return due_at + timedelta(seconds=clause.jitter_s) * draw / _STEPS

"""A record begins anew behind a head that both hold, after a backup was put back: its party says so, the ally agrees.

Nothing becomes undone by it: what was lost stays proved by the head which both signed, and by the ally's own record.
"""

from typing import Annotated, Final

import msgspec
import rfc8785
from msgspec import Meta, Struct

from amagasa.share.ledger import SignedHead, is_countersigned, is_signed, is_true_signature

FORMAT: Final = "amagasa-restart-1"
MAX_BYTES: Final = 65_536


class Restart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`party` states at `at` that its record goes on behind `before` (None: from the first leaf), without `lost`.

    Both heads are signed by `party` and countersigned by the ally. `why` is what its people say.
    """

    format: str
    agreement: str
    party: str
    ally: str
    lost: SignedHead
    before: SignedHead | None
    why: Annotated[str, Meta(min_length=1, max_length=200)]
    at: str

    @property
    def n_kept(self) -> int:
        """How many leaves stay."""
        return self.before.head.n_leaves if self.before is not None else 0


class SignedRestart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With the signature of its party and, "" until it agreed, the ally's over the same and the first signature."""

    restart: Restart
    signature: str
    countersignature: str = ""


def restart_bytes(restart: Restart) -> bytes:
    """What its party signs."""
    return rfc8785.dumps(msgspec.to_builtins(restart))


def agreed_bytes(signed: SignedRestart) -> bytes:
    """What the ally signs."""
    told = {"format": FORMAT, "restart": msgspec.to_builtins(signed.restart), "signature": signed.signature}
    return rfc8785.dumps(told)


def read_restart(data: bytes) -> SignedRestart | None:
    """None of what is no such statement."""
    try:
        return msgspec.json.decode(data, type=SignedRestart) if len(data) <= MAX_BYTES else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def fault_of(signed: SignedRestart, keys: dict[str, str]) -> str:
    """Why it does not hold together, "" where it does. `keys`: the two parties' public keys, by identity."""
    one = signed.restart
    if one.format != FORMAT or {one.party, one.ally} != keys.keys():
        return "it is not of this agreement's parties"
    if not is_true_signature(keys[one.party], signed.signature, restart_bytes(one)):
        return "its party did not sign it as it stands"
    for head in filter(None, (one.lost, one.before)):
        if (head.head.agreement, head.head.party) != (one.agreement, one.party):
            return "a head in it is of another record"
        if not is_signed(head, keys[one.party]) or not is_countersigned(head, one.ally, keys[one.ally]):
            return "a head in it does not bear both signatures"
    if one.n_kept >= one.lost.head.n_leaves:
        return "it would take nothing back"
    if signed.countersignature and not is_true_signature(keys[one.ally], signed.countersignature, agreed_bytes(signed)):
        return "the ally did not agree to it as it stands"
    return ""

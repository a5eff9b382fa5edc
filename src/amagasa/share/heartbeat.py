"""The heartbeat: a party states, signed, that it watches its own sources: how many and how fresh, never which.

Silence is an alarm because a party that is blind, cut off or taken over looks like one to whom nothing happens.
"""

from enum import StrEnum
from typing import Annotated, Final

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct, to_builtins

from amagasa.share.form import KEY_BYTES, raw_of
from amagasa.share.signing import SIGNATURE_BYTES
from amagasa.share.terms import Identity, Line

_DOMAIN: Final = b"amagasa-heartbeat-1\n"
# As `share.admit`: two nodes' clocks may differ by so much.
MAX_SKEW_MS: Final = 600_000

Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # RFC 8785 counts no further


class Beat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One statement. `at_ms` is its instant, in milliseconds since 1970: each is later than the one before.

    Of `n_sources` sources `n_watching` are read at present; `freshest_s` and `stalest_s` are the ages of the newest
    records in the freshest and the stalest of them, None where none has given a record.
    """

    agreement: Line
    at_ms: Number
    freshest_s: Number | None
    n_sources: Number
    n_watching: Number
    party: Identity
    stalest_s: Number | None


class SignedBeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A beat with its party's Ed25519 signature, base64url without padding."""

    beat: Beat
    signature: Annotated[str, Meta(max_length=100)]


class BeatFault(StrEnum):
    """Why a beat does not count."""

    OTHER = "AMG-BEAT-OTHER"
    FORGED = "AMG-BEAT-FORGED"
    AHEAD = "AMG-BEAT-AHEAD"
    OLD = "AMG-BEAT-OLD"


def beat_bytes(beat: Beat) -> bytes:
    """What the party signs."""
    return _DOMAIN + rfc8785.dumps(to_builtins(beat))


def fault_of(
    signed: SignedBeat, *, agreement: str, party: str, key: str, last_ms: int, now_ms: int
) -> BeatFault | None:
    """Why this is no news from `party`, whose Ed25519 key is `key`; None for a beat later than `last_ms`."""
    beat = signed.beat
    if (beat.agreement, beat.party) != (agreement, party):
        return BeatFault.OTHER
    if not _is_signed(signed, key):
        return BeatFault.FORGED
    if beat.at_ms > now_ms + MAX_SKEW_MS:
        return BeatFault.AHEAD
    return BeatFault.OLD if beat.at_ms <= last_ms else None


def _is_signed(signed: SignedBeat, key: str) -> bool:
    raw, value = raw_of(key, KEY_BYTES), raw_of(signed.signature, SIGNATURE_BYTES)
    if raw is None or value is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(value, beat_bytes(signed.beat))
    except (InvalidSignature, ValueError):
        return False
    return True

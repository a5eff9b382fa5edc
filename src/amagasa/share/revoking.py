"""A party's word that an agreement ends now: signed by one, and enough by itself.

The file is RFC 8785 canonical JSON; the signature is Ed25519 (RFC 8032) over the canonical JSON of `revocation`.
"""

import base64
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct
from msgspec.structs import replace

from amagasa.share.agreement import Agreement
from amagasa.share.form import KEY_BYTES, digest, raw_of
from amagasa.share.problem import Problem
from amagasa.share.signing import SIGNATURE_BYTES
from amagasa.share.terms import Digest, Line
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show

FORMAT: Final = "amagasa-revocation-1"
MAX_REVOCATION_BYTES: Final = 16_384


class Revocation(Struct, frozen=True, kw_only=True):
    """`agreement` (its identifier) with these terms (`digest`) ended at `revoked_at`, because of `why`."""

    agreement: str
    digest: str
    party: str
    revoked_at: datetime
    why: str
    signature: str = ""


class _Plain(Struct, kw_only=True, forbid_unknown_fields=True):
    format: Annotated[str, Meta(pattern=f"^{FORMAT}$")]
    agreement: Line
    digest: Digest
    party: Line
    revoked_at: Annotated[str, Meta(max_length=40)]
    why: Annotated[str, Meta(max_length=1_000)]


class _PlainSigned(Struct, kw_only=True, forbid_unknown_fields=True):
    revocation: _Plain
    signature: Annotated[str, Meta(max_length=200)]


def revoke(agreement: Agreement, party_id: str, *, revoked_at: datetime, why: str) -> Revocation:
    """Not signed yet: sign `revoked_bytes`, then `with_value`."""
    at = from_rfc3339(to_rfc3339(revoked_at))
    return Revocation(
        agreement=agreement.id, digest=digest(agreement), party=party_id, revoked_at=at, why=show(why, 500)
    )


def revoked_bytes(revocation: Revocation) -> bytes:
    """What the party puts its signature to."""
    return rfc8785.dumps(_plain(revocation))


def with_value(revocation: Revocation, value: bytes) -> Revocation:
    """The same with its signature."""
    return replace(revocation, signature=base64.urlsafe_b64encode(value).decode().rstrip("="))


def to_file(revocation: Revocation) -> bytes:
    """The file: canonical JSON, nothing before or after it."""
    return rfc8785.dumps({"revocation": _plain(revocation), "signature": revocation.signature})


def from_file(data: bytes) -> Revocation | Problem:
    """What stands in a file, or why it is no revocation. Whether the signature is true is for `is_true`."""
    if len(data) > MAX_REVOCATION_BYTES:
        return Problem(code="AMG-AGREEMENT-SIZE", args=(str(MAX_REVOCATION_BYTES),))
    try:
        signed = msgspec.json.decode(data, type=_PlainSigned)
        plain = signed.revocation
        found = Revocation(
            agreement=plain.agreement,
            digest=plain.digest,
            party=plain.party,
            revoked_at=from_rfc3339(plain.revoked_at),
            why=plain.why,
            signature=signed.signature,
        )
        is_canonical = to_file(found) == data
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as fault:
        return Problem(code="AMG-AGREEMENT-REVOCATION", args=(show(str(fault)),))
    return found if is_canonical else Problem(code="AMG-AGREEMENT-CANONICAL")


def is_true(revocation: Revocation, agreement: Agreement) -> bool:
    """Whether a party of this very agreement signed it."""
    party = next((one for one in agreement.parties if one.id == revocation.party), None)
    if party is None or revocation.digest != digest(agreement) or revocation.agreement != agreement.id:
        return False
    key, value = raw_of(party.key, KEY_BYTES), raw_of(revocation.signature, SIGNATURE_BYTES)
    if key is None or value is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(value, revoked_bytes(revocation))
    except (InvalidSignature, ValueError):
        return False
    return True


def _plain(revocation: Revocation) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "agreement": revocation.agreement,
        "digest": revocation.digest,
        "party": revocation.party,
        "revoked_at": to_rfc3339(revocation.revoked_at),
        "why": revocation.why,
    }

"""Signatures under an agreement: Ed25519 (RFC 8032) over canonical JSON (RFC 8785). Pure: bytes in, yes or no out.

Each party signs the whole agreement together with its own name and the instant of signing, so none of the three can be
exchanged. The file is canonical too: any byte altered is seen, also where it would not alter the meaning.
"""

import base64
from collections import Counter
from datetime import datetime
from typing import Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct
from msgspec.structs import replace

from amagasa.share.agreement import Agreement, Party
from amagasa.share.check import check
from amagasa.share.form import KEY_BYTES, MAX_AGREEMENT_BYTES, PlainAgreement, agreement_of_plain, plain_of, raw_of
from amagasa.share.problem import Problem, Weight
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show

SIGNATURE_BYTES: Final = 64


class Signature(Struct, frozen=True, kw_only=True):
    """A party's yes. `value` is the Ed25519 signature over `signed_bytes`, base64url without padding."""

    party: str
    signed_at: datetime
    value: str


class SignedAgreement(Struct, frozen=True, kw_only=True):
    """An agreement with the signatures under it: none, one or both."""

    agreement: Agreement
    signatures: tuple[Signature, ...] = ()

    def is_signed_by(self, party_id: str) -> bool:
        """Whether a signature in this party's name stands there; `verify` says whether it is true."""
        return any(signature.party == party_id for signature in self.signatures)


class _PlainSignature(Struct, kw_only=True, forbid_unknown_fields=True):
    party: str
    signed_at: str
    value: str


class _PlainSigned(Struct, kw_only=True, forbid_unknown_fields=True):
    agreement: PlainAgreement
    signatures: list[_PlainSignature]


def signed_bytes(agreement: Agreement, party_id: str, signed_at: datetime) -> bytes:
    """What a party puts its signature to. `signed_at` counts to the millisecond."""
    return rfc8785.dumps({"agreement": plain_of(agreement), "party": party_id, "signed_at": to_rfc3339(signed_at)})


def with_signature(signed: SignedAgreement, party_id: str, signed_at: datetime, value: bytes) -> SignedAgreement:
    """The same with this party's signature, in place of one it gave before; in the order of the parties."""
    text = base64.urlsafe_b64encode(value).decode().rstrip("=")
    others = [one for one in signed.signatures if one.party != party_id]
    order = [party.id for party in signed.agreement.parties]
    mine = Signature(party=party_id, signed_at=from_rfc3339(to_rfc3339(signed_at)), value=text)
    ranked = sorted([*others, mine], key=lambda one: order.index(one.party) if one.party in order else len(order))
    return replace(signed, signatures=tuple(ranked))


def to_bytes(signed: SignedAgreement) -> bytes:
    """The file: canonical JSON, nothing before or after it."""
    return rfc8785.dumps(
        {
            "agreement": plain_of(signed.agreement),
            "signatures": [
                {"party": one.party, "signed_at": to_rfc3339(one.signed_at), "value": one.value}
                for one in signed.signatures
            ],
        }
    )


def from_bytes(data: bytes) -> SignedAgreement | Problem:
    """What stands in a file, or why it is no signed agreement. Says nothing yet on whether the signatures are true.

    A file that is not canonical to the byte is refused (AMG-AGREEMENT-CANONICAL).
    """
    if len(data) > MAX_AGREEMENT_BYTES:
        return Problem(code="AMG-AGREEMENT-SIZE", args=(str(MAX_AGREEMENT_BYTES),))
    try:
        plain = msgspec.json.decode(data, type=_PlainSigned)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        return Problem(code="AMG-AGREEMENT-FORM", args=(show(str(fault)),))
    agreement = agreement_of_plain(plain.agreement)
    if isinstance(agreement, Problem):
        return agreement
    try:
        signatures = tuple(
            Signature(party=one.party, signed_at=from_rfc3339(one.signed_at), value=one.value)
            for one in plain.signatures
        )
        signed = SignedAgreement(agreement=agreement, signatures=signatures)
        is_canonical = to_bytes(signed) == data
    except (ValueError, OverflowError) as fault:
        return Problem(code="AMG-AGREEMENT-WORD", args=(show(str(fault)),))
    return signed if is_canonical else Problem(code="AMG-AGREEMENT-CANONICAL")


def verify(signed: SignedAgreement) -> tuple[Problem, ...]:
    """Every reason not to rely on it; () for an agreement which both parties signed and which holds together.

    Validity against the clock is another question: `Agreement.is_in_force`.
    """
    faults = [problem for problem in check(signed.agreement) if problem.weight is Weight.FAULT]
    return (*faults, *signature_problems(signed), *missing_signatures(signed))


def signature_problems(signed: SignedAgreement) -> tuple[Problem, ...]:
    """What is wrong with the signatures that are there, whether or not one is missing."""
    parties = {party.id: party for party in signed.agreement.parties}
    counts = Counter(one.party for one in signed.signatures)
    found = [
        Problem(code="AMG-AGREEMENT-TWICE", place="signatures", args=(show(party),))
        for party, count in counts.items()
        if count > 1
    ]
    for number, one in enumerate(signed.signatures):
        place = f"signatures[{number}]"
        party = parties.get(one.party)
        if party is None:
            found.append(Problem(code="AMG-AGREEMENT-STRANGER", place=place, args=(show(one.party),)))
        elif not _is_true(signed.agreement, party, one):
            found.append(Problem(code="AMG-AGREEMENT-SIGNATURE", place=place, args=(show(party.name),)))
    return tuple(found)


def missing_signatures(signed: SignedAgreement) -> tuple[Problem, ...]:
    """One problem for each party that has not signed."""
    return tuple(
        Problem(code="AMG-AGREEMENT-UNSIGNED", place="signatures", args=(show(party.name),))
        for party in signed.agreement.parties
        if not signed.is_signed_by(party.id)
    )


def _is_true(agreement: Agreement, party: Party, signature: Signature) -> bool:
    key, value = raw_of(party.key, KEY_BYTES), raw_of(signature.value, SIGNATURE_BYTES)
    if key is None or value is None:
        return False
    try:
        message = signed_bytes(agreement, signature.party, signature.signed_at)
        Ed25519PublicKey.from_public_bytes(key).verify(value, message)
    except (InvalidSignature, ValueError):
        return False
    return True

"""The written form of an agreement and of a party's card: RFC 8785 canonical JSON, read back strictly."""

import base64
import binascii
import hashlib
from typing import Any, Final

import msgspec
import rfc8785
from msgspec import Struct

from amagasa.share.agreement import Agreement, Card, Clause, Consent, Party, Role
from amagasa.share.problem import Problem
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show
from amagasa.vocab.tlp import tlp_of_word

FORMAT: Final = "amagasa-agreement-1"
MAX_AGREEMENT_BYTES: Final = 1_048_576
MAX_VERSION: Final = 1_000_000
KEY_BYTES: Final = 32


class _PlainClause(Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    giver: str
    objects: list[str]
    ceiling: str
    consent: str
    pattern_types: list[str]
    strip: list[str]
    pseudonymise: list[str]


class _PlainParty(Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    country: str
    role: str
    key: str
    certificate: str
    address: str


class _PlainCard(Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    country: str
    key: str
    certificate: str
    address: str


class PlainAgreement(Struct, kw_only=True, forbid_unknown_fields=True):
    """An agreement as it stands in a signed file; `agreement_of_plain` makes the value of it."""

    format: str
    id: str
    title: str
    version: int
    parties: list[_PlainParty]
    valid_from: str
    valid_until: str
    clauses: list[_PlainClause]


def plain_of(agreement: Agreement) -> dict[str, Any]:
    """The agreement as JSON values; markings and consents as words, instants as RFC 3339."""
    return {
        "format": FORMAT,
        "id": agreement.id,
        "title": agreement.title,
        "version": agreement.version,
        "parties": [
            {
                "id": party.id,
                "name": party.name,
                "country": party.country,
                "role": party.role.value,
                "key": party.key,
                "certificate": party.certificate,
                "address": party.address,
            }
            for party in agreement.parties
        ],
        "valid_from": to_rfc3339(agreement.valid_from_at),
        "valid_until": to_rfc3339(agreement.valid_until_at),
        "clauses": [
            {
                "id": clause.id,
                "giver": clause.giver,
                "objects": list(clause.objects),
                "ceiling": clause.ceiling.word,
                "consent": clause.consent.value,
                "pattern_types": list(clause.pattern_types),
                "strip": list(clause.strip),
                "pseudonymise": list(clause.pseudonymise),
            }
            for clause in agreement.clauses
        ],
    }


def agreement_of_plain(plain: PlainAgreement) -> Agreement | Problem:
    """The value of what stood in a file; a problem where a word or an instant means nothing."""
    if plain.format != FORMAT:
        return Problem(code="AMG-AGREEMENT-FORMAT", place="format", args=(FORMAT, show(plain.format)))
    if len(plain.parties) != 2:
        return Problem(code="AMG-AGREEMENT-TWO", place="parties", args=(str(len(plain.parties)),))
    if not 1 <= plain.version <= MAX_VERSION:
        return Problem(code="AMG-AGREEMENT-VERSION", place="version", args=(str(MAX_VERSION),))
    try:
        first, second = (_party_of(party) for party in plain.parties)
        return Agreement(
            id=plain.id,
            title=plain.title,
            version=plain.version,
            parties=(first, second),
            valid_from_at=from_rfc3339(plain.valid_from),
            valid_until_at=from_rfc3339(plain.valid_until),
            clauses=tuple(_clause_of(clause) for clause in plain.clauses),
        )
    except ValueError as fault:
        return Problem(code="AMG-AGREEMENT-WORD", args=(show(str(fault)),))


def digest(agreement: Agreement) -> str:
    """SHA-256 over the canonical form, in hex: what two people compare by voice before they sign."""
    return hashlib.sha256(rfc8785.dumps(plain_of(agreement))).hexdigest()


def card_bytes(card: Card) -> bytes:
    """A party's card as it is handed over: JSON, indented for people."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"


def parse_card(data: bytes) -> Card | Problem:
    """The card in `data`; a problem where it is none. Its contents are judged by `share.check`."""
    try:
        plain = msgspec.json.decode(data, type=_PlainCard)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        return Problem(code="AMG-CARD-FORM", args=(show(str(fault)),))
    return Card(**msgspec.structs.asdict(plain))


def raw_of(text: str, n_bytes: int) -> bytes | None:
    """The bytes that base64url without padding stands for, where it is spelled in the one right way."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    is_right = len(raw) == n_bytes and base64.urlsafe_b64encode(raw).decode().rstrip("=") == text
    return raw if is_right else None


def _party_of(plain: _PlainParty) -> Party:
    values = msgspec.structs.asdict(plain)
    return Party(**(values | {"role": Role(plain.role)}))


def _clause_of(plain: _PlainClause) -> Clause:
    ceiling = tlp_of_word(plain.ceiling)
    if ceiling is None:
        message = f"{plain.ceiling!r} is no TLP marking"
        raise ValueError(message)
    return Clause(
        id=plain.id,
        giver=plain.giver,
        objects=tuple(plain.objects),
        ceiling=ceiling,
        consent=Consent(plain.consent),
        pattern_types=tuple(plain.pattern_types),
        strip=tuple(plain.strip),
        pseudonymise=tuple(plain.pseudonymise),
    )

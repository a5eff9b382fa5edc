"""The written form of an agreement and of a party's card: RFC 8785 canonical JSON, read back strictly."""

import base64
import binascii
import hashlib
from typing import Annotated, Any, Final

import msgspec
import rfc8785
from msgspec import Meta, Struct

from amagasa.share.agreement import Agreement, Card, Clause, Consent, Party
from amagasa.share.problem import Problem
from amagasa.share.terms import (
    NO_PERSON_NAMED,
    Ask,
    Breach,
    Budget,
    Clocks,
    Generalise,
    Handling,
    Identity,
    Legal,
    Line,
    Path,
    Role,
    Scope,
    Trial,
    Under,
)
from amagasa.vocab.instants import from_rfc3339, to_rfc3339
from amagasa.vocab.text import show
from amagasa.vocab.tlp import tlp_of_word

FORMAT: Final = "amagasa-agreement-1"
MAX_AGREEMENT_BYTES: Final = 1_048_576
MAX_VERSION: Final = 1_000_000
KEY_BYTES: Final = 32


Text = Annotated[str, Meta(max_length=100_000)]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, to the millisecond", max_length=40)]
TlpWord = Annotated[str, Meta(description="TLP 2.0", pattern="^(clear|green|amber|amber\\+strict|red)$")]


class PlainClause(Struct, kw_only=True, forbid_unknown_fields=True):
    """A term as it stands in a signed file."""

    id: Text
    giver: Text
    objects: list[Text]
    ceiling: TlpWord
    consent: Consent
    pattern_types: list[Text]
    strip: list[Text]
    pseudonymise: list[Text]
    generalise: tuple[Generalise, ...] = ()
    only: tuple[Path, ...] = ()
    is_reminted: bool = False
    n_persons: Annotated[int, Meta(ge=1, le=2)] = 1
    approvers: tuple[Line, ...] = NO_PERSON_NAMED
    handling: Handling = Handling()
    behalf: tuple[Identity, ...] = ()
    batch_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    jitter_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    trial: Trial = Trial()


class PlainParty(Struct, kw_only=True, forbid_unknown_fields=True):
    """A party as it stands in a signed file."""

    id: Text
    name: Text
    country: Text
    role: Role
    key: Text
    certificate: Text
    address: Text


class _PlainCard(Struct, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    country: str
    key: str
    certificate: str
    address: str


class PlainAgreement(Struct, kw_only=True, forbid_unknown_fields=True):
    """An agreement as it stands in a signed file; `agreement_of_plain` makes the value of it."""

    format: Text
    id: Text
    title: Text
    version: int
    parties: list[PlainParty]
    valid_from: Instant
    valid_until: Instant
    clauses: list[PlainClause]
    amends: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    under: Under | None = None
    scope: Scope = Scope()
    clocks: Clocks = Clocks()
    legal: tuple[Legal, ...] = ()
    asks: tuple[Ask, ...] = ()
    budgets: tuple[Budget, ...] = ()
    breach: Breach = Breach()
    rotate_days: Annotated[int, Meta(ge=0, le=3_650)] = 0


# What need not be said: it is written only where it differs from its default, so that there is one canonical form.
CLAUSE_TERMS: Final = (
    "generalise",
    "only",
    "is_reminted",
    "n_persons",
    "approvers",
    "handling",
    "behalf",
    "batch_s",
    "jitter_s",
    "trial",
)
AGREEMENT_TERMS: Final = (
    "amends",
    "under",
    "scope",
    "clocks",
    "legal",
    "asks",
    "budgets",
    "breach",
    "rotate_days",
)


def plain_of(agreement: Agreement) -> dict[str, Any]:
    """The agreement as JSON values; markings and consents as words, instants as RFC 3339."""
    return {
        "format": FORMAT,
        "id": agreement.id,
        "title": agreement.title,
        "version": agreement.version,
        "parties": [msgspec.to_builtins(party) for party in agreement.parties],
        "valid_from": to_rfc3339(agreement.valid_from_at),
        "valid_until": to_rfc3339(agreement.valid_until_at),
        "clauses": [plain_clause(clause) for clause in agreement.clauses],
        **_stated(agreement, AGREEMENT_TERMS),
    }


def plain_clause(clause: Clause) -> dict[str, Any]:
    """The clause as JSON values."""
    return {
        "id": clause.id,
        "giver": clause.giver,
        "objects": list(clause.objects),
        "ceiling": clause.ceiling.word,
        "consent": clause.consent.value,
        "pattern_types": list(clause.pattern_types),
        "strip": list(clause.strip),
        "pseudonymise": list(clause.pseudonymise),
        **_stated(clause, CLAUSE_TERMS),
    }


def _stated(value: Agreement | Clause, names: tuple[str, ...]) -> dict[str, Any]:
    """Those of the terms which differ from their default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(value)}
    found = {name: getattr(value, name) for name in names}
    return {name: msgspec.to_builtins(term) for name, term in found.items() if term != defaults[name]}


def agreement_of_plain(plain: PlainAgreement) -> Agreement | Problem:
    """The value of what stood in a file; a problem where a word or an instant means nothing."""
    if plain.format != FORMAT:
        return Problem(code="AMG-AGREEMENT-FORMAT", place="format", args=(FORMAT, show(plain.format)))
    if len(plain.parties) != 2:
        return Problem(code="AMG-AGREEMENT-TWO", place="parties", args=(str(len(plain.parties)),))
    if not 1 <= plain.version <= MAX_VERSION:
        return Problem(code="AMG-AGREEMENT-VERSION", place="version", args=(str(MAX_VERSION),))
    try:
        first, second = (Party(**msgspec.structs.asdict(party)) for party in plain.parties)
        return Agreement(
            id=plain.id,
            title=plain.title,
            version=plain.version,
            parties=(first, second),
            valid_from_at=from_rfc3339(plain.valid_from),
            valid_until_at=from_rfc3339(plain.valid_until),
            clauses=tuple(_clause_of(clause) for clause in plain.clauses),
            **{name: getattr(plain, name) for name in AGREEMENT_TERMS},
        )
    except ValueError as fault:
        return Problem(code="AMG-AGREEMENT-WORD", args=(show(str(fault)),))


def schema() -> bytes:
    """The JSON Schema (2020-12) of the terms in a signed file, made from the types that read them; indented."""
    made = msgspec.json.schema(PlainAgreement)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": FORMAT}
    return msgspec.json.format(msgspec.json.encode(head | made, order="deterministic"), indent=2) + b"\n"


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


def _clause_of(plain: PlainClause) -> Clause:
    ceiling = tlp_of_word(plain.ceiling)
    if ceiling is None:
        message = f"{plain.ceiling!r} is no TLP marking"
        raise ValueError(message)
    return Clause(
        id=plain.id,
        giver=plain.giver,
        objects=tuple(plain.objects),
        ceiling=ceiling,
        consent=plain.consent,
        pattern_types=tuple(plain.pattern_types),
        strip=tuple(plain.strip),
        pseudonymise=tuple(plain.pseudonymise),
        **{name: getattr(plain, name) for name in CLAUSE_TERMS},
    )

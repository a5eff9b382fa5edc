"""Does an agreement hold together? Contradictions (faults) keep it from being signed or used; gaps are notes."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from amagasa.intel.marking import MARKING_PROPERTIES
from amagasa.intel.stix import COMMON, REQUIRED, TYPED
from amagasa.share.agreement import Agreement, Card, Clause, Party
from amagasa.share.check_terms import check_terms
from amagasa.share.form import KEY_BYTES, MAX_VERSION, raw_of
from amagasa.share.problem import Problem, Weight
from amagasa.share.redact import NEVER_PSEUDONYMS, PROTECTED, is_path
from amagasa.share.release import COMPANION_CLAUSE
from amagasa.share.terms import Role
from amagasa.vocab.ids import is_stix_id, type_of
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

MAX_CLAUSES: Final = 200
MAX_NAME_CHARACTERS: Final = 200
# What an umbrella is made of; a direction without one of them is worth a word.
USUAL_TYPES: Final = ("sighting", "indicator", "incident")
_CLAUSE_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_AGREEMENT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PATTERN_TYPES: Final = ("stix", "sigma")


def check(agreement: Agreement) -> tuple[Problem, ...]:
    """Every problem, faults first; in the order of the agreement."""
    found = [
        *_whole(agreement),
        *(problem for number, party in enumerate(agreement.parties) for problem in _party(party, f"parties[{number}]")),
        *_pair(agreement),
        *_clauses(agreement),
        *check_terms(agreement),
        *_gaps(agreement),
    ]
    return tuple(sorted(found, key=lambda problem: problem.weight is Weight.NOTE))


def check_card(card: Card) -> tuple[Problem, ...]:
    """The faults of a party's card."""
    return tuple(_party(card.as_party(Role.SUPPORTED), "card"))


def check_at(agreement: Agreement, now: datetime) -> tuple[Problem, ...]:
    """What the clock says: not yet in force (a note) or expired (a fault)."""
    if now >= agreement.valid_until_at:
        return (Problem(code="AMG-AGREEMENT-EXPIRED", args=(f"{agreement.valid_until_at:%Y-%m-%d %H:%M} UTC",)),)
    if now < agreement.valid_from_at:
        args = (f"{agreement.valid_from_at:%Y-%m-%d %H:%M} UTC",)
        return (Problem(code="AMG-AGREEMENT-EARLY", args=args, weight=Weight.NOTE),)
    return ()


def _note(code: str, place: str, *args: str) -> Problem:
    return Problem(code=code, place=place, args=args, weight=Weight.NOTE)


def _fault(code: str, place: str, *args: str) -> Problem:
    return Problem(code=code, place=place, args=args)


def _whole(agreement: Agreement) -> Iterator[Problem]:
    if _AGREEMENT_ID.fullmatch(agreement.id) is None:
        yield _fault("AMG-AGREEMENT-ID", "id", show(agreement.id))
    if not _is_name(agreement.title):
        yield _fault("AMG-AGREEMENT-NAME", "title", show(agreement.title))
    if not 1 <= agreement.version <= MAX_VERSION:
        yield _fault("AMG-AGREEMENT-VERSION", "version", str(MAX_VERSION))
    if agreement.valid_from_at >= agreement.valid_until_at:
        yield _fault("AMG-AGREEMENT-VALIDITY", "valid_until")


def _is_name(text: str) -> bool:
    return len(text.strip()) > 0 and len(text) <= MAX_NAME_CHARACTERS and show(text) == text


def _party(party: Party, place: str) -> Iterator[Problem]:
    if not is_stix_id(party.id) or type_of(party.id) != "identity":
        yield _fault("AMG-AGREEMENT-PARTY-ID", f"{place}.id", show(party.id))
    if not _is_name(party.name):
        yield _fault("AMG-AGREEMENT-NAME", f"{place}.name", show(party.name))
    if _COUNTRY.fullmatch(party.country) is None:
        yield _fault("AMG-AGREEMENT-COUNTRY", f"{place}.country", show(party.country))
    if raw_of(party.key, KEY_BYTES) is None:
        yield _fault("AMG-AGREEMENT-KEY", f"{place}.key")
    if not _is_door(party.address):
        yield _fault("AMG-AGREEMENT-ADDRESS", f"{place}.address", show(party.address))
    certificate = certificate_of(party.certificate)
    if certificate is None:
        yield _fault("AMG-AGREEMENT-CERTIFICATE", f"{place}.certificate")
    elif _may_issue(certificate):
        yield _fault("AMG-AGREEMENT-CA", f"{place}.certificate")


def certificate_of(pem: str) -> x509.Certificate | None:
    """The one certificate in `pem`, spelled as OpenSSL would; None for anything else."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except (ValueError, UnicodeError, CryptographyDeprecationWarning):  # the last where warnings are errors
        return None
    return found[0] if len(found) == 1 and pem.count("-----BEGIN") == 1 else None


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return True


def _is_door(address: str) -> bool:
    try:
        parts = urlsplit(address)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = parts.username is None and not parts.query and not parts.fragment and address.isascii()
    return parts.scheme == "https" and bool(parts.hostname) and has_port and is_plain and show(address) == address


def _pair(agreement: Agreement) -> Iterator[Problem]:
    first, second = agreement.parties
    if first.role is second.role:
        yield _fault("AMG-AGREEMENT-ROLES", "parties", first.role.value)
    for name in ("id", "key", "certificate"):
        if getattr(first, name) == getattr(second, name):
            yield _fault("AMG-AGREEMENT-SAME", "parties", name)
    for number, party in enumerate(agreement.parties):
        certificate = certificate_of(party.certificate)
        if certificate is not None and certificate.not_valid_after_utc < agreement.valid_until_at:
            until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            yield _note("AMG-AGREEMENT-OUTLIVES", f"parties[{number}].certificate", show(party.name), until)


def _clauses(agreement: Agreement) -> Iterator[Problem]:
    if len(agreement.clauses) > MAX_CLAUSES:
        yield _fault("AMG-AGREEMENT-MANY", "clause", str(MAX_CLAUSES))
        return
    counts = Counter(clause.id for clause in agreement.clauses)
    givers = {party.id for party in agreement.parties}
    for number, clause in enumerate(agreement.clauses):
        place = f"clause[{number}]"
        if _CLAUSE_ID.fullmatch(clause.id) is None or clause.id == COMPANION_CLAUSE:
            yield _fault("AMG-AGREEMENT-CLAUSE-ID", f"{place}.id", show(clause.id))
        if counts[clause.id] > 1:
            yield _fault("AMG-AGREEMENT-CLAUSE-TWICE", f"{place}.id", show(clause.id))
        if clause.giver not in givers:
            yield _fault("AMG-AGREEMENT-GIVER", f"{place}.giver", show(clause.giver))
        if clause.ceiling is Tlp.RED:
            yield _fault("AMG-AGREEMENT-RED", f"{place}.ceiling")
        yield from _types(clause, place)
        yield from _paths(clause, place)
        yield from _shadows(clause, agreement.clauses[:number], place)


def _types(clause: Clause, place: str) -> Iterator[Problem]:
    if not clause.objects:
        yield _fault("AMG-AGREEMENT-NOTHING", f"{place}.objects")
    for kind in clause.objects:
        if _TYPE.fullmatch(kind) is None or kind == "bundle":
            yield _fault("AMG-AGREEMENT-TYPE-NAME", f"{place}.objects", show(kind))
        elif kind not in REQUIRED:
            yield _note("AMG-AGREEMENT-TYPE-NEW", f"{place}.objects", show(kind))
    for name in clause.pattern_types:
        if name not in _PATTERN_TYPES:
            yield _fault("AMG-AGREEMENT-PATTERN", f"{place}.pattern_types", show(name), ", ".join(_PATTERN_TYPES))
    if clause.pattern_types and "indicator" not in clause.objects:
        yield _fault("AMG-AGREEMENT-PATTERN-ALONE", f"{place}.pattern_types")


def _paths(clause: Clause, place: str) -> Iterator[Problem]:
    for path in clause.strip:
        yield from _touched(path, f"{place}.strip") or _stripped(clause, path, f"{place}.strip")
    for path in clause.pseudonymise:
        yield from _touched(path, f"{place}.pseudonymise") or _replaced(path, f"{place}.pseudonymise")
    for path in sorted(set(clause.strip) & set(clause.pseudonymise)):
        yield _fault("AMG-AGREEMENT-BOTH", f"{place}.strip", show(path))


def _touched(path: str, at: str) -> list[Problem]:
    segments = path.split(".")
    if not is_path(path):
        return [_fault("AMG-AGREEMENT-PATH", at, show(path))]
    is_marking = any(segment in MARKING_PROPERTIES for segment in segments)
    if segments[0] in {*PROTECTED, *COMMON, "*"} or is_marking:
        return [_fault("AMG-AGREEMENT-PROTECTED", at, show(path))]
    return []


def _stripped(clause: Clause, path: str, at: str) -> list[Problem]:
    needing = [kind for kind in clause.objects if path in REQUIRED.get(kind, ())]
    if needing:
        return [_fault("AMG-AGREEMENT-NEEDED", at, show(path), kind) for kind in needing]
    is_wanted = path in {"name", "description"} and "indicator" in clause.objects
    return [_note("AMG-AGREEMENT-WANTED", at, show(path))] if is_wanted else []


def _replaced(path: str, at: str) -> list[Problem]:
    is_free = path.partition(".")[0] not in {*NEVER_PSEUDONYMS, *TYPED}
    return [] if is_free else [_fault("AMG-AGREEMENT-TYPED", at, show(path))]


def _shadows(clause: Clause, before: tuple[Clause, ...], place: str) -> Iterator[Problem]:
    """A clause which can never apply, because an earlier one lets go all that it would."""
    for earlier in before:
        covers_patterns = not earlier.pattern_types or (
            bool(clause.pattern_types) and set(clause.pattern_types) <= set(earlier.pattern_types)
        )
        has_patterns = "indicator" in clause.objects
        if (
            earlier.giver == clause.giver
            and set(clause.objects) <= set(earlier.objects)
            and clause.ceiling <= earlier.ceiling
            and (covers_patterns or not has_patterns)
        ):
            yield _fault("AMG-AGREEMENT-SHADOWED", place, show(clause.id), show(earlier.id))
            return


def _gaps(agreement: Agreement) -> Iterator[Problem]:
    for party in agreement.parties:
        given = {kind for clause in agreement.clauses if clause.giver == party.id for kind in clause.objects}
        for kind in USUAL_TYPES:
            if kind not in given:
                yield _note("AMG-AGREEMENT-GAP", "clause", show(party.name), kind)

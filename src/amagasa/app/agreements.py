"""Agreements of a node: drafted from two cards, examined, signed, installed, and read back at each start."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.agreement_book import AgreementBook, newest_digest
from amagasa.share.agreement import Agreement, Card, Party
from amagasa.share.check import check, check_at, check_card
from amagasa.share.draft import parse_draft
from amagasa.share.draft_text import draft_text
from amagasa.share.form import digest, parse_card
from amagasa.share.problem import Problem, Weight
from amagasa.share.signing import (
    SignedAgreement,
    from_bytes,
    missing_signatures,
    signature_problems,
    signed_bytes,
    to_bytes,
    verify,
    with_signature,
)
from amagasa.share.within import check_within
from amagasa.share.words import tell
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

CARD_FILE: Final = "party.json"
SIGNED_SUFFIX: Final = ".signed.json"


class Signer(Protocol):
    """Whoever holds a party's keys."""

    @property
    def public_key(self) -> str: ...  # noqa: D102 - Ed25519, 32 bytes in base64url without padding
    @property
    def certificate(self) -> str: ...  # noqa: D102 - the PEM of its TLS certificate
    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature."""


class AgreementFiles(Protocol):
    """Agreements, cards and keys as files."""

    def read(self, path: Path, *, what: str) -> bytes:
        """A small file. Raises BadInputError (AMG-FILE-...)."""

    def exists(self, path: Path) -> bool: ...  # noqa: D102
    def write(self, path: Path, data: bytes) -> None:
        """Whole or not at all. Raises WorldError."""

    def installed(self, node: Path) -> Sequence[tuple[str, bytes | str]]:
        """Name and content of each file in the node's `agreements/`; for one that cannot be read, why."""

    def install(self, node: Path, name: str, data: bytes) -> None:
        """Put it into `agreements/`."""

    def signer(self, node: Path) -> Signer:
        """The node's keys, checked. Raises WorldError (AMG-SEAL-...)."""


class Examined(Struct, frozen=True, kw_only=True):
    """What stands in a draft or a signed file. `agreement` is None where it could not be read: `problems` say why."""

    agreement: Agreement | None
    signed: SignedAgreement | None
    problems: tuple[Problem, ...]

    @property
    def faults(self) -> tuple[Problem, ...]:
        """The problems that keep it from being used."""
        return tuple(problem for problem in self.problems if problem.weight is Weight.FAULT)


class Signing(Struct, frozen=True, kw_only=True):
    """What a party is about to sign, or has signed already (`is_signed`), and where it will be written."""

    signed: SignedAgreement
    us: Party
    is_signed: bool
    target: Path


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of signing: the names of those who have yet to sign, and the name under which it is installed or ""."""

    target: Path
    missing: tuple[str, ...]
    installed: str


def draft(
    files: AgreementFiles, supported: Path, supporting: Path, *, valid_from_at: datetime, valid_until_at: datetime
) -> str:
    """A commented TOML between the parties of two cards. Raises BadInputError."""
    one, other = read_card(files, supported), read_card(files, supporting)
    if one.id == other.id or one.key == other.key or one.certificate == other.certificate:
        raise BadInputError(
            "AMG-AGREEMENT-SAME",
            "both cards are of the same party",
            expected="the card of the supported and the card of the supporting party",
            got=one.name,
            then="nothing was drafted",
        )
    if valid_from_at >= valid_until_at:
        raise BadInputError("AMG-AGREEMENT-VALIDITY", "the validity ends before it begins", then="nothing was drafted")
    return draft_text(one, other, valid_from_at=valid_from_at, valid_until_at=valid_until_at)


def read_card(files: AgreementFiles, path: Path) -> Card:
    """A party's card. Raises BadInputError."""
    card = parse_card(files.read(path, what="the card"))
    problems = (card,) if isinstance(card, Problem) else check_card(card)
    if isinstance(card, Problem) or problems:
        raise _refused(path, problems, "this card cannot be used")
    return card


def examine(data: bytes, *, now: datetime) -> Examined:
    """Read and judge a draft (TOML) or a signed agreement (JSON): form, contradictions, gaps, signatures, validity."""
    if data.lstrip()[:1] != b"{":
        drafted = parse_draft(data)
        if not isinstance(drafted, Agreement):
            return Examined(agreement=None, signed=None, problems=drafted)
        return Examined(agreement=drafted, signed=None, problems=(*check(drafted), *check_at(drafted, now)))
    signed = from_bytes(data)
    if isinstance(signed, Problem):
        return Examined(agreement=None, signed=None, problems=(signed,))
    problems = (*signature_problems(signed), *_as_notes(missing_signatures(signed)), *check(signed.agreement))
    return Examined(agreement=signed.agreement, signed=signed, problems=(*problems, *check_at(signed.agreement, now)))


def prepare(files: AgreementFiles, node: Path, file: Path, *, now: datetime) -> Signing:
    """What this node would sign. Raises BadInputError where the file is not sound, not about us, or expired.

    A draft is signed beside itself, as `<name>.signed.json`; where that is there with the same terms, into it.
    """
    examined = examine(files.read(file, what="the agreement"), now=now)
    if examined.agreement is None or examined.faults:
        raise _refused(file, examined.faults or examined.problems, "this agreement cannot be signed")
    signed = examined.signed or SignedAgreement(agreement=examined.agreement)
    target = file
    if examined.signed is None:
        target = file.with_name(file.name.removesuffix(".toml") + SIGNED_SUFFIX)
        signed = _continued(files, target, signed)
    card = read_card(files, node / CARD_FILE)
    us = _ours(signed.agreement, card, files.signer(node))
    _check_chain(files, node, signed.agreement)
    return Signing(signed=signed, us=us, is_signed=signed.is_signed_by(us.id), target=target)


def sign(files: AgreementFiles, node: Path, prepared: Signing, *, now: datetime) -> Outcome:
    """Sign what was prepared, unless it is signed; once both have, install it. Doing it again changes nothing.

    Raises BadInputError (AMG-AGREEMENT-INSTALLED) where other terms are installed under the same id and version.
    """
    signed = prepared.signed
    name = f"{signed.agreement.id}-v{signed.agreement.version}.json"
    _check_place(files, node, name, signed.agreement)
    if not prepared.is_signed:
        message = signed_bytes(signed.agreement, prepared.us.id, now)
        signed = with_signature(signed, prepared.us.id, now, files.signer(node).sign(message))
        files.write(prepared.target, to_bytes(signed))
    missing = tuple(party.name for party in signed.agreement.parties if not signed.is_signed_by(party.id))
    if missing:
        return Outcome(target=prepared.target, missing=missing, installed="")
    problems = verify(signed)
    if problems:
        raise _refused(prepared.target, problems, "this agreement cannot be installed")
    if name not in {known for known, _ in files.installed(node)}:
        files.install(node, name, to_bytes(signed))
    return Outcome(target=prepared.target, missing=(), installed=name)


def load_book(files: AgreementFiles, node: Path) -> AgreementBook:
    """The agreements installed in a node's folder. Raises BadInputError where the node's own card cannot be read."""
    return AgreementBook.load(files.installed(node), read_card(files, node / CARD_FILE))


def _ours(agreement: Agreement, card: Card, signer: Signer) -> Party:
    us = next((party for party in agreement.parties if party.id == card.id), None)
    if us is None:
        raise BadInputError(
            "AMG-AGREEMENT-OTHERS",
            "this node is no party of the agreement",
            expected=f"an agreement with {show(card.name)} ({card.id})",
            got=" and ".join(show(party.name) for party in agreement.parties),
            then="nothing was signed",
        )
    ours = replace(card, key=signer.public_key, certificate=signer.certificate)
    for name in ("key", "certificate", "name", "country", "address"):
        if getattr(us, name) != getattr(ours, name) or getattr(card, name) != getattr(ours, name):
            raise BadInputError(
                "AMG-AGREEMENT-OURS",
                f"the {name} which the agreement gives for this node is not the node's own",
                expected=f"what stands in the node's {CARD_FILE} and keys",
                then="draft the agreement anew from this node's card; nothing was signed",
            )
    return us


def _continued(files: AgreementFiles, target: Path, fresh: SignedAgreement) -> SignedAgreement:
    """The signatures that stand in `target` already, where it has the same terms."""
    if not files.exists(target):
        return fresh
    there = from_bytes(files.read(target, what="the signed agreement"))
    if isinstance(there, Problem) or signature_problems(there) or digest(there.agreement) != digest(fresh.agreement):
        raise BadInputError(
            "AMG-AGREEMENT-EXISTS",
            f"{target} is there already, with other terms than the draft or damaged",
            expected="a signed file of this very draft, or none",
            then="move it aside and sign again; nothing was signed",
        )
    return there


def _check_place(files: AgreementFiles, node: Path, name: str, agreement: Agreement) -> None:
    data = dict(files.installed(node)).get(name)
    there = from_bytes(data) if isinstance(data, bytes) else None
    if data is not None and (not isinstance(there, SignedAgreement) or digest(there.agreement) != digest(agreement)):
        raise BadInputError(
            "AMG-AGREEMENT-INSTALLED",
            f"agreements/{name} is there already, with other terms or damaged",
            expected="a higher version for changed terms",
            then="raise `version` in the draft, or move the damaged file aside; nothing was signed",
        )


def _check_chain(files: AgreementFiles, node: Path, agreement: Agreement) -> None:
    """An amendment follows the newest version that both signed; an operator's agreement stays within its nation's."""
    book = load_book(files, node)
    sound = [one.agreement for one in book.entries if one.agreement is not None and not one.problems]
    before = [one for one in sound if one.id == agreement.id and one.version < agreement.version]
    problems: tuple[Problem, ...] = ()
    if before and agreement.amends != newest_digest(before):
        args = (agreement.amends or "-", newest_digest(before))
        problems = (Problem(code="AMG-AGREEMENT-CHAIN", place="amends", args=args),)
    under = agreement.under
    if under is not None:
        parent = next((one for one in sound if one.id == under.id and digest(one) == under.digest), None)
        problems += () if parent is None else check_within(agreement, parent)
    if problems:
        raise _refused(
            Path(f"{agreement.id}, version {agreement.version}"), problems, "this agreement cannot be signed"
        )


def _as_notes(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """A signature that is still to come is no fault of the file."""
    return tuple(replace(problem, weight=Weight.NOTE) for problem in problems)


def _refused(path: Path, problems: Sequence[Problem], what: str) -> BadInputError:
    first = problems[0]
    more = f" (and {len(problems) - 1} more: amagasa agreement check)" if len(problems) > 1 else ""
    return BadInputError(
        first.code,
        f"{what}: {path}",
        got=tell(first).removesuffix(f" [{first.code}]") + more,
        then="nothing was changed",
    )

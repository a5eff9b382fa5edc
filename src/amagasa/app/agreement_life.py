"""The life of a signed agreement: amended by both, version upon version, and revoked by either."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from amagasa.app.agreement_book import REVOKED_SUFFIX, AgreementBook, Entry
from amagasa.app.agreements import AgreementFiles, load_book
from amagasa.share.agreement import Agreement
from amagasa.share.draft_text import amended_text
from amagasa.share.problem import Problem
from amagasa.share.revoking import Revocation, from_file, is_true, revoke, revoked_bytes, to_file, with_value
from amagasa.share.words import tell
from amagasa.vocab.errors import BadInputError


class Revoked(Struct, frozen=True, kw_only=True):
    """What was revoked, and under which name it stands in the node."""

    agreement: Agreement
    revocation: Revocation
    name: str


def find(book: AgreementBook, agreement_id: str) -> Entry:
    """The newest sound version. Raises BadInputError (AMG-AGREEMENT-UNKNOWN)."""
    found = [
        entry
        for entry in book.entries
        if entry.agreement is not None and not entry.problems and agreement_id in {"", entry.agreement.id}
    ]
    if not found or len({entry.agreement.id for entry in found if entry.agreement}) > 1:
        known = sorted({entry.agreement.id for entry in book.entries if entry.agreement})
        raise BadInputError(
            "AMG-AGREEMENT-UNKNOWN",
            "this is no agreement of the node",
            expected=" or ".join(known) or "a signed agreement in the node",
            got=agreement_id,
            then="nothing was changed",
        )
    return max(found, key=lambda entry: entry.agreement.version if entry.agreement else 0)


def amend(files: AgreementFiles, node: Path, agreement_id: str) -> str:
    """The newest version as TOML to be edited: the next version, which names this one's digest."""
    agreement = find(load_book(files, node), agreement_id).agreement
    return "" if agreement is None else amended_text(agreement)


def revoke_own(files: AgreementFiles, node: Path, agreement_id: str, *, why: str, now: datetime) -> Revoked:
    """End the agreement at once by this party's word alone. Raises BadInputError, WorldError."""
    book = load_book(files, node)
    entry = find(book, agreement_id)
    agreement = entry.agreement
    if agreement is None or entry.revoked is not None:
        raise BadInputError("AMG-AGREEMENT-ENDED", "it is revoked already", got=entry.name, then="nothing was changed")
    word = revoke(agreement, book.party_id, revoked_at=now, why=why)
    signed = with_value(word, files.signer(node).sign(revoked_bytes(word)))
    return _install(files, node, agreement, signed)


def revoke_by_file(files: AgreementFiles, node: Path, file: Path) -> Revoked:
    """Take an ally's signed revocation in. Raises BadInputError where it is not true, or about nothing we signed."""
    found = from_file(files.read(file, what="the revocation"))
    if isinstance(found, Problem):
        raise BadInputError(found.code, "this is no revocation", got=tell(found), then="nothing was changed")
    known = [entry.agreement for entry in load_book(files, node).entries if entry.agreement is not None]
    agreement = next((one for one in known if is_true(found, one)), None)
    if agreement is None:
        raise BadInputError(
            "AMG-AGREEMENT-UNTRUE",
            "this revocation is not signed by a party of an agreement in this node",
            got=found.agreement,
            then="nothing was changed",
        )
    return _install(files, node, agreement, found)


def _install(files: AgreementFiles, node: Path, agreement: Agreement, word: Revocation) -> Revoked:
    name = f"{agreement.id}-v{agreement.version}{REVOKED_SUFFIX}"
    files.install(node, name, to_file(word))
    return Revoked(agreement=agreement, revocation=word, name=name)

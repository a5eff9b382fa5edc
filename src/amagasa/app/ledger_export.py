"""The record of an agreement, handed over and checked: exported with a signed head, countersigned by the ally."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.agreements import Signer
from amagasa.app.ports import AgreementBook, Reading
from amagasa.share.ledger import (
    FORMAT,
    Fits,
    Head,
    Header,
    Misfit,
    SignedHead,
    counter_bytes,
    export_lines,
    head_bytes,
    to_text,
    verify_lines,
)
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339


class Ours(Struct, frozen=True, kw_only=True):
    """Whose record it is, and with which key it is signed."""

    party: str
    signer: Signer


def keys_of(book: AgreementBook, agreement: str) -> dict[str, str]:
    """The public keys of the parties of this agreement, in all its versions the newest; {} where it is unknown."""
    bonds = sorted(book.bonds(), key=lambda bond: bond.agreement.version)
    known = [bond.agreement.parties for bond in bonds if bond.agreement.id == agreement]
    return {party.id: party.key for parties in known for party in parties}


def export(
    reading: Reading,
    agreement: str,
    ours: Ours,
    *,
    book: AgreementBook,
    heads: Sequence[SignedHead],
    now: datetime,
) -> Iterator[bytes]:
    """The lines; `heads` are those which stand already, and a fresh one is signed. Read while `reading` is open.

    Raises as `opening`.
    """
    header, standing, _ = opening(reading, agreement, ours, book=book, heads=heads, now=now)
    return export_lines(header, standing, reading.ledgers.leaves(agreement))


def opening(
    reading: Reading,
    agreement: str,
    ours: Ours,
    *,
    book: AgreementBook,
    heads: Sequence[SignedHead],
    now: datetime,
) -> tuple[Header, list[SignedHead], int]:
    """What stands before the leaves, and how many there are: of `heads` those of this record, then a fresh one.

    Raises BadInputError (AMG-LEDGER-UNKNOWN) where there is no such record.
    """
    keys = keys_of(book, agreement)
    if not keys or agreement not in reading.ledgers.names():
        known = ", ".join(reading.ledgers.names()) or "none yet"
        raise BadInputError("AMG-LEDGER-UNKNOWN", "there is no record of this agreement", expected=known, got=agreement)
    tree = reading.ledgers.frontier(agreement)
    head = Head(agreement=agreement, party=ours.party, n_leaves=tree.n, root=tree.root.hex(), at=to_rfc3339(now))
    fresh = SignedHead(head=head, signature=to_text(ours.signer.sign(head_bytes(head))))
    header = Header(format=FORMAT, agreement=agreement, party=ours.party, keys=keys)
    standing = [one for one in heads if one.head.agreement == agreement and one.head.party == ours.party]
    return header, [*standing, fresh], tree.n


def countersign(
    lines: Iterable[bytes], newest: SignedHead, ours: Ours, *, keys: Mapping[str, str], known: Sequence[SignedHead]
) -> SignedHead:
    """This party's word for the ally's record, after it was checked against every head that was countersigned before.

    Raises BadInputError (AMG-LEDGER-MISFIT) where it does not hold together, or is another record than it was.
    """
    found = verify_lines(lines, keys=keys, known=known)
    if isinstance(found, Misfit):
        at = "" if found.leaf is None else f"leaf {found.leaf}: "
        raise BadInputError("AMG-LEDGER-MISFIT", "this record is not countersigned", got=at + found.why)
    if newest.head.n_leaves != found.n_leaves or newest.head.party == ours.party:
        raise BadInputError(
            "AMG-LEDGER-MISFIT", "this record is not countersigned", got="its head is not the ally's newest"
        )
    value = ours.signer.sign(counter_bytes(newest, ours.party))
    return replace(newest, ally=ours.party, countersignature=to_text(value))


def answer_of(found: Fits) -> dict[str, object]:
    """What `ledger verify` prints."""
    return {"n_leaves": found.n_leaves, "root": found.root, "countersigned": found.countersigned}

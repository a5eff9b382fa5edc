"""The record of an agreement: what was released, admitted, refused, agreed to, as leaves of a Merkle tree (RFC 9162).

An export is NDJSON: one header, signed heads (each with the ally's countersignature where it gave one), then one line a
leaf with its hash. Canonical JSON (RFC 8785) throughout. A leaf holds digests and a bounded summary, never a body, and
the root of all leaves before it: whoever changes one is found at that line or the next.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from amagasa.share.form import KEY_BYTES, raw_of
from amagasa.share.merkle import Frontier, leaf_hash
from amagasa.share.signing import SIGNATURE_BYTES
from amagasa.vocab.text import show

FORMAT: Final = "amagasa-ledger-1"
MAX_LINE_BYTES: Final = 65_536
MAX_HEADS: Final = 1_000


class Act(StrEnum):
    """What a leaf records."""

    OFFER = "offer"
    RELEASE = "release"
    WITHHOLD = "withhold"
    CONSENT = "consent"
    EDIT = "edit"
    REFUSAL = "refusal"
    RETRACTION = "retraction"
    DELIVERY = "delivery"
    FAILURE = "failure"
    ADMISSION = "admission"
    COURIER = "courier"
    TERMS = "terms"
    ALARM = "alarm"
    RECEIPT = "receipt"
    QUARANTINE = "quarantine"
    TRIAL = "trial"
    CONSULTATION = "consultation"
    DELETION = "deletion"
    RESTART = "restart"


class Leaf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act. `terms` is the SHA-256 of the agreement's version, `content` that of the bytes.

    `before` is the root of the leaves before it. `n` counts from 0. `why` is cut at 200 characters.
    """

    n: int
    at: str
    act: Act
    ally: str
    terms: str
    object_id: str
    object_type: str
    version: str
    clause: str
    marking: str
    content: str
    by: str
    why: str
    before: str


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tree of `party`'s record under this agreement at an instant."""

    agreement: str
    party: str
    n_leaves: int
    root: str
    at: str


class SignedHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A head with its party's signature and, "" until it gave one, the ally's over the same head and its own name."""

    head: Head
    signature: str
    ally: str = ""
    countersignature: str = ""


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of an export. `keys`: each party's Ed25519 public key, by identity."""

    format: str
    agreement: str
    party: str
    keys: dict[str, str]


class Fits(Struct, frozen=True, kw_only=True):
    """All of it holds together. `countersigned` is how many leaves, from the first on, the ally's word covers."""

    n_leaves: int
    root: str
    countersigned: int


class Misfit(Struct, frozen=True, kw_only=True):
    """The first leaf that does not fit (its number from 0; None where it is not a leaf), and why."""

    leaf: int | None
    why: str


def digest_of(content: bytes) -> str:
    """What a leaf says of an object's bytes; "" of none."""
    return hashlib.sha256(content).hexdigest() if content else ""


def leaf_bytes(leaf: Leaf) -> bytes:
    """What is hashed: canonical JSON (RFC 8785).

    A leaf holds texts and one small whole number, of which sorted keys make canonical JSON already (a test holds this
    against the library, which takes forty times as long).
    """
    return msgspec.json.encode(leaf, order="sorted")


def head_bytes(head: Head) -> bytes:
    """What its party signs."""
    return rfc8785.dumps({"format": FORMAT, "head": msgspec.to_builtins(head)})


def counter_bytes(signed: SignedHead, ally: str) -> bytes:
    """What the ally signs: the head with its signature, and its own name."""
    told = {"format": FORMAT, "head": msgspec.to_builtins(signed.head), "signature": signed.signature, "ally": ally}
    return rfc8785.dumps(told)


def line_of(leaf: Leaf) -> bytes:
    """A leaf's line in an export."""
    data = leaf_bytes(leaf)
    return msgspec.json.encode(_Line(leaf=leaf, hash=leaf_hash(data).hex()), order="sorted") + b"\n"


def to_text(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def is_signed(signed: SignedHead, key: str) -> bool:
    """Whether its party's key signed it."""
    return is_true_signature(key, signed.signature, head_bytes(signed.head))


def is_countersigned(signed: SignedHead, ally: str, key: str) -> bool:
    """Whether the ally's key countersigned it."""
    return signed.ally == ally and is_true_signature(key, signed.countersignature, counter_bytes(signed, ally))


def untrue(signed: SignedHead, about: tuple[str, str], keys: Mapping[str, str]) -> str:
    """Why this is no head of `about` (agreement, party) under these keys; "" where each signature on it is true."""
    head = signed.head
    if (head.agreement, head.party) != about:
        return "a head is of another record"
    if not is_signed(signed, keys.get(head.party, "")):
        return f"the head over {head.n_leaves} leaves is not signed by {show(head.party)}"
    is_other = signed.ally in keys and signed.ally != head.party
    if signed.countersignature and not (is_other and is_countersigned(signed, signed.ally, keys[signed.ally])):
        return f"the countersignature over {head.n_leaves} leaves is not true"
    return ""


def misplaced(leaf: Leaf, tree: Frontier) -> str:
    """Why this is not the leaf that comes after this tree; "" where it is."""
    if leaf.n != tree.n:
        return f"here stands the leaf of number {leaf.n}"
    return "" if leaf.before == tree.root.hex() else "it does not follow from the leaves before it"


def altered(head: Head) -> Misfit:
    """Where the leaves are others than those of the head: all that is known is that it is one of them."""
    why = "one of the leaves up to this one is another than when the head over them was signed"
    return Misfit(leaf=max(0, head.n_leaves - 1), why=why)


def export_lines(header: Header, heads: Iterable[SignedHead], leaves: Iterable[Leaf]) -> Iterator[bytes]:
    """The lines of an export, in order."""
    yield rfc8785.dumps(msgspec.to_builtins(header)) + b"\n"
    for head in heads:
        yield rfc8785.dumps(msgspec.to_builtins(head)) + b"\n"
    for leaf in leaves:
        yield line_of(leaf)


def verify_lines(
    lines: Iterable[bytes], *, keys: Mapping[str, str] | None = None, known: Iterable[SignedHead] = ()
) -> Fits | Misfit:
    """Whether an export holds together; with nothing but the two public keys, in one pass and bounded memory.

    `keys` (identity -> Ed25519 public key) are those one trusts; the export's own are taken where it is None. `known`
    are heads that one holds already, countersigned or not: the record must go through each of them.
    """
    reader = iter(lines)
    header = _read(next(reader, b""), Header)
    if header is None or header.format != FORMAT:
        return Misfit(leaf=None, why="the first line is no header of a ledger")
    return _Verifying(header, dict(header.keys if keys is None else keys), known).run(reader)


class _Verifying:
    def __init__(self, header: Header, keys: Mapping[str, str], known: Iterable[SignedHead]) -> None:
        self._header = header
        self._keys = keys
        self._heads: list[SignedHead] = list(known)
        self._tree = Frontier()
        self._roots: dict[int, str] = {0: self._tree.root.hex()}
        self._n_read = 0

    def run(self, lines: Iterator[bytes]) -> Fits | Misfit:
        first: bytes | None = None
        newest: SignedHead | None = None
        for line in lines:
            head = _read(line, SignedHead)
            if head is None:
                first = line
                break
            newest = head if newest is None or head.head.n_leaves >= newest.head.n_leaves else newest
            self._heads.append(head)
            if len(self._heads) > MAX_HEADS:
                return Misfit(leaf=None, why=f"it has more than {MAX_HEADS} heads")
        if newest is None:
            return Misfit(leaf=None, why="no signed head stands before the leaves")
        about = (self._header.agreement, self._header.party)
        wrong = next((why for head in self._heads if (why := untrue(head, about, self._keys))), "")
        if wrong:
            return Misfit(leaf=None, why=wrong)
        wanted = {head.head.n_leaves for head in self._heads}
        misfit = self._leaves(first, lines, wanted)
        return misfit or self._end(newest)

    def _leaves(self, first: bytes | None, rest: Iterator[bytes], wanted: set[int]) -> Misfit | None:
        line = first
        while line is not None:
            number = self._tree.n
            found = _read(line, _Line)
            if found is None:
                return Misfit(leaf=number, why="this line is no leaf")
            data = leaf_bytes(found.leaf)
            if leaf_hash(data).hex() != found.hash or line.rstrip(b"\n") != line_of(found.leaf).rstrip(b"\n"):
                return Misfit(leaf=number, why="its content does not fit its hash")
            why = misplaced(found.leaf, self._tree)
            if why:
                return Misfit(leaf=number, why=why)
            self._tree = self._tree.append(bytes.fromhex(found.hash))
            if self._tree.n in wanted:
                self._roots[self._tree.n] = self._tree.root.hex()
            line = next(rest, None)
        return None

    def _end(self, newest: SignedHead) -> Fits | Misfit:
        for signed in sorted(self._heads, key=lambda one: one.head.n_leaves):
            head = signed.head
            if head.n_leaves > self._tree.n:
                why = f"the record ends here, and a signed head counts {head.n_leaves} leaves"
                return Misfit(leaf=self._tree.n, why=why)
            if self._roots[head.n_leaves] != head.root:
                return altered(head)
        if newest.head.n_leaves < self._tree.n:
            return Misfit(leaf=newest.head.n_leaves, why="no signed head covers this leaf")
        covered = [one.head.n_leaves for one in self._heads if one.countersignature]
        return Fits(n_leaves=self._tree.n, root=self._tree.root.hex(), countersigned=max(covered, default=0))


class _Line(Struct, forbid_unknown_fields=True):
    leaf: Leaf
    hash: str


def _read(line: bytes, form: type[Any]) -> Any:
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        return msgspec.json.decode(line, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def is_true_signature(key_text: str, value_text: str, message: bytes) -> bool:
    """Whether this Ed25519 key signed the message; both are base64url without padding. No for what is neither."""
    key, value = raw_of(key_text, KEY_BYTES), raw_of(value_text, SIGNATURE_BYTES)
    if key is None or value is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(value, message)
    except (InvalidSignature, ValueError):
        return False
    return True

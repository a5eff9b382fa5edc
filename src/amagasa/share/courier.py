"""A part of a courier file: what goes to an ally on a stick, where the line is cut. Bytes in, value or fault out.

A part is MAGIC, one line of canonical JSON (RFC 8785) which says from whom to whom it is, the sender's Ed25519
signature (64 bytes), and the content encrypted to the receiver (HPKE, RFC 9180). The signature covers the line and what
is encrypted, so nothing is decrypted that the sender did not make; the encryption is bound to the line. Each part
stands by itself: it can be read alone, again, and in any order.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct

from amagasa.share.form import KEY_BYTES, raw_of
from amagasa.share.signing import SIGNATURE_BYTES
from amagasa.share.terms import Identity, Line

MAGIC: Final = b"amagasa-courier-1\n"
MAX_HEAD_BYTES: Final = 2_048
MAX_PART_BYTES: Final = 8 * 1024 * 1024
MAX_PARTS: Final = 1_000_000


class CourierFault(StrEnum):
    """Why bytes are no part of a courier."""

    SIZE = "AMG-COURIER-SIZE"
    FORM = "AMG-COURIER-FORM"


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in clear: whose it is, whom it is for, and which part of which courier; nothing of what it holds."""

    agreement: Line
    courier: Annotated[str, Meta(pattern="^[0-9a-f-]{36}$")]
    is_last: bool
    made_at: Annotated[str, Meta(max_length=40)]
    part: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    receiver: Identity
    sender: Identity


class Part(Struct, frozen=True, kw_only=True):
    """A part as it came: nothing of it is true before `is_true` says so. `line` are the bytes of the head."""

    head: Head
    line: bytes
    signature: bytes
    sealed: bytes


def line_of(head: Head) -> bytes:
    """The head as it stands in the file, without its end."""
    return rfc8785.dumps(msgspec.to_builtins(head))


def bound_to(line: bytes) -> bytes:
    """What the encryption is bound to: HPKE's `info`."""
    return MAGIC + line


def signed_bytes(line: bytes, sealed: bytes) -> bytes:
    """What the sender signs."""
    return MAGIC + b"signed\n" + hashlib.sha256(line).digest() + hashlib.sha256(sealed).digest()


def part_bytes(line: bytes, signature: bytes, sealed: bytes) -> bytes:
    """The file of one part."""
    return b"".join((MAGIC, line, b"\n", signature, sealed))


def part_of(data: bytes) -> Part | CourierFault:
    """What stands in a file. Says nothing yet on whether the sender made it."""
    if len(data) > MAX_PART_BYTES:
        return CourierFault.SIZE
    if not data.startswith(MAGIC):
        return CourierFault.FORM
    end = data.find(b"\n", len(MAGIC), len(MAGIC) + MAX_HEAD_BYTES)
    rest = data[end + 1 :]
    if end < 0 or len(rest) <= SIGNATURE_BYTES:
        return CourierFault.FORM
    line = data[len(MAGIC) : end]
    try:
        head = msgspec.json.decode(line, type=Head)
    except (ValueError, RecursionError):
        return CourierFault.FORM
    if line_of(head) != line:
        return CourierFault.FORM
    return Part(head=head, line=line, signature=rest[:SIGNATURE_BYTES], sealed=rest[SIGNATURE_BYTES:])


def is_true(part: Part, key: str) -> bool:
    """Whether the party of this Ed25519 key (base64url) made the part."""
    raw = raw_of(key, KEY_BYTES)
    if raw is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(part.signature, signed_bytes(part.line, part.sealed))
    except (InvalidSignature, ValueError):
        return False
    return True

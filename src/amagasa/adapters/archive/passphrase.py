"""The keys of a node under a passphrase: scrypt (RFC 7914) makes the key, ChaCha20-Poly1305 (RFC 8439) seals.

What is sealed is bound to the manifest beside it: with the passphrase in hand an altered backup is told from ours.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

from amagasa.vocab.errors import BadInputError

MIN_CHARACTERS: Final = 12
# 128 MiB and about half a second for each guess (RFC 7914 section 2: 128 * r * N bytes).
_LOG_N: Final = 17
_R: Final = 8
_P: Final = 1
_FORM: Final = "scrypt 17 8 1, chacha20-poly1305"


class _Sealed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    form: str
    salt: bytes
    nonce: bytes
    box: bytes


def seal_keys(files: Mapping[str, bytes], passphrase: str, manifest: bytes) -> bytes:
    """The files in one box that this passphrase opens, beside this manifest alone."""
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    box = ChaCha20Poly1305(_key_of(passphrase, salt)).encrypt(nonce, msgspec.json.encode(files), _bond(manifest))
    return msgspec.json.encode(_Sealed(form=_FORM, salt=salt, nonce=nonce, box=box))


def open_keys(sealed: bytes, passphrase: str, manifest: bytes) -> dict[str, bytes]:
    """The files by name. Raises BadInputError: AMG-BACKUP-FORM, AMG-BACKUP-PASSPHRASE."""
    try:
        found = msgspec.json.decode(sealed, type=_Sealed)
        if found.form != _FORM or len(found.nonce) != 12 or len(found.salt) != 16:
            raise ValueError(found.form)  # noqa: TRY301 - the same answer as for what cannot be read at all
    except ValueError as error:
        raise BadInputError(
            "AMG-BACKUP-FORM", "the sealed keys cannot be read", expected=_FORM, got=str(error), then="nothing was done"
        ) from None
    try:
        plain = ChaCha20Poly1305(_key_of(passphrase, found.salt)).decrypt(found.nonce, found.box, _bond(manifest))
        return msgspec.json.decode(plain, type=dict[str, bytes])
    except (InvalidTag, ValueError):
        raise BadInputError(
            "AMG-BACKUP-PASSPHRASE",
            "the keys in this backup do not open",
            expected="the passphrase it was made with, and a backup that nobody altered since",
            then="nothing was restored",
        ) from None


def _bond(manifest: bytes) -> bytes:
    return hashlib.sha256(manifest).digest()


def _key_of(passphrase: str, salt: bytes) -> bytes:
    kdf = Scrypt(salt=salt, length=32, n=2**_LOG_N, r=_R, p=_P)
    return kdf.derive(passphrase.encode("utf-8", "surrogateescape"))

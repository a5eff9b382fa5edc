"""Encryption to a party: HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.

An agreement names one key of each party, for signatures. Its Edwards curve and X25519's are the same curve in two
forms (RFC 7748 section 4.1), so that key is used for both: the map is the one of libsodium and age, and a key pair used
for Ed25519 and an X25519 KEM together is as good as two (Thormarker, "On using the same key pair for Ed25519 and an
X25519 based KEM", 2021).
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from amagasa.share.form import KEY_BYTES, raw_of
from amagasa.vocab.errors import BadInputError

_PRIME: Final = 2**255 - 19
_SIGN: Final = 1 << 255
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def seal_to(key: str, plain: bytes, *, bound_to: bytes) -> bytes:
    """Encrypt to the party of this Ed25519 public key (base64url): a fresh key each time.

    Raises BadInputError (AMG-SEAL-KEY) for what is no such key.
    """
    raw = raw_of(key, KEY_BYTES)
    try:
        if raw is None:
            raise ValueError  # noqa: TRY301 - the same answer as for a point that no secret belongs to
        return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(_montgomery(raw)), info=bound_to)
    except ValueError:
        raise BadInputError(
            "AMG-SEAL-KEY", "nothing can be encrypted to this key", expected="an Ed25519 public key", then="nothing was"
        ) from None


def unseal(key: Ed25519PrivateKey, sealed: bytes, *, bound_to: bytes) -> bytes | None:
    """What was encrypted to the party of this key; None where it was not, or to something else than `bound_to`."""
    # RFC 8032 section 5.1.5: the first half of this digest is the secret scalar, which X25519 clamps alike.
    scalar = hashlib.sha512(key.private_bytes_raw()).digest()[:KEY_BYTES]
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(scalar), info=bound_to)
    except (InvalidTag, ValueError):
        return None


def _montgomery(raw: bytes) -> bytes:
    """U = (1 + y) / (1 - y) of the point with this y (RFC 7748 section 4.1)."""
    y = int.from_bytes(raw, "little") & (_SIGN - 1)
    u = (1 + y) * pow(1 - y, _PRIME - 2, _PRIME) % _PRIME
    return u.to_bytes(KEY_BYTES, "little")

"""A party's keys on disk: what it signs with (Ed25519), speaks TLS with (ECDSA P-256), and its pseudonym secret.

A node's folder holds `keys/party.key`, `keys/tls.key`, `keys/pseudonym.key` (0600, in a folder of 0700) and `tls.crt`.
"""

import base64
import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from amagasa.adapters.seal.atomic import (
    PRIVATE_MODE,
    PUBLIC_MODE,
    make_private_folder,
    read_private,
    read_small,
    write_whole,
)
from amagasa.adapters.seal.boxes import seal_to, unseal
from amagasa.vocab.errors import BadInputError, WorldError

PARTY_KEY: Final = "keys/party.key"
TLS_KEY: Final = "keys/tls.key"
PSEUDONYM_KEY: Final = "keys/pseudonym.key"
CERTIFICATE: Final = "tls.crt"

# The agreement carries the certificate, so it outlives a yearly renewal of the agreement.
CERTIFICATE_LIFE: Final = timedelta(days=730)
# Two nodes' clocks differ: a certificate made a moment ago must not be of the future for the ally.
BACKDATED: Final = timedelta(hours=1)
SECRET_BYTES: Final = 32
MAX_COMMON_NAME: Final = 64  # RFC 5280 appendix A, ub-common-name; counted in bytes of UTF-8


class PartyKeys:
    """What a node signs and stands for. The private key never leaves this object and is not shown by `repr`."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey, certificate: str, pseudonym_secret: bytes) -> None:
        self._key = key
        self.certificate = certificate
        self.pseudonym_secret = pseudonym_secret
        self.tls_key = folder / TLS_KEY
        self.tls_certificate = folder / CERTIFICATE

    def __repr__(self) -> str:
        return f"PartyKeys({self.public_key})"

    @property
    def public_key(self) -> str:
        """The Ed25519 public key: 32 bytes in base64url without padding."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032), 64 bytes."""
        return self._key.sign(message)

    def seal(self, key: str, plain: bytes, *, bound_to: bytes) -> bytes:
        """Encrypt to the party of the public key `key`; see `boxes.seal_to`."""
        return seal_to(key, plain, bound_to=bound_to)

    def unseal(self, sealed: bytes, *, bound_to: bytes) -> bytes | None:
        """What was encrypted to this party, None where it was not; see `boxes.unseal`."""
        return unseal(self._key, sealed, bound_to=bound_to)


def create_party_keys(folder: Path, *, name: str, hosts: Sequence[str], now: datetime) -> PartyKeys:
    """Draw the keys of a new node and its certificate for `hosts` (names or addresses), valid for two years.

    Raises BadInputError (AMG-SEAL-EXISTS) where a key is there already, (AMG-SEAL-HOST) for what is no host, and
    WorldError where the disk refuses. The certificate is written last.
    """
    for place in (PARTY_KEY, TLS_KEY, PSEUDONYM_KEY, CERTIFICATE):
        if (folder / place).exists():
            raise BadInputError(
                "AMG-SEAL-EXISTS",
                f"{folder / place} is there already",
                expected="a folder without keys",
                then="no key was replaced",
            )
    names = _names(hosts)
    party_key = Ed25519PrivateKey.generate()
    tls_key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(tls_key, name, names, now).public_bytes(Encoding.PEM)
    make_private_folder(folder / "keys")
    write_whole(folder / PARTY_KEY, _pem_of(party_key), mode=PRIVATE_MODE)
    write_whole(folder / TLS_KEY, _pem_of(tls_key), mode=PRIVATE_MODE)
    write_whole(folder / PSEUDONYM_KEY, secrets.token_hex(SECRET_BYTES).encode() + b"\n", mode=PRIVATE_MODE)
    write_whole(folder / CERTIFICATE, certificate, mode=PUBLIC_MODE)
    return load_party_keys(folder)


def load_party_keys(folder: Path) -> PartyKeys:
    """The keys of the node in `folder`, checked against each other.

    Raises WorldError: AMG-SEAL-MISSING, AMG-SEAL-OPEN (mode too open), AMG-SEAL-READ, AMG-SEAL-BROKEN (not the key that
    it should be), AMG-SEAL-MISMATCH (TLS key and certificate do not belong together).
    """
    party_key = _load_key(folder / PARTY_KEY, "the signing key")
    if not isinstance(party_key, Ed25519PrivateKey):
        raise _broken(folder / PARTY_KEY, "the signing key", "an Ed25519 private key in PEM")
    tls_key = _load_key(folder / TLS_KEY, "the TLS key")
    if not isinstance(tls_key, ec.EllipticCurvePrivateKey):
        raise _broken(folder / TLS_KEY, "the TLS key", "an elliptic-curve private key in PEM")
    certificate = _load_certificate(folder / CERTIFICATE)
    if certificate.public_key() != tls_key.public_key():
        raise WorldError(
            "AMG-SEAL-MISMATCH",
            f"{folder / TLS_KEY} does not belong to {folder / CERTIFICATE}",
            then="restore both from the same backup",
        )
    secret = _load_secret(folder / PSEUDONYM_KEY)
    return PartyKeys(folder, party_key, certificate.public_bytes(Encoding.PEM).decode(), secret)


def sign(keys: PartyKeys, message: bytes) -> bytes:
    """The party's Ed25519 signature of `message`, 64 bytes."""
    return keys.sign(message)


def fingerprint(pem: str) -> str:
    """SHA-256 of a certificate's DER, in lower-case hex. Raises BadInputError (AMG-SEAL-CERTIFICATE)."""
    try:
        der = x509.load_pem_x509_certificate(pem.encode("ascii")).public_bytes(Encoding.DER)
    except (ValueError, UnicodeError) as error:
        raise BadInputError(
            "AMG-SEAL-CERTIFICATE", "this is no certificate", expected="one certificate in PEM", got=str(error)
        ) from error
    return hashlib.sha256(der).hexdigest()


def _names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in dict.fromkeys(hosts):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if not _is_host_name(host):
                raise BadInputError(
                    "AMG-SEAL-HOST", "this is no host name and no address", expected="e.g. soc.example or 192.0.2.7",
                    got=host, then="no key was made",
                ) from None  # fmt: skip
            found.append(x509.DNSName(host))
    if not found:
        raise BadInputError("AMG-SEAL-HOST", "a certificate needs a host name or an address", then="no key was made")
    return found


def _is_host_name(text: str) -> bool:
    labels = text.split(".")
    return len(text) <= 253 and all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "a").isalnum() and label.strip("-") == label
        for label in labels
    )


def _self_signed(
    key: ec.EllipticCurvePrivateKey, name: str, names: Sequence[x509.GeneralName], now: datetime
) -> x509.Certificate:
    """An end-entity certificate (RFC 5280): it can prove who speaks, and vouch for nobody else."""
    printable = "".join(character for character in name if character.isprintable()).strip()
    shown = printable.encode()[:MAX_COMMON_NAME].decode(errors="ignore").strip()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown or "Amagasa node")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(both, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _pem_of(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_key(path: Path, what: str) -> object:
    data = read_private(path, what=what)
    try:
        return load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The library's words may quote the file; they stay out of the message.
        raise _broken(path, what, "a private key in PEM") from error


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        data = read_small(path, what="the TLS certificate")
    except BadInputError as error:
        raise WorldError("AMG-SEAL-MISSING", error.what, got=error.got, then="restore it from a backup") from error
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise _broken(path, "the TLS certificate", "one certificate in PEM") from error


def _load_secret(path: Path) -> bytes:
    data = read_private(path, what="the pseudonym secret").strip()
    try:
        secret = bytes.fromhex(data.decode("ascii"))
    except (ValueError, UnicodeError) as error:
        raise _broken(path, "the pseudonym secret", f"{SECRET_BYTES} bytes in hex") from error
    if len(secret) != SECRET_BYTES:
        raise _broken(path, "the pseudonym secret", f"{SECRET_BYTES} bytes in hex")
    return secret


def _broken(path: Path, what: str, expected: str) -> WorldError:
    return WorldError(
        "AMG-SEAL-BROKEN", f"{what} {path} is damaged", expected=expected, then="restore it from a backup"
    )

"""Mutual TLS with pins: who may shake hands is exactly who stands in an agreement.

No authority and no host name takes part. Each side trusts the one self-signed end-entity certificate which the signed
agreement carries; a name in a certificate says less than the certificate itself, and a node's address may change
while its key does not. So `check_hostname` is off, and in its place: the trust store holds nothing but the pins, a pin
that could issue other certificates is not accepted as a pin, and after the handshake the SHA-256 of the certificate
that was shown must be that of a pin. TLS 1.3 alone; no session is resumed, so each connection is checked anew.
"""

import hashlib
import ssl
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from amagasa.vocab.errors import BadInputError, WorldError


@lru_cache(maxsize=1024)
def fingerprint_of_pem(pem: str) -> str:
    """SHA-256 of the certificate's DER, in lower-case hex. Raises BadInputError (AMG-TLS-PIN) where it is none."""
    return fingerprint_of_der(_load(pem).public_bytes(Encoding.DER))


def fingerprint_of_der(der: bytes) -> str:
    """SHA-256 of these bytes, in lower-case hex."""
    return hashlib.sha256(der).hexdigest()


def check_pin(pem: str) -> None:
    """Raise BadInputError (AMG-TLS-PIN) unless `pem` is one certificate that cannot issue others (RFC 5280 4.2.1.9)."""
    certificate = _load(pem)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise _bad_pin(f"basic constraints missing: {error}") from error
    if constraints.ca:
        raise _bad_pin("a certificate authority's certificate")


def ally_server_context(certificate: Path, key: Path, allies: Sequence[str]) -> ssl.SSLContext:
    """Context of the ally door: shows `certificate`, demands one of `allies` (PEM texts).

    Refuses in the handshake any other certificate, none, and an expired or not yet valid one. Raises BadInputError
    for a pin that cannot be one, WorldError (AMG-TLS-OWN) for a certificate or key of our own that cannot be used.
    """
    return _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, allies)


def ally_client_context(certificate: Path, key: Path, ally: str) -> ssl.SSLContext:
    """Context of a line to one ally: shows `certificate`, demands exactly the ally's pinned one. Errors as above."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, (ally,))


def _context(side: int, certificate: Path, key: Path, pins: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname = False  # the pin stands in for the name: see the module's docstring
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an end-entity certificate is its own anchor
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise WorldError(
            "AMG-TLS-OWN",
            "this node's TLS certificate or key cannot be used",
            expected=f"{certificate.name} and {key.name} that belong together",
            got=str(error),
            then="the line to the allies stays closed",
        ) from error
    for pem in pins:
        check_pin(pem)
        context.load_verify_locations(cadata=pem)
    return context


def _load(pem: str) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except (ValueError, UnicodeError) as error:
        raise _bad_pin(str(error)) from error
    if len(found) != 1:
        raise _bad_pin(f"{len(found)} certificates")
    return found[0]


def _bad_pin(got: str) -> BadInputError:
    return BadInputError(
        "AMG-TLS-PIN",
        "an ally's certificate cannot be pinned",
        expected="one self-signed end-entity certificate in PEM (basic constraints CA:FALSE)",
        got=got,
        then="ask the ally for a new card and sign the agreement again",
    )

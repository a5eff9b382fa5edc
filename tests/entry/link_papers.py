"""Certificates, keys and agreements for tests of the link, made on the spot."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from msgspec import Struct

from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.terms import Role
from amagasa.vocab.ids import stable_id
from amagasa.vocab.tlp import Tlp

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
TYPES = ("indicator", "sighting", "incident", "identity", "observed-data", "ipv4-addr", "report", "note")


class Papers(Struct, frozen=True, kw_only=True):
    """A certificate and its key as files, and the certificate as text."""

    certificate: Path
    key: Path
    pem: str
    private: ec.EllipticCurvePrivateKey


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def make_papers(
    folder: Path,
    name: str,
    *,
    from_at: datetime | None = None,
    until_at: datetime | None = None,
    is_authority: bool = False,
    issuer: Papers | None = None,
) -> Papers:
    """A certificate for `name`, self-signed or signed with `issuer`'s key; valid today unless told otherwise."""
    private = ec.generate_private_key(ec.SECP256R1())
    today = datetime.now(UTC)
    signer = issuer.private if issuer else private
    issuer_name = x509.load_pem_x509_certificate(issuer.pem.encode()).subject if issuer else name_of(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name_of(name))
        .issuer_name(issuer_name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(from_at or today - timedelta(days=1))
        .not_valid_after(until_at or today + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    crt, key = folder / f"{name}.crt", folder / f"{name}.key"
    pem = certificate.public_bytes(Encoding.PEM).decode()
    crt.write_text(pem)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Papers(certificate=crt, key=key, pem=pem, private=private)


def make_party(name: str, country: str, role: Role, papers: Papers, *, address: str = "") -> Party:
    return Party(
        id=stable_id("identity", "test", name),
        name=name,
        country=country,
        role=role,
        key=base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode(),
        certificate=papers.pem,
        address=address or "https://127.0.0.1:1/taxii2/",
    )


def make_agreement(
    first: Party,
    second: Party,
    *,
    from_at: datetime = NOW - timedelta(days=30),
    until_at: datetime = NOW + timedelta(days=3650),
    consent: Consent = Consent.AUTOMATIC,
    ceiling: Tlp = Tlp.AMBER,
    version: int = 1,
) -> Agreement:
    """Both may give everything of TYPES up to `ceiling`."""
    return Agreement(
        id=stable_id("agreement", "test", first.id, second.id),
        title="Agreement for tests",
        version=version,
        parties=(first, second),
        valid_from_at=from_at,
        valid_until_at=until_at,
        clauses=tuple(
            Clause(id=f"{number}", giver=giver.id, objects=TYPES, ceiling=ceiling, consent=consent)
            for number, giver in enumerate((first, second), start=1)
        ),
    )

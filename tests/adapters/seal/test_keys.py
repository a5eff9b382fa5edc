"""Keys on disk: private, whole, checked against each other, and each damage named with how to mend it."""

import base64
import datetime as dt
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from amagasa.adapters.seal.atomic import MAX_FILE_BYTES, read_small, write_whole
from amagasa.adapters.seal.keys import PartyKeys, create_party_keys, fingerprint, load_party_keys, sign
from amagasa.vocab.errors import BadInputError, WorldError

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
PRIVATE = ("keys/party.key", "keys/tls.key", "keys/pseudonym.key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path / "node")
    return tmp_path / "node"


def create(folder: Path) -> PartyKeys:
    return create_party_keys(folder, name="日本国の防衛 " * 9, hosts=["soc.example", "127.0.0.1", "::1"], now=NOW)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pem_of(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def code_of(folder: Path) -> str:
    with pytest.raises(WorldError) as caught:
        load_party_keys(folder)
    return caught.value.code


def test_created_keys_are_private_and_load_again(folder: Path) -> None:
    assert mode_of(folder / "keys") == 0o700
    assert [mode_of(folder / name) for name in PRIVATE] == [0o600] * 3
    assert mode_of(folder / "tls.crt") == 0o644
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "party.key",
        "pseudonym.key",
        "tls.crt",
        "tls.key",
    ]
    keys = load_party_keys(folder)
    assert len(keys.pseudonym_secret) == 32
    assert keys.public_key in repr(keys)


def test_signature_is_ed25519_by_the_public_key(folder: Path) -> None:
    keys = load_party_keys(folder)
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(keys.public_key + "="))
    public.verify(sign(keys, b"words"), b"words")
    with pytest.raises(InvalidSignature):
        public.verify(sign(keys, b"words"), b"other words")


def test_certificate_proves_who_speaks_and_vouches_for_nobody(folder: Path) -> None:
    keys = load_party_keys(folder)
    certificate = x509.load_pem_x509_certificate(keys.certificate.encode())
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    extended = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert extended == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["soc.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert certificate.not_valid_before_utc <= NOW < certificate.not_valid_after_utc
    assert certificate.not_valid_after_utc - NOW == dt.timedelta(days=730)
    assert len(fingerprint(keys.certificate)) == 64


def test_tls_library_takes_the_certificate_and_its_key(folder: Path) -> None:
    keys = load_party_keys(folder)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(keys.tls_certificate, keys.tls_key)


def test_two_nodes_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = create(tmp_path / "one"), create(tmp_path / "other")
    assert one.public_key != other.public_key
    assert one.pseudonym_secret != other.pseudonym_secret


def test_creating_again_replaces_no_key(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in PRIVATE}
    with pytest.raises(BadInputError, match="AMG-SEAL-EXISTS"):
        create(folder)
    assert {name: (folder / name).read_bytes() for name in PRIVATE} == before


@pytest.mark.parametrize("host", ["", "a b", "-x.example", "x" * 64, "日本.example", "a..b", "http://x"])
def test_what_is_no_host_makes_no_keys(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadInputError, match="AMG-SEAL-HOST"):
        create_party_keys(tmp_path, name="n", hosts=[host], now=NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*PRIVATE, "tls.crt"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(WorldError, match=name.rpartition("/")[2]) as caught:
        load_party_keys(folder)
    assert caught.value.code == "AMG-SEAL-MISSING"


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_key_which_others_may_open_is_refused_with_how_to_mend_it(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(WorldError, match="chmod 600") as caught:
        load_party_keys(folder)
    assert caught.value.code == "AMG-SEAL-OPEN"


def test_folder_which_others_may_open_is_refused(folder: Path) -> None:
    (folder / "keys").chmod(0o755)
    with pytest.raises(WorldError, match="chmod 700"):
        load_party_keys(folder)


@pytest.mark.parametrize("name", [*PRIVATE, "tls.crt"])
@pytest.mark.parametrize(
    "junk", [b"", b"\xff\x00junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"00" * 8]
)
def test_damaged_file_is_named_and_its_content_is_not(folder: Path, name: str, junk: bytes) -> None:
    (folder / name).write_bytes(junk)
    with pytest.raises(WorldError, match=name.rpartition("/")[2]) as caught:
        load_party_keys(folder)
    assert caught.value.code == "AMG-SEAL-BROKEN"
    assert "AAAA" not in str(caught.value)


def test_keys_in_each_others_place_are_refused(folder: Path) -> None:
    (folder / "keys/party.key").write_bytes((folder / "keys/tls.key").read_bytes())
    assert code_of(folder) == "AMG-SEAL-BROKEN"


def test_tls_key_of_another_certificate_is_refused(folder: Path) -> None:
    (folder / "keys/tls.key").write_bytes(pem_of(ec.generate_private_key(ec.SECP256R1())))
    assert code_of(folder) == "AMG-SEAL-MISMATCH"


def test_fingerprint_of_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(BadInputError, match="AMG-SEAL-CERTIFICATE"):
        fingerprint("junk é")


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "there"
    target.mkdir()
    (target / "inside").write_text("x")
    with pytest.raises(WorldError, match="AMG-SEAL-WRITE"):
        write_whole(target, b"new", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    with pytest.raises(WorldError, match="AMG-SEAL-WRITE"):
        write_whole(tmp_path / "nowhere" / "file", b"new", mode=0o600)


def test_small_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path, code in ((tmp_path, "AMG-FILE-KIND"), (tmp_path / "no", "AMG-FILE-MISSING")):
        with pytest.raises(BadInputError, match=code):
            read_small(path, what="the card")
    (tmp_path / "big").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(BadInputError, match="AMG-FILE-SIZE"):
        read_small(tmp_path / "big", what="the card")

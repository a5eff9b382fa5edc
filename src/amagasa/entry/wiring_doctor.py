"""Wiring of the doctor: what the adapters can say of themselves."""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from amagasa.adapters.seal.keys import load_party_keys
from amagasa.adapters.source.folder import is_pattern, paths_of
from amagasa.adapters.source.mapping_file import load_mapping
from amagasa.adapters.source.tshark import dissector
from amagasa.adapters.store.standing import HEAD, standing_of

__all__ = [
    "HEAD",
    "certificate_life",
    "check_mapping",
    "is_dissector_there",
    "is_pattern",
    "load_party_keys",
    "standing_of",
]


def certificate_life(pem: str) -> tuple[datetime, datetime]:
    """From when until when a certificate is good."""
    found = x509.load_pem_x509_certificate(pem.encode())
    return found.not_valid_before_utc, found.not_valid_after_utc


def is_dissector_there() -> bool:
    """Whether captures can be read here."""
    return dissector() is not None


def fits_none(path: str) -> bool:
    """Whether it is a pattern of paths which none fits."""
    return is_pattern(path) and not paths_of(path)


def check_mapping(path: Path) -> None:
    """Raise BadInputError where a mapping cannot be used."""
    load_mapping(path)

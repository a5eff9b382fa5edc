"""Identifiers: STIX identifiers, random ones made from a given draw and stable ones made from content."""

import re
import uuid
from typing import Final

NAMESPACE: Final = uuid.UUID("6f0b2d8e-54a5-5d0a-9a0e-3f1f0c1d7a55")
_STIX_ID: Final = re.compile(
    r"[a-z][a-z0-9-]{2,249}--[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def stable_id(kind: str, *parts: str) -> str:
    """`kind--UUID` made by hashing: the same parts give the same identifier on every node.

    The UUID says version 4: STIX 2.1 section 2.9 asks that of all but observables, and strict validators insist.
    Each part carries its length, so that no two lists of parts run together; a lone surrogate counts as its escape.
    """
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    name = f"{kind}\x1e{joined}".encode("utf-8", "backslashreplace").decode()
    return f"{kind}--{uuid.UUID(bytes=uuid.uuid5(NAMESPACE, name).bytes, version=4)}"


def is_stix_id(text: str) -> bool:
    """Whether `text` is `type--UUID` in lower case (STIX 2.1 section 2.9)."""
    return _STIX_ID.fullmatch(text) is not None


def type_of(stix_id: str) -> str:
    """The type in front of the two dashes; the whole text where there are none."""
    return stix_id.partition("--")[0]

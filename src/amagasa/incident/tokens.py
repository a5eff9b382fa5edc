"""Stand-ins for source addresses which every party makes alike, and the networks they lie in.

Two parties see by them that both met the same source, without either showing its list. They hide an address from
whoever reads, and not from whoever tries all 2^32: an agreement that wants more strips them (docs/incidents.md).
"""

import hashlib
import ipaddress
import re
from typing import Final

_PREFIX: Final = "token-"
_TOKEN: Final = re.compile(r"token-[0-9a-f]{20}")
_PURPOSE: Final = b"amagasa source token 1"
IPV4_BITS: Final = 24
IPV6_BITS: Final = 48


def token_of(text: str) -> str | None:
    """The stand-in of an address; a stand-in is its own; None for anything else."""
    if _TOKEN.fullmatch(text):
        return text
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return f"{_PREFIX}{hashlib.sha256(_PURPOSE + address.packed).hexdigest()[:20]}"


def network_of(text: str) -> str | None:
    """The /24 or /48 of an address, or of a network as small; None for anything else."""
    try:
        given = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    bits = IPV4_BITS if isinstance(given, ipaddress.IPv4Network) else IPV6_BITS
    return (
        str(given if given.prefixlen == bits else given.supernet(new_prefix=bits)) if given.prefixlen >= bits else None
    )

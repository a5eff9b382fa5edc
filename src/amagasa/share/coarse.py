"""Values made coarse: an address to its network or to a stand-in, an instant to its hour or day, a host to its role."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from amagasa.incident.tokens import token_of
from amagasa.intel.stix import instant_of
from amagasa.share.terms import Coarse
from amagasa.vocab.instants import to_rfc3339

IPV4_BITS: Final = 24
IPV6_BITS: Final = 48
_STEPS: Final = {Coarse.HOUR: timedelta(hours=1), Coarse.DAY: timedelta(days=1)}
# What ends a span is rounded up, so that no span becomes empty.
_ENDS: Final = frozenset(["valid_until"])
ANY_HOST: Final = "host"


def coarsened(value: Any, to: Coarse, *, name: str, roles: Mapping[str, str]) -> str | None:
    """The coarse value; None where `value` is nothing that could be made into it. `name` is the property's."""
    if not isinstance(value, str):
        return None
    if to is Coarse.NETWORK:
        return network_of(value)
    if to is Coarse.STAND_IN:
        return token_of(value)
    if to is Coarse.ROLE:
        return roles.get(value.lower(), ANY_HOST)
    moment = instant_of(value)
    if moment is None:
        return None
    step = _STEPS[to]
    start = moment.replace(minute=0, second=0, microsecond=0)
    start = start.replace(hour=0) if to is Coarse.DAY else start
    try:
        return to_rfc3339(start + step if name in _ENDS and start != moment else start)
    except OverflowError:
        return None


def network_of(text: str) -> str | None:
    """`203.0.113.5` -> `203.0.113.0/24`; an IPv6 address -> its /48; a wider network stays; None for anything else."""
    try:
        given = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(given, ipaddress.IPv6Network):
        inner = given.network_address.ipv4_mapped
        if inner is not None:
            return network_of(str(inner))
        return str(given if given.prefixlen <= IPV6_BITS else given.supernet(new_prefix=IPV6_BITS))
    return str(given if given.prefixlen <= IPV4_BITS else given.supernet(new_prefix=IPV4_BITS))

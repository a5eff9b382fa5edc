"""Whom a receiver lets in."""

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

_REMEMBERED: Final = 4_096


class Senders:
    """Whom a receiver lets in: addresses and networks; everybody who reaches it where the list is empty.

    Raises ValueError for what is neither an address nor a network.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(one, strict=False) for one in allowed]
        self._known: OrderedDict[str, bool] = OrderedDict()

    def may(self, address: str) -> bool:
        """Whether this sender is let in."""
        if not self._networks:
            return True
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = self._look(address)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known

    def _look(self, address: str) -> bool:
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None)
        return any((mapped or ip) in network for network in self._networks)

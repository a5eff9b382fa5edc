"""Which assets of a model an alert speaks of, by the hosts, addresses, accounts and sources that it names."""

import fnmatch
import ipaddress
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from amagasa.event.entity import Entity, EntityKind
from amagasa.mission.model import Model

_Number: TypeAlias = tuple[int, int]  # version, and the address as a number
_FIELDS: Final = {
    EntityKind.HOST: "hosts",
    EntityKind.DOMAIN: "hosts",
    EntityKind.USER: "accounts",
    EntityKind.SOURCE_ADDRESS: "addresses",
    EntityKind.DESTINATION_ADDRESS: "addresses",
}
_WILD: Final = re.compile(r"[*?\[]")
_REMEMBERED: Final = 20_000
_VALUE_CHARACTERS: Final = 512


class Matcher:
    """Made once for a model. Values without a wildcard cost a look-up; answers for 20,000 values are remembered."""

    def __init__(self, model: Model) -> None:
        self._plain: dict[tuple[str, str], list[str]] = {}
        self._wild: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        self._networks: dict[_Number, dict[int, list[str]]] = {}
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}
        self.has_sources = False
        for node in model.nodes:
            for field in ("hosts", "accounts", "sources"):
                for pattern in getattr(node, field):
                    self._add(field, pattern, node.name)
            for text in node.addresses:
                self._add_network(text, node.name)

    def assets_of(self, entities: Iterable[Entity], source: str = "") -> tuple[str, ...]:
        """The names of the nodes that these entities and this source belong to, each once."""
        found = dict.fromkeys(self._of("sources", source)) if source else {}
        for entity in entities:
            field = _FIELDS.get(entity.kind)
            if field is not None:
                found |= dict.fromkeys(self._of(field, entity.value))
        return tuple(found)

    def _of(self, field: str, value: str) -> tuple[str, ...]:
        key = (field, value[:_VALUE_CHARACTERS].casefold())
        known = self._known.get(key)
        if known is None:
            known = self._address(value) if field == "addresses" else self._named(*key)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known

    def _named(self, field: str, value: str) -> tuple[str, ...]:
        names = list(self._plain.get((field, value), ()))
        if field == "hosts":  # `web-1.example.jp` is also `web-1`
            names += self._plain.get((field, value.partition(".")[0]), ())
        names += [name for pattern, name in self._wild.get(field, ()) if pattern.match(value)]
        return tuple(dict.fromkeys(names))

    def _address(self, value: str) -> tuple[str, ...]:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return ()
        found: list[str] = []
        for (version, prefix), by_number in self._networks.items():
            if version == address.version:
                found += by_number.get(int(address) >> (address.max_prefixlen - prefix), ())
        return tuple(dict.fromkeys(found))

    def _add(self, field: str, pattern: str, name: str) -> None:
        self.has_sources = self.has_sources or field == "sources"
        folded = pattern.casefold()
        if _WILD.search(folded):
            self._wild.setdefault(field, []).append((re.compile(fnmatch.translate(folded)), name))
        else:
            self._plain.setdefault((field, folded), []).append(name)

    def _add_network(self, text: str, name: str) -> None:
        network = ipaddress.ip_network(text, strict=False)
        by_number = self._networks.setdefault((network.version, network.prefixlen), {})
        by_number.setdefault(int(network.network_address) >> (network.max_prefixlen - network.prefixlen), []).append(
            name
        )

"""What an ally's indicator would do to the one who looks for it: find everything, or find the party itself.

Whoever blocks what indicators name can be made to block itself. So an indicator that names a wide range of addresses or
anything of ours is refused; what an ally knows of a machine of ours it can say as a sighting, an incident or a note.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from amagasa.detect.stix.comparison import equality, matches_everything, resolve
from amagasa.detect.stix.operators import Network, network_of
from amagasa.detect.stix.parse import parse, parse_equality
from amagasa.detect.stix.pattern import Expression, PatternFault, comparisons_of, observations_of
from amagasa.vocab.text import show

# Code and sentence of a refusal.
Harm: TypeAlias = tuple[str, str]

_WIDE: Final[Harm] = ("AMG-ADMIT-WIDE", "its pattern matches everything or nearly so")


class OwnGround:
    """What belongs to this party: addresses and networks, and domains with all below them.

    `values` that are neither are left out: `n_unread` counts them.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._networks: list[Network] = []
        domains: set[str] = set()
        self.n_unread = 0
        for value in values:
            network = network_of(value)
            domain = _domain(value)
            if network is not None:
                self._networks.append(network)
            elif "." in domain and " " not in domain:
                domains.add(domain)
            else:
                self.n_unread += 1
        self._domains = frozenset(domains)

    def __bool__(self) -> bool:
        """Whether anything is known to be ours."""
        return bool(self._networks or self._domains)

    def holds(self, constant: str) -> bool:
        """Whether this address, network, name, link or mail address of a pattern touches what is ours."""
        host = _host(constant)
        network = network_of(constant) or network_of(host)
        if network is not None:
            return any(network.version == own.version and network.overlaps(own) for own in self._networks)
        parts = host.split(".")
        return any(".".join(parts[at:]) in self._domains for at in range(len(parts) - 1))


NOTHING_KNOWN: Final = OwnGround()


def harm_of(obj: Mapping[str, Any], own: OwnGround = NOTHING_KNOWN) -> Harm | None:
    """Why this indicator is refused; None where it may be held. A pattern that cannot run harms nobody."""
    if obj["type"] != "indicator" or obj["pattern_type"] != "stix":
        return None
    pattern = obj["pattern"]
    simple = parse_equality(pattern)
    if simple is not None:
        found = equality(*simple)
        if isinstance(found, str):
            return _WIDE if "matches everything" in found else None
        return _ours(simple[2]) if own and own.holds(simple[2]) else None
    expression = parse(pattern)
    if isinstance(expression, PatternFault):
        return None
    resolved = resolve(expression)
    if not isinstance(resolved, str) and matches_everything(resolved):
        return _WIDE
    hit = next((one for one in _constants(expression) if own.holds(one)), None) if own else None
    return _ours(hit) if hit is not None else None


def _ours(value: str) -> Harm:
    return ("AMG-ADMIT-OWN", f"it names what belongs to this node's own party: {show(value, 80)}")


def _constants(expression: Expression) -> Iterator[str]:
    for observation in observations_of(expression):
        for comparison in comparisons_of(observation.test):
            yield from (str(constant) for constant in comparison.constants)


def _host(value: str) -> str:
    """The host of a link or mail address, the name behind wildcards; anything else as it stands, in small letters."""
    bare = value.rpartition("://")[2].partition("/")[0].rpartition("@")[2]
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    return _domain(bare)


def _domain(value: str) -> str:
    return value.strip().lower().lstrip("%*_.").rstrip(".")

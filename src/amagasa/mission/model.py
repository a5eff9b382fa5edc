"""The model: missions, the services and assets they rest on, and how much each depends on which."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

FULL: Final = 100.0


class Kind(StrEnum):
    """Layers of the map: what is to be achieved, what serves it, and the things that can be attacked."""

    MISSION = "mission"
    SERVICE = "service"
    ASSET = "asset"


class Cycles(StrEnum):
    """What a ring of dependencies means: a mistake, or a mutual dependency that is solved (`mission.operability`)."""

    REFUSE = "refuse"
    SOLVE = "solve"


class Node(Struct, frozen=True, kw_only=True):
    """A mission, service or asset. `name` is unique in the model.

    `weight` is how much a mission counts beside the others (0 to 10). `operability` is its own health (0 to 100),
    apart from what feeds it. `hosts`, `accounts` and `sources` are patterns with `*` and `?`, compared without case;
    `addresses` are addresses and networks. `repair_h` are the least and the most hours to restore it once damaged.
    `is_boundary`: an ally may be shown how it stands, where a clause lets that leave, in steps of `shown_step`.
    `ally`: whose it is, where another party tells how it stands, under the name `ally_service`.
    """

    name: str
    kind: Kind
    title: str = ""
    title_ja: str = ""
    party: str = ""
    weight: float = 1.0
    operability: float = FULL
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    repair_h: tuple[float, float] | None = None
    is_boundary: bool = False
    shown_step: float = 10.0
    ally: str = ""
    ally_service: str = ""


class Dependency(Struct, frozen=True, kw_only=True):
    """`receiver` depends on `feeder` (FDNA, Garvey and Pinto 2009).

    `strength` (alpha, 0 to 1): the share of the receiver's operability that the feeder carries. `criticality` (beta, 0
    to 100): how far above its feeder's operability the receiver can stand at all.
    """

    feeder: str
    receiver: str
    strength: float = 1.0
    criticality: float = 0.0


class Model(Struct, frozen=True, kw_only=True):
    """A checked model: names are unique, every dependency joins two nodes, numbers are in range."""

    title: str = ""
    party: str = ""
    cycles: Cycles = Cycles.REFUSE
    nodes: tuple[Node, ...] = ()
    dependencies: tuple[Dependency, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[Node, ...]:
        """The nodes of this layer, in the model's order."""
        return tuple(node for node in self.nodes if node.kind is kind)

"""The demo's missions: a map on each side, and clauses by which each shows the other its boundary services."""

from importlib import resources
from typing import Any, Final

from amagasa.entry.cli.client import NodeClient

_MAPS: Final = "content/missions"
_CLAUSE: Final = """
# How the boundary services of its missions stand, in steps (docs/missions.md).
[[clause]]
id = "services-from-{giver}"
giver = "{giver}"
objects = ["infrastructure"]
ceiling = "amber"
consent = "automatic"
strip = []
pseudonymise = []
"""


def with_services(agreement: str) -> str:
    """The draft with a clause in each direction for boundary services."""
    return agreement + "".join(_CLAUSE.format(giver=giver) for giver in ("supported", "supporting"))


def load_maps(supported: NodeClient, supporting: NodeClient) -> None:
    """Give each node its map, as `amagasa mission load` does."""
    for client, name in ((supported, "supported.toml"), (supporting, "supporting.toml")):
        text = resources.files("amagasa").joinpath(f"{_MAPS}/{name}").read_text("utf-8")
        client.put("/api/mission", {"texts": [{"path": name, "content": text}]})


def standings(supported: NodeClient, supporting: NodeClient) -> dict[str, Any]:
    """How each side's missions stand now, and how many services it has heard of from the other."""
    return {"missions": {"supported": _standing(supported), "supporting": _standing(supporting)}}


def _standing(client: NodeClient) -> dict[str, Any]:
    impact = client.get("/api/mission/impact")
    return {
        "operability": {one["name"]: one["operability"] for one in impact["missions"]},
        "n_heard": sum(one["heard_at"] is not None for one in impact["heard"]),
    }

"""One node or dependency as it was written, before anything of it is believed."""

from typing import Any, Final

from msgspec import Struct, field

from amagasa.mission.problem import Place

# What people write for the same thing. The first of each is our own word.
NODE_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("name", "id"),
    "kind": ("kind", "type", "layer"),
    "title": ("title", "label", "description"),
    "title_ja": ("title_ja",),
    "party": ("party", "owner"),
    "weight": ("weight", "importance"),
    "operability": ("operability",),
    "hosts": ("hosts", "host"),
    "addresses": ("addresses", "address", "networks", "network"),
    "accounts": ("accounts", "account", "users", "user"),
    "sources": ("sources",),
    "repair_h": ("repair_h", "repair_hours", "repair"),
    "is_boundary": ("boundary", "is_boundary"),
    "shown_step": ("shown_step",),
    "ally": ("ally",),
    "ally_service": ("ally_service",),
    "depends_on": ("depends_on", "needs", "dependencies"),
}
DEPENDENCY_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "feeder": ("from", "feeder", "source", "on", "name"),
    "receiver": ("to", "receiver", "target"),
    "strength": ("strength", "alpha", "\N{GREEK SMALL LETTER ALPHA}"),
    "criticality": ("criticality", "beta", "\N{GREEK SMALL LETTER BETA}"),
}


class Row(Struct, frozen=True, kw_only=True):
    """`values` by our own words (above); `lines` say where each stands, where that is known."""

    values: dict[str, Any]
    place: Place
    lines: dict[str, int] = field(default_factory=dict)

    def place_of(self, word: str) -> Place:
        """Where this value stands; the row's own place where it has none."""
        return Place(path=self.place.path, line=self.lines.get(word, self.place.line))


class Rows(Struct, frozen=True, kw_only=True):
    """A whole model as written; `head` are the values about the model itself."""

    head: Row
    nodes: tuple[Row, ...] = ()
    dependencies: tuple[Row, ...] = ()

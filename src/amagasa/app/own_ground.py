"""What is this node's own: what its settings name, and the assets of its missions."""

from collections.abc import Sequence

from amagasa.app.missions import Missions
from amagasa.mission.impact import Ground
from amagasa.share.harm import OwnGround
from amagasa.vocab.errors import BadInputError


class OurGround:
    """Asked for each envelope, so it is put together once for each model of missions. Thread-safe."""

    def __init__(self, named: Sequence[str], missions: Missions) -> None:
        self._named = tuple(named)
        self._missions = missions
        self._made: tuple[Ground | None, OwnGround] | None = None

    def __call__(self) -> OwnGround:
        """As the settings and the newest model say. Raises WorldError."""
        ground = self._model()
        made = self._made
        if made is None or made[0] is not ground:
            made = self._made = (ground, OwnGround((*self._named, *_assets(ground))))
        return made[1]

    def _model(self) -> Ground | None:
        try:
            return self._missions.ground()
        except BadInputError:  # none is held, or it wants mending, which the missions say themselves
            return None


def _assets(ground: Ground | None) -> list[str]:
    if ground is None:
        return []
    ours = [node for node in ground.model.nodes if not node.ally]
    # A bare host name says nothing outside the house; one with a domain does.
    return [value for node in ours for value in (*node.addresses, *(host for host in node.hosts if "." in host))]

"""Who may do what. The actor is an argument of each use case, and the first statement asks here."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.vocab.errors import DeniedError


class Role(StrEnum):
    """Roles of people at a node."""

    WATCH_OFFICER = "watch-officer"
    ANALYST = "analyst"
    RELEASE_OFFICER = "release-officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be permitted."""

    READ = "read"
    TRIAGE = "triage"
    WRITE_CONTENT = "write-content"
    RELEASE = "release"
    AUDIT = "audit"
    ADMINISTER = "administer"


_MAY: Final[dict[Role, frozenset[Act]]] = {
    Role.WATCH_OFFICER: frozenset({Act.READ, Act.TRIAGE}),
    Role.ANALYST: frozenset({Act.READ, Act.TRIAGE, Act.WRITE_CONTENT}),
    Role.RELEASE_OFFICER: frozenset({Act.READ, Act.RELEASE}),
    Role.AUDITOR: frozenset({Act.READ, Act.AUDIT}),
    Role.ADMINISTRATOR: frozenset({Act.READ, Act.ADMINISTER}),
}


class Actor(Struct, frozen=True, kw_only=True):
    """Who asks: an account, the operator at the node's own machine, or the node itself."""

    name: str
    roles: frozenset[Role]

    def may(self, act: Act) -> bool:
        """Whether one of the roles permits it."""
        return any(act in _MAY[role] for role in self.roles)


NODE: Final = Actor(name="node", roles=frozenset(Role))


def require(actor: Actor, act: Act) -> None:
    """Raise DeniedError (AMG-DENIED) unless the actor may."""
    if not actor.may(act):
        wanted = " or ".join(role.value for role in Role if act in _MAY[role])
        raise DeniedError(
            "AMG-DENIED",
            "this is not yours to do",
            expected=f"the role {wanted}",
            got=", ".join(sorted(actor.roles)) or "no role",
            then="ask an administrator of this node",
        )

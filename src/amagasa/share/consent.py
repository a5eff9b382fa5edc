"""Who must say yes before an object leaves, and whether those who did are enough."""

from collections.abc import Collection, Sequence
from itertools import permutations

from msgspec import Struct


class Yes(Struct, frozen=True, kw_only=True):
    """That this person said yes, and with which roles."""

    person: str
    roles: tuple[str, ...]


def may_consent(roles: Collection[str], approvers: Sequence[str]) -> bool:
    """Whether one of the roles is among those whose consent is wanted."""
    return not set(roles).isdisjoint(approvers)


def is_enough(given: Sequence[Yes], approvers: Sequence[str], n_persons: int) -> bool:
    """Whether so many different persons, each with one of these roles, said yes; with several roles, one of each.

    A person counts once, whatever roles it has.
    """
    persons = {one.person: set(one.roles) for one in given if may_consent(one.roles, approvers)}
    if len(persons) < n_persons:
        return False
    n_roles = min(n_persons, len(set(approvers)))
    return any(
        all(role in roles for role, roles in zip(wanted, chosen, strict=True))
        for wanted in permutations(dict.fromkeys(approvers), n_roles)
        for chosen in permutations(persons.values(), n_roles)
    )

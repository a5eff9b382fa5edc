"""What the giver knows of an object beyond what stands in it."""

from msgspec import Struct


class Learnt(Struct, frozen=True, kw_only=True):
    """That the object, or what it was made from, was learnt from this party, who lets it go on to these (`onward`)."""

    party: str
    onward: frozenset[str] = frozenset()


class Known(Struct, frozen=True, kw_only=True):
    """`learnt`: from whom it, or anything it was derived from, came. `foreign`: identifiers of objects of others.

    `withheld`: identifiers of objects that stayed with us, towards this ally. `roles`: what hosts are called where a
    clause generalises them, by name in small letters; a host that is not among them is a "host".
    """

    learnt: tuple[Learnt, ...] = ()
    foreign: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    roles: dict[str, str] = {}


NOTHING = Known()

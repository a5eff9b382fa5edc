"""What `release` and `admit` answer. "No" is a normal result, with its reason."""

from typing import Any

from msgspec import Struct

from amagasa.vocab.tlp import Tlp


class Change(Struct, frozen=True, kw_only=True):
    """One thing done to an object before it leaves, at this dotted path.

    `stripped`, `pseudonymised`, `generalised` or `reminted` (an identifier that was replaced).
    """

    path: str
    what: str


class Released(Struct, frozen=True, kw_only=True, tag=True):
    """The exact bytes that leave (RFC 8785 canonical JSON of one STIX object), and by which clause."""

    object_id: str
    object_type: str
    content: bytes
    clause: str
    marking: Tlp
    changes: tuple[Change, ...] = ()


class Withheld(Struct, frozen=True, kw_only=True, tag=True):
    """It does not leave, and why in one sentence."""

    object_id: str
    object_type: str
    why: str
    code: str


class Wanting(Struct, frozen=True, kw_only=True, tag=True):
    """It would leave as `released` if so many different persons with these roles said yes."""

    released: Released
    roles: tuple[str, ...]
    n_persons: int = 1


Release = Released | Withheld | Wanting


class Admitted(Struct, frozen=True, kw_only=True):
    """An object taken in: what we now hold, under which clause, and whether it is to be put to use at once."""

    object: dict[str, Any]
    clause: str
    is_active: bool


class Refusal(Struct, frozen=True, kw_only=True):
    """An object not taken in, and why in one sentence; `object_id` is "" where it had none."""

    object_id: str
    object_type: str
    why: str
    code: str


class Admission(Struct, frozen=True, kw_only=True):
    """Every object that came is in exactly one of the two: len(admitted) + len(refused) = received."""

    admitted: tuple[Admitted, ...] = ()
    refused: tuple[Refusal, ...] = ()

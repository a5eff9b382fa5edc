"""What is wrong with an agreement, as data: a code, a place and what fits into the sentence of that code."""

from enum import StrEnum

from msgspec import Struct


class Weight(StrEnum):
    """A fault keeps an agreement from being signed or used; a note is a gap that one may want."""

    FAULT = "fault"
    NOTE = "note"


class Problem(Struct, frozen=True, kw_only=True):
    """`place` is e.g. `clause[2].ceiling` ("" for the whole); `args` go into the sentence (see `share.words`)."""

    code: str
    place: str = ""
    args: tuple[str, ...] = ()
    weight: Weight = Weight.FAULT

"""What a STIX object calls itself, read from its bytes without trusting them."""

import msgspec
from msgspec import Struct


class Told(Struct, frozen=True, kw_only=True):
    """A title ("" where the object says nothing; of a sighting the identifier it saw) and how often that was seen."""

    title: str = ""
    n_seen: int = 0


class _Telling(Struct):
    name: str = ""
    pattern: str = ""
    sighting_of_ref: str = ""
    value: str = ""
    count: int = 1


def told_by(content: bytes) -> Told:
    """Of anything that is no such object (withheld, refused for its form) nothing is told: its row shows the type."""
    try:
        read = msgspec.json.decode(content, type=_Telling)
    except msgspec.MsgspecError:
        return Told()
    title = read.name or read.value or read.pattern or read.sighting_of_ref
    return Told(title=title, n_seen=max(0, read.count) if read.sighting_of_ref else 0)

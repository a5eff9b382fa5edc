"""Where the fields of an event stand in its record, as data, for a reader that takes wanted values and no others.

What cannot be said so is `UNKNOWN`: the reader must then leave the question to whoever reads whole records.
"""

from enum import IntEnum

from msgspec import Struct


class Layout(IntEnum):
    """Of JSON in the order in which they are told apart: by the first of three keys that is an object, or by none."""

    EVTX = 0
    WINLOGBEAT = 1
    WINLOGBEAT_6 = 2
    FLAT = 3
    ACCESS = 4  # lines of a web server's access log


class How(IntEnum):
    """How a field comes from its places."""

    PLAIN = 0  # the first that is there and not null, as it stands
    MD5 = 1  # of a hash: its own place, or its part of a list of hashes
    SHA1 = 2
    SHA256 = 3
    IMPHASH = 4
    UNKNOWN = 5
    EITHER = 6  # either text; the second alone where the first is missing
    DECODED = 7  # a request with its encodings undone
    LINE = 8  # the whole line


class Node(IntEnum):
    """Objects of JSON that are entered; or a line."""

    TOP = 0
    EVENT = 1
    SYSTEM = 2
    PROVIDER = 3
    PROVIDER_ATTRIBUTES = 4
    EVENT_ID = 5
    EVENT_DATA = 6
    WINLOG = 7
    WINLOG_DATA = 8
    TOP_DATA = 9
    LINE = 10


Place = tuple[Node, str]


class Places(Struct, frozen=True):
    """Best place first; of a hash its own, then those of the list (the second only where the first has no key)."""

    how: How
    places: tuple[Place, ...] = ()

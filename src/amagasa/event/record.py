"""What is read and what becomes of it: chunks of records, batches of events, rejects."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from msgspec import Struct

from amagasa.event.mapping import LogMapping

# A JSON value: str, int, float, bool, None, or a list or dict (with str keys) of such.
Value: TypeAlias = Any


class Missing:
    """The value of a field which an event does not have. Sigma tells it from null only in `exists`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()

Row: TypeAlias = tuple[Any, ...]


class Format(StrEnum):
    """Kind of records in a chunk, found by content (`event.sniff`) or named by `--format`."""

    WINDOWS = "windows"  # one JSON object a line: NXLog, Winlogbeat, Azure's WindowsEvent, or EVTX as JSON
    ACCESS = "access"  # Apache / nginx combined or common log
    SYSLOG = "syslog"  # RFC 3164 with or without priority, RFC 5424, auth.log
    JSON = "json"  # any other JSON object a line


class LogSource(Struct, frozen=True, kw_only=True):
    """Sigma's `logsource` (specification 2.1): None where the rule or the event leaves it open."""

    category: str | None = None
    product: str | None = None
    service: str | None = None


class Route(Struct, frozen=True, kw_only=True):
    """Events which the same rules can match: e.g. Sysmon 1 on Windows. `name` is stable and unique.

    `sources` are the log sources which such an event belongs to; a rule applies where every attribute that
    its own log source gives is given alike by at least one of them. `known` are fields with one value in all
    events of the route (EventID, Channel): rules are decided on them once a route, not once an event.
    """

    name: str
    sources: tuple[LogSource, ...]
    known: tuple[tuple[str, str | int], ...] = ()


class Chunk(Struct, frozen=True, kw_only=True):
    """Whole records of one file or stream, one a line (LF, no line cut in two), as bytes.

    `first_record` is the 1-based number of the first line in its file. A blank line has a number but is no record:
    it is neither read nor rejected. `read_at` gives the year to formats that lack one. Where the lines do not follow
    one another in the file, `numbers` are theirs. Records of no kind that is known here are read by `mapping`.
    """

    path: str
    format: Format
    first_record: int
    data: bytes
    read_at: datetime
    numbers: tuple[int, ...] | None = None
    mapping: LogMapping | None = None


class Reject(Struct, frozen=True, kw_only=True):
    """A record which could not be read. `why` is one plain sentence, attacker text escaped and cut."""

    path: str
    record: int
    why: str
    code: str = "AMG-EVENT-000"


class SourceFault(Struct, frozen=True, kw_only=True):
    """A file, folder or stream, or the rest of one, which could not be looked at. Never the same as an empty one."""

    path: str
    why: str
    code: str = "AMG-SOURCE-000"


class LinesRead(Struct, frozen=True, kw_only=True):
    """The last item of a part of a file: how many lines it has. The records of the next part come after them."""

    n: int


class EventBatch(Struct, frozen=True, kw_only=True):
    """Events of one route: `rows[i]` holds the values of `fields`, `lines[i]` the raw record, `records[i]` its number.

    A field which the event lacks is `MISSING` (not None, which is JSON null). Other values are str, int, or tuples
    of such: booleans and fractions are text (`event.windows.plain`), because `1 == True == 1.0` share a memo's key.
    """

    path: str
    format: Format
    route: Route
    fields: tuple[str, ...]
    rows: list[Row]
    lines: list[bytes]
    records: list[int]
    read_at: datetime
    mapping: LogMapping | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One event in full, made only for what was found. `event_at` is None where the record carries no instant."""

    route: Route
    fields: Mapping[str, Value]
    event_at: datetime | None


class Normalised(Struct, frozen=True, kw_only=True):
    """What `normalise` returns: n_accepted + len(rejects) = n_read, always.

    n_accepted are the rows of all batches but those of what several records say together (`event.audit_event`).
    """

    batches: tuple[EventBatch, ...]
    rejects: tuple[Reject, ...]
    n_read: int
    n_accepted: int


# Which fields of a route anybody will look at, asked once a route: the decoder reads no others.
Wanted: TypeAlias = Callable[[Route], tuple[str, ...]]

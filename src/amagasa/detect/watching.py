"""Looking for single values beside the rules: what the sieve asks whoever looks for them, and what it is told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from amagasa.detect.report import Silence
from amagasa.event.record import Route, Value


class Telling(Struct, frozen=True):
    """What tells a value of a watched field that may matter: it contains this ASCII text ("": any may).

    `is_address`: it is looked for as an address, as it stands, and for nothing else.
    """

    needed: str = ""
    is_address: bool = False


class Bits(Struct, frozen=True):
    """A sieve of bits: that of a text is at the highest bits of its CRC-32, begun with `seed`, shifted by `shift`."""

    bits: bytes
    seed: int
    shift: int


class Listed(Struct, frozen=True):
    """The IPv4 addresses that may matter: their bit is set in one of `tables`, or that of their first two octets here.

    `sixteens`: 8,192 bytes, the lowest bit first.
    """

    sixteens: bytes
    tables: tuple[Bits, ...] = ()


class Day(Struct, frozen=True):
    """The first and the last second of a day on the clock of whoever wrote a record."""

    first_at: datetime
    last_at: datetime


class Silent(Struct, frozen=True):
    """What is counted of each record of a value on a day, and until when that holds (None: for ever)."""

    counts: tuple[tuple[Silence, int], ...]
    until: datetime | None = None


class Watcher(Protocol):
    """Whoever looks for single values, beside the rules."""

    def watched(self, route: Route) -> Mapping[str, Telling] | None:
        """Fields of the route's events whose values matter; None where every event must be looked at."""

    def listed(self) -> Listed | None:
        """The IPv4 addresses that may matter; None where nothing can be said of an address before it is asked about."""

    def may_name(self, route: Route, field: str, value: Value) -> bool:
        """Whether an event in which the field has this value must be looked at."""

    def silent_on(self, route: Route, field: str, *, value: Value, day: Day, now: datetime) -> Silent | None:
        """What looking at an event of that day would do for this value, if it says nothing of it for certain."""

"""Compiled indicators in one buffer, read where it lies: a file mapped into memory, shared by every process that looks.

No object is made for an indicator until one of its values stands in an event. A value is looked up by the CRC-32 of
its place and text: first in a sieve of bits, which turns away nearly all that is not there, then in the sorted keys;
and what is found counts only where the stored text is the same, so a collision, made on purpose or not, finds nothing.

| section | of each | holds |
|---|---|---|
| sieve | | a bit for each key that is there |
| keys, rows | key, in order | CRC-32, and the row it belongs to |
| starts, lengths | row | where its text stands in `texts` |
| contexts | row | where in `notes` stands what is said of it |
| spans | row | first and last day it was seen, days since 1970 in 16 bits each, 0 for not told |
| nets | prefix, by place and version | first and last address, row, and the prefix around it |

Prefixes of one version either lie in one another or apart, so the last that begins at or before an address holds it,
or one of those around it does: one search and a walk up, whatever their number and lengths.
"""

import ipaddress
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Struct

from amagasa.detect.watching import Bits

Where: TypeAlias = tuple[str, str]  # (kind, path) as `observables` names them

MAGIC: Final = b"AMGIND01"
HEAD_BYTES: Final = 16
SIEVE_BITS_A_KEY: Final = 16
NOTE_HEAD_BYTES: Final = 4  # its length, in front of each note
NO_PREFIX: Final = 0xFFFFFFFF
_Number: TypeAlias = Literal["B", "H", "I"]
_TYPES: Final[dict[str, _Number]] = {
    "keys": "I",
    "rows": "I",
    "starts": "I",
    "lengths": "H",
    "contexts": "I",
    "spans": "I",
}
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_WIDTH_OF_VERSION: Final = {4: 4, 6: 16}


class Nets(Struct, frozen=True, kw_only=True):
    """Where the prefixes of one place and IP version stand: (offset, bytes) of each column."""

    where: Where
    version: int
    firsts: tuple[int, int]
    lasts: tuple[int, int]
    rows: tuple[int, int]
    around: tuple[int, int]


class About(Struct, frozen=True, kw_only=True):
    """What a table was made of: counts by name, and (line, why) of what could not be used, the first of them.

    `is_listed`: its notes are listings of a flat list, and else indicators.
    """

    is_listed: bool = False
    tally: dict[str, int] = {}
    faults: tuple[tuple[int, str], ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """The head of a table: (offset, bytes) of its sections, and what is in it."""

    n_rows: int
    sections: dict[str, tuple[int, int]]
    nets: tuple[Nets, ...] = ()
    places: tuple[Where, ...] = ()
    about: About = About()


_PLAN: Final = msgspec.msgpack.Decoder(Plan)


def seed_of(where: Where) -> int:
    """What the CRC-32 of texts of this place begins with."""
    return crc32(f"{where[0]}:{where[1]}\0".encode())


def bytes_of(text: str) -> bytes:
    """A text as tables hold it. Lone surrogates, which logs may carry, are kept."""
    return text.encode("utf-8", "surrogatepass")


class Table:
    """Look-ups in one compiled buffer. Raises ValueError for a buffer that is no table or was cut."""

    def __init__(self, buffer: Any) -> None:
        view = memoryview(buffer)
        if len(view) < HEAD_BYTES or bytes(view[: len(MAGIC)]) != MAGIC:
            message = "this is no table of indicators"
            raise ValueError(message)
        size = int.from_bytes(view[len(MAGIC) : HEAD_BYTES], "little")
        try:
            plan = _PLAN.decode(view[HEAD_BYTES : HEAD_BYTES + size])
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
        base = aligned(HEAD_BYTES + size)
        ends = [offset + length for offset, length in _sections_of(plan)]
        if base + max(ends, default=0) > len(view):
            message = "the table was cut"
            raise ValueError(message)
        self.plan = plan
        self._view = view[base:]
        self._keys, self._rows, self._starts, self._lengths, self._contexts, self._spans = (
            self._section(*plan.sections[name], kind) for name, kind in _TYPES.items()
        )
        self._texts = self._section(*plan.sections["texts"], "B")
        self._notes = self._section(*plan.sections["notes"], "B")
        self._sieve = self._section(*plan.sections["sieve"], "B")
        self._shift = 32 - (len(self._sieve) * 8).bit_length() + 1 if self._sieve else 32
        self._copied: bytes | None = None
        self._sixteens: frozenset[int] | None = None
        self._seeds = {where: seed_of(where) for where in plan.places}
        self._nets: Mapping[tuple[Where, int], _Nets] = {
            (nets.where, nets.version): _Nets(
                _Addresses(self._section(*nets.firsts, "B"), nets.version),
                _Addresses(self._section(*nets.lasts, "B"), nets.version),
                self._section(*nets.rows, "I"),
                self._section(*nets.around, "I"),
            )
            for nets in plan.nets
        }

    @property
    def places(self) -> tuple[Where, ...]:
        """The places in which a value of this table may stand, prefixes included."""
        return tuple(dict.fromkeys((*self.plan.places, *(nets.where for nets in self.plan.nets))))

    def find(self, where: Where, texts: Iterable[str]) -> list[int]:
        """The rows of exactly these texts in this place, in the order of the texts."""
        seed = self._seeds.get(where)
        if seed is None:
            return []
        sieve, shift = self._sieve, self._shift
        found: list[int] = []
        for text in texts:
            data = bytes_of(text)
            key = crc32(data, seed)
            bit = key >> shift
            if sieve[bit >> 3] >> (bit & 7) & 1:
                found.extend(self._rows_of(key, data))
        return found

    def covering(self, where: Where, addresses: Iterable[str]) -> list[int]:
        """The rows of the prefixes of this place in which these addresses or prefixes lie, innermost first."""
        found: list[int] = []
        for address in addresses:
            version, first, last = _range_of(address) or (0, 0, 0)
            nets = self._nets.get((where, version))
            if nets is not None:
                found.extend(nets.around(first, last))
        return found

    def bits(self, where: Where) -> Bits | None:
        """A copy of the sieve, for texts of this place; None where `find` can find nothing there."""
        seed = self._seeds.get(where)
        if seed is None:
            return None
        if self._copied is None:
            self._copied = bytes(self._sieve)
        return Bits(self._copied, seed, self._shift)

    def sixteens(self, where: Where) -> frozenset[int]:
        """The first two octets of each IPv4 address that lies in some prefix of this place, as numbers of 16 bits."""
        if self._sixteens is None:
            nets = self._nets.get((where, 4))
            places = range(len(nets.firsts)) if nets is not None else ()
            ranges = ((nets.firsts[at], nets.lasts[at]) for at in places) if nets is not None else ()
            self._sixteens = frozenset(one for first, last in ranges for one in range(first >> 16, (last >> 16) + 1))
        return self._sixteens

    def holds(self, where: Where) -> bool:
        """Whether `find` can find anything in this place."""
        return where in self._seeds

    def has_prefixes(self, where: Where) -> bool:
        """Whether `covering` can find anything in this place."""
        return (where, 4) in self._nets or (where, 6) in self._nets

    def text(self, row: int) -> str:
        """The stored text of a row: canonical."""
        start = self._starts[row]
        return bytes(self._texts[start : start + self._lengths[row]]).decode("utf-8", "surrogatepass")

    def note(self, row: int) -> bytes:
        """What is said of a row, encoded by whoever built the table."""
        return note_at(self._notes, self._contexts[row])

    def span(self, row: int) -> tuple[int, int]:
        """First and last day it was seen, in days since 1970; 0 where not told."""
        span = self._spans[row]
        return span >> 16, span & 0xFFFF

    def sayings(self) -> Iterator[tuple[int, int]]:
        """Of each row what is said of it, as numbers: rows that say the same but for their text have the same."""
        return zip(self._contexts, self._spans, strict=True)

    def every_text(self) -> Iterator[str]:
        """The stored text of each row, in order."""
        return map(self.text, range(self.plan.n_rows))

    def _rows_of(self, key: int, data: bytes) -> Iterator[int]:
        """Rows of this very text. Rows of one key lie in the order of their texts, so many collisions cost little."""
        low, high = bisect_left(self._keys, key), bisect_right(self._keys, key)
        if high - low > 4:
            low = bisect_left(range(low, high), data, key=self._data_at) + low
        for at in range(low, high):
            stored = self._data_at(at)
            if stored == data:
                yield self._rows[at]
            elif stored > data:
                return

    def _data_at(self, at: int) -> bytes:
        row = self._rows[at]
        start = self._starts[row]
        return bytes(self._texts[start : start + self._lengths[row]])

    def _section(self, offset: int, length: int, kind: _Number) -> memoryview:
        return self._view[offset : offset + length].cast(kind) if length else memoryview(b"").cast(kind)


class _Nets(Struct, frozen=True):
    firsts: Sequence[int]
    lasts: Sequence[int]
    rows: memoryview
    outer: memoryview

    def around(self, first: int, last: int) -> Iterator[int]:
        """Rows of the prefixes that hold all from `first` to `last`."""
        at = bisect_right(self.firsts, first) - 1
        while 0 <= at < NO_PREFIX:
            if self.lasts[at] >= last:
                yield self.rows[at]
            at = self.outer[at]


class _Addresses(Sequence[int]):
    """Numbers of 4 or 16 bytes, big-endian, in a buffer."""

    def __init__(self, view: memoryview, version: int) -> None:
        self._view = view
        self._width = _WIDTH_OF_VERSION[version]

    def __len__(self) -> int:
        return len(self._view) // self._width

    def __getitem__(self, at: Any) -> Any:
        start = at * self._width
        return int.from_bytes(self._view[start : start + self._width], "big")


def note_at(notes: bytearray | memoryview, at: int) -> bytes:
    """The note which begins there."""
    start = at + NOTE_HEAD_BYTES
    return bytes(notes[start : start + int.from_bytes(notes[at:start], "little")])


def aligned(offset: int) -> int:
    """The next offset at which any number may stand."""
    return offset + -offset % 8


def _sections_of(plan: Plan) -> Iterator[tuple[int, int]]:
    yield from plan.sections.values()
    for nets in plan.nets:
        yield from (nets.firsts, nets.lasts, nets.rows, nets.around)


def _range_of(text: str) -> tuple[int, int, int] | None:
    """IP version, first and last address; None for what is no address and no prefix."""
    if _IPV4.fullmatch(text):
        number = int.from_bytes(bytes(map(int, text.split("."))), "big")
        return 4, number, number
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)

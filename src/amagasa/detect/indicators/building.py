"""Rows of indicators -> the pieces of a `Table`, in arrays of numbers: no object for a row outlives its block.

1.4 million rows cost some 60 MB while they are put together, and 50 MB as a table.
"""

import ipaddress
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, repeat
from typing import Final, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Struct

from amagasa.detect.indicators.table import (
    HEAD_BYTES,
    MAGIC,
    NO_PREFIX,
    NOTE_HEAD_BYTES,
    SIEVE_BITS_A_KEY,
    About,
    Nets,
    Plan,
    Where,
    aligned,
    bytes_of,
    note_at,
    seed_of,
)

MAX_TEXT_CHARACTERS: Final = 8_192  # of a value: more would not fit its place, and no log shows it whole
MAX_TEXTS_BYTES: Final = 1 << 32
_KEPT_NOTES: Final = 65_536  # notes known again when they come again; a list whose every row has another costs space
_BUCKETS: Final = 256
_ROW_MASK: Final = 0xFFFFFFFF
_LAST_DAY: Final = 0xFFFF

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Piece: TypeAlias = bytes | bytearray | memoryview
# The notes of two rows of the same text -> one note for both; None where both rows are to stay.
Merge: TypeAlias = Callable[[bytes, bytes], bytes | None]


class Block(Struct, frozen=True, kw_only=True):
    """Rows of one place: canonical texts, and for each the number of its note and its span as `packed`."""

    where: Where
    texts: Sequence[str]
    notes: Sequence[int]
    spans: Sequence[int]


class _Prefix(Struct, frozen=True, order=True):
    first: int
    size: int  # negative, so that of two which begin alike the wider comes first
    row: int


class Builder:
    """A table while rows are added to it. Rows are numbered in the order in which they come."""

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]
        self._starts, self._contexts, self._spans = array("I"), array("I"), array("I")
        self._lengths = array("H")
        self._texts = bytearray()
        self._notes = bytearray()
        self._kept_notes: dict[bytes, int] = {}
        self._prefixes: dict[tuple[Where, int], list[_Prefix]] = {}
        self._places: dict[Where, None] = {}

    @property
    def n_rows(self) -> int:
        """Rows that were added."""
        return len(self._starts)

    def note(self, encoded: bytes) -> int:
        """Keep what is said of rows; its number, for `Block.notes`."""
        known = self._kept_notes.get(encoded)
        if known is None:
            known = len(self._notes)
            self._notes += len(encoded).to_bytes(NOTE_HEAD_BYTES, "little") + encoded
            if len(self._kept_notes) < _KEPT_NOTES:
                self._kept_notes[encoded] = known
        return known

    def add(self, block: Block) -> None:
        """Add rows which are looked up by their text. Texts are of at most `MAX_TEXT_CHARACTERS` characters."""
        self._places[block.where] = None
        texts = list(map(bytes_of, block.texts))
        first, buckets = self.n_rows, self._buckets
        for row, key in enumerate(map(crc32, texts, repeat(seed_of(block.where))), first):
            buckets[key >> 24].append(key << 32 | row)
        self._append(texts, block.notes, block.spans)

    def add_prefix(self, where: Where, network: Network, *, note: int, span: int) -> None:
        """Add a prefix, under which every address inside is found."""
        first = int(network.network_address)
        held = self._prefixes.setdefault((where, network.version), [])
        held.append(_Prefix(first, -network.num_addresses, self.n_rows))
        self._append([bytes_of(str(network))], [note], [span])

    def _append(self, texts: Sequence[bytes], notes: Sequence[int], spans: Sequence[int]) -> None:
        lengths = list(map(len, texts))
        at = len(self._texts)
        if at + sum(lengths) >= MAX_TEXTS_BYTES:
            message = "a table of indicators holds at most 4 GiB of text"
            raise ValueError(message)
        self._starts.extend(list(accumulate(lengths, initial=at))[:-1])
        self._lengths.extend(lengths)
        self._contexts.extend(notes)
        self._spans.extend(spans)
        self._texts += b"".join(texts)

    def finished(self, merge: Merge, about: Callable[[], About]) -> Iterator[Piece]:
        """The pieces of the table, one after the other; `about` is asked when all is merged. The builder is spent."""
        keys, rows = self._ordered(merge)
        prefixes = {key: _columns_of(self._distinct(held, merge), key[1]) for key, held in self._prefixes.items()}
        pieces: list[Piece] = []
        sections: dict[str, tuple[int, int]] = {}
        end = 0

        def put(data: "array[int] | bytearray") -> tuple[int, int]:
            nonlocal end
            view = memoryview(data).cast("B")
            pieces.extend((view, bytes(-len(view) % 8)))
            place = (end, len(view))
            end = aligned(end + len(view))
            return place

        for name, data in (
            ("sieve", _sieve_of(keys)),
            ("keys", keys),
            ("rows", rows),
            ("starts", self._starts),
            ("lengths", self._lengths),
            ("contexts", self._contexts),
            ("spans", self._spans),
            ("texts", self._texts),
            ("notes", self._notes),
        ):
            sections[name] = put(data)
        nets = []
        for (where, version), (firsts, lasts, of_rows, around) in prefixes.items():
            nets.append(
                Nets(
                    where=where,
                    version=version,
                    firsts=put(firsts),
                    lasts=put(lasts),
                    rows=put(of_rows),
                    around=put(around),
                )
            )
        plan = Plan(
            n_rows=self.n_rows,
            sections=sections,
            nets=tuple(nets),
            places=tuple(self._places),
            about=about(),
        )
        head = msgspec.msgpack.encode(plan)
        yield MAGIC + len(head).to_bytes(HEAD_BYTES - len(MAGIC), "little")
        yield head + bytes(-(HEAD_BYTES + len(head)) % 8)
        yield from pieces

    def _ordered(self, merge: Merge) -> tuple["array[int]", "array[int]"]:
        """Keys in order with their rows; rows of one key by their text; rows which `merge` makes one, once."""
        keys, rows = array("I"), array("I")
        for number, bucket in enumerate(self._buckets):
            packed = sorted(bucket)
            self._buckets[number] = array("Q")
            of_bucket = [one >> 32 for one in packed]
            if len(set(of_bucket)) < len(packed):
                packed = self._settled(packed, merge)
                of_bucket = [one >> 32 for one in packed]
            keys.extend(of_bucket)
            rows.extend([one & _ROW_MASK for one in packed])
        return keys, rows

    def _settled(self, packed: Sequence[int], merge: Merge) -> list[int]:
        """The same with keys that come twice looked at: in the order of their texts, and merged where these are one."""
        by_text = sorted((one >> 32, self._text(one & _ROW_MASK), one & _ROW_MASK) for one in packed)
        kept: list[tuple[int, bytes, int]] = []
        for one in by_text:
            if kept and kept[-1][:2] == one[:2] and self._merged(kept[-1][2], one[2], merge):
                continue
            kept.append(one)
        return [key << 32 | row for key, _, row in kept]

    def _distinct(self, held: list[_Prefix], merge: Merge) -> list[_Prefix]:
        """In order, the wider of two that begin alike first; the same prefix once where `merge` says so."""
        kept: list[_Prefix] = []
        for one in sorted(held):
            is_known = kept and (kept[-1].first, kept[-1].size) == (one.first, one.size)
            if not (is_known and self._merged(kept[-1].row, one.row, merge)):
                kept.append(one)
        return kept

    def _merged(self, row: int, other: int, merge: Merge) -> bool:
        both = merge(self._note_of(row), self._note_of(other))
        if both is None:
            return False
        self._contexts[row] = self.note(both)
        self._spans[row] = joined_span(self._spans[row], self._spans[other])
        return True

    def _text(self, row: int) -> bytes:
        start = self._starts[row]
        return bytes(self._texts[start : start + self._lengths[row]])

    def _note_of(self, row: int) -> bytes:
        return note_at(self._notes, self._contexts[row])


def packed(first: int, last: int) -> int:
    """A span as rows carry it: days since 1970, 0 for not told; days out of range are brought to its ends."""
    return min(max(first, 0), _LAST_DAY) << 16 | min(max(last, 0), _LAST_DAY)


def joined_span(one: int, other: int) -> int:
    """From the earlier of both to the later; what only one tells is taken from it."""
    firsts = [span >> 16 for span in (one, other) if span >> 16]
    lasts = [span & _LAST_DAY for span in (one, other) if span & _LAST_DAY]
    return packed(min(firsts, default=0), max(lasts, default=0))


def _sieve_of(keys: Sequence[int]) -> bytearray:
    bits = max(6, min(30, (len(keys) * SIEVE_BITS_A_KEY - 1).bit_length()))
    sieve, shift = bytearray(1 << (bits - 3)), 32 - bits
    for key in keys:
        bit = key >> shift
        sieve[bit >> 3] |= 1 << (bit & 7)
    return sieve


def _columns_of(held: list[_Prefix], version: int) -> tuple[bytearray, bytearray, "array[int]", "array[int]"]:
    """Of prefixes in order: first and last addresses, rows, and the place of the one around each."""
    width = 4 if version == 4 else 16
    firsts, lasts = bytearray(), bytearray()
    rows, around = array("I"), array("I")
    open_ones: list[tuple[int, int]] = []  # (last address, place) of those we are inside of
    for place, one in enumerate(held):
        last = one.first - one.size - 1
        while open_ones and open_ones[-1][0] < one.first:
            open_ones.pop()
        around.append(open_ones[-1][1] if open_ones else NO_PREFIX)
        open_ones.append((last, place))
        firsts += one.first.to_bytes(width, "big")
        lasts += last.to_bytes(width, "big")
        rows.append(one.row)
    return firsts, lasts, rows, around

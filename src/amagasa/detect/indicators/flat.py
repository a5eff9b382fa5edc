"""Lines of a flat list -> rows of a table: CSV with a header, or one value a line. Every line is accounted for.

Lines come in blocks. Of a block the rows that say the same but for their value go together, so that ordinary lists cost
some 1.5 us a line; a block with anything unusual in it is read again line by line. Bad lines are faults with their
number: the first thousand are kept, and all are counted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from amagasa.detect.indicators.building import MAX_TEXT_CHARACTERS, Block, Builder, Piece, packed
from amagasa.detect.indicators.forms import refanged
from amagasa.detect.indicators.kinds import ADDRESS, DOMAIN, DOMAIN_TREE, IPV4, IPV6, KINDS, Kind, kind_called, kind_of
from amagasa.detect.indicators.listing import (
    MAX_NOTE_CHARACTERS,
    Columns,
    Listing,
    confidence_of,
    day_of,
    decoded,
    encoded,
    end_of,
    merged,
    sources_of,
)
from amagasa.detect.indicators.never import SHARED, is_never, is_shared
from amagasa.detect.indicators.table import About
from amagasa.detect.stix.comparison import WIDEST_PREFIX
from amagasa.detect.stix.operators import network_of
from amagasa.vocab.text import show

MAX_FAULTS: Final = 1_000  # of one list, kept; the rest is counted
_KEPT_SAYINGS: Final = 65_536
_TOKEN: Final = re.compile(r"[\s,;]+")
_HOSTS_FILE: Final = frozenset({"0.0.0.0", "127.0.0.1", "::1", "::"})  # noqa: S104 - what blocking hosts files begin with


class _Said(Struct, frozen=True):
    """What rows say beside their value, ready for the table."""

    kind: Kind | None  # None: each value tells
    listing: Listing
    span: int


class FlatList:
    """One list while it is read. `name` is its own, for rows which name no source."""

    def __init__(self, name: str) -> None:
        self._builder = Builder()
        self._name = name
        self._sayings: dict[tuple[str, str], _Said | str] = {}
        self.n_read = 0
        self.n_rejected = 0
        self.n_never = 0
        self.n_by_kind = {kind.path: 0 for kind in KINDS}
        self.faults: list[tuple[int, str]] = []

    def pieces(self) -> Iterator[Piece]:
        """The table of this list, once all of it was read."""
        return self._builder.finished(self._merged, self._about)

    def _merged(self, one: bytes, other: bytes) -> bytes:
        """Two rows of one value are one indicator."""
        self.n_by_kind[decoded(one).path] -= 1
        return merged(one, other)

    def _about(self) -> About:
        """Counts by name: n_read = n_accepted + n_rejected; of the accepted, `n_never` can never be indicators."""
        tally = {
            "n_read": self.n_read,
            "n_accepted": self.n_read - self.n_rejected,
            "n_rejected": self.n_rejected,
            "n_never": self.n_never,
            "n_indicators": sum(self.n_by_kind.values()),
            **{path: n for path, n in self.n_by_kind.items() if n},
        }
        return About(is_listed=True, tally=tally, faults=tuple(self.faults))

    # lines of values

    def add_values(self, lines: Sequence[str], first_line: int) -> None:
        """Lines with a value first: remarks behind it are passed over, and so are blank lines and remarks alone."""
        said = _Said(None, Listing(path="", sources=(self._name,)), 0)
        for number, line in enumerate(lines, first_line):
            value = _value_of(line)
            if value:
                self.n_read += 1
                self._one(number, value, said)

    # rows of columns

    def add_rows(self, lines: Sequence[str], columns: Columns, mark: str, *, first_line: int) -> None:
        """Lines of a CSV without quotes, separated by `mark`."""
        if columns.type != 0 or columns.value != 1:
            self.add_fields(_cut(lines, mark, first_line), columns)
            return
        groups: dict[tuple[str, str], list[str]] = {}
        try:
            for line in lines:
                kind, value, rest = line.split(mark, 2)
                group = groups.get((kind, rest))
                if group is None:
                    groups[kind, rest] = [value]
                else:
                    group.append(value)
        except ValueError:  # a row of fewer fields
            self.add_fields(_cut(lines, mark, first_line), columns)
            return
        odd = {key: self._add_group(key, group, columns, mark) for key, group in groups.items()}
        if any(odd.values()):
            self.add_fields(_of_these(lines, mark, first_line, odd), columns)

    def add_fields(self, rows: Iterable[tuple[int, Sequence[str]]], columns: Columns) -> None:
        """Rows of fields with the numbers of their lines, one by one."""
        for number, row in rows:
            if not row or not any(row) or row[0].startswith("#"):
                continue
            self.n_read += 1
            if len(row) < columns.n_least:
                self._fault(number, f"expected at least {columns.n_least} columns; got {len(row)}")
                continue
            name = row[columns.type] if columns.type >= 0 else columns.kind
            said = self._said(name, row, columns, value=row[columns.value])
            if isinstance(said, str):
                self._fault(number, said)
            else:
                self._one(number, row[columns.value], said)

    def fault(self, line: int, why: str) -> None:
        """Count a line that could not even be cut into fields."""
        self.n_read += 1
        self._fault(line, why)

    def _add_group(self, key: tuple[str, str], values: list[str], columns: Columns, mark: str) -> list[str]:
        """Add the plain ones of rows that say the same but for their value; the others come back."""
        said = self._saying(key, values[0], columns, mark)
        if isinstance(said, str) or said.kind is None:
            return values
        plain, is_plain = values, said.kind.plain.fullmatch
        if not all(map(is_plain, values)):
            plain = [value for value in values if is_plain(value)]
        if said.kind.where == DOMAIN_TREE and not SHARED.isdisjoint(plain):
            plain = [value for value in plain if value not in SHARED]
        note = self._builder.note(encoded(said.listing))
        n = len(plain)
        self._builder.add(Block(where=said.kind.where, texts=plain, notes=[note] * n, spans=[said.span] * n))
        self.n_by_kind[said.kind.path] += n
        self.n_read += n
        return [] if plain is values else list(set(values).difference(plain))

    def _saying(self, key: tuple[str, str], value: str, columns: Columns, mark: str) -> _Said | str:
        """What rows say which begin and end like this."""
        said = self._sayings.get(key)
        if said is None:
            row = [key[0], value, *key[1].rstrip("\r\n").split(mark)]
            is_remark = key[0].startswith("#")
            said = "a remark" if is_remark else self._said(key[0], row, columns, value=value)
            if len(self._sayings) >= _KEPT_SAYINGS:
                self._sayings.clear()
            self._sayings[key] = said
        return said

    def _said(self, name: str, row: Sequence[str], columns: Columns, *, value: str) -> _Said | str:
        """What the row says, or why it cannot be used."""
        kind = kind_called(name, refanged(value)) if name.strip() else None
        if name.strip() and kind is None:
            return f"values of type {show(name.strip(), 40)} are not looked for"

        def field(at: int) -> str:
            return row[at].strip() if 0 <= at < len(row) else ""

        notes = dict.fromkeys(text for at in columns.notes if (text := field(at)) and text.lower() != "none")
        listing = Listing(
            path=kind.path if kind else "",
            sources=sources_of(field(columns.source), self._name),
            confidence=confidence_of(field(columns.confidence)),
            note=show(", ".join(notes), MAX_NOTE_CHARACTERS) if notes else "",
            valid_until=end_of(field(columns.until)),
        )
        return _Said(kind, listing, packed(day_of(field(columns.first)), day_of(field(columns.last))))

    def _one(self, number: int, written: str, said: _Said) -> None:
        plain = refanged(written.strip())
        kind = said.kind or kind_of(plain)
        value = kind.canonical(plain) if kind is not None and len(plain) <= MAX_TEXT_CHARACTERS else None
        if kind is None or value is None:
            expected = f"a value of {kind.path}" if kind else "an address, domain, link, mail address, file or hash"
            self._fault(number, f"expected {expected}; got {show(written.strip(), 80)}")
            return
        if kind.where == ADDRESS:
            kind = IPV6 if ":" in value else IPV4
        listing = Listing(
            path=kind.path,
            sources=said.listing.sources,
            confidence=said.listing.confidence,
            note=said.listing.note,
            valid_until=said.listing.valid_until,
        )
        if kind.where == ADDRESS:
            self._one_address(number, value, listing, said.span)
            return
        where = DOMAIN if kind.where == DOMAIN_TREE and is_shared(value) else kind.where
        note = self._builder.note(encoded(listing))
        self._builder.add(Block(where=where, texts=[value], notes=[note], spans=[said.span]))
        self.n_by_kind[kind.path] += 1

    def _one_address(self, number: int, value: str, listing: Listing, span: int) -> None:
        if is_never(value):
            self.n_never += 1
            return
        network = network_of(value) if "/" in value else None
        if network is not None and network.prefixlen < WIDEST_PREFIX:
            self._fault(number, f"the prefix holds everything or nearly so: {show(value, 60)}")
            return
        note = self._builder.note(encoded(listing))
        if network is not None:
            self._builder.add_prefix(ADDRESS, network, note=note, span=span)
        else:
            self._builder.add(Block(where=ADDRESS, texts=[value], notes=[note], spans=[span]))
        self.n_by_kind[listing.path] += 1

    def _fault(self, line: int, why: str) -> None:
        self.n_rejected += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((line, why))


def _value_of(line: str) -> str:
    """The value of a line of a plain list: of a hosts file the name; of a filter list (`||name^`) the name."""
    bare = line.strip()
    if not bare or bare[0] in "#;!":
        return ""
    if bare.startswith("||"):
        bare = bare[2:].partition("^")[0]
    if "\\" in bare or bare.startswith("/"):
        return bare.partition(" #")[0].rstrip()  # a path may hold spaces
    parts = _TOKEN.split(bare, maxsplit=2)
    if parts[0] in _HOSTS_FILE and len(parts) > 1 and not parts[1].startswith("#"):
        return "" if parts[1].startswith(("localhost", "ip6-", "broadcasthost")) else parts[1]
    return parts[0]


def _cut(lines: Sequence[str], mark: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    return ((number, line.rstrip("\r\n").split(mark)) for number, line in enumerate(lines, first_line))


def _of_these(
    lines: Sequence[str], mark: str, first_line: int, odd: dict[tuple[str, str], list[str]]
) -> Iterator[tuple[int, list[str]]]:
    """The rows with one of these values, by what stands before and behind it."""
    wanted = {key: frozenset(values) for key, values in odd.items() if values}
    for number, line in enumerate(lines, first_line):
        kind, value, rest = line.split(mark, 2)
        if value in wanted.get((kind, rest), ()):
            yield number, line.rstrip("\r\n").split(mark)

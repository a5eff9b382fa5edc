"""Flat lists of indicators, a line at a time: a file -> a table, from the cache where the file was read before."""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from amagasa.adapters.content.tables import Tables
from amagasa.adapters.content.unchanged import Unchanged
from amagasa.adapters.content.unpacking import blocks_of
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.kinds import kind_of
from amagasa.detect.indicators.listing import VALUE_COLUMNS, Columns, columns_of
from amagasa.detect.indicators.table import MAGIC, Table

VERSION: Final = 1  # rises with every change of what a line gives
HEAD_LINES: Final = 64  # in which the header must be; remarks and blank lines may stand before it
MAX_LINE_BYTES: Final = 65_536
_ROWS_OF_A_TABLE: Final = 2
_FIELDS_OF_A_TABLE: Final = 2
_ROWS_AT_ONCE: Final = 10_000
_MARKS: Final = (",", ";", "\t", "|")
_PACKINGS: Final = (".gz", ".zst", ".csv", ".txt", ".tsv", ".list", ".ipset", ".netset")

# The lines of a block with the number of the first. None for a line too long to be one.
_Block = tuple[int, list[str | None]]


class Taker(Protocol):
    """Whoever takes the lines of a list (`detect.indicators.flat.FlatList`)."""

    def add_values(self, lines: Sequence[str], first_line: int) -> None:
        """Lines with a value first."""

    def add_rows(self, lines: Sequence[str], columns: Columns, mark: str, *, first_line: int) -> None:
        """Lines of a table without quotes."""

    def add_fields(self, rows: Iterable[tuple[int, Sequence[str]]], columns: Columns) -> None:
        """Rows of fields with the numbers of their lines."""

    def fault(self, line: int, why: str) -> None:
        """A line that cannot be cut into fields."""


class _Head(Struct, frozen=True):
    """What the first lines say: columns and what parts them; None for a list of values. `line` is the header's."""

    columns: Columns | None
    mark: str = ","
    line: int = 0


def table_of(file: Path, tables: Tables) -> Table:
    """The table of a flat list. Raises one of `unpacking.UNREADABLE`."""
    key = key_of(file, tables.unchanged)
    known = tables.open(key)
    if known is not None:
        return known
    flat = FlatList(name_of(file))
    read_list(flat, file)
    return tables.keep(key, flat.pieces())


def read_list(flat: Taker, file: Path) -> None:
    """Hand every line of the list on. Raises one of `unpacking.UNREADABLE`."""
    _read(flat, _lines_of(blocks_of(file)))


def key_of(file: Path, unchanged: Unchanged) -> str:
    """The name of the table of this very file: its bytes, its name and how we read it decide what comes of it."""
    named = f"\0{name_of(file)}\0{VERSION}\0".encode("utf-8", "surrogateescape") + MAGIC
    digest = hashlib.sha256(_digest_of(file, unchanged).encode() + named)
    return f"list-{digest.hexdigest()}"


def _digest_of(file: Path, unchanged: Unchanged) -> str:
    """Of all its bytes, which are read only where the file may have changed."""
    name = str(file.absolute())
    with file.open("rb") as stream:
        known = unchanged.known(name, stream.fileno())
        if known:
            return known
        beginning = unchanged.begun(stream.fileno())
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        unchanged.remember(name, stream.fileno(), beginning, digest)
        return digest


def name_of(file: Path) -> str:
    """What the list is called where its rows name no source: the file's name without what tells its form."""
    name = file.name
    while (suffix := Path(name).suffix.lower()) in _PACKINGS and Path(name).stem:
        name = name[: -len(suffix)]
    return name


def _read(flat: Taker, blocks: Iterator[_Block]) -> None:
    first = next(blocks, None)
    if first is None:
        return
    head = _head_of([line for line in first[1][:HEAD_LINES] if line is not None])
    pending: Iterator[_Block] = _and_then((first[0] + head.line, first[1][head.line :]), blocks)
    if head.columns is None and _is_table(first[1]):
        flat.fault(1, f"no column holds values: expected a header with one of {', '.join(VALUE_COLUMNS)}")
        return
    for first_line, lines in pending:
        whole = _without_long(flat, first_line, lines)
        if head.columns is None:
            flat.add_values(whole, first_line)
        elif any('"' in line for line in whole):
            _read_quoted(flat, _and_then((first_line, list(whole)), pending), head, head.columns)
            return
        else:
            flat.add_rows(whole, head.columns, head.mark, first_line=first_line)


def _read_quoted(flat: Taker, blocks: Iterator[_Block], head: _Head, columns: Columns) -> None:
    """From the first quote on the rules of RFC 4180 count: a field may hold marks and ends of lines."""
    numbers: list[int] = []

    def lines() -> Iterator[str]:
        for first_line, block in blocks:
            for number, line in enumerate(_without_long(flat, first_line, block), first_line):
                numbers[:] = [number]
                yield line + "\n"

    reader = csv.reader(lines(), delimiter=head.mark)
    rows: list[tuple[int, list[str]]] = []
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            flat.fault(numbers[0], f"no CSV: {error}")
            continue
        if row is None:
            break
        rows.append((numbers[0], row))
        if len(rows) >= _ROWS_AT_ONCE:
            flat.add_fields(rows, columns)
            rows = []
    flat.add_fields(rows, columns)


def _head_of(lines: Sequence[str]) -> _Head:
    """The header in front of the first row; some publishers make it a remark, the last of several."""
    remark = _Head(None)
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if bare and not bare.startswith("#"):
            return _header(bare, number) or remark
        found = _header(bare.lstrip("#").strip(), number)
        if found is not None and found.mark in bare:
            remark = found
    return remark


def _is_table(lines: Sequence[str | None]) -> bool:
    """Whether the first rows are fields of something else: as many in each, and no indicator in the first row."""
    rows = [line.split(",") for line in lines[:HEAD_LINES] if line and line.strip() and not line.startswith("#")]
    if len(rows) < _ROWS_OF_A_TABLE or len(rows[0]) < _FIELDS_OF_A_TABLE or any(kind_of(name) for name in rows[0]):
        return False
    return sum(len(row) == len(rows[0]) for row in rows) > len(rows) // 2


def _header(line: str, number: int) -> _Head | None:
    for mark in _MARKS:
        names = [name.strip().strip('"') for name in line.split(mark)]
        columns = columns_of(names)
        if columns is not None and not any(kind_of(name) for name in names):
            return _Head(columns, mark, number)
    return None


def _lines_of(blocks: Iterator[bytes]) -> Iterator[_Block]:
    """Whole lines. Bytes which are no UTF-8 come as lone surrogates, so that their line alone is at fault."""
    number, rest, is_skipping = 1, b"", False
    for block in blocks:
        data = rest + block
        end = data.rfind(b"\n")
        if end < 0 and len(data) <= MAX_LINE_BYTES:
            rest = data
            continue
        whole, rest = data[: max(end, 0)], data[end + 1 :]
        lines: list[str | None] = list(whole.decode("utf-8", "surrogateescape").split("\n")) if end >= 0 else []
        if is_skipping and lines:
            lines[0], is_skipping = None, False
        if len(rest) > MAX_LINE_BYTES:
            rest, is_skipping = b"", True
        if lines:
            yield number, lines
            number += len(lines)
    if is_skipping:
        yield number, [None]
    elif rest:
        yield number, [rest.decode("utf-8", "surrogateescape")]


def _without_long(flat: Taker, first_line: int, lines: Sequence[str | None]) -> Sequence[str]:
    """The lines, those which are too long blank, counted as faults."""
    whole: list[str] = []
    for number, line in enumerate(lines, first_line):
        if line is None or len(line) > MAX_LINE_BYTES:
            flat.fault(number, f"a line of more than {MAX_LINE_BYTES} bytes")
            whole.append("")
        else:
            whole.append(line)
    return whole


def _and_then(first: _Block, blocks: Iterator[_Block]) -> Iterator[_Block]:
    yield first
    yield from blocks

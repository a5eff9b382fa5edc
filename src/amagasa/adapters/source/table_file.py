"""Files whose lines are rows under a header (`event.table`) -> chunks of JSON objects, one a line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.lines import BOM, MAX_LINE_BYTES
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.event.table import Table, is_table_header
from amagasa.vocab.text import show

_NOT_A_ROW: Final = "AMG-EVENT-021"
_CHUNK_LINES: Final = 8_192


def is_table(head: bytes) -> bool:
    """Whether a file with this head is such a log."""
    return is_table_header(head[:2_048].removeprefix(BOM).partition(b"\n")[0].decode("utf-8", "replace"))


def rows_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks with the numbers of their lines, rejects between them; last what broke it off."""
    table = Table()
    lines: list[bytes] = []
    numbers: list[int] = []
    fault: SourceFault | None = None
    try:
        for number, raw in enumerate(_lines(stream), start=1):
            text = raw.removeprefix(BOM if number == 1 else b"").rstrip(b"\r").decode("utf-8", "replace")
            row = table.row(text) if len(raw) < MAX_LINE_BYTES else "the line is too long"
            if isinstance(row, str):
                why = f"not a row of this file: {row}; got {show(text, 120)}"
                yield Reject(path=path, record=number, why=why, code=_NOT_A_ROW)
            elif row is not None:
                lines.append(msgspec.json.encode(row))
                numbers.append(number)
            if len(lines) >= _CHUNK_LINES:
                yield _chunk(path, lines, numbers, read_at)
                lines, numbers = [], []
    except BrokenSourceError as error:
        fault = error.fault(path)
    if lines:
        yield _chunk(path, lines, numbers, read_at)
    if fault is not None:
        yield fault


def _lines(stream: Stream) -> Iterator[bytes]:
    held = b""
    for block in stream.blocks():
        *whole, held = (held + block).split(b"\n")
        yield from whole
        held = held[:MAX_LINE_BYTES]
    if held:
        yield held


def _chunk(path: str, lines: list[bytes], numbers: list[int], read_at: datetime) -> Chunk:
    return Chunk(
        path=path,
        format=Format.JSON,
        first_record=numbers[0],
        data=b"\n".join(lines) + b"\n",
        read_at=read_at,
        numbers=tuple(numbers),
    )

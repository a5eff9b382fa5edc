"""Files of rows that are no records by themselves -> chunks of JSON objects, one a line, with the rows' own numbers."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.lines import BOM, MAX_LINE_BYTES
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.text import show

_CHUNK_LINES: Final = 8_192

# A row and its number from 1 -> the object's JSON, why it is none, or None where it is no record.
Taking = Callable[[str, int], bytes | str | None]


def objects_of_rows(path: str, stream: Stream, read_at: datetime, take: Taking, *, code: str) -> Iterator[Item]:
    """Chunks, rejects with `code` between them; last what broke it off."""
    lines: list[bytes] = []
    numbers: list[int] = []
    fault: SourceFault | None = None
    try:
        for number, raw in enumerate(_rows(stream), start=1):
            text = raw.removeprefix(BOM if number == 1 else b"").rstrip(b"\r").decode("utf-8", "replace")
            made = take(text, number) if len(raw) < MAX_LINE_BYTES else f"it holds {MAX_LINE_BYTES} bytes or more"
            if isinstance(made, str):
                why = f"not a row of this file: {made}; got {show(text, 120)}"
                yield Reject(path=path, record=number, why=why, code=code)
            elif made is not None:
                lines.append(made)
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


def _rows(stream: Stream) -> Iterator[bytes]:
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

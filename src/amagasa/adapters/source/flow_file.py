"""Files of exported flows (`event.ot.flows`) -> chunks of messages, one JSON object a line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.ot.flows import Flows, is_flow_header
from amagasa.event.ot.message import line_of
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.text import show

_NOT_A_FLOW: Final = "AMG-EVENT-020"
_CHUNK_LINES: Final = 8_192


def is_flows(head: bytes) -> bool:
    """Whether a file with this head holds flows."""
    return is_flow_header(head[:2_048].partition(b"\n")[0].decode("utf-8", "replace"))


def flows_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks with the numbers of their lines (the header is line 1), rejects between them; last what broke it off."""
    flows: Flows | None = None
    lines: list[bytes] = []
    numbers: list[int] = []
    fault: SourceFault | None = None
    number = 0
    try:
        for raw in _lines(stream):
            number += 1
            text = raw.decode("utf-8", "replace")
            if flows is None:
                flows = Flows(text, read_at)
                continue
            message = flows.message(text, number) if text.strip() else None
            if isinstance(message, str):
                why = f"not a row of this file: {message}; got {show(text, 120)}"
                yield Reject(path=path, record=number, why=why, code=_NOT_A_FLOW)
            elif message is not None:
                lines.append(line_of(message))
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

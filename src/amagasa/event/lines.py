"""Chunk -> lines: what every reader of line records agrees on, so that all formats count alike.

A blank line (nothing but spaces, tabs or CR) is no record: it has a number, but is neither read nor rejected. A line
longer than `MAX_LINE_BYTES` is read and rejected. CR before LF and a byte order mark at the head of a file are not
part of the record. NUL and invalid UTF-8 stay in the raw line; the readers replace what they cannot decode.
"""

from typing import Final

from msgspec import Struct

from amagasa.event.record import Chunk, Reject

# The longest real record seen is a PowerShell script block of 64 kB; beyond this a line is an attack on memory.
MAX_LINE_BYTES: Final = 1_048_576
BOM: Final = b"\xef\xbb\xbf"
TOO_LONG: Final = "AMG-EVENT-001"


class Lines(Struct, frozen=True, kw_only=True):
    """The records of a chunk: `lines[i]` is the raw record `numbers[i]`; `rejects` are those over the limit."""

    lines: list[bytes]
    numbers: list[int]
    rejects: tuple[Reject, ...]


def lines_of(chunk: Chunk) -> Lines:
    """Split the chunk. `len(lines) + len(rejects)` is the number of records read."""
    data = chunk.data
    if chunk.first_record == 1 and data.startswith(BOM):
        data = data[len(BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").removesuffix(b"\r")
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    numbers = list(chunk.numbers or range(chunk.first_record, chunk.first_record + len(lines)))
    kept = [line for line in lines if line and not line.isspace() and len(line) <= MAX_LINE_BYTES]
    if len(kept) == len(lines):
        return Lines(lines=lines, numbers=numbers, rejects=())
    return _without_blank_and_long(chunk.path, lines, numbers)


def _without_blank_and_long(path: str, lines: list[bytes], numbers: list[int]) -> Lines:
    pairs = [(line, number) for line, number in zip(lines, numbers, strict=True) if line and not line.isspace()]
    return Lines(
        lines=[line for line, _ in pairs if len(line) <= MAX_LINE_BYTES],
        numbers=[number for line, number in pairs if len(line) <= MAX_LINE_BYTES],
        rejects=tuple(too_long(path, number, len(line)) for line, number in pairs if len(line) > MAX_LINE_BYTES),
    )


def too_long(path: str, record: int, n_bytes: int) -> Reject:
    """The reject of a line of `n_bytes` (or of at least as many, where the rest was not kept)."""
    why = f"the line is too long; expected at most {MAX_LINE_BYTES} bytes; got {n_bytes} or more; it was not read"
    return Reject(path=path, record=record, why=why, code=TOO_LONG)


def text_of(line: bytes) -> str:
    """The raw record as text, invalid UTF-8 as U+FFFD: what a rule of keywords sees (the field `_raw`)."""
    return line.decode("utf-8", "replace")

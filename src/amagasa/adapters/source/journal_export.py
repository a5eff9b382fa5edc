"""journald's export format (`journalctl -o export`, also what systemd-journal-remote keeps) -> a JSON object an entry.

An entry is lines `NAME=value`; where the value is no plain text, `NAME` alone, its length in 8 bytes (little endian),
the bytes, and a line feed; a blank line ends it. Source: systemd, "Journal Export Formats".
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import DAMAGED, BrokenSourceError, Stream
from amagasa.event.lines import MAX_LINE_BYTES, too_long
from amagasa.event.record import Chunk, Format, SourceFault

_HEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?__CURSOR=[^\n]{1,1024}\n__REALTIME_TIMESTAMP=[0-9]{1,20}\n")
_NAME: Final = re.compile(rb"[A-Za-z0-9_]{1,256}")
_CHUNK_LINES: Final = 4_096
_LENGTH_BYTES: Final = 8
_MAX_FIELDS: Final = 1_024

Entry = dict[str, Any]


def is_journal_export(head: bytes) -> bool:
    """Whether a file with this head is a journal that was exported."""
    return _HEAD.match(head) is not None


def entries_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks of entries numbered from 1; a reject for one that is too long; last the fault that broke it off."""
    lines: list[bytes] = []
    first = record = 1
    fault: SourceFault | None = None
    try:
        for entry in _Entries(stream).all():
            encoded = b"" if entry is None else msgspec.json.encode(entry)
            if entry is None or len(encoded) > MAX_LINE_BYTES:
                if lines:
                    yield _chunk(path, lines, first, read_at)
                yield too_long(path, record, MAX_LINE_BYTES)
                lines, first = [], record + 1
            else:
                lines.append(encoded)
            record += 1
            if len(lines) >= _CHUNK_LINES:
                yield _chunk(path, lines, first, read_at)
                lines, first = [], record
    except BrokenSourceError as error:
        fault = error.fault(path)
    if lines:
        yield _chunk(path, lines, first, read_at)
    if fault is not None:
        yield fault


class _Entries:
    """The entries of a stream, at most one of them held; what is longer than a record may be is passed over."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def all(self) -> Iterator[Entry | None]:
        """Each entry; None for one that is too long. Raises BrokenSourceError."""
        entry: Entry = {}
        n_bytes = 0
        while (line := self._line()) is not None:
            if not line:
                if n_bytes:
                    yield None if n_bytes > MAX_LINE_BYTES else entry
                entry, n_bytes = {}, 0
                continue
            name, equals, value = line.partition(b"=")
            if not _NAME.fullmatch(name):
                message = "an entry is not as journald writes it; what came before was read, the rest was not"
                raise BrokenSourceError(message, DAMAGED)
            if not equals:
                value = self._binary()
            n_bytes += len(name) + len(value)
            if n_bytes <= MAX_LINE_BYTES and len(entry) < _MAX_FIELDS:
                _add(entry, name.decode(), value.decode("utf-8", "backslashreplace"))
        if n_bytes:
            yield None if n_bytes > MAX_LINE_BYTES else entry

    def _line(self) -> bytes | None:
        """The next line without its end; of a longer one than a record may be only its end counts. None at the end."""
        size = 1_024
        while True:
            held = self._stream.peek(size)
            at = held.find(b"\n")
            if at >= 0:
                return self._stream.read(at + 1)[:-1]
            if len(held) < size or size > MAX_LINE_BYTES:
                line = self._stream.read(len(held)) if held else self._stream.read(1)
                return line or None
            size *= 2

    def _binary(self) -> bytes:
        size = int.from_bytes(self._stream.read(_LENGTH_BYTES), "little")
        if size > MAX_LINE_BYTES:
            message = f"a field of {size} bytes; expected at most {MAX_LINE_BYTES}; the rest was not read"
            raise BrokenSourceError(message, DAMAGED)
        value = self._stream.read(size) if size else b""
        if len(value) < size or self._stream.read(1) != b"\n":
            message = "a field is cut off; what came before was read, the rest was not"
            raise BrokenSourceError(message, DAMAGED)
        return value


def _add(entry: Entry, name: str, value: str) -> None:
    if name not in entry:
        entry[name] = value
    elif isinstance(entry[name], list):
        entry[name].append(value)
    else:
        entry[name] = [entry[name], value]


def _chunk(path: str, lines: list[bytes], first: int, read_at: datetime) -> Chunk:
    data = b"\n".join(lines) + b"\n"
    return Chunk(path=path, format=Format.JSON, first_record=first, data=data, read_at=read_at)

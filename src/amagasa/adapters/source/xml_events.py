"""Windows events as XML (`wevtutil qe /f:xml`, or Event Viewer's export) -> one JSON object a line.

The element is not parsed here: it goes whole into the field `EventData`, out of which the reader of Windows events
takes its fields. So no XML parser ever meets the input, and no entity is expanded.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from amagasa.adapters.source.lines import CHUNK_BYTES, Item
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.lines import MAX_LINE_BYTES, too_long
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.text import show

_NOT_AN_EVENT: Final = "AMG-EVENT-014"
_HEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<Events[^>]{0,200}>\s*)?<Event[\s>]")
_BETWEEN: Final = re.compile(rb"(?:\xef\xbb\xbf|\s++|<\?xml[^>]*+>|</?Events[^>]*+>)*+")
_BEGIN: Final = re.compile(rb"<Event[\s>]")
_END: Final = b"</Event>"


def is_xml(head: bytes) -> bool:
    """Whether the text is events as XML."""
    return _HEAD.match(head) is not None


def events_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks of one event a line; a reject for what is no event; last the fault where the rest cannot be read."""
    cutter = _EventCutter(path, read_at)
    fault: SourceFault | None = None
    try:
        for block in stream.blocks():
            yield from cutter.feed(block)
    except BrokenSourceError as error:
        fault = error.fault(path)
    yield from cutter.end()
    if fault is not None:
        yield fault


class _EventCutter:
    """Holds the text that has no end yet, and the lines of the chunk at hand."""

    def __init__(self, path: str, read_at: datetime) -> None:
        self._path = path
        self._read_at = read_at
        self._text = b""
        self._n_skipped = 0
        self._record = 1
        self._lines: list[bytes] = []
        self._n_bytes = 0

    def feed(self, block: bytes) -> Iterator[Chunk | Reject]:
        text = self._text + block
        start = 0
        while (end := text.find(_END, start)) >= 0:
            yield from self._take(text[start:end])
            start = end + len(_END)
        self._text = text[start:]
        if len(self._text) > MAX_LINE_BYTES:
            # Too long to keep; what may be the begin of the end stays.
            self._n_skipped += len(self._text) - len(_END)
            self._text = self._text[-len(_END) :]

    def end(self) -> Iterator[Chunk | Reject]:
        yield from self._flush()
        if self._n_skipped or not _BETWEEN.fullmatch(self._text):
            yield self._reject("the text ends inside an event", self._text)

    def _take(self, text: bytes) -> Iterator[Chunk | Reject]:
        if self._n_skipped:
            yield from self._flush()
            yield too_long(self._path, self._record, self._n_skipped + len(text))
            self._n_skipped = 0
            self._record += 1
            return
        begin = _BEGIN.search(text)
        junk = text[: begin.start()] if begin else text
        if begin is None or not _BETWEEN.fullmatch(junk):
            yield from self._flush()
            yield self._reject("not an event as XML", junk)
        if begin is not None:
            xml = (text[begin.start() :] + _END).decode("utf-8", "backslashreplace")
            self._lines.append(msgspec.json.encode({"EventData": xml}))
            self._n_bytes += len(xml)
            if self._n_bytes >= CHUNK_BYTES:
                yield from self._flush()

    def _flush(self) -> Iterator[Chunk]:
        if self._lines:
            data = b"\n".join(self._lines) + b"\n"
            yield Chunk(
                path=self._path, format=Format.WINDOWS, first_record=self._record, data=data, read_at=self._read_at
            )
            self._record += len(self._lines)
            self._lines, self._n_bytes = [], 0

    def _reject(self, why: str, text: bytes) -> Reject:
        reject = Reject(path=self._path, record=self._record, why=f"{why}; got {show(text, 120)}", code=_NOT_AN_EVENT)
        self._record += 1
        return reject

"""JSON documents -> one object a line: an array, an envelope such as CloudTrail's, or objects written over many lines.

The text is scanned for brackets and strings only, so a document of any size is cut in bounded memory; the records are
numbered by their place in the document.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from amagasa.adapters.source.lines import CHUNK_BYTES, Item
from amagasa.adapters.source.stream import BrokenSourceError, Stream
from amagasa.event.jsonline import object_of
from amagasa.event.lines import BOM, MAX_LINE_BYTES, too_long
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.event.sniff import sniff
from amagasa.vocab.text import show

_NOT_AN_OBJECT: Final = "AMG-EVENT-010"
_ARRAY: Final = re.compile(rb"\s*\[\s*(?=[{\]])")
# How cloud services wrap what they export: one object whose first key holds all records; of a list of Kubernetes, the
# one behind what it says of itself.
_ENVELOPE: Final = re.compile(
    rb'\s*\{\s*(?:"(?:kind|apiVersion|metadata)"\s*:\s*(?:"[^"\\]{0,256}"|\{[^{}]{0,2048}\})\s*,\s*){0,3}'
    rb'"(?:Records|records|value|events|Events|logEvents|items)"\s*:\s*\[\s*(?=[{\]])'
)
# A whole string, a bracket, or a string that goes on after the block.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]|"', re.DOTALL)
_BETWEEN: Final = re.compile(rb"[\s,]*")


def is_document(head: bytes) -> bool:
    """Whether the lines of a file with this head are not its records: see the module."""
    text = head.removeprefix(BOM)
    if _ARRAY.match(text) or _ENVELOPE.match(text):
        return True
    if not text.lstrip().startswith(b"{"):
        return False
    lines = [line for line in text.split(b"\n")[:64] if line.strip()]
    if len(lines) < 2:
        return False
    return not any(isinstance(object_of(line), dict) for line in lines[:-1])


def objects_of(path: str, stream: Stream, read_at: datetime, *, form: Format) -> Iterator[Item]:
    """Chunks of one object a line; a reject for what is no object; last the fault where the rest cannot be read."""
    cutter = _ObjectCutter(path, form, read_at)
    fault: SourceFault | None = None
    try:
        for block in stream.blocks():
            yield from cutter.feed(block)
    except BrokenSourceError as error:
        fault = error.fault(path)
    yield from cutter.end()
    if fault is not None:
        yield fault


class _ObjectCutter:
    """Holds the text of the object at hand, and the lines of the chunk at hand."""

    def __init__(self, path: str, form: Format, read_at: datetime) -> None:
        self._path = path
        self._form = form
        self._read_at = read_at
        self._text = b""
        self._scanned = 0
        self._depth = 0
        self._is_begun = False
        self._is_enveloped = False
        self._n_skipped = 0
        self._record = 1
        self._lines: list[bytes] = []
        self._n_bytes = 0

    def feed(self, block: bytes) -> Iterator[Chunk | Reject]:
        self._text += block
        if not self._is_begun:
            self._begin()
        yield from self._scan()
        if len(self._text) > MAX_LINE_BYTES and self._depth:
            # Too long to keep: only the brackets still count.
            keep = len(self._text) - self._scanned
            self._n_skipped += self._scanned
            self._text = self._text[self._scanned :] if keep <= MAX_LINE_BYTES else self._text[-1:]
            self._scanned = 0

    def end(self) -> Iterator[Chunk | Reject]:
        if self._depth or self._n_skipped:
            yield from self._flush()
            yield self._reject("the document ends inside an object", self._text)
        else:
            yield from self._junk(self._text)
        yield from self._flush()

    def pending(self) -> Iterator[Chunk]:
        """The whole objects held."""
        return self._flush()

    def _begin(self) -> None:
        text = self._text.removeprefix(BOM)
        opening = _ENVELOPE.match(text) or _ARRAY.match(text)
        self._is_enveloped = opening is not None
        self._text = text[opening.end() :] if opening else text
        self._is_begun = True

    def _scan(self) -> Iterator[Chunk | Reject]:
        text, start = self._text, 0
        at = self._scanned
        while (token := _TOKEN.search(text, at)) is not None:
            kind = token[0]
            if kind == b'"':
                break
            at = token.end()
            if kind in {b"{", b"["}:
                if not self._depth:
                    yield from self._junk(text[start : token.start()])
                    start = token.start()
                    # One document may follow another: each is opened like the first.
                    if self._is_enveloped and (opening := _ENVELOPE.match(text, start) or _ARRAY.match(text, start)):
                        start = at = opening.end()
                        continue
                self._depth += 1
            elif kind in {b"}", b"]"} and self._depth:
                self._depth -= 1
                if not self._depth:
                    yield from self._take(text[start:at])
                    start = at
        else:
            at = len(text)
        if token is not None:
            at = token.start()
        self._text = text[start:]
        self._scanned = at - start

    def _junk(self, between: bytes) -> Iterator[Chunk | Reject]:
        if not _BETWEEN.fullmatch(between) and not (self._is_enveloped and between.lstrip()[:1] in {b"]", b"}"}):
            yield from self._flush()
            yield self._reject("not JSON; expected an object", between)

    def _take(self, text: bytes) -> Iterator[Chunk | Reject]:
        if self._n_skipped or len(text) > MAX_LINE_BYTES:
            yield from self._flush()
            yield too_long(self._path, self._record, self._n_skipped + len(text))
            self._n_skipped = 0
            self._record += 1
            return
        self._lines.append(_one_line(text))
        self._n_bytes += len(text)
        if self._n_bytes >= CHUNK_BYTES:
            yield from self._flush()

    def _flush(self) -> Iterator[Chunk]:
        if self._lines:
            yield Chunk(
                path=self._path,
                format=self._form,
                first_record=self._record,
                data=b"\n".join(self._lines) + b"\n",
                read_at=self._read_at,
            )
            self._record += len(self._lines)
            self._lines, self._n_bytes = [], 0

    def _reject(self, why: str, text: bytes) -> Reject:
        reject = Reject(path=self._path, record=self._record, why=f"{why}; got {show(text, 120)}", code=_NOT_AN_OBJECT)
        self._record += 1
        return reject


def _one_line(text: bytes) -> bytes:
    try:
        return msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        # Outside strings a line end is white space; inside it is no JSON, and the reader of the line says so.
        return text.replace(b"\r", b" ").replace(b"\n", b" ")


def format_of_document(head: bytes, name: str) -> Format:
    """Format of the objects in a document, by those which its head holds whole, else by the text of the first."""
    cutter = _ObjectCutter(name, Format.JSON, datetime.min.replace(tzinfo=UTC))
    chunks = [item for item in cutter.feed(head) if isinstance(item, Chunk)]
    chunks.extend(cutter.pending())
    lines = b"".join(chunk.data for chunk in chunks) or head.replace(b"\n", b" ").replace(b"\r", b" ").lstrip(b" [")
    return sniff(lines, name) or Format.JSON

"""Layer after layer off one file until records are left: packings, archives, event logs, documents, lines.

All is told by content. Members of an archive are named `archive!member`; one that cannot be read costs the others
nothing.
"""

import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import IO, Final, cast

from msgspec import Struct

from amagasa.adapters.source import evtx_file
from amagasa.adapters.source.documents import format_of_document, is_document, objects_of
from amagasa.adapters.source.flow_file import flows_of, is_flows
from amagasa.adapters.source.journal_export import entries_of, is_journal_export
from amagasa.adapters.source.lines import Item, chunks_of
from amagasa.adapters.source.packets import is_capture
from amagasa.adapters.source.stream import (
    BLOCK_BYTES,
    DAMAGED,
    MEMBER,
    NESTED,
    UNKNOWN,
    UNREADABLE,
    BrokenSourceError,
    Budget,
    Stream,
)
from amagasa.adapters.source.table_file import is_table, rows_of
from amagasa.adapters.source.tshark import messages_of
from amagasa.adapters.source.unpack import layer_of
from amagasa.adapters.source.xml_events import events_of, is_xml
from amagasa.event.record import Format, SourceFault
from amagasa.event.sniff import sniff
from amagasa.vocab.text import show

# A packed archive inside an archive is usual; deeper nesting is a bomb.
MAX_LAYERS: Final = 6
MAX_MEMBERS: Final = 100_000
HEAD_BYTES: Final = 65_536
# What needs seeking and comes out of a packing is kept in memory up to here, in a temporary file beyond.
_IN_MEMORY_BYTES: Final = 16_777_216
_NAME_CHARACTERS: Final = 512
# A line of these says the same whichever lines stand around it.
_LINES_ALONE: Final = frozenset({Format.WINDOWS, Format.ACCESS, Format.JSON})
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_READ_ERRORS: Final = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_Seeking = Callable[[str, IO[bytes], int], Iterator[Item]]


class Reader(Struct, frozen=True, kw_only=True):
    """How one file is read: `form` is the format that the caller insists on, None to tell it by content."""

    budget: Budget
    form: Format | None
    read_at: datetime

    def read(self, path: str, stream: Stream, file: IO[bytes] | None = None, depth: int = 0) -> Iterator[Item]:
        """All records of `stream`. `file` is the seekable file behind it where there is one, nothing unpacked yet."""
        head = stream.peek(HEAD_BYTES)
        if depth >= MAX_LAYERS:
            yield SourceFault(path=path, why="packed into itself too often; it was not unpacked", code=NESTED)
        elif (layer := layer_of(head)) is not None:
            yield from self.read(path, Stream(layer(stream, self.budget)), None, depth + 1)
        elif head.startswith(_ZIP):
            yield from self._seeking(path, stream, file, partial(self._zip, depth))
        elif head.startswith(evtx_file.MAGIC):
            yield from self._seeking(path, stream, file, self._evtx)
        elif is_capture(head):
            yield from messages_of(path, stream, self.read_at)
        elif head[257:262] == b"ustar":
            yield from self._tar(path, stream, depth)
        else:
            yield from self._records(path, stream, head)

    def line_format(self, path: str, head: bytes) -> Format | None:
        """The format of a plain file with this head, each line of which is a record by itself; None for any other."""
        is_wrapped = head.startswith((*_ZIP, evtx_file.MAGIC)) or head[257:262] == b"ustar"
        if is_wrapped or layer_of(head) is not None or is_capture(head) or self._own_reader(path, head) is not None:
            return None
        found = self.form or sniff(head, path)
        return found if found in _LINES_ALONE else None

    def _own_reader(self, path: str, head: bytes) -> Callable[[str, Stream, datetime], Iterator[Item]] | None:
        """What reads records that are not simply lines; None where they are."""
        if self.form in {None, Format.JSON, Format.WINDOWS} and is_document(head):
            return partial(objects_of, form=self.form or format_of_document(head, path))
        if self.form in {None, Format.WINDOWS} and is_xml(head):
            return events_of
        if self.form in {None, Format.JSON} and is_journal_export(head):
            return entries_of
        if self.form is None and is_flows(head):
            return flows_of
        return rows_of if self.form is None and is_table(head) else None

    def _records(self, path: str, stream: Stream, head: bytes) -> Iterator[Item]:
        own = self._own_reader(path, head)
        if own is not None:
            yield from own(path, stream, self.read_at)
            return
        found = self.form or sniff(head, path)
        if found is not None or not head.strip():
            # Of an empty file any format gives the same: nothing, or the fault that cut it.
            yield from chunks_of(path, found or Format.JSON, stream.blocks(), self.read_at)
            return
        kind = "binary data" if b"\0" in head else "text"
        why = (
            "it could not be told what kind of records these are; expected Windows events, an access log, syslog, "
            f"JSON lines or a capture; got {kind} that begins with {show(head[:64], 80)}; name it with --format if "
            "it is one of them"
        )
        yield SourceFault(path=path, why=why, code=UNKNOWN)

    def _seeking(self, path: str, stream: Stream, file: IO[bytes] | None, read: _Seeking) -> Iterator[Item]:
        if file is not None:
            yield from read(path, file, os.fstat(file.fileno()).st_size)
            return
        fault: SourceFault | None = None
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spooled:
            n_bytes = 0
            try:
                for block in stream.blocks():
                    n_bytes += spooled.write(block)
            except BrokenSourceError as error:
                fault = error.fault(path)
            except OSError as error:
                fault = SourceFault(path=path, why=f"no room to unpack it: {error.strerror}", code=UNREADABLE)
            yield from read(path, spooled, n_bytes)
        if fault is not None:
            yield fault

    def _evtx(self, path: str, file: IO[bytes], n_bytes: int) -> Iterator[Item]:
        return evtx_file.records_of(path, file, n_bytes, self.read_at)

    def _zip(self, depth: int, path: str, file: IO[bytes], _n_bytes: int) -> Iterator[Item]:
        file.seek(0)
        try:
            archive = zipfile.ZipFile(file)
        except (*_READ_ERRORS, NotImplementedError) as error:
            yield SourceFault(path=path, why=f"the zip archive is damaged ({show(str(error))})", code=DAMAGED)
            return
        with archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            for info in members[:MAX_MEMBERS]:
                yield from self._zip_member(f"{path}!{show(info.filename, _NAME_CHARACTERS)}", archive, info, depth)
        if len(members) > MAX_MEMBERS:
            yield _too_many(path)

    def _zip_member(self, name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo, depth: int) -> Iterator[Item]:
        if info.flag_bits & 1:
            yield SourceFault(path=name, why="the member is encrypted; it was not read", code=MEMBER)
            return
        if stat.S_ISLNK(info.external_attr >> 16):
            yield _not_a_file(name)
            return
        try:
            member = archive.open(info)
        except (*_READ_ERRORS, NotImplementedError, RuntimeError) as error:
            yield SourceFault(path=name, why=f"the member cannot be read ({show(str(error))})", code=MEMBER)
            return
        with member:
            yield from self.read(name, Stream(self._member_blocks(member)), None, depth + 1)

    def _tar(self, path: str, stream: Stream, depth: int) -> Iterator[Item]:
        n_members = 0
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", _TarBytes(stream)), mode="r|") as archive:
                for info in archive:
                    n_members += 1
                    if n_members > MAX_MEMBERS:
                        yield _too_many(path)
                        return
                    name = f"{path}!{show(info.name, _NAME_CHARACTERS)}"
                    member = archive.extractfile(info) if info.isfile() else None
                    if member is not None:
                        yield from self.read(name, Stream(self._member_blocks(member)), None, depth + 1)
                    elif not info.isdir():
                        yield _not_a_file(name)
        except BrokenSourceError as error:
            yield error.fault(path)
        except (*_READ_ERRORS, tarfile.TarError) as error:
            why = f"the tar archive is damaged ({show(str(error))}); what came before was read, the rest was not"
            yield SourceFault(path=path, why=why, code=DAMAGED)

    def _member_blocks(self, member: IO[bytes]) -> Iterator[bytes]:
        while True:
            try:
                block = member.read(BLOCK_BYTES)
            except (*_READ_ERRORS, tarfile.TarError) as error:
                why = f"the member is damaged ({show(str(error))}); what came before was read, the rest was not"
                raise BrokenSourceError(why, DAMAGED) from None
            if not block:
                return
            self.budget.take_unpacked(len(block))
            yield block


class _TarBytes:
    """What tarfile needs of a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, n_bytes: int) -> bytes:
        return self._stream.read(n_bytes)


def _too_many(path: str) -> SourceFault:
    why = f"the archive has more than {MAX_MEMBERS} members; the rest was not read"
    return SourceFault(path=path, why=why, code=MEMBER)


def _not_a_file(name: str) -> SourceFault:
    return SourceFault(path=name, why="the member is a link or no file; it was not followed", code=MEMBER)

"""The file of rejects of each source: one line each, readable by a person, in parts of bounded size under a quota.

A line is a checksum (CRC-32, hex), a space and a JSON object. What was added counts once the head behind it is
committed with the position of the source: at the next start what is behind the committed head is cut off, since it
will be read, and rejected, again. Parts before the start of a committed head are removed.
"""

import base64
import binascii
import os
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from amagasa.app.reject_ports import Found, Mark, Rejected, RejectHead
from amagasa.event.record import Format
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import folder_name

PART_BYTES: Final = 8 * 1_048_576
NAME_FILE: Final = "source"
_CRC_DIGITS: Final = 8


def path_of(folder: Path, part: int) -> Path:
    """The file of a part."""
    return folder / f"{part:08d}.rejects"


class RejectWriter:
    """Keeps the rejects of one source, from its committed head on. One writer a source: the process that reads it.

    Where it cannot write (no room, no right) rejects are counted as not kept, and reading goes on.
    """

    def __init__(self, root: Path, source: str, head: RejectHead, *, quota_bytes: int) -> None:
        self._folder = root / folder_name(source)
        self._source = source
        self._quota_bytes = quota_bytes
        self._file = -1
        self._head = head
        self.fault = ""
        if head != RejectHead():
            self._recover()

    @property
    def head(self) -> RejectHead:
        """To be committed with the position."""
        return self._head

    def add(self, rejected: Sequence[Rejected]) -> None:
        """Keep them, on the disk when this returns; the oldest part goes where there is no room for them."""
        lines = b"".join(_line_of(one) for one in rejected if one.raw)
        n_kept = sum(bool(one.raw) for one in rejected)
        n_unkept = len(rejected) - n_kept
        if lines:
            try:
                self._write(lines)
                self.fault = ""
            except OSError as problem:
                self._close()
                self.fault = f"rejects cannot be kept: {problem.strerror}: {self._folder} [AMG-REJECTS-WRITE]"
                n_kept, n_unkept = 0, len(rejected)
        head = self._head
        self._head = replace(head, n_kept=head.n_kept + n_kept, n_unkept=head.n_unkept + n_unkept)
        self._keep_to_quota()

    def feed_again(self) -> None:
        """From now on all that is kept is to be fed again, once."""
        if self._head.start < self._head.end:
            self._head = replace(self._head, until=self._head.end)

    def next(self, max_bytes: int) -> tuple[Rejected, ...]:
        """The next rejects that are to be fed again; they are taken out. `until` is None behind the last.

        Where they cannot be read now, feeding ends: they stay, and the fault says why.
        """
        head = self._head
        if head.until is None:
            return ()
        try:
            found = read_part(self._folder, head.start, head.until, max_bytes=max_bytes)
        except WorldError as problem:
            self.fault, self._head = str(problem), replace(head, until=None)
            return ()
        n_out = min(head.n_kept, len(found.rejected) + found.n_damaged)
        is_last = found.behind >= head.until
        if is_last and head.until == head.end and n_out < head.n_kept:
            n_out = head.n_kept  # parts that are gone: what they held cannot be read back
        n_damaged = n_out - len(found.rejected)
        self._head = replace(
            head,
            start=found.behind,
            until=None if is_last else head.until,
            n_kept=head.n_kept - n_out,
            n_damaged=head.n_damaged + max(0, n_damaged),
        )
        return found.rejected

    def mended(self, n: int) -> None:
        """So many of those that were fed again could be read."""
        self._head = replace(self._head, n_mended=self._head.n_mended + n)

    def settled(self, head: RejectHead) -> None:
        """This head is committed: parts before it go."""
        for path in self._folder.glob("*.rejects"):
            if _number_of(path) < head.start.part:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing more is kept."""
        self._close()

    def _write(self, lines: bytes) -> None:
        end = self._head.end
        if end.offset >= PART_BYTES:
            self._close()
            end = Mark(part=end.part + 1)
        if self._file < 0:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._folder / NAME_FILE).write_text(self._source, encoding="utf-8")
            flags = os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC
            self._file = os.open(path_of(self._folder, end.part), flags, 0o600)
        written = os.pwrite(self._file, lines, end.offset)
        while written < len(lines):
            written += os.pwrite(self._file, lines[written:], end.offset + written)
        os.fsync(self._file)
        self._head = replace(self._head, end=Mark(part=end.part, offset=end.offset + len(lines)))

    def _keep_to_quota(self) -> None:
        head = self._head
        least = max(1, self._quota_bytes // PART_BYTES)
        while head.end.part - head.start.part >= least:
            following = Mark(part=head.start.part + 1)
            try:
                gone = read_part(self._folder, head.start, following, max_bytes=4 * PART_BYTES)
                n_gone = len(gone.rejected) + gone.n_damaged
            except WorldError:
                n_gone = 0
            until = head.until if head.until is None or head.until > following else None
            n_gone = min(n_gone, head.n_kept)
            n_kept, n_let_go = head.n_kept - n_gone, head.n_let_go + n_gone
            head = replace(head, start=following, until=until, n_kept=n_kept, n_let_go=n_let_go)
        self._head = head

    def _recover(self) -> None:
        """Cut off what was not committed; where the file is shorter than was committed, go on in a part of its own."""
        end = self._head.end
        try:
            for path in self._folder.glob("*.rejects"):
                if _number_of(path) > end.part:
                    path.unlink()
            path = path_of(self._folder, end.part)
            size = path.stat().st_size if path.exists() else 0
            if size > end.offset:
                os.truncate(path, end.offset)
            elif size < end.offset:
                self._head = replace(self._head, end=Mark(part=end.part + 1))
        except OSError as problem:
            self.fault = f"rejects cannot be kept: {problem.strerror}: {self._folder} [AMG-REJECTS-WRITE]"
        self.settled(self._head)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class FolderRejects:
    """`app.reject_ports.RejectFiles`: reads what writers of other processes keep."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, source: str, start: Mark, end: Mark, *, max_bytes: int, limit: int) -> Found:
        """From `start` on. Raises WorldError (AMG-REJECTS-READ)."""
        return read_part(self._root / folder_name(source), start, end, max_bytes=max_bytes, limit=limit)


def read_part(folder: Path, start: Mark, end: Mark, *, max_bytes: int, limit: int | None = None) -> Found:
    """Whole rejects of one part, or the start of the next part where nothing more is in this.

    Raises WorldError (AMG-REJECTS-READ) where a file is there and cannot be read; one that is not there holds nothing.
    """
    is_last = start.part >= end.part
    n_bytes = end.offset - start.offset if is_last else None
    try:
        data = _lines_of(path_of(folder, start.part), start.offset, max_bytes)[:n_bytes]
    except OSError as problem:
        raise WorldError(
            "AMG-REJECTS-READ",
            "kept rejects cannot be read",
            expected="files which the user who runs the node can read",
            got=f"{path_of(folder, start.part)}: {problem.strerror}",
            then="they stay; try again once it is mended",
        ) from None
    whole = data[: data.rfind(b"\n") + 1]
    if not whole:
        n_damaged = int(bool(data))
        return Found(rejected=(), behind=end if is_last else Mark(part=start.part + 1), n_damaged=n_damaged)
    lines = whole[:-1].split(b"\n")[:limit]
    read = [_rejected_of(line) for line in lines]
    rejected = tuple(one for one in read if one is not None)
    behind = Mark(part=start.part, offset=start.offset + sum(map(len, lines)) + len(lines))
    return Found(rejected=rejected, behind=behind, n_damaged=len(read) - len(rejected))


def _lines_of(path: Path, offset: int, max_bytes: int) -> bytes:
    """What follows, to the end of the line in which `max_bytes` are reached."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(max_bytes) + file.readline()
    except FileNotFoundError:
        return b""


def _number_of(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _line_of(one: Rejected) -> bytes:
    body: dict[str, Any] = {
        "read_at": one.read_at,
        "path": _plain(one.path),
        "record": one.record,
        "why": _plain(one.why),
        "code": one.code,
        "form": one.form,
    }
    try:
        body["raw"] = one.raw.decode("utf-8")
    except UnicodeDecodeError:
        body["raw_base64"] = base64.b64encode(one.raw).decode("ascii")
    packed = msgspec.json.encode(body)
    return f"{zlib.crc32(packed):08x} ".encode() + packed + b"\n"


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    read_at: datetime
    path: str
    record: int
    why: str
    code: str
    form: Format
    raw: str | None = None
    raw_base64: str = ""


def _rejected_of(line: bytes) -> Rejected | None:
    """None for a damaged line."""
    packed = line[_CRC_DIGITS + 1 :]
    if line[: _CRC_DIGITS + 1] != f"{zlib.crc32(packed):08x} ".encode():
        return None
    try:
        read = msgspec.json.decode(packed, type=_Line)
        raw = base64.b64decode(read.raw_base64, validate=True) if read.raw is None else read.raw.encode()
    except (msgspec.MsgspecError, binascii.Error, UnicodeError):
        return None
    return Rejected(
        path=read.path,
        record=read.record,
        why=read.why,
        code=read.code,
        read_at=read.read_at,
        form=read.form,
        raw=raw,
    )

"""Where records come from when no node runs: a file, a folder or the standard input, plain or packed.

Whatever cannot be looked at is a `SourceFault` with its path, in its place among the chunks; nothing is raised, and
nothing else is lost.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Final

from amagasa.adapters.source.layers import Reader
from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import (
    BLOCK_BYTES,
    FORBIDDEN,
    LOOP,
    MISSING,
    SPECIAL,
    UNREADABLE,
    BrokenSourceError,
    Budget,
    Stream,
)
from amagasa.event.record import Format, SourceFault
from amagasa.vocab.text import show

STANDARD_INPUT: Final = "-"
MAX_FOLDERS_DEEP: Final = 64
_PATH_CHARACTERS: Final = 4_096
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_streams(
    path: str | Path, form: Format | None = None, *, stdin: IO[bytes] | None = None
) -> Iterator[Iterator[Item]]:
    """What can be read at `path` (`-`: standard input), file by file: a stream of records for each, opened when begun.

    A folder is read whole, in the order of the names, links followed. `form` overrides what the content looks like,
    except for EVTX. Plain, gzip, Zstandard, bzip2, xz, zip and tar, one inside another; EVTX; JSON documents; UTF-16
    with a byte order mark. A member of an archive has the path `archive!member`; records are numbered from 1 in each.
    Streams hold chunks of about 1 MiB, with rejects and faults between them. Faults carry the codes AMG-SOURCE-001 to
    -010. Never raises for what the world holds.
    """
    if str(path) == STANDARD_INPUT:
        yield _stream(stdin or sys.stdin.buffer, form)
    else:
        yield from _walk(str(path), form, ())


def open_records(path: str | Path, form: Format | None = None, *, stdin: IO[bytes] | None = None) -> Iterator[Item]:
    """The records of all streams of `path`, one after another."""
    return chain.from_iterable(open_streams(path, form, stdin=stdin))


def world_fault(path: str, error: OSError | ValueError) -> SourceFault:
    """The fault for what the operating system said about `path`."""
    shown = show(path, _PATH_CHARACTERS)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceFault(path=shown, why="there is no such file or folder", code=MISSING)
    if isinstance(error, IsADirectoryError):
        return SourceFault(path=shown, why="not a file; expected a file; got a folder, pipe or device", code=SPECIAL)
    if isinstance(error, PermissionError):
        why = "it may not be read; expected permission to read it for the user who runs this"
        return SourceFault(path=shown, why=why, code=FORBIDDEN)
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceFault(path=shown, why="the link leads back to itself", code=LOOP)
    said = error.strerror if isinstance(error, OSError) else str(error)
    return SourceFault(path=shown, why=f"it could not be read: {show(str(said))}", code=UNREADABLE)


def special_fault(path: str, mode: int) -> SourceFault:
    """The fault for what is neither file nor folder: reading it could wait for ever, or never end."""
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    why = f"not a file; expected a file or a folder; got {kind}; use - to read a stream"
    return SourceFault(path=show(path, _PATH_CHARACTERS), why=why, code=SPECIAL)


def _stream(stdin: IO[bytes], form: Format | None) -> Iterator[Item]:
    budget = Budget()
    reader = Reader(budget=budget, form=form, read_at=datetime.now(UTC))
    yield from reader.read(STANDARD_INPUT, Stream(_blocks(stdin, budget)))


def _walk(path: str, form: Format | None, above: tuple[tuple[int, int], ...]) -> Iterator[Iterator[Item]]:
    try:
        status = Path(path).stat()
        here = (status.st_dev, status.st_ino)
        names: list[str] = []
        if stat.S_ISDIR(status.st_mode) and here not in above and len(above) < MAX_FOLDERS_DEEP:
            with os.scandir(path) as entries:
                names = sorted(entry.name for entry in entries)
    except (OSError, ValueError) as error:
        yield iter((world_fault(path, error),))
        return
    if stat.S_ISREG(status.st_mode):
        yield _file(path, form)
    elif not stat.S_ISDIR(status.st_mode):
        yield iter((special_fault(path, status.st_mode),))
    elif here in above or len(above) >= MAX_FOLDERS_DEEP:
        why = "the folder leads back into itself, or too deep; it was not entered"
        yield iter((SourceFault(path=show(path, _PATH_CHARACTERS), why=why, code=LOOP),))
    for name in names:
        yield from _walk(str(Path(path) / name), form, (*above, here))


def _file(path: str, form: Format | None) -> Iterator[Item]:
    try:
        # What was a file a moment ago may be a pipe now: opening must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        yield world_fault(path, error)
        return
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            yield special_fault(path, mode)
            return
        budget = Budget()
        reader = Reader(budget=budget, form=form, read_at=datetime.now(UTC))
        yield from reader.read(show(path, _PATH_CHARACTERS), Stream(_blocks(file, budget)), file)


def _blocks(file: IO[bytes], budget: Budget) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise BrokenSourceError(f"reading failed: {error.strerror or error}", UNREADABLE) from None
        if not block:
            return
        budget.take_packed(len(block))
        yield block

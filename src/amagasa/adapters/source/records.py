"""Where records come from when no node runs: a file, a folder or the standard input, plain or packed.

Whatever cannot be looked at is a `SourceFault` with its path, in its place among the chunks; nothing is raised, and
nothing else is lost.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Final

from msgspec.structs import replace

from amagasa.adapters.source.faults import PATH_CHARACTERS, special_fault, world_fault
from amagasa.adapters.source.file_stream import FileStream, blocks_of, mapped
from amagasa.adapters.source.layers import Reader
from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.stream import LOOP, Budget, Stream
from amagasa.event.mapped import format_of
from amagasa.event.mapping import LogMapping
from amagasa.event.record import Format, SourceFault
from amagasa.vocab.text import show

STANDARD_INPUT: Final = "-"
MAX_FOLDERS_DEEP: Final = 64


def open_streams(
    path: str | Path,
    form: Format | None = None,
    *,
    mapping: LogMapping | None = None,
    stdin: IO[bytes] | None = None,
) -> Iterator[Iterable[Item]]:
    """What can be read at `path` (`-`: standard input), file by file: a stream of records for each, opened when begun.

    A folder is read whole, in the order of the names, links followed. `form` overrides what the content looks like,
    except for EVTX. Plain, gzip, Zstandard, bzip2, xz, zip and tar, one inside another; EVTX; JSON documents; UTF-16
    with a byte order mark. A member of an archive has the path `archive!member`; records are numbered from 1 in each.
    Streams hold chunks of about 1 MiB, with rejects and faults between them. Faults carry the codes AMG-SOURCE-001 to
    -010. Never raises for what the world holds. Lines are read by `mapping` where there is one.
    """
    if mapping is not None:
        form = format_of(mapping)
    if str(path) == STANDARD_INPUT:
        yield mapped(_stream(stdin or sys.stdin.buffer, form), mapping)
    else:
        yield from _walk(FileStream(path=str(path), form=form, mapping=mapping), ())


def open_records(path: str | Path, form: Format | None = None, *, stdin: IO[bytes] | None = None) -> Iterator[Item]:
    """The records of all streams of `path`, one after another."""
    return chain.from_iterable(open_streams(path, form, stdin=stdin))


def _stream(stdin: IO[bytes], form: Format | None) -> Iterator[Item]:
    budget = Budget()
    reader = Reader(budget=budget, form=form, read_at=datetime.now(UTC))
    yield from reader.read(STANDARD_INPUT, Stream(blocks_of(stdin, budget)))


def _walk(stream: FileStream, above: tuple[tuple[int, int], ...]) -> Iterator[Iterable[Item]]:
    path = stream.path
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
        yield stream
    elif not stat.S_ISDIR(status.st_mode):
        yield iter((special_fault(path, status.st_mode),))
    elif here in above or len(above) >= MAX_FOLDERS_DEEP:
        why = "the folder leads back into itself, or too deep; it was not entered"
        yield iter((SourceFault(path=show(path, PATH_CHARACTERS), why=why, code=LOOP),))
    for name in names:
        yield from _walk(replace(stream, path=str(Path(path) / name)), (*above, here))

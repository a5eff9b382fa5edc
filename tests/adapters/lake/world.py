"""A lake of one source, with what its store has committed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from amagasa.adapters.lake.reader import FolderLake
from amagasa.adapters.lake.writer import Packer, SourceWriter
from amagasa.app.lake_ports import Kept, LakeHead, LakePart
from amagasa.event.record import Chunk, Format

START = datetime(2026, 5, 1, tzinfo=UTC)
SOURCE = "web / 東京"


def chunk_of(lines: list[bytes], first: int = 1, *, at: datetime = START, form: Format = Format.SYSLOG) -> Chunk:
    data = b"".join(line + b"\n" for line in lines)
    return Chunk(path="/var/log/a", format=form, first_record=first, data=data, read_at=at)


class World:
    """`commit` is what the store does; `crash` forgets what it did not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.committed: LakeHead | None = None
        self.packer = Packer()
        self.now = START
        self.n = 0
        self.writer = self.open()

    def open(self) -> SourceWriter:
        return SourceWriter(self.folder, SOURCE, self.committed, self.packer, now=self.now)

    def write(self, n: int = 1, *, width: int = 20, word: bytes = b"line") -> None:
        lines = [b"%s %d %s" % (word, self.n + at, b"x" * width) for at in range(n)]
        self.writer.add(chunk_of(lines, self.n + 1, at=self.now))
        self.n += n

    def wait(self, **passed: float) -> None:
        self.now += timedelta(**passed)
        self.writer.rest(self.now)
        self.packer.drain()
        self.writer.rest(self.now)

    def commit(self) -> None:
        self.committed = self.writer.head()

    def crash(self) -> None:
        self.writer.close()
        self.packer.close()
        self.packer = Packer()
        self.writer = self.open()

    @property
    def lake(self) -> FolderLake:
        return FolderLake(self.folder, lambda: {} if self.committed is None else {SOURCE: self.committed})

    def parts(self, since: datetime | None = None) -> list[LakePart]:
        return list(self.lake.records(SOURCE, since))

    def lines(self) -> list[bytes]:
        return list(lines_of(self.parts()))


def lines_of(parts: list[LakePart]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, Kept):
            for chunk in part.chunks:
                yield from chunk.data.splitlines()

"""The lakes of all sources that one process reads."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from amagasa.adapters.lake.retention import let_go
from amagasa.adapters.lake.writer import NotKept, Packer, SourceWriter
from amagasa.app.lake_ports import LakeHead
from amagasa.event.record import Chunk
from amagasa.vocab.errors import WorldError

SYNC_EVERY: Final = timedelta(seconds=1)
LET_GO_EVERY: Final = timedelta(minutes=1)


class Keeping:
    """Keeps what is read. `heads` are the committed ones. Where a lake cannot be opened it is noted what it lacks.

    `quota_bytes` and `keep` are of each source.
    """

    def __init__(
        self, folder: Path, heads: Mapping[str, LakeHead | None], *, quota_bytes: int, keep: timedelta, now: datetime
    ) -> None:
        self._packer = Packer()
        self._quota_bytes = quota_bytes
        self._keep = keep
        self._synced_at = now
        self._let_go_at = now - LET_GO_EVERY
        self._writers = {source: self._opened(folder, source, head, now) for source, head in heads.items()}

    def _opened(self, folder: Path, source: str, head: LakeHead | None, now: datetime) -> SourceWriter | NotKept:
        try:
            return SourceWriter(folder, source, head, self._packer, now=now)
        except WorldError as problem:
            return NotKept(head, str(problem))

    def add(self, source: str, chunk: Chunk) -> LakeHead:
        """Keep it; how far the lake goes now."""
        writer = self._writers[source]
        writer.add(chunk)
        return writer.head()

    def head(self, source: str) -> LakeHead:
        """How far it goes."""
        return self._writers[source].head()

    def settled(self, source: str, head: LakeHead) -> None:
        """This head is committed."""
        self._writers[source].settled(head)

    def rest(self, now: datetime) -> tuple[str, ...]:
        """Between chunks: pack, let go, have the disk keep. The sources whose head is to be committed again.

        What the disk refuses is tried again the next time.
        """
        changed = tuple(source for source, writer in self._writers.items() if writer.rest(now))
        try:
            if now - self._synced_at >= SYNC_EVERY:
                self._synced_at = now
                for writer in self._writers.values():
                    writer.sync()
            if now - self._let_go_at >= LET_GO_EVERY:
                self._let_go_at = now
                self._let_go(now)
        except OSError:
            return changed
        return changed

    def _let_go(self, now: datetime) -> None:
        for writer in self._writers.values():
            last = writer.head().segment
            if writer.folder is not None:
                let_go(writer.folder, keep=self._keep, quota_bytes=self._quota_bytes, last=last, now=now)

    def finish(self, now: datetime) -> tuple[str, ...]:
        """Pack all that is there; the sources whose head is to be committed a last time."""
        moved: list[str] = []
        for source, writer in self._writers.items():
            before = writer.head()
            writer.finish(now)
            if writer.head() != before:
                moved.append(source)
        return tuple(moved)

    def close(self) -> None:
        """End; what is not packed stays in tails."""
        for writer in self._writers.values():
            writer.close()
        self._packer.close()

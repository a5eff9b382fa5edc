"""What the worker does for rejects: it keeps their bytes, and feeds them again when it is asked to."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from amagasa.app.path import Seen
from amagasa.app.reject_ports import REJECTS, Rejected, RejectHead, reject_head_in
from amagasa.app.worker_messages import Batch, Begin, SourceSpec
from amagasa.entry.wiring_lake import RejectWriter, reject_writer_of
from amagasa.event.mapped import format_of
from amagasa.event.record import Chunk, Format, Reject

_AUTO: Final = "auto"


class RejectDesk:
    """Nothing is kept where the node was given no folder for it."""

    def __init__(self, begin: Begin) -> None:
        self._heads = {spec.name: reject_head_in(spec.token) for spec in begin.sources}
        self._specs = {spec.name: spec for spec in begin.sources}
        self._writers: dict[str, RejectWriter] = {}
        self._chunk_bytes = begin.chunk_bytes
        self._sent: deque[tuple[str, RejectHead]] = deque()
        self._told: dict[str, str] = {}
        if begin.rejects is not None:
            self._writers = {name: reject_writer_of(begin.rejects, name, head) for name, head in self._heads.items()}

    def keep(self, source: str, item: Chunk | Reject, rejects: Sequence[Reject]) -> None:
        """Keep what could not be read of an item, each with its bytes as far as they are there."""
        writer = self._writers.get(source)
        if writer is not None and rejects and isinstance(item, Chunk):
            writer.add(_with_bytes(item, rejects))

    def dressed(self, batch: Batch) -> Batch:
        """The batch with how far the rejects of its source go, as of now."""
        writer = self._writers.get(batch.source)
        head = self._heads[batch.source] if writer is None else writer.head
        if head == RejectHead():
            return batch
        return replace(batch, token=batch.token | {REJECTS: msgspec.to_builtins(head)})

    def sent(self, batch: Batch) -> None:
        """It is on its way to be committed."""
        self._sent.append((batch.source, reject_head_in(batch.token)))

    def acknowledged(self, n: int) -> None:
        """So many batches more are committed."""
        for _ in range(min(n, len(self._sent))):
            source, head = self._sent.popleft()
            before, self._heads[source] = self._heads.get(source), head
            if source in self._writers and before is not None and before.start.part != head.start.part:
                self._writers[source].settled(head)

    def ask(self, source: str) -> bool:
        """Feed what is kept of this source again; whether there is anything."""
        writer = self._writers.get(source)
        if writer is not None:
            writer.feed_again()
        return source in self.asked()

    def asked(self) -> tuple[str, ...]:
        """Sources of which rejects are to be fed again."""
        return tuple(name for name, writer in self._writers.items() if writer.head.until is not None)

    def next(self, source: str) -> tuple[tuple[Rejected, ...], list[Chunk]]:
        """The next rejects to feed again, and the chunks which they make; they count as fed."""
        rejected = self._writers[source].next(self._chunk_bytes)
        return rejected, list(_chunks(rejected, self._specs[source]))

    def fed(self, source: str, rejected: Sequence[Rejected], seen: Sequence[Seen]) -> tuple[int, tuple[Reject, ...]]:
        """Keep anew what could not be read this time either: (how many could, those that could not)."""
        again = {one.record: one for some in seen for one in some.rejects}
        kept = [
            replace(one, why=again[one.record].why, code=again[one.record].code)
            for one in rejected
            if one.record in again
        ]
        writer = self._writers[source]
        writer.add(kept)
        writer.mended(len(rejected) - len(kept))
        return len(rejected) - len(kept), tuple(again.values())

    def faults(self) -> list[str]:
        """What could not be kept, once for each time that it begins."""
        new = [(name, one.fault) for name, one in self._writers.items() if one.fault != self._told.get(name, "")]
        self._told |= dict(new)
        return [f"source {name}: {fault}" for name, fault in new if fault]

    def close(self) -> None:
        """Nothing more is kept."""
        for writer in self._writers.values():
            writer.close()


def _with_bytes(chunk: Chunk, rejects: Sequence[Reject]) -> list[Rejected]:
    lines = chunk.data.split(b"\n")
    if chunk.numbers is None:
        at = {one.record: one.record - chunk.first_record for one in rejects}
    else:
        at = {number: index for index, number in enumerate(chunk.numbers)}
    return [
        Rejected(
            path=one.path,
            record=one.record,
            why=one.why,
            code=one.code,
            read_at=chunk.read_at,
            form=chunk.format,
            raw=lines[at[one.record]] if 0 <= at.get(one.record, -1) < len(lines) else b"",
        )
        for one in rejects
    ]


def _chunks(rejected: Sequence[Rejected], spec: SourceSpec) -> list[Chunk]:
    """Records which were read together, as one chunk; in the format which the settings name now, if they name one."""
    form = None if spec.format == _AUTO else Format(spec.format)
    if spec.mapping is not None:
        form = format_of(spec.mapping)
    return [
        Chunk(
            path=path,
            format=form or kept_form,
            first_record=records[0].record,
            data=b"".join(one.raw + b"\n" for one in records),
            read_at=read_at,
            numbers=tuple(one.record for one in records),
            mapping=spec.mapping,
        )
        for (path, kept_form, read_at), group in groupby(rejected, key=_together)
        for records in [list(group)]
    ]


def _together(one: Rejected) -> tuple[str, Format, Any]:
    return one.path, one.form, one.read_at

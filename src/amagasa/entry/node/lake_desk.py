"""What the worker does for the lake: it keeps each chunk, and the head of the lake goes with the source's position."""

from collections import deque
from datetime import datetime
from typing import Any

import msgspec

from amagasa.app.lake_ports import LAKE, LakeHead, head_in
from amagasa.app.reject_ports import REJECTS
from amagasa.app.worker_messages import Batch, Begin
from amagasa.entry.wiring_lake import Keeping, keeping_of
from amagasa.event.record import Chunk


def bare(token: dict[str, Any] | None) -> dict[str, Any] | None:
    """The part of a token that is the source's own; None where there is none."""
    return {key: value for key, value in (token or {}).items() if key not in {LAKE, REJECTS}} or None


class LakeDesk:
    """Nothing is kept where the node has no lake; heads that were committed before then stay as they are."""

    def __init__(self, begin: Begin, *, now: datetime) -> None:
        self._heads = {spec.name: head_in(spec.token) for spec in begin.sources}
        self._tokens = {spec.name: bare(spec.token) or {} for spec in begin.sources}
        self._keeping = None if begin.lake is None else keeping_of(begin.lake, self._heads, now=now)
        self._sent: deque[tuple[str, LakeHead | None]] = deque()

    def keep(self, source: str, item: object) -> None:
        """Keep the records of a chunk."""
        if self._keeping is not None and isinstance(item, Chunk):
            self._heads[source] = self._keeping.add(source, item)

    def token(self, source: str, token: dict[str, Any]) -> dict[str, Any]:
        """The source's token with how far its lake goes."""
        self._tokens[source] = token
        head = self._heads.get(source)
        return token if head is None else token | {LAKE: msgspec.to_builtins(head)}

    def token_again(self, source: str) -> dict[str, Any]:
        """The token of the source's last batch, with how far its lake goes now."""
        return self.token(source, self._tokens.get(source, {}))

    def empty(self, source: str) -> Batch:
        """A batch without records at the place of the last one."""
        return _empty(source, self.token_again(source))

    def sent(self, batch: Batch) -> None:
        """It is on its way to be committed."""
        self._sent.append((batch.source, head_in(batch.token)))

    def acknowledged(self, n: int) -> None:
        """So many batches more are committed."""
        for _ in range(min(n, len(self._sent))):
            source, head = self._sent.popleft()
            if self._keeping is not None and head is not None:
                self._keeping.settled(source, head)

    def due(self, now: datetime) -> list[Batch]:
        """Batches without records, for lakes that have moved on by themselves."""
        if self._keeping is None:
            return []
        return self._moved(self._keeping, self._keeping.rest(now))

    def last(self, now: datetime) -> list[Batch]:
        """The same when nothing more is read: all is packed."""
        if self._keeping is None:
            return []
        return self._moved(self._keeping, self._keeping.finish(now))

    def _moved(self, keeping: Keeping, sources: tuple[str, ...]) -> list[Batch]:
        moved = [source for source in sources if self._tokens[source]]
        for source in moved:
            self._heads[source] = keeping.head(source)
        return [_empty(source, self.token(source, self._tokens[source])) for source in moved]

    def close(self) -> None:
        """Nothing more is kept."""
        if self._keeping is not None:
            self._keeping.close()


def _empty(source: str, token: dict[str, Any]) -> Batch:
    return Batch(
        source=source,
        token=token,
        n_read=0,
        n_accepted=0,
        n_rejected=0,
        rejects=(),
        detections=(),
        faults=(),
        last_record_at=None,
        lag_bytes=0,
    )

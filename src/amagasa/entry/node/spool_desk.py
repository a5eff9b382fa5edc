"""What the worker does for spools: it tells their followers what is committed, so that they can make room."""

from collections import deque
from typing import Any

from amagasa.app.worker_messages import Batch
from amagasa.entry.node.lake_desk import bare
from amagasa.entry.wiring_detect import Follower, committed_to


class SpoolDesk:
    """For the worker's one thread."""

    def __init__(self, followers: dict[str, Follower]) -> None:
        self._followers = followers
        self._sent: deque[tuple[str, dict[str, Any]]] = deque()

    def sent(self, batch: Batch) -> None:
        """It is on its way to be committed."""
        self._sent.append((batch.source, bare(batch.token) or {}))

    def acknowledged(self, n: int) -> None:
        """So many batches more are committed."""
        for _ in range(min(n, len(self._sent))):
            source, token = self._sent.popleft()
            if source in self._followers:
                committed_to(self._followers[source], token)

"""Which batches go to the store at once: those that found something. The rest go together, twice a second.

What only correlations look at may wait with the rest: single requests for a page that is not there, say.

A web server writes a line every few milliseconds and nearly all are harmless. A transaction for each would cost more
than reading them, and its wait for the disk would stand before the next attack. What is held back is counts and a
position: after a kill the lines behind it are read again, and nothing is lost or counted twice.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from amagasa.app.worker_messages import Batch

MAX_HITS: Final = 500
QUIET_S: Final = 0.5  # how far behind the log the position of a quiet source may stand


class Pace:
    """Holds batches back, at most one of each source. `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[str, Batch] = {}
        self._let_at: dict[str, float] = {}

    def offer(self, batch: Batch) -> Batch | None:
        """What is to go now: this batch with what was held before it of its source; None where it is held as well."""
        held = self._held.pop(batch.source, None)
        whole = batch if held is None else together(held, batch)
        if _is_quiet(batch) and not self._is_due(batch.source):
            self._held[batch.source] = whole
            return None
        self._let_at[batch.source] = self._clock()
        return whole

    def due(self) -> list[Batch]:
        """What has been held long enough."""
        return [self._let(source) for source in tuple(self._held) if self._is_due(source)]

    def rest(self, source: str | None = None) -> list[Batch]:
        """What is held, of one source or of all."""
        return [self._let(one) for one in tuple(self._held) if source in {None, one}]

    def _let(self, source: str) -> Batch:
        self._let_at[source] = self._clock()
        return self._held.pop(source)

    def _is_due(self, source: str) -> bool:
        return self._clock() - self._let_at.get(source, float("-inf")) >= QUIET_S


def together(first: Batch, then: Batch) -> Batch:
    """Two batches of one source, one behind the other, as one; `first` found nothing."""
    return replace(
        then,
        hits=first.hits + then.hits,
        n_read=first.n_read + then.n_read,
        n_accepted=first.n_accepted + then.n_accepted,
        n_rejected=first.n_rejected + then.n_rejected,
        last_record_at=then.last_record_at or first.last_record_at,
        ahead_s=first.ahead_s if then.ahead_s is None else then.ahead_s,
    )


def _is_quiet(batch: Batch) -> bool:
    return not (batch.detections or batch.rejects or batch.faults) and len(batch.hits) < MAX_HITS

"""What cannot be kept while the store refuses: shown from memory, since the store is where it would be looked for."""

import threading
from typing import Final

from amagasa.vocab.text import show

SHOWN: Final = 260  # of a problem: what a view shows of a fault is little longer


class Unkept:
    """Of each source the batch that waits for its commit, and its latest state. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: dict[str, str] = {}
        self._states: dict[str, str] = {}

    def batch_waits(self, source: str, why: str) -> bool:
        """A batch could not be committed and is tried again; whether that is new."""
        with self._lock:
            is_new = source not in self._batches
            self._batches[source] = why
        return is_new

    def batch_kept(self, source: str) -> bool:
        """Its batch is committed; whether it had to wait."""
        with self._lock:
            return self._batches.pop(source, None) is not None

    def state_waits(self, source: str, fault: str) -> None:
        """The state of a source ("": it is read) could not be kept."""
        with self._lock:
            self._states[source] = fault

    def state_kept(self, source: str) -> None:
        """The latest state of it is kept."""
        with self._lock:
            self._states.pop(source, None)

    def states(self) -> tuple[tuple[str, str], ...]:
        """(source, fault) of all that wait."""
        with self._lock:
            return tuple(self._states.items())

    def fault_of(self, source: str, kept: str) -> str:
        """What is to be shown of a source of which the store says `kept`."""
        with self._lock:
            fault, why = self._states.get(source, kept), self._batches.get(source, "")
        waits = f"what was read is tried again: {show(why, SHOWN)}" if why else ""
        return "; ".join(filter(None, (waits, fault)))

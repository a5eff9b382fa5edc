"""One state of a source out of two tellers: the worker which reads its spool, and the receiver which fills it."""

import threading

from amagasa.app.receiver_messages import Received
from amagasa.app.worker_messages import SourceState


class SourceFaults:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: dict[str, SourceState] = {}
        self._receiving: dict[str, str] = {}

    def of_worker(self, state: SourceState) -> SourceState:
        """What is to be kept now that the worker says this."""
        with self._lock:
            self._reading[state.source] = state
            return self._together(state.source)

    def of_receiver(self, said: Received) -> SourceState | None:
        """What is to be kept now that the receiver says this; None where it said so before."""
        with self._lock:
            if self._receiving.get(said.source, "") == said.fault:
                return None
            self._receiving[said.source] = said.fault
            return self._together(said.source)

    def _together(self, source: str) -> SourceState:
        reading = self._reading.get(source)
        faults = [self._receiving.get(source, ""), "" if reading is None else reading.fault]
        return SourceState(
            source=source,
            fault="; ".join(filter(None, faults)),
            lag_bytes=0 if reading is None else reading.lag_bytes,
        )

"""The states of sources on their way into the store; where it refuses they wait in memory, and are shown from there."""

import threading
from datetime import UTC, datetime

import structlog

from amagasa.app.watch import record_state
from amagasa.app.worker_messages import SourceState
from amagasa.entry.wiring import World
from amagasa.vocab.errors import WorldError

log = structlog.get_logger("node")


class SourceStates:
    """Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()

    def keep(self, state: SourceState) -> None:
        """Say what a source is in, and keep it; raises nothing where the store cannot."""
        if state.fault:
            log.warning("source", name=state.source, fault=state.fault)
        else:
            log.info("source", name=state.source, note="it is read")
        with self._lock:
            try:
                record_state(self._world.store, state, now=datetime.now(UTC))
            except WorldError as problem:
                self._world.unkept.state_waits(state.source, state.fault)
                log.error("the state of a source could not be kept", problem=str(problem))  # noqa: TRY400
            else:
                self._world.unkept.state_kept(state.source)
        self._world.signals.publish("source", {"name": state.source})

    def refused(self, source: str, problem: WorldError) -> None:
        """The store could not commit a batch of this source."""
        if self._world.unkept.batch_waits(source, str(problem)):
            self._world.signals.publish("source", {"name": source})

    def committed(self, source: str) -> None:
        """The store keeps a batch of this source: what waited is kept as well."""
        unkept = self._world.unkept
        if unkept.batch_kept(source):
            log.info("source", name=source, note="what was read is committed again")
            self._world.signals.publish("source", {"name": source})
        with self._lock:
            for name, fault in unkept.states():
                state = SourceState(source=name, fault=fault, lag_bytes=0)
                try:
                    record_state(self._world.store, state, now=datetime.now(UTC))
                except WorldError:
                    return  # it is shown meanwhile, and kept after the next batch
                unkept.state_kept(name)
                self._world.signals.publish("source", {"name": name})

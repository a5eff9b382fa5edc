"""What an ally was refused before any object of it could be looked at: named in the ledger, and never a flood of it."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from amagasa.app.ports import AgreementBook, Clock, Crossing, CrossingState, Direction, Store
from amagasa.app.recording import record
from amagasa.app.sharing import in_force
from amagasa.app.signals import Signals
from amagasa.vocab.errors import AmagasaError

_LOG = structlog.get_logger("amagasa.turned_away")
_HOUR_S: Final = 3_600
Job = Callable[[], None]


def _at_once(job: Job) -> None:
    job()


class TurnedAway:
    """Each reason has a leaf the 1st, 10th, 100th ... time within an hour. Thread-safe.

    `run` carries out what takes time (a transaction); a door on an event loop gives a thread.
    """

    def __init__(
        self,
        store: Store,
        book: AgreementBook,
        clock: Clock,
        signals: Signals,
        *,
        run: Callable[[Job], None] = _at_once,
    ) -> None:
        self._store, self._book, self._clock, self._signals, self._run = store, book, clock, signals, run
        self._lock = threading.Lock()
        self._hour = 0
        self._counts: dict[tuple[str, str], int] = {}

    def note(self, ally_id: str, code: str, why: str) -> None:
        """The ally was refused, with this code, for this reason. One without an agreement in force has no ledger."""
        hour = int(self._clock.now().timestamp()) // _HOUR_S
        with self._lock:
            if hour != self._hour:
                self._hour, self._counts = hour, {}
            n = self._counts[ally_id, code] = self._counts.get((ally_id, code), 0) + 1
        if n == 10 ** (len(str(n)) - 1):
            self._run(lambda: self._write(ally_id, code, why, n=n, hour=hour))

    def _write(self, ally_id: str, code: str, why: str, *, n: int, hour: int) -> None:
        now = self._clock.now()
        bond = next((one for one in in_force(self._book, now) if one.ally.id == ally_id), None)
        if bond is None:
            return
        times = f" ({n} times within an hour)" if n > 1 else ""
        crossing = Crossing(
            ally=ally_id,
            agreement=bond.agreement.id,
            direction=Direction.IN,
            state=CrossingState.REFUSED,
            object_id="",
            object_type="",
            version=f"turned-away-{code}-{hour}-{n}",
            why=f"{why}{times} [{code}]",
            created_at=now,
        )
        try:
            with self._store.write() as tx:
                kept = tx.add_crossing(crossing)
                record(tx, bond, [kept] if kept is not None else [], now=now)
        except AmagasaError as problem:
            _LOG.error("a refusal could not be recorded", why=str(problem), refusal=code)
            return
        if kept is not None:
            self._signals.publish("crossing", {"ids": [kept.id]})

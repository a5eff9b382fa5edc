"""Once a second: what time alone shows."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

EVERY_S: Final = 1.0

log = structlog.get_logger("time")


class Ticking:
    """A thread that calls `do` once a second until `stop`. A mistake of ours in it is said, and ends nothing else."""

    def __init__(self, do: Callable[[], None], *, every_s: float = EVERY_S) -> None:
        self._do = do
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="time", daemon=True)

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the call in hand is finished."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._do()
            except Exception as mistake:
                log.exception(
                    "a mistake in Amagasa: what time shows is looked at again", mistake=type(mistake).__name__
                )

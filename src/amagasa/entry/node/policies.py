"""The files of a node which say how indicators are weighed, followed as they change."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from amagasa.detect.indicators.policy import Policy
from amagasa.entry.wiring_detect import policy_of, policy_stamp
from amagasa.vocab.errors import AmagasaError

LOOK_S: Final = 0.5


class Policies:
    """Those of the node in this folder; None where there is none. For one thread.

    `trouble` is told of a file that cannot be used: what was in force stays so.
    """

    def __init__(self, node: Path | None, trouble: Callable[[str], None] = lambda _what: None) -> None:
        self.node = node
        self._trouble = trouble
        self._stamp: tuple[object, ...] | None = None
        self._look_at = 0.0

    def found(self) -> Policy | None:
        """The policy where it has changed; None where it has not. Looks twice a second at most."""
        if self.node is None or time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + LOOK_S
        stamp = policy_stamp(self.node)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return policy_of(self.node)
        except AmagasaError as problem:
            self._trouble(str(problem))
            return None

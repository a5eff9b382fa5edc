"""What a node notes of its rules on disk for people to read: how many look, since when, what the site makes of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from amagasa.app.left_out import OffRules
from amagasa.app.worker_messages import Compiling, LeftOut, Ready
from amagasa.detect.report import RuleFault
from amagasa.vocab.instants import to_rfc3339

STEPS_KEPT: Final = 20
# Of each list.
KEPT: Final = 1_000


class RulesNoted:
    """Of one run of the node. `left_out` is what the worker said last."""

    def __init__(self) -> None:
        self.left_out = LeftOut(off=OffRules(), excluded=())
        self._n_rules = self._n_coming = self._n_compiled = 0
        self._steps: list[dict[str, Any]] = []

    def heard(self, ready: Ready, *, now: datetime) -> None:
        """The worker looks with so many rules from now on."""
        if ready.n_rules != self._n_rules or not self._steps:
            self._steps.append({"n_rules": ready.n_rules, "since": to_rfc3339(now)})
        self._n_rules, self._n_coming, self._n_compiled = ready.n_rules, ready.n_coming, 0
        del self._steps[:-STEPS_KEPT]

    def compiling(self, step: Compiling) -> None:
        """So many of the documents to come are compiled."""
        self._n_coming, self._n_compiled = step.n_all, step.n_compiled

    def noted(self, faulty: Sequence[RuleFault]) -> dict[str, Any]:
        """As it is kept (`app.queries.RulesView`)."""
        off = self.left_out.off
        return {
            "n_rules": self._n_rules,
            "n_coming": self._n_coming,
            "n_compiled": self._n_compiled,
            "since": self._steps,
            "n_faults": len(faulty),
            "faults": msgspec.to_builtins(faulty[:KEPT]),
            "n_off": off.n,
            "n_off_by": off.by,
            "replaced": msgspec.to_builtins(off.replaced[:KEPT]),
            "excluded": msgspec.to_builtins(self.left_out.excluded[:KEPT]),
            "placeholders": msgspec.to_builtins(self.left_out.placeholders[:KEPT]),
        }

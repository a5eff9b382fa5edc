"""What a node notes of its rules on disk for people to read: how many look, since when, and what is left out."""

from datetime import datetime
from typing import Any, Final

import msgspec

from amagasa.app.left_out import OffRules
from amagasa.app.worker_messages import LeftOut, Ready
from amagasa.vocab.instants import to_rfc3339

STEPS_KEPT: Final = 20


class RulesNoted:
    """Of one run of the node. `left_out` is what the worker said last."""

    def __init__(self) -> None:
        self.left_out = LeftOut(off=OffRules(), excluded=())
        self._n_rules = self._n_coming = 0
        self._steps: list[dict[str, Any]] = []

    def heard(self, ready: Ready, *, now: datetime) -> None:
        """The worker looks with so many rules from now on."""
        if ready.n_rules != self._n_rules or not self._steps:
            self._steps.append({"n_rules": ready.n_rules, "since": to_rfc3339(now)})
        self._n_rules, self._n_coming = ready.n_rules, ready.n_coming
        del self._steps[:-STEPS_KEPT]

    def noted(self) -> dict[str, Any]:
        """As it is kept (`app.queries.RulesView`, its faults apart)."""
        off = self.left_out.off
        return {
            "n_rules": self._n_rules,
            "n_coming": self._n_coming,
            "since": self._steps,
            "n_off": off.n,
            "n_off_by": off.by,
            "replaced": [{"rule_id": one.rule_id, "path": one.path, "why": one.why} for one in off.replaced[:1_000]],
            "excluded": msgspec.to_builtins(self.left_out.excluded[:1_000]),
        }

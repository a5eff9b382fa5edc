"""What the demo must show, when each of it happened, and how that is told."""

import time
from typing import Any, Final

from msgspec import Struct

# Milestone -> what a person is told. In the order in which they usually happen.
MILESTONES: Final = {
    "detected": "first detection in Japan",
    "incident": "alerts folded into an incident",
    "left": "left Japan under a clause of the agreement",
    "sighted": "the sighting is on the American screen",
    "replied": "the American analyst sends an indicator and a Sigma rule",
    "indicator_active": "the indicator is active in Japan",
    "rule_active": "the Sigma rule is active in Japan",
    "indicator_detected": "first detection by the American indicator",
    "rule_detected": "first detection by the American rule",
}


class Shown(Struct, frozen=True, kw_only=True):
    """A milestone reached: seconds since the demo's first record, and one plain sentence about it."""

    name: str
    at_s: float
    what: str


class Story:
    """Collects milestones; each counts once."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown: dict[str, Shown] = {}

    def begin(self) -> None:
        """The first record is written now."""
        self._started = time.monotonic()

    def at_s(self) -> float:
        """Seconds since the first record."""
        return time.monotonic() - self._started

    def reach(self, name: str, what: str) -> Shown | None:
        """Note a milestone; None where it was reached before."""
        if name in self._shown:
            return None
        self._shown[name] = Shown(name=name, at_s=round(self.at_s(), 3), what=what)
        return self._shown[name]

    def has(self, name: str) -> bool:
        """Whether it was reached."""
        return name in self._shown

    @property
    def is_complete(self) -> bool:
        """Whether everything happened."""
        return all(name in self._shown for name in MILESTONES)

    def missing(self) -> list[str]:
        """What did not happen."""
        return [name for name in MILESTONES if name not in self._shown]

    def as_document(self) -> dict[str, Any]:
        """Milestones with their seconds, and how fast the reply took effect."""
        document: dict[str, Any] = {
            "ok": self.is_complete,
            "missing": self.missing(),
            "milestones": {
                name: {"at_s": self._shown[name].at_s, "what": self._shown[name].what}
                for name in MILESTONES
                if name in self._shown
            },
        }
        for kind in ("indicator", "rule"):
            if self.has("replied") and self.has(f"{kind}_active"):
                elapsed = self._shown[f"{kind}_active"].at_s - self._shown["replied"].at_s
                document[f"{kind}_active_after_s"] = round(elapsed, 3)
        return document

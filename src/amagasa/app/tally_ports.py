"""What is counted in the store."""

from typing import Protocol

from amagasa.incident.alert import Status
from amagasa.vocab.severity import Severity


class Tallies(Protocol):
    """Counts, at a cost that does not grow with what is counted."""

    def n_dead(self) -> dict[str, int]:
        """Dead records kept, by source."""

    def n_alerts(self) -> int:
        """All of them."""

    def n_by_severity(self) -> dict[Severity, int]:
        """Alerts by severity; a severity without alerts is absent."""

    def n_by_status(self) -> dict[Status, int]:
        """Incidents by status; both statuses are always there."""

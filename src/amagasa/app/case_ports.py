"""What case files and the queue ask of the store."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from amagasa.incident.alert import Incident
from amagasa.incident.case import Deed, DeedKind


class Cases(Protocol):
    """What people did with incidents, kept for as long as the store; and open incidents in their order."""

    def deeds_of(self, incident_id: str) -> list[Deed]:
        """Those of this incident and those of others which name it, oldest first; the newest 5,000."""

    def deed(self, deed_id: int) -> Deed | None:
        """None where there is no such deed."""

    def add(self, deed: Deed) -> Deed:
        """The deed with its number."""

    def done_at(self, kind: DeedKind, *, since: datetime) -> list[datetime]:
        """When deeds of this kind were done, oldest first; the newest 10,000."""

    def queue(self, *, limit: int, offset: int = 0) -> list[tuple[Incident, int, int]]:
        """Open incidents as (incident, impact, score): most impact first, then score, then those that wait longest."""

    def n_graver(self, score: int, *, beyond: int) -> int:
        """How many open incidents have at least this score, after the first `beyond` of the queue."""

    def n_alone(self) -> int:
        """Alerts which are in no incident."""

    def set_impacts(self, impacts: Iterable[tuple[str, int]]) -> None:
        """What incidents do to missions, 0 to 100, as (incident, impact) pairs; 0 where nobody said."""

"""Which incident a person should look at first, before anybody asks what it costs whom (`mission` does)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from amagasa.incident.alert import Incident, Status
from amagasa.vocab.severity import Severity

# Out of 100. Severity leads; the rest only orders incidents of one severity, so their sum stays below one step of it.
_OF_SEVERITY: Final = 14
_OF_A_TACTIC: Final = 2
_MAX_TACTICS: Final = 4
_FRESH: Final = timedelta(hours=1)
_OF_FRESHNESS: Final = 3
_OF_SUBSTANCE: Final = 2


class Ranked(Struct, frozen=True, kw_only=True):
    """`priority` is 0 to 100, higher first; `why` are its parts, for a person who asks."""

    incident: Incident
    priority: int
    why: tuple[str, ...]


def rank(incidents: Iterable[Incident], *, now: datetime) -> tuple[Ranked, ...]:
    """Highest priority first; of equal ones the latest seen. A closed incident has priority 0."""
    ranked = [_ranked(incident, now) for incident in incidents]
    return tuple(
        sorted(ranked, key=lambda one: (one.priority, one.incident.last_seen_at, one.incident.id), reverse=True)
    )


def _ranked(incident: Incident, now: datetime) -> Ranked:
    if incident.status is Status.CLOSED:
        return Ranked(incident=incident, priority=0, why=("closed",))
    n_tactics = min(len(incident.tactics), _MAX_TACTICS)
    is_fresh = now - incident.last_seen_at <= _FRESH
    is_broad = incident.n_alerts > 1
    priority = (
        _OF_SEVERITY * min(incident.severity, Severity.FATAL)
        + _OF_A_TACTIC * n_tactics
        + _OF_FRESHNESS * is_fresh
        + _OF_SUBSTANCE * is_broad
    )
    parts = (
        (True, f"severity {incident.severity.name.lower()}"),
        (n_tactics > 1, f"{len(incident.tactics)} tactics"),
        (is_broad, f"{incident.n_alerts} alerts"),
        (is_fresh, "seen within the last hour"),
    )
    return Ranked(incident=incident, priority=min(priority, 100), why=tuple(text for holds, text in parts if holds))

"""What a watch officer does with an incident."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Store, Writing
from amagasa.app.queries import MissingError
from amagasa.incident.alert import Incident, Status
from amagasa.vocab.errors import BadInputError

WHY_CHARACTERS: Final = 500


def close(store: Store, actor: Actor, incident_id: str, *, why: str, now: datetime) -> Incident:
    """Close it, with the reason; nothing is written where it is closed already. Raises MissingError."""
    require(actor, Act.TRIAGE)
    with store.write() as tx:
        incident = _known(tx, incident_id)
        if incident.status is Status.CLOSED:
            return incident
        closed = replace(
            incident,
            status=Status.CLOSED,
            closed_why=f"{actor.name}: {why.strip()[:WHY_CHARACTERS]}",
            updated_at=max(now, incident.updated_at),
        )
        tx.save_incidents([closed])
    return closed


def reopen(store: Store, actor: Actor, incident_id: str, *, now: datetime) -> Incident:
    """Open it again. Raises MissingError, and BadInputError where it became part of another."""
    require(actor, Act.TRIAGE)
    with store.write() as tx:
        incident = _known(tx, incident_id)
        if incident.status is Status.OPEN:
            return incident
        if incident.merged_into:
            raise BadInputError(
                "AMG-INCIDENT-MERGED",
                "this incident is now part of another",
                got=incident.merged_into,
                then="open that one",
            )
        opened = replace(incident, status=Status.OPEN, closed_why="", updated_at=max(now, incident.updated_at))
        tx.save_incidents([opened])
    return opened


def _known(tx: Writing, incident_id: str) -> Incident:
    incident = tx.incident(incident_id)
    if incident is None:
        raise MissingError("AMG-INCIDENT-UNKNOWN", "there is no such incident here", got=incident_id)
    return incident

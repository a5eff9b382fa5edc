"""Close and reopen: as `app.casework`, and nothing happens where it is so already."""

from datetime import datetime

from amagasa.app.casework import Asked, do, known
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Store
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import DeedKind


def close(store: Store, actor: Actor, incident_id: str, *, why: str, now: datetime) -> Incident:
    """Close it, with the reason; nothing is written where it is closed already. Raises MissingError."""
    held = _held(store, actor, incident_id)
    if held.status is Status.CLOSED:
        return held
    return do(store, actor, incident_id, Asked(kind=DeedKind.CLOSE, text=why), now=now).incidents[0]


def reopen(store: Store, actor: Actor, incident_id: str, *, now: datetime) -> Incident:
    """Open it again. Raises MissingError, and BadInputError where it became part of another."""
    held = _held(store, actor, incident_id)
    if held.status is Status.OPEN:
        return held
    return do(store, actor, incident_id, Asked(kind=DeedKind.REOPEN), now=now).incidents[0]


def _held(store: Store, actor: Actor, incident_id: str) -> Incident:
    require(actor, Act.TRIAGE)
    with store.read() as reading:
        return known(reading, incident_id)

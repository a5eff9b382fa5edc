"""Rows of alerts, as the values they hold."""

from typing import Any, TypeAlias

from msgspec.structs import replace
from sqlalchemy import Row, Select, select

from amagasa.adapters.store import bodies
from amagasa.adapters.store.tables import ALERT
from amagasa.incident.alert import Alert

AnyRow: TypeAlias = Row[*tuple[Any, ...]]


def alerts() -> Select[Any]:
    """What `alert_of` needs."""
    return select(ALERT.c.id, ALERT.c.updated_at, ALERT.c.incident_id, ALERT.c.body)


def alert_of(row: AnyRow) -> Alert:
    """The column knows better: a merge of incidents moves alerts without touching their bodies."""
    alert = bodies.ALERT.unpack(row.body)
    return alert if alert.incident_id == row.incident_id else replace(alert, incident_id=row.incident_id)

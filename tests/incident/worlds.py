"""A store in memory for the tests of this room."""

from msgspec.structs import replace

from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.group import group
from tests.incident.samples import at


class World:
    """Alerts and incidents as a store would hold them."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.incidents: dict[str, Incident] = {}

    @property
    def last(self) -> Alert:
        """The alert that was taken last."""
        return list(self.alerts.values())[-1]

    def take(self, *alerts: Alert, minutes: float = 0) -> tuple[Alert, ...]:
        grouped = group(alerts, list(self.incidents.values()), now=at(minutes))
        for incident in grouped.incidents:
            self.incidents[incident.id] = incident
        for one in grouped.alerts:
            self.alerts[one.id] = one
        for alert_id, incident_id in grouped.moved:
            self.alerts[alert_id] = replace(self.alerts[alert_id], incident_id=incident_id)
        for incident in grouped.incidents:
            if incident.merged_into is not None:
                for one in self.alerts.values():
                    if one.incident_id == incident.id:
                        self.alerts[one.id] = replace(one, incident_id=incident.merged_into)
        return grouped.alerts

    def open(self) -> list[Incident]:
        return [one for one in self.incidents.values() if one.status is Status.OPEN]

    def check(self) -> None:
        """Every alert is in at most one incident, and counts add up."""
        for incident in self.incidents.values():
            inside = {one.id: one.n_detections for one in self.alerts.values() if one.incident_id == incident.id}
            assert incident.n_by_alert == inside
            assert incident.n_alerts == len(inside)
            assert incident.n_detections == sum(inside.values())
            assert set(incident.why) == set(inside)
            assert all(incident.why.values())
        assert all(one.incident_id is None or one.incident_id in self.incidents for one in self.alerts.values())

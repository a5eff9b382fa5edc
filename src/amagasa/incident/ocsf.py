"""Alerts and incidents as OCSF 1.7: a Detection Finding (class 2004) each, and an Incident Finding (class 2005).

Another system that pulls them again knows each by its identifier, which is ours: a finding that has grown is the same
finding with a later `modified_time`. Source: OCSF 1.7.0, `detection_finding`, `incident_finding`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from amagasa.detect.ocsf import FINDING, attack_of, milliseconds, observable_of
from amagasa.event.ocsf import head_of, json_of, metadata_of
from amagasa.event.ocsf_objects import sound
from amagasa.incident.alert import Alert, Incident, Stage, Status

INCIDENT_FINDING: Final = 2005
_FINDINGS: Final = 2
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_NEW, _IN_PROGRESS, _CLOSED = 1, 2, 5
_RULE, _OTHER = 1, 99


def alert_finding(alert: Alert) -> dict[str, Any]:
    """The alert; its examples are the evidence, `count` is how many detections it stands for."""
    activity = _CREATE if alert.updated_at == alert.created_at else _UPDATE
    finding = head_of(FINDING, activity, category_uid=_FINDINGS, at=alert.last_seen_at, severity_id=int(alert.severity))
    return finding | {
        "metadata": _metadata(alert.id, alert.updated_at),
        "finding_info": _info(alert),
        "message": sound(alert.title),
        "is_alert": True,
        "status_id": _NEW if alert.incident_id is None else _IN_PROGRESS,
        "confidence_score": alert.confidence,
        "count": alert.n_detections,
        "evidences": [
            {"data": {"path": sound(one.path), "record": one.record, "fields": json_of(one.fields)}}
            for one in alert.examples
        ],
        "observables": [observable_of(one) for one in alert.entities],
        "unmapped": {"incident_uid": alert.incident_id, "origin": sound(alert.origin), "source": sound(alert.source)},
    }


def incident_finding(incident: Incident, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The incident with what its alerts found, and how the work on it stands."""
    is_closed = incident.status is Status.CLOSED
    is_new = incident.stage is Stage.DETECTED and not incident.owner
    activity = _CLOSE if is_closed else _CREATE if incident.updated_at == incident.created_at else _UPDATE
    finding = head_of(
        INCIDENT_FINDING, activity, category_uid=_FINDINGS, at=incident.updated_at, severity_id=int(incident.severity)
    )
    finding |= {
        "metadata": _metadata(incident.id, incident.updated_at),
        "finding_info_list": [_info(alert) for alert in alerts],
        "desc": sound(incident.title),
        "message": sound(incident.title),
        "status_id": _CLOSED if is_closed else _NEW if is_new else _IN_PROGRESS,
        "status": incident.stage.value,
        "confidence_score": incident.confidence,
        "count": incident.n_detections,
        "start_time": milliseconds(incident.first_seen_at),
        "end_time": milliseconds(incident.last_seen_at),
        "attacks": [attack_of(one) for one in incident.techniques],
        "observables": [observable_of(one) for one in incident.entities],
    }
    if incident.owner:
        finding["assignee"] = {"name": sound(incident.owner)}
    if incident.closed_why:
        finding["comment"] = sound(incident.closed_why)
    return finding


def _info(alert: Alert) -> dict[str, Any]:
    return {
        "uid": alert.id,
        "title": sound(alert.title),
        "analytic": {
            "uid": sound(alert.content_id),
            "name": sound(alert.title),
            "type_id": _OTHER if alert.is_indicator else _RULE,
            "type": "Indicator" if alert.is_indicator else "Rule",
        },
        "attacks": [attack_of(one) for one in alert.techniques],
        "created_time": milliseconds(alert.created_at),
        "modified_time": milliseconds(alert.updated_at),
        "first_seen_time": milliseconds(alert.first_seen_at),
        "last_seen_time": milliseconds(alert.last_seen_at),
        "related_events_count": alert.n_detections,
        "data_sources": [sound(one) for one in (alert.source, alert.origin) if one],
    }


def _metadata(uid: str, at: datetime) -> dict[str, Any]:
    return metadata_of(uid) | {"logged_time": milliseconds(at)}

"""A detection as OCSF 1.7: a Detection Finding (class 2004), and the event behind it in the class of its own.

Both are documents of JSON values. The finding names its event under `finding_info.related_events`; the same detection
always has the same identifiers, so what is exported twice is recognised. Source: OCSF 1.7.0, `detection_finding`.
"""

from datetime import UTC, datetime
from typing import Any, Final

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.event.ocsf import event_of, head_of, json_of, metadata_of
from amagasa.event.ocsf_objects import sound
from amagasa.vocab.ids import stable_id

FINDING: Final = 2004
_FINDINGS: Final = 2
_CREATE: Final = 1
_NEW: Final = 1
_RULE: Final = 1
_OTHER: Final = 99
_OBSERVABLES: Final = {
    EntityKind.SOURCE_ADDRESS: ("src_endpoint.ip", 2),
    EntityKind.DESTINATION_ADDRESS: ("dst_endpoint.ip", 2),
    EntityKind.HOST: ("device.hostname", 1),
    EntityKind.USER: ("user.name", 4),
    EntityKind.PROCESS: ("process.name", 9),
    EntityKind.FILE: ("file.name", 7),
    EntityKind.HASH: ("file.hashes.value", 8),
    EntityKind.DOMAIN: ("query.hostname", 1),
    EntityKind.URL: ("http_request.url.url_string", 6),
}


def ocsf_of(detection: Detection, *, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The finding and its event. `now` stands for an event that carries no instant, and is when it was found."""
    at = detection.event_at or now
    severity_id = int(detection.level.severity)
    place = (detection.path, str(detection.record))
    event_uid = stable_id("x-ocsf-event", *place, detection.raw)
    event = event_of(dict(detection.event), uid=event_uid, at=at, severity_id=1, raw=detection.raw)
    uid = stable_id("x-ocsf-finding", detection.content_id, *place, detection.raw)
    finding = head_of(FINDING, _CREATE, category_uid=_FINDINGS, at=at, severity_id=severity_id)
    finding |= {
        "metadata": metadata_of(uid) | {"logged_time": round(now.timestamp() * 1_000)},
        "finding_info": _info(detection, uid, event),
        "message": sound(detection.title),
        "is_alert": True,
        "status_id": _NEW,
        "evidences": [
            {"data": {"path": detection.path, "record": detection.record, "fields": json_of(detection.fields)}}
        ],
        "observables": [observable_of(one) for one in detection.entities],
        "raw_data": sound(detection.raw),
    }
    if detection.confidence is not None:
        finding["confidence_score"] = detection.confidence
    return finding, event


def _info(detection: Detection, uid: str, event: dict[str, Any]) -> dict[str, Any]:
    is_rule = detection.rule_id is not None
    info: dict[str, Any] = {
        "uid": uid,
        "title": sound(detection.title),
        "analytic": {
            "uid": detection.content_id,
            "name": sound(detection.title),
            "type_id": _RULE if is_rule else _OTHER,
            "type": "Rule" if is_rule else "Indicator",
        },
        "attacks": [attack_of(one) for one in detection.techniques],
        "related_events": [{"uid": event["metadata"]["uid"], "type_uid": event["type_uid"]}],
    }
    if detection.together is not None:
        info["first_seen_time"] = milliseconds(detection.together.first_at)
        info["last_seen_time"] = milliseconds(detection.together.last_at)
        info["related_events_count"] = detection.together.n_events
    elif detection.event_at is not None:
        info["first_seen_time"] = info["last_seen_time"] = milliseconds(detection.event_at)
    if detection.origin:
        info["data_sources"] = [detection.origin]
    return info


def attack_of(technique: str) -> dict[str, Any]:
    """A technique, or a sub-technique with its own."""
    whole = technique.partition(".")[0]
    attack: dict[str, Any] = {"technique": {"uid": whole}}
    return attack if whole == technique else attack | {"sub_technique": {"uid": technique}}


def observable_of(entity: Entity) -> dict[str, Any]:
    """What an analyst would look for elsewhere."""
    name, type_id = _OBSERVABLES[entity.kind]
    return {"name": name, "type_id": type_id, "value": sound(entity.value)}


def milliseconds(moment: datetime) -> int:
    """Since 1970, as OCSF has instants."""
    return round(moment.astimezone(UTC).timestamp() * 1_000)

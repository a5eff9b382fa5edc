"""Detections as findings of OCSF."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from amagasa.detect.ocsf import ocsf_of
from amagasa.detect.report import Detection, Together
from amagasa.event.entity import Entity, EntityKind
from amagasa.event.ocsf import missing_of
from amagasa.vocab.severity import Level

NOW = datetime(2026, 11, 27, tzinfo=UTC)
FOUND = Detection(
    rule_id="r-1",
    title="Shell by a server",
    level=Level.HIGH,
    path="a.log",
    record=7,
    event_at=datetime(2026, 11, 26, 10, tzinfo=UTC),
    techniques=("T1059.004", "T1190"),
    fields={"Image": "/bin/sh"},
    event={"Image": "/bin/sh", "CommandLine": "sh -c id", "ProcessId": 7, "Computer": "gate"},
    entities=(Entity(kind=EntityKind.HOST, value="gate"),),
    raw="the record",
)


def finding(detection: Detection) -> dict[str, Any]:
    return ocsf_of(detection, now=NOW)[0]


def test_finding_has_all_that_its_class_requires_and_names_its_event() -> None:
    found, event = ocsf_of(FOUND, now=NOW)
    assert (missing_of(found), missing_of(event)) == ((), ())
    assert (found["class_uid"], found["severity_id"], found["type_uid"]) == (2004, 4, 200_401)
    assert found["finding_info"]["related_events"] == [{"uid": event["metadata"]["uid"], "type_uid": 100_701}]


def test_finding_names_techniques_with_their_parents() -> None:
    assert finding(FOUND)["finding_info"]["attacks"] == [
        {"technique": {"uid": "T1059"}, "sub_technique": {"uid": "T1059.004"}},
        {"technique": {"uid": "T1190"}},
    ]


def test_finding_made_twice_has_one_identifier_and_another_record_another() -> None:
    assert finding(FOUND)["metadata"]["uid"] == finding(FOUND)["metadata"]["uid"]
    assert finding(replace(FOUND, record=8))["metadata"]["uid"] != finding(FOUND)["metadata"]["uid"]


def test_finding_of_an_indicator_says_so_with_its_confidence() -> None:
    found = finding(replace(FOUND, rule_id=None, indicator_id="indicator--1", confidence=80))
    assert (found["finding_info"]["analytic"]["type"], found["confidence_score"]) == ("Indicator", 80)


def test_finding_of_a_record_without_an_instant_has_the_time_of_reading_and_no_first_seen() -> None:
    found = finding(replace(FOUND, event_at=None))
    assert found["time"] == round(NOW.timestamp() * 1_000)
    assert "first_seen_time" not in found["finding_info"]


def test_finding_of_a_correlation_tells_how_many_events_over_which_time() -> None:
    together = Together(n_events=30, first_at=datetime(2026, 11, 26, 9, tzinfo=UTC), last_at=NOW, timespan_s=60)
    info = finding(replace(FOUND, together=together))["finding_info"]
    assert (info["related_events_count"], info["last_seen_time"]) == (30, round(NOW.timestamp() * 1_000))

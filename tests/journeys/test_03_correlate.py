"""What only several records show: told at once, counted once, whatever happens to the node in between."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.nodes import JourneyNode, access_line, append, eventually, node_in

MANY_ID = "0a4b7f6e-53a4-4c8e-9e0b-2f1d3c5b7a91"
THEN_ID = "9d2c1b0a-7e6f-4d5c-8b4a-3f2e1d0c9b8a"
MANY = f"""\
title: Many marks
id: {MANY_ID}
name: many_marks
correlation:
    type: event_count
    rules: [mark]
    group-by: [c-ip]
    timespan: 10m
    condition: {{gte: 5}}
level: high
---
title: A mark
id: 6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
name: mark
logsource: {{category: webserver}}
detection: {{mark: {{cs-uri-stem|contains: /journey-mark}}, condition: mark}}
level: low
"""
THEN = f"""\
title: Marks and then the door
id: {THEN_ID}
correlation:
    type: temporal_ordered
    rules: [many_marks, door]
    group-by: [c-ip]
    timespan: 10m
    generate: true
level: critical
---
title: The door
id: 5e4d3c2b-1a09-4f8e-9d7c-6b5a49382716
name: door
logsource: {{category: webserver}}
detection: {{door: {{cs-uri-stem: /door}}, condition: door}}
level: informational
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


@pytest.fixture
def node(tmp_path: Path, log: Path) -> Iterator[JourneyNode]:
    with node_in(tmp_path / "japan") as made:
        made.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
        made.own_rule(MANY)
        made.follow("web", log, form="access")
        yield made


def marks(address: str, start: int, n: int) -> list[str]:
    return [access_line(address, f"/journey-mark/{number}", second=number) for number in range(start, start + n)]


def of(node: JourneyNode, title: str) -> list[dict[str, Any]]:
    return [alert for alert in node.alerts() if alert["title"] == title]


def events_of(node: JourneyNode, alert: dict[str, Any]) -> int:
    """How many records the correlation of this alert put together."""
    (evidence,) = node.get(f"/api/alerts/{alert['id']}")["evidence"]
    return int(evidence["together"]["n_events"])


def test_correlation_in_a_node_is_one_alert_with_its_records_as_evidence(node: JourneyNode, log: Path) -> None:
    node.start()
    append(log, *marks("203.0.113.9", 0, 4))
    append(log, *marks("203.0.113.7", 0, 5))
    (alert,) = eventually(lambda: of(node, "Many marks"), about="the correlation alerts")
    assert (alert["subject"], alert["n_detections"], alert["content_id"]) == ("203.0.113.7", 1, MANY_ID)
    assert of(node, "A mark") == []
    detail = node.get(f"/api/alerts/{alert['id']}")
    (evidence,) = detail["evidence"]
    assert evidence["together"]["n_events"] == 5
    assert [sign["record"] for sign in evidence["together"]["signs"]] == [6, 7, 8, 9]
    assert "/journey-mark/4" in evidence["together"]["signs"][-1]["raw"]
    assert len(node.get("/api/incidents")["incidents"]) == 1


def test_correlation_over_kills_at_any_instant_counts_each_record_once(node: JourneyNode, log: Path) -> None:
    addresses = [f"203.0.113.{number}" for number in range(1, 5)]
    node.start()
    for start in range(0, 40, 10):
        for address in addresses:
            append(log, *marks(address, start, 10))
        time.sleep(0.05 * (start % 3))
        node.kill()
        node.start()
    alerts = eventually(
        lambda: [one for one in of(node, "Many marks") if events_of(node, one) == 40][3:] and of(node, "Many marks"),
        about="every record is counted",
    )
    assert sorted(alert["subject"] for alert in alerts) == addresses
    assert [alert["n_detections"] for alert in alerts] == [1] * 4


def test_correlation_added_while_the_node_runs_counts_from_then_on_and_removed_is_gone(
    node: JourneyNode, log: Path
) -> None:
    node.start()
    append(log, *marks("203.0.113.9", 0, 4))
    eventually(lambda: node.source("web")["n_read"] == 4, about="the first are read")
    added = node.post("/api/content/rules", {"text": THEN, "share": False, "marking": "amber"})
    assert added["id"] == THEN_ID
    eventually(lambda: node.get("/api/content")[0]["activated_at"], about="it is looked with")
    append(log, *marks("203.0.113.9", 4, 1), access_line("203.0.113.9", "/door", second=30))
    (alert,) = eventually(lambda: of(node, "Marks and then the door"), about="the chain alerts")
    assert (alert["severity"], alert["content_id"]) == (5, THEN_ID)
    assert [one["n_detections"] for one in of(node, "Many marks")] == [1]
    assert node.command("content", "remove", THEN_ID).code == 0
    append(log, *marks("203.0.113.8", 0, 5), access_line("203.0.113.8", "/door", second=30))
    eventually(lambda: len(of(node, "Many marks")) == 2, about="the other goes on")
    assert node.source("web")["n_read"] == 12
    assert [alert["subject"] for alert in of(node, "Marks and then the door")] == ["203.0.113.9"]


def test_correlation_without_its_base_rule_says_so_at_its_item(node: JourneyNode) -> None:
    (node.folder / "content" / "own.yml").unlink()
    node.start()
    node.post("/api/content/rules", {"text": THEN, "share": False, "marking": "amber"})
    fault = eventually(lambda: node.get("/api/content")[0]["fault"], about="the fault is told")
    assert fault == "it refers to many_marks, and no rule that runs has this id or name"

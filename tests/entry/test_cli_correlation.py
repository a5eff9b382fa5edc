"""`amagasa detect` with correlations, as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.nodes import run

FAILED_ID = "53ba33fd-3a50-4468-a5ef-c583635cfa92"
MANY_ID = "a8418a5a-5fc4-46b5-b23b-6c73beb19d41"
THEN_ID = "b180ead8-d58f-40b2-ae54-c8940995b9b6"
THEN = f"""\
title: Guessed
id: {THEN_ID}
correlation:
    type: temporal_ordered
    rules: [many_failed, success]
    group-by: [src_ip]
    timespan: 10m
level: critical
tags: [attack.t1110]
"""
RULES = f"""\
title: Many failures
id: {MANY_ID}
name: many_failed
correlation:
    type: event_count
    rules: [failed]
    group-by: [src_ip]
    timespan: 5m
    condition: {{gte: 5}}
    generate: GENERATE
level: high
---
title: A failure
id: {FAILED_ID}
name: failed
logsource: {{product: linux, service: sshd}}
detection: {{s: {{message|contains: 'Failed password for'}}, condition: s}}
level: low
---
title: A success
id: 4d0a2c83-c62c-4ed4-b475-c7e23a9269b8
name: success
logsource: {{product: linux, service: sshd}}
detection: {{s: {{message|contains: 'Accepted '}}, condition: s}}
level: low
"""


def line(minute: int, second: int, what: str, address: str) -> str:
    return f"Nov 22 12:{minute:02}:{second:02} gate01 sshd[7]: {what} for sato from {address} port 51122 ssh2\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a_then.yml").write_text(THEN, encoding="utf-8")
    (folder / "z_base.yml").write_text(RULES.replace("GENERATE", "false"), encoding="utf-8")
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A rotated log: the older half in the file that is read last."""
    folder = tmp_path / "logs"
    folder.mkdir()
    older = "".join(line(0, 10 * n, "Failed password", "203.0.113.9") for n in range(4))
    newer = "".join(line(1, 10 * n, "Failed password", "203.0.113.9") for n in range(3))
    newer += line(2, 0, "Accepted password", "203.0.113.9") + line(2, 1, "Failed password", "192.0.2.1")
    (folder / "auth.log").write_text(newer, encoding="utf-8")
    (folder / "auth.log.1").write_text(older, encoding="utf-8")
    return folder


def detect(rules: Path, logs: Path, *more: object) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    summary = rules.parent / "summary.json"
    answer = run("detect", "--rules", rules, "--ndjson", "--summary", summary, *more, logs)
    return answer.rows(), json.loads(summary.read_bytes()), answer.code


def test_detect_correlates_over_rotated_files_and_rules_in_any_order(rules: Path, logs: Path) -> None:
    (found,), summary, code = detect(rules, logs)
    assert code == 0
    assert (found["rule_id"], found["level"], found["techniques"]) == (THEN_ID, "critical", ["T1110"])
    assert found["path"].endswith("auth.log")
    assert (found["record"], found["fields"]) == (4, {"count": 2, "src_ip": "203.0.113.9"})
    assert found["event_at"].endswith("11-22T12:02:00.000Z")
    assert found["correlation"]["n_events"] == 2
    assert [event["rule_title"] for event in found["correlation"]["events"]] == ["Many failures", "A success"]
    assert (summary["n_rules"], summary["n_rules_faulted"], summary["n_detections"]) == (4, 0, 1)


def test_detect_of_several_processes_finds_the_same(rules: Path, logs: Path) -> None:
    assert detect(rules, logs, "--processes", 2)[0] == detect(rules, logs)[0]


def test_detect_with_generate_gives_the_base_detections_as_well(rules: Path, logs: Path) -> None:
    (rules / "a_then.yml").unlink()
    (rules / "z_base.yml").write_text(RULES.replace("GENERATE", "true"), encoding="utf-8")
    _, summary, _ = detect(rules, logs)
    assert summary["detections_by_rule"] == {
        FAILED_ID: 8,
        MANY_ID: 1,
        "4d0a2c83-c62c-4ed4-b475-c7e23a9269b8": 1,
    }


def test_detect_says_which_rule_a_correlation_lacks(rules: Path, logs: Path) -> None:
    text = RULES.replace("GENERATE", "false").replace("name: success", "name: triumph")
    (rules / "z_base.yml").write_text(text, encoding="utf-8")
    found, summary, code = detect(rules, logs)
    assert code == 3
    assert [(fault["rule_id"], fault["why"]) for fault in summary["faults"]] == [
        (THEN_ID, "it refers to success, and no rule that runs has this id or name")
    ]
    assert [one["rule_id"] for one in found] == ["4d0a2c83-c62c-4ed4-b475-c7e23a9269b8", MANY_ID]


def test_detect_says_of_records_without_a_time_that_it_could_not_look(rules: Path, tmp_path: Path) -> None:
    log = tmp_path / "events.json"
    record = {"EventID": 4625, "Channel": "Security", "IpAddress": "203.0.113.9"}
    log.write_text((json.dumps(record) + "\n") * 7, encoding="utf-8")
    text = (
        RULES.replace("GENERATE", "false").replace("src_ip", "IpAddress").replace("service: sshd", "service: security")
    )
    text = text.replace("product: linux", "product: windows").replace(
        "message|contains: 'Failed password for'", "EventID: 4625"
    )
    (rules / "z_base.yml").write_text(text, encoding="utf-8")
    found, summary, code = detect(rules, log)
    assert (found, code) == ([], 3)
    assert {fault["rule_id"]: fault["why"] for fault in summary["faults"]}[MANY_ID] == (
        '7 records which "A failure" found carry no time to be believed: what lies within the timespan cannot be told'
    )

"""Alerts and incidents as OCSF findings, asked of a real store over the API."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser import seed
from tests.entry.console import Desktop

from amagasa.app.permissions import Role
from amagasa.event.ocsf import missing_of


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    made = Desktop(Path(tmp_path_factory.mktemp("findings")))
    seed.fill(made.store)
    yield made
    made.close()


@pytest.fixture(scope="module")
def token(desktop: Desktop) -> str:
    return desktop.session(Role.AUDITOR)


def asked(desktop: Desktop, token: str, path: str) -> Any:
    answer = desktop.ask("GET", path, token=token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_each_alert_is_a_finding_with_all_that_its_class_requires(desktop: Desktop, token: str) -> None:
    alerts = asked(desktop, token, "/api/alerts?limit=500")["alerts"]
    findings = asked(desktop, token, "/api/findings?limit=500")["findings"]
    assert [one["metadata"]["uid"] for one in findings] == [one["id"] for one in alerts]
    assert {missing_of(one) for one in findings} == {()}
    assert [one["severity_id"] for one in findings] == [one["severity"] for one in alerts]
    assert [one["count"] for one in findings] == [one["n_detections"] for one in alerts]
    assert all(one["evidences"] and one["finding_info"]["attacks"] is not None for one in findings)


def test_findings_come_page_by_page_and_each_once(desktop: Desktop, token: str) -> None:
    whole = [one["metadata"]["uid"] for one in asked(desktop, token, "/api/findings?limit=500")["findings"]]
    paged: list[str] = []
    cursor = ""
    while True:
        page = asked(desktop, token, f"/api/findings?limit=2{cursor}")
        paged += [one["metadata"]["uid"] for one in page["findings"]]
        if page["next"] is None:
            break
        cursor = f"&before={page['next']}"
    assert paged == whole


def test_incident_is_a_finding_that_holds_what_its_alerts_found_and_they_follow_it(
    desktop: Desktop, token: str
) -> None:
    incidents = asked(desktop, token, "/api/incidents")["incidents"]
    most = max(incidents, key=lambda one: one["n_alerts"])
    first, *rest = asked(desktop, token, f"/api/incidents/{most['id']}/findings")["findings"]
    assert (first["class_uid"], missing_of(first), first["metadata"]["uid"]) == (2005, (), most["id"])
    assert len(rest) == most["n_alerts"] == len(first["finding_info_list"])
    assert {one["metadata"]["uid"] for one in rest} == {one["uid"] for one in first["finding_info_list"]}
    assert {one["unmapped"]["incident_uid"] for one in rest} == {most["id"]}


def test_incident_says_how_the_work_on_it_stands(desktop: Desktop, token: str) -> None:
    incidents = asked(desktop, token, "/api/incidents")["incidents"]
    least = min((one for one in incidents if not one["owner"]), key=lambda one: int(one["n_alerts"]))
    path = f"/api/incidents/{least['id']}"
    (before, *_) = asked(desktop, token, f"{path}/findings")["findings"]
    officer = desktop.session(Role.WATCH_OFFICER)
    assert desktop.ask("POST", f"{path}/close", token=officer, body={"why": "a drill"}).status_code == 200
    (after, *_) = asked(desktop, token, f"{path}/findings")["findings"]
    assert (before["status_id"], after["status_id"], after["activity_id"], after["comment"]) == (
        1,
        5,
        3,
        "watch-officer: a drill",
    )


def test_alert_alone_is_the_finding_of_the_list(desktop: Desktop, token: str) -> None:
    (first, *_) = asked(desktop, token, "/api/findings?limit=1")["findings"]
    assert asked(desktop, token, f"/api/alerts/{first['metadata']['uid']}/findings")["findings"] == [first]


@pytest.mark.parametrize("path", ["/api/alerts/none/findings", "/api/incidents/none/findings"])
def test_what_is_not_there_is_said_to_be_missing(desktop: Desktop, token: str, path: str) -> None:
    assert desktop.ask("GET", path, token=token).status_code == 404

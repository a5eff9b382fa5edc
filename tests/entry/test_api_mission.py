"""The API's missions: kept, checked, undone, reckoned from the open incidents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.entry.console import Desktop
from tests.entry.test_cli_mission import MODEL
from tests.incident.samples import NOW, alert, host

from amagasa.app.mission_views import ModelText
from amagasa.app.missions import Missions
from amagasa.app.permissions import NODE, Actor, Role
from amagasa.incident.alert import Status
from amagasa.incident.group import group
from amagasa.mission.operability import Method
from amagasa.vocab.errors import BadInputError, DeniedError

TEXTS = [ModelText(path="base.toml", content=MODEL.replace('name = "scada"', 'name = "scada"\nhosts = ["scada-*"]'))]
OFFICER = Actor(name="officer", roles=frozenset([Role.WATCH_OFFICER]))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desktop]:
    made = Desktop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def missions(desk: Desktop) -> Missions:
    return Missions(desk.store)


def strike(desk: Desktop, *hosts: str, tactics: tuple[str, ...] = ("impact",)) -> str:
    """An open incident with an alert on these hosts."""
    raised = replace(alert(0, *map(host, hosts)), tactics=tactics, confidence=100)
    grouped = group([raised], [], now=NOW)
    with desk.store.write() as tx:
        tx.save_incidents(grouped.incidents)
        tx.save_alerts(grouped.alerts)
    return grouped.incidents[0].id


def mission_of(missions: Missions, desk: Desktop) -> Any:
    with desk.store.read() as reading:
        reckoned = missions.reckon(reading, now=NOW)
    assert reckoned is not None
    return reckoned.impact.values[reckoned.ground.network.number["mission"]]


def test_incident_lowers_the_mission_until_it_is_closed(missions: Missions, desk: Desktop) -> None:
    missions.save(NODE, TEXTS, version=None, now=NOW)
    assert mission_of(missions, desk).worst == 100
    incident_id = strike(desk, "scada-7")
    assert (mission_of(missions, desk).worst, mission_of(missions, desk).likely) == (35, 44)
    with desk.store.write() as tx:
        incident = tx.incident(incident_id)
        assert incident is not None
        tx.save_incidents([replace(incident, status=Status.CLOSED)])
    assert mission_of(missions, desk).worst == 100


def test_incident_on_what_the_model_does_not_know_is_counted_as_unknown(missions: Missions, desk: Desktop) -> None:
    missions.save(NODE, TEXTS, version=None, now=NOW)
    strike(desk, "elsewhere")
    with desk.store.read() as reading:
        reckoned = missions.reckon(reading, now=NOW)
    assert reckoned is not None
    assert reckoned.n_unmatched == 1


def test_model_with_errors_is_not_kept(missions: Missions) -> None:
    with pytest.raises(BadInputError, match="AMG-MISSION-MODEL"):
        missions.save(NODE, [ModelText(path="bad.toml", content="[[asset]]")], version=None, now=NOW)
    assert missions.model(NODE).version == 0


def test_undo_brings_the_model_before_back(missions: Missions) -> None:
    missions.save(NODE, TEXTS, version=0, now=NOW)
    small = [ModelText(path="small.toml", content='[[mission]]\nname = "alone"')]
    missions.save(NODE, small, version=1, now=NOW)
    back = missions.undo(NODE, version=2, now=NOW)
    assert (back.version, back.n_assets, back.n_undo) == (3, 3, 0)
    with pytest.raises(BadInputError, match="AMG-MISSION-UNDO"):
        missions.undo(NODE, version=3, now=NOW)


def test_edit_of_an_older_version_overruns_nobody(missions: Missions) -> None:
    missions.save(NODE, TEXTS, version=0, now=NOW)
    with pytest.raises(BadInputError, match="AMG-MISSION-CHANGED"):
        missions.save(NODE, TEXTS, version=0, now=NOW)


def test_model_survives_a_restart(desk: Desktop, missions: Missions) -> None:
    missions.save(NODE, TEXTS, version=None, now=NOW)
    assert Missions(desk.store).model(NODE).n_services == 2


def test_watch_officer_may_look_and_not_change(missions: Missions) -> None:
    assert missions.check(OFFICER, TEXTS).is_usable
    with pytest.raises(DeniedError):
        missions.save(OFFICER, TEXTS, version=None, now=NOW)
    with pytest.raises(DeniedError):
        missions.undo(OFFICER, version=None, now=NOW)


def test_what_if_refuses_what_is_not_there(missions: Missions) -> None:
    with pytest.raises(BadInputError, match="AMG-MISSION-NONE-HELD"):
        missions.what_if(NODE, {}, method=Method.FDNA)
    missions.save(NODE, TEXTS, version=None, now=NOW)
    for settings in ({"nobody": 0.0}, {"scada": 101.0}, {"scada": float("nan")}):
        with pytest.raises(BadInputError, match="AMG-MISSION-SET"):
            missions.what_if(NODE, settings, method=Method.FDNA)


def body(texts: list[ModelText], **more: Any) -> dict[str, Any]:
    return {"texts": [{"path": one.path, "content": one.content} for one in texts], **more}


def test_console_loads_looks_and_supposes(desk: Desktop) -> None:
    analyst = desk.session(Role.ANALYST)
    strike(desk, "scada-7")
    assert desk.ask("GET", "/api/mission/impact", token=analyst).json()["has_model"] is False
    kept = desk.ask("PUT", "/api/mission", token=analyst, body=body(TEXTS, version=0))
    assert (kept.status_code, kept.json()["version"]) == (200, 1)
    assert ("mission", {"version": 1}) in desk.published
    impact = desk.ask("GET", "/api/mission/impact", token=analyst).json()
    (mission,) = impact["missions"]
    assert mission["operability"] == {"worst": 35, "likely": 44, "best": 71}
    assert [step["name"] for step in mission["way"]] == ["mission", "base", "grid", "scada"]
    assert [one["name"] for one in impact["touched"]] == ["scada"]
    assert impact["incidents"][0]["missions"] == [["mission", {"worst": 65, "likely": 56, "best": 29}]]
    assert impact["restore"][0]["name"] == "scada"
    assert impact["forecast"][-1]["missions"]["mission"]["worst"] == 100
    supposed = desk.ask("POST", "/api/mission/what-if", token=analyst, body={"settings": {"scada": 0}}).json()
    assert supposed["operability"]["mission"] == 35
    hurts = desk.ask("GET", "/api/mission/hurts?services=true", token=analyst).json()
    assert hurts[0]["name"] == "base"


def test_console_draws_the_way_of_the_loss(desk: Desktop) -> None:
    analyst = desk.session(Role.ANALYST)
    strike(desk, "scada-7")
    desk.ask("PUT", "/api/mission", token=analyst, body=body(TEXTS))
    graph = desk.ask("GET", "/api/mission/graph", token=analyst).json()
    assert {(one["feeder"], one["receiver"]) for one in graph["edges"] if one["is_way"]} == {
        ("scada", "grid"),
        ("grid", "base"),
        ("base", "mission"),
    }
    assert {one["name"] for one in graph["nodes"] if one["is_touched"]} == {"scada"}


def test_graph_of_ten_thousand_nodes_is_collapsed_and_opened_where_asked(desk: Desktop) -> None:
    analyst = desk.session(Role.ANALYST)
    nodes = "".join(f'[[asset]]\nname = "a{n}"\n' for n in range(2_000))
    needs = ", ".join(f'"a{n}"' for n in range(2_000))
    text = f'{nodes}[[mission]]\nname = "m"\ndepends_on = [{needs}]\n'
    desk.ask("PUT", "/api/mission", token=analyst, body=body([ModelText(path="m.toml", content=text)]))
    graph = desk.ask("GET", "/api/mission/graph?limit=50", token=analyst).json()
    assert (len(graph["nodes"]), graph["n_all"]) == (50, 2_001)
    assert {one["name"]: one["n_hidden"] for one in graph["nodes"]}["m"] == 2_000 - 49
    opened = desk.ask("GET", "/api/mission/graph?limit=50&opened=m", token=analyst).json()
    assert len(opened["nodes"]) == 101
    around = desk.ask("GET", "/api/mission/graph?limit=50&around=a7", token=analyst).json()
    assert [one["name"] for one in around["nodes"]][:2] == ["a7", "m"]


def test_check_says_problems_and_keeps_nothing(desk: Desktop) -> None:
    officer = desk.session(Role.WATCH_OFFICER)
    bad = [ModelText(path="bad.toml", content='[[asset]]\nname = "a"\nweight = 11')]
    checked = desk.ask("POST", "/api/mission/check", token=officer, body=body(bad)).json()
    assert (checked["is_usable"], checked["problems"][0]["line"]) == (False, 3)
    assert desk.ask("GET", "/api/mission", token=officer).json()["version"] == 0
    assert desk.ask("PUT", "/api/mission", token=officer, body=body(TEXTS)).status_code == 403

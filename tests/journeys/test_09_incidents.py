"""What a watch officer reads and does: incidents, the queue, decisions that hold, and a campaign across three nodes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.nodes import JourneyNode, access_line, append, eventually, node_in, sign_between

pytestmark = pytest.mark.xdist_group("journey-incidents")
HUNT_RULE = """\
title: Backup asked for
id: 5c6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10
logsource: {category: webserver}
detection: {asked: {cs-uri-stem|endswith: .bak}, condition: asked}
level: medium
tags: [attack.reconnaissance, attack.t1595.003]
"""
BREAK_IN_RULE = (
    HUNT_RULE.replace("5c6a1c1e", "5d6a1c1e")
    .replace("Backup asked for", "Shell called")
    .replace(".bak", "/shell.php")
    .replace("level: medium", "level: high")
)
PARTIES = ("japan", "australia")


class Umbrella:
    """Two supported parties with a website each, and the supporting one, which has agreements with both."""

    def __init__(self, nodes: dict[str, JourneyNode], logs: dict[str, Path]) -> None:
        self.nodes = nodes
        self.logs = logs

    def hunt(self, party: str, numbers: range) -> None:
        append(self.logs[party], *(access_line(f"198.51.100.{n}", "/site.bak", second=n % 60) for n in numbers))


@pytest.fixture(scope="module")
def umbrella(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Umbrella]:
    home = tmp_path_factory.mktemp("incidents")
    logs = {name: home / f"{name}.log" for name in (*PARTIES, "america")}
    with (
        node_in(home / "japan") as japan,
        node_in(home / "australia", name="Australia", country="AU") as australia,
        node_in(home / "america", name="United States", country="US") as america,
    ):
        nodes = {"japan": japan, "australia": australia, "america": america}
        for name, node in nodes.items():
            logs[name].touch()
            node.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
            node.own_rule(HUNT_RULE)
            (node.folder / "content" / "break-in.yml").write_text(BREAK_IN_RULE, encoding="utf-8")
            node.follow("web", logs[name], form="access")
        for supported in PARTIES:
            (home / f"{supported}-papers").mkdir()
            sign_between(nodes[supported], america, home / f"{supported}-papers")
        for node in nodes.values():
            node.start()
        yield Umbrella(nodes, logs)


def queue(node: JourneyNode) -> list[dict[str, Any]]:
    return list(node.get("/api/queue")["incidents"])


def large(node: JourneyNode, n: int) -> list[dict[str, Any]]:
    return [one for one in queue(node) if one["incident"]["n_alerts"] >= n]


def test_hunt_by_many_addresses_is_one_line_of_the_queue(umbrella: Umbrella) -> None:
    japan = umbrella.nodes["japan"]
    umbrella.hunt("japan", range(1, 31))
    (row,) = eventually(lambda: large(japan, 30), about="the hunt is one incident")
    assert row["incident"]["title"] == "Backup asked for: 30 source addresses"
    told = japan.command("incident", "queue")
    assert "30 source addresses" in told.out
    assert "1 open: 1 to read in this shift" in told.err
    shown = japan.command("incident", "show", row["incident"]["id"]).json()
    assert [(step["n_alerts"], step["n_who"]) for step in shown["story"]] == [(30, 30)]
    assert shown["score"]["level"].startswith("baseline")


def test_source_that_breaks_in_leaves_the_hunt_with_what_it_did(umbrella: Umbrella) -> None:
    japan = umbrella.nodes["japan"]
    append(umbrella.logs["japan"], access_line("198.51.100.7", "/shell.php", second=59))
    row = eventually(
        lambda: [one for one in queue(japan) if one["incident"]["severity"] == 4], about="the break-in is by itself"
    )[0]
    shown = japan.command("incident", "show", row["incident"]["id"]).json()
    assert sorted(alert["title"] for alert in shown["alerts"]) == ["Backup asked for", "Shell called"]
    assert large(japan, 29)[0]["incident"]["n_alerts"] == 29


def test_decisions_hold_over_a_kill_and_are_undone(umbrella: Umbrella) -> None:
    japan = umbrella.nodes["japan"]
    broken = next(one for one in queue(japan) if one["incident"]["severity"] == 4)["incident"]["id"]
    for words in (("own", broken, "yuki"), ("stage", broken, "containment"), ("note", broken, "called the site")):
        done = japan.command("incident", *words)
        assert done.code == 0, done.err
    shell = next(one for one in japan.get(f"/api/incidents/{broken}")["alerts"] if one["title"] == "Shell called")
    split = japan.command("incident", "split", broken, "--alert", shell["id"])
    assert split.code == 0, split.err
    japan.kill()
    japan.start()
    case = japan.get(f"/api/incidents/{broken}")["case"]
    assert (case["owner"], case["stage"], case["notes"][0]["text"]) == ("yuki", "containment", "called the site")
    deed = next(one for one in case["history"] if one["kind"] == "split")
    append(umbrella.logs["japan"], access_line("198.51.100.7", "/shell.php", second=59))
    grown = eventually(
        lambda: [one for one in japan.alerts() if one["title"] == "Shell called" and one["n_detections"] == 2],
        about="it goes on",
    )
    assert grown[0]["incident_id"] == deed["other"]
    undone = japan.command("incident", "undo", broken, deed["id"])
    assert undone.code == 0, undone.err
    assert {one["title"] for one in japan.get(f"/api/incidents/{broken}")["alerts"]} == {
        "Backup asked for",
        "Shell called",
    }
    refused = japan.command("incident", "undo", broken, deed["id"])
    assert (refused.code, "cannot be undone" in refused.err) == (2, True)


def test_budget_holds_back_and_drops_nothing(umbrella: Umbrella) -> None:
    japan = umbrella.nodes["japan"]
    assert japan.command("incident", "budget", 1).code == 0
    told = japan.get("/api/queue")
    assert told["n_read"] + told["n_deferred"] + told["n_offered"] == told["n_open"] == 2
    assert [one["fate"] for one in told["incidents"]] == ["read", "deferred"]
    assert japan.command("incident", "budget").code == 0
    assert japan.command("incident", "budget", 0).code == 2


def test_hunt_over_three_parties_is_one_campaign_at_the_ally(umbrella: Umbrella) -> None:
    """Each sees a part of it, some sources are seen by two; incidents cross with a release officer's yes alone."""
    america = umbrella.nodes["america"]
    umbrella.hunt("australia", range(21, 61))
    umbrella.hunt("america", range(61, 91))
    eventually(lambda: large(umbrella.nodes["australia"], 40), about="Australia's part")
    eventually(lambda: large(america, 30), about="America's part")
    assert america.get("/api/campaigns")["campaigns"] == []
    for supported in PARTIES:
        release(umbrella.nodes[supported])
    found = eventually(
        lambda: [one for one in america.get("/api/campaigns")["campaigns"] if len(one["parties"]) == 3],
        about="one campaign of three",
    )
    assert len(found) == 1
    assert {party["name"] for party in found[0]["parties"]} == {"", "Japan", "Australia"}
    assert found[0]["n_sources"] == 89  # 90, less the one that broke in: it is an incident of its own
    listed = america.command("campaign", "list")
    assert "Japan" in listed.out
    shown = america.command("campaign", "show", found[0]["id"])
    assert any("did the same at the same time" in tie["why"] for tie in shown.json()["ties"])
    assert america.command("campaign", "show", "campaign--x").code == 2


def release(node: JourneyNode) -> None:
    """Say yes to every incident that waits."""

    def waiting() -> list[dict[str, Any]]:
        return [one for one in node.crossings(state="wanting") if one["object_type"] == "incident"]

    for one in eventually(waiting, about="incidents wait for a yes"):
        done = node.command("share", "release", one["id"])
        assert done.code == 0, done.err

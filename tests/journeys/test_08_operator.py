"""A grid company joins under its nation: what it gives goes on to the nation's ally by clause, and by clause alone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.nodes import (
    JourneyNode,
    access_line,
    append,
    assert_composed,
    eventually,
    node_in,
    run,
    sign_between,
)

# Three nodes and two agreements are some twenty commands before the first test.
pytestmark = [pytest.mark.xdist_group("journey-operator"), pytest.mark.timeout(400)]


class Three:
    """The grid company whose log is followed, Japan above it, and the United States beside Japan; all run."""

    def __init__(self, grid: JourneyNode, japan: JourneyNode, america: JourneyNode, log: Path) -> None:
        self.grid = grid
        self.japan = japan
        self.america = america
        self.log = log


def identity(node: JourneyNode) -> str:
    return str(json.loads(node.card.read_bytes())["id"])


def in_clause(text: str, clause: str, term: str) -> str:
    """The draft with one more term in this clause."""
    return text.replace(f'id = "{clause}"\n', f'id = "{clause}"\n{term}\n', 1)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    home = tmp_path_factory.mktemp("operator")
    (home / "access.log").touch()
    for name in ("nation", "company"):
        (home / name).mkdir()
    with (
        node_in(home / "grid", name="Kanto Grid", country="JP") as grid,
        node_in(home / "japan") as japan,
        node_in(home / "america", name="United States", country="US") as america,
    ):
        for node in (grid, japan, america):
            node.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
        grid.own_rule()
        grid.follow("web", home / "access.log", form="access")
        behalf = f'behalf = ["{identity(grid)}"]'
        nation = sign_between(
            japan, america, home / "nation", change=lambda text: in_clause(text, "indicators-from-supported", behalf)
        )
        told = run("agreement", "check", nation, "--json").json()
        under = f'under = {{id = "{told["id"]}", digest = "{told["digest"]}"}}'
        onward = f'handling = {{onward = ["{identity(america)}"]}}'

        def within(text: str) -> str:
            # No longer than the nation's, which began a moment earlier.
            from_, until = (told[name][:19] + "Z" for name in ("valid_from", "valid_until"))
            text = re.sub(r"^valid_from = .*$", f"valid_from = {from_}", text, flags=re.MULTILINE)
            text = re.sub(r"^valid_until = .*$", f"valid_until = {until}\n{under}", text, flags=re.MULTILINE)
            return in_clause(text, "indicators-from-supported", onward)

        sign_between(grid, japan, home / "company", change=within)
        yield Three(grid.start(), japan.start(), america.start(), home / "access.log")
        for node in (grid, japan, america):
            assert_composed(node.told())


def admitted(node: JourneyNode) -> list[dict[str, Any]]:
    return node.crossings(direction="in", state="admitted")


def naming(node: JourneyNode, address: str) -> list[str]:
    """Identifiers of the objects that the node admitted and which name this address."""
    told = [node.get(f"/api/crossings/{one['id']}") for one in admitted(node)]
    return [one["crossing"]["object_id"] for one in told if address in one["content"]]


def test_indicator_of_the_company_protects_the_ally_of_its_nation(three: Three) -> None:
    added = three.grid.command("content", "add", "198.51.100.10", "--title", "a scanner", "--share", "--json")
    assert added.code == 0, added.err
    indicator = added.json()["id"]
    held = eventually(
        lambda: [one for one in three.america.get("/api/content") if one["id"] == indicator and one["activated_at"]],
        about="it is active beyond the nation",
    )
    assert held[0]["origin"]["name"] == "Japan"
    passed = [one for one in three.japan.crossings(direction="out") if one["object_id"] == indicator]
    assert [(one["ally"]["name"], one["clause"]) for one in passed] == [("United States", "indicators-from-supported")]


def test_sighting_of_the_company_stays_with_its_nation(three: Three) -> None:
    append(three.log, access_line("203.0.113.77", "/journey-mark"))
    eventually(lambda: [one for one in admitted(three.japan) if one["object_type"] == "sighting"], about="Japan has it")
    eventually(lambda: naming(three.america, "203.0.113.77"), about="the indicator went on")
    assert not [one for one in admitted(three.america) if one["object_type"] == "sighting"]
    out = three.japan.crossings(direction="out")
    assert not [one for one in out if one["object_type"] == "sighting"]


def test_company_revokes_and_nothing_crosses_from_then_on(three: Three) -> None:
    (row,) = run("agreement", "show", three.grid.folder, "--json").json()
    name = str(row["file"]).removesuffix("-v1.json")
    done = run("agreement", "revoke", three.grid.folder, name, "--why", "we leave", "--yes", "--json")
    assert done.code == 0, done.err
    taken = run("agreement", "revoke", three.japan.folder, done.json()["file"], "--json")
    assert taken.code == 0, taken.err
    eventually(
        lambda: [one for one in three.grid.get("/api/agreements") if not one["is_in_force"]], about="it is noticed"
    )
    before = len(three.grid.crossings(direction="out"))
    assert three.grid.command("content", "add", "198.51.100.11", "--share", "--json").code == 0
    assert len(three.grid.crossings(direction="out")) == before
    states = {one["ended"]: one["is_in_force"] for one in three.japan.get("/api/agreements")}
    assert states == {"": True, "revoked": False}

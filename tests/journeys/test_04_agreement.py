"""The agreement between two nodes, from draft to force and out of it: signed, altered, taken away, expired."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

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
    sign_first,
)

pytestmark = pytest.mark.xdist_group("journey-agreement")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agreement")


@pytest.fixture(scope="module")
def made(home: Path) -> Iterator[tuple[Path, Path]]:
    """Two parties' folders, to copy."""
    with (
        node_in(home / "made-japan") as japan,
        node_in(home / "made-america", name="United States", country="US") as us,
    ):
        for node in (japan, us):
            node.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
            node.own_rule()
        japan.follow("web", home / "access.log", form="access")
        # Only the first of the two ports is the console's: the ally's is in the card, which the agreement repeats.
        yield japan.folder, us.folder


@pytest.fixture
def pair(made: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[JourneyNode, JourneyNode]]:
    with (
        node_in(tmp_path / "japan", like=made[0]) as japan,
        node_in(tmp_path / "america", name="United States", country="US", like=made[1]) as america,
    ):
        for node in (japan, america):
            node.keep_card_port()
        (tmp_path / "access.log").touch()
        japan.set_settings(lambda text: text.replace(str(made[0].parent / "access.log"), str(tmp_path / "access.log")))
        yield japan, america


def is_open(node: JourneyNode) -> bool:
    """Whether somebody listens at the node's door for allies."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", node.ally_port)) == 0


def has_arrived(america: JourneyNode, kind: str = "sighting") -> bool:
    return any(one["object_type"] == kind for one in america.crossings(direction="in", state="admitted"))


def test_agreement_signed_while_both_run_opens_the_line_without_a_restart(
    pair: tuple[JourneyNode, JourneyNode], tmp_path: Path
) -> None:
    japan, america = pair
    japan.start()
    america.start()
    assert not is_open(japan)
    assert not is_open(america)
    signed = sign_first(japan, america, tmp_path)
    assert run("agreement", "show", japan.folder, "--json").json() == []
    assert run("agreement", "sign", america.folder, signed, "--yes").code == 0
    eventually(lambda: is_open(america), about="the door of who has both signatures opens")
    assert run("agreement", "sign", japan.folder, signed, "--yes").code == 0
    eventually(lambda: is_open(japan), about="and the other's")
    append(tmp_path / "access.log", access_line("203.0.113.5", "/journey-mark"))
    eventually(lambda: has_arrived(america), about="the sighting has come over")
    assert [one["state"] for one in run("agreement", "show", japan.folder, "--json").json()] == ["in-force"]
    assert [one["ally"]["name"] for one in japan.command("ally", "list", "--json").json()] == ["United States"]
    assert "United States" in japan.command("ally", "list").out
    assert (japan.terminate(), america.terminate()) == (0, 0)


def test_agreement_taken_away_closes_the_line_and_put_back_opens_it(
    pair: tuple[JourneyNode, JourneyNode], tmp_path: Path
) -> None:
    japan, america = pair
    sign_between(japan, america, tmp_path)
    america.start()
    eventually(lambda: is_open(america), about="open from the start")
    (held,) = (america.folder / "agreements").glob("*.json")
    away = held.rename(tmp_path / "away.json")
    eventually(lambda: not is_open(america), about="closed")
    assert america.get("/api/allies") == []
    shutil.copy(away, held)
    eventually(lambda: is_open(america), about="open again")


def test_agreement_altered_by_one_byte_keeps_the_node_from_starting(
    pair: tuple[JourneyNode, JourneyNode], tmp_path: Path
) -> None:
    japan, america = pair
    sign_between(japan, america, tmp_path)
    (held,) = (america.folder / "agreements").glob("*.json")
    sound = held.read_bytes()
    altered = sound.replace(b"amber", b"ambes", 1) if b"amber" in sound else sound[:-10] + b"x" + sound[-9:]
    held.write_bytes(altered)
    refused = run("serve", america.folder)
    assert refused.code == 2
    assert held.name in refused.err
    assert "AMG-AGREEMENT" in refused.err
    assert run("agreement", "show", america.folder).code == 1
    title = sound.replace(b"Umbrella over Japan", b"Umbrella over Jopan")
    held.write_bytes(title)
    refused = run("serve", america.folder)
    assert refused.code == 2
    assert "signature" in refused.err
    held.write_bytes(sound)
    america.start()
    eventually(lambda: is_open(america), about="the sound one opens")
    held.write_bytes(title)
    eventually(lambda: not is_open(america), about="altered under a running node, it closes the line")
    told = america.command("ally", "list")
    assert told.code == 0
    assert "no agreement can be relied on" in told.out + told.err
    assert america.get("/api/status")["node"]["name"] == "United States"
    assert_composed(america.told())


def test_agreement_that_is_over_opens_nothing(pair: tuple[JourneyNode, JourneyNode], tmp_path: Path) -> None:
    japan, america = pair
    drafted = run(
        *("agreement", "draft", "--supported", japan.card, "--supporting", america.card),
        *("--from", "2020-04-01", "--until", "2021-03-31", "-o", tmp_path / "old.toml"),
    )
    assert drafted.code == 0, drafted.err
    checked = run("agreement", "check", tmp_path / "old.toml", "--json")
    assert checked.json()["problems"], "an expired draft is said to be so"
    signed = run("agreement", "sign", japan.folder, tmp_path / "old.toml", "--yes")
    assert signed.code == 2
    assert list((japan.folder / "agreements").iterdir()) == []


def test_agreement_is_signed_only_by_its_parties(pair: tuple[JourneyNode, JourneyNode], tmp_path: Path) -> None:
    japan, america = pair
    signed = sign_first(japan, america, tmp_path)
    with node_in(tmp_path / "stranger", name="Stranger", country="ZZ") as stranger:
        refused = run("agreement", "sign", stranger.folder, signed, "--yes")
    assert refused.code == 2
    assert "AMG-AGREEMENT" in refused.err


def test_agreement_without_a_yes_is_not_signed(pair: tuple[JourneyNode, JourneyNode], tmp_path: Path) -> None:
    japan, america = pair
    draft = tmp_path / "a.toml"
    assert run("agreement", "draft", "--supported", japan.card, "--supporting", america.card, "-o", draft).code == 0
    refused = run("agreement", "sign", japan.folder, draft)
    assert refused.code == 2
    assert "AMG-AGREEMENT-YES" in refused.err


def test_agreement_that_is_none_is_refused(pair: tuple[JourneyNode, JourneyNode], tmp_path: Path) -> None:
    for name, content in (("a.toml", b"title = ["), ("b.json", b"{}"), ("c.json", b"\xff\x00"), ("d.toml", b"")):
        (tmp_path / name).write_bytes(content)
        assert run("agreement", "check", tmp_path / name).code in {1, 2}
        assert run("agreement", "sign", pair[0].folder, tmp_path / name, "--yes").code == 2
    assert run("agreement", "check", tmp_path / "absent").code in {2, 3}

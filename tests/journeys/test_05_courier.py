"""The courier as a person carries it: two nodes whose line is cut, a folder for the stick, the command line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.journeys.nodes import JourneyNode, node_in, run, sign_between


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JourneyNode, JourneyNode]]:
    home = tmp_path_factory.mktemp("courier")
    with node_in(home / "japan") as japan, node_in(home / "america", name="United States", country="US") as america:
        sign_between(japan, america, home)
        yield japan, america


def share(node: JourneyNode, *addresses: str) -> None:
    assert node.command("content", "add", *addresses, "--share").code == 0


def states(node: JourneyNode) -> list[str]:
    return [one["state"] for one in node.command("share", "log", "--json").json()]


def test_courier_there_and_back_brings_each_object_once(nodes: tuple[JourneyNode, JourneyNode], tmp_path: Path) -> None:
    japan, america = nodes
    share(japan, "203.0.113.7", "203.0.113.8")
    written = japan.command("share", "courier", "write", "United States", tmp_path)
    assert "objects 2, parts 1" in written.err
    came = america.command("share", "courier", "read", tmp_path, "--answer", tmp_path)
    assert "part 1 from Japan: 2 objects\n" in came.err
    assert "2 objects, all held before" in america.command("share", "courier", "read", tmp_path).err
    back = japan.command("share", "courier", "read", tmp_path)
    assert "2 of ours are now known to have arrived" in back.err
    assert states(japan) == ["delivered", "delivered"]
    again = japan.command("share", "courier", "write", "United States", tmp_path)
    assert again.err == "nothing waits for this ally: nothing was written\n"


def test_courier_interrupted_goes_on_behind_the_part_that_is_there(
    nodes: tuple[JourneyNode, JourneyNode], tmp_path: Path
) -> None:
    japan, _ = nodes
    share(japan, "203.0.113.20", "203.0.113.21")
    first = min(one["id"] for one in japan.command("share", "log", "--state", "pending", "--json").json())
    place = {
        "ally": "United States",
        "courier": "709e56a4-3883-43c7-898c-1d8aadda84eb",
        "part": 2,
        "after": first,
        "n_objects": 1,
    }
    (tmp_path / "unfinished.json").write_bytes(msgspec.json.encode(place))
    other = run("share", "courier", "write", "Elsewhere", tmp_path, "--node", japan.folder)
    assert (other.code, "AMG-COURIER-PLACE" in other.err) == (2, True)
    written = japan.command("share", "courier", "write", "United States", tmp_path, "--json")
    assert written.json()["parts"] == ["709e56a4-0002.courier"]
    assert [path.name for path in tmp_path.iterdir()] == ["709e56a4-0002.courier"]


def test_courier_part_that_was_altered_is_said_and_the_others_are_read(
    nodes: tuple[JourneyNode, JourneyNode], tmp_path: Path
) -> None:
    japan, america = nodes
    share(japan, "203.0.113.30")
    japan.command("share", "courier", "write", "United States", tmp_path)
    (sound,) = tmp_path.iterdir()
    (tmp_path / "a.courier").write_bytes(sound.read_bytes()[:-1] + b"x")
    (tmp_path / "b.courier").write_bytes(b"no courier")
    done = run("share", "courier", "read", tmp_path, "--node", america.folder)
    assert done.code == 3
    assert [word in done.err for word in ("AMG-COURIER-SIGNATURE", "AMG-COURIER-FORM", "from Japan")] == [True] * 3

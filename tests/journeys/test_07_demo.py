"""The demo: the whole story on one machine, as anybody would run it first."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.nodes import AMAGASA, DEADLINE_S, answer_of, environment, eventually, run

pytestmark = pytest.mark.xdist_group("journey-demo")
MILESTONES = {
    "detected",
    "incident",
    "left",
    "sighted",
    "replied",
    "indicator_active",
    "rule_active",
    "indicator_detected",
    "rule_detected",
}


@pytest.fixture
def taken() -> Iterator[int]:
    """The demo's first port, held by another program."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else holds it already: as good
            stack.enter_context(socket.create_server(("127.0.0.1", 8480)))
        yield 8480


def test_demo_shows_everything_and_takes_other_ports_where_the_first_are_taken(taken: int, tmp_path: Path) -> None:
    home = tmp_path / "demo"
    done = run("demo", "--headless", "--json", "--folder", home)
    found = done.json()
    assert found["missing"] == [], done.err
    assert (done.code, found["ok"]) == (0, True)
    assert found["milestones"].keys() == MILESTONES
    assert found["supported"]["name"] == "Japan"
    assert found["n_lines"] > 0
    missions = found["missions"]["supported"]
    assert missions["operability"]["public-service"]["likely"] < 100  # the website is under attack
    assert missions["n_heard"] == found["missions"]["supporting"]["n_heard"] == 2
    assert sum(one["n_rejected"] for one in found["supported"]["sources"]) == 0
    assert f"port = {taken}" not in (home / "jp" / "node.toml").read_text(encoding="utf-8")


def test_demo_ended_too_soon_says_what_was_not_seen() -> None:
    done = run("demo", "--headless", "--seconds", "1", "--json")
    assert (done.code, done.json()["ok"]) == (1, False)
    assert "rule_detected" in done.json()["missing"]
    assert "not seen" in done.err


def test_demo_interrupted_ends_its_nodes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = subprocess.Popen(
        [*AMAGASA, "demo", "--headless"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)),
    )
    try:
        eventually(lambda: list(tmp_path.glob("*/*/run/node.sock")), about="a node is up")
        command.send_signal(signal.SIGINT)
        out, told = command.communicate(timeout=DEADLINE_S)
    finally:
        command.kill()
        command.wait()
    assert answer_of(command.returncode, out, told).code == 130
    assert list(tmp_path.iterdir()) == []


def test_demo_in_no_place_to_write_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused = run("demo", "--headless", "--seconds", "1", "--folder", tmp_path / "file")
    assert refused.code == 3
    assert "AMG-DEMO-FOLDER" in refused.err
    again = tmp_path / "again"
    (again / "jp").mkdir(parents=True)
    (again / "jp" / "mine").touch()
    refused = run("demo", "--headless", "--seconds", "1", "--folder", again)
    assert refused.code == 2
    assert os.listdir(again / "jp") == ["mine"]  # noqa: PTH208 - names are what is compared

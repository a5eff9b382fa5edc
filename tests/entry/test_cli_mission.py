"""`amagasa mission` without a node."""

import json
from pathlib import Path
from typing import Any

import pytest

from amagasa.entry.cli.main import main

MODEL = """
[[mission]]
name = "mission"
[[service]]
name = "grid"
[[service]]
name = "base"
[[asset]]
name = "scada"
[[asset]]
name = "comms"
[[asset]]
name = "web"
[dependencies]
"scada -> grid" = { strength = 0.9, criticality = 10 }
"grid -> base" = { strength = 0.8, criticality = 20 }
"comms -> base" = { strength = 0.6, criticality = 40 }
"base -> mission" = { strength = 0.9, criticality = 5 }
"web -> mission" = { strength = 0.2, criticality = 90 }
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "base.toml"
    file.write_text(MODEL)
    return str(file)


def run(*arguments: str) -> int:
    try:
        main(["mission", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_what_if_prints_the_operability_of_everything(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("what-if", "--model", model, "--set", "scada=0", "--json") == 0
    assert answer(capsys) == {
        "operability": {"mission": 35, "grid": 10, "base": 30, "scada": 0, "comms": 100, "web": 100}
    }


def test_what_if_takes_several_settings_and_a_method(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("what-if", "-m", model, "--set", "scada=80", "--set", "web=40", "--method", "weakest", "--json") == 0
    assert answer(capsys)["operability"]["mission"] == 40


def test_what_if_in_words_says_why_and_what_to_restore(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("what-if", "-m", model, "--set", "scada=0") == 0
    shown = capsys.readouterr()
    assert "at most 5 above base (30)" in shown.out
    assert "restore first: scada (+65)" in shown.err


@pytest.mark.parametrize("setting", ["scda=0", "scada", "scada=101", "scada=nan", "scada=-1", "=3", "scada=x"])
def test_setting_that_means_nothing_is_wrong_usage(
    model: str, setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("what-if", "-m", model, "--set", setting, "--json") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "AMG-MISSION-SET" in shown.err


def test_model_with_a_mistake_is_refused_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(MODEL + '"web -> nowhere" = {}\n')
    assert run("what-if", "-m", str(file), "--json") == 2
    assert "bad.toml:" in capsys.readouterr().err.replace("\n", "")
    assert run("check", str(file), "--json") == 1
    (problem,) = answer(capsys)["problems"]
    assert (problem["code"], problem["line"]) == ("AMG-MISSION-UNKNOWN", 20)


def test_file_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("what-if", "-m", str(tmp_path / "none.toml"), "--json") == 2
    assert "AMG-MISSION-FILE" in capsys.readouterr().err


def test_hurts_ranks_the_assets(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("hurts", "-m", model, "--json") == 0
    assert [(one["name"], one["loss"]) for one in answer(capsys)] == [("scada", 65), ("comms", 55), ("web", 10)]


def test_node_keeps_its_model_and_says_how_missions_stand(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node = tmp_path / "node"
    with pytest.raises(SystemExit, match="0"):
        main(["init", str(node), "--name", "Japan", "--country", "JP"])
    where = ("--node", str(node))
    assert run("impact", *where) == 2  # no model: not the same as no loss
    assert run("load", model, *where) == 0
    capsys.readouterr()
    assert run("impact", "--json", *where) == 0
    found = answer(capsys)
    assert [one["operability"] for one in found["missions"]] == [{"worst": 100, "likely": 100, "best": 100}]
    assert run("impact", "--forecast", *where) == 0
    assert "no open incident touches it" in capsys.readouterr().err
    assert run("what-if", "--set", "scada=0", "--json", *where) == 0
    assert answer(capsys)["operability"]["mission"] == 35
    assert run("undo", *where) == 2

"""`amagasa baseline` and `detect --baseline`, as a person calls them."""

import json
from pathlib import Path

import pytest

from amagasa.entry.cli.main import main

HEADER = (
    "TimeStamp;Relative Time;srcIP;dstIP;srcPort;dstPort;ipLen;MMS Type;MMS Service;Invoke Id;Domain Id;Item Id;"
    "Object Class"
)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def flows(path: Path, *rows: tuple[int, int, int]) -> str:
    """(second, type, service) of each request."""
    lines = [
        f"07:{second // 60:02d}:{second % 60:02d}.5;0;10.0.0.3;10.0.0.9;50225;102;90;{kind};{service};1;;;"
        for second, kind, service in rows
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="ascii")
    return str(path)


@pytest.fixture
def usual(tmp_path: Path) -> str:
    return flows(tmp_path / "usual.csv", *((10 * n, 0, 4) for n in range(60)))


@pytest.fixture
def baseline(tmp_path: Path, usual: str) -> str:
    file = str(tmp_path / "plant.baseline")
    assert run("baseline", "learn", file, usual) == 0
    assert run("baseline", "freeze", file, "--by", "M. Sato") == 0
    return file


def found(tmp_path: Path, baseline: str, path: str) -> list[str]:
    output = tmp_path / "found.ndjson"
    assert run("detect", path, "--baseline", baseline, "--output", str(output)) == 0
    ids = [json.loads(line)["rule_id"] for line in output.read_text(encoding="utf-8").splitlines()]
    return [one for one in ids if one.startswith("baseline-")]


def test_baseline_against_what_it_learnt_finds_nothing(tmp_path: Path, baseline: str, usual: str) -> None:
    assert found(tmp_path, baseline, usual) == []


def test_baseline_against_a_write_and_a_gap_finds_both(tmp_path: Path, baseline: str) -> None:
    polls = [(10 * n, 0, 4) for n in range(60) if not 20 <= n < 30]
    path = flows(tmp_path / "odd.csv", *polls, (595, 0, 5))
    assert sorted(found(tmp_path, baseline, path)) == ["baseline-lost-poll", "baseline-new-writer"]


def test_baseline_that_learns_does_not_alarm_and_says_so(tmp_path: Path, usual: str) -> None:
    file = str(tmp_path / "plant.baseline")
    run("baseline", "learn", file, usual)
    assert run("detect", usual, "--baseline", file) == 2


def test_frozen_baseline_does_not_learn(baseline: str, usual: str) -> None:
    assert run("baseline", "learn", baseline, usual) == 2


def test_thawed_baseline_learns_again(baseline: str, usual: str) -> None:
    assert run("baseline", "thaw", baseline, "--by", "M. Sato") == 0
    assert run("baseline", "learn", baseline, usual) == 0


def test_baseline_is_shown_with_who_froze_it(baseline: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("baseline", "show", baseline, "--json") == 0
    shown = capsys.readouterr()
    _, row = json.loads(shown.out)
    assert (row["device"], row["function"], row["n"]) == ("mms 10.0.0.9", "read", 60)
    assert "M. Sato" in shown.err


@pytest.mark.parametrize("text", ["", "{", '{"version": 9}', '{"devices": 3}', "[]"])
def test_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "no.baseline"
    file.write_text(text, encoding="ascii")
    assert run("baseline", "show", str(file)) == 2

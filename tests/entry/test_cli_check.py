"""`amagasa content check` as it is typed: what a rule writer sees, and what a script reads."""

import tarfile
from pathlib import Path

import pytest
from tests.journeys.nodes import MARK_RULE, run

from amagasa.detect.lint.codes import LINTS
from amagasa.detect.lint.codes_ja import ABOUT_JA

BROKEN = MARK_RULE.replace("stem|contains", "stem|contians").replace("3f7a10", "3f7a11").replace("Mark of", "Broken of")
WARNED = MARK_RULE.replace("cs-uri-stem", "cs-uri-stam").replace("3f7a10", "3f7a12").replace("Mark of", "Odd mark of")
CASES = """\
cases:
  - name: marked
    record: '192.0.2.1 - - [23/Nov/2026:12:00:00 +0900] "GET /journey-mark/1 HTTP/1.1" 200 5 "-" "x"'
    matches: {}
"""
FINDING_KEYS = {
    "path",
    "line",
    "column",
    "n_characters",
    "grade",
    "code",
    "rule_id",
    "what",
    "expected",
    "hint",
    "source",
}


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rules" / "mark.yml"
    path.parent.mkdir()
    path.write_text(MARK_RULE, encoding="utf-8")
    return path


def test_check_of_a_good_rule_says_what_feeds_it_and_what_it_costs(rule: Path) -> None:
    done = run("content", "check", rule)
    assert done.code == 0
    assert "fed by   access logs of web servers" in done.out
    assert "x the median built-in rule" in done.out
    assert "tests    none" in done.out
    assert "1 rule in 1 file, 0 cannot run" in done.err


def test_check_shows_the_line_with_a_caret_and_what_was_meant(rule: Path) -> None:
    rule.write_text(BROKEN, encoding="utf-8")
    done = run("content", "check", rule)
    assert done.code == 1
    lines = done.out.splitlines()
    line = BROKEN.splitlines().index("        cs-uri-stem|contians: /journey-mark") + 1
    assert lines[0] == f"{rule}:{line}:21: error: Sigma has no modifier 'contians' [unknown-modifier]"
    assert lines[1] == f"{line:>6} |         cs-uri-stem|contians: /journey-mark"
    assert lines[2] == "       |                     ^^^^^^^^"
    assert "did you mean contains?" in done.out
    assert "cannot run" in done.out


def test_check_exits_by_how_grave_the_findings_are(rule: Path) -> None:
    rule.write_text(WARNED, encoding="utf-8")
    assert run("content", "check", rule).code == 0
    warned = run("content", "check", rule, "--fail-on", "warning")
    assert warned.code == 1
    assert "did you mean cs-uri-stem?" in warned.out
    assert run("content", "check", rule, "--fail-on", "grave").code == 2


def test_check_as_json_is_one_document_with_findings_and_rules(rule: Path) -> None:
    (rule.parent / "broken.yml").write_text(BROKEN, encoding="utf-8")
    done = run("content", "check", rule.parent, "--json")
    assert done.code == 1
    document = done.json()
    assert (document["n_files"], document["n_rules"], document["n_can_run"], document["n_errors"]) == (2, 2, 1, 1)
    assert [(Path(one["path"]).name, one["code"]) for one in document["findings"] if one["grade"] == "error"] == [
        ("broken.yml", "unknown-modifier")
    ]
    assert all(one.keys() == FINDING_KEYS for one in document["findings"])
    feeds = {one["title"]: one["feeds"] for one in document["rules"]}["Mark of the journey"]
    assert feeds.split("; ")[0] == "access logs of web servers"


def test_check_as_ndjson_is_a_finding_a_line(rule: Path) -> None:
    rule.write_text(BROKEN, encoding="utf-8")
    rows = run("content", "check", rule, "--ndjson").rows()
    assert "unknown-modifier" in {one["code"] for one in rows}


def test_check_tries_the_cases_beside_a_rule(rule: Path) -> None:
    beside = rule.parent / "mark.test.yml"
    beside.write_text(CASES.format("true"), encoding="utf-8")
    passed = run("content", "check", rule.parent)
    assert (passed.code, "1 of 1 pass" in passed.out) == (0, True)
    beside.write_text(CASES.format("false"), encoding="utf-8")
    failed = run("content", "check", rule.parent)
    assert failed.code == 1
    assert (
        f"{beside}:2:11: error: the test case 'marked' expects no match; got 1 of 1 records [case-failed]" in failed.out
    )


def test_check_of_one_rule_finds_the_cases_beside_it(rule: Path) -> None:
    (rule.parent / "mark.test.yml").write_text(CASES.format("false"), encoding="utf-8")
    assert "case-failed" in run("content", "check", rule).out


def test_check_of_an_archive_with_regression_data_tries_it(rule: Path, tmp_path: Path) -> None:
    named = MARK_RULE + "regression_tests_path: regression_data/mark/info.yml\n"
    (rule.parent / "mark.yml").write_text(named, encoding="utf-8")
    data = tmp_path / "regression_data" / "mark"
    data.mkdir(parents=True)
    log = "".join(
        f'192.0.2.{n} - - [23/Nov/2026:12:00:00 +0900] "GET /journey-mark/1 HTTP/1.1" 200 5\n' for n in range(2)
    )
    (data / "log.log").write_text(log, encoding="utf-8")
    info = "id: x\nregression_tests_info:\n    - {name: a, match_count: 2, path: regression_data/mark/log.log}\n"
    (data / "info.yml").write_text(info, encoding="utf-8")
    assert "1 of 1 pass" in run("content", "check", rule).out
    archive = tmp_path / "all.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "rules", "sigma/rules")
        packed.add(tmp_path / "regression_data", "sigma/regression_data")
    moved = tmp_path / "elsewhere" / "all.tar.gz"
    moved.parent.mkdir()
    archive.rename(moved)
    for folder in (data, rule.parent):
        for file in folder.iterdir():
            file.unlink()
    assert "1 of 1 pass" in run("content", "check", moved).out


def test_check_of_a_rule_that_names_a_file_outside_of_its_folders_reads_nothing(rule: Path, tmp_path: Path) -> None:
    (tmp_path / "info.yml").write_text(
        "id: x\nregression_tests_info: [{name: a, path: ../../../../../../../../etc/passwd}]\n", encoding="utf-8"
    )
    rule.write_text(MARK_RULE + "regression_tests_path: ../info.yml\n", encoding="utf-8")
    assert "tests    none" in run("content", "check", rule).out


def test_check_without_paths_looks_over_the_built_in_rules() -> None:
    done = run("content", "check", "--json")
    document = done.json()
    assert (done.code, document["n_errors"], document["n_warnings"]) == (0, 0, 0)
    assert document["n_rules"] == document["n_can_run"] > 100


def test_check_of_what_is_not_there_or_holds_no_rule_is_wrong_usage(rule: Path) -> None:
    assert run("content", "check", rule.parent / "absent").code == 2
    (rule.parent / "void").mkdir()
    assert run("content", "check", rule.parent / "void").code == 2
    (rule.parent / "notes.docx").write_text("x", encoding="utf-8")
    assert run("content", "check", rule.parent / "notes.docx").code == 2


def test_check_of_what_cannot_be_read_could_not_look(rule: Path) -> None:
    (rule.parent / "torn.yml").write_bytes(b"title: \xff")
    done = run("content", "check", rule.parent)
    assert done.code == 3
    assert "torn.yml:1:1: error: the file is not UTF-8" in done.out


def test_check_of_hostile_text_shows_it_escaped(rule: Path) -> None:
    rule.write_text(MARK_RULE.replace("level: high", "level: 'a\u202eb\u200b'"), encoding="utf-8")
    done = run("content", "check", rule)
    assert "unknown-level" in done.out
    assert "\u202e" not in done.out
    assert "a\\u202eb" in done.out


def test_check_of_a_bomb_says_so_and_goes_on(rule: Path) -> None:
    (rule.parent / "bomb.yml").write_text("[" * 500_000, encoding="utf-8")
    done = run("content", "check", rule.parent)
    assert done.code in {1, 3}
    assert "bomb.yml:1:" in done.out
    assert "Mark of the journey" in done.out


def test_check_of_indicators_says_what_is_odd_of_them(tmp_path: Path) -> None:
    listed = tmp_path / "own.txt"
    listed.write_text("198.51.100.7\n192.168.0.1\n", encoding="utf-8")
    done = run("content", "check", listed)
    assert done.code == 0
    assert f"{listed}:2:1: warning: '192.168.0.1' is another machine in every network" in done.out
    assert "2 indicators in 1 file" in done.err
    stix = tmp_path / "feed.json"
    stix.write_text('{"type": "bundle", "objects": [{"type": "indicator", "id": "x"}]}', encoding="utf-8")
    assert run("content", "check", stix).code == 1
    both = run("content", "check", tmp_path, "--json").json()
    assert {Path(one["path"]).name for one in both["findings"]} == {"own.txt", "feed.json"}


def test_check_of_a_folder_passes_over_what_holds_no_content(rule: Path) -> None:
    (rule.parent / "README.txt").write_text("These are rules.\nThey are ours.\n", encoding="utf-8")
    (rule.parent / "event.json").write_text('{"EventID": 1}', encoding="utf-8")
    done = run("content", "check", rule.parent, "--json").json()
    assert (done["n_files"], done["n_errors"]) == (1, 0)


def test_check_lists_every_kind_of_finding() -> None:
    rows = run("content", "check", "--codes", "--ndjson").rows()
    assert {one["code"]: one["grade"] for one in rows} == {code: lint.grade.value for code, lint in LINTS.items()}


def test_check_speaks_japanese_where_asked_or_where_the_terminal_does(rule: Path) -> None:
    rule.write_text(WARNED, encoding="utf-8")
    asked = run("content", "check", rule, "--lang", "ja")
    assert ABOUT_JA["field-typo"] in asked.out
    assert "実行できないもの 0" in asked.err
    by_terminal = run("content", "check", "--codes", env={"LC_ALL": "ja_JP.UTF-8"})
    assert ABOUT_JA["never-equal"] in by_terminal.out
    assert ABOUT_JA["never-equal"] not in run("content", "check", "--codes", "--lang", "en").out

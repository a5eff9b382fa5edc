"""What `amagasa detect` leaves out on purpose, and says so: levels, statuses, rules replaced, exclusions, filters."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.journeys.nodes import MARK_RULE, access_line, run

RULE_ID = "6f6a1c1e-3f0e-4b44-9d3c-6c1f6f3f7a10"
LINES = [access_line("203.0.113.5", "/journey-mark/1"), access_line("192.0.2.1", "/journey-mark/2")]
OTHER_ID = RULE_ID.replace("7a10", "7a99")
OTHER = MARK_RULE.replace("7a10", "7a99").replace("Mark of", "New mark of").replace("level: high", "level: low")
FILTER = """\
title: Our own scanner
logsource: {category: webserver}
filter:
    rules: [RULE]
    ours: {c-ip: 203.0.113.5}
    condition: not ours
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a log and a folder of rules."""
    (tmp_path / "access.log").write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mark.yml").write_text(MARK_RULE, encoding="utf-8")
    return tmp_path


def detect(site: Path, *options: object, code: int = 0) -> tuple[dict[str, Any], str]:
    """The summary, and what is said on stderr."""
    done = run("detect", site / "access.log", "--rules", site / "rules", "--summary", site / "s.json", *options)
    assert done.code == code, done.err
    return msgspec.json.decode((site / "s.json").read_bytes(), type=dict[str, Any]), done.err


def exclude(site: Path, *entries: str) -> tuple[str, Path]:
    path = site / "site.toml"
    path.write_text("".join(f"[[exclude]]\n{entry}\n" for entry in entries), encoding="utf-8")
    return "--exclusions", path


def entry(rule: str = RULE_ID, expires: str = '"never"', more: str = "") -> str:
    return f'rule = "{rule}"\nreason = "our scanner"\nexpires = {expires}\n{more}'


@pytest.mark.parametrize(
    ("options", "n_rules", "by"),
    [
        ((), 2, {}),
        (("--level", "medium"), 1, {"level": 1}),
        (("--min-level", "high"), 1, {"level": 1}),
        (("--status", "test,stable"), 2, {}),
        (("--status", "stable"), 0, {"status": 2}),
        (("--status", "stable", "--status", "test", "--level", "low"), 2, {}),
    ],
)
def test_rules_of_other_levels_and_statuses_are_left_out_and_counted(
    site: Path, options: tuple[str, ...], n_rules: int, by: dict[str, int]
) -> None:
    (site / "rules" / "other.yml").write_text(OTHER, encoding="utf-8")
    if not n_rules:
        assert run("detect", site / "access.log", "--rules", site / "rules", *options).code == 2
        return
    summary, said = detect(site, *options)
    assert (summary["n_rules"], summary["n_rules_off_by"], summary["rules_off"]) == (n_rules, by, [])
    assert ("switched off" in said) is bool(by)


def test_status_that_sigma_does_not_have_is_refused(site: Path) -> None:
    done = run("detect", site / "access.log", "--status", "stabel")
    assert done.code == 2
    assert "stable, test, experimental" in done.err


def test_rule_that_another_replaces_is_named(site: Path) -> None:
    new = OTHER + f"related: [{{id: {RULE_ID}, type: obsolete}}]\n"
    (site / "rules" / "new.yml").write_text(new, encoding="utf-8")
    summary, said = detect(site)
    assert [(one["rule_id"], one["by"]) for one in summary["rules_off"]] == [(RULE_ID, "replaced")]
    assert summary["detections_by_rule"] == {OTHER_ID: 2}
    assert f"switched off {RULE_ID}" in said


def test_exclusion_is_counted_by_rule_and_shown_with_its_reason(site: Path) -> None:
    summary, said = detect(site, *exclude(site, entry(more="detection = { s = { c-ip = '203.0.113.5' } }")))
    assert (summary["n_detections"], summary["n_excluded"]) == (1, 1)
    (one,) = summary["excluded"]
    assert (one["reason"], one["n"], one["by_rule"], one["n_rules"]) == ("our scanner", 1, {RULE_ID: 1}, 1)
    assert "excluded 1 match of 1 rule, for ever (our scanner;" in said


def test_expired_exclusion_takes_nothing_out_and_says_so(site: Path) -> None:
    summary, said = detect(site, *exclude(site, entry(expires="2020-01-01")))
    assert (summary["n_detections"], summary["excluded"][0]["is_expired"]) == (2, True)
    assert "exclusion expired on 2020-01-01" in said


def test_exclusion_of_a_rule_that_is_not_there_says_so(site: Path) -> None:
    summary, said = detect(site, *exclude(site, entry(rule="mispelt", expires=str(date(2999, 1, 1)))))
    assert (summary["n_detections"], summary["excluded"][0]["n_rules"]) == (2, 0)
    assert "exclusion fits no rule" in said


def test_exclusion_that_cannot_be_used_is_a_fault_and_takes_nothing_out(site: Path) -> None:
    summary, _ = detect(site, *exclude(site, entry(more="raeson = ''")), code=3)
    assert summary["n_detections"] == 2
    assert summary["faults"][0]["path"].endswith("site.toml#1")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_exclusion_counts_alike_in_several_processes(site: Path, processes: str) -> None:
    summary, _ = detect(site, *exclude(site, entry()), "--processes", processes)
    assert (summary["n_detections"], summary["n_excluded"], summary["excluded"][0]["n"]) == (0, 2, 2)


def test_filter_takes_its_records_out(site: Path) -> None:
    (site / "rules" / "a_filter.yml").write_text(FILTER.replace("RULE", RULE_ID), encoding="utf-8")
    summary, _ = detect(site)
    assert summary["detections_by_rule"] == {RULE_ID: 1}


def test_filter_for_a_rule_that_is_not_there_is_a_fault_that_is_shown(site: Path) -> None:
    (site / "rules" / "a_filter.yml").write_text(FILTER.replace("RULE", "another"), encoding="utf-8")
    summary, said = detect(site, code=3)
    assert (summary["n_detections"], summary["n_rules_faulted"]) == (2, 1)
    assert "the filter names the rule another, which is not loaded" in said


def test_placeholders_get_their_values_from_the_file_named(site: Path) -> None:
    rule = MARK_RULE.replace("cs-uri-stem|contains: /journey-mark", "c-ip|expand: '%Ours%'")
    (site / "rules" / "mark.yml").write_text(rule, encoding="utf-8")
    (site / "other.yml").write_text(OTHER, encoding="utf-8")
    values = site / "values.toml"
    values.write_text('Ours = ["203.0.113.*"]\n', encoding="utf-8")
    summary, _ = detect(site, "--placeholders", values)
    assert summary["n_detections"] == 1
    faulty, said = detect(site, "--rules", site / "other.yml", code=3)
    assert faulty["n_rules_faulted"] == 1
    assert "%Ours%" in said

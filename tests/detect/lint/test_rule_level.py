# ruff: noqa: E501 - a table reads best with a case a line
"""What the compiled rule tells: true of all, true of none, its cost; and the review that puts it together."""

import pytest

from amagasa.detect.lint.cost import COSTLY, cost_of, longest_text
from amagasa.detect.lint.finding import Grade
from amagasa.detect.lint.review import Review, review
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Rule
from tests.detect.built_in import BUILT_IN
from tests.detect.lint.rules import GOOD, changed, pointed_at, selecting

SYSTEM = GOOD.replace(
    "    category: process_creation\n    product: windows", "    product: windows\n    service: system"
)


def reviewed(text: str) -> Review:
    (one,) = review(text)
    return one


def codes(text: str) -> list[str]:
    return [one.code for one in reviewed(text).findings]


def rule_of(text: str) -> Rule:
    (rule,), faults = compile_rules([("", text)])
    assert faults == ()
    return rule


def with_filter(items: str, more: str) -> str:
    return selecting(items, "selection and not filter").replace(
        "    condition", f"    filter:\n        {more}\n    condition"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (selecting("EventID: [1, 4688]"), "matches-all"),
        (SYSTEM.replace("Image|endswith: '\\certutil.exe'", "Channel: Security"), "never-true"),
        (with_filter("OriginalFileName: a.exe", "OriginalFileName|endswith: .exe"), "never-true"),
        (with_filter("OriginalFileName|endswith: a.exe", "OriginalFileName|endswith: .exe"), "never-true"),
        (selecting("OriginalFileName: a.exe\nOriginalFileName|startswith: b"), "never-true"),
        (selecting("CommandLine|contains: abcd", "not selection"), "only-negative"),
        (selecting("\n".join(f"CommandLine|re: 'a{n}.{{0,400}}b'" if n == 0 else f"ParentCommandLine|re: 'a{n}.{{0,400}}b'" for n in range(2))), "costly"),
    ],
)  # fmt: skip
def test_review_says_what_the_rule_as_a_whole_is(text: str, code: str) -> None:
    assert code in codes(text)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        with_filter("OriginalFileName: a.exe", "OriginalFileName: b.exe"),
        with_filter("CommandLine|contains: abcd", "CommandLine|contains: abcde"),
        selecting("OriginalFileName: a.exe\nOriginalFileName|startswith: a"),
        SYSTEM.replace("Image|endswith: '\\certutil.exe'", "EventID: 7045"),
    ],
)
def test_review_of_a_rule_that_can_match_says_nothing_of_its_truth(text: str) -> None:
    assert not {"matches-all", "never-true", "only-negative", "costly"} & set(codes(text))


def test_review_names_the_feeds_and_what_they_lack() -> None:
    one = reviewed(selecting("OriginalFileName: a.exe\nCommandLine|contains: abcd"))
    assert one.feeds == "Sysmon 1; Security 4688"
    assert [(lack.feed, lack.fields) for lack in one.lacks] == [("Security 4688", ("OriginalFileName",))]


def test_review_of_what_cannot_run_has_one_error_that_says_why() -> None:
    text = selecting("User|expand: '%admins%'")
    one = reviewed(text)
    assert one.rule is None
    assert [(found.code, found.grade) for found in one.findings] == [("placeholder-empty", Grade.ERROR)]
    assert pointed_at(text, one.findings[0]) == "%admins%"


def test_review_of_what_cannot_run_for_a_reason_of_its_own_says_that() -> None:
    one = reviewed(GOOD + "action: unheard-of\n")
    assert one.rule is None
    assert [(found.code, found.grade) for found in one.findings] == [("cannot-run", Grade.ERROR)]


def test_review_with_the_values_of_a_placeholder_finds_nothing_wrong() -> None:
    (one,) = review(selecting("User|expand: '%admins%'"), {"admins": ("root",)})
    assert one.rule is not None
    assert "placeholder-empty" not in [found.code for found in one.findings]


def test_review_of_a_placeholder_that_is_nearly_one_with_values_names_that() -> None:
    (one,) = review(selecting("User|expand: '%admin%'"), {"admins": ("root",)})
    assert "admins" in next(found.hint for found in one.findings if found.code == "placeholder-empty")


def test_review_of_a_rule_repeated_with_changes_is_of_what_is_meant() -> None:
    text = selecting("User|contains: abcd") + "\n---\naction: repeat\nlevel: hgih\n"
    first, second = review(text)
    assert first.rule is not None
    assert "hgih" in " ".join(found.what for found in second.findings)


def test_review_of_what_cannot_run_keeps_to_the_finding_that_explains_it() -> None:
    one = reviewed(changed("|contains", "|contians"))
    assert one.rule is None
    assert [found.code for found in one.findings] == ["unknown-modifier"]


def test_review_of_what_runs_all_the_same_calls_nothing_an_error() -> None:
    one = reviewed(changed("level: high", "level: hgih\nrelated: []"))
    assert one.rule is not None
    assert not [found for found in one.findings if found.grade is Grade.ERROR]


def test_review_of_several_documents_gives_each_its_own_rule() -> None:
    other = GOOD.replace("a1c0001", "a1c0002").replace("Certutil fetches", "Bitsadmin fetches")
    first, broken, second = review(
        f"{GOOD}---\n{changed('|contains', '|contians').replace('a1c0001', 'a1c0003')}---\n{other}"
    )
    assert [one.rule and one.rule.title for one in (first, broken, second)] == [
        "Certutil fetches a file",
        None,
        "Bitsadmin fetches a file",
    ]


def test_cost_of_the_median_built_in_rule_is_one() -> None:
    ratios = sorted(cost_of(rule_of(text)).ratio for _, text in BUILT_IN)
    assert 0.8 <= ratios[len(ratios) // 2] <= 1.25


def test_cost_tells_what_must_be_there_for_the_rule_to_be_asked() -> None:
    cost = cost_of(rule_of(GOOD))
    assert cost.required == ("Image endswith '\\certutil.exe'",)
    assert cost.words == ()


@pytest.mark.parametrize(
    ("items", "word"),
    [
        ("- abcdef", "whole record"),
        ("CommandLine|contains: ' -'", "asked often"),
        ("CommandLine|re: '[a-z]+\\d'", "without a text"),
        ("CommandLine|re: 'a.{0,400}b'", "counts beyond"),
        ("Image|fieldref: ParentImage", "event by event"),
        ("ProcessId|gt: 4", "as a number"),
    ],
)
def test_cost_says_why_it_is_high(items: str, word: str) -> None:
    cost = cost_of(rule_of(selecting(items)))
    assert word in cost.words[0]
    assert cost.ratio > cost_of(rule_of(GOOD)).ratio
    assert COSTLY > 1


@pytest.mark.parametrize(
    ("expression", "length"),
    [("abc", 3), ("a(bcd)e", 1), ("[abc]de", 2), ("abcd*e", 3), ("a\\.bc", 4), ("ab|cdef", 0), ("ab{3}c", 1), ("", 0)],
)
def test_longest_text_counts_what_must_be_there(expression: str, length: int) -> None:
    assert longest_text(expression) == length


@pytest.mark.parametrize(("path", "text"), BUILT_IN, ids=[path for path, _ in BUILT_IN])
def test_built_in_rule_has_neither_error_nor_warning(path: str, text: str) -> None:
    found = [(one.code, one.what) for one in reviewed(text).findings if one.grade is not Grade.NOTE]
    assert found == []

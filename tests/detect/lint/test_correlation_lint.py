"""What is said of correlations and filters: what brings it about, where it points, what was meant."""

import pytest

from amagasa.detect.lint.review import review
from tests.detect.lint.rules import codes_of, findings_of, pointed_at

GOOD = """\
title: Many passwords refused
id: 7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0011
status: test
description: Guessing.
level: high
correlation:
    type: event_count
    rules: [refused]
    group-by: [src_ip]
    timespan: 10m
    condition: {gte: 10}
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


TEMPORAL = (
    changed("event_count", "temporal").replace("[refused]", "[one, two]").replace("    condition: {gte: 10}\n", "")
)
CASES = [
    (changed("event_count", "event_cuont"), "unknown-correlation", "event_cuont", "event_count"),
    (changed("    type: event_count\n", ""), "correlation-form", "correlation", ""),
    (changed("group-by", "groupby"), "correlation-key", "groupby", "group-by"),
    (changed("    group-by: [src_ip]\n", ""), "correlation-ungrouped", "correlation", ""),
    (changed("    rules: [refused]\n", ""), "correlation-form", "correlation", ""),
    (changed("[refused]", "[refused, refused]"), "correlation-form", "refused", ""),
    (changed("10m", "10 minutes"), "correlation-form", "10 minutes", "without a blank"),
    (changed("    timespan: 10m\n", ""), "correlation-form", "correlation", ""),
    (changed("{gte: 10}", "{gte: '10'}"), "correlation-form", "'10'", ""),
    (changed("{gte: 10}", "{ge: 10}"), "correlation-key", "ge", "gte"),
    (changed("{gte: 10}", "{}"), "correlation-form", "{", ""),
    (changed("    condition: {gte: 10}\n", ""), "correlation-form", "correlation", ""),
    (changed("{gte: 10}", "{gt: 10, lt: 10}"), "never-true", "gt", ""),
    (changed("{gte: 10}", "one and two"), "correlation-form", "one and two", ""),
    (changed("event_count", "value_count"), "correlation-form", "{", "field"),
    (TEMPORAL + "    condition: {gte: 3}\n", "never-true", "gte", ""),
    (TEMPORAL + "    condition: one and tow\n", "undefined-selection", "tow", "two"),
    (TEMPORAL + "    aliases: {who: {one: user, tow: account}}\n", "correlation-form", "tow", "two"),
    (TEMPORAL + "    aliases: {who: {one: user}}\n", "correlation-key", "who", ""),
    (changed("correlation:", "correlation: []\nold:"), "correlation-form", "correlation", ""),
]


@pytest.mark.parametrize(("text", "code", "at", "hint"), CASES, ids=[f"{n}-{one[1]}" for n, one in enumerate(CASES)])
def test_lint_of_a_correlation_with_one_fault_says_so_at_its_place(text: str, code: str, at: str, hint: str) -> None:
    found = [one for one in findings_of(text) if one.code == code]
    assert found, [(one.code, one.what) for one in findings_of(text)]
    assert at in {pointed_at(text, one) for one in found}
    assert any(hint in one.hint + one.expected for one in found)


@pytest.mark.parametrize(
    "text",
    [GOOD, TEMPORAL, TEMPORAL + "    condition: one and not two\n", changed("{gte: 10}", "{gte: 10, lt: 20}")],
)
def test_lint_of_a_sound_correlation_says_nothing(text: str) -> None:
    assert codes_of(text) == []


def test_review_of_a_correlation_says_nothing_of_records() -> None:
    (one,) = review(GOOD)
    assert (one.document.kind, one.feeds, one.cost, one.findings) == ("correlation", "", None, ())
    assert [reference.name for reference in one.document.references] == ["refused"]

"""A site's exclusions: which rules they fit, which records, until when; and that what they take out is counted."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from amagasa.app.path import look
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.exclusion import Exclusion, Exclusions, excluded_outright, exclusion_of
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.report import Excluded, MatchReport
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.problem import SigmaProblemError
from tests.detect.cases import chunk_of, process_line, rule_text

ID = "00000001-0000-4000-8000-000000000000"
OTHER = "00000002-0000-4000-8000-000000000000"
NOW = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
BASE: Mapping[str, Any] = {"rule": ID, "reason": "a test", "expires": "never"}
RULE = {"s": {"A|contains": "x"}, "condition": "s"}
ONE = rule_text(RULE, id=ID, name="one", tags=["attack.t1003.001"], title="Dump of [secrets]")
TEXTS = [("/rules/win/one.yml", ONE), ("/rules/win/two.yml", rule_text(RULE, id=OTHER, title="Another"))]


def exclusion(**given: Any) -> Exclusion:
    return exclusion_of({**BASE, **given}, "site.toml#1", {"Hosts": ["h1", "h2*"]})


def seen(*exclusions: Exclusion, now: datetime = NOW, **events: Any) -> MatchReport:
    rules, _ = compile_rules(TEXTS)
    plan = plan_of(rules)
    sight = Sight([(plan, Memo(plan))], IndicatorSet())
    sight.exclusions = Exclusions(exclusions)
    lines = [process_line(A=f"x{host}", Computer=host) for host in ("h1", "h2a", "h3")]
    return look(chunk_of(lines), sight, now=now).report


def told(report: MatchReport) -> set[tuple[str, int]]:
    return {("one" if found.rule_id == ID else "two", found.record) for found in report.detections}


EVERYTHING = {(name, record) for name in ("one", "two") for record in (1, 2, 3)}


@pytest.mark.parametrize(
    "given",
    [
        {"rule": ID},
        {"rule": ID.upper()},
        {"rule": "one"},
        {"title": "dump of [SECRETS]"},
        {"title": "dump*"},
        {"tag": "attack.t1003*"},
        {"path": "*/win/one.yml"},
        {"rule": ID, "title": "Dump*", "tag": "attack.*"},
    ],
)
def test_exclusion_takes_out_and_counts_the_matches_of_the_rules_it_fits(given: dict[str, str]) -> None:
    report = seen(exclusion_of({"reason": "a test", "expires": "never", **given}, "site.toml#1", {}))
    assert told(report) == {("two", 1), ("two", 2), ("two", 3)}
    assert report.excluded == (Excluded(exclusion=0, rule_id=ID, n=3),)


@pytest.mark.parametrize("given", [{"title": "Another"}, {"tag": "attack.t1059"}, {"path": "*.yaml"}, {"rule": "x"}])
def test_exclusion_must_fit_in_all_that_it_gives(given: dict[str, str]) -> None:
    report = seen(exclusion(**given))
    assert (told(report), report.excluded) == (EVERYTHING, ())


@pytest.mark.parametrize(
    ("detection", "left"),
    [
        ({"s": {"Computer": "h1"}}, {2, 3}),
        ({"s": {"Computer|expand": "%Hosts%"}}, {3}),
        ({"s": {"Computer|startswith": "h"}, "t": {"A|endswith": "h3"}, "condition": "s and not t"}, {3}),
        ({"k": ["h2"]}, {1, 3}),
        ({"s": {"EventID": 1}}, set()),
        ({"s": {"Computer": "elsewhere"}}, {1, 2, 3}),
        ({"s": {"Nothing": None}}, set()),
    ],
)
def test_conditions_say_which_records_are_excluded(detection: dict[str, Any], left: set[int]) -> None:
    report = seen(exclusion(detection=detection))
    assert {record for name, record in told(report) if name == "one"} == left
    assert sum(one.n for one in report.excluded) == 3 - len(left)
    assert {record for name, record in told(report) if name == "two"} == {1, 2, 3}


@pytest.mark.parametrize(("expires", "is_told"), [(date(2026, 6, 29), True), (date(2026, 6, 30), False)])
def test_exclusion_counts_until_the_end_of_its_last_day(expires: date, *, is_told: bool) -> None:
    assert (("one", 1) in told(seen(exclusion(expires=expires)))) is is_told


def test_first_exclusion_that_holds_is_the_one_that_counts() -> None:
    report = seen(exclusion(detection={"s": {"Computer": "h1"}}), exclusion())
    assert report.excluded == (
        Excluded(exclusion=0, rule_id=ID, n=1),
        Excluded(exclusion=1, rule_id=ID, n=2),
    )


def test_counts_add_up_whatever_the_order_of_reports() -> None:
    one, other = seen(exclusion()), seen(exclusion(detection={"s": {"Computer": "h1"}}))
    assert one.merge(other).excluded == other.merge(one).excluded == (Excluded(exclusion=0, rule_id=ID, n=4),)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"reason": ""}, "reason must be text"),
        ({"reason": None}, "reason must be text"),
        ({"rule": 5}, "rule must be text"),
        ({"expires": "soon"}, "expires must be a date"),
        ({"expires": datetime(2026, 1, 1, tzinfo=UTC)}, "expires must be a date"),
        ({"detection": {}}, "no selection"),
        ({"detection": {"s": {"A": 1}, "t": {"B": 1}}}, "no condition"),
        ({"detection": {"s": {"A|nonsense": "x"}}}, "no modifier nonsense"),
        ({"detection": {"s": {"A|re": "("}}}, "linear time"),
        ({"detection": {"s": {"A|expand": "%x%"}}}, "placeholder %x%"),
    ],
)
def test_exclusion_that_cannot_be_used_says_why(given: dict[str, Any], why: str) -> None:
    with pytest.raises(SigmaProblemError, match=why):
        exclusion(**given)


def test_exclusion_must_name_rules_and_have_a_reason_and_a_last_day() -> None:
    for missing, why in (("rule", "names no rule"), ("reason", "no reason"), ("expires", "expires must be")):
        with pytest.raises(SigmaProblemError, match=why):
            exclusion_of({key: value for key, value in BASE.items() if key != missing}, "p", {})


def test_correlation_is_excluded_whole_or_not_at_all() -> None:
    section = "{type: event_count, rules: [one], timespan: 5m, condition: {gte: 2}}"
    text = f"title: many\nid: {OTHER}\ncorrelation: {section}\n"
    rules, _ = compile_rules([("c.yml", text)])
    day = NOW.date()
    assert excluded_outright(rules, [exclusion(rule=OTHER)], day) == {OTHER}
    assert excluded_outright(rules, [exclusion(rule=OTHER, detection={"s": {"A": "x"}})], day) == set()
    assert excluded_outright(rules, [exclusion(rule=OTHER, expires=date(2026, 1, 1))], day) == set()

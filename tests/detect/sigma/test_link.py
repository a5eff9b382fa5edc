"""Rules among each other: filters, who replaces whom, and which are wanted."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.engine.plan import plan_of
from amagasa.detect.sigma.compile import compile_all, compile_rules
from amagasa.detect.sigma.link import Linked, OffBy, Wanted, link
from amagasa.detect.sigma.rule import Compiled, Status
from amagasa.vocab.severity import Level
from tests.detect.cases import found, process_line, rule_text

ONE, TWO, THREE = (f"0000000{number}-0000-4000-8000-000000000000" for number in (1, 2, 3))
RULE = {"s": {"A": "x"}, "condition": "s"}


def rule(rule_id: str = ONE, **more: Any) -> tuple[str, str]:
    return (f"{rule_id[:8]}.yml", rule_text(RULE, id=rule_id, **more))


def filter_(rules: Any, selection: Any = None, condition: str = "not selection", **more: Any) -> tuple[str, str]:
    given_ = {"rules": rules, "selection": selection or {"B": "ours"}, "condition": condition}
    text = rule_text({}, title="A filter", id="f0000000-0000-4000-8000-000000000000", filter=given_, **more)
    return ("filter.yml", text.replace("detection: {}\n", ""))


def linked(*documents: tuple[str, str], **wanted: Any) -> Linked:
    return link(compile_all(documents), Wanted(**wanted))


def fires(*documents: tuple[str, str], **fields: Any) -> bool:
    rules, faults = compile_rules(documents)
    assert faults == ()
    return bool(found(plan_of(rules), [process_line(**fields)]))


@pytest.mark.parametrize("rules", [[ONE], ONE, "any", "ANY", [ONE.upper()], "by-name", ["by-name", ONE]])
def test_filter_takes_away_what_it_describes(rules: Any) -> None:
    documents = (rule(name="by-name"), filter_(rules))
    assert fires(*documents, A="x", B="other")
    assert fires(*documents, A="x")
    assert not fires(*documents, A="x", B="OURS")


def test_filter_leaves_alone_the_rules_it_does_not_name() -> None:
    assert fires(rule(ONE), rule(TWO), filter_([ONE]), A="x", B="ours")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_order_of_documents_changes_nothing(order: tuple[int, ...]) -> None:
    documents = [rule(), filter_([ONE]), filter_("any", {"C": "c"})]
    rules, _ = compile_rules([documents[place] for place in order])
    lines = [process_line(A="x"), process_line(A="x", B="ours"), process_line(A="x", C="c")]
    assert [one.record for one in found(plan_of(rules), lines)] == [1]


@pytest.mark.parametrize(
    "condition",
    ["not selection", "selection", "not 1 of selection*", "1 of selection*", "not (selection and not extra)"],
)
def test_filter_suppresses_its_selection_however_its_condition_is_written(condition: str) -> None:
    given_ = {"rules": "any", "selection": {"B": "ours"}, "extra": {"C": "c"}, "condition": condition}
    text = rule_text({}, filter=given_).replace("detection: {}\n", "")
    assert not fires(rule(), ("f", text), A="x", B="ours")
    assert fires(rule(), ("f", text), A="x", B="other")


def test_filter_of_denials_alone_suppresses_each() -> None:
    given_ = {"rules": "any", "a": {"B": "b"}, "c": {"C": "c"}, "condition": "not a and not c"}
    document = ("f", rule_text({}, filter=given_).replace("detection: {}\n", ""))
    assert [fires(rule(), document, A="x", **more) for more in ({}, {"B": "b"}, {"C": "c"})] == [True, False, False]


@pytest.mark.parametrize("condition", ["selection and not extra", "not selection or extra"])
def test_filter_that_could_mean_either_is_a_fault_and_the_rule_runs_unfiltered(condition: str) -> None:
    given_ = {"rules": "any", "selection": {"B": "ours"}, "extra": {"C": "c"}, "condition": condition}
    rules, faults = compile_rules([rule(), ("f", rule_text({}, filter=given_).replace("detection: {}\n", ""))])
    assert (len(rules), [fault.path for fault in faults]) == (1, ["f"])
    assert "could mean either" in faults[0].why
    assert found(plan_of(rules), [process_line(A="x", B="ours")])


@pytest.mark.parametrize(
    ("filter_document", "why"),
    [
        (filter_([TWO]), f"names the rule {TWO}, which is not loaded"),
        (filter_(["no-such-name"]), "not loaded"),
        (filter_([ONE], logsource={"product": "linux"}), "another log source"),
        (filter_([]), "for which rules"),
        (filter_(None), "for which rules"),
        (filter_([ONE], condition="not nothing"), "no selection"),
        (filter_([ONE], {"B|nonsense": "x"}), "no modifier nonsense"),
    ],
)
def test_filter_that_does_nothing_is_a_fault(filter_document: tuple[str, str], why: str) -> None:
    result = linked(rule(), filter_document)
    assert [one.path for one in result.faults] == ["filter.yml"]
    assert why in result.faults[0].why
    assert len(result.rules) == 1


def test_filter_for_any_rule_keeps_to_its_log_source() -> None:
    documents = (rule(), filter_("any", logsource={"product": "linux"}))
    assert fires(*documents, A="x", B="ours")


@pytest.mark.parametrize(
    ("source", "is_applied"),
    [
        ({"product": "windows"}, True),
        ({"category": "process_creation"}, True),
        ({"product": "Windows", "category": "process_creation"}, True),
        ({"product": "windows", "service": "sysmon"}, False),
    ],
)
def test_filter_applies_where_the_rule_gives_all_of_its_log_source(source: dict[str, str], *, is_applied: bool) -> None:
    rules, _ = compile_rules([rule(), filter_("any", logsource=source)])
    assert (len(rules[0].atoms) == 2) is is_applied


def test_filter_for_a_faulty_rule_adds_no_fault_of_its_own() -> None:
    broken = ("b.yml", rule_text({"s": {"A|nonsense": 1}, "condition": "s"}, id=ONE))
    assert [one.path for one in linked(broken, filter_([ONE])).faults] == ["b.yml"]


def test_filter_of_another_party_takes_nothing_away() -> None:
    ours, theirs = compile_all([rule()]), compile_all([filter_("any")], origin="identity--x")
    (kept,) = link(replace(ours, filters=theirs.filters)).rules
    assert kept == ours.rules[0]


@pytest.mark.parametrize("relation", ["obsolete", "obsoletes", "renamed"])
def test_rule_that_another_replaces_is_switched_off_and_shown(relation: str) -> None:
    result = linked(rule(ONE), rule(TWO, related=[{"id": ONE, "type": relation}]))
    assert [one.id for one in result.rules] == [TWO]
    assert [(one.rule_id, one.by) for one in result.off] == [(ONE, OffBy.REPLACED)]
    assert TWO in result.off[0].why


@pytest.mark.parametrize("relation", ["derived", "similar", "merged", "nonsense"])
def test_other_relations_leave_both_rules_running(relation: str) -> None:
    result = linked(rule(ONE), rule(TWO, related=[{"id": ONE, "type": relation}]))
    assert (len(result.rules), result.off, result.faults) == (2, (), ())


def test_rule_replaced_over_another_is_switched_off_too() -> None:
    result = linked(
        rule(ONE),
        rule(TWO, related=[{"id": ONE, "type": "obsolete"}]),
        rule(THREE, related=[{"id": TWO.upper(), "type": "obsolete"}]),
    )
    assert [one.id for one in result.rules] == [THREE]


def test_rules_that_replace_each_other_both_run_and_are_a_fault() -> None:
    result = linked(
        rule(ONE, related=[{"id": TWO, "type": "obsolete"}]), rule(TWO, related=[{"id": ONE, "type": "obsolete"}])
    )
    assert (len(result.rules), result.off) == (2, ())
    assert [one.rule_id for one in result.faults] == [ONE, TWO]


def test_rule_that_cannot_run_replaces_nothing() -> None:
    broken = rule_text({"s": {"A|re": "("}, "condition": "s"}, id=TWO, related=[{"id": ONE, "type": "obsolete"}])
    result = linked(rule(ONE), ("b.yml", broken))
    assert [one.id for one in result.rules] == [ONE]


def test_rule_of_another_party_replaces_nothing() -> None:
    ours = compile_all([rule(ONE)])
    theirs = compile_all([rule(TWO, related=[{"id": ONE, "type": "obsolete"}])], origin="identity--x")
    assert len(link(Compiled(rules=ours.rules + theirs.rules)).rules) == 2


def test_rule_which_is_not_wanted_replaces_nothing() -> None:
    result = linked(
        rule(ONE, level="high"),
        rule(TWO, level="low", related=[{"id": ONE, "type": "obsolete"}]),
        min_level=Level.MEDIUM,
    )
    assert [one.id for one in result.rules] == [ONE]


@pytest.mark.parametrize(
    ("min_level", "n_rules"),
    [(Level.INFORMATIONAL, 5), (Level.LOW, 4), (Level.MEDIUM, 3), (Level.HIGH, 2), (Level.CRITICAL, 1)],
)
def test_rules_below_the_level_are_switched_off_and_shown(min_level: Level, n_rules: int) -> None:
    rules = [
        rule(f"0000000{place}-0000-4000-8000-000000000000", level=level.value) for place, level in enumerate(Level)
    ]
    result = linked(*rules, min_level=min_level)
    assert (len(result.rules), len(result.off)) == (n_rules, 5 - n_rules)
    assert all(one.by is OffBy.LEVEL for one in result.off)


def test_rules_of_other_statuses_are_switched_off_and_shown() -> None:
    stated = ["stable", "Test", "experimental", "deprecated", "unsupported", None, "nonsense"]
    rules = [rule(f"0000000{place}-0000-4000-8000-000000000000", status=one) for place, one in enumerate(stated)]
    result = linked(*rules, statuses=(Status.STABLE, Status.TEST))
    assert [one.status for one in result.rules] == [Status.STABLE, Status.TEST]
    assert [one.why for one in result.off][-2:] == ["it states no status"] * 2
    assert len(linked(*rules).rules) == 7


def test_filter_for_a_rule_that_is_not_wanted_is_no_fault() -> None:
    assert linked(rule(level="low"), filter_([ONE]), min_level=Level.HIGH).faults == ()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_rules_are_all_accounted_for_whoever_replaces_whom(pairs: list[tuple[int, int]]) -> None:
    ids = [f"0000000{place}-0000-4000-8000-000000000000" for place in range(6)]
    related: dict[int, list[dict[str, str]]] = {}
    for one, other in pairs:
        related.setdefault(one, []).append({"id": ids[other], "type": "obsolete"})
    result = linked(*(rule(ids[place], related=related.get(place, [])) for place in range(6)))
    assert sorted([one.id for one in result.rules] + [one.rule_id for one in result.off]) == ids
    assert result.rules

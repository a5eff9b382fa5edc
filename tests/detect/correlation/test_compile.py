"""Correlation documents -> rules as data, or a fault with its reason."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from amagasa.detect.correlation.compile import INVALID, compile_correlation
from amagasa.detect.correlation.definition import Bound, Comparison, Correlation, Expr, Join, Kind, number_of
from amagasa.detect.correlation.order import holds
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Rule
from amagasa.vocab.severity import Level

GTE = Comparison.GTE
A, B, C = (Expr(Join.RULE, rule=place) for place in range(3))


def document(section: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain = {"type": "event_count", "rules": ["a"], "timespan": "5m", "condition": {"gte": 3}, "group-by": ["user"]}
    kept = {key: value for key, value in (plain | section).items() if value is not None}
    return {"title": "Many", "correlation": kept} | more


def rule_of(section: dict[str, Any], **more: Any) -> Rule:
    made = compile_correlation("x.yml", document(section, **more))
    assert isinstance(made, Rule), made
    return made


def correlation_of(section: dict[str, Any], **more: Any) -> Correlation:
    correlation = rule_of(section, **more).correlation
    assert correlation is not None
    return correlation


def why(section: dict[str, Any]) -> str:
    made = compile_correlation("x.yml", document(section))
    assert isinstance(made, RuleFault), made
    assert made.code == INVALID
    return made.why


def test_correlation_document_is_a_rule_with_its_parts() -> None:
    identity = "0e95725d-7320-415d-80f7-004da920fc11"
    made = rule_of({}, id=identity, name="many", level="high", tags=["attack.t1110", "attack.credential-access"])
    assert (made.id, made.title, made.level, made.path) == (identity, "Many", Level.HIGH, "x.yml")
    assert (made.techniques, made.tactics) == (("T1110",), ("credential-access",))
    assert made.references == (identity, "many")
    assert made.correlation == Correlation(
        kind=Kind.EVENT_COUNT,
        rules=("a",),
        group_by=("user",),
        timespan_s=300,
        bounds=(Bound(GTE, Decimal(3)),),
        is_level_own=True,
        are_tags_own=True,
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("90m", 5400), ("2h", 7200), ("1d", 86400), ("1w", 604800), ("1M", 2629746), ("1y", 31556952)],
)
def test_timespan_is_read_in_every_unit(text: str, seconds: int) -> None:
    assert correlation_of({"timespan": text}).timespan_s == seconds


def test_range_is_two_bounds() -> None:
    made = correlation_of({"condition": {"gt": 100, "lte": 200.5}})
    assert made.bounds == (Bound(Comparison.GT, Decimal(100)), Bound(Comparison.LTE, Decimal("200.5")))
    assert not made.is_rising


@pytest.mark.parametrize("section", [{"generate": True}, {}])
def test_generate_is_read_beside_and_within_the_section(section: dict[str, Any]) -> None:
    assert correlation_of(section, **({} if section else {"generate": True})).is_generating
    assert not correlation_of({}).is_generating


def test_temporal_without_condition_asks_for_all_its_rules() -> None:
    made = correlation_of({"type": "temporal", "rules": ["a", "b"], "condition": None})
    assert made.bounds == (Bound(GTE, Decimal(2)),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a and b", Expr(Join.AND, items=(A, B))),
        ("a or b and c", Expr(Join.OR, items=(A, Expr(Join.AND, items=(B, C))))),
        ("(a or b) and c", Expr(Join.AND, items=(Expr(Join.OR, items=(A, B)), C))),
        ("a and not b", Expr(Join.AND, items=(A, Expr(Join.NOT, items=(B,))))),
        ("a AND NOT (b or c)", Expr(Join.AND, items=(A, Expr(Join.NOT, items=(Expr(Join.OR, items=(B, C)),))))),
    ],
)
def test_extended_condition_is_read_with_its_precedence(text: str, expected: Expr) -> None:
    made = correlation_of({"type": "temporal", "rules": None, "condition": text})
    assert made.condition == expected
    assert made.rules == ("a", "b", "c")[: len(made.rules)]


def test_extended_condition_takes_identifiers_too() -> None:
    identity = "5638f7c0-ac70-491d-8465-2a65075e0d86"
    made = correlation_of({"type": "temporal", "rules": [identity, "b"], "condition": f"b and {identity}"})
    assert made.rules == (identity, "b")
    assert made.condition == Expr(Join.AND, items=(B, A))


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"type": "sometimes"}, "`type` must be one of event_count"),
        ({"rules": None}, "names 0 rules"),
        ({"rules": []}, "names 0 rules"),
        ({"rules": ["a", "a"]}, "each once"),
        ({"rules": [{"a": 1}]}, "at most 256 texts"),
        ({"timespan": None}, "`timespan` must be a number"),
        ({"timespan": "5 minutes"}, "as 10m, not 5 minutes"),
        ({"timespan": "99y"}, "at most ten years"),
        ({"condition": None}, "no `condition`"),
        ({"condition": {"gte": "many"}}, "`gte` must be a number, not many"),
        ({"condition": {"gte": 3, "lte": "many"}}, "`lte` must be a number, not many"),
        ({"condition": {"gte": 3, "about": 4}}, "`condition` has about"),
        ({"condition": {"gte": 100_000}}, "counts beyond 10000"),
        ({"condition": "a and b"}, "is for temporal correlations"),
        ({"type": "value_count"}, "`field` must name the field"),
        ({"type": "value_sum", "condition": {"gte": 3, "field": ["a", "b"]}}, "and one alone"),
        ({"type": "value_percentile", "condition": {"gte": 3, "field": "a", "percentile": 101}}, "from 0 to 100"),
        ({"type": "temporal", "condition": {"gte": 2}}, "2 different rules are asked for, and it names 1"),
        ({"type": "temporal", "rules": ["a"], "condition": "a and b"}, "do not name the same rules"),
        ({"type": "temporal", "rules": None, "condition": "a and"}, "at its end"),
        ({"type": "temporal", "rules": None, "condition": "(a"}, "not closed"),
        ({"type": "temporal", "rules": None, "condition": "a b"}, "goes on with b"),
        ({"type": "temporal", "rules": None, "condition": "(" * 40 + "a" + ")" * 40}, "nested deeper"),
        ({"type": "temporal", "rules": None, "condition": "a and " * 200 + "b"}, "more than 256 words"),
        ({"type": "temporal_ordered", "rules": [f"r{n}" for n in range(17)], "condition": None}, "names 17 rules"),
        ({"group-by": {"a": 1}}, "group-by"),
        ({"group-by": [f"f{n}" for n in range(17)]}, "at most 16"),
        ({"aliases": {"who": {"z": "user"}}}, "which `rules` do not name"),
        ({"aliases": {"who": {"a": 5}}}, "names no field"),
        ({"generate": "yes"}, "`generate` must be true or false"),
    ],
)
def test_what_cannot_be_is_a_fault_with_its_reason(section: dict[str, Any], reason: str) -> None:
    assert reason in why(section)


def test_section_that_is_no_mapping_is_a_fault() -> None:
    made = compile_correlation("x.yml", {"title": "x", "correlation": []})
    assert isinstance(made, RuleFault)
    assert "no mapping" in made.why


def test_inner_correlation_needs_no_title() -> None:
    assert rule_of({}, title=None, name="inner").title == "inner"


def test_documents_of_one_file_compile_together() -> None:
    text = yaml.safe_dump_all(
        [
            document({"rules": ["base"]}, name="x"),
            {
                "title": "Base",
                "name": "base",
                "logsource": {"product": "linux"},
                "detection": {"s": {"message|contains": "x"}, "condition": "s"},
            },
        ]
    )
    rules, faults = compile_rules([("x.yml", text)])
    assert faults == ()
    assert [(one.correlation is not None, one.references[1]) for one in rules] == [(True, "x"), (False, "base")]


@pytest.mark.parametrize(
    "value", ["1e400", "nan", "inf", "1_0", "", " ", "0x10", "9" * 61, True, None, [], 10**40, "1e-99"]
)
def test_what_is_no_number_or_too_long_a_one_is_none(value: Any) -> None:
    assert number_of(value) is None


@given(
    st.dictionaries(
        st.sampled_from(["type", "rules", "timespan", "condition", "group-by", "aliases", "generate"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=8)
            | st.sampled_from(["temporal", "5m", "a and b", "gte"]),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gte", "field", "a"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_section_is_a_rule_or_a_fault(section: dict[str, Any]) -> None:
    assert isinstance(compile_correlation("x.yml", {"title": "x", "correlation": section}), Rule | RuleFault)


PLAIN = st.fixed_dictionaries(
    {
        "type": st.sampled_from([kind.value for kind in Kind if kind is not Kind.PATTERN]),
        "rules": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True),
        "timespan": st.tuples(st.integers(1, 99), st.sampled_from("smhdwM")).map(lambda one: f"{one[0]}{one[1]}"),
        "generate": st.booleans(),
    },
    optional={"group-by": st.sampled_from(["user", ["user", "host"]])},
)


@given(PLAIN, st.sampled_from([one.value for one in Comparison]), st.integers(1, 3) | st.floats(1, 3))
def test_correlation_is_read_as_pysigma_reads_it(plain: dict[str, Any], comparison: str, number: float) -> None:
    is_temporal = plain["type"].startswith("temporal")  # of which nobody can ask more rules than there are
    condition = {comparison: 0 if is_temporal else number, "field": "f", "percentile": 50}
    given = plain | {"condition": condition}
    theirs = SigmaCorrelationRule.from_dict({"title": "t", "correlation": given})
    ours = compile_correlation("x.yml", {"title": "t", "correlation": given})
    assert isinstance(ours, Rule)
    made = ours.correlation
    assert made is not None
    assert isinstance(theirs.condition, SigmaCorrelationCondition)
    assert (made.kind.name, made.timespan_s) == (theirs.type.name, theirs.timespan.seconds)
    assert list(made.rules) == [one.reference for one in theirs.rules or ()]
    assert list(made.group_by) == (theirs.group_by or [])
    assert made.is_generating == theirs.generate
    (bound,) = made.bounds
    assert (bound.comparison.name, float(bound.number)) == (theirs.condition.op.name, float(theirs.condition.count))


@given(
    st.recursive(
        st.sampled_from("abc"),
        lambda inner: st.one_of(
            inner.map(lambda one: f"not {one}"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        ),
        max_leaves=5,
    )
)
def test_extended_condition_means_what_pysigma_makes_of_it(text: str) -> None:
    made = correlation_of({"type": "temporal", "rules": None, "condition": text})
    assert made.condition is not None
    theirs = SigmaExtendedCorrelationCondition(text).parsed
    for chosen in range(8):
        present = {name for place, name in enumerate("abc") if chosen >> place & 1}
        ours = holds(made.condition, [rule in present for rule in made.rules])
        assert ours == means(theirs, present)


def means(node: Any, present: set[str]) -> bool:
    if isinstance(node, SigmaRuleReference):
        return node.reference in present
    parts = [means(one, present) for one in node.args]
    if isinstance(node, CorrelationConditionNOT):
        return not parts[0]
    return all(parts) if isinstance(node, CorrelationConditionAND) else any(parts)

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.rule import SigmaRule

from amagasa.detect.engine import memo as memo_module
from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import MatchReport
from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Atom, Node, Op, Predicate, Rule
from amagasa.event.normalise import normalise
from amagasa.event.record import MISSING, EventBatch, Format, LogSource, Route
from amagasa.vocab.severity import Level
from tests.detect.cases import chunk_of, found, plan_for, process_line, report_of, rule_text
from tests.detect.engine import pairs
from tests.detect.engine.reference import matches

WORDS = ["", "a", "A", "ab", "abc", "a b", r"\a", "1", "10.0.0.1", "true", "*", "K", "x" * 40, "ä", "Ä"]
values = st.one_of(st.sampled_from(WORDS), st.integers(0, 12), st.booleans(), st.none())
fields = st.dictionaries(st.sampled_from(["A", "B", "C"]), values, max_size=3)
modifiers = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"])
patterns = st.sampled_from(
    ["a", "A", "ab", "b", "*b*", "a?", "1", "", "*", r"\*", r"a\\*", "k", "K", "?", "ä", 1, 10, None]
)
items = st.dictionaries(
    st.tuples(st.sampled_from(["A", "B", "C"]), modifiers),
    st.one_of(patterns, st.lists(patterns, min_size=1, max_size=3)),
    min_size=1,
    max_size=2,
)
conditions = st.sampled_from(
    [
        "s and t",
        "s or t",
        "not s",
        "s and not t",
        "not (s or t)",
        "not s or t",
        "1 of them",
        "all of them",
        "not 1 of them",
    ]
)


def named(item: dict[tuple[str, str], Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for (field, modifier), value in item.items():
        every = value if isinstance(value, list) else [value]
        is_text = all(isinstance(one, str) for one in every)
        made[field + (modifier if is_text else "")] = value
    return made


detections = st.builds(
    lambda s, t, condition: {"s": named(s), "t": named(t), "condition": condition}, items, items, conditions
)


@settings(max_examples=150)
@given(st.lists(detections, min_size=1, max_size=5), st.lists(fields, min_size=1, max_size=6))
def test_evaluate_agrees_with_the_plainest_evaluation(
    rules: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    texts = [rule_text(rule, id=f"00000000-0000-4000-8000-{place:012d}") for place, rule in enumerate(rules)]
    compiled, faults = compile_rules([(str(place), text) for place, text in enumerate(texts)])
    assert faults == ()
    got = {(one.rule_id, one.record) for one in found(plan_of(compiled), [process_line(**event) for event in events])}
    oracle = [SigmaRule.from_yaml(text) for text in texts]
    expected = {
        (str(rule.id), record) for rule in oracle for record, event in enumerate(events, 1) if matches(rule, event)
    }
    assert got == expected


@settings(max_examples=50)
@given(st.lists(detections, min_size=1, max_size=4), st.lists(fields, min_size=1, max_size=8), st.randoms())
def test_evaluate_does_not_depend_on_what_came_before(
    rules: list[dict[str, Any]], events: list[dict[str, Any]], order: random.Random
) -> None:
    plan = plan_for(*rules)
    lines = [process_line(**event) for event in events]
    warm = Memo(plan)
    shuffled = lines.copy()
    order.shuffle(shuffled)
    found(plan, shuffled, memo=warm)
    assert found(plan, lines, memo=warm) == found(plan, lines)


@given(st.permutations([1, 2, 3]))
def test_merge_of_reports_does_not_depend_on_their_order(order: list[int]) -> None:
    plan = plan_for({"s": {"A": "x"}, "condition": "s"})
    reports = {number: report_of(plan, [process_line(A="x")] * number) for number in order}
    merged = MatchReport()
    for number in order:
        merged = merged.merge(reports[number])
    assert (merged.n_events, len(merged.detections)) == (6, 6)


def test_detection_carries_its_evidence() -> None:
    detection = {
        "s": {"Image|endswith": r"\cmd.exe", "A|contains": ["no", "yes"]},
        "f": {"B": "z"},
        "condition": "s and not f",
    }
    line = process_line(Image=r"C:\cmd.exe", A="yes", B="y", Computer="HOST", UtcTime="2026-01-01 00:00:01.5")
    (one,) = found(plan_for(detection), [b"junk", line])
    assert one.fields == {"Image": r"C:\cmd.exe", "A": "yes"}
    assert (one.record, one.path, one.origin) == (2, "log", "")
    assert one.event_at == datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert one.event["Computer"] == "HOST"
    assert one.raw == line.decode()
    assert {entity.value for entity in one.entities} >= {"host"}


def test_detection_by_event_identifier_alone_shows_it() -> None:
    text = rule_text(
        {"s": {"EventID": 1102}, "condition": "s"}, logsource={"product": "windows", "service": "security"}
    )
    rules, _ = compile_rules([("a", text)])
    (one,) = found(
        plan_of(rules), [b'{"EventID":"1102","Channel":"security"}', b'{"EventID":4624,"Channel":"Security"}']
    )
    assert one.fields == {"EventID": 1102}


def test_detection_by_keyword_shows_it() -> None:
    (one,) = found(plan_for({"k": ["mimikatz"], "condition": "k"}), [process_line(A="a mimikatz b")])
    assert one.fields == {"keywords": ["mimikatz"]}


def test_raw_record_is_cut() -> None:
    (one,) = found(plan_for({"s": {"A": "x"}, "condition": "s"}), [process_line(A="x", B="y" * 9000)])
    assert len(one.raw) == 4096


def test_negative_rule_matches_what_shows_nothing() -> None:
    plan = plan_for({"s": {"A": "x"}, "condition": "not s"})
    assert [one.record for one in found(plan, [process_line(), process_line(A="x"), process_line(A="y")])] == [1, 3]


def test_values_that_python_calls_equal_are_told_apart_in_memos() -> None:
    plan = plan_for(
        {"s": {"A": True}, "condition": "s"}, {"s": {"A": 1}, "condition": "s"}, {"s": {"A": "1.5"}, "condition": "s"}
    )
    lines = [process_line(A=value) for value in (1, True, 1.0, "1", 1.5, True, 1)]
    got = [(one.record, (one.rule_id or "")[-1]) for one in found(plan, lines)]
    assert got == [(1, "1"), (2, "0"), (3, "1"), (4, "1"), (5, "2"), (6, "0"), (7, "1")]


def test_memo_of_another_plan_is_refused() -> None:
    plan, other = (plan_for({"s": {"A": name}, "condition": "s"}) for name in "xy")
    (batch,) = normalise(chunk_of([process_line(A="x")]), plan.wanted).batches
    with pytest.raises(ValueError, match="another plan"):
        evaluate(batch, plan, Memo(other))


def test_batch_without_a_wanted_field_is_refused() -> None:
    plan = plan_for({"s": {"A": "x"}, "condition": "s"})
    (batch,) = normalise(chunk_of([process_line(A="x")]), lambda _: ("B",)).batches
    with pytest.raises(ValueError, match="lacks the wanted fields"):
        evaluate(batch, plan, Memo(plan))


def test_batch_with_more_fields_than_wanted_is_evaluated() -> None:
    plan = plan_for({"s": {"A": "x", "C": "z"}, "condition": "s"})
    (batch,) = normalise(chunk_of([process_line(A="x", C="z")]), lambda _: ("C", "B", "A")).batches
    assert len(evaluate(batch, plan, Memo(plan)).detections) == 1


def test_memo_forgets_under_a_flood_of_new_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo_module, "MAX_CHARACTERS", 20_000)
    plan = plan_for({"s": {"A|contains": "evil"}, "condition": "s"})
    memo = Memo(plan)
    n_found = 0
    for start in range(0, 3000, 100):
        lines = [
            process_line(A=f"{number} {'evil' if number % 10 == 0 else 'good'}") for number in range(start, start + 100)
        ]
        n_found += len(found(plan, lines, memo=memo))
        route = next(iter(memo._routes.values()))
        assert len(route.seen) <= 200
    assert n_found == 300


def test_huge_row_is_evaluated_and_not_kept() -> None:
    plan = plan_for({"s": {"A|endswith": "evil"}, "condition": "s"})
    memo = Memo(plan)
    line = process_line(A="x" * 100_000 + "evil")
    assert len(found(plan, [line, line], memo=memo)) == 2
    assert all(not route.seen for route in memo._routes.values())


def test_expression_that_only_a_slower_engine_takes_still_runs() -> None:
    plan = plan_for({"s": {"A|re": "a.{0,900}b.{0,900}c"}, "condition": "s"}, {"s": {"A|re": "^q"}, "condition": "s"})
    got = found(plan, [process_line(A="a" + "ä" * 800 + "b" + "x" * 800 + "c"), process_line(A="q")])
    assert [one.record for one in got] == [1, 2]


def test_expression_which_the_engine_refuses_is_a_fault_and_not_a_clean_result() -> None:
    rule = Rule(
        id="r",
        title="t",
        level=Level.HIGH,
        logsource=LogSource(product="windows"),
        atoms=(Atom("A", Predicate.REGEX, r"(a)\1"), Atom("A", Predicate.REGEX, "b")),
        condition=Node(Op.OR, items=(Node(Op.ATOM, atom=0), Node(Op.ATOM, atom=1))),
        path="r.yml",
    )
    plan = plan_of(
        [rule, msgspec.structs.replace(rule, id="ok", atoms=rule.atoms[1:], condition=Node(Op.ATOM, atom=0))]
    )
    report = report_of(plan, [process_line(A="aab"), process_line(A="q")])
    assert [one.rule_id for one in report.detections] == ["ok"]
    assert [fault.rule_id for fault in report.faults] == ["r"]


def test_lone_surrogate_and_odd_bytes_do_not_hide_an_event() -> None:
    plan = plan_for({"s": {"A|contains": "evil"}, "condition": "s"})
    head = b'{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","B":'
    lines = [
        head + rb'"\ud800","A":"evil"}',
        head + b'"\xff","A":"evil"}',
        head + b'"\x00","A":"evil"}',
        head + b'99999999999999999999999,"A":"evil"}',
        head + rb'1,"A":"\ud800evil\udfff"}',
        head + b'1,"A":"good","A":"evil"}',
        head + b'{"EventID":4},"A":"evil"}',
        head + b'NaN,"A":"evil"}',
    ]
    assert [one.record for one in found(plan, lines)] == list(range(1, len(lines) + 1))


def test_stored_matchers_serve_a_new_memo_and_damaged_ones_are_made_again() -> None:
    plan = plan_for({"s": {"A|contains": ["evil", "bad"]}, "condition": "s"})
    first = Memo(plan)
    lines = [process_line(A="EVIL"), process_line(A="good")]
    expected = found(plan, lines, memo=first)
    second = Memo(plan, dict(first.made))
    assert found(plan, lines, memo=second) == expected
    assert second.made == {}
    damaged = Memo(plan, {key: body[:-1] + bytes([body[-1] ^ 1]) for key, body in first.made.items()})
    assert found(plan, lines, memo=damaged) == expected
    assert damaged.made == first.made


def test_plan_of_a_route_leaves_out_what_cannot_match_there() -> None:
    texts = [
        rule_text(
            {"s": {"EventID": number, f"F{number}": "x"}, "condition": "s"},
            logsource={"product": "windows", "service": "security"},
        )
        for number in (4624, 4625)
    ]
    rules, _ = compile_rules([(str(place), text) for place, text in enumerate(texts)])
    plan = plan_of(rules)
    route = Route(name="r", sources=(LogSource(product="windows", service="security"),), known=(("EventID", 4625),))
    assert plan.wanted(route) == ("F4625",)
    assert len(plan.for_route(route).places) == 1


def test_plan_survives_being_written_and_read() -> None:
    plan = plan_for({"s": {"A|contains": "x", "B|re": "y"}, "condition": "s"})
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=Plan)
    assert read.rules == plan.rules
    assert read.digest == plan.digest


def test_empty_batch_of_a_route_without_rules_is_counted() -> None:
    plan = plan_of([])
    batch = EventBatch(
        path="p",
        format=Format.SYSLOG,
        route=Route(name="r", sources=()),
        fields=("A",),
        rows=[(MISSING,)],
        lines=[b"x"],
        records=[1],
        read_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert evaluate(batch, plan, Memo(plan)) == MatchReport(n_events=1)


def test_engine_and_reference_agree_on_pairs_by_chance() -> None:
    compared = pairs.compare(4_000, seed=1)
    assert compared.disagreements == ()
    assert compared.n_matches > 500

"""What docs/correlations.md says, case by case."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.detect.correlation.correlate import correlate, fair_share
from amagasa.detect.correlation.definition import Alias, Bound, Comparison, Correlation, Kind
from amagasa.detect.correlation.evidence import faults_of
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.windows import Loss, Manner, Windows
from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from tests.detect.correlation.samples import NOW, count, hit, links_of, outer, replaced, run, run_sorted

GTE, LT, LTE, EQ = Comparison.GTE, Comparison.LT, Comparison.LTE, Comparison.EQ


def found(correlation: Correlation, *hits: Hit) -> list[Detection]:
    return run_sorted(hits, links_of(outer("x", correlation)))[0]


def counts(correlation: Correlation, *hits: Hit) -> list[int]:
    return [one.together.n_events for one in found(correlation, *hits) if one.together is not None]


def several(*seconds: float, name: str = "a") -> list[Hit]:
    return [hit(one, name) for one in seconds]


def test_span_of_exactly_the_timespan_is_within() -> None:
    assert counts(count(), *several(0, 5, 10)) == [3]
    assert counts(count(), *several(0, 5, 10.1)) == []


def test_ten_thousand_failures_are_one_detection_with_their_number() -> None:
    (one,) = found(count(), *(hit(n * 0.5, record=n + 1) for n in range(10_000)))
    assert one.together is not None
    assert (one.record, one.together.n_events, one.fields) == (3, 10_000, {"count": 10_000, "user": "u"})


def test_episode_goes_on_while_it_holds_again_within_the_timespan() -> None:
    assert counts(count(), *several(0, 1, 2, 11.9, 12)) == [5]
    assert counts(count(), *several(0, 1, 2, 12.5, 12.6, 12.7)) == [3, 3]


def test_record_of_two_rules_counts_once() -> None:
    correlation = count(rules=("a", "b"))
    assert counts(correlation, *several(0, 1), *several(0, 1, name="b")) == []
    assert counts(correlation, *several(0, 1, 2), *several(0, 1, name="b")) == [3]


def test_groups_are_apart_and_compared_in_one_case() -> None:
    hits = [hit(0, user="Root"), hit(1, user="root"), hit(2, user="ROOT"), hit(3, user="guest"), hit(4, user="guest")]
    (one,) = found(count(), *hits)
    assert one.fields["user"] == "ROOT"


def test_record_without_a_field_of_the_group_belongs_to_none() -> None:
    hits = [replace(one, fields={}) for one in several(0, 1, 2)]
    detections, windows = run_sorted([*hits, hit(3)], links_of(outer("x", count())))
    assert detections == []
    assert windows.tally["id-x", "Rule a", Loss.NO_GROUP] == 3
    assert faults_of(links_of(outer("x", count())), windows.tally) == ()


def test_field_that_no_record_has_is_a_fault() -> None:
    links = links_of(outer("x", count(group_by=("typo",))))
    _, windows = run_sorted(several(0, 1, 2), links)
    (fault,) = faults_of(links, windows.tally)
    assert fault.why == '3 records which "Rule a" found have no typo to be grouped by, and none has'


def test_correlation_without_group_has_one_for_all() -> None:
    assert counts(count(group_by=()), hit(0, user="a"), hit(1, user="b"), hit(2, user="c")) == [3]


def test_records_without_a_time_are_a_fault_with_their_number() -> None:
    links = links_of(outer("x", count()))
    _, windows = run_sorted([replace(one, at=None) for one in several(0, 1, 2)], links)
    (fault,) = faults_of(links, windows.tally)
    assert (fault.rule_id, fault.code) == ("id-x", "AMG-CORRELATION-010")
    assert fault.why.startswith('3 records which "Rule a" found carry no time')


@pytest.mark.parametrize(
    ("bound", "numbers"),
    [
        (Bound(LT, Decimal(3)), [2]),
        (Bound(LTE, Decimal(3)), [2, 3]),
        (Bound(EQ, Decimal(3)), [3]),
        (Bound(Comparison.NEQ, Decimal(3)), [2, 4]),
        (Bound(Comparison.GT, Decimal(3)), [4]),
        (Bound(GTE, Decimal(3)), [3, 4]),
        (Bound(Comparison.GT, Decimal("2.5")), [3, 4]),
    ],
)
def test_each_comparison_holds_for_its_numbers(bound: Bound, numbers: list[int]) -> None:
    correlation = count(bounds=(bound,))
    matching = [n for n in (2, 3, 4) if found(correlation, *several(*range(n)))]
    assert matching == numbers


def test_range_is_judged_on_the_whole_window() -> None:
    correlation = count(bounds=(Bound(GTE, Decimal(2)), Bound(LTE, Decimal(3))))
    assert [bool(found(correlation, *several(*range(n)))) for n in range(1, 6)] == [False, True, True, False, False]


def test_whole_windows_in_a_row_are_one_episode() -> None:
    fewer = count(bounds=(Bound(LT, Decimal(3)),))
    assert counts(fewer, *several(0, 8, 11, 19, 22)) == [5]
    assert counts(fewer, *several(0, 8, 40, 48)) == [2, 2]


def values(*texts: str) -> list[Hit]:
    return [hit(place, value=text) for place, text in enumerate(texts)]


def valued(kind: Kind, *bounds: Bound, **changes: Any) -> Correlation:
    return count(kind=kind, fields=("value",), bounds=bounds, **changes)


def test_value_count_counts_different_values_and_names_them() -> None:
    correlation = valued(Kind.VALUE_COUNT, Bound(GTE, Decimal(3)))
    assert found(correlation, *values("x", "y", "X", "y")) == []
    (one,) = found(correlation, *values("x", "y", "X", "z", "w"))
    assert one.fields == {"count": 4, "value": ["y", "X", "z", "w"], "user": "u"}


def test_value_count_over_two_fields_counts_pairs() -> None:
    correlation = count(kind=Kind.VALUE_COUNT, fields=("p", "q"), bounds=(Bound(GTE, Decimal(3)),))
    hits = [hit(0, p="1", q="1"), hit(1, p="1", q="2"), hit(2, p="2", q="1"), hit(3, p="2")]
    assert counts(correlation, *hits) == [3]


@pytest.mark.parametrize(
    ("kind", "measure", "shown"),
    [
        (Kind.VALUE_SUM, {"bounds": (Bound(GTE, Decimal("0.3")),)}, {"sum": "0.3"}),
        (Kind.VALUE_AVG, {"bounds": (Bound(EQ, Decimal("0.1")),)}, {"avg": "0.1"}),
        (Kind.VALUE_MEDIAN, {"bounds": (Bound(EQ, Decimal("0.1")),)}, {"median": "0.1"}),
        (
            Kind.VALUE_PERCENTILE,
            {"bounds": (Bound(EQ, Decimal("0.1")),), "percentile": Decimal(90)},
            {"percentile": "0.1"},
        ),
    ],
)
def test_numbers_are_added_without_rounding(kind: Kind, measure: dict[str, Any], shown: dict[str, str]) -> None:
    correlation = count(kind=kind, fields=("value",), **measure)
    (one,) = found(correlation, *values("0.1", "0.1", "0.1"))
    assert {name: value for name, value in one.fields.items() if name != "user"} == shown


def test_percentile_lies_between_the_values_on_either_side() -> None:
    correlation = valued(Kind.VALUE_PERCENTILE, Bound(EQ, Decimal("1.8")), percentile=Decimal(20))
    assert counts(correlation, *values("1", "2", "3", "4", "5")) == [5]


def test_percentile_without_a_number_is_the_share_of_a_value() -> None:
    correlation = valued(Kind.VALUE_PERCENTILE, Bound(LTE, Decimal(25)))
    (one,) = found(correlation, *values("svc", "svc", "svc", "odd"))
    assert one.fields == {"share": "25", "value": ["odd"], "user": "u"}


def test_value_that_is_no_number_is_not_counted() -> None:
    correlation = valued(Kind.VALUE_SUM, Bound(GTE, Decimal(2)))
    links = links_of(outer("x", correlation))
    detections, windows = run_sorted(values("1", "many", "1"), links)
    assert [one.fields["sum"] for one in detections] == ["2"]
    assert windows.tally["id-x", "Rule a", Loss.NO_VALUE] == 1


def temporal(kind: Kind = Kind.TEMPORAL, **changes: Any) -> Correlation:
    return count(kind=kind, rules=("a", "b"), bounds=(Bound(GTE, Decimal(2)),), **changes)


def test_temporal_takes_any_order_and_ordered_its_own() -> None:
    forward, backward = [hit(0), hit(5, "b")], [hit(0, "b"), hit(5)]
    assert counts(temporal(), *forward) == [2]
    assert counts(temporal(), *backward) == [2]
    assert counts(temporal(Kind.TEMPORAL_ORDERED), *forward) == [2]
    assert counts(temporal(Kind.TEMPORAL_ORDERED), *backward) == []


def test_records_of_one_second_follow_in_the_order_of_their_file() -> None:
    ordered = temporal(Kind.TEMPORAL_ORDERED)
    assert counts(ordered, hit(0, record=1), hit(0, "b", record=2)) == [2]
    assert counts(ordered, hit(0, record=2), hit(0, "b", record=1)) == []


def test_record_does_not_follow_itself() -> None:
    assert counts(temporal(Kind.TEMPORAL_ORDERED), hit(0), hit(0, "b")) == []
    assert counts(temporal(), hit(0), hit(0, "b")) == [1]


def test_alias_joins_fields_of_different_names() -> None:
    alias = Alias("who", (("a", "user"), ("b", "account")))
    correlation = temporal(group_by=("who",), aliases=(alias,))
    (one,) = found(correlation, hit(0, user="eve"), hit(1, "b", user="x", account="eve"))
    assert one.fields == {"count": 2, "who": "eve"}


def test_chain_of_failures_and_success_is_found_however_long_the_failures_go_on() -> None:
    many = outer("many", count())
    then = outer("then", count(kind=Kind.TEMPORAL_ORDERED, rules=("many", "b"), bounds=(Bound(GTE, Decimal(2)),)))
    links = links_of(many, then)
    detections, _ = run_sorted([*several(*range(100)), hit(105, "b")], links)
    assert [one.rule_id for one in detections] == ["id-then"]
    assert run_sorted([*several(*range(100)), hit(110, "b")], links)[0] == []


def test_count_of_a_correlation_counts_its_episodes() -> None:
    inner = outer("inner", count())
    links = links_of(inner, outer("twice", count(rules=("inner",), timespan_s=60, bounds=(Bound(GTE, Decimal(2)),))))
    assert run_sorted(several(*range(10)), links)[0] == []
    assert len(run_sorted(several(0, 1, 2, 30, 31, 32), links)[0]) == 1


def test_detection_carries_its_evidence() -> None:
    correlation = count(group_by=("src_ip",))
    hits = [
        hit(n, src_ip="203.0.113.9") if n else replace(hit(0, src_ip="203.0.113.9"), host="web01") for n in range(6)
    ]
    (one,) = found(correlation, *(replace(each, host="web01") for each in hits))
    together = one.together
    assert together is not None
    assert (one.title, one.path, one.record, one.raw) == ("Correlation x", "log", 21, "raw a")
    assert [sign.record for sign in together.signs] == [1, 11, 21, 51]
    assert together.last_at - together.first_at == timedelta(seconds=5)
    assert one.entities == (
        Entity(kind=EntityKind.SOURCE_ADDRESS, value="203.0.113.9"),
        Entity(kind=EntityKind.HOST, value="web01"),
    )


def stream(
    *batches: list[Hit], how: Manner | None = None, after_s: tuple[float, ...] = ()
) -> tuple[list[list[Detection]], Windows]:
    """What each batch gives at once, and then what time alone gives."""
    manner = how or Manner(links=links_of(outer("x", count())))
    windows = Windows()
    said: list[list[Detection]] = []
    for batch in batches:
        result = correlate(batch, windows, manner, now=NOW)
        windows = windows.after(result.changed, result.tally)
        said.append(list(result.detections))
    for seconds in after_s:
        result = correlate([], windows, manner, now=NOW + timedelta(seconds=seconds))
        windows = windows.after(result.changed, result.tally)
        said.append(list(result.detections))
    return said, windows


def told(said: list[list[Detection]]) -> list[list[int]]:
    return [[one.together.n_events for one in some if one.together is not None] for some in said]


def test_node_tells_at_once_and_again_when_it_has_doubled() -> None:
    said, _ = stream(*[[one] for one in several(*range(13))])
    assert told(said) == [[], [], [3], [], [], [6], [], [], [], [], [], [12], []]
    assert [one.together.n_replaced for some in said for one in some if one.together is not None] == [0, 1, 1]


def test_node_tells_the_whole_when_nothing_more_comes() -> None:
    said, windows = stream(several(0, 1, 2), several(3, 4), after_s=(100, 191, 192, 4000))
    assert told(said) == [[3], [], [], [5], [], []]
    assert windows.n_groups == 0


def test_episode_is_over_only_once_its_group_is_silent() -> None:
    said, _ = stream(several(0, 1, 2), several(3, 4), after_s=(191,))
    assert [[one.together.is_over for one in some if one.together is not None] for some in said] == [
        [False],
        [],
        [True],
    ]


def test_node_judges_a_whole_window_when_its_group_is_silent() -> None:
    links = links_of(outer("x", count(bounds=(Bound(LT, Decimal(3)),))))
    said, _ = stream(several(0, 1), how=Manner(links=links), after_s=(189, 191, 300))
    assert told(said) == [[], [], [2], []]


def test_two_episodes_which_a_late_record_joins_are_one_detection_then() -> None:
    links = links_of(outer("x", count()))
    batches = [several(0, 1, 2), several(15, 16, 17), several(8)]
    said, _ = stream(*batches, how=Manner(links=links))
    assert told(said) == [[3], [3], []]
    (one,) = replaced(run([each for batch in batches for each in batch], links)[0])
    assert one.n == 7


def test_episode_over_a_correlation_that_goes_on_is_told_once() -> None:
    inner = outer("inner", count(bounds=(Bound(GTE, Decimal(1)),)))
    twice = outer("begins", count(rules=("inner",), timespan_s=1, bounds=(Bound(GTE, Decimal(1)),)))
    how = Manner(links=links_of(inner, twice), lateness_s=20)
    said, _ = stream(*[[one] for one in several(0, 2, 12, 22, 32)], how=how, after_s=(4000,))
    assert [one.rule_id for some in said for one in some] == ["id-begins"]


def test_record_later_than_the_lateness_is_counted_and_said() -> None:
    links = links_of(outer("x", count()))
    said, windows = stream(several(0), several(300), several(1, 119, 120), how=Manner(links=links, lateness_s=180))
    assert told(said) == [[], [], []]
    assert windows.tally["id-x", "Rule a", Loss.LATE] == 2
    (fault,) = faults_of(links, windows.tally)
    assert fault.why == '2 records which "Rule a" found came later than the stated lateness and were not counted'


def test_flood_of_groups_lets_the_least_begun_go_and_says_so() -> None:
    links = links_of(outer("x", count()))
    how = Manner(links=links, max_groups=100)
    slow = [hit(0, user="slow"), hit(1, user="slow")]
    floods = [
        [hit(1 + n / 1000, user=f"u{n}", record=n + 9) for n in range(start, start + 50)] for start in (0, 50, 100)
    ]
    said, windows = stream(slow, *floods, [hit(2, user="slow")], how=how)
    assert [one.fields["user"] for some in said for one in some] == ["slow"]
    assert windows.n_groups <= 100
    n_gone = windows.tally["id-x", "", Loss.NO_ROOM]
    assert n_gone == 151 - windows.n_groups
    (fault,) = faults_of(links, windows.tally)
    assert fault.why.startswith(f"{n_gone} of its groups or values were let go")


def test_flood_in_one_group_is_judged_early_and_loses_nothing_in_order() -> None:
    links = links_of(outer("x", count(timespan_s=3600, bounds=(Bound(GTE, Decimal(500)),))))
    how = Manner(links=links, max_entries=20)
    said, windows = stream(*[[hit(n / 10, record=n + 1)] for n in range(600)], how=how)
    assert Counter(n for some in told(said) for n in some) == {500: 1}
    assert max(len(group.pending) for _, group in windows.items()) == 20
    assert windows.tally == {("id-x", "Rule a", Loss.TAKEN): 600}


def test_detections_of_a_silent_correlation_are_not_told() -> None:
    links = replace(links_of(outer("x", count())), silent=("id-x",))
    assert run_sorted(several(0, 1, 2), links)[0] == []


def test_windows_of_a_changed_correlation_are_forgotten_and_others_stay() -> None:
    first, second = outer("x", count()), outer("y", count(rules=("b",)))
    windows = stream(several(0), [hit(0, "b")], how=Manner(links=links_of(first, second)))[1]
    changed = links_of(outer("x", count(timespan_s=20)), replace(second, title="Another title", path="z.yml"))
    kept = windows.only(changed)
    assert [group.pending[0].raw for _, group in kept.items()] == ["raw b"]


def test_two_workers_that_judged_one_group_do_not_merge() -> None:
    links = links_of(outer("x", count()))
    one = stream(several(0), several(500), how=Manner(links=links))[1]
    with pytest.raises(ValueError, match="two workers"):
        one.merge(one)


def test_nothing_to_correlate_is_nothing() -> None:
    assert correlate(several(0), Windows(), Manner(links=Links()), now=NOW).changed == {}


@pytest.mark.parametrize(
    ("sizes", "room", "share"),
    [([10, 10], 10, 5), ([2, 100], 10, 8), ([1, 1, 100, 100], 12, 5), ([3], 10, 3), ([], 10, 0), ([5, 5, 5], 2, 0)],
)
def test_fair_share_leaves_the_small_ones_alone(sizes: list[int], room: int, share: int) -> None:
    assert fair_share(sizes, room) == share
    assert sum(min(size, share) for size in sizes) <= room


def test_flood_of_groups_in_one_correlation_leaves_those_of_another() -> None:
    links = links_of(outer("x", count()), outer("y", count(rules=("b",))))
    how = Manner(links=links, max_groups=100)
    flood = [hit(n / 1000, user=f"u{n}", record=n + 1) for n in range(500)]
    slow = [hit(0, "b", user="slow"), hit(1, "b", user="slow")]
    said, windows = stream(slow, flood, [hit(2, "b", user="slow")], how=how)
    assert [one.rule_id for some in said for one in some] == ["id-y"]
    assert ("id-y", "", Loss.NO_ROOM) not in windows.tally

"""Patterns over several records: record by record against a plain search, and through the whole of `correlate`."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.detect.correlation.bindings import MAX_KEPT, Bindings
from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.entry import About, Entry
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Linked, Links
from amagasa.detect.correlation.machine import FOREVER, Machine
from amagasa.detect.correlation.windows import NEVER, Manner, Windows
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.series import linked_patterns, part_id
from amagasa.detect.report import Detection
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import (
    Either,
    Expression,
    Followed,
    Observation,
    PatternFault,
    Repeated,
    Together,
    Within,
    observations_of,
)
from tests.detect.stix.records import NOW, indicator

SECOND = 1_000_000
A, B, C = "[url:value = '/a']", "[url:value = '/b']", "[url:value = '/c']"


def linked_of(pattern: str) -> Linked:
    indicators, faults = compile_indicators([indicator(pattern)])
    assert faults == ()
    (linked,) = linked_patterns(indicators)
    return linked


def entry_of(at_s: float, member: int, record: int) -> Entry:
    return Entry(round(at_s * SECOND), member, "log", record, "", "", (), (), "", "")


def held_at(linked: Linked, entries: Sequence[Entry]) -> list[tuple[int, ...]]:
    """For each entry the records which `add` holds with it; () where it does not."""
    core = Bindings()
    held = []
    before: Entry | None = None
    for entry in sorted(entries, key=lambda one: one.place):
        found = core.add(entry, About(linked, [entry], before is not None and before.mark == entry.mark))
        held.append(() if found is None else tuple(one.record for one in found.examples))
        before = entry
    return held


# (seconds, which [...] from the left) of each record, in order; what `add` says at each.
@pytest.mark.parametrize(
    ("pattern", "records", "held"),
    [
        (f"{A} FOLLOWEDBY {B}", [(0, 0), (1, 1)], [(), (1, 2)]),
        (f"{A} FOLLOWEDBY {B}", [(0, 1), (1, 0)], [(), ()]),
        (f"{A} FOLLOWEDBY {B}", [(0, 1), (0, 0)], [(), (1, 2)]),
        (f"{A} FOLLOWEDBY {B} FOLLOWEDBY {C}", [(0, 0), (1, 1), (2, 0), (3, 2)], [(), (), (), (1, 2, 4)]),
        (f"{A} FOLLOWEDBY {B}", [(0, 0), (1, 1), (2, 1)], [(), (1, 2), (1, 3)]),
        (f"({A} FOLLOWEDBY {B}) WITHIN 2 SECONDS", [(0, 0), (2, 1)], [(), (1, 2)]),
        (f"({A} FOLLOWEDBY {B}) WITHIN 2 SECONDS", [(0, 0), (2.000001, 1)], [(), ()]),
        (f"({A} FOLLOWEDBY {B}) WITHIN 2 SECONDS", [(0, 0), (3, 0), (4, 1)], [(), (), (2, 3)]),
        (f"({A} AND {B}) WITHIN 2 SECONDS FOLLOWEDBY {C}", [(0, 0), (1, 1), (9, 2)], [(), (), (1, 2, 3)]),
        (f"({A} AND {B}) WITHIN 2 SECONDS FOLLOWEDBY {C}", [(0, 0), (3, 1), (9, 2)], [(), (), ()]),
        (f"{A} AND {B}", [(0, 0), (9, 1)], [(), (1, 2)]),
        (f"{A} AND {B}", [(0, 1), (9, 0)], [(), (1, 2)]),
        (f"{A} AND {B}", [(0, 1), (86_401, 0)], [(), ()]),
        (f"{A} REPEATS 3 TIMES", [(0, 0), (1, 0), (2, 0), (3, 0)], [(), (), (1, 2, 3), (1, 2, 4)]),
        (f"{A} REPEATS 2 TIMES WITHIN 1 SECONDS", [(0, 0), (2, 0), (3, 0)], [(), (), (2, 3)]),
        (f"{A} REPEATS 2 TIMES FOLLOWEDBY {B}", [(0, 0), (1, 1), (2, 0), (3, 1)], [(), (), (), (1, 3, 4)]),
        (
            f"({A} FOLLOWEDBY {B}) REPEATS 2 TIMES",
            [(0, 0), (1, 1), (2, 1), (3, 0), (4, 1)],
            [(), (), (), (), (1, 2, 4, 5)],
        ),
        (f"({A} OR {B}) REPEATS 2 TIMES", [(0, 0), (1, 1)], [(), (1, 2)]),
        (f"{A} FOLLOWEDBY {B} OR {C} REPEATS 2 TIMES", [(0, 0), (1, 2), (2, 2)], [(), (), (1, 2, 3)]),
        (
            f"{A} START t'1970-01-01T00:00:01Z' STOP t'1970-01-01T00:00:03Z' FOLLOWEDBY {B}",
            [(0, 0), (0.5, 1), (1, 0), (2, 1), (3, 0)],
            [(), (), (), (3, 4), ()],
        ),
    ],
)
def test_bindings_hold_where_a_record_completes_them(
    pattern: str, records: list[tuple[float, int]], held: list[tuple[int, ...]]
) -> None:
    entries = [entry_of(at_s, member, number) for number, (at_s, member) in enumerate(records, 1)]
    assert held_at(linked_of(pattern), entries) == held


def test_bindings_times_in_plain_quotes_are_those_of_stix_2_0() -> None:
    linked = linked_of(f"{A} START '1970-01-01T00:00:01Z' STOP '1970-01-01T00:00:03Z'")
    assert held_at(linked, [entry_of(0, 0, 1), entry_of(2, 0, 2), entry_of(3, 0, 3)]) == [(), (2,), ()]


def test_bindings_one_record_may_serve_both_sides_of_and_but_not_follow_itself() -> None:
    twice = [entry_of(0, 0, 1), entry_of(0, 1, 1), entry_of(1, 2, 2)]
    assert held_at(linked_of(f"({A} AND {B}) FOLLOWEDBY {C}"), twice) == [(), (), (1, 2)]
    assert held_at(linked_of(f"{A} FOLLOWEDBY {B}"), twice[:2]) == [(), ()]
    assert held_at(linked_of(f"{A} REPEATS 2 TIMES FOLLOWEDBY {B}"), twice[:2]) == [(), ()]


Pair = tuple[int, int]  # (number of the [...], position of the record)


def pairs_of(node: Expression, first: int, entries: Sequence[Entry], order: Sequence[int]) -> Iterator[frozenset[Pair]]:
    """Every binding of the node, tried one by one; `order` is the place in time of each entry's record."""
    match node:
        case Observation():
            return (frozenset({(first, i)}) for i, one in enumerate(entries) if one.member == first)
        case Within(part=part, duration_s=duration_s):
            found = pairs_of(part, first, entries, order)
            return (binding for binding in found if is_close(binding, duration_s, entries))
        case Repeated(part=part, n_times=n_times):
            chosen = combinations(list(pairs_of(part, first, entries, order)), n_times)
            return (frozenset().union(*some) for some in chosen if is_apart([records(one, entries) for one in some]))
    assert isinstance(node, Together | Either | Followed)
    if isinstance(node, Either) and all(isinstance(part, Observation) for part in node.parts):
        members = range(first, first + len(node.parts))  # a record that is this and that is one all the same
        return (frozenset({(first, i)}) for i, one in enumerate(entries) if one.member in members)
    sides = []
    for part in node.parts:
        sides.append(list(pairs_of(part, first, entries, order)))
        first += sum(1 for _ in observations_of(part))
    if isinstance(node, Either):
        return (binding for side in sides for binding in side)
    is_free = isinstance(node, Together)
    return (frozenset().union(*some) for some in product(*sides) if is_free or is_in_order(some, order))


def records(binding: frozenset[Pair], entries: Sequence[Entry]) -> set[Pair]:
    return {(number, entries[i].record) for number, i in binding}


def is_apart(some: Sequence[set[Pair]]) -> bool:
    return sum(map(len, some)) == len(set().union(*some))


def is_close(binding: frozenset[Pair], duration_s: float, entries: Sequence[Entry]) -> bool:
    ats = [entries[i].at for _, i in binding]
    return max(ats) - min(ats) <= duration_s * SECOND


def is_in_order(chosen: Sequence[frozenset[Pair]], order: Sequence[int]) -> bool:
    return all(
        max(order[i] for _, i in left) < min(order[i] for _, i in right) for left, right in combinations(chosen, 2)
    )


def places(entries: Sequence[Entry], *, is_reversed: bool) -> list[int]:
    """The place in time of each entry's record; records of one instant in their order or in its reverse."""
    marks = sorted({one.mark for one in entries}, key=lambda mark: (mark[0], -mark[3] if is_reversed else mark[3]))
    return [marks.index(one.mark) for one in entries]


def is_held(tree: Expression, entries: Sequence[Entry]) -> bool:
    """Whether some binding names the last of the entries."""
    last = len(entries) - 1
    return any(
        any(i == last for _, i in binding)
        for is_reversed in (False, True)
        for binding in pairs_of(tree, 0, entries, places(entries, is_reversed=is_reversed))
    )


LEAVES = [A, B, C]
PATTERNS = st.sampled_from(
    [
        f"{A} AND {B}",
        f"{A} FOLLOWEDBY {B}",
        f"{A} FOLLOWEDBY {B} FOLLOWEDBY {C}",
        f"({A} AND {B}) FOLLOWEDBY {C}",
        f"{A} FOLLOWEDBY ({B} AND {C})",
        f"({A} FOLLOWEDBY {B}) AND {C}",
        f"({A} FOLLOWEDBY {B}) WITHIN 2 SECONDS",
        f"({A} AND {B} AND {C}) WITHIN 3 SECONDS",
        f"(({A} AND {B}) WITHIN 2 SECONDS AND {C}) WITHIN 4 SECONDS",
        f"({A} AND {B}) WITHIN 1 SECONDS FOLLOWEDBY {C}",
        f"{A} FOLLOWEDBY ({B} AND {C}) WITHIN 2 SECONDS",
        f"{A} REPEATS 2 TIMES FOLLOWEDBY {B}",
        f"({A} REPEATS 2 TIMES AND {B}) WITHIN 3 SECONDS FOLLOWEDBY {C}",
        f"{A} FOLLOWEDBY {B} REPEATS 2 TIMES WITHIN 3 SECONDS",
        f"({A} OR {B}) REPEATS 3 TIMES WITHIN 3 SECONDS",
        f"({A} OR {B} AND {C}) FOLLOWEDBY {C}",
        f"({A} AND {B}) REPEATS 2 TIMES",
    ]
)
RECORDS = st.lists(
    st.tuples(st.integers(0, 7), st.sets(st.integers(0, 3), min_size=1, max_size=2), st.integers(1, 4)), max_size=7
)


@settings(max_examples=400)
@given(PATTERNS, RECORDS)
def test_bindings_hold_exactly_where_a_plain_search_finds_one(
    pattern: str, records: list[tuple[int, set[int], int]]
) -> None:
    linked = linked_of(pattern)
    tree = parse(pattern)
    assert not isinstance(tree, PatternFault)
    n_members = len(linked.members)
    # Some come several times in a row, so that the middle ones are let go.
    numbered = [(at_s, members) for at_s, members, n in sorted(records, key=lambda one: one[0]) for _ in range(n)][:12]
    entries = [
        entry_of(at_s, member, number)
        for number, (at_s, members) in enumerate(numbered, 1)
        for member in sorted(members)
        if member < n_members
    ]
    held = [bool(found) for found in held_at(linked, entries)]
    assert held == [is_held(tree, entries[: i + 1]) for i in range(len(entries))]


def test_bindings_flood_of_one_part_keeps_no_more_than_is_needed() -> None:
    linked = linked_of(f"({A} FOLLOWEDBY {B}) AND {C}")
    core = Bindings()
    for number in range(5_000):
        core.add(entry_of(number / 1000, 0, number), About(linked, [], is_same=False))
    assert sum(map(len, core.kept)) == 6
    assert core.n_dropped == 0


def test_bindings_flood_of_parts_in_turn_is_bounded_and_counted() -> None:
    linked = linked_of(f"({A} FOLLOWEDBY {B}) AND {C}")
    core = Bindings()
    for number in range(3_000):
        core.add(entry_of(number / 1000, number % 2, number), About(linked, [], is_same=False))
    assert max(map(len, core.kept)) <= MAX_KEPT + 6
    assert core.n_dropped > 0


def test_bindings_are_stored_and_read_again() -> None:
    linked = linked_of(f"{A} FOLLOWEDBY {B}")
    machine = Machine(Bindings())
    machine.step(entry_of(0, 0, 1), linked)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(machine), type=Machine)
    assert stored.step(entry_of(1, 1, 2), linked).held == machine.step(entry_of(1, 1, 2), linked).held != ()


def hit_of(pattern: str, at_s: float, member: int, record: int) -> Hit:
    rule = part_id(indicator(pattern)["id"], member)
    return Hit(round(at_s * SECOND), rule, "log", record, "", {"cs-uri": "/x"}, "gate", f"line {record}")


def found_in(pattern: str, hits: Sequence[Hit], *, n_at_once: int = 1, is_prompt: bool = True) -> list[Detection]:
    manner = Manner(links=Links(correlations=(linked_of(pattern),)), is_prompt=is_prompt)
    windows = Windows()
    found: list[Detection] = []
    for first in range(0, len(hits), n_at_once):
        result = correlate(hits[first : first + n_at_once], windows, manner, now=NOW)
        windows = windows.after(result.changed, result.tally)
        found += result.detections
    if not is_prompt:
        found += correlate((), windows, manner, now=NOW, horizon_at=FOREVER).detections
    return found


def test_correlate_pattern_tells_at_once_and_names_the_records() -> None:
    pattern = f"({A} FOLLOWEDBY {B}) WITHIN 60 SECONDS"
    (detection,) = found_in(pattern, [hit_of(pattern, 0, 0, 1), hit_of(pattern, 9, 1, 2)])
    assert detection.indicator_id == indicator(pattern)["id"]
    assert detection.rule_id is None
    assert detection.fields == {"count": 2, "cs-uri": "/x"}
    assert detection.together is not None
    assert [(sign.title, sign.record) for sign in detection.together.signs] == [(A, 1), (B, 2)]
    assert [entity.value for entity in detection.entities] == ["gate"]


@given(st.permutations(range(4)), st.integers(1, 4))
def test_correlate_pattern_is_found_in_whatever_order_its_records_come(order: list[int], n_at_once: int) -> None:
    pattern = f"{A} REPEATS 2 TIMES FOLLOWEDBY {B} FOLLOWEDBY {C}"
    hits = [hit_of(pattern, at_s, member, at_s) for at_s, member in ((1, 0), (2, 0), (3, 1), (4, 2))]
    (detection,) = found_in(pattern, [hits[i] for i in order], n_at_once=n_at_once, is_prompt=False)
    assert detection.record == 4


def test_correlate_pattern_states_of_two_workers_merge_as_if_one_had_seen_all() -> None:
    pattern = f"{A} FOLLOWEDBY {B}"
    manner = Manner(links=Links(correlations=(linked_of(pattern),)), is_prompt=False)
    gathered = [
        Windows().after(result.changed, result.tally)
        for one in (hit_of(pattern, 0, 0, 1), hit_of(pattern, 5, 1, 2))
        for result in [correlate([one], Windows(), manner, now=NOW, horizon_at=NEVER)]
    ]
    for windows in (gathered[0].merge(gathered[1]), gathered[1].merge(gathered[0])):
        assert len(correlate((), windows, manner, now=NOW, horizon_at=FOREVER).detections) == 1


def test_correlate_pattern_that_goes_on_is_one_episode() -> None:
    pattern = f"{A} REPEATS 3 TIMES WITHIN 10 SECONDS"
    hits = [hit_of(pattern, i, 0, i) for i in range(100)]
    (detection,) = found_in(pattern, hits, n_at_once=100, is_prompt=False)
    assert detection.together is not None
    assert detection.together.n_events == 100


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (f"{A} FOLLOWEDBY [url:value LIKE '%']", "everything"),
        (f"[NOT EXISTS file:name] FOLLOWEDBY {A}", "everything"),
        (f"{A} REPEATS 100000 TIMES", "records at once"),
        (f"({A} FOLLOWEDBY {B}) REPEATS 100000 TIMES", "alternatives"),
        (" FOLLOWEDBY ".join([A] * 40), "32 observations"),
        (f"{A} FOLLOWEDBY [app:id = 'x']", "app:id"),
        (f"{A} WITHIN 0 SECONDS", "more than 0"),
    ],
)
def test_compile_pattern_over_records_that_cannot_be_kept_is_a_fault(pattern: str, named: str) -> None:
    indicators, (fault,) = compile_indicators([indicator(pattern)])
    assert indicators.series == ()
    assert named in fault.why


@pytest.mark.parametrize(
    ("pattern", "timespan_s"),
    [
        (f"{A} FOLLOWEDBY {B}", 86_400),
        (f"({A} AND {B}) WITHIN 30 SECONDS", 30),
        (f"({A} AND {B}) WITHIN 0.5 SECONDS", 1),
        (f"({A} AND {B}) WITHIN 172800 SECONDS", 172_800),
        (f"({A} AND {B}) WITHIN 30 SECONDS OR {A} REPEATS 2 TIMES WITHIN 5 SECONDS", 30),
        (f"({A} AND {B}) WITHIN 30 SECONDS FOLLOWEDBY {C}", 86_400),
    ],
)
def test_compile_pattern_keeps_records_as_long_as_it_may_need_them(pattern: str, timespan_s: int) -> None:
    assert linked_of(pattern).correlation.timespan_s == timespan_s

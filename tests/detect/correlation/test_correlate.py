"""The stream against the plain correlator, in whatever order the events come."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.definition import Alias, Bound, Comparison, Expr, Join, Kind
from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.link import Links
from amagasa.detect.correlation.machine import FOREVER
from amagasa.detect.correlation.windows import NEVER, Group, Loss, Manner, Windows
from amagasa.detect.sigma.rule import Rule
from tests.detect.correlation.samples import (
    NOW,
    RULES,
    SECOND,
    correlations,
    count,
    expected,
    hit,
    hits_lists,
    links_of,
    outer,
    replaced,
    run,
    run_sorted,
    seen,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
MANY = settings(max_examples=150, suppress_health_check=SLOW)
LATENESS_S = 20


@st.composite
def nested(draw: st.DrawFn) -> tuple[Rule, ...]:
    """One to three correlations, each of which may look at those before it."""
    names: tuple[str, ...] = RULES
    made: list[Rule] = []
    for number in range(draw(st.integers(1, 3))):
        name = f"x{number}"
        made.append(outer(name, draw(correlations(names))))
        names = (*names, name)
    return tuple(made)


@st.composite
def late(draw: st.DrawFn) -> list[Hit]:
    """Hits in an order in which none comes after another that is more than the lateness younger."""
    hits = draw(hits_lists())
    delays = [draw(st.integers(0, LATENESS_S * SECOND)) for _ in hits]
    order = sorted(range(len(hits)), key=lambda place: ((hits[place].at or 0) + delays[place], place))
    return [hits[place] for place in order]


def manner(links: Links) -> Manner:
    return Manner(links=links, lateness_s=LATENESS_S)


def has_inner(links: Links, kind: Kind) -> bool:
    return any(linked.is_inner and linked.correlation.kind is kind for linked in links.correlations)


def said_late(windows: Windows) -> int:
    return sum(n for (_, _, loss), n in windows.tally.items() if loss is Loss.LATE)


def without_negative(hits: Sequence[Hit]) -> list[Hit]:
    plain = [{name: text.removeprefix("-") for name, text in hit.fields.items()} for hit in hits]
    return [replace(hit, fields=fields) for hit, fields in zip(hits, plain, strict=True)]


@MANY
@given(nested(), hits_lists())
def test_files_of_any_events_give_what_the_plain_correlator_finds(made: tuple[Rule, ...], hits: list[Hit]) -> None:
    links = links_of(*made)
    detections, windows = run_sorted(hits, links)
    assert sorted(map(seen, detections)) == expected(hits, links)
    assert windows.n_groups == 0


@MANY
@given(nested(), late(), st.integers(1, 5))
def test_stream_in_any_order_within_the_lateness_gives_what_the_plain_correlator_finds(
    made: tuple[Rule, ...], hits: list[Hit], chunk: int
) -> None:
    links = links_of(*made)
    # docs/correlations.md names both exceptions: a sum that can fall inside a chain, and a chain over whole windows.
    if has_inner(links, Kind.VALUE_SUM):
        hits = without_negative(hits)
    detections, windows = run(hits, links, chunk=chunk, manner=manner(links))
    if any(linked.lag_s for linked in links.correlations) and said_late(windows):
        return
    assert said_late(windows) == 0
    assert replaced(detections) == expected(hits, links)
    assert windows.n_groups == 0


@MANY
@given(nested(), hits_lists(), st.lists(st.integers(0, 2), min_size=40, max_size=40), st.permutations(range(3)))
def test_windows_that_several_workers_gathered_merge_to_what_one_gathers(
    made: tuple[Rule, ...], hits: list[Hit], shares: list[int], order: list[int]
) -> None:
    links = links_of(*made)
    gathering = Manner(links=links, is_prompt=False)

    def gathered(some: Sequence[Hit]) -> Windows:
        result = correlate(some, Windows(), gathering, now=NOW, horizon_at=NEVER)
        return Windows().after(result.changed, result.tally)

    parts = [
        gathered([one for one, share in zip(hits, shares, strict=False) if share == worker]) for worker in range(3)
    ]
    first, second, third = parts
    whole = first.merge(second).merge(third)
    assert first.merge(second.merge(third)) == whole
    assert parts[order[0]].merge(parts[order[1]]).merge(parts[order[2]]) == whole
    assert whole == gathered(hits)
    detections = correlate([], whole, gathering, now=NOW, horizon_at=FOREVER).detections
    assert sorted(map(seen, detections)) == expected(hits, links)


@MANY
@given(nested(), late())
def test_windows_kept_and_read_again_after_every_step_go_on_as_if_nothing_was(
    made: tuple[Rule, ...], hits: list[Hit]
) -> None:
    links = links_of(*made)
    how = manner(links)
    through, kept = Windows(), Windows()
    for one in hits:
        once = correlate([one], through, how, now=NOW)
        again = correlate([one], kept, how, now=NOW)
        assert again == correlate([one], kept, how, now=NOW)  # it changes nothing that it is given
        assert [seen(one) for one in again.detections] == [seen(one) for one in once.detections]
        through = through.after(once.changed, once.tally)
        kept = stored(kept.after(again.changed, again.tally))
    assert stored(through) == kept


def stored(windows: Windows) -> Windows:
    """Written and read back, group by group, without what runs ahead."""
    groups: dict[str, dict[str, Group]] = {}
    for (digest, key), group in windows.items():
        body = msgspec.msgpack.encode(replace(group, ahead=None))
        groups.setdefault(digest, {})[key] = msgspec.msgpack.decode(body, type=Group)
    return Windows(groups=groups, tally=windows.tally)


def test_record_at_which_one_group_begins_and_another_goes_on_counts_as_a_beginning() -> None:
    first = Bound(Comparison.GTE, Decimal(1))
    aliases = (Alias(name="who", fields=(("a", "other"), ("b", "user"))),)
    inner = count(rules=("a", "b"), group_by=("who",), aliases=aliases, bounds=(first,), timespan_s=1)
    hits = [hit(1, "b", user="u", other="v", record=2), hit(0, other="v", record=1), hit(1, other="v", record=2)]
    over = count(rules=("inner",), group_by=("other",), bounds=(first,))
    links = links_of(outer("inner", inner), outer("x", over))
    assert replaced(run(hits, links)[0]) == expected(hits, links)


def test_earlier_record_of_the_same_instant_that_comes_late_takes_the_place_of_the_trigger() -> None:
    a, b = (Expr(join=Join.RULE, rule=place) for place in (0, 1))
    either = Expr(join=Join.OR, items=(a, Expr(join=Join.AND, items=(b, b))))
    ordered = count(kind=Kind.TEMPORAL_ORDERED, rules=("a", "b"), condition=either, bounds=())
    links = links_of(outer("x", ordered))
    hits = [hit(0, "b", record=5), hit(0, "b", record=8), hit(0, record=5)]
    assert replaced(run(hits, links, chunk=1, manner=manner(links))[0]) == expected(hits, links)

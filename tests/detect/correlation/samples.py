"""Correlations and hits for tests, and what the stream and the reference make of them, in one form."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

from amagasa.detect.correlation.correlate import correlate
from amagasa.detect.correlation.definition import Alias, Bound, Comparison, Correlation, Expr, Join, Kind
from amagasa.detect.correlation.hit import EPOCH, Hit
from amagasa.detect.correlation.link import Linked, Links, link
from amagasa.detect.correlation.machine import FOREVER
from amagasa.detect.correlation.windows import Manner, Windows
from amagasa.detect.report import Detection
from amagasa.detect.sigma.rule import Node, Op, Rule
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level
from tests.detect.correlation import reference

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
START = datetime(2026, 11, 23, tzinfo=UTC)
SECOND = 1_000_000
T0 = (START - EPOCH) // timedelta(microseconds=1)
NEVER = Node(Op.OR)
RULES = ("a", "b", "c")


def rule(name: str, **changes: Any) -> Rule:
    plain: dict[str, Any] = {
        "id": f"id-{name}",
        "title": f"Rule {name}",
        "level": Level.LOW,
        "techniques": ("T1110",),
        "tactics": ("credential-access",),
        "logsource": LogSource(product="linux"),
        "atoms": (),
        "condition": NEVER,
        "path": f"{name}.yml",
        "references": (f"id-{name}", name),
    }
    return Rule(**plain | changes)


def outer(name: str, correlation: Correlation, **changes: Any) -> Rule:
    return rule(name, correlation=correlation, title=f"Correlation {name}", techniques=(), tactics=(), **changes)


BASE = tuple(rule(name) for name in RULES)


def count(**changes: Any) -> Correlation:
    """Three events of `a` by one user within ten seconds."""
    plain: dict[str, Any] = {
        "kind": Kind.EVENT_COUNT,
        "rules": ("a",),
        "group_by": ("user",),
        "timespan_s": 10,
        "bounds": (Bound(Comparison.GTE, Decimal(3)),),
    }
    return Correlation(**plain | changes)


def links_of(*correlations: Rule) -> Links:
    links, faults = link([*BASE, *correlations])
    assert faults == ()
    return links


def one_linked(correlation: Correlation) -> Linked:
    (linked,) = links_of(outer("x", correlation)).correlations
    return linked


def hit(seconds: float, name: str = "a", *, record: int = 0, path: str = "log", **fields: str) -> Hit:
    at = T0 + round(seconds * SECOND)
    return Hit(
        at, f"id-{name}", path, record or round(seconds * 10) + 1, "", {"user": "u", **fields}, "", f"raw {name}"
    )


class Episode(NamedTuple):
    """An episode in the form in which both sides can be compared."""

    id: str
    group: tuple[str, ...]
    path: str
    record: int
    at: datetime | None
    first_at: datetime
    last_at: datetime
    n: int
    values: frozenset[str]


def seen(detection: Detection) -> Episode:
    together = detection.together
    assert together is not None
    return Episode(
        detection.rule_id or "",
        tuple(value.lower() for _, value in together.group),
        detection.path,
        detection.record,
        detection.event_at,
        together.first_at,
        together.last_at,
        together.n_events,
        frozenset(value.lower() for value in together.values),
    )


def replaced(detections: Iterable[Detection]) -> list[Episode]:
    """The episodes as they stand once each detection has taken the place of those it replaces."""
    standing: list[Detection] = []
    for new in detections:
        assert new.together is not None
        gone = [one for one in standing if _is_of_one(one, new)]
        assert len(gone) == new.together.n_replaced
        standing = [one for one in standing if one not in gone] + [new]
    return sorted(map(seen, standing))


def _is_of_one(first: Detection, second: Detection) -> bool:
    one, other = first.together, second.together
    assert one is not None
    assert other is not None
    assert first.event_at is not None
    assert second.event_at is not None
    span = timedelta(seconds=one.timespan_s)
    return (
        first.rule_id == second.rule_id
        and [value.lower() for _, value in one.group] == [value.lower() for _, value in other.group]
        and first.event_at <= other.last_at + span
        and second.event_at <= one.last_at + span
    )


def run(
    hits: Sequence[Hit], links: Links, *, chunk: int = 3, manner: Manner | None = None
) -> tuple[list[Detection], Windows]:
    """As a node does: hits as they come, some at a time, and an end."""
    how = manner or Manner(links=links)
    windows = Windows()
    detections: list[Detection] = []
    for start in range(0, len(hits), chunk):
        result = correlate(hits[start : start + chunk], windows, how, now=NOW)
        detections += result.detections
        windows = windows.after(result.changed, result.tally)
    result = correlate([], windows, how, now=NOW, horizon_at=FOREVER)
    return [*detections, *result.detections], windows.after(result.changed, result.tally)


def run_sorted(hits: Sequence[Hit], links: Links, *, chunk: int = 3) -> tuple[list[Detection], Windows]:
    """As files are read: all hits in order, and the horizon moves along with them."""
    how = Manner(links=links, is_prompt=False)
    windows = Windows()
    detections: list[Detection] = []
    ordered = sorted(hits, key=lambda one: one.place)
    for start in range(0, len(ordered), chunk):
        some = ordered[start : start + chunk]
        result = correlate(some, windows, how, now=NOW, horizon_at=some[-1].at)
        detections += result.detections
        windows = windows.after(result.changed, result.tally)
    result = correlate([], windows, how, now=NOW, horizon_at=FOREVER)
    return [*detections, *result.detections], windows.after(result.changed, result.tally)


def expected(hits: Sequence[Hit], links: Links) -> list[Episode]:
    """What the plain correlator finds, of every correlation that speaks."""
    found: list[Episode] = []
    rows: dict[str, list[tuple[reference.Row, dict[str, str]]]] = {}
    for one in hits:
        row = reference.Row(one.at or 0, one.source, one.path, one.record, 0, "")
        rows.setdefault(one.rule, []).append((row, one.fields))
    for linked in links.correlations:
        groups: dict[tuple[str, ...], list[tuple[reference.Row, dict[str, str]]]] = {}
        for number, member in enumerate(linked.members):
            for rule_id in member.ids:
                for row, fields in rows.get(rule_id, ()):
                    group = tuple(fields.get(name, "") for name in member.group)
                    value = "\x1f".join(fields.get(name, "") for name in member.values)
                    if all(group) and all(fields.get(name) for name in member.values):
                        key = tuple(one.lower() for one in group)
                        made = row._replace(member=number, value=value)
                        groups.setdefault(key, []).append((made, {**fields, **_named(linked, group)}))
        for key, members in groups.items():
            own = [row for row, _ in members]
            fields_of = dict(members)
            if linked.id not in links.muted:
                found += [_episode(linked.id, key, one) for one in reference.episodes(linked.correlation, own)]
            for row, is_new in reference.held_rows(linked.correlation, own):
                rows.setdefault(linked.id, []).append((row._replace(member=0, is_new=is_new), fields_of[row]))
    return sorted(found)


def _named(linked: Linked, group: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(linked.correlation.group_by, group, strict=True))


def _episode(rule_id: str, key: tuple[str, ...], one: reference.Found) -> Episode:
    def instant(at: int) -> datetime:
        return EPOCH + timedelta(microseconds=at)

    row = one.trigger
    return Episode(
        rule_id,
        key,
        row.path,
        row.record,
        instant(row.at),
        instant(one.first_at),
        instant(one.last_at),
        one.n,
        one.values,
    )


COMPARISONS = st.sampled_from(list(Comparison))
LOWER = st.sampled_from([Comparison.GT, Comparison.GTE])


@st.composite
def exprs(draw: st.DrawFn, rules: int = 3, depth: int = 2) -> Expr:
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return Expr(Join.RULE, rule=draw(st.integers(0, rules - 1)))
    join = draw(st.sampled_from([Join.AND, Join.AND, Join.OR, Join.NOT]))
    size = 1 if join is Join.NOT else 2
    return Expr(join, items=tuple(draw(exprs(rules, depth - 1)) for _ in range(size)))


@st.composite
def bounds(draw: st.DrawFn, most: int) -> tuple[Bound, ...]:
    numbers = st.integers(-1, most).map(Decimal)
    kind = draw(st.sampled_from(["lower", "lower", "any", "range"]))
    if kind == "lower":
        return (Bound(draw(LOWER), draw(numbers)),)
    if kind == "any":
        return (Bound(draw(COMPARISONS), draw(numbers)),)
    return (Bound(Comparison.GTE, draw(numbers)), Bound(Comparison.LTE, draw(numbers)))


@st.composite
def correlations(draw: st.DrawFn, rules: tuple[str, ...] = RULES) -> Correlation:
    kind = draw(st.sampled_from([kind for kind in Kind if kind is not Kind.PATTERN]))
    names = tuple(draw(st.lists(st.sampled_from(rules), min_size=1, max_size=len(rules), unique=True)))
    group_by = draw(st.sampled_from([(), ("user",), ("user", "host")]))
    condition = None
    fields: tuple[str, ...] = ()
    percentile = None
    if kind in (Kind.TEMPORAL, Kind.TEMPORAL_ORDERED):
        some = (Bound(Comparison.GTE, Decimal(len(names))),) if draw(st.booleans()) else draw(bounds(len(names)))
        if draw(st.booleans()):
            condition = draw(exprs(len(names)))
    elif kind is Kind.EVENT_COUNT:
        some = draw(bounds(4))
    elif kind is Kind.VALUE_COUNT:
        some, fields = draw(bounds(4)), draw(st.sampled_from([("value",), ("value", "host")]))
    elif kind is Kind.VALUE_PERCENTILE and draw(st.booleans()):
        some, fields = draw(bounds(100)), ("value",)
    else:
        some, fields = draw(bounds(8)), ("number",)
        percentile = Decimal(draw(st.integers(0, 100)))
    aliases: tuple[Alias, ...] = ()
    if group_by == ("user",) and draw(st.booleans()):
        group_by = ("who",)
        aliases = (Alias("who", tuple((name, draw(st.sampled_from(["user", "other"]))) for name in names)),)
    return Correlation(
        kind=kind,
        rules=names,
        group_by=group_by,
        aliases=aliases,
        timespan_s=draw(st.integers(1, 12)),
        bounds=some,
        condition=condition,
        fields=fields,
        percentile=percentile if kind is Kind.VALUE_PERCENTILE else None,
    )


@st.composite
def hits_lists(draw: st.DrawFn, size: int = 14) -> list[Hit]:
    """Events within a minute and a half, some at one instant, some of one record; their fields often alike."""
    made: list[Hit] = []
    for number in range(draw(st.integers(0, size))):
        seconds = draw(st.one_of(st.integers(0, 40), st.integers(0, 90)))
        fields = {
            "user": draw(st.sampled_from(["u", "U", "v", ""])),
            "other": draw(st.sampled_from(["u", "v"])),
            "host": draw(st.sampled_from(["h", "i"])),
            "value": draw(st.sampled_from(["x", "X", "y", "z", "w", ""])),
            "number": draw(st.sampled_from(["0", "1", "2.5", "-1", "7", "1e1"])),
        }
        fields = {name: text for name, text in fields.items() if text}
        path = draw(st.sampled_from(["log", "other"]))
        names = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=2, unique=True))
        for name in names:
            made.append(Hit(T0 + seconds * SECOND, f"id-{name}", path, number + 1, "", fields, "", ""))  # noqa: PERF401
    return made

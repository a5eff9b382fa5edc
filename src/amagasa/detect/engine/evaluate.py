"""A batch of events against a plan: what matched, with its evidence, and what could not run."""

from collections.abc import Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeAlias

from amagasa.detect.engine.evidence import Hit, detections_of, hit_of
from amagasa.detect.engine.judge import View
from amagasa.detect.engine.keywords import whole_text
from amagasa.detect.engine.memo import Memo, Places, RouteMemo
from amagasa.detect.engine.plan import Plan
from amagasa.detect.report import Detection, MatchReport
from amagasa.event.record import EventBatch, Row

# By the number of a record: the rules which may match it, by their places on its route. A sieve knows them.
Suspects: TypeAlias = Mapping[int, tuple[int, ...]]


def evaluate(batch: EventBatch, plan: Plan, memo: Memo, *, suspects: Suspects | None = None) -> MatchReport:
    """Detections of `plan`'s rules in the batch, in the order of its rows. `memo` must be of this plan.

    Records with suspects are looked at for these alone, all others for every rule. A rule which the engine refuses is
    in `faults` of every report of a route that it applies to, and does not count as clean. Raises ValueError where the
    batch lacks a field which the plan wants on its route.
    """
    if memo.plan is not plan:
        message = "the memo belongs to another plan"
        raise ValueError(message)
    memo.trim()
    rest = [index for index, record in enumerate(batch.records) if not suspects or record not in suspects]
    route = memo.route(batch.route, is_ready=bool(rest))
    if not route.plan.places:
        return MatchReport(n_events=len(batch.rows))
    rows = _rows_of(batch, route.plan.fields)
    hits = _judged(batch, memo, route, rows=rows, suspects=suspects or {})
    if rest:
        hits |= _found(batch, memo, route, rows=rows, indexes=rest)
    detections: list[Detection] = []
    for index in sorted(hits):
        detections.extend(detections_of(batch, index, plan, route=route, hits=hits[index]))
    return MatchReport(n_events=len(batch.rows), detections=tuple(detections), faults=memo.faults_of(route))


def _rows_of(batch: EventBatch, fields: tuple[str, ...]) -> Sequence[Row]:
    """The plan's columns of the batch, as values that can be keys of a memo."""
    rows: Sequence[Row] = batch.rows
    if batch.fields != fields:
        missing = sorted(set(fields) - set(batch.fields))
        if missing:
            message = f"the batch of {batch.route.name} lacks the wanted fields {missing}"
            raise ValueError(message)
        columns = [batch.fields.index(field) for field in fields]
        if len(columns) > 1:
            rows = list(map(itemgetter(*columns), rows))
        else:
            rows = [tuple(row[column] for column in columns) for row in rows]
    return rows


def _judged(
    batch: EventBatch, memo: Memo, route: RouteMemo, *, rows: Sequence[Row], suspects: Suspects
) -> dict[int, Sequence[Hit]]:
    """What matches of the suspected rules, by the row's index."""
    found: dict[int, Sequence[Hit]] = {}
    for index, record in enumerate(batch.records if suspects else ()):
        places = suspects.get(record)
        if not places:
            continue
        read_whole = partial(whole_text, batch.format, batch.lines[index])
        view = View(zip(route.plan.fields, rows[index], strict=True), read_whole)
        hits = [
            Hit(
                place,
                tuple(field for field, speaks in ruling.speaking if speaks(view)),
                tuple(word for word, speaks in ruling.words if speaks(view)),
            )
            for place, ruling in ((place, memo.ruling(route, place)) for place in places)
            if ruling.matches(view)
        ]
        if hits:
            found[index] = hits
    return found


def _found(
    batch: EventBatch, memo: Memo, route: RouteMemo, *, rows: Sequence[Row], indexes: Sequence[int]
) -> dict[int, Sequence[Hit]]:
    """What matches of all rules in the rows at `indexes`."""
    is_whole = len(indexes) == len(rows)
    chosen = rows if is_whole else [rows[index] for index in indexes]
    lines = batch.lines if is_whole else [batch.lines[index] for index in indexes]
    found = _by_index(memo, route, chosen)
    keywords = {} if route.keywords is None else dict(route.keywords.held(batch.format, lines))
    own = frozenset(memo.plan.filed(route.plan).keyword_rules)
    for index, atoms in keywords.items():
        rest = [place for place in found.get(index, ()) if place not in own]
        found[index] = tuple(sorted((*rest, *memo.with_keywords(route, chosen[index], atoms))))
    hits: dict[int, Sequence[Hit]] = {}
    for index, places in found.items():
        if places:
            held = memo.held(route, chosen[index]) | keywords.get(index, frozenset())
            hits[indexes[index]] = [hit_of(memo.plan, route, place, held) for place in places]
    return hits


def _by_index(memo: Memo, route: RouteMemo, rows: Sequence[Row]) -> dict[int, Places]:
    """Places of the rules that match, by the row's index. What was seen before costs one look-up in C."""
    unique = set(rows)
    matched = {row: route.matched[row] for row in unique & route.matched.keys()}
    for row in unique - route.seen:
        places = memo.rules_of(route, row)
        if places:
            matched[row] = places
    if not matched:
        return {}
    return {index: matched[row] for index, row in enumerate(rows) if row in matched}

"""A batch of events against a plan: what matched, with its evidence, and what could not run."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from amagasa.detect.engine.memo import Memo, Places, RouteMemo
from amagasa.detect.engine.plan import Plan, positive_atoms_of
from amagasa.detect.report import Detection, MatchReport
from amagasa.detect.sigma.rule import Node, Op, Rule
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail
from amagasa.event.record import MISSING, EventBatch, Row

# Of the raw record, kept with a detection.
MAX_RAW_BYTES: Final = 4096
# The name under which a keyword stands among the fields that matched.
KEYWORDS: Final = "keywords"


def evaluate(batch: EventBatch, plan: Plan, memo: Memo) -> MatchReport:
    """Detections of `plan`'s rules in the batch, in the order of its rows. `memo` must be of this plan.

    A rule which the engine refuses is in `faults` of every report of a route that it applies to, and does not count
    as clean. Raises ValueError where the batch lacks a field which the plan wants on its route.
    """
    if memo.plan is not plan:
        message = "the memo belongs to another plan"
        raise ValueError(message)
    memo.trim()
    route = memo.route(batch.route)
    if not route.plan.rules:
        return MatchReport(n_events=len(batch.rows))
    faults = memo.faults_of(route)
    rows = _rows_of(batch, route.plan.fields)
    found = _by_index(memo, route, rows)
    keywords = _add_keywords(batch, memo, route, rows=rows, found=found)
    detections: list[Detection] = []
    for index, places in sorted(found.items()):
        if places:
            held = memo.held(route, rows[index]) | keywords.get(index, frozenset())
            detections.extend(_detections(batch, index, memo, route=route, places=places, held=held))
    return MatchReport(n_events=len(batch.rows), detections=tuple(detections), faults=faults)


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


def _add_keywords(
    batch: EventBatch, memo: Memo, route: RouteMemo, *, rows: Sequence[Row], found: dict[int, Places]
) -> Mapping[int, frozenset[int]]:
    """Correct `found` for the lines in which keywords stand; the atoms of the keywords that hold, by index."""
    if route.keywords is None:
        return {}
    own = frozenset(route.plan.keyword_rules)
    held = dict(route.keywords.held(batch.format, batch.lines))
    for index, atoms in held.items():
        rest = [place for place in found.get(index, ()) if place not in own]
        found[index] = tuple(sorted((*rest, *memo.with_keywords(route, rows[index], atoms))))
    return held


def _detections(
    batch: EventBatch, index: int, memo: Memo, *, route: RouteMemo, places: Places, held: set[int]
) -> list[Detection]:
    event = detail(batch, index)
    entities = entities_of(event.fields)
    raw = batch.lines[index][:MAX_RAW_BYTES].decode("utf-8", "backslashreplace")
    row = dict(zip(batch.fields, batch.rows[index], strict=True))
    values = {name: value for name, value in row.items() if value is not MISSING} | dict(batch.route.known)
    values |= event.fields
    return [
        Detection(
            rule_id=rule.id,
            title=rule.title,
            level=rule.level,
            path=batch.path,
            record=batch.records[index],
            event_at=event.event_at,
            techniques=rule.techniques,
            tactics=rule.tactics,
            fields=_evidence(memo, route, place, values=values, held=held),
            event=event.fields,
            entities=entities,
            raw=raw,
            origin=rule.origin,
        )
        for place in places
        for rule in (memo.plan.rules[route.plan.rules[place].place],)
    ]


def _evidence(memo: Memo, route: RouteMemo, place: int, *, values: Mapping[str, Any], held: set[int]) -> dict[str, Any]:
    """The fields whose atoms speak for the rule, with their values: those that held, and those known of the route."""
    found = route.evidence.get(place)
    if found is None:
        one = route.plan.rules[place]
        rule = memo.plan.rules[one.place]
        known = _positive_fields(rule, rule.condition, is_positive=True) & {"EventID", "Channel"}
        found = route.evidence[place] = (frozenset(positive_atoms_of(one.part)), tuple(sorted(known)))
    positive, known_fields = found
    atoms = [memo.plan.atoms[number] for number in sorted(positive & held)]
    evidence = {atom.field: values[atom.field] for atom in atoms if atom.field is not None and atom.field in values}
    evidence |= {name: values[name] for name in known_fields if name in values}
    words = [atom.value for atom in atoms if atom.field is None]
    return evidence | ({KEYWORDS: words} if words else {})


def _positive_fields(rule: Rule, node: Node, *, is_positive: bool) -> set[str]:
    if node.op is Op.ATOM:
        field = rule.atoms[node.atom].field
        return {field} if is_positive and field is not None else set()
    found: set[str] = set()
    for item in node.items:
        found |= _positive_fields(rule, item, is_positive=is_positive != (node.op is Op.NOT))
    return found

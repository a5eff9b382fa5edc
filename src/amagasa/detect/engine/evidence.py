"""A match -> a detection: the whole event, what it names, and which fields speak for the rule."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from amagasa.detect.engine.memo import RouteMemo
from amagasa.detect.engine.plan import Plan, positive_atoms_of
from amagasa.detect.report import Detection
from amagasa.detect.sigma.rule import Node, Op, Rule
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail
from amagasa.event.record import MISSING, EventBatch

# Of the raw record, kept with a detection.
MAX_RAW_BYTES: Final = 4096
# The name under which a keyword stands among the fields that matched.
KEYWORDS: Final = "keywords"

# A rule's place on its route, and the atoms that hold (all of them, or at least those which speak for the rule).
Hit = tuple[int, AbstractSet[int]]


def detections_of(
    batch: EventBatch, index: int, plan: Plan, *, route: RouteMemo, hits: Sequence[Hit]
) -> list[Detection]:
    """A detection for each rule that row `index` satisfies."""
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
            fields=_evidence(plan, route, place, values=values, held=held),
            event=event.fields,
            entities=entities,
            raw=raw,
            origin=rule.origin,
        )
        for place, held in hits
        for rule in (plan.rules[route.plan.rules[place].place],)
    ]


def speaking(plan: Plan, route: RouteMemo, place: int) -> tuple[frozenset[int], tuple[str, ...]]:
    """The atoms which speak for the rule where they hold, and those of the route's known fields which do."""
    found = route.evidence.get(place)
    if found is None:
        one = route.plan.rules[place]
        rule = plan.rules[one.place]
        known = _positive_fields(rule, rule.condition, is_positive=True) & {"EventID", "Channel"}
        found = route.evidence[place] = (frozenset(positive_atoms_of(one.part)), tuple(sorted(known)))
    return found


def _evidence(
    plan: Plan, route: RouteMemo, place: int, *, values: Mapping[str, Any], held: AbstractSet[int]
) -> dict[str, Any]:
    """The fields whose atoms speak for the rule, with their values: those that held, and those known of the route."""
    positive, known_fields = speaking(plan, route, place)
    atoms = [plan.atoms[number] for number in sorted(positive & held)]
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

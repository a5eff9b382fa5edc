"""A match -> a detection: the whole event, what it names, and which fields speak for the rule."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from msgspec import Struct

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


class Hit(Struct, frozen=True, gc=False):
    """A rule, by its place on its route, that a row satisfies; the fields that speak for it, and keywords found."""

    place: int
    fields: tuple[str, ...]
    words: tuple[str, ...] = ()


def hit_of(plan: Plan, route: RouteMemo, place: int, held: AbstractSet[int]) -> Hit:
    """The hit where exactly these atoms hold. Fields stand in the order of their first atoms."""
    speaking: dict[str, bool] = {}
    words: list[str] = []
    for number in sorted(positive_atoms_of(plan.part(route.plan, place))):
        atom = plan.atoms[number]
        if atom.field is not None:
            speaking[atom.field] = speaking.get(atom.field, False) or number in held
        elif number in held:
            words.append(atom.value)
    return Hit(place, tuple(field for field, speaks in speaking.items() if speaks), tuple(words))


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
    found = []
    for hit in hits:
        rule = plan.rules[route.plan.places[hit.place]]
        names = (*hit.fields, *_known_fields(rule, route, hit.place))
        evidence: dict[str, Any] = {name: values[name] for name in names if name in values}
        if hit.words:
            evidence[KEYWORDS] = list(hit.words)
        found.append(
            Detection(
                rule_id=rule.id,
                title=rule.title,
                level=rule.level,
                path=batch.path,
                record=batch.records[index],
                event_at=event.event_at,
                techniques=rule.techniques,
                tactics=rule.tactics,
                fields=evidence,
                event=event.fields,
                entities=entities,
                raw=raw,
                origin=rule.origin,
            )
        )
    return found


def _known_fields(rule: Rule, route: RouteMemo, place: int) -> tuple[str, ...]:
    """Those known of the route which speak for the rule."""
    found = route.known_fields.get(place)
    if found is None:
        known = _positive_fields(rule, rule.condition, is_positive=True) & {"EventID", "Channel"}
        found = route.known_fields[place] = tuple(sorted(known))
    return found


def _positive_fields(rule: Rule, node: Node, *, is_positive: bool) -> set[str]:
    if node.op is Op.ATOM:
        field = rule.atoms[node.atom].field
        return {field} if is_positive and field is not None else set()
    found: set[str] = set()
    for item in node.items:
        found |= _positive_fields(rule, item, is_positive=is_positive != (node.op is Op.NOT))
    return found

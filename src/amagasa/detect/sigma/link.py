"""Rules among each other: filters are put to them, what is not wanted is left out, what another replaces is too.

Only what came from one party is linked: an ally's filter or rule takes nothing away from ours, nor ours from theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Compiled, Filter, Node, Op, Relation, Rule, Status
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level

NOT_APPLIED: Final = "AMG-RULE-012"
REPLACE_EACH_OTHER: Final = "AMG-RULE-013"
# A `merged` rule says of those that it was merged from that they may still be in use (specification 2.1).
REPLACING: Final = frozenset({Relation.OBSOLETE, Relation.RENAMED})
_Key = tuple[str, str]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which rules are to run: of these statuses (none named: of any, or of none), of this level or above."""

    statuses: tuple[Status, ...] = ()
    min_level: Level = Level.INFORMATIONAL


class OffBy(StrEnum):
    """Why a rule that could run does not."""

    STATUS = "status"
    LEVEL = "level"
    REPLACED = "replaced"


class OffRule(Struct, frozen=True, kw_only=True):
    """A rule that could run and was switched off. `instead` is the title of the rule that replaces it."""

    rule_id: str
    title: str
    path: str
    by: OffBy
    why: str
    instead: str = ""


class Linked(Struct, frozen=True, kw_only=True):
    """The rules that run, in their order; those switched off; and what is wrong between documents.

    `silent` are the ids of rules that were switched off and run all the same, since a correlation looks at what they
    find: they are to say nothing themselves. `is_acting`: some document acts on others, so that a change of one may
    change the meaning of any.
    """

    rules: tuple[Rule, ...]
    off: tuple[OffRule, ...]
    faults: tuple[RuleFault, ...]
    silent: tuple[str, ...] = ()
    is_acting: bool = False


def link(compiled: Compiled, wanted: Wanted | None = None) -> Linked:
    """Filters first, so that one may name a rule that is not wanted; then who replaces whom among the wanted.

    A filter for a rule that could not be compiled is no fault of its own. The order of the documents changes nothing.
    Linear in all of it, but for rules times filters for `any`.
    """
    filtered, unapplied = _filtered(compiled.rules, compiled.filters, {fault.rule_id for fault in compiled.faults})
    kept, unwanted = _wanted(filtered, wanted or Wanted())
    running, replaced, circular = _not_replaced(kept)
    needed = _looked_at(filtered, running)
    silent = {rule.id for rule in needed}
    if needed:
        running = [rule for rule in filtered if rule in needed or rule in set(running)]
    off = (*unwanted, *replaced)
    return Linked(
        rules=tuple(running),
        off=tuple(one for one in off if one.rule_id not in silent),
        faults=(*compiled.faults, *unapplied, *circular),
        silent=tuple(sorted(silent)),
        is_acting=bool(compiled.filters or replaced or circular),
    )


def _filtered(rules: Sequence[Rule], filters: Sequence[Filter], faulty: set[str]) -> tuple[list[Rule], list[RuleFault]]:
    if not filters:
        return list(rules), []
    by_key = _places(rules)
    applied: dict[int, list[Filter]] = {}
    faults: list[RuleFault] = []
    for one in filters:
        for place in _meant(one, rules, by_key):
            if _covers(one.logsource, rules[place].logsource):
                applied.setdefault(place, []).append(one)
        named = {name: [rules[place] for place in _called(by_key, one.origin, name)] for name in one.rules}
        reasons = [_why_not(one, name, found) for name, found in named.items() if found or name not in faulty]
        faults.extend(RuleFault(rule_id=one.id, path=one.path, why=why, code=NOT_APPLIED) for why in reasons if why)
    return [_with_filters(rule, applied.get(place, ())) for place, rule in enumerate(rules)], faults


def _places(rules: Sequence[Rule]) -> dict[_Key, list[int]]:
    """Rules by origin and by what they may be called; an identifier in any case."""
    found: dict[_Key, list[int]] = {}
    for place, rule in enumerate(rules):
        for called in {rule.id.lower(), *rule.references}:
            found.setdefault((rule.origin, called), []).append(place)
    return found


def _called(by_key: Mapping[_Key, list[int]], origin: str, name: str) -> Sequence[int]:
    return by_key.get((origin, name)) or by_key.get((origin, name.lower())) or ()


def _meant(one: Filter, rules: Sequence[Rule], by_key: Mapping[_Key, list[int]]) -> Iterable[int]:
    if not one.rules:
        return (place for place, rule in enumerate(rules) if rule.origin == one.origin)
    return sorted({place for name in one.rules for place in _called(by_key, one.origin, name)})


def _why_not(one: Filter, name: str, named: Sequence[Rule]) -> str:
    """Why the filter does nothing to the rules of this name; "" where it does."""
    if not named:
        return f"the filter names the rule {name}, which is not loaded"
    if any(_covers(one.logsource, rule.logsource) for rule in named):
        return ""
    return f"the filter names the rule {name}, which looks at another log source than the filter"


def _covers(asked: LogSource, given: LogSource) -> bool:
    """Whether `given` gives all that `asked` gives, alike."""
    return (
        asked.category in {None, given.category}
        and asked.product in {None, given.product}
        and asked.service in {None, given.service}
    )


def _with_filters(rule: Rule, filters: Sequence[Filter]) -> Rule:
    if not filters:
        return rule
    atoms = {atom: place for place, atom in enumerate(rule.atoms)}
    conditions = [rule.condition]
    for one in filters:
        places = [atoms.setdefault(atom, len(atoms)) for atom in one.atoms]
        conditions.append(_renumbered(one.condition, places))
    return replace(rule, atoms=tuple(atoms), condition=Node(Op.AND, items=tuple(conditions)))


def _renumbered(node: Node, places: Sequence[int]) -> Node:
    if node.op is Op.ATOM:
        return Node(Op.ATOM, atom=places[node.atom])
    return Node(node.op, items=tuple(_renumbered(item, places) for item in node.items))


def _wanted(rules: Sequence[Rule], wanted: Wanted) -> tuple[list[Rule], list[OffRule]]:
    kept: list[Rule] = []
    off: list[OffRule] = []
    for rule in rules:
        if rule.level.severity < wanted.min_level.severity:
            off.append(_off(rule, OffBy.LEVEL, f"its level is {rule.level.value}, below {wanted.min_level.value}"))
        elif wanted.statuses and rule.status not in wanted.statuses:
            stated = f"its status is {rule.status.value}" if rule.status else "it states no status"
            off.append(_off(rule, OffBy.STATUS, stated))
        else:
            kept.append(rule)
    return kept, off


def _not_replaced(rules: Sequence[Rule]) -> tuple[list[Rule], list[OffRule], list[RuleFault]]:
    """Rules that nobody replaces; those that one of them replaces, over others too; and a fault for each circle."""
    if not any(one.relation in REPLACING for rule in rules for one in rule.related):
        return list(rules), [], []
    replaces = _replaced_by_each(rules)
    below = {place for places in replaces.values() for place in places}
    replaced_by: dict[int, int] = {}
    waiting = [place for place in replaces if place not in below]
    while waiting:
        place = waiting.pop()
        for other in replaces.get(place, ()):
            if other not in replaced_by:
                replaced_by[other] = place
                waiting.append(other)
    off = [_replaced(rules[place], rules[by]) for place, by in sorted(replaced_by.items())]
    circular = [
        RuleFault(
            rule_id=rules[place].id,
            path=rules[place].path,
            why="it replaces a rule that replaces it: both go on running",
            code=REPLACE_EACH_OTHER,
        )
        for place in sorted(below - replaced_by.keys())
    ]
    return [rule for place, rule in enumerate(rules) if place not in replaced_by], off, circular


def _looked_at(rules: Sequence[Rule], running: Sequence[Rule]) -> set[Rule]:
    """Rules that do not run, at which a correlation that runs looks, be it by way of others."""
    waiting = [rule for rule in running if rule.correlation is not None]
    if not waiting:
        return set()
    by_reference: dict[str, list[Rule]] = {}
    for rule in rules:
        for reference in {rule.id, *rule.references}:
            by_reference.setdefault(reference, []).append(rule)
    met = set(running)
    needed: set[Rule] = set()
    while waiting:
        correlation = waiting.pop().correlation
        named = [one for name in (correlation.rules if correlation else ()) for one in by_reference.get(name, ())]
        new = {one for one in named if one not in met}
        met |= new
        needed |= new
        waiting.extend(new)
    return needed


def _replaced_by_each(rules: Sequence[Rule]) -> dict[int, list[int]]:
    """Places of the rules that each replaces, itself and its namesakes apart."""
    by_key = _places(rules)
    found: dict[int, list[int]] = {}
    for place, rule in enumerate(rules):
        for one in rule.related:
            if one.relation in REPLACING:
                others = by_key.get((rule.origin, one.id.lower()), ())
                found.setdefault(place, []).extend(other for other in others if rules[other].id != rule.id)
    return found


def _replaced(rule: Rule, by: Rule) -> OffRule:
    off = _off(rule, OffBy.REPLACED, f"the rule {by.id} ({by.title}) replaces it")
    return replace(off, instead=by.title)


def _off(rule: Rule, by: OffBy, why: str) -> OffRule:
    return OffRule(rule_id=rule.id, title=rule.title, path=rule.path, by=by, why=why)

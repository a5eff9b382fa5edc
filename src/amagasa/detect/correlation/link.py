"""Correlations and all rules -> which detections each looks at, what of them it wants, and what keeps silent.

References are resolved over all documents, whatever file or order they stand in: first within the correlation's own
document, then among everything its author may refer to. A party refers to its own rules and to the built-in ones, and
silences its own alone: an ally's correlation cannot switch a rule of ours off.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.definition import Correlation
from amagasa.detect.correlation.order import Chain, Unit, chain_of, counted_chain, units_of
from amagasa.detect.correlation.pattern import Pattern
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Rule
from amagasa.vocab.severity import Level, Severity
from amagasa.vocab.text import show

# Raised whenever windows written before mean something else: they are then forgotten, and counted anew.
STATE_VERSION: Final = 1
UNRESOLVED: Final = "AMG-CORRELATION-002"
BUILT_IN: Final = "builtin:"


class Member(Struct, frozen=True, kw_only=True, gc=False):
    """One rule that a correlation refers to: the ids it is detected under, and the fields asked of its records.

    `group` and `values` are in the order of the correlation's own, with aliases resolved; `carried` are what outer
    correlations ask for.
    """

    ids: tuple[str, ...]
    title: str
    group: tuple[str, ...]
    values: tuple[str, ...]
    carried: tuple[str, ...]
    is_correlation: bool = False


class Linked(Struct, frozen=True, kw_only=True, dict=True):
    """A correlation whose rules are all there. `digest` names its windows: the same while it means the same.

    `lag_s` is how much later than its records the correlations inside it may speak. `is_inner`: others look at it.
    `pattern` is set for kind PATTERN: then the id is an indicator's.
    """

    id: str
    title: str
    level: Level
    techniques: tuple[str, ...]
    tactics: tuple[str, ...]
    origin: str
    path: str
    correlation: Correlation
    members: tuple[Member, ...]
    digest: str
    lag_s: int = 0
    is_inner: bool = False
    pattern: Pattern | None = None

    @cached_property
    def span(self) -> int:
        """The timespan in microseconds."""
        return self.correlation.timespan_s * 1_000_000

    @cached_property
    def needed(self) -> int:
        """The smallest measure that is enough."""
        return self.correlation.needed

    @cached_property
    def is_rising(self) -> bool:
        """Whether it is judged at each event."""
        return self.correlation.is_rising

    @cached_property
    def chain(self) -> Chain:
        """What must follow what; of an ordered correlation judged at each event."""
        return chain_of(self.correlation)

    @cached_property
    def units(self) -> tuple[Unit, tuple[Chain, ...]]:
        """The same for whole windows: the condition taken apart, and its chains. Without a condition: all series."""
        n_rules = len(self.members)
        condition = self.correlation.condition
        return units_of(condition, n_rules) if condition is not None else (Unit(0), (counted_chain(n_rules, 1),))


class Links(Struct, frozen=True, kw_only=True, dict=True):
    """Every correlation that can run, inner ones before those that look at them; ids of rules which keep silent."""

    correlations: tuple[Linked, ...] = ()
    silent: tuple[str, ...] = ()

    @cached_property
    def takers(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """For the id of a rule: (place of a correlation, place of its member) of each that looks at it."""
        found: dict[str, list[tuple[int, int]]] = {}
        for place, linked in enumerate(self.correlations):
            for number, member in enumerate(linked.members):
                for rule_id in member.ids:
                    found.setdefault(rule_id, []).append((place, number))
        return {rule_id: tuple(takers) for rule_id, takers in found.items()}

    @cached_property
    def wanted(self) -> Mapping[str, tuple[str, ...]]:
        """For the id of a rule: the fields which any correlation wants of its records."""
        found: dict[str, dict[str, None]] = {}
        for linked in self.correlations:
            for member in linked.members:
                for rule_id in member.ids:
                    names = found.setdefault(rule_id, {})
                    names |= dict.fromkeys((*member.group, *member.values, *member.carried))
        return {rule_id: tuple(names) for rule_id, names in found.items()}

    @cached_property
    def muted(self) -> frozenset[str]:
        """`silent` as a set."""
        return frozenset(self.silent)


def link(
    rules: Iterable[Rule], *, least: Level = Level.INFORMATIONAL, free: AbstractSet[str] = frozenset()
) -> tuple[Links, tuple[RuleFault, ...]]:
    """The links among `rules` (correlations and others together), and the correlations that cannot run.

    What is below `least` keeps silent; those with an id in `free` do not, whatever their level. Cost grows with the
    number of rules and of references.
    """
    everything = tuple(rules)
    outer, faults = _each_once(rule for rule in everything if rule.correlation is not None)
    if not outer:
        return Links(), tuple(faults)
    book = _Book(everything)
    resolved: dict[Rule, tuple[tuple[Rule, ...], ...]] = {}
    for rule in outer:
        found = book.members_of(rule)
        if isinstance(found, RuleFault):
            faults.append(found)
        else:
            resolved[rule] = found
    order, unordered = _inner_first(resolved)
    faults += unordered + _drop_unfounded(order, resolved)
    wanted = _wanted_by_outer(order, resolved)
    made: dict[str, Linked] = {}
    for rule in order:
        linked = _linked(rule, resolved[rule], wanted.get(rule.id, ()), made)
        made[rule.id] = replace(linked, digest=_digest_of(linked), is_inner=rule.id in wanted)
    named = {one.id: one.level for members in resolved.values() for member in members for one in member}
    levels = named | {linked.id: linked.level for linked in made.values()}
    below = {rule_id for rule_id, level in levels.items() if level.severity < least.severity} - free
    silent = below | _silenced(order, resolved)
    return Links(correlations=tuple(made.values()), silent=tuple(sorted(silent))), tuple(faults)


def _each_once(correlations: Iterable[Rule]) -> tuple[list[Rule], list[RuleFault]]:
    """One of each id: the same text in two places counts once, another text under the same id is refused."""
    by_id: dict[str, Rule] = {}
    faults: list[RuleFault] = []
    for rule in correlations:
        first = by_id.setdefault(rule.id, rule)
        if replace(first, path="") != replace(rule, path=""):
            faults.append(
                _fault(rule, f"another correlation has this id: {show(first.title, 80)} in {show(first.path)}")
            )
    return list(by_id.values()), faults


class _Book:
    """Finds the rules behind a reference."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_reference: dict[str, list[Rule]] = {}
        for rule in rules:
            for reference in dict.fromkeys((*rule.references, rule.id)):
                self._by_reference.setdefault(reference, []).append(rule)

    def members_of(self, outer: Rule) -> tuple[tuple[Rule, ...], ...] | RuleFault:
        """For each reference the rules it means: several only where they share one id."""
        correlation = outer.correlation
        members: list[tuple[Rule, ...]] = []
        for reference in correlation.rules if correlation is not None else ():
            found = self._meant(outer, reference)
            ids = {rule.id for rule in found}
            if not found:
                return _fault(outer, f"it refers to {show(reference, 80)}, and no rule that runs has this id or name")
            if len(ids) > 1:
                return _fault(outer, f"{len(ids)} rules have the name {show(reference, 80)}: refer to one by its id")
            members.append(found)
        return tuple(members)

    def _meant(self, outer: Rule, reference: str) -> tuple[Rule, ...]:
        named = [rule for rule in self._by_reference.get(reference, ()) if rule is not outer and _may_see(outer, rule)]
        beside = [rule for rule in named if rule.path == outer.path and rule.origin == outer.origin]
        own = [rule for rule in named if rule.origin == outer.origin]
        return tuple(beside or own or named)


def _may_see(outer: Rule, rule: Rule) -> bool:
    return rule.origin == outer.origin or rule.path.startswith(BUILT_IN)


def _inner_first(resolved: Mapping[Rule, tuple[tuple[Rule, ...], ...]]) -> tuple[list[Rule], list[RuleFault]]:
    left = dict(resolved)
    faults: list[RuleFault] = []
    while True:
        sorter = TopologicalSorter(
            {rule: {inner for member in members for inner in member if inner in left} for rule, members in left.items()}
        )
        try:
            return list(sorter.static_order()), faults
        except CycleError as error:
            for rule in dict.fromkeys(error.args[1]):
                faults.append(_fault(rule, "it refers to itself, by way of the correlations it is made of"))
                del left[rule]


def _drop_unfounded(order: list[Rule], resolved: dict[Rule, tuple[tuple[Rule, ...], ...]]) -> list[RuleFault]:
    """Take out of `order` whatever rests on a correlation that cannot run itself."""
    faults: list[RuleFault] = []
    running: set[Rule] = set()
    for rule in tuple(order):
        missing = [
            inner
            for member in resolved[rule]
            for inner in member
            if inner.correlation is not None and inner not in running
        ]
        if missing:
            order.remove(rule)
            why = f"it refers to the correlation {show(missing[0].title, 80)}, which cannot run"
            faults.append(_fault(rule, why))
        else:
            running.add(rule)
    return faults


def _wanted_by_outer(
    order: Sequence[Rule], resolved: Mapping[Rule, tuple[tuple[Rule, ...], ...]]
) -> dict[str, tuple[str, ...]]:
    """For the id of an inner correlation: the fields which those that look at it ask of its records."""
    wanted: dict[str, dict[str, None]] = {}
    for rule in reversed(order):  # outer ones first: what is asked of them is handed inwards
        if rule.correlation is None:
            continue
        for number, member in enumerate(resolved[rule]):
            group, values = _fields_of(rule.correlation, number)
            for inner in member:
                if inner.correlation is not None:
                    names = wanted.setdefault(inner.id, {})
                    names |= dict.fromkeys((*group, *values, *wanted.get(rule.id, {})))
    return {rule_id: tuple(names) for rule_id, names in wanted.items()}


def _fields_of(correlation: Correlation, number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields by which the member of this number is grouped, and those whose values count."""
    reference = correlation.rules[number]
    renamed = {alias.name: dict(alias.fields).get(reference, alias.name) for alias in correlation.aliases}
    return (
        tuple(renamed.get(name, name) for name in correlation.group_by),
        tuple(renamed.get(name, name) for name in correlation.fields),
    )


def _linked(
    rule: Rule, members: tuple[tuple[Rule, ...], ...], carried: tuple[str, ...], made: Mapping[str, Linked]
) -> Linked:
    correlation = rule.correlation
    if correlation is None:
        message = "only a correlation has members"
        raise TypeError(message)
    joined: list[Member] = []
    for number, found in enumerate(members):
        group, values = _fields_of(correlation, number)
        joined.append(
            Member(
                ids=tuple(dict.fromkeys(one.id for one in found)),
                title=found[0].title,
                group=group,
                values=values,
                carried=tuple(name for name in carried if name not in correlation.group_by),
                is_correlation=any(one.id in made for one in found),
            )
        )
    everyone = [made.get(one.id, one) for found in members for one in found]
    inner = [one for one in everyone if isinstance(one, Linked)]
    return Linked(
        id=rule.id,
        title=rule.title,
        level=rule.level if correlation.is_level_own else max((one.level for one in everyone), key=_severity),
        techniques=rule.techniques if correlation.are_tags_own else _all(one.techniques for one in everyone),
        tactics=rule.tactics if correlation.are_tags_own else _all(one.tactics for one in everyone),
        origin=rule.origin,
        path=rule.path,
        correlation=correlation,
        members=tuple(joined),
        digest="",
        lag_s=max((_lag_of(one) for one in inner), default=0),
    )


def _lag_of(inner: Linked) -> int:
    """How long after its records this correlation may still speak of them: one on whole windows waits for their end."""
    return inner.lag_s + (0 if inner.correlation.is_rising else inner.correlation.timespan_s)


def _severity(level: Level) -> Severity:
    return level.severity


def _all(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _digest_of(linked: Linked) -> str:
    """What decides the meaning of its windows; not titles, level, place, nor who else is heard."""
    correlation = replace(linked.correlation, is_generating=False, is_level_own=False, are_tags_own=False)
    members = [replace(member, title="", carried=()) for member in linked.members]
    meaning = (STATE_VERSION, linked.id, linked.origin, correlation, members)
    return hashlib.sha256(msgspec.msgpack.encode(meaning)).hexdigest()[:32]


def _silenced(order: Sequence[Rule], resolved: Mapping[Rule, tuple[tuple[Rule, ...], ...]]) -> set[str]:
    """Rules of the same party which only correlations with `generate: false` refer to."""
    quiet: set[str] = set()
    loud: set[str] = set()
    for rule in order:
        if rule.correlation is None:
            continue
        ids = {one.id for member in resolved[rule] for one in member if one.origin == rule.origin}
        (loud if rule.correlation.is_generating else quiet).update(ids)
    return quiet - loud


def _fault(rule: Rule, why: str) -> RuleFault:
    return RuleFault(rule_id=rule.id, path=rule.path, why=why, code=UNRESOLVED)

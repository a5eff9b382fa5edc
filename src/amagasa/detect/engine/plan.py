"""Rules -> Plan: plain data with a content hash; and, for each route, the rules that can match there, made small.

A route's plan drops rules for other log sources and decides atoms on what is known of the route (EventID, Channel). Its
outline, which rules and which fields are left, can be kept for the next start; the condition of a rule is then made
small when it is first asked for, and most never are. For whoever asks for all of them, every rule is filed under atoms
of which one must hold for it to match. Rules without such an atom (negative ones) are asked for each new combination;
keyword rules and field references stand apart.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import Final, TypeAlias, Union

import msgspec
from msgspec import Struct

from amagasa.detect.engine.atoms import Atoms, Index, index_of, packed, unpacked
from amagasa.detect.engine.matcher import FieldMatcher, text_of
from amagasa.detect.folding import fold
from amagasa.detect.sigma.rule import FIELDREFS, Atom, Node, Op, Predicate, Rule
from amagasa.event.record import LogSource, Route
from amagasa.event.route import applies

# Routes are made from what an attacker may write into a log: forget all rather than keep every one.
MAX_ROUTES: Final = 4096
# Outlines are kept on disk.
MAX_OUTLINES: Final = 1024
_NEARLY_ALWAYS: Final = 1000
_PARTS: Final = frozenset({Predicate.CONTAINS, Predicate.STARTSWITH, Predicate.ENDSWITH})
# (characters at most, how often such a part is in a value): a guess, of which only the order matters.
_OFTEN: Final = ((1, 600), (2, 300), (3, 100), (4, 40), (5, 15), (7, 6), (11, 3), (1 << 30, 1))
_OFTEN_EXPRESSION: Final = 40
_OFTEN_SHORT: Final = 20
_WIDE: Final = frozenset({Predicate.NULL, Predicate.EXISTS, Predicate.NEQ})


class Join(IntEnum):
    """How an expression joins its parts."""

    AND = 1
    OR = 2
    NOT = 3


class Expr(Struct, frozen=True, gc=False):
    """A condition made small: `atoms` and `rest` joined. NOT has one part."""

    join: Join
    atoms: frozenset[int] = frozenset()
    rest: tuple["Part", ...] = ()


# A number of an atom, an expression, or what was decided already.
Part: TypeAlias = Union[int, Expr]  # noqa: UP007 - a forward reference
Decided: TypeAlias = bool | Part


class Outline(Struct, frozen=True, kw_only=True, array_like=True):
    """What a `RoutePlan` is made of, to be kept: its fields, and numbers of 32 bits in the order of this machine.

    `anchors` are an atom and a count again and again; so many of `anchored` belong to the atom. See `Filing`.
    """

    fields: tuple[str, ...]
    rules: bytes
    anchors: bytes
    anchored: bytes
    always: bytes
    keyword_atoms: bytes
    keyword_rules: bytes
    references: bytes


class Filing(Struct, frozen=True, kw_only=True, eq=False):
    """The rules of a route by what must hold for them; all places are places on the route."""

    by_atom: dict[int, tuple[int, ...]]
    always: tuple[int, ...]
    keyword_atoms: frozenset[int]
    keyword_rules: tuple[int, ...]
    references: tuple[int, ...]


class RoutePlan(Struct, frozen=True, kw_only=True, eq=False):
    """What is asked of the events of one route. The rule at place `n` here is that at `places[n]` in the plan.

    `parts` and `filing` are for the plan, which fills them in when they are asked for.
    """

    route: Route
    fields: tuple[str, ...]
    places: Sequence[int]
    outline: Outline
    parts: dict[int, Part] = {}
    filing: list[Filing] = []


class Plan(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """Compiled content as data: rules, and the hash of all that decides what they match."""

    rules: tuple[Rule, ...]
    digest: str

    def wanted(self, route: Route) -> tuple[str, ...]:
        """Fields of `route` which some rule looks at, sorted; those known of the route are left out."""
        return self.for_route(route).fields

    def for_route(self, route: Route) -> RoutePlan:
        """The plan of `route`; made once and kept (4,096 routes at most)."""
        made = self._routes.get(route.name)
        if made is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            made = self._routes[route.name] = self._route_plan(route)
        return made

    def part(self, own: RoutePlan, place: int) -> Part:
        """What is left on this route of the condition of the rule at `place` there."""
        part = own.parts.get(place)
        if part is None:
            decided = _part_of(self, own.places[place], _known(own.route))
            part = own.parts[place] = Expr(Join.AND) if isinstance(decided, bool) else decided
        return part

    def filed(self, own: RoutePlan) -> Filing:
        """All rules of the route, filed."""
        if not own.filing:
            own.filing.append(_filing_of(own.outline))
        return own.filing[0]

    @cached_property
    def outlines(self) -> dict[str, Outline]:
        """By the name of a route."""
        return {}

    def know(self, index: Index, outlines: Mapping[str, Outline]) -> None:
        """Take in what an earlier plan with this digest made: its index and its outlines."""
        self._given.setdefault("index", index)
        self.outlines.update(outlines)

    @cached_property
    def index(self) -> Index:
        """Of its atoms."""
        return self._given.get("index") or index_of(self.rules)

    @cached_property
    def atoms(self) -> Atoms:
        """Every distinct atom; its number is its place."""
        return Atoms(self.rules, self.index)

    @cached_property
    def frequencies(self) -> tuple[int, ...]:
        """For each atom, how often to expect it: more, the shorter its text; much, where nearly every value has it."""
        return tuple(_frequency(atom) for atom in self.atoms)

    @cached_property
    def _given(self) -> dict[str, Index]:
        return {}

    @cached_property
    def _by_source(self) -> dict[LogSource, list[int]]:
        found: dict[LogSource, list[int]] = {}
        for place, rule in enumerate(self.rules):
            found.setdefault(rule.logsource, []).append(place)
        return found

    @cached_property
    def _parts(self) -> dict[int, Decided]:
        return {}

    def _route_plan(self, route: Route) -> RoutePlan:
        outline = self.outlines.get(route.name)
        if outline is not None:
            return RoutePlan(route=route, fields=outline.fields, places=unpacked(outline.rules), outline=outline)
        parts = _parts_on(self, route)
        outline = _outline_of(self, parts)
        if len(self.outlines) < MAX_OUTLINES:
            self.outlines[route.name] = outline
        places = tuple(parts)
        return RoutePlan(
            route=route, fields=outline.fields, places=places, outline=outline, parts=dict(enumerate(parts.values()))
        )

    @cached_property
    def _routes(self) -> dict[str, RoutePlan]:
        return {}


def _frequency(atom: Atom) -> int:
    if atom.predicate in _WIDE or not atom.value:
        return _NEARLY_ALWAYS
    length = len(atom.value)
    if atom.predicate in _PARTS:
        return next(often for most, often in _OFTEN if length <= most)
    if atom.predicate in {Predicate.REGEX, Predicate.GLOB, *FIELDREFS}:
        return _OFTEN_EXPRESSION
    return 1 if length > 3 or atom.predicate is not Predicate.EQUALS else _OFTEN_SHORT


def plan_of(rules: Sequence[Rule]) -> Plan:
    """The plan of these rules, in their order. A rule that is there twice, word for word, counts once."""
    kept = tuple(dict.fromkeys(rules))
    return Plan(rules=kept, digest=hashlib.sha256(msgspec.msgpack.encode(kept)).hexdigest())


def _parts_on(plan: Plan, route: Route) -> dict[int, Part]:
    """What is left of the rules which can match on the route, in the plan's order."""
    known = _known(route)
    parts: dict[int, Part] = {}
    for source, places in plan._by_source.items():  # noqa: SLF001 - this is the plan's own second half
        if applies(source, route):
            for place in places:
                part = _part_of(plan, place, known)
                if part is not False:
                    parts[place] = Expr(Join.AND) if part is True else part
    return {place: parts[place] for place in sorted(parts)}


def _known(route: Route) -> dict[str | None, str | int]:
    """By field; None, the field of keywords, is known of none."""
    return dict(route.known)


def _part_of(plan: Plan, place: int, known: Mapping[str | None, str | int]) -> Decided:
    """What is left of the rule's condition; made once for all routes where the rule asks for nothing that is known."""
    rule = plan.rules[place]
    if any(atom.field in known for atom in rule.atoms):
        return _decide(plan, place, rule.condition, known)
    part = plan._parts.get(place)  # noqa: SLF001 - as above
    if part is None:
        part = plan._parts[place] = _decide(plan, place, rule.condition, {})  # noqa: SLF001 - as above
    return part


def _outline_of(plan: Plan, parts: Mapping[int, Part]) -> Outline:
    by_atom: dict[int, list[int]] = {}
    always: list[int] = []
    keyword_rules: list[int] = []
    used: set[int] = set()
    for place, part in enumerate(parts.values()):
        own = atoms_of(part)
        used |= own
        if any(plan.atoms[number].field is None for number in own):
            keyword_rules.append(place)
        required = _required(plan, part)
        if required is None:
            always.append(place)
        for number in required or ():
            by_atom.setdefault(number, []).append(place)
    references = sorted(number for number in used if plan.atoms[number].predicate in FIELDREFS)
    fields = {plan.atoms[number].field for number in used} | {plan.atoms[number].value for number in references}
    return Outline(
        fields=tuple(sorted(field for field in fields if field is not None)),
        rules=packed(parts),
        anchors=packed(word for number, places in by_atom.items() for word in (number, len(places))),
        anchored=packed(place for places in by_atom.values() for place in places),
        always=packed(always),
        keyword_atoms=packed(sorted(number for number in used if plan.atoms[number].field is None)),
        keyword_rules=packed(keyword_rules),
        references=packed(references),
    )


def _filing_of(outline: Outline) -> Filing:
    anchors, anchored = unpacked(outline.anchors), tuple(unpacked(outline.anchored))
    by_atom: dict[int, tuple[int, ...]] = {}
    at = 0
    for number, count in zip(anchors[::2], anchors[1::2], strict=True):
        by_atom[number] = anchored[at : at + count]
        at += count
    return Filing(
        by_atom=by_atom,
        always=tuple(unpacked(outline.always)),
        keyword_atoms=frozenset(unpacked(outline.keyword_atoms)),
        keyword_rules=tuple(unpacked(outline.keyword_rules)),
        references=tuple(unpacked(outline.references)),
    )


def _decide(plan: Plan, place: int, node: Node, known: Mapping[str | None, str | int]) -> Decided:
    """The condition with what is known filled in: True, False, or what is left."""
    if node.op is Op.ATOM:
        number = plan.atoms.of_rule(place)[node.atom]
        atom = plan.atoms[number]
        if atom.field not in known or atom.predicate in FIELDREFS:
            return number
        if atom.predicate is Predicate.EQUALS and not atom.is_cased:
            return fold(text_of(known[atom.field])) == atom.value
        return number in FieldMatcher({number: atom}, {}, {}).held(known[atom.field])
    if node.op is Op.NOT:
        only = _decide(plan, place, node.items[0], known)
        return not only if isinstance(only, bool) else Expr(Join.NOT, rest=(only,))
    decisive = node.op is Op.OR
    left: list[Part] = []
    for item in node.items:
        part = _decide(plan, place, item, known)
        if part is decisive:
            return decisive
        if not isinstance(part, bool):
            left.append(part)
    if not left:
        return not decisive
    return left[0] if len(left) == 1 else _joined(Join.OR if decisive else Join.AND, left)


def _joined(join: Join, parts: list[Part]) -> Expr:
    atoms: set[int] = set()
    rest: list[Part] = []
    for part in parts:
        if isinstance(part, int):
            atoms.add(part)
        elif part.join is join:
            atoms |= part.atoms
            rest.extend(part.rest)
        else:
            rest.append(part)
    return Expr(join, frozenset(atoms), tuple(rest))


def atoms_of(part: Part) -> set[int]:
    """Every atom that the part asks for."""
    if isinstance(part, int):
        return {part}
    found = set(part.atoms)
    for inner in part.rest:
        found |= atoms_of(inner)
    return found


def positive_atoms_of(part: Part, *, is_positive: bool = True) -> set[int]:
    """Atoms which speak for the rule: those under no NOT, or under an even number."""
    if isinstance(part, int):
        return {part} if is_positive else set()
    if part.join is Join.NOT:
        return positive_atoms_of(part.rest[0], is_positive=not is_positive)
    found = set(part.atoms) if is_positive else set()
    for inner in part.rest:
        found |= positive_atoms_of(inner, is_positive=is_positive)
    return found


def _required(plan: Plan, part: Part) -> frozenset[int] | None:
    """Atoms of which one must hold for the part to hold, the rarest that can be had; None where none need hold."""
    if isinstance(part, int):
        return frozenset((part,))
    if part.join is Join.NOT:
        return None
    inner = [_required(plan, item) for item in part.rest]
    if part.join is Join.OR:
        if None in inner:
            return None
        return part.atoms.union(*(item for item in inner if item is not None))
    choices = [item for item in inner if item is not None] + [frozenset((number,)) for number in part.atoms]
    return min(choices, key=lambda choice: sum(plan.frequencies[number] for number in choice), default=None)


def holds(part: Part, held: frozenset[int] | set[int]) -> bool:
    """Whether the part holds where exactly the atoms in `held` do."""
    if isinstance(part, int):
        return part in held
    if part.join is Join.AND:
        if not part.atoms <= held:
            return False
        for inner in part.rest:  # noqa: SIM110 - a loop is a third faster than all(), and this is the innermost one
            if not holds(inner, held):
                return False
        return True
    if part.join is Join.OR:
        if not part.atoms.isdisjoint(held):
            return True
        for inner in part.rest:  # noqa: SIM110 - as above
            if holds(inner, held):
                return True
        return False
    return not holds(part.rest[0], held)

"""What evaluation remembers: compiled matchers, and the answers for rows, values and combinations seen before.

Three memos, each bounded: a row -> rules, a value of a field -> its class (which atoms of the field hold), the
classes of a row -> rules. All are forgotten together when what they hold grows past a limit, so that a flood of new
values costs time in proportion to itself and no memory. A memo belongs to one plan and is not shared by threads.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.engine.judge import Judge, Question, never
from amagasa.detect.engine.keywords import Keywords
from amagasa.detect.engine.matcher import MANY, FieldMatcher, sorted_name
from amagasa.detect.engine.pattern_set import Databases
from amagasa.detect.engine.plan import Plan, RoutePlan, holds, positive_atoms_of
from amagasa.detect.engine.references import reference_holds
from amagasa.detect.report import RuleFault
from amagasa.event.record import MISSING, Route, Row, Value

# Characters of all keys held: a few hundred megabytes at the very worst.
MAX_CHARACTERS: Final = 64 * 1024 * 1024
# What an entry costs beside the text of its key.
ENTRY_CHARACTERS: Final = 300
# A row with more text than this is not worth its place.
MAX_ROW_CHARACTERS: Final = 16_384

Places = tuple[int, ...]


class Ruling(Struct, frozen=True):
    """One rule on one route: whether it matches a row; whether each field and keyword that may speaks for it."""

    matches: Question
    speaking: tuple[tuple[str, Question], ...] = ()
    words: tuple[tuple[str, Question], ...] = ()


class RouteMemo:
    """The memos of one route. `seen` holds rows whose answer is known, `matched` those of them that match rules."""

    def __init__(self, plan: RoutePlan) -> None:
        self.plan = plan
        self.seen: set[Row] = set()
        self.matched: dict[Row, Places] = {}
        self.by_classes: dict[tuple[int, ...], Places] = {}
        self.asked_by_class: dict[int, frozenset[int]] = {}
        self.rulings: dict[int, Ruling] = {}
        self.known_fields: dict[int, tuple[str, ...]] = {}
        self.keywords: Keywords | None = None
        self.is_ready = False

    def forget(self) -> None:
        """Drop every answer; the matchers stay."""
        self.seen.clear()
        self.matched.clear()
        self.by_classes.clear()
        self.asked_by_class.clear()


class Memo:
    """Runtime of a plan. `known` are stored matchers; those made anew are in `made`, to be stored by the caller.

    `faults` are the rules which the engine refused: they are not evaluated, and every report says so.
    """

    def __init__(self, plan: Plan, known: Mapping[str, bytes] | None = None) -> None:
        self.plan = plan
        self.made: Databases = {}
        self.faults: dict[int, RuleFault] = {}
        self._known: Mapping[str, bytes] = {} if known is None else known
        self._judge = Judge(plan, self._known, self.made)
        self._matchers: dict[str, FieldMatcher] = {}
        self._values: dict[str, dict[Value, int]] = {}
        self._classes: dict[Places, int] = {}
        self._atoms_of_class: list[Places] = []
        self._routes: dict[str, RouteMemo] = {}
        self._n_characters = 0

    def route(self, route: Route, *, is_ready: bool = True) -> RouteMemo:
        """The memos of `route`; its matchers are ready, unless the caller asks nothing of them."""
        found = self._routes.get(route.name)
        plan = self.plan.for_route(route)
        if found is None or found.plan is not plan:
            found = self._routes[route.name] = RouteMemo(plan)
        if is_ready and not found.is_ready:
            self._prepare(found)
            found.is_ready = True
        return found

    def ruling(self, memo: RouteMemo, place: int) -> Ruling:
        """How the rule at `place` of the route is looked at by itself; one that the engine refuses matches nothing."""
        found = memo.rulings.get(place)
        if found is None:
            part = self.plan.part(memo.plan, place)
            self._refuse(self._judge.refused(part))
            if memo.plan.places[place] in self.faults:
                found = Ruling(matches=never)
            else:
                positive = positive_atoms_of(part)
                found = Ruling(
                    matches=self._judge.question(part),
                    speaking=tuple(self._judge.any_of(positive)),
                    words=tuple(self._judge.words_of(positive)),
                )
            memo.rulings[place] = found
        return found

    def faults_of(self, memo: RouteMemo) -> tuple[RuleFault, ...]:
        """Faults of the rules that apply to the route."""
        if not self.faults:
            return ()
        return tuple(self.faults[place] for place in memo.plan.places if place in self.faults)

    def rules_of(self, memo: RouteMemo, row: Row) -> Places:
        """Places (in the route's plan) of the rules that match `row`, keywords apart (none is taken to hold)."""
        classes = self._classes_of(memo.plan, row)
        places = memo.by_classes.get(classes)
        if places is None:
            places = memo.by_classes[classes] = self._evaluate(memo, classes)
            self._n_characters += ENTRY_CHARACTERS
        size = sum(map(_length, row))
        if size <= MAX_ROW_CHARACTERS:
            memo.seen.add(row)
            if places:
                memo.matched[row] = places
            self._n_characters += size + ENTRY_CHARACTERS
        return places

    def held(self, memo: RouteMemo, row: Row) -> set[int]:
        """Every atom that holds for the row, keywords apart."""
        return self._atoms_of(memo.plan, self._classes_of(memo.plan, row))

    def with_keywords(self, memo: RouteMemo, row: Row, keywords: frozenset[int]) -> Places:
        """Places of the keyword rules that match where these keywords hold."""
        held = self.held(memo, row) | keywords
        plan = memo.plan
        return tuple(
            place
            for place in self.plan.filed(plan).keyword_rules
            if plan.places[place] not in self.faults and holds(self.plan.part(plan, place), held)
        )

    def _evaluate(self, memo: RouteMemo, classes: tuple[int, ...]) -> Places:
        plan, filing = memo.plan, self.plan.filed(memo.plan)
        asked = set(filing.always)
        for number in classes[: len(plan.fields)]:
            own = memo.asked_by_class.get(number)
            if own is None:
                atoms = self._atoms_of_class[number]
                own = frozenset(place for atom in atoms for place in filing.by_atom.get(atom, ()))
                memo.asked_by_class[number] = own
            asked |= own
        held = self._atoms_of(plan, classes)
        for atom in filing.references:
            if atom in held:
                asked.update(filing.by_atom.get(atom, ()))
        return tuple(
            place
            for place in sorted(asked)
            if holds(self.plan.part(plan, place), held) and plan.places[place] not in self.faults
        )

    def _classes_of(self, plan: RoutePlan, row: Row) -> tuple[int, ...]:
        """The class of each field's value, then for each reference whether it holds (1 or 0)."""
        classes = tuple(map(self._class_of, plan.fields, row))
        references = self.plan.filed(plan).references
        if not references:
            return classes
        fields = dict(zip(plan.fields, row, strict=True))
        get: Callable[[str], Any] = lambda name: fields.get(name, MISSING)  # noqa: E731
        return (*classes, *(int(reference_holds(self.plan.atoms[number], get)) for number in references))

    def _atoms_of(self, plan: RoutePlan, classes: tuple[int, ...]) -> set[int]:
        n_fields, references = len(plan.fields), self.plan.filed(plan).references
        held = set[int]().union(*[self._atoms_of_class[number] for number in classes[:n_fields]])
        held.update(number for number, is_held in zip(references, classes[n_fields:], strict=True) if is_held)
        return held

    def _class_of(self, field: str, value: Value) -> int:
        values = self._values[field]
        found = values.get(value)
        if found is None:
            atoms = self._matchers[field].held(value)
            found = self._classes.get(atoms)
            if found is None:
                found = self._classes[atoms] = len(self._atoms_of_class)
                self._atoms_of_class.append(atoms)
                self._n_characters += ENTRY_CHARACTERS + 8 * len(atoms)
            values[value] = found
            self._n_characters += _length(value) + ENTRY_CHARACTERS
        return found

    def _prepare(self, memo: RouteMemo) -> None:
        plan = memo.plan
        for field in plan.fields:
            if field not in self._matchers:
                atoms = self.plan.atoms.of_field(field)
                name = sorted_name(self.plan.digest, field) if len(atoms) >= MANY else ""
                matcher = self._matchers[field] = FieldMatcher(atoms, self._known, self.made, name=name)
                self._values[field] = {}
                self._refuse(matcher.refused)
        keywords = self.plan.filed(plan).keyword_atoms
        if keywords:
            atoms = {number: self.plan.atoms[number] for number in sorted(keywords)}
            memo.keywords = Keywords(atoms, self._known, self.made)
            self._refuse(memo.keywords.refused)

    def _refuse(self, refused: Mapping[int, str]) -> None:
        """Rules that ask for an atom which the engine refused could only answer wrongly: they are faults."""
        if not refused:
            return
        for place, rule in enumerate(self.plan.rules):
            bad = next((number for number in self.plan.atoms.of_rule(place) if number in refused), None)
            if bad is not None:
                why = f"the engine cannot run it: {refused[bad]}"
                self.faults[place] = RuleFault(rule_id=rule.id, path=rule.path, why=why, code="AMG-RULE-020")

    def trim(self) -> None:
        """Forget everything if too much is held; called between batches, when no class is in use."""
        if self._n_characters <= MAX_CHARACTERS:
            return
        for memo in self._routes.values():
            memo.forget()
        for values in self._values.values():
            values.clear()
        self._classes.clear()
        self._atoms_of_class.clear()
        self._n_characters = 0


def _length(value: Value) -> int:
    if value.__class__ is str or value.__class__ is tuple:
        return len(value) if value.__class__ is str else sum(map(_length, value))
    return 8

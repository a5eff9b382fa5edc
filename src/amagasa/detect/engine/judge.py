"""One rule against one row, in the plainest way: for the few records that a sieve named, and the few rules it named.

What a `Memo` finds for all rules at once, this finds for one, atom by atom, and the two agree: whatever is no plain
comparison of texts is asked of the same matcher, made for one atom. Nothing is compiled before it is met.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from amagasa.detect.engine.matcher import FieldMatcher, leaves
from amagasa.detect.engine.pattern_set import Databases
from amagasa.detect.engine.plan import Join, Part, Plan, atoms_of
from amagasa.detect.engine.references import reference_holds
from amagasa.detect.folding import fold
from amagasa.detect.sigma.rule import FIELDREFS, Predicate
from amagasa.event.record import MISSING, Value

_TEXTS: Final[Mapping[Predicate, Callable[[str, str], bool]]] = {
    Predicate.EQUALS: lambda text, wanted: text == wanted,
    Predicate.CONTAINS: lambda text, wanted: wanted in text,
    Predicate.STARTSWITH: lambda text, wanted: text.startswith(wanted),
    Predicate.ENDSWITH: lambda text, wanted: text.endswith(wanted),
}
Get = Callable[[str], Value]


class Judge:
    """Of one plan. Keeps a matcher for each atom that needed one; what was compiled goes to `made`."""

    def __init__(self, plan: Plan, known: Mapping[str, bytes], made: Databases) -> None:
        self._plan = plan
        self._known = known
        self._made = made
        self._matchers: dict[int, FieldMatcher] = {}

    def refused(self, part: Part) -> dict[int, str]:
        """Atoms of the condition which the engine refuses, with why: a rule that has one must not be judged."""
        found: dict[int, str] = {}
        for number in atoms_of(part):
            atom = self._plan.atoms[number]
            if atom.field is not None and atom.predicate not in _TEXTS and atom.predicate not in FIELDREFS:
                found |= self._matcher(number).refused
        return found

    def held(self, numbers: Iterable[int], get: Get) -> set[int]:
        """Those of the atoms that hold; keywords do not."""
        return {number for number in numbers if self._atom_holds(number, get)}

    def holds(self, part: Part, get: Get) -> bool:
        """Whether the condition holds where no keyword does."""
        if isinstance(part, int):
            return self._atom_holds(part, get)
        if part.join is Join.NOT:
            return not self.holds(part.rest[0], get)
        is_all = part.join is Join.AND
        for number in part.atoms:
            if self._atom_holds(number, get) is not is_all:
                return not is_all
        for inner in part.rest:
            if self.holds(inner, get) is not is_all:
                return not is_all
        return is_all

    def _atom_holds(self, number: int, get: Get) -> bool:
        atom = self._plan.atoms[number]
        if atom.field is None:
            return False
        if atom.predicate in FIELDREFS:
            return reference_holds(atom, get)
        value = get(atom.field)
        compare = _TEXTS.get(atom.predicate)
        if compare is None:
            return number in self._matcher(number).held(value)
        if value is None or value is MISSING:
            return False
        texts = leaves(value)
        return any(compare(text if atom.is_cased else fold(text), atom.value) for text in texts)

    def _matcher(self, number: int) -> FieldMatcher:
        found = self._matchers.get(number)
        if found is None:
            atom = self._plan.atoms[number]
            found = self._matchers[number] = FieldMatcher({number: atom}, self._known, self._made)
        return found

"""One rule against one row, in the plainest way: for the few records that a sieve named, and the few rules it named.

What a `Memo` finds for all rules at once, this finds for one, and the two agree: whatever is no plain comparison of
texts is asked of the same matcher, made for one atom. Nothing is made before it is met.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import Final, TypeAlias

from amagasa.detect.engine.matcher import FieldMatcher, leaves
from amagasa.detect.engine.pattern_set import Databases
from amagasa.detect.engine.plan import Join, Part, Plan, atoms_of
from amagasa.detect.engine.references import reference_holds
from amagasa.detect.folding import fold
from amagasa.detect.sigma.rule import FIELDREFS, Atom, Predicate
from amagasa.event.record import MISSING, Value

_TEXTS: Final = frozenset({Predicate.EQUALS, Predicate.CONTAINS, Predicate.STARTSWITH, Predicate.ENDSWITH})


# Answers kept, and the longest value for which one is: some ten megabytes at the worst.
MAX_ANSWERS: Final = 16_384
MAX_ANSWER_CHARACTERS: Final = 256


class View(dict[str, Value]):
    """A row's values by field; a field that it lacks is missing. Texts are folded once.

    `read_whole` gives the text in which keywords are looked for.
    """

    def __init__(self, values: Iterable[tuple[str, Value]], read_whole: Callable[[], str]) -> None:
        super().__init__(values)
        self._folded: dict[str, tuple[str, ...]] = {}
        self._read_whole = read_whole

    @cached_property
    def whole(self) -> str:
        """The text of the whole record."""
        return self._read_whole()

    @cached_property
    def folded_whole(self) -> str:
        """The same, folded."""
        return fold(self.whole)

    def __missing__(self, field: str) -> Value:
        return MISSING

    def folded(self, field: str) -> tuple[str, ...]:
        """The texts of the value, of each item if it is a list; none where it is null or missing."""
        found = self._folded.get(field)
        if found is None:
            value = self[field]
            if value.__class__ is str:
                found = (fold(value),)
            else:
                found = () if value is None or value is MISSING else tuple(map(fold, leaves(value)))
            self._folded[field] = found
        return found


Question: TypeAlias = Callable[[View], bool]


class Judge:
    """Of one plan. Keeps a matcher for each atom that needed one; what was compiled goes to `made`.

    What such a matcher answered is kept as well: the values that many expressions are asked of come again and again.
    """

    def __init__(self, plan: Plan, known: Mapping[str, bytes], made: Databases) -> None:
        self._plan = plan
        self._known = known
        self._made = made
        self._matchers: dict[int, FieldMatcher] = {}
        self._answers: dict[tuple[int, str], bool] = {}

    def refused(self, part: Part) -> dict[int, str]:
        """Atoms of the condition which the engine refuses, with why: a rule that has one must not be judged."""
        found: dict[int, str] = {}
        for number in atoms_of(part):
            atom = self._plan.atoms[number]
            if atom.predicate not in _TEXTS and atom.predicate not in FIELDREFS:
                found |= self._matcher(number).refused
        return found

    def question(self, part: Part) -> Question:
        """Whether the condition holds."""
        if isinstance(part, int):
            return self._of_atom(part)
        if part.join is Join.NOT:
            return partial(_not, self.question(part.rest[0]))
        rest = tuple(self.question(inner) for inner in part.rest)
        if part.join is Join.AND:
            return partial(_all, (*map(self._of_atom, part.atoms), *rest))
        fields = [question for _, question in self.any_of(part.atoms)]
        words = [question for _, question in self.words_of(part.atoms)]
        return partial(_any, (*fields, *words, *rest))

    def any_of(self, numbers: Iterable[int]) -> list[tuple[str, Question]]:
        """By field, in the order of its first atom: whether any of the atoms holds. Keywords are `words_of`."""
        by_field: dict[str, list[int]] = {}
        for number in sorted(numbers):
            field = self._plan.atoms[number].field
            if field is not None:
                by_field.setdefault(field, []).append(number)
        return [(field, self._any_of_field(field, own)) for field, own in by_field.items()]

    def words_of(self, numbers: Iterable[int]) -> list[tuple[str, Question]]:
        """The keywords among the atoms, in their order: whether each stands in the record."""
        atoms = [(number, self._plan.atoms[number]) for number in sorted(numbers)]
        return [(atom.value, self._of_word(number, atom)) for number, atom in atoms if atom.field is None]

    def _of_word(self, number: int, atom: Atom) -> Question:
        if atom.predicate is Predicate.CONTAINS and not atom.is_cased:
            return lambda view: atom.value in view.folded_whole
        return lambda view: number in self._matcher(number).held(view.whole)

    def _any_of_field(self, field: str, numbers: list[int]) -> Question:
        plain = [atom for number in numbers if _is_plain(atom := self._plan.atoms[number])]
        others = [self._of_atom(number) for number in numbers if not _is_plain(self._plan.atoms[number])]
        questions = ([_any_text(field, plain)] if plain else []) + others
        return questions[0] if len(questions) == 1 else partial(_any, tuple(questions))

    def _of_atom(self, number: int) -> Question:
        atom = self._plan.atoms[number]
        if atom.field is None:
            return self._of_word(number, atom)
        if atom.predicate in FIELDREFS:
            return lambda view: reference_holds(atom, view.__getitem__)
        if _is_plain(atom):
            return _any_text(atom.field, [atom])
        if atom.predicate is Predicate.NULL:
            return partial(_is_null, atom.field)
        return partial(self._matches, number, atom.field)

    def _matches(self, number: int, field: str, view: View) -> bool:
        value = view[field]
        if value.__class__ is not str or len(value) > MAX_ANSWER_CHARACTERS:
            return number in self._matcher(number).held(value)
        answer = self._answers.get((number, value))
        if answer is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            answer = self._answers[number, value] = number in self._matcher(number).held(value)
        return answer

    def _matcher(self, number: int) -> FieldMatcher:
        found = self._matchers.get(number)
        if found is None:
            atom = self._plan.atoms[number]
            found = self._matchers[number] = FieldMatcher({number: atom}, self._known, self._made)
        return found


def _is_null(field: str, view: View) -> bool:
    value = view[field]
    return value is None or value is MISSING


def _is_plain(atom: Atom) -> bool:
    return atom.predicate in _TEXTS and not atom.is_cased


def _any_text(field: str, atoms: Iterable[Atom]) -> Question:
    by_kind: dict[Predicate, list[str]] = {}
    for atom in atoms:
        by_kind.setdefault(atom.predicate, []).append(atom.value)
    equal = frozenset(by_kind.get(Predicate.EQUALS, ()))
    heads = tuple(by_kind.get(Predicate.STARTSWITH, ()))
    tails = tuple(by_kind.get(Predicate.ENDSWITH, ()))
    parts = tuple(by_kind.get(Predicate.CONTAINS, ()))

    def holds(view: View) -> bool:
        for text in view.folded(field):
            if text in equal or text.startswith(heads) or text.endswith(tails):
                return True
            for part in parts:
                if part in text:
                    return True
        return False

    return holds


def _all(questions: tuple[Question, ...], view: View) -> bool:
    for question in questions:  # noqa: SIM110 - as above
        if not question(view):
            return False
    return True


def _any(questions: tuple[Question, ...], view: View) -> bool:
    for question in questions:  # noqa: SIM110 - as above
        if question(view):
            return True
    return False


def _not(question: Question, view: View) -> bool:
    return not question(view)


def never(_view: View) -> bool:
    """Of what cannot be asked here."""
    return False

"""Sigma's conditions: read into a tree in which every word knows its place, and what is odd about them.

Grammar of the Sigma specification 2.1: selections by name, `1 of`, `any of` and `all of` a pattern or `them`, `not`,
`and`, `or` (binding in this order) and brackets.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import product
from typing import Final, TypeAlias, Union

from msgspec import Struct

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.tree import Scalar
from amagasa.detect.lint.words import did_you_mean

MAX_TOKENS: Final = 2_000
MAX_DEPTH: Final = 50
# Selections of which all combinations are tried, to tell whether the condition depends on them at all.
MAX_TRIED: Final = 10
_TOKEN: Final = re.compile(r"\s*(?:([()])|([A-Za-z0-9_*?-]+)|(\S))", re.ASCII)
_OPERATORS: Final = frozenset({"and", "or", "not", "of"})
_OLD: Final = re.compile(r"\|\s*(count|min|max|avg|sum|near)\b", re.IGNORECASE)
# As the public rule set names what is to be left out.
_FILTER: Final = re.compile(r"filter(?:_\w+|\d*)$|(?:fp|falsepositives?|exclusions?)(?:_\w+)?$", re.IGNORECASE)


class Word(Struct, frozen=True):
    """A word of the condition and where it begins in it."""

    text: str
    at: int


class Join(StrEnum):
    """How parts are joined."""

    AND = "and"
    OR = "or"
    NOT = "not"


class Name(Struct, frozen=True):
    """A selection."""

    word: Word


class Of(Struct, frozen=True):
    """`1 of pattern` (is_all false) or `all of pattern`; the pattern may be `them`."""

    is_all: bool
    pattern: Word
    at: int


class Branch(Struct, frozen=True):
    """Parts joined. NOT has one part. `at` is where the branch begins, `is_mixed` that AND stands bare inside OR."""

    join: Join
    parts: tuple["Part", ...]
    at: int


Part: TypeAlias = Union[Name, Of, Branch]  # noqa: UP007 - a forward reference


class ConditionError(Exception):
    """The condition is not of the grammar: `what` is wrong at `at`, for `length` characters."""

    def __init__(self, what: str, at: int, length: int = 1, expected: str = "") -> None:
        self.what = what
        self.at = at
        self.length = length
        self.expected = expected
        super().__init__(what)


def parse(text: str) -> Part:
    """The condition as a tree. Raises ConditionError."""
    words = []
    for match in _TOKEN.finditer(text):
        if match[3]:
            raise ConditionError(f"{quoted(match[3])} has no place in a condition", match.start(3))
        group = 1 if match[1] else 2
        words.append(Word(match[group], match.start(group)))
    if len(words) > MAX_TOKENS:
        raise ConditionError(f"more than {MAX_TOKENS} words", 0)
    parser = _Parser(words, len(text))
    part = parser.either(0)
    parser.must_end()
    return part


class _Parser:
    def __init__(self, words: Sequence[Word], end: int) -> None:
        self._words = words
        self._next = 0
        self._end = end

    def either(self, depth: int) -> Part:
        return self._joined(Join.OR, depth)

    def must_end(self) -> None:
        word = self._peek()
        if word is not None:
            expected = "and, or, or the end"
            raise ConditionError(f"{quoted(word.text)} is one word too many", word.at, len(word.text), expected)

    def _joined(self, join: Join, depth: int) -> Part:
        below = self._negated if join is Join.AND else lambda depth: self._joined(Join.AND, depth)
        parts = [below(depth)]
        start = self._words[self._next - 1].at if self._next else 0
        while (word := self._peek()) is not None and word.text.lower() == join.value:
            self._next += 1
            parts.append(below(depth))
        return parts[0] if len(parts) == 1 else Branch(join, tuple(parts), min(map(_start, parts), default=start))

    def _negated(self, depth: int) -> Part:
        if depth > MAX_DEPTH:
            raise ConditionError(f"nested deeper than {MAX_DEPTH}", 0)
        word = self._take("a selection")
        folded = word.text.lower()
        if folded == "not":
            return Branch(Join.NOT, (self._negated(depth + 1),), word.at)
        if word.text == "(":
            part = self.either(depth + 1)
            closing = self._take("a closing bracket")
            if closing.text != ")":
                raise ConditionError("a bracket is not closed before this", closing.at, len(closing.text), ")")
            return part
        if word.text == ")" or folded in _OPERATORS:
            raise ConditionError(f"{quoted(word.text)} stands where a selection must", word.at, len(word.text))
        following = self._peek()
        if following is not None and following.text.lower() == "of":
            return self._of(word)
        return Name(word)

    def _of(self, quantity: Word) -> Part:
        if quantity.text.lower() not in {"1", "any", "all"}:
            what = f"{quoted(quantity.text)} of is not in Sigma"
            raise ConditionError(what, quantity.at, len(quantity.text), "1 of, any of, all of")
        self._next += 1
        pattern = self._take("a pattern of selections, or them")
        if pattern.text in {"(", ")"} or pattern.text.lower() in _OPERATORS:
            what = f"{quoted(pattern.text)} stands where a pattern of selections must"
            raise ConditionError(what, pattern.at, len(pattern.text))
        return Of(quantity.text.lower() == "all", pattern, quantity.at)

    def _peek(self) -> Word | None:
        return self._words[self._next] if self._next < len(self._words) else None

    def _take(self, expected: str) -> Word:
        word = self._peek()
        if word is None:
            raise ConditionError("the condition ends too early", max(self._end - 1, 0), 1, expected)
        self._next += 1
        return word


def _start(part: Part) -> int:
    match part:
        case Name():
            return part.word.at
        case Of() | Branch():
            return part.at


def selected(pattern: str, names: Sequence[str]) -> list[str]:
    """The selections which a pattern fits. `them` and patterns leave out names that begin with an underscore."""
    if pattern == "them":
        return [name for name in names if not name.startswith("_")]
    expression = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    is_own = pattern.startswith("_")
    return [name for name in names if expression.fullmatch(name) and (is_own or not name.startswith("_"))]


def check_condition(scalar: Scalar, names: Sequence[str], used: set[str]) -> Iterator[Finding]:
    """What is odd about one condition; the selections that it uses are added to `used`."""
    text = scalar.text
    if old := _OLD.search(text):
        hint = "write a correlation rule: type event_count, value_count or temporal"
        what = f"counting behind a pipe ({quoted(old[1])}) was taken out of Sigma"
        yield say("condition-old", scalar.within(old.start(), len(old[0])), what, hint=hint)
        used.update(names)
        return
    try:
        tree = parse(text)
    except ConditionError as error:
        place = scalar.within(error.at, error.length)
        yield say("condition-syntax", place, error.what, expected=error.expected)
        used.update(names)
        return
    own: set[str] = set()
    found = list(_walk(tree, scalar, names, own))
    yield from found
    used |= own
    yield from _mixed(tree, scalar)
    if not any(one.code in {"undefined-selection", "selects-nothing"} for one in found):
        yield from _constant(tree, scalar, names, own)


def _walk(part: Part, scalar: Scalar, names: Sequence[str], used: set[str]) -> Iterator[Finding]:
    match part:
        case Name():
            used.add(part.word.text)
            if part.word.text not in names:
                place = scalar.within(part.word.at, len(part.word.text))
                what = f"there is no selection {quoted(part.word.text)}"
                expected = ", ".join(names[:8]) or "a selection beside the condition"
                hint = did_you_mean(part.word.text, names, cutoff=0.6)
                yield say("undefined-selection", place, what, expected=expected, hint=hint)
        case Of():
            yield from _check_of(part, scalar, names, used)
        case Branch():
            if part.join is Join.NOT:
                yield from _not_all(part, scalar, names)
            for inner in part.parts:
                yield from _walk(inner, scalar, names, used)


def _check_of(part: Of, scalar: Scalar, names: Sequence[str], used: set[str]) -> Iterator[Finding]:
    pattern = part.pattern.text
    found = selected(pattern, names)
    used.update(found)
    place = scalar.within(part.pattern.at, len(pattern))
    if not found:
        what = f"no selection fits {quoted(pattern)}"
        near = did_you_mean(pattern.replace("*", ""), names, cutoff=0.6)
        yield say("selects-nothing", place, what, expected=", ".join(names[:8]), hint=near)
    filters = [name for name in found if _FILTER.match(name)]
    if pattern == "them" and not part.is_all and filters and len(filters) < len(found):
        what = f"'1 of them' takes in {quoted(filters[0])}: the rule matches where that holds"
        yield say("counts-a-filter", place, what, hint="name the selections, or `1 of selection*`")


def _not_all(part: Branch, scalar: Scalar, names: Sequence[str]) -> Iterator[Finding]:
    inner = part.parts[0]
    if isinstance(inner, Of) and inner.is_all and len(selected(inner.pattern.text, names)) > 1:
        text = f"not all of {inner.pattern.text}"
        place = scalar.within(part.at, len(text))
        what = f"{quoted(text)} excludes only events in which every one of them holds"
        yield say("not-all-of", place, what, hint=f"`not 1 of {inner.pattern.text}` excludes where any holds")


def _mixed(part: Part, scalar: Scalar) -> Iterator[Finding]:
    """AND bare inside OR: the brackets are gone from the tree, so look whether the text has one before it."""
    if not isinstance(part, Branch):
        return
    for inner in part.parts:
        is_and = isinstance(inner, Branch) and inner.join is Join.AND
        if part.join is Join.OR and is_and and not _is_bracketed(scalar.text, _start(inner)):
            what = "`and` and `or` stand side by side: `and` binds first"
            yield say("mixed-and-or", scalar.within(_start(inner), 1), what, hint="put brackets where you mean them")
        yield from _mixed(inner, scalar)


def _is_bracketed(text: str, at: int) -> bool:
    return text[:at].rstrip().endswith("(")


def _constant(tree: Part, scalar: Scalar, names: Sequence[str], used: set[str]) -> Iterator[Finding]:
    variables = sorted(used)
    if len(variables) > MAX_TRIED:
        return
    held: set[bool] = set()
    for values in product((False, True), repeat=len(variables)):
        held.add(_holds(tree, dict(zip(variables, values, strict=True)), names))
        if len(held) > 1:
            return
    if held == {True}:
        yield say("always-true", scalar.place, "the condition holds whatever the selections do")
    else:
        yield say("never-true", scalar.place, "the condition holds whatever the selections do not: it cannot be true")


def _holds(part: Part, given: Mapping[str, bool], names: Sequence[str]) -> bool:
    match part:
        case Name():
            return given[part.word.text]
        case Of():
            found = [given[name] for name in selected(part.pattern.text, names)]
            return all(found) if part.is_all else any(found)
        case Branch():
            if part.join is Join.NOT:
                return not _holds(part.parts[0], given, names)
            held = (_holds(inner, given, names) for inner in part.parts)
            return all(held) if part.join is Join.AND else any(held)

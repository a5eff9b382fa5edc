"""The tree of a STIX pattern (STIX 2.1 part 9) as plain values: made by `parse`, written back by `written`.

A tree says what stands in the pattern and nothing about our events: `comparison.resolve` fits it to these, `binding`
matches it against observations.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from amagasa.vocab.instants import from_rfc3339

MAX_PATTERN_CHARACTERS: Final = 65_536  # the longest seen in public feeds has 14,000
MAX_DEPTH: Final = 64  # of the tree: what walks it takes a Python frame or two a level, and the text may be hostile
MAX_SET_ITEMS: Final = 10_000
MAX_NUMBER_CHARACTERS: Final = 400  # 1.8e308, the largest float, has 309 digits


class Op(StrEnum):
    """Comparison operators; EXISTS takes no constant."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "IN"
    LIKE = "LIKE"
    MATCHES = "MATCHES"
    ISSUBSET = "ISSUBSET"
    ISSUPERSET = "ISSUPERSET"
    EXISTS = "EXISTS"


class Instant(Struct, frozen=True):
    """A time constant as it stands between the quotes. The grammar admits days which no calendar has (30 February)."""

    text: str

    @property
    def at(self) -> datetime | None:
        """The instant, cut to microseconds; None where there is none: 30 February, a leap second, no Z."""
        try:
            return from_rfc3339(self.text) if self.text.isupper() and self.text.endswith("Z") else None
        except ValueError:
            return None


class Index(Struct, frozen=True):
    """A step into a list: its item at `position` (0-based; a negative one selects nothing), or each where None."""

    position: int | None


Step: TypeAlias = str | Index
Constant: TypeAlias = str | int | float | bool | bytes | Instant


class Comparison(Struct, frozen=True, kw_only=True):
    """`kind:steps op constants`; any number of constants with IN, none with EXISTS, one with all others.

    `a NOT = b` and `NOT EXISTS a` are negated.
    """

    kind: str
    steps: tuple[Step, ...]
    op: Op
    constants: tuple[Constant, ...]
    is_negated: bool = False

    @property
    def path(self) -> str:
        """The steps as one text without quotes: `values[*].name`, `hashes.SHA-256`. For people and our own tables."""
        return path_of(self.steps)


class AllOf(Struct, frozen=True, kw_only=True):
    """Comparisons joined by AND: one object of the observation satisfies them all."""

    parts: "tuple[Test, ...]"


class AnyOf(Struct, frozen=True, kw_only=True):
    """Comparisons joined by OR."""

    parts: "tuple[Test, ...]"


Test: TypeAlias = Comparison | AllOf | AnyOf


class Observation(Struct, frozen=True, kw_only=True):
    """`[...]`: some object of one observation satisfies the test."""

    test: Test


class Together(Struct, frozen=True, kw_only=True):
    """Observations joined by AND: each part by observations of its own."""

    parts: "tuple[Expression, ...]"


class Either(Struct, frozen=True, kw_only=True):
    """Observations joined by OR."""

    parts: "tuple[Expression, ...]"


class Followed(Struct, frozen=True, kw_only=True):
    """Observations joined by FOLLOWEDBY: all of a part can be dated no later than all of the parts after it."""

    parts: "tuple[Expression, ...]"


class Within(Struct, frozen=True, kw_only=True):
    """WITHIN: all observations of the part touch one window of this length. The grammar admits 0; nothing runs it."""

    part: "Expression"
    duration_s: int | float


class Repeated(Struct, frozen=True, kw_only=True):
    """REPEATS: the part is satisfied so many times, each time by other observations. The grammar admits 0."""

    part: "Expression"
    n_times: int


class During(Struct, frozen=True, kw_only=True):
    """START and STOP: each observation of the part touches the time from `start` until before `stop`."""

    part: "Expression"
    start: Instant
    stop: Instant


Joined: TypeAlias = Together | Either | Followed
Qualified: TypeAlias = Within | Repeated | During
Expression: TypeAlias = Observation | Joined | Qualified


class PatternFault(Struct, frozen=True, kw_only=True):
    """Why a pattern cannot be used; `at` is the 0-based character where the trouble starts, line and column 1-based."""

    why: str
    at: int
    line: int = 1
    column: int = 1


def path_of(steps: tuple[Step, ...]) -> str:
    """`("values", Index(None), "name")` -> `values[*].name`."""
    texts = ("." + step if isinstance(step, str) else f"[{_position(step)}]" for step in steps)
    return "".join(texts).removeprefix(".")


def _position(step: Index) -> str:
    return "*" if step.position is None else str(step.position)


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The expressions of which this one is made; none for `[...]`."""
    if isinstance(expression, Observation):
        return ()
    return expression.parts if isinstance(expression, Joined) else (expression.part,)


def with_parts(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same with other expressions in place of its own (`parts_of`), as many as these."""
    if isinstance(expression, Observation):
        return expression
    if isinstance(expression, Joined):
        return replace(expression, parts=tuple(parts))
    return replace(expression, part=parts[0])


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all within it, each before its parts, from left to right."""
    yield expression
    for part in parts_of(expression):
        yield from walk(part)


def observations_of(expression: Expression) -> Iterator[Observation]:
    """Each `[...]` of the pattern, from left to right."""
    return (node for node in walk(expression) if isinstance(node, Observation))


def comparisons_of(test: Test) -> Iterator[Comparison]:
    """Each comparison of a test, from left to right."""
    if isinstance(test, Comparison):
        yield test
        return
    for part in test.parts:
        yield from comparisons_of(part)


def depth_of(expression: Expression) -> int:
    """How deep the tree is, comparisons counted; found without recursion, for trees of any depth."""
    deepest = 0
    waiting: list[tuple[Expression | Test, int]] = [(expression, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(node, Observation):
            waiting.append((node.test, depth + 1))
        elif isinstance(node, AllOf | AnyOf):
            waiting.extend((part, depth + 1) for part in node.parts)
        elif not isinstance(node, Comparison):
            waiting.extend((part, depth + 1) for part in parts_of(node))
    return deepest

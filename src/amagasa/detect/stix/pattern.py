"""STIX 2.1 patterns (part 9 of the standard): text -> tree, or the reason why it cannot run.

Supported: every comparison operator, NOT, AND and OR inside brackets and between them. An AND between brackets holds
when one record satisfies both sides. What needs several records in order or in a time window (FOLLOWEDBY, WITHIN,
REPEATS, START/STOP) is refused with a reason which names it.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.text import show

MAX_PATTERN_CHARACTERS: Final = 65_536  # the longest seen in public feeds has 14,000
MAX_DEPTH: Final = 32  # of brackets: each level is a Python frame, and the text may be hostile
MAX_SET_ITEMS: Final = 10_000

Constant: TypeAlias = str | int | float | bool | datetime


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


class Comparison(Struct, frozen=True, kw_only=True):
    """`kind:path op constants`; several constants only with IN, none with EXISTS."""

    kind: str
    path: str
    op: Op
    constants: tuple[Constant, ...]
    is_negated: bool = False


class AllOf(Struct, frozen=True, kw_only=True):
    """Comparisons joined by AND: one object of the event satisfies them all."""

    parts: "tuple[Test, ...]"


class AnyOf(Struct, frozen=True, kw_only=True):
    """Comparisons joined by OR."""

    parts: "tuple[Test, ...]"


Test: TypeAlias = Comparison | AllOf | AnyOf


class Observation(Struct, frozen=True, kw_only=True):
    """`[...]`: some object of the event satisfies the test."""

    test: Test


class Together(Struct, frozen=True, kw_only=True):
    """Observations joined by AND."""

    parts: "tuple[Expression, ...]"


class Either(Struct, frozen=True, kw_only=True):
    """Observations joined by OR."""

    parts: "tuple[Expression, ...]"


Expression: TypeAlias = Observation | Together | Either


class PatternFault(Struct, frozen=True, kw_only=True):
    """Why a pattern cannot run; `at` is the 0-based character where the trouble starts."""

    why: str
    at: int


class _Token(Struct, frozen=True):
    kind: str
    text: str
    at: int


class _StopError(Exception):
    """Leaves the descent; caught in `parse` and nowhere else."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


_TOKEN: Final = re.compile(
    r"""(?P<space>[\s\u00a0\u3000]+|//[^\n]*|/\*.*?\*/)
      | (?P<instant>t'[^'\\\n]*')
      | (?P<binary>[hb]'[^']*')
      | (?P<string>'(?:[^'\\]|\\['\\])*')
      | (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+)(?![\w.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<mark><>|==|!=|<=|>=|[=<>\[\]():,.*])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: Final = {op.value: op for op in Op if op is not Op.EXISTS} | {"==": Op.EQ, "<>": Op.NE}
_LATER: Final = {
    "FOLLOWEDBY": "the order of several records",
    "WITHIN": "a time window over several records",
    "REPEATS": "a count of records",
    "START": "a time span",
}
_SIMPLE: Final = re.compile(
    r"\s*\[\s*([a-z][a-z0-9-]*):([a-z_]+(?:\.(?:'[A-Za-z0-9-]+'|[A-Za-z0-9_]+))*)\s*=\s*'([^'\\]*)'\s*\]\s*"
)


def parse(pattern: str) -> Expression | PatternFault:
    """The tree of `pattern`, or why it cannot run. Never raises, linear in the length of the text."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        return PatternFault(why=f"the pattern is longer than {MAX_PATTERN_CHARACTERS} characters", at=0)
    simple = parse_equality(pattern)
    if simple:
        kind, path, constant = simple
        return Observation(test=Comparison(kind=kind, path=path, op=Op.EQ, constants=(constant,)))
    try:
        return _Parser(_tokens(pattern)).whole()
    except _StopError as stop:
        return PatternFault(why=stop.why, at=stop.at)


def parse_equality(pattern: str) -> tuple[str, str, str] | None:
    """(kind, path, constant) of `[kind:path = 'constant']` without escapes; None for anything else.

    Nine of ten indicators are of this form: worth a path of its own, six times faster.
    """
    simple = _SIMPLE.fullmatch(pattern) if len(pattern) <= MAX_PATTERN_CHARACTERS else None
    return (simple[1], simple[2].replace("'", ""), simple[3]) if simple else None


def _tokens(pattern: str) -> list[_Token]:
    tokens = []
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise _StopError(f"{show(pattern[at : at + 20])} at character {at} is no part of a pattern", at)
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match[0], at))
        at = match.end()
    tokens.append(_Token("end", "the end of the pattern", len(pattern)))
    return tokens


class _Parser:
    """Recursive descent; one method for each level of binding, loosest first."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._either()
        self._refuse_qualifier()
        if self._peek().kind != "end":
            raise self._unexpected("AND, OR or the end of the pattern")
        return expression

    # observations

    def _either(self) -> Expression:
        parts = [self._together()]
        while self._accept("OR"):
            parts.append(self._together())
        return parts[0] if len(parts) == 1 else Either(parts=tuple(parts))

    def _together(self) -> Expression:
        parts = [self._observation()]
        while self._accept("AND"):
            parts.append(self._observation())
        return parts[0] if len(parts) == 1 else Together(parts=tuple(parts))

    def _observation(self) -> Expression:
        self._refuse_qualifier()
        if self._accept("("):
            self._deeper()
            inner = self._either()
            self._refuse_qualifier()
            self._expect(")")
            self._depth -= 1
        else:
            self._expect("[")
            test = self._any_of()
            self._expect("]")
            inner = Observation(test=test)
        self._refuse_qualifier()
        return inner

    def _refuse_qualifier(self) -> None:
        token = self._peek()
        needs = _LATER.get(token.text.upper()) if token.kind == "word" else None
        if needs:
            raise _StopError(f"{token.text.upper()} needs {needs}, which is not supported yet", token.at)

    # comparisons

    def _any_of(self) -> Test:
        parts = [self._all_of()]
        while self._accept("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(parts=tuple(parts))

    def _all_of(self) -> Test:
        parts = [self._comparison()]
        while self._accept("AND"):
            parts.append(self._comparison())
        return parts[0] if len(parts) == 1 else AllOf(parts=tuple(parts))

    def _comparison(self) -> Test:
        if self._accept("("):
            self._deeper()
            inner = self._any_of()
            self._expect(")")
            self._depth -= 1
            return inner
        is_negated = self._accept("NOT")
        if self._accept("EXISTS"):
            kind, path = self._object_path()
            return Comparison(kind=kind, path=path, op=Op.EXISTS, constants=(), is_negated=is_negated)
        kind, path = self._object_path()
        is_negated = self._accept("NOT") != is_negated
        op = _OPERATORS.get(self._peek().text.upper())
        if op is None:
            raise self._unexpected("a comparison operator")
        self._next += 1
        constants = self._set() if op is Op.IN else (self._constant(),)
        if op in {Op.LIKE, Op.MATCHES, Op.ISSUBSET, Op.ISSUPERSET} and not isinstance(constants[0], str):
            raise _StopError(f"{op.value} needs a text in quotes", self._peek().at)
        return Comparison(kind=kind, path=path, op=op, constants=constants, is_negated=is_negated)

    def _object_path(self) -> tuple[str, str]:
        kind = self._word("an object type")
        self._expect(":")
        steps = [self._step()]
        while True:
            if self._accept("."):
                steps.append(self._step())
            elif self._accept("["):
                steps[-1] += self._index()
            else:
                return kind, ".".join(steps)

    def _step(self) -> str:
        token = self._peek()
        if token.kind == "string":
            self._next += 1
            return _unquoted(token.text)
        return self._word("a property")

    def _index(self) -> str:
        token = self._peek()
        if token.text != "*" and not token.text.isdecimal():
            raise self._unexpected("* or a number")
        self._next += 1
        self._expect("]")
        return "[*]" if token.text == "*" else f"[{int(token.text)}]"

    def _set(self) -> tuple[Constant, ...]:
        self._expect("(")
        items = [self._constant()]
        while self._accept(","):
            items.append(self._constant())
            if len(items) > MAX_SET_ITEMS:
                raise _StopError(f"a set of more than {MAX_SET_ITEMS} values", self._peek().at)
        self._expect(")")
        return tuple(items)

    def _constant(self) -> Constant:
        token = self._peek()
        self._next += 1
        if token.kind == "string":
            return _unquoted(token.text)
        if token.kind == "number":
            return _number(token)
        if token.kind == "instant":
            return _instant(token)
        if token.kind == "word" and token.text in {"true", "false"}:
            return token.text == "true"
        if token.kind == "binary":
            raise _StopError("binary and hexadecimal constants are not supported yet", token.at)
        self._next -= 1
        raise self._unexpected("a constant")

    # the stream of tokens

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _accept(self, text: str) -> bool:
        token = self._peek()
        found = token.kind in {"word", "mark"} and token.text.upper() == text
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(text)

    def _word(self, what: str) -> str:
        token = self._peek()
        if token.kind != "word":
            raise self._unexpected(what)
        self._next += 1
        return token.text

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _StopError(f"brackets nested deeper than {MAX_DEPTH}", self._peek().at)

    def _unexpected(self, expected: str) -> _StopError:
        token = self._peek()
        return _StopError(f"expected {expected} at character {token.at}; got {show(token.text, 60)}", token.at)


def _unquoted(text: str) -> str:
    return text[1:-1].replace("\\'", "'").replace("\\\\", "\\") if "\\" in text else text[1:-1]


def _number(token: _Token) -> int | float:
    if len(token.text) > 40:
        raise _StopError("a number of more than 40 digits", token.at)
    return float(token.text) if "." in token.text else int(token.text)


def _instant(token: _Token) -> datetime:
    try:
        return from_rfc3339(token.text[2:-1])
    except ValueError:
        raise _StopError(f"{show(token.text, 60)} is no instant", token.at) from None

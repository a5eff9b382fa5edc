"""Text -> the tree of a STIX pattern, by the grammar of STIX 2.1 part 9, or the reason why it is none.

FOLLOWEDBY binds loosest, then OR, then AND; qualifiers bind to the observation or the brackets before them and stack.
"""

import base64
import math
import re
from enum import StrEnum
from typing import Final

from amagasa.detect.stix.pattern import (
    MAX_DEPTH,
    MAX_NUMBER_CHARACTERS,
    MAX_PATTERN_CHARACTERS,
    MAX_SET_ITEMS,
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    During,
    Either,
    Expression,
    Followed,
    Index,
    Instant,
    Observation,
    Op,
    PatternFault,
    Repeated,
    Step,
    Test,
    Together,
    Within,
    depth_of,
)
from amagasa.detect.stix.tokens import KEYWORDS, Kind, Token, tokens_of
from amagasa.vocab.text import show

_OPERATORS: Final = {op.value: op for op in Op if op is not Op.EXISTS} | {"==": Op.EQ, "<>": Op.NE}
_EQUALITIES: Final = frozenset({Op.EQ, Op.NE})
_TEXT_OPERATORS: Final = frozenset({Op.LIKE, Op.MATCHES, Op.ISSUBSET, Op.ISSUPERSET})
_QUALIFIERS: Final = frozenset({"WITHIN", "REPEATS", "START"})
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = rf"(?!(?:{'|'.join(sorted(KEYWORDS))})\b)[A-Za-z_][A-Za-z0-9_]*"
_SIMPLE: Final = re.compile(
    rf"[ \t\r\n]*\[[ \t\r\n]*((?!true:|false:)[a-z][a-z0-9-]*):({_PLAIN}(?:\.(?:'[A-Za-z0-9-]+'|{_PLAIN}))*)"
    r"[ \t\r\n]*=[ \t\r\n]*'([^'\\]*)'[ \t\r\n]*\][ \t\r\n]*"
)


class Edition(StrEnum):
    """Which standard wrote the pattern: 2.0 has no EXISTS and puts the times of START and STOP in plain quotes."""

    STIX_2_0 = "2.0"
    STIX_2_1 = "2.1"


def parse(pattern: str, edition: Edition = Edition.STIX_2_1) -> Expression | PatternFault:
    """The tree of `pattern`, or why it is none. Never raises, linear in the length of the text.

    Agrees with the grammar of the OASIS but for stated limits: length, depth, items of a set, digits of a number.
    What the grammar admits and no matcher can run (WITHIN 0 SECONDS, 30 February) is parsed; `meaning` names it.
    """
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        return PatternFault(why=f"the pattern is longer than {MAX_PATTERN_CHARACTERS} characters", at=0)
    simple = parse_equality(pattern)
    if simple:
        kind, path, constant = simple
        test = Comparison(kind=kind, steps=tuple(path.split(".")), op=Op.EQ, constants=(constant,))
        return Observation(test=test)
    try:
        expression = _Parser(tokens_of(pattern), edition).whole()
    except _StopError as stop:
        return fault_at(pattern, stop.why, stop.at)
    if depth_of(expression) > MAX_DEPTH:
        return fault_at(pattern, f"nested deeper than {MAX_DEPTH}", 0)
    return expression


def parse_equality(pattern: str) -> tuple[str, str, str] | None:
    """(kind, path, constant) of `[kind:path = 'constant']` without escapes; None for anything else.

    Nine of ten indicators are of this form: worth a path of its own, six times faster.
    """
    simple = _SIMPLE.fullmatch(pattern) if len(pattern) <= MAX_PATTERN_CHARACTERS else None
    return (simple[1], simple[2].replace("'", ""), simple[3]) if simple else None


def fault_at(pattern: str, why: str, at: int) -> PatternFault:
    """The fault at character `at`, its line and column counted out."""
    before = pattern[:at]
    line = before.count("\n") + 1
    return PatternFault(why=why, at=at, line=line, column=at - (before.rfind("\n") + 1) + 1)


class _StopError(Exception):
    """Leaves the descent; caught in `parse` and nowhere else."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.why = why
        self.at = at


class _Parser:
    """Recursive descent; one method for each level of binding, loosest first."""

    def __init__(self, tokens: list[Token], edition: Edition) -> None:
        self._tokens = tokens
        self._edition = edition
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._followed()
        if self._peek().kind is not Kind.END:
            raise self._unexpected("FOLLOWEDBY, AND, OR, a qualifier or the end of the pattern")
        return expression

    # observations

    def _followed(self) -> Expression:
        parts = [self._either()]
        while self._accept("FOLLOWEDBY"):
            parts.append(self._either())
        return parts[0] if len(parts) == 1 else Followed(parts=tuple(parts))

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
        if self._accept("("):
            self._deeper()
            inner = self._followed()
            self._expect(")")
            self._depth -= 1
        else:
            self._expect("[")
            test = self._any_of()
            self._expect("]")
            inner = Observation(test=test)
        n_qualifiers = 0
        while self._peek().kind is Kind.KEYWORD and self._peek().text in _QUALIFIERS:
            n_qualifiers += 1
            if n_qualifiers > MAX_DEPTH:
                raise _StopError(f"more than {MAX_DEPTH} qualifiers of one expression", self._peek().at)
            inner = self._qualified(inner)
        return inner

    def _qualified(self, part: Expression) -> Expression:
        if self._accept("WITHIN"):
            duration = self._positive(Kind.INTEGER, Kind.FLOAT)
            self._expect("SECONDS")
            return Within(part=part, duration_s=_number(duration))
        if self._accept("REPEATS"):
            n_times = _number(self._positive(Kind.INTEGER))
            self._expect("TIMES")
            return Repeated(part=part, n_times=int(n_times))
        self._expect("START")
        start = self._instant()
        self._expect("STOP")
        return During(part=part, start=start, stop=self._instant())

    def _positive(self, *kinds: Kind) -> Token:
        token = self._peek()
        if token.kind not in kinds or token.text.startswith("-"):
            raise self._unexpected("a positive number" if Kind.FLOAT in kinds else "a positive whole number")
        self._next += 1
        return token

    def _instant(self) -> Instant:
        token = self._peek()
        if token.kind is Kind.STRING and self._edition is Edition.STIX_2_0:
            self._next += 1
            return Instant(_unquoted(token.text))
        if token.kind is not Kind.INSTANT:
            raise self._unexpected("a time like t'2026-11-23T03:00:00Z'")
        self._next += 1
        return Instant(token.text[2:-1])

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
        if is_negated or (self._is_next("EXISTS") and self._edition is Edition.STIX_2_1):
            self._expect("EXISTS")
            kind, steps = self._object_path()
            return Comparison(kind=kind, steps=steps, op=Op.EXISTS, constants=(), is_negated=is_negated)
        kind, steps = self._object_path()
        is_negated = self._accept("NOT")
        op = _OPERATORS.get(self._peek().text)
        if op is None:
            raise self._unexpected("a comparison operator")
        self._next += 1
        constants = self._set() if op is Op.IN else (self._operand(op),)
        return Comparison(kind=kind, steps=steps, op=op, constants=constants, is_negated=is_negated)

    def _object_path(self) -> tuple[str, tuple[Step, ...]]:
        kind = self._peek()
        if kind.kind is not Kind.WORD:
            raise self._unexpected("an object type")
        self._next += 1
        self._expect(":")
        steps: list[Step] = [self._property()]
        while True:
            if self._accept("."):
                steps.append(self._property())
            elif self._accept("["):
                steps.append(self._index())
            else:
                return kind.text, tuple(steps)

    def _property(self) -> str:
        token = self._peek()
        if token.kind is Kind.WORD and "-" in token.text:
            raise _StopError(f"a property with a hyphen stands in quotes: '{token.text[:60]}'", token.at)
        if token.kind not in {Kind.WORD, Kind.STRING}:
            raise self._unexpected("a property")
        self._next += 1
        return _unquoted(token.text) if token.kind is Kind.STRING else token.text

    def _index(self) -> Index:
        token = self._peek()
        if token.text == "*":
            position = None
        elif token.kind is Kind.INTEGER:
            position = int(_number(token))
        else:
            raise self._unexpected("* or a whole number")
        self._next += 1
        self._expect("]")
        return Index(position)

    def _set(self) -> tuple[Constant, ...]:
        self._expect("(")
        if self._accept(")"):
            return ()
        items = [self._constant()]
        while self._accept(","):
            items.append(self._constant())
            if len(items) > MAX_SET_ITEMS:
                raise _StopError(f"a set of more than {MAX_SET_ITEMS} values", self._peek().at)
        self._expect(")")
        return tuple(items)

    def _operand(self, op: Op) -> Constant:
        if op in _TEXT_OPERATORS and self._peek().kind is not Kind.STRING:
            raise self._unexpected(f"a text in quotes after {op.value}")
        if op not in _EQUALITIES and self._peek().text in {"true", "false"}:
            raise self._unexpected(f"a constant that has an order after {op.value}")
        return self._constant()

    def _constant(self) -> Constant:
        token = self._peek()
        self._next += 1
        match token.kind:
            case Kind.STRING:
                return _unquoted(token.text)
            case Kind.INTEGER | Kind.FLOAT:
                return _number(token)
            case Kind.INSTANT:
                return Instant(token.text[2:-1])
            case Kind.HEX:
                return bytes.fromhex(token.text[2:-1])
            case Kind.BASE64:
                return base64.b64decode(token.text[2:-1])
        if token.text in {"true", "false"}:
            return token.text == "true"
        self._next -= 1
        raise self._unexpected("a constant")

    # the stream of tokens

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _is_next(self, text: str) -> bool:
        token = self._peek()
        return token.text == text and token.kind in {Kind.KEYWORD, Kind.MARK}

    def _accept(self, text: str) -> bool:
        found = self._is_next(text)
        self._next += found
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(text)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _StopError(f"brackets nested deeper than {MAX_DEPTH}", self._peek().at)

    def _unexpected(self, expected: str) -> _StopError:
        token = self._peek()
        if token.kind is Kind.UNKNOWN:
            return _StopError(f"{show(token.text, 60)} at character {token.at} is no part of a pattern", token.at)
        hint = f" (keywords are in capitals: {token.text.upper()})" if _is_misspelt(token) else ""
        return _StopError(f"expected {expected} at character {token.at}; got {show(token.text, 60)}{hint}", token.at)


def _is_misspelt(token: Token) -> bool:
    return token.kind is Kind.WORD and token.text.upper() in KEYWORDS


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def _number(token: Token) -> int | float:
    if len(token.text) > MAX_NUMBER_CHARACTERS:
        raise _StopError(f"a number of more than {MAX_NUMBER_CHARACTERS} digits", token.at)
    number = float(token.text) if token.kind is Kind.FLOAT else int(token.text)
    if isinstance(number, float) and math.isinf(number):
        raise _StopError("a number too large for a float", token.at)
    return number

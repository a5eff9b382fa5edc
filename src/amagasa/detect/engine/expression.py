r"""Regular expressions as trees, as far as is needed to tell texts that certainly do not match.

A cautious reader of the syntax that RE2 and Hyperscan share. It may take an expression for a wider one (a text that
matches the expression matches the tree, never the other way about), and gives up at whatever it does not know.
Letters are made small, since it is asked about folded texts.
"""

import re
from collections.abc import Iterable
from typing import Final, TypeAlias, Union

from msgspec import Struct

MAX_DEPTH: Final = 20
N_CHARACTERS: Final = 128
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z]+)\)")
_OPEN: Final = re.compile(r"\((?!\?)|\(\?[a-zA-Z]*:|\(\?P?<[A-Za-z]\w*>")
_COUNT: Final = re.compile(r"\{(\d{1,6})(,?)(\d{0,6})\}")
_HEX: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")
_UNREADABLE: Final = frozenset({"", "Q", "E", "p", "P", "x", "u", "U", "N", "k", "g", "c", "C", "X", "R", "K", "G"})
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}


def _mask(characters: Iterable[str]) -> int:
    return sum(1 << ord(character) for character in set(characters))


ANY: Final = (1 << N_CHARACTERS) - 1
_DIGITS: Final = _mask("0123456789")
_WORD: Final = _mask("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE: Final = _mask(" \t\n\r\f\v")
_LARGE: Final = _mask("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CLASSES_OF: Final = _CLASSES | {letter.upper(): ANY & ~mask for letter, mask in _CLASSES.items()}


class Letter(Struct, frozen=True):
    """One character: a bit for each character of ASCII (small letters only)."""

    mask: int


class Head(Struct, frozen=True):
    """`^` where nothing can stand before it."""


class Tail(Struct, frozen=True):
    """`$` where nothing can stand behind it, but for a last line feed."""


class Row(Struct, frozen=True):
    """Parts, one behind the other; of none: the empty text."""

    parts: "tuple[Tree, ...]" = ()


class Choice(Struct, frozen=True):
    """One of the parts."""

    parts: "tuple[Tree, ...]"


class Repeat(Struct, frozen=True):
    """`most` None: without an end."""

    part: "Tree"
    least: int
    most: int | None


Tree: TypeAlias = Union[Letter, Head, Tail, Row, Choice, Repeat]  # noqa: UP007 - a forward reference


def tree_of(expression: str) -> Tree | None:
    """The tree; None where the reader does not know the expression."""
    flags = _FLAGS.match(expression)
    reader = _Reader(expression, flags.end() if flags else 0, is_multiline=bool(flags and "m" in flags[1]))
    try:
        tree = reader.alternatives(0, is_first=True)
    except _UnknownError:
        return None
    return tree if reader.at == len(expression) else None


class _UnknownError(Exception):
    """The expression holds what this reader does not know."""


class _Reader:
    """Recursive descent. Anchors that are not at the edge of the whole expression ask for nothing."""

    def __init__(self, expression: str, at: int, *, is_multiline: bool) -> None:
        self.at = at
        self._expression = expression
        self._is_multiline = is_multiline

    def alternatives(self, depth: int, *, is_first: bool) -> Tree:
        """Up to the end, or to the bracket that closes the group."""
        if depth > MAX_DEPTH:
            raise _UnknownError
        found = [self._row(depth, is_first=is_first)]
        while self._peek() == "|":
            self.at += 1
            found.append(self._row(depth, is_first=is_first))
        return found[0] if len(found) == 1 else Choice(tuple(found))

    def _row(self, depth: int, *, is_first: bool) -> Tree:
        parts: list[Tree] = []
        while self._peek() not in {"", "|", ")"}:
            part = self._piece(depth, is_first=is_first and not parts)
            parts.append(self._quantified(part))
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _piece(self, depth: int, *, is_first: bool) -> Tree:
        letter = self._peek()
        if letter == "(":
            return self._group(depth, is_first=is_first)
        if letter == "[":
            return self._class()
        if letter == "\\":
            return self._escape(is_first=is_first)
        self.at += 1
        if letter == "^":
            return Head() if is_first and not self._is_multiline else Row()
        if letter == "$":
            return Tail() if self._is_last(depth) and not self._is_multiline else Row()
        if letter == ".":
            return Letter(_small(ANY))
        if letter in "*+?{":
            raise _UnknownError
        return _letter(letter)

    def _is_last(self, depth: int) -> bool:
        """Whether only the ends of all open groups follow, up to the end or the next alternative of the whole."""
        behind = self._expression[self.at : self.at + depth + 1]
        return behind[:depth] == ")" * depth and behind[depth:] in {"", "|"}

    def _group(self, depth: int, *, is_first: bool) -> Tree:
        match = _OPEN.match(self._expression, self.at)
        if match is None:
            raise _UnknownError
        self.at = match.end()
        tree = self.alternatives(depth + 1, is_first=is_first)
        if self._peek() != ")":
            raise _UnknownError
        self.at += 1
        return tree

    def _escape(self, *, is_first: bool) -> Tree:
        if match := _HEX.match(self._expression, self.at):
            self.at = match.end()
            return _letter(chr(int(match[1], 16)))
        letter = self._expression[self.at + 1 : self.at + 2]
        if letter in _UNREADABLE or not letter.isascii() or letter.isdecimal():
            raise _UnknownError
        self.at += 2
        if letter == "A":
            return Head() if is_first else Row()
        if letter in {"z", "Z", "b", "B"}:
            return Row()
        mask = _CLASSES_OF.get(letter)
        if mask is None and letter.isalpha() and letter not in _CONTROLS:
            raise _UnknownError
        return _letter(_CONTROLS.get(letter, letter)) if mask is None else Letter(_small(mask))

    def _class(self) -> Tree:
        r"""`[a-z\d]`; whatever stands in one that is not read for sure ends the reading."""
        self.at += 1
        is_negated = self._peek() == "^"
        self.at += is_negated
        mask, is_first = 0, True
        while (letter := self._peek()) != "]" or is_first:
            if not letter or (letter == "[" and self._expression[self.at + 1 : self.at + 2] in {":", ".", "="}):
                raise _UnknownError
            mask |= self._range()
            is_first = False
        self.at += 1
        return Letter(_small(ANY & ~mask if is_negated else mask))

    def _range(self) -> int:
        mask, low = self._member()
        if low is None or self._peek() != "-" or self._expression[self.at + 1 : self.at + 2] in {"]", ""}:
            return mask
        self.at += 1
        _, high = self._member()
        if high is None or high < low:
            raise _UnknownError
        return sum(1 << point for point in range(low, min(high, N_CHARACTERS - 1) + 1))

    def _member(self) -> tuple[int, int | None]:
        """(characters, the code point where it is a single one); beyond ASCII none is told."""
        if match := _HEX.match(self._expression, self.at):
            self.at = match.end()
            return _bit(int(match[1], 16)), int(match[1], 16)
        letter = self._peek()
        self.at += 1
        if letter != "\\":
            return _bit(ord(letter)), ord(letter)
        letter = self._peek()
        self.at += 1
        if letter in _CLASSES_OF:
            return _CLASSES_OF[letter], None
        if letter in _UNREADABLE or letter.isdecimal() or (letter.isalpha() and letter not in _CONTROLS):
            raise _UnknownError
        point = ord(_CONTROLS.get(letter, letter))
        return _bit(point), point

    def _quantified(self, part: Tree) -> Tree:
        while (letter := self._peek()) and letter in "*+?{":
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1), "{": (0, 0)}[letter]
            count = _COUNT.match(self._expression, self.at)
            if letter == "{":
                if count is None:
                    raise _UnknownError
                least = int(count[1])
                most = (int(count[3]) if count[3] else None) if count[2] else least
            self.at = count.end() if letter == "{" and count else self.at + 1
            if self._peek() == "?":
                self.at += 1
            if isinstance(part, Head | Tail):
                raise _UnknownError
            part = Repeat(part, least, most)
        return part

    def _peek(self) -> str:
        return self._expression[self.at : self.at + 1]


def _bit(point: int) -> int:
    return 1 << point if point < N_CHARACTERS else 0


def _letter(character: str) -> Letter:
    return Letter(_small(_bit(ord(character))))


def _small(mask: int) -> int:
    """Large letters made small."""
    large = mask & _LARGE
    return mask & ~_LARGE | large << 32

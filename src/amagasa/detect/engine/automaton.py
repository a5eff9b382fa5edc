"""Expressions as automata of Glushkov, several side by side, run over a folded text by the sieve.

A position of the expression is a bit; a set of positions moves on by one character at a time. Long repetitions are cut
short, which makes an expression wider and never narrower (V. M. Glushkov, The abstract theory of automata, 1961).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from amagasa.detect.engine.expression import N_CHARACTERS, Choice, Head, Letter, Repeat, Row, Tail, Tree

# Of one automaton, and of those that stand side by side.
MAX_POSITIONS: Final = 512
# In the text that is run over, a mark stands in front and another behind.
HEAD_MARK: Final = N_CHARACTERS
TAIL_MARK: Final = N_CHARACTERS + 1
N_MARKS: Final = N_CHARACTERS + 2
# Of a repetition, so many are counted; what must be longer may then be of any length.
MAX_COPIES: Final = 8
_MAX_LENGTH: Final = 1 << 30


class Automaton(Struct, frozen=True, kw_only=True):
    """By position: the characters it takes (bits, marks included), and the positions behind it (bits)."""

    masks: tuple[int, ...]
    follow: tuple[int, ...]
    first: int
    last: int
    min_length: int


class Beside(Struct, frozen=True, kw_only=True):
    """Automata side by side; each finds its code where one of its `last` positions is reached in a long enough text."""

    masks: tuple[int, ...]
    follow: tuple[int, ...]
    first: int
    ends: tuple[tuple[int, int, int], ...]  # (last positions, least length, code)


class _Part(Struct, frozen=True):
    first: int
    last: int
    is_empty: bool  # whether the empty text is one of its texts


class _TooLargeError(Exception):
    """More positions than there is room for."""


def automaton_of(tree: Tree) -> Automaton | None:
    """None where it has too many positions, or where even the empty text matches."""
    building = _Building()
    try:
        whole = building.part(tree)
    except _TooLargeError:
        return None
    if whole.is_empty:
        return None
    return Automaton(
        masks=tuple(building.masks),
        follow=tuple(building.follow),
        first=whole.first,
        last=whole.last,
        min_length=min_length(tree),
    )


def min_length(tree: Tree) -> int:
    """Characters of the shortest text that matches; anchors count nothing."""
    match tree:
        case Letter():
            length = 1
        case Row():
            length = sum(min_length(part) for part in tree.parts)
        case Choice():
            length = min(min_length(part) for part in tree.parts)
        case Repeat():
            length = tree.least * min_length(tree.part)
        case _:
            length = 0
    return min(length, _MAX_LENGTH)


class _Building:
    def __init__(self) -> None:
        self.masks: list[int] = []
        self.follow: list[int] = []

    def part(self, tree: Tree) -> _Part:
        match tree:
            case Letter():
                return self._position(tree.mask)
            case Head():
                return self._position(1 << HEAD_MARK)
            case Tail():
                return self._position(1 << TAIL_MARK | 1 << ord("\n"))
            case Row():
                return self._row([self.part(part) for part in tree.parts])
            case Choice():
                return _either([self.part(part) for part in tree.parts])
            case Repeat():
                return self._repeat(tree)

    def _position(self, mask: int) -> _Part:
        if len(self.masks) == MAX_POSITIONS:
            raise _TooLargeError
        self.masks.append(mask)
        self.follow.append(0)
        bit = 1 << (len(self.masks) - 1)
        return _Part(bit, bit, is_empty=False)

    def _row(self, parts: Sequence[_Part]) -> _Part:
        whole = _Part(0, 0, is_empty=True)
        for part in parts:
            self._join(whole.last, part.first)
            whole = _Part(
                whole.first | (part.first if whole.is_empty else 0),
                part.last | (whole.last if part.is_empty else 0),
                is_empty=whole.is_empty and part.is_empty,
            )
        return whole

    def _repeat(self, tree: Repeat) -> _Part:
        n_copies = min(max(tree.least, 1), MAX_COPIES)
        is_once = tree.most is not None and tree.most <= 1
        copies = [self.part(tree.part) for _ in range(n_copies)]
        if not is_once and (tree.most is None or tree.most > n_copies):
            self._join(copies[-1].last, copies[-1].first)
        whole = self._row(copies)
        return _Part(whole.first, whole.last, is_empty=whole.is_empty or tree.least == 0)

    def _join(self, lasts: int, firsts: int) -> None:
        for position in _bits(lasts):
            self.follow[position] |= firsts


def packed(automata: Iterable[tuple[Automaton, int]]) -> list[Beside]:
    """(automaton, code) pairs in as few rows as comes of filling each with the next that fits, the largest first."""
    rows: list[list[tuple[Automaton, int]]] = []
    free: list[int] = []
    for one, code in sorted(automata, key=lambda pair: (-len(pair[0].masks), pair[1])):
        size = len(one.masks)
        place = next((index for index, room in enumerate(free) if room >= size), None)
        if place is None:
            place = len(rows)
            rows.append([])
            free.append(MAX_POSITIONS)
        rows[place].append((one, code))
        free[place] -= size
    return [_side_by_side(own) for own in rows]


def _side_by_side(own: Sequence[tuple[Automaton, int]]) -> Beside:
    masks: list[int] = []
    follow: list[int] = []
    first = 0
    ends: list[tuple[int, int, int]] = []
    for one, code in own:
        at = len(masks)
        masks.extend(one.masks)
        follow.extend(bits << at for bits in one.follow)
        first |= one.first << at
        ends.append((one.last << at, one.min_length, code))
    return Beside(masks=tuple(masks), follow=tuple(follow), first=first, ends=tuple(ends))


def _either(parts: Sequence[_Part]) -> _Part:
    first = last = 0
    for part in parts:
        first |= part.first
        last |= part.last
    return _Part(first, last, is_empty=any(part.is_empty for part in parts))


def _bits(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]

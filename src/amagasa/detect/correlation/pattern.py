"""The demands of a STIX pattern over records that come one by one: what must be there already when one comes in."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from msgspec import Struct

from amagasa.detect.binding.terms import Block, Bound, Demands, Leaf, Term

# An instant in microseconds and, in the low bits, the place among records of that instant: one number that orders both.
TIE_BITS: Final = 20
MOST_TIES: Final = 1 << (TIE_BITS - 1)
# Before the name of a field which a record carries to say whom it is about, not because it satisfied anything.
ABOUT: Final = "about "


class Pattern(Struct, frozen=True, dict=True):
    """A pattern whose `[...]`, from left to right, are the members of a correlation."""

    demands: Demands

    @cached_property
    def n_at_once(self) -> int:
        """The most records that any alternative names."""
        return max(sum(block.n for block in term.blocks) for term in self.demands.terms)

    @cached_property
    def has_order(self) -> bool:
        """Whether something must follow something."""
        return any(_is_order(bound) for term in self.demands.terms for bound in term.bounds)

    @cached_property
    def pinned(self) -> tuple[tuple[Term, ...], ...]:
        """For each leaf the terms in which one of its records is the one in hand: leaf number `len(leaves)`."""
        found: list[list[Term]] = [[] for _ in self.demands.leaves]
        pin = len(self.demands.leaves)
        for term in self.demands.terms:
            timed = Term(term.blocks, tuple(_timed(bound) for bound in term.bounds))
            for i, block in enumerate(term.blocks):
                found[block.leaf].append(_with_pin(timed, i, pin))
        return tuple(tuple(dict.fromkeys(terms)) for terms in found)

    def leaves_of(self, member: int, at: int) -> tuple[int, ...]:
        """The leaves which a record of this instant serves that satisfies the `[...]` of this number."""
        return tuple(number for number, leaf in enumerate(self.demands.leaves) if _serves(leaf, member, at))


def _serves(leaf: Leaf, member: int, at: int) -> bool:
    return any(number == member and all(start <= at < stop for start, stop in spans) for number, spans in leaf)


def _is_order(bound: Bound) -> bool:
    return not set(bound.before) & set(bound.after)


def _timed(bound: Bound) -> Bound:
    """In numbers of instants and ties: an order is strict, a window counts instants alone."""
    slack = -1 if _is_order(bound) else (bound.slack_us << TIE_BITS) + MOST_TIES
    return Bound(bound.before, bound.after, slack)


def _with_pin(term: Term, i: int, pin: int) -> Term:
    """The term with one record of block `i` pinned."""
    block = term.blocks[i]
    if block.n == 1:
        return Term((*term.blocks[:i], Block(pin, 1), *term.blocks[i + 1 :]), term.bounds)
    blocks = (*term.blocks[:i], Block(block.leaf, block.n - 1), *term.blocks[i + 1 :], Block(pin, 1))
    last = len(term.blocks)
    bounds = (Bound(_wider(one.before, i, last), _wider(one.after, i, last), one.slack_us) for one in term.bounds)
    return Term(blocks, tuple(bounds))


def _wider(places: tuple[int, ...], i: int, last: int) -> tuple[int, ...]:
    return (*places, last) if i in places else places


def widest_us(terms: Iterable[Term]) -> int | None:
    """The longest window that joins all records of an alternative, in microseconds; None where one has none."""
    widest = 0
    for term in terms:
        if len(term.blocks) == 1 and term.blocks[0].n == 1:
            continue
        everyone = set(range(len(term.blocks)))
        windows = [bound.slack_us for bound in term.bounds if set(bound.before) == everyone == set(bound.after)]
        if not windows:
            return None
        widest = max(widest, min(windows))
    return widest

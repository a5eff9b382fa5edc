"""A pattern as alternatives of plain demands: so many observations of each kind, some before others, some close.

FOLLOWEDBY, WITHIN and START/STOP all say one thing of a pair of observations: `first` of the one is no later than
`last` of the other, plus so much. A term is what remains of a pattern when OR is chosen and REPEATS is counted out.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.detect.binding.observed import microseconds
from amagasa.detect.stix.pattern import (
    During,
    Either,
    Expression,
    Followed,
    Observation,
    Repeated,
    Together,
    Within,
    observations_of,
)

MAX_TERMS: Final = 4_096  # alternatives: ORs of several observations joined by AND multiply
MAX_BLOCKS: Final = 32_768  # written down on the way: REPEATS of what has an order of its own is counted out

MAX_JOINED: Final = 1_000_000  # blocks that bounds name: FOLLOWEDBY holds between each and all before it

Span: TypeAlias = tuple[int, int]  # START and STOP in microseconds: from the first until before the second
# What one observation must be: one of these `[...]` (by position in the pattern), touching all of these spans.
Leaf: TypeAlias = tuple[tuple[int, tuple[Span, ...]], ...]


class Block(Struct, frozen=True):
    """`n` observations that are each what `leaves[leaf]` says."""

    leaf: int
    n: int


class Bound(Struct, frozen=True):
    """`first` of each observation in `before` is at most `last` of each in `after`, plus `slack_us`."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    slack_us: int


class Term(Struct, frozen=True):
    """One way to satisfy the pattern. Bounds name blocks by position."""

    blocks: tuple[Block, ...]
    bounds: tuple[Bound, ...]


class Demands(Struct, frozen=True):
    """A pattern as terms; it matches where one of them does.

    `has_copies`: some blocks are the same again, and must not be served by the same observations.
    """

    leaves: tuple[Leaf, ...]
    terms: tuple[Term, ...]
    has_copies: bool = False


class _TooManyError(Exception):
    """Leaves the descent; caught in `demands_of` and nowhere else."""


def demands_of(expression: Expression) -> Demands | str:
    """The terms of a pattern of which `meaning.fault_of` says nothing; the reason where there would be too many."""
    counting = _Counting()
    try:
        drafts = counting.terms(expression, 0, ())
    except _TooManyError:
        return f"the pattern stands for more than {MAX_TERMS} alternatives or {MAX_BLOCKS} observations in order"
    leaves: dict[Leaf, int] = {}
    terms = tuple(
        Term(tuple(Block(leaves.setdefault(leaf, len(leaves)), n) for leaf, n in draft.blocks), draft.bounds)
        for draft in drafts
    )
    return Demands(tuple(leaves), terms, counting.has_copies)


class _Draft(Struct, frozen=True):
    blocks: tuple[tuple[Leaf, int], ...]
    bounds: tuple[Bound, ...] = ()


class _Counting:
    def __init__(self) -> None:
        self._n_blocks = self._n_joined = 0
        self.has_copies = False

    def terms(self, node: Expression, first: int, spans: tuple[Span, ...]) -> list[_Draft]:
        """`first` is the position of the leftmost `[...]` of the node in the whole pattern."""
        match node:
            case Observation():
                return [_Draft((((((first, spans),), 1)),))]
            case During(part=part):
                return self.terms(part, first, (*spans, _span(node)))
            case Within(part=part, duration_s=duration_s):
                slack_us = round(duration_s * 1_000_000)
                return [_within(draft, slack_us) for draft in self.terms(part, first, spans)]
            case Repeated(part=part, n_times=n_times):
                return self._repeated(self.terms(part, first, spans), n_times)
        parts = list(self._parts(node.parts, first, spans))
        match node:
            case Either():
                return _merged([draft for drafts in parts for draft in drafts])
            case Together():
                return [draft for draft, _ in self._products(parts)]
            case Followed():
                return [self._in_order(draft, widths) for draft, widths in self._products(parts)]

    def _parts(self, nodes: tuple[Expression, ...], first: int, spans: tuple[Span, ...]) -> Iterator[list[_Draft]]:
        for node in nodes:
            yield self.terms(node, first, spans)
            first += sum(1 for _ in observations_of(node))

    def _products(self, parts: list[list[_Draft]]) -> Iterator[tuple[_Draft, list[int]]]:
        n_terms = 1
        for drafts in parts:
            n_terms *= len(drafts)
        if n_terms > MAX_TERMS:
            raise _TooManyError
        for chosen in product(*parts):
            yield self._beside(chosen), [len(draft.blocks) for draft in chosen]

    def _repeated(self, drafts: list[_Draft], n_times: int) -> list[_Draft]:
        """Each way to choose an alternative for each time; times which have no order of their own are only counted."""
        if len(drafts) == 1:
            return [self._times(drafts[0], n_times)]
        n_ways = 1
        for k in range(1, len(drafts)):
            n_ways = n_ways * (n_times + k) // k
            if n_ways > MAX_TERMS:
                raise _TooManyError
        ways = []
        for chosen in combinations_with_replacement(range(len(drafts)), n_times):
            counted = [(drafts[i], chosen.count(i)) for i in sorted(set(chosen))]
            ways.append(self._beside([self._times(draft, n) for draft, n in counted]))
        return ways

    def _times(self, draft: _Draft, n: int) -> _Draft:
        if not draft.bounds:
            return _Draft(tuple((leaf, n * held) for leaf, held in draft.blocks))
        if n * len(draft.blocks) > MAX_BLOCKS:
            raise _TooManyError
        self.has_copies = self.has_copies or n > 1
        return self._beside([draft] * n)

    def _in_order(self, draft: _Draft, widths: list[int]) -> _Draft:
        bounds = list(draft.bounds)
        done = widths[0]
        for width in widths[1:]:
            self._n_joined += done + width
            if self._n_joined > MAX_JOINED:
                raise _TooManyError
            bounds.append(Bound(tuple(range(done)), tuple(range(done, done + width)), 0))
            done += width
        return _Draft(draft.blocks, tuple(bounds))

    def _beside(self, drafts: list[_Draft] | tuple[_Draft, ...]) -> _Draft:
        blocks: list[tuple[Leaf, int]] = []
        bounds: list[Bound] = []
        for draft in drafts:
            by = len(blocks)
            blocks.extend(draft.blocks)
            bounds.extend(
                Bound(tuple(i + by for i in bound.before), tuple(i + by for i in bound.after), bound.slack_us)
                for bound in draft.bounds
            )
        self._n_blocks += len(blocks)
        if self._n_blocks > MAX_BLOCKS:
            raise _TooManyError
        return _Draft(tuple(blocks), tuple(bounds))


def _span(node: During) -> Span:
    start, stop = node.start.at, node.stop.at
    if start is None or stop is None:
        message = "a pattern with a fault reached the terms"
        raise ValueError(message)
    return microseconds(start), microseconds(stop)


def _within(draft: _Draft, slack_us: int) -> _Draft:
    if len(draft.blocks) == 1 and draft.blocks[0][1] == 1:
        return draft  # one observation is always close to itself
    everyone = tuple(range(len(draft.blocks)))
    return _Draft(draft.blocks, (*draft.bounds, Bound(everyone, everyone, slack_us)))


def _merged(drafts: list[_Draft]) -> list[_Draft]:
    """Alternatives of one observation each are one: an observation that is this or that."""
    single = [draft for draft in drafts if len(draft.blocks) == 1 and draft.blocks[0][1] == 1 and not draft.bounds]
    if len(single) < 2:
        return drafts
    others = [draft for draft in drafts if draft not in single]
    leaf = tuple(dict.fromkeys(one for draft in single for one in draft.blocks[0][0]))
    return [_Draft(((leaf, 1),)), *others]

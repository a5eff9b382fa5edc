"""Whether observations can be found that meet all demands of a term, and which: exact, and polynomial but for a budget.

First without regard to sharing: each block takes the earliest observations that its bounds let it take. A bound says
`first` of these <= `last` of those + slack; so what must be raised is only the least `last` of the others, and raising
it never has to be taken back. The result is the earliest solution of all, or there is none. Costs about as much as
sorting the candidates.

Where an observation was taken more often than it was seen, blocks which no bound joins are served one after another.
Where that fails, the least `last` after a bound is tried, the widest bound first; with all of them fixed the demands
stand for themselves and a flow decides exactly. That costs the number of candidates to the power of the number of
bounds at most, and stops at a budget.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import accumulate
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.detect.binding.flow import distribute
from amagasa.detect.binding.terms import Bound, Term

MAX_LOOKS: Final = 2_000_000  # at candidates: about two seconds
MAX_FIXED: Final = 64  # bounds tried one within the other: each takes two Python frames
NEVER: Final = 1 << 80  # later than all instants, in microseconds


class Pool(Struct, frozen=True):
    """Observations by position: when first and last seen (microseconds), how often."""

    firsts: Sequence[int]
    lasts: Sequence[int]
    counts: Sequence[int]


class Candidates(Struct, frozen=True):
    """Positions of observations in the order of `firsts`; `reach[i]` is the latest `last` among the first i + 1."""

    positions: Sequence[int]
    firsts: Sequence[int]
    reach: Sequence[int]

    def window(self, lower: int, upper: int) -> tuple[int, int]:
        """From and until which index there may be observations with `last` >= lower and `first` <= upper."""
        return bisect_left(self.reach, lower), bisect_right(self.firsts, upper)


def candidates_of(positions: Iterable[int], pool: Pool) -> Candidates:
    """Sorted by when they were first seen, then by position."""
    ordered = sorted(positions, key=lambda position: (pool.firsts[position], position))
    return Candidates(
        ordered,
        [pool.firsts[position] for position in ordered],
        list(accumulate((pool.lasts[position] for position in ordered), max)),
    )


class Answer(Enum):
    """What there is to say when no observations are given back."""

    NONE = "none"  # no observations meet the demands
    UNKNOWN = "unknown"  # the budget was used up


# For each block of the term the observations it takes, and how often each.
Taken: TypeAlias = list[dict[int, int]]


def solve(
    terms: Iterable[Term], pool: Pool, candidates: Sequence[Candidates], max_looks: int = MAX_LOOKS
) -> Taken | Answer:
    """For each block of the first term that can be met, its observations, none used more often than it was seen.

    NONE where no term can be met, UNKNOWN where the search took more than `max_looks` and found nothing before.
    `candidates` are those of each leaf.
    """
    looks = _Looks(max_looks)
    return _first(_Contest(term, pool, candidates, looks).solution for term in terms)


def solve_shared(
    terms: Iterable[Term], pool: Pool, candidates: Sequence[Candidates], max_looks: int = MAX_LOOKS
) -> Taken | Answer:
    """The same where an observation may serve several blocks of a term, each of them once."""
    looks = _Looks(max_looks)
    return _first(_Contest(term, pool, candidates, looks).shared for term in terms)


def _first(searches: Iterable[Callable[[], Taken | None]]) -> Taken | Answer:
    try:
        found = (search() for search in searches)
        return next((taken for taken in found if taken is not None), Answer.NONE)
    except _SpentError:
        return Answer.UNKNOWN


class _SpentError(Exception):
    """The budget is used up; caught in `solve` and nowhere else."""


class _Looks:
    def __init__(self, n: int) -> None:
        self.left = n

    def spend(self, n: int) -> None:
        self.left -= n
        if self.left < 0:
            raise _SpentError


def _is_overdrawn(taken: Taken, pool: Pool) -> bool:
    used: Counter[int] = Counter()
    for block in taken:
        used.update(block)
    return any(n > pool.counts[position] for position, n in used.items())


class _Filling:
    """One block being filled: the earliest candidates (by `first`) with `last` at or above a limit that only rises."""

    def __init__(self, n: int, candidates: Candidates, pool: Pool, window: tuple[int, int]) -> None:
        self._n = n
        self._candidates = candidates
        self._pool = pool
        self._next, self._end = window
        self._held: list[tuple[int, int, int]] = []  # a heap of (last, position, how often)
        self._n_held = 0
        self._spare: tuple[int, int] | None = None  # the one taken last, and how often it is left over
        self.n_looked = 0
        self.latest_first = -NEVER

    def fill(self, lower: int) -> bool:
        """Drop what ends before `lower`, take what is missing; whether there is enough."""
        while self._held and self._held[0][0] < lower:
            self._n_held -= heapq.heappop(self._held)[2]
        if self._spare and self._n_held < self._n:
            position, n_left = self._spare
            self._spare = None
            if self._pool.lasts[position] >= lower:
                self._take(position, n_left)
        while self._n_held < self._n:
            if self._next >= self._end:
                return False
            position = self._candidates.positions[self._next]
            self._next += 1
            self.n_looked += 1
            if self._pool.lasts[position] >= lower and self._pool.counts[position]:
                self._take(position, self._pool.counts[position])
        return True

    def _take(self, position: int, n_there: int) -> None:
        n = min(n_there, self._n - self._n_held)
        heapq.heappush(self._held, (self._pool.lasts[position], position, n))
        self._n_held += n
        self._spare = (position, n_there - n) if n_there > n else None
        self.latest_first = self._pool.firsts[position]

    def taken(self) -> dict[int, int]:
        found: Counter[int] = Counter()
        for _, position, n in self._held:
            found[position] += n
        return dict(found)


class _Contest:
    """The blocks of one term, which may want the same observations."""

    def __init__(self, term: Term, pool: Pool, candidates: Sequence[Candidates], looks: _Looks) -> None:
        self._term = term
        self._bounds = sorted(term.bounds, key=lambda bound: -len({*bound.before, *bound.after}))
        self._pool = pool
        self._candidates = candidates
        self._looks = looks

    def solution(self) -> Taken | None:
        """None where the term cannot be met. Raises _SpentError."""
        return self.searched(0, _Limits.of_nothing(len(self._term.blocks)), self._are_parts_possible)

    def shared(self) -> Taken | None:
        """The earliest observations, whether or not they are shared. Raises _SpentError."""
        return self.earliest(_Limits.of_nothing(len(self._term.blocks)))

    def searched(self, n_fixed: int, limits: "_Limits", is_possible: Callable[[], bool] = lambda: True) -> Taken | None:
        """With the first bounds fixed by the limits, which are raised to what every solution has to keep.

        Raises _SpentError.
        """
        if n_fixed > MAX_FIXED:
            raise _SpentError
        taken = self.earliest(limits)
        if taken is None or not _is_overdrawn(taken, self._pool):
            return taken
        spread = self._distributed(limits)  # as if no bound were left
        if spread is None or n_fixed == len(self._bounds):
            return spread
        found = self._one_by_one(n_fixed, limits)
        if found is not None:
            return found
        return self._tried(n_fixed, limits) if is_possible() else None

    def _are_parts_possible(self) -> bool:
        """Whether what a bound joins is possible by itself, for each bound that does not join everything."""
        groups = {tuple(sorted({*bound.before, *bound.after})) for bound in self._bounds}
        return all(
            self._part(self._bounds, group, self._pool).searched(0, _Limits.of_nothing(len(group))) is not None
            for group in sorted(groups, key=len)
            if len(group) < len(self._term.blocks)
        )

    def _tried(self, n_fixed: int, limits: "_Limits") -> Taken | None:
        bound = self._bounds[n_fixed]
        for least in self._values(bound.after, limits):
            found = self.searched(n_fixed + 1, limits.fixed(bound, least))
            if found is not None:
                return found
        return None

    def earliest(self, limits: "_Limits") -> Taken | None:
        """The earliest observations within the limits that keep all bounds, whether or not they are shared."""
        fillings = []
        for block, lower, upper in zip(self._term.blocks, limits.lower, limits.upper, strict=True):
            candidates = self._candidates[block.leaf]
            fillings.append(_Filling(block.n, candidates, self._pool, candidates.window(lower, upper)))
        is_filled = all(filling.fill(lower) for filling, lower in zip(fillings, limits.lower, strict=True))
        is_kept = is_filled and self._keep(fillings, limits.lower)
        self._looks.spend(sum(filling.n_looked for filling in fillings) + len(fillings))
        return [filling.taken() for filling in fillings] if is_kept else None

    def _keep(self, fillings: list[_Filling], lower: list[int]) -> bool:
        is_raised = True
        while is_raised:
            is_raised = False
            for bound in self._bounds:
                self._looks.spend(len(bound.before) + len(bound.after))
                least = max(fillings[i].latest_first for i in bound.before) - bound.slack_us
                for i in bound.after:
                    if least > lower[i]:
                        lower[i] = least
                        is_raised = True
                        if not fillings[i].fill(least):
                            return False
        return True

    def _one_by_one(self, n_fixed: int, limits: "_Limits") -> Taken | None:
        """Blocks that no free bound joins, served in turn from what the earlier left; None is no proof."""
        groups = self._groups(self._bounds[n_fixed:])
        if len(groups) == 1:
            return None
        left = list(self._pool.counts)
        pool = Pool(self._pool.firsts, self._pool.lasts, left)
        taken: Taken = [{} for _ in self._term.blocks]
        for group in groups:
            found = self._part(self._bounds[n_fixed:], group, pool).searched(0, limits.of(group))
            if found is None:
                return None
            for i, used in zip(group, found, strict=True):
                taken[i] = used
                for position, n in used.items():
                    left[position] -= n
        return taken

    def _part(self, bounds: Sequence[Bound], group: Sequence[int], pool: Pool) -> "_Contest":
        """The blocks of the group and the bounds that join these alone."""
        place = {i: k for k, i in enumerate(group)}
        inside = tuple(
            Bound(tuple(place[i] for i in bound.before), tuple(place[i] for i in bound.after), bound.slack_us)
            for bound in bounds
            if all(i in place for i in (*bound.before, *bound.after))
        )
        return _Contest(Term(tuple(self._term.blocks[i] for i in group), inside), pool, self._candidates, self._looks)

    def _groups(self, bounds: Sequence[Bound]) -> list[list[int]]:
        of = {i: [i] for i in range(len(self._term.blocks))}
        for bound in bounds:
            joined = sorted({i for one in (*bound.before, *bound.after) for i in of[one]})
            of.update(dict.fromkeys(joined, joined))
        return [group for i, group in of.items() if group[0] == i]

    def _values(self, blocks: tuple[int, ...], limits: "_Limits") -> list[int]:
        """The times at which an observation of these blocks may be last seen, each once, early ones first."""
        demands = {self._demand(i, limits) for i in blocks}
        return sorted({self._pool.lasts[one] for demand in demands for one in self._usable(demand)})

    def _demand(self, i: int, limits: "_Limits") -> tuple[int, int, int]:
        return (self._term.blocks[i].leaf, limits.lower[i], limits.upper[i])

    def _usable(self, demand: tuple[int, int, int]) -> list[int]:
        leaf, lower, upper = demand
        candidates = self._candidates[leaf]
        begin, end = candidates.window(lower, upper)
        self._looks.spend(max(0, end - begin))
        return [one for one in candidates.positions[begin:end] if self._pool.lasts[one] >= lower]

    def _distributed(self, limits: "_Limits") -> Taken | None:
        """Blocks with the same demand share what their sum is given."""
        blocks: dict[tuple[int, int, int], list[int]] = {}
        for i in range(len(self._term.blocks)):
            blocks.setdefault(self._demand(i, limits), []).append(i)
        sums = [sum(self._term.blocks[i].n for i in ones) for ones in blocks.values()]
        given = distribute(sums, [self._usable(demand) for demand in blocks], self._pool.counts)
        return None if given is None else self._shared_out(given, list(blocks.values()))

    def _shared_out(self, given: Taken, blocks: list[list[int]]) -> Taken:
        taken: Taken = [{} for _ in self._term.blocks]
        for observations, ones in zip(given, blocks, strict=True):
            waiting = list(observations.items())
            for i in ones:
                wants = self._term.blocks[i].n
                while wants:
                    position, n_there = waiting.pop()
                    n = min(wants, n_there)
                    taken[i][position] = n
                    wants -= n
                    if n_there > n:
                        waiting.append((position, n_there - n))
        return taken


class _Limits(Struct):
    """For each block, what its observations have to keep: `last` >= lower and `first` <= upper."""

    lower: list[int]
    upper: list[int]

    @classmethod
    def of_nothing(cls, n_blocks: int) -> "_Limits":
        """None, for so many blocks."""
        return cls([-NEVER] * n_blocks, [NEVER] * n_blocks)

    def fixed(self, bound: Bound, least: int) -> "_Limits":
        """A copy which keeps the bound: no `last` after it below `least`, no `first` before it above that + slack."""
        lower, upper = list(self.lower), list(self.upper)
        for i in bound.after:
            lower[i] = max(lower[i], least)
        for i in bound.before:
            upper[i] = min(upper[i], least + bound.slack_us)
        return _Limits(lower, upper)

    def of(self, group: Sequence[int]) -> "_Limits":
        """Those of some blocks."""
        return _Limits([self.lower[i] for i in group], [self.upper[i] for i in group])

"""Bindings of a pattern in the order in which the matcher of the OASIS finds them, as long as that is soon.

Its order is part of what it answers: of many bindings it gives back the first. It joins two sides by taking one of
each in turn and putting every new one beside all earlier ones of the other side, so a binding comes the sooner the
earlier its last part does. Where many joins fail this takes exponential time; a budget ends it, and `solve` decides.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from amagasa.detect.binding.observed import microseconds
from amagasa.detect.binding.solve import Answer, Pool
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

MAX_STEPS: Final = 10_000  # bindings joined or looked at: some milliseconds
MAX_SLOTS: Final = 100  # observations that a binding names: repetitions are joined one in the other

# (position of the observation, which of the times it was seen); None where OR took the other side.
Binding: TypeAlias = tuple[tuple[int, int] | None, ...]


class _SpentError(Exception):
    """The budget is used up; caught in `first_in_order` and nowhere else."""


def first_in_order(expression: Expression, hits: Sequence[Sequence[int]], pool: Pool) -> frozenset[int] | Answer:
    """The observations of the first binding; NONE where no binding exists, UNKNOWN where none was found soon.

    `hits` are for each `[...]` of the pattern, from left to right, the observations which satisfy it, in their order.
    """
    n_slots = _n_slots(expression)
    if n_slots > MAX_SLOTS:
        return Answer.UNKNOWN
    joining = _Joining(hits, pool, n_slots)
    try:
        binding = next(joining.bindings(expression, 0), None)
    except _SpentError:
        return Answer.UNKNOWN
    return Answer.NONE if binding is None else frozenset(position for position, _ in _used(binding))


def _used(binding: Binding) -> Iterator[tuple[int, int]]:
    return (one for one in binding if one is not None)


def _n_slots(expression: Expression) -> int:
    match expression:
        case Observation():
            return 1
        case Repeated(part=part, n_times=n_times):
            return n_times * _n_slots(part)
        case Within(part=part) | During(part=part):
            return _n_slots(part)
    return sum(_n_slots(part) for part in expression.parts)


class _Joining:
    def __init__(self, hits: Sequence[Sequence[int]], pool: Pool, n_slots: int) -> None:
        self._hits = hits
        self._pool = pool
        self._n_slots = n_slots
        self._left = MAX_STEPS

    def bindings(self, node: Expression, first: int) -> Iterator[Binding]:
        """`first` is the position of the leftmost `[...]` of the node in the whole pattern."""
        match node:
            case Observation():
                return self._seen(first)
            case Within(part=part, duration_s=duration_s):
                slack_us = round(duration_s * 1_000_000)
                return self._kept(self.bindings(part, first), lambda binding: self._is_close(binding, slack_us))
            case During(part=part):
                return self._during(node, self.bindings(part, first))
            case Repeated(part=part, n_times=n_times):
                combined = self._combinations(self.bindings(part, first), n_times)
                return (tuple(one for binding in chosen for one in binding) for chosen in combined)
        joined = self.bindings(node.parts[0], first)
        n_before = _n_slots(node.parts[0])
        first += _n_observations(node.parts[0])
        for part in node.parts[1:]:
            beside = self.bindings(part, first)
            n_beside = _n_slots(part)
            match node:
                case Either():
                    joined = self._either(joined, beside, n_before, n_beside)
                case Together():
                    joined = self._joined(joined, beside, lambda _left, _right: True)
                case Followed():
                    joined = self._joined(joined, beside, self._is_in_order)
            n_before += n_beside
            first += _n_observations(part)
        return joined

    def _spend(self, n: int = 1) -> None:
        self._left -= n
        if self._left < 0:
            raise _SpentError

    def _seen(self, leaf: int) -> Iterator[Binding]:
        for position in self._hits[leaf]:
            for k in range(min(self._pool.counts[position], self._n_slots)):
                self._spend()
                yield ((position, k),)

    def _kept(self, bindings: Iterator[Binding], is_kept: Callable[[Binding], bool]) -> Iterator[Binding]:
        for binding in bindings:
            self._spend()
            if is_kept(binding):
                yield binding

    def _is_close(self, binding: Binding, slack_us: int) -> bool:
        return self._latest_first(binding) <= self._earliest_last(binding) + slack_us

    def _is_in_order(self, left: Binding, right: Binding) -> bool:
        return self._latest_first(left) <= self._earliest_last(right)

    def _latest_first(self, binding: Binding) -> int:
        return max(self._pool.firsts[position] for position, _ in _used(binding))

    def _earliest_last(self, binding: Binding) -> int:
        return min(self._pool.lasts[position] for position, _ in _used(binding))

    def _during(self, node: During, bindings: Iterator[Binding]) -> Iterator[Binding]:
        start_us, stop_us = (microseconds(at) for at in (node.start.at, node.stop.at) if at)
        if start_us >= stop_us:
            return iter(())
        firsts, lasts = self._pool.firsts, self._pool.lasts
        return self._kept(
            bindings,
            lambda binding: all(firsts[one] < stop_us and lasts[one] >= start_us for one, _ in _used(binding)),
        )

    def _either(
        self, left: Iterator[Binding], right: Iterator[Binding], n_left: int, n_right: int
    ) -> Iterator[Binding]:
        one, other = next(left, None), None
        is_begun = False
        while one is not None or other is not None or not is_begun:
            if one is not None:
                yield (*one, *(None,) * n_right)
                one = next(left, None)
            if other is None and not is_begun:
                other = next(right, None)
            is_begun = True
            if other is not None:
                yield (*(None,) * n_left, *other)
                other = next(right, None)

    def _joined(
        self, left: Iterator[Binding], right: Iterator[Binding], fits: Callable[[Binding, Binding], bool]
    ) -> Iterator[Binding]:
        lefts: list[Binding] = []
        rights: list[Binding] = []
        one, other = next(left, None), next(right, None)
        if one is None or other is None:
            return
        while one is not None or other is not None:
            if other is not None:
                yield from self._pairs(lefts, [other], fits)
                rights.append(other)
                other = next(right, None)
            if one is not None:
                yield from self._pairs([one], rights, fits)
                lefts.append(one)
                one = next(left, None)

    def _pairs(
        self, lefts: list[Binding], rights: list[Binding], fits: Callable[[Binding, Binding], bool]
    ) -> Iterator[Binding]:
        for left in lefts:
            for right in rights:
                self._spend()
                if _are_apart(left, right) and fits(left, right):
                    yield left + right

    def _combinations(self, bindings: Iterator[Binding], n: int) -> Iterator[tuple[Binding, ...]]:
        """Each `n` bindings that share nothing, by the last of them, then by the earlier ones."""
        if n == 1:
            yield from ((binding,) for binding in bindings)
            return
        earlier: list[Binding] = []
        for binding in bindings:
            if len(earlier) >= n - 1:
                self._spend(len(earlier))
                apart = [one for one in earlier if _are_apart(one, binding)]
                yield from ((*chosen, binding) for chosen in self._chosen(apart, n - 1))
            earlier.append(binding)

    def _chosen(self, bindings: list[Binding], n: int) -> Iterator[tuple[Binding, ...]]:
        if n == 0:
            yield ()
            return
        for i in range(len(bindings) + 1 - n):
            self._spend(len(bindings) - i)
            apart = [one for one in bindings[i + 1 :] if _are_apart(bindings[i], one)]
            yield from ((bindings[i], *chosen) for chosen in self._chosen(apart, n - 1))


def _n_observations(node: Expression) -> int:
    return sum(1 for _ in observations_of(node))


def _are_apart(left: Binding, right: Binding) -> bool:
    return set(_used(left)).isdisjoint(_used(right))

"""A STIX pattern against STIX observed-data, with the semantics of the OASIS matcher, and at a bounded cost."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from amagasa.detect.binding.inorder import first_in_order
from amagasa.detect.binding.observed import ObservedData, holder_of, rank_of, read_observed
from amagasa.detect.binding.solve import Answer, Candidates, Pool, candidates_of, solve, solve_shared
from amagasa.detect.binding.terms import Demands, Leaf, demands_of
from amagasa.detect.stix.meaning import fault_of
from amagasa.detect.stix.parse import Edition, parse
from amagasa.detect.stix.pattern import MAX_DEPTH, Expression, Observation, PatternFault, depth_of, observations_of

MAX_FAULTS: Final = 100  # told of one matching; more are counted as one
MAX_TOLD_AT_ONCE: Final = 16  # alternatives of which it is asked first whether they may match at all


class Matched(Struct, frozen=True, kw_only=True):
    """Observations which satisfy the pattern together, each once, in the order in which they were given."""

    observations: tuple[ObservedData, ...]


class Unmatched(Struct, frozen=True, kw_only=True):
    """All was looked at; nothing satisfies the pattern."""


class Undecided(Struct, frozen=True, kw_only=True):
    """Nothing was found, and not all could be looked at: the reasons."""

    whys: tuple[str, ...]


Match: TypeAlias = Matched | Unmatched | Undecided | PatternFault


def match(pattern: str | Expression, observations: Iterable[Any], edition: Edition = Edition.STIX_2_1) -> Match:
    """Whether, and by which of the observations, the pattern is satisfied.

    `observations` are observed-data of STIX 2.0 (with `objects`) or 2.1 (with `object_refs`, and the objects beside
    them), single or in bundles; for many patterns read them once (`read_observed`) and hand these in. An observation
    serves one `[...]` of the pattern as often as `number_observed` says. Of several bindings it is the first in the
    order of the OASIS matcher, where that is found soon, else the earliest.

    What could not be read or compared makes the answer Undecided only where nothing else satisfies the pattern. Never
    raises on what pattern and observations hold; time is linear in the observations for patterns of one `[...]`, near
    it for others, and bounded in all cases (`solve`).
    """
    expression = parse(pattern, edition) if isinstance(pattern, str) else pattern
    if isinstance(expression, PatternFault):
        return expression
    fault = f"nested deeper than {MAX_DEPTH}" if depth_of(expression) > MAX_DEPTH else fault_of(expression)
    if fault:
        return PatternFault(why=fault, at=0)
    observed, faults = read_observed(list(observations))
    hits, unclear = _hits(expression, observed)
    found = _bound(expression, hits, _pool(observed))
    if isinstance(found, frozenset):
        return Matched(observations=tuple(observed[position] for position in sorted(found)))
    whys = (*faults, *unclear, *((found,) if isinstance(found, str) else ()))
    return Undecided(whys=_cut(whys)) if whys else Unmatched()


def _cut(whys: Sequence[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(whys))
    n_more = len(distinct) - MAX_FAULTS
    return distinct if n_more <= 0 else (*distinct[:MAX_FAULTS], f"and {n_more} more")


def _hits(expression: Expression, observed: Sequence[ObservedData]) -> tuple[list[list[int]], list[str]]:
    """For each `[...]` the observations which satisfy it, in the matcher's order; and why others could not be told."""
    hits: list[list[int]] = []
    whys: list[str] = []
    for observation in observations_of(expression):
        holds = holder_of(observation.test)
        found = []
        for position, one in enumerate(observed):
            outcome = holds(one)
            if outcome is True:
                found.append(position)
            elif isinstance(outcome, str):
                whys.append(outcome)
        rank = rank_of(observation.test)
        hits.append(sorted(found, key=lambda position: rank(observed[position])))
    return hits, whys


def _pool(observed: Sequence[ObservedData]) -> Pool:
    return Pool(
        [one.first_us for one in observed], [one.last_us for one in observed], [one.n_observed for one in observed]
    )


def _bound(expression: Expression, hits: list[list[int]], pool: Pool) -> frozenset[int] | str | None:
    """The positions that satisfy the pattern; None where none do; the reason where that was not found out."""
    if isinstance(expression, Observation):
        return frozenset(hits[0][:1]) or None
    demands = demands_of(expression)
    candidates = [] if isinstance(demands, str) else [_satisfying(leaf, hits, pool) for leaf in demands.leaves]
    if not isinstance(demands, str) and not _may_match(demands, candidates, pool):
        return None
    first = first_in_order(expression, hits, pool)
    if isinstance(first, frozenset):
        return first
    if first is Answer.NONE:
        return None
    return demands if isinstance(demands, str) else _solved(demands, candidates, pool)


def _may_match(demands: Demands, candidates: Sequence[Candidates], pool: Pool) -> bool:
    """Whether a few alternatives could match if observations could be shared: that is told at once."""
    if len(demands.terms) > MAX_TOLD_AT_ONCE:
        return True
    return solve_shared(demands.terms, pool, candidates) is not Answer.NONE


def _solved(demands: Demands, candidates: Sequence[Candidates], pool: Pool) -> frozenset[int] | str | None:
    answer = solve(demands.terms, pool, candidates)
    if isinstance(answer, list):
        return frozenset(position for block in answer for position in block)
    unknown = "too many observations satisfy several parts of the pattern: could not decide"
    return unknown if answer is Answer.UNKNOWN else None


def _satisfying(leaf: Leaf, hits: list[list[int]], pool: Pool) -> Candidates:
    """The observations which are what the leaf says."""
    found = {
        position
        for number, spans in leaf
        for position in hits[number]
        if all(start <= pool.lasts[position] and pool.firsts[position] < stop and start < stop for start, stop in spans)
    }
    return candidates_of(found, pool)

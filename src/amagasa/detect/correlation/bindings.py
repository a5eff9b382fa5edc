"""A STIX pattern over several records: each `[...]` is a rule, and records are looked for that bind them all.

Records come in the order of their time. The pattern holds at a record where some binding names it and otherwise only
earlier ones. A record may serve several `[...]` joined by AND; what FOLLOWEDBY joins, and what REPEATS counts, are
different records. Records of one instant may follow each other in the order in which they stand, or all in its reverse.

What is kept of each `[...]` are the records which a binding with a later one may still need: those within the timespan
and, of many in a row between records of other `[...]`, the first and the last as many as the pattern names at once.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from amagasa.detect.binding.solve import Answer, Candidates, Pool, Taken, candidates_of, solve, solve_shared
from amagasa.detect.binding.terms import Term
from amagasa.detect.correlation.entry import EXAMPLES, About, Entry, Held
from amagasa.detect.correlation.pattern import TIE_BITS, Pattern

# Of one `[...]`, beyond those which the pattern names at once: what a flood of records leaves behind at most.
MAX_KEPT: Final = 512
# At candidates, for one record: some ten milliseconds.
MAX_LOOKS: Final = 20_000

_Mark = tuple[int, str, str, int]


class Bindings(Struct, tag=True, gc=False):
    """Of each leaf of the pattern the records that are kept, in order; `n_in_row` came after those of any other leaf.

    `n_dropped` counts records for which there was no room, and records at which the search was given up.
    """

    kept: list[list[Entry]] = []
    n_in_row: int = 0
    last_leaf: int = -1
    n_dropped: int = 0

    def copy(self) -> "Bindings":
        """Apart from this one."""
        return Bindings([list(entries) for entries in self.kept], self.n_in_row, self.last_leaf, self.n_dropped)

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where a binding names this record and earlier ones."""
        pattern = about.linked.pattern
        if pattern is None:
            return None
        if not self.kept:
            self.kept = [[] for _ in pattern.demands.leaves]
        self._forget(entry.at - about.linked.span)
        leaves = pattern.leaves_of(entry.member, entry.at)
        found = self._bound(entry, pattern, leaves)
        for leaf in leaves:
            self._keep(leaf, entry, pattern.n_at_once)
        if not found:
            return None
        return Held(entry, found[0].at, len(found), found[-2 * EXAMPLES :], (), str(len(found)))

    def _forget(self, before: int) -> None:
        for entries in self.kept:
            n_old = 0
            while n_old < len(entries) and entries[n_old].at < before:
                n_old += 1
            if n_old:
                del entries[:n_old]

    def _keep(self, leaf: int, entry: Entry, n_at_once: int) -> None:
        entries = self.kept[leaf]
        if entries and entries[-1].mark == entry.mark:
            return
        entries.append(entry)
        # Old ones may be forgotten already.
        self.n_in_row = min(self.n_in_row + 1, len(entries)) if leaf == self.last_leaf else 1
        self.last_leaf = leaf
        if self.n_in_row > 2 * n_at_once:
            del entries[-n_at_once - 1]
            self.n_in_row -= 1
        if len(entries) > MAX_KEPT + 2 * n_at_once:
            del entries[0]
            self.n_dropped += 1

    def _bound(self, entry: Entry, pattern: Pattern, leaves: Sequence[int]) -> tuple[Entry, ...]:
        """The records of a binding in their order; () where there is none."""
        terms = [term for leaf in leaves for term in pattern.pinned[leaf] if self._may_hold(term)]
        if not terms:
            return ()
        # A record that is both of two alternatives is there already, and is one all the same.
        others = [
            [one for one in entries if one.mark != entry.mark] if leaf in leaves else entries
            for leaf, entries in enumerate(self.kept)
        ]
        log = _Log(others, entry)
        for is_reversed in (False, True) if log.has_ties and pattern.has_order else (False,):
            found = self._solved(terms, log, pattern, is_reversed=is_reversed)
            if found:
                return found
        return ()

    def _may_hold(self, term: Term) -> bool:
        """Whether there are as many records as each block asks for; the pinned one is there."""
        return all(block.leaf == len(self.kept) or len(self.kept[block.leaf]) >= block.n for block in term.blocks)

    def _solved(self, terms: Sequence[Term], log: "_Log", pattern: Pattern, *, is_reversed: bool) -> tuple[Entry, ...]:
        pool = log.pool(is_reversed=is_reversed)
        candidates = log.candidates(pool)
        search = solve if pattern.demands.has_copies else solve_shared
        answer = search(terms, pool, candidates, MAX_LOOKS)
        self.n_dropped += answer is Answer.UNKNOWN
        return log.records(answer) if isinstance(answer, list) else ()


class _Log:
    """The records of all leaves and the one in hand, each once and in order, as observations to be bound."""

    def __init__(self, kept: Sequence[Sequence[Entry]], entry: Entry) -> None:
        self._kept = [*kept, [entry]]
        by_mark = {one.mark: one for entries in self._kept for one in entries}
        self._marks = sorted(by_mark)
        self._entries = [by_mark[mark] for mark in self._marks]
        self._position = {mark: position for position, mark in enumerate(self._marks)}
        self._sizes = [len(list(group)) for _, group in groupby(self._marks, key=_instant)]

    @property
    def has_ties(self) -> bool:
        """Whether several records are of one instant."""
        return len(self._sizes) < len(self._marks)

    def pool(self, *, is_reversed: bool) -> Pool:
        """Each record seen once, at a number which orders instants first, then records of one instant."""
        numbers: list[int] = []
        for size in self._sizes:
            at = self._marks[len(numbers)][0] << TIE_BITS
            numbers.extend(at + (size - 1 - tie if is_reversed else tie) for tie in range(size))
        return Pool(numbers, numbers, [1] * len(numbers))

    def candidates(self, pool: Pool) -> list[Candidates]:
        """By leaf; the last one is the record in hand."""
        return [candidates_of((self._position[one.mark] for one in entries), pool) for entries in self._kept]

    def records(self, taken: Taken) -> tuple[Entry, ...]:
        """Each record that is taken once, in order."""
        return tuple(self._entries[position] for position in sorted({one for block in taken for one in block}))


def _instant(mark: _Mark) -> int:
    return mark[0]

"""Conditions that a further event can only help: judged at each event, on the timespan which ends with it.

What is kept is the least that decides: of counts the last instants that are needed and no more, of values each one's
latest, of rules in order the best series. So a flood of events costs no more memory than the rule asks for, and the
answer is exact all the same. Entries must come in the order of `Entry.place`.
"""

from decimal import Decimal
from typing import Final, TypeAlias

from msgspec import Struct

from amagasa.detect.correlation.bindings import Bindings
from amagasa.detect.correlation.definition import EXACT, Kind, number_of
from amagasa.detect.correlation.entry import EXAMPLES, VALUES, About, Entry, Held
from amagasa.detect.correlation.order import Step, holds
from amagasa.detect.folding import fold

# Of different instants in one window of a sum.
MAX_SUMMANDS: Final = 10_000


class Instants(Struct, tag=True, gc=False):
    """event_count: the last `needed` instants, as a ring; `place` is that of the oldest."""

    ats: list[int] = []
    place: int = 0

    def copy(self) -> "Instants":
        """Apart from this one."""
        return Instants(list(self.ats), self.place)

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where as many as needed lie within the timespan."""
        needed = about.linked.needed
        if len(self.ats) < needed:
            self.ats.append(entry.at)
        elif needed:
            self.ats[self.place] = entry.at
            self.place = (self.place + 1) % needed
        if len(self.ats) < needed:
            return None
        first_at = self.ats[self.place] if needed else entry.at
        if entry.at - first_at > about.linked.span:
            return None
        return Held(entry, first_at, max(1, needed), _within(about.recent, first_at))


class Values(Struct, tag=True, gc=False):
    """value_count: the latest instant of each of the `needed` different values that came last, oldest first."""

    seen: dict[str, tuple[int, str]] = {}

    def copy(self) -> "Values":
        """Apart from this one."""
        return Values(dict(self.seen))

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where as many different values as needed lie within the timespan."""
        seen, needed = self.seen, max(1, about.linked.needed)
        compared = fold(entry.value)
        seen.pop(compared, None)
        seen[compared] = (entry.at, entry.value)
        if len(seen) > needed:
            del seen[next(iter(seen))]
        first_at = next(iter(seen.values()))[0]
        if len(seen) < needed or entry.at - first_at > about.linked.span:
            return None
        values = tuple((key, shown) for key, (_, shown) in seen.items())
        return Held(entry, first_at, needed, _within(about.recent, first_at), values[-VALUES:])


class Sum(Struct, tag=True, gc=False):
    """value_sum: what was added at each instant of the timespan, exactly."""

    ats: list[int] = []
    parts: list[Decimal] = []
    counts: list[int] = []
    total: Decimal = Decimal(0)
    n_dropped: int = 0
    has_negative: bool = False

    def copy(self) -> "Sum":
        """Apart from this one."""
        return Sum(list(self.ats), list(self.parts), list(self.counts), self.total, self.n_dropped, self.has_negative)

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where the sum keeps to all bounds."""
        number = number_of(entry.value) or Decimal(0)
        self.has_negative |= number < 0
        if self.ats and self.ats[-1] == entry.at:
            self.parts[-1] = EXACT.add(self.parts[-1], number)
            self.counts[-1] += 1
        else:
            self.ats.append(entry.at)
            self.parts.append(number)
            self.counts.append(1)
        self.total = EXACT.add(self.total, number)
        self._forget(entry.at - about.linked.span)
        if not all(bound.holds(self.total) for bound in about.linked.correlation.bounds):
            return None
        first_at = self.ats[0]
        return Held(entry, first_at, sum(self.counts), _within(about.recent, first_at), (), shown(self.total))

    def _forget(self, before: int) -> None:
        n_old = 0
        while self.ats[n_old] < before:
            n_old += 1
        if len(self.ats) - n_old > MAX_SUMMANDS:
            n_old += 1
            self.n_dropped += 1
        for part in self.parts[:n_old]:
            self.total = EXACT.subtract(self.total, part)
        if n_old:
            del self.ats[:n_old], self.parts[:n_old], self.counts[:n_old]


class Presence(Struct, tag=True, gc=False):
    """temporal: the latest record of each rule."""

    last: dict[int, Entry] = {}

    def copy(self) -> "Presence":
        """Apart from this one."""
        return Presence(dict(self.last))

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where enough rules, or those of the condition, lie within the timespan."""
        self.last[entry.member] = entry
        within = [one for one in self.last.values() if entry.at - one.at <= about.linked.span]
        condition = about.linked.correlation.condition
        if condition is None:
            does_hold = len(within) >= about.linked.needed
        else:
            present = [False] * len(about.linked.members)
            for one in within:
                present[one.member] = True
            does_hold = holds(condition, present)
        if not does_hold:
            return None
        records = sorted({one.mark: one for one in within}.values(), key=_place)
        return Held(entry, records[0].at, len(records), tuple(records[-2 * EXAMPLES :]), (), str(len(within)))


class Series(Struct, tag=True, gc=False):
    """temporal_ordered: for each step of the chain the series that came this far and began last.

    `earlier` is how things stood before the record in hand, which must not follow itself.
    """

    begun: dict[int, tuple[Entry, ...]] = {}
    earlier: dict[int, tuple[Entry, ...]] = {}

    def copy(self) -> "Series":
        """Apart from this one."""
        return Series(dict(self.begun), dict(self.earlier))

    def add(self, entry: Entry, about: About) -> Held | None:
        """Held where a series is complete with this record and began within the timespan."""
        chain, begun = about.linked.chain, self.begun
        is_better = _is_later if about.linked.correlation.condition is not None else _is_longer
        if not about.is_same:
            self.earlier = dict(begun)
        found: tuple[Entry, ...] = ()
        for place in chain.by_rule[entry.member]:
            series = self._best(chain.steps[place], entry)
            if series and entry.at - series[0].at <= about.linked.span:
                begun[place] = series
                if place in chain.last and (not found or is_better(series, found)):
                    found = series
        if not found:
            return None
        return Held(entry, found[0].at, len(found), found[-2 * EXAMPLES :], (), str(len({one.member for one in found})))

    def _best(self, step: Step, entry: Entry) -> tuple[Entry, ...]:
        """The series that ends here and began last; () where none has come this far."""
        if step.is_first:
            return (entry,)
        before = [self.earlier[place] for place in step.after if place in self.earlier]
        return (*max(before, key=_began), entry) if before else ()


Rising: TypeAlias = Instants | Values | Sum | Presence | Series | Bindings


def rising_core(kind: Kind) -> Rising:
    """A fresh core of a kind that can be judged at each event."""
    match kind:
        case Kind.EVENT_COUNT:
            return Instants()
        case Kind.VALUE_COUNT:
            return Values()
        case Kind.VALUE_SUM:
            return Sum()
        case Kind.TEMPORAL:
            return Presence()
        case Kind.TEMPORAL_ORDERED:
            return Series()
        case Kind.PATTERN:
            return Bindings()
    message = f"{kind.value} is judged on whole windows"
    raise ValueError(message)


def shown(number: Decimal) -> str:
    """The number as a person writes it."""
    text = format(number.normalize(EXACT), "f")
    return "0" if text == "-0" else text


def _began(series: tuple[Entry, ...]) -> tuple[int, int]:
    return series[0].at, len(series)


def _is_later(series: tuple[Entry, ...], other: tuple[Entry, ...]) -> bool:
    return _began(series) > _began(other)


def _is_longer(series: tuple[Entry, ...], other: tuple[Entry, ...]) -> bool:
    return (len(series), series[0].at) > (len(other), other[0].at)


def _place(entry: Entry) -> tuple[int, str, str, int, int]:
    return entry.place


def _within(recent: list[Entry], first_at: int) -> tuple[Entry, ...]:
    return tuple(one for one in recent if one.at >= first_at)[-EXAMPLES:]

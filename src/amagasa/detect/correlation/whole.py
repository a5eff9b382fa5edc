"""Conditions that a further event may end: judged once, on a whole window.

The first event of a group opens a window, which takes in every event up to `timespan` after it, both ends included,
and is judged when it is over; the next event opens the next. So "fewer than five within an hour" is asked of hours that
have passed, not of an hour's first minute.
"""

from decimal import Context, Decimal
from typing import Final

from msgspec import Struct

from amagasa.detect.correlation.definition import EXACT, NUMERIC, Kind, number_of
from amagasa.detect.correlation.entry import EXAMPLES, VALUES, Entry, Held
from amagasa.detect.correlation.link import Linked
from amagasa.detect.correlation.order import holds, unit_holds
from amagasa.detect.correlation.rising import shown
from amagasa.detect.folding import fold

# Of one window; beyond it further ones are left out, counted and shown.
MAX_DISTINCT: Final = 10_000
_ROUNDED: Final = Context(prec=12)
_HUNDRED: Final = Decimal(100)


class Window(Struct, tag=True, gc=False):
    """The window that is open, if `n` is not 0. Only what its kind asks for is kept.

    `values` holds of each value how often it came and how it is shown; `reached` of each chain its steps.
    """

    opened_at: int = 0
    last: Entry | None = None
    n: int = 0
    total: Decimal = Decimal(0)
    values: dict[str, tuple[int, str]] = {}
    present: list[int] = []
    reached: dict[int, list[int]] = {}
    earlier: dict[int, list[int]] = {}
    n_dropped: int = 0

    def copy(self) -> "Window":
        """Apart from this one."""
        return Window(
            self.opened_at,
            self.last,
            self.n,
            self.total,
            dict(self.values),
            list(self.present),
            {place: list(steps) for place, steps in self.reached.items()},
            {place: list(steps) for place, steps in self.earlier.items()},
            self.n_dropped,
        )

    def take(self, entry: Entry, linked: Linked, *, is_same: bool) -> None:
        """One entry more; the caller has closed the window if it is past its end."""
        if not self.n:
            self.opened_at = entry.at
        self.n += not is_same
        self.last = entry
        kind = linked.correlation.kind
        if kind is Kind.VALUE_COUNT:
            self._value(fold(entry.value), entry.value, max(VALUES, linked.correlation.deciding))
        elif kind in NUMERIC:
            self._number(entry, linked)
        elif kind in {Kind.TEMPORAL, Kind.TEMPORAL_ORDERED}:
            if entry.member not in self.present:
                self.present.append(entry.member)
            if kind is Kind.TEMPORAL_ORDERED:
                self._follow(entry, linked, is_same=is_same)

    def judged(self, linked: Linked, recent: list[Entry]) -> Held | None:
        """Whether the condition holds for what the window took in; None too where it is empty."""
        if self.last is None:
            return None
        measure, values = self._measured(linked)
        if not measure:
            return None
        examples = tuple(one for one in recent if one.at >= self.opened_at)[-EXAMPLES:]
        return Held(self.last, self.opened_at, self.n, examples, values[:VALUES], measure)

    def _measured(self, linked: Linked) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The measure as text, "" where it does not hold; and the values that matter to it."""
        match linked.correlation.kind:
            case Kind.EVENT_COUNT:
                return self._if_bounded(linked, self.n), ()
            case Kind.VALUE_COUNT:
                values = tuple((compared, text) for compared, (_, text) in self.values.items())
                return self._if_bounded(linked, len(values)), values
            case Kind.VALUE_SUM:
                return self._if_bounded(linked, self.total), ()
            case Kind.VALUE_AVG:
                return self._if_bounded(linked, self.total, of=self.n), ()
            case Kind.VALUE_MEDIAN:
                return self._if_bounded(linked, self._percentile(Decimal(50))), ()
            case Kind.VALUE_PERCENTILE:
                percentile = linked.correlation.percentile
                if percentile is not None:
                    return self._if_bounded(linked, self._percentile(percentile)), ()
                return self._shares(linked)
            case Kind.TEMPORAL | Kind.TEMPORAL_ORDERED:
                return self._ordered(linked), ()
            case Kind.PATTERN:
                message = "a pattern is judged at each event"
                raise ValueError(message)

    def _if_bounded(self, linked: Linked, measure: Decimal | int, of: int = 1) -> str:
        if not all(bound.holds(measure, of) for bound in linked.correlation.bounds):
            return ""
        return shown(_ROUNDED.divide(Decimal(measure), Decimal(of)) if of != 1 else Decimal(measure))

    def _percentile(self, percentile: Decimal) -> Decimal:
        """Between the two values on either side of the rank, as SQL's PERCENTILE_CONT; 50 is the median. Exact."""
        counted = sorted((Decimal(text), n) for text, (n, _) in self.values.items())
        n_all = sum(n for _, n in counted)
        rank = EXACT.scaleb(EXACT.multiply(percentile, Decimal(n_all - 1)), Decimal(-2))
        low = int(rank)
        below, above = _nth(counted, low), _nth(counted, min(low + 1, n_all - 1))
        part = EXACT.multiply(EXACT.subtract(rank, Decimal(low)), EXACT.subtract(above, below))
        return EXACT.add(below, part)

    def _shares(self, linked: Linked) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The values whose share of all, in percent, keeps to the bounds."""
        n_all = sum(n for n, _ in self.values.values())
        found = [
            (n, compared, text)
            for compared, (n, text) in self.values.items()
            if all(bound.holds(100 * n, n_all) for bound in linked.correlation.bounds)
        ]
        if not found:
            return "", ()
        found.sort()
        share = _ROUNDED.divide(_HUNDRED * found[0][0], Decimal(n_all))
        return shown(share), tuple((compared, text) for _, compared, text in found)

    def _ordered(self, linked: Linked) -> str:
        condition = linked.correlation.condition
        present = [place in self.present for place in range(len(linked.members))]
        n_present = str(sum(present))
        if linked.correlation.kind is Kind.TEMPORAL:
            if condition is None:
                return self._if_bounded(linked, sum(present))
            return n_present if holds(condition, present) else ""
        unit, chains = linked.units
        if condition is None:
            steps = chains[0].steps
            return self._if_bounded(linked, max(steps[step].length for step in self.reached.get(0, [])))
        complete = [bool(chain.last.intersection(self.reached.get(place, ()))) for place, chain in enumerate(chains)]
        return n_present if unit_holds(unit, complete) else ""

    def _value(self, compared: str, text: str, most: int) -> None:
        known = self.values.get(compared)
        if known is not None:
            self.values[compared] = (known[0] + 1, known[1])
        elif len(self.values) < most:
            self.values[compared] = (1, text)

    def _number(self, entry: Entry, linked: Linked) -> None:
        kind = linked.correlation.kind
        if kind is Kind.VALUE_PERCENTILE and linked.correlation.percentile is None:
            self._distinct(fold(entry.value), entry.value)
            return
        number = number_of(entry.value) or Decimal(0)
        if kind in {Kind.VALUE_SUM, Kind.VALUE_AVG}:
            self.total = EXACT.add(self.total, number)
        else:
            self._distinct(shown(number), entry.value)

    def _distinct(self, compared: str, text: str) -> None:
        is_room = len(self.values) < MAX_DISTINCT or compared in self.values
        self.n_dropped += not is_room
        if is_room:
            self._value(compared, text, MAX_DISTINCT)

    def _follow(self, entry: Entry, linked: Linked, *, is_same: bool) -> None:
        if not is_same:
            self.earlier = {place: list(steps) for place, steps in self.reached.items()}
        for place, chain in enumerate(linked.units[1]):
            before = self.earlier.get(place, ())
            reached = self.reached.setdefault(place, [])
            for number in chain.by_rule[entry.member]:
                step = chain.steps[number]
                if number not in reached and (step.is_first or any(one in before for one in step.after)):
                    reached.append(number)


def _nth(counted: list[tuple[Decimal, int]], place: int) -> Decimal:
    """The value at `place`, from 0, among all in order."""
    for value, n in counted:
        if place < n:
            return value
        place -= n
    return counted[-1][0]

"""Batches of events -> MatchReport: what of them the indicators name."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.indicators.indicator import Indicator, IndicatorSet, places_of
from amagasa.detect.indicators.kinds import ADDRESS
from amagasa.detect.indicators.lookup import counts, hits, indicator_at
from amagasa.detect.indicators.others import Others
from amagasa.detect.indicators.policy import Named, Policy, also_named, named
from amagasa.detect.indicators.saying import Saying, Words, silent_on
from amagasa.detect.indicators.series import named_parts, parts_in
from amagasa.detect.indicators.table import Where
from amagasa.detect.indicators.unlisted import listed_addresses
from amagasa.detect.report import MatchReport
from amagasa.detect.stix.absent import absent_from
from amagasa.detect.stix.forms import Form, address, display_names, hosts_of_links_in, links_in, mails_in
from amagasa.detect.stix.observables import shapes_of
from amagasa.detect.watching import Day, Listed, Silent, Telling
from amagasa.event.record import MISSING, EventBatch, Route

# Of values whose answer is known. Then all are forgotten, so a flood of new values costs time and no memory.
MAX_KEPT_CHARACTERS: Final = 32 * 1024 * 1024
KEPT_ENTRY_CHARACTERS: Final = 100  # what an entry costs beside its text
MAX_VALUE_CHARACTERS: Final = 16_384  # a longer value is not worth its place
# Without this a form reads nothing from a value: most requests and command lines show no link.
_NEEDED: Final[Mapping[Form, str]] = {links_in: "://", hosts_of_links_in: "://", mails_in: "@", display_names: "@"}


class _Part(Struct, frozen=True):
    """How the values of a field are read, and where these texts may stand."""

    form: Form
    wheres: tuple[Where, ...]


class _Field:
    """What is looked for in one field of a route, and what is known of its values."""

    __slots__ = ("clean", "known", "parts")

    def __init__(self, parts: tuple[_Part, ...]) -> None:
        self.parts = parts
        self.clean: set[Any] = {MISSING, None}
        self.known: dict[Any, tuple[Named, ...]] = {}

    def forget(self) -> None:
        self.clean = {MISSING, None}
        self.known.clear()


class Looking:
    """A set of indicators and what it has answered so far. For one thread; a changed set needs a new one."""

    def __init__(self, indicators: IndicatorSet, policy: Policy | None = None) -> None:
        self.indicators = indicators
        self.policy = policy or Policy()
        self._others = Others(indicators.others)
        self._parts = Others(named_parts(indicators))
        self._used = indicators.used | places_of(indicators.tables)
        self._routes: dict[str, dict[str, _Field]] = {}
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._words = Words()
        self._n_characters = 0

    @property
    def has_any(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._used)

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields of this route's events which some indicator looks at."""
        found = self._wanted.get(route.name)
        if found is None:
            found = self._wanted[route.name] = self.indicators.wanted(route)
        return found

    def watched(self, route: Route) -> dict[str, Telling] | None:
        """Fields of the route's events which tell whether any indicator can name one; None where none tells."""
        if any(one.is_always_worth_trying(route) for one in (self._others, self._parts)):
            return None
        own = self._fields_of(route)
        forms = {field: [part.form for part in one.parts] for field, one in own.items()}
        for others in (self._others.telling(route), self._parts.telling(route)):
            for field, read in others.items():
                forms[field] = [*forms.get(field, ()), *(form for form, _ in read)]
        return {field: _telling_of(read) for field, read in forms.items()}

    def listed(self) -> Listed | None:
        """The IPv4 addresses that some indicator may name, as far as bits tell them; None where these are too many."""
        return listed_addresses(self.indicators, (*self._others.texts_at(ADDRESS), *self._parts.texts_at(ADDRESS)))

    def may_name(self, route: Route, field: str, value: Any) -> bool:
        """Whether an event in which the field has this value may be named: by the value, or by a pattern that needs it.

        `watched` named the field.
        """
        own = self._fields_of(route).get(field)
        if own is not None and value not in own.clean and self._answer(own, value):
            return True
        return self._others.may_need(route, field, value) or self._parts.may_need(route, field, value)

    def silent_on(self, route: Route, field: str, *, value: Any, day: Day, now: datetime) -> Silent | None:
        """What `evaluate` does with an event of that day in which only this value is looked for; None where it speaks.

        `watched` named the field, `may_name` the value. What patterns may need is never silent.
        """
        own = self._fields_of(route).get(field)
        needed = (one.may_need(route, field, value) for one in (self._others, self._parts))
        met = () if own is None or any(needed) else self._answer(own, value)
        return silent_on(met, day, now=now, policy=self.policy) if met else None

    def evaluate(self, batch: EventBatch, *, now: datetime) -> MatchReport:
        """One detection for each record and indicator in force at `now` which the record satisfies.

        Of patterns over several records what the record satisfies of them, as parts.
        """
        fields = self._fields_of(batch.route)
        found: dict[tuple[int, str], tuple[Named, set[str]]] = {}
        if fields:
            for column, name in enumerate(batch.fields):
                field = fields.get(name)
                if field is not None:
                    self._look(batch.rows, column, name, field=field, found=found)
        if self._others:
            for row, position, matched in self._others.tried(batch):
                indicator = self.indicators.indicators[position]
                found.setdefault((row, indicator.id), (Named(indicator=indicator), set()))[1].update(matched)
        report = MatchReport(n_events=len(batch.rows))
        if found:
            report = Saying(batch, self.policy, now, self._words).report(found)
        if self._parts:
            report = replace(report, parts=parts_in(batch, self.indicators, self._parts, now=now))
        return report

    def _look(
        self,
        rows: Sequence[Sequence[Any]],
        column: int,
        name: str,
        *,
        field: _Field,
        found: dict[tuple[int, str], tuple[Named, set[str]]],
    ) -> None:
        """Look at the distinct values of a column; those seen before cost what a set costs."""
        new = set(map(itemgetter(column), rows)) - field.clean
        if not new:
            return
        matched = {value: answer for value in new if (answer := self._answer(field, value))}
        if not matched:
            return
        for row, values in enumerate(rows):
            for one in matched.get(values[column], ()):
                key = (row, one.indicator.id)
                met, names = found.get(key) or (one, set())
                names.add(name)
                found[key] = (met if met is one else also_named(met, one), names)

    def _answer(self, field: _Field, value: Any) -> tuple[Named, ...]:
        answer = field.known.get(value)
        if answer is not None:
            return answer
        answer = self._looked_up(field.parts, value)
        size = len(value) if isinstance(value, str) else 100
        if size <= MAX_VALUE_CHARACTERS:
            self._n_characters += size + KEPT_ENTRY_CHARACTERS
            if self._n_characters > MAX_KEPT_CHARACTERS:
                self._forget()
            if answer:
                field.known[value] = answer
            else:
                field.clean.add(value)
        return answer

    def _looked_up(self, parts: Iterable[_Part], value: Any) -> tuple[Named, ...]:
        held = self.indicators
        found: dict[str, list[tuple[Indicator, Where, str]]] = {}
        for part in parts:
            texts = part.form(value)
            if not texts:
                continue
            for where in part.wheres:
                if hits(held, where, texts):
                    for text in texts:
                        for position in dict.fromkeys(hits(held, where, (text,))):
                            indicator = indicator_at(held, position)
                            if counts(held, position, indicator):
                                found.setdefault(indicator.id, []).append((indicator, where, text))
        return tuple(named(met, self.policy.allowlist) for met in found.values())

    def _fields_of(self, route: Route) -> dict[str, _Field]:
        fields = self._routes.get(route.name)
        if fields is None:
            fields = self._routes[route.name] = self._made(route)
        return fields

    def _made(self, route: Route) -> dict[str, _Field]:
        """What to look for in which field; parts that read a field alike are one."""
        used = self._used
        by_field: dict[str, dict[Form, dict[Where, None]]] = {}
        for shape in shapes_of(route):
            for part in shape.properties:
                where = (shape.kind, part.path)
                if where in used:
                    for name in part.fields:
                        by_field.setdefault(name, {}).setdefault(part.form, {})[where] = None
        absent = absent_from(route)
        return {
            name: _Field(tuple(_Part(form, tuple(wheres)) for form, wheres in forms.items()))
            for name, forms in by_field.items()
            if name not in absent
        }

    def _forget(self) -> None:
        for fields in self._routes.values():
            for field in fields.values():
                field.forget()
        self._n_characters = 0


def _telling_of(forms: Sequence[Form]) -> Telling:
    needed = {_NEEDED.get(form, "") for form in forms}
    return Telling(needed.pop() if len(needed) == 1 else "", all(form is address for form in forms))


def evaluate_indicators(batch: EventBatch, indicators: IndicatorSet, *, now: datetime) -> MatchReport:
    """One batch under one set, by the ordinary policy. Whoever looks at many keeps a `Looking`."""
    return Looking(indicators).evaluate(batch, now=now)

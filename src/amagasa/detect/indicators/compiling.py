"""STIX indicators -> IndicatorSet: equalities and prefixes into hash tables, the rest one by one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from amagasa.detect.indicators.indicator import Indicator, IndicatorSet, Prefixes, Series, kind_of_place
from amagasa.detect.indicators.kinds import TREES, real_place
from amagasa.detect.indicators.listing import EPOCH_DAY
from amagasa.detect.indicators.lookup import level_of_confidence, weight_of_level
from amagasa.detect.indicators.misp import BELOW
from amagasa.detect.indicators.others import places_in
from amagasa.detect.indicators.series import is_of_one_record, series_of
from amagasa.detect.indicators.table import Where
from amagasa.detect.report import RuleFault
from amagasa.detect.stix.comparison import equality, is_address_path, matches_everything, resolve
from amagasa.detect.stix.operators import Network, network_of
from amagasa.detect.stix.parse import Edition, parse, parse_equality
from amagasa.detect.stix.pattern import (
    AnyOf,
    Comparison,
    Either,
    Expression,
    Observation,
    Op,
    PatternFault,
    Test,
    Together,
    observations_of,
    walk,
)
from amagasa.detect.stix.written import written
from amagasa.vocab.attack import TACTICS, techniques_of
from amagasa.vocab.ids import is_stix_id
from amagasa.vocab.instants import from_rfc3339
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_QUIET: Final = frozenset({"benign", "unknown"})
_SUSPECTED: Final = frozenset({"anomalous-activity", "anonymization"})


def compile_indicators(
    objects: Iterable[Mapping[str, Any]],
    *,
    origins: Mapping[str, str] = _NONE,
    places: Mapping[str, str] = _NONE,
) -> tuple[IndicatorSet, tuple[RuleFault, ...]]:
    """The STIX indicators among `objects`, newest version of each; what cannot run is a fault with its reason.

    Objects of other types and Sigma indicators are passed over: others compile those. `origins` and `places` give,
    by indicator, the party it came from and the file it stood in. Nothing an object holds makes this raise.
    """
    building = _Building(origins, places)
    newest: dict[str, Mapping[str, Any]] = {}
    for one in objects:
        if one.get("type") == "indicator" and one.get("pattern_type", "stix") != "sigma":
            building.keep_newest(newest, one)
    for one in newest.values():
        building.add(one)
    return building.finished(), tuple(building.faults)


class _Building:
    def __init__(self, origins: Mapping[str, str], places: Mapping[str, str]) -> None:
        self._origins = origins
        self._places = places
        self.faults: list[RuleFault] = []
        self._indicators: list[Indicator] = []
        self._equal: dict[Where, dict[str, tuple[int, ...]]] = {}
        self._prefixes: dict[Where, Prefixes] = {}
        self._others: list[tuple[int, Expression]] = []
        self._series: list[tuple[int, Series]] = []
        self._used: set[Where] = set()
        self._n_revoked = 0

    def finished(self) -> IndicatorSet:
        return IndicatorSet(
            indicators=tuple(self._indicators),
            equal=self._equal,
            prefixes=self._prefixes,
            others=tuple(self._others),
            series=tuple(self._series),
            used=frozenset(self._used),
            n_revoked=self._n_revoked,
        )

    def keep_newest(self, newest: dict[str, Mapping[str, Any]], one: Mapping[str, Any]) -> None:
        indicator_id = one.get("id")
        if not isinstance(indicator_id, str) or not is_stix_id(indicator_id):
            self._fault("", f"an indicator without a valid id: {show(str(indicator_id), 60)}")
            return
        held = newest.get(indicator_id)
        if held is None or _modified(held) <= _modified(one):
            newest[indicator_id] = one

    def add(self, one: Mapping[str, Any]) -> None:
        if one.get("revoked") is True:
            self._n_revoked += 1
            return
        indicator_id = one["id"]
        pattern = one.get("pattern")
        simple = (
            parse_equality(pattern) if isinstance(pattern, str) and one.get("pattern_type", "stix") == "stix" else None
        )
        expression = equality(*simple) if simple else _expression_of(one)
        series = _series_of(expression, pattern)
        if isinstance(expression, str) or isinstance(series, str):
            self._fault(indicator_id, expression if isinstance(expression, str) else str(series))
            return
        alternatives = [expression] if isinstance(expression, tuple) else _alternatives(expression)
        if alternatives is not None and one.get(BELOW) is True:
            alternatives = [(TREES.get(where, where), constant) for where, constant in alternatives]
        kinds = {kind_of_place(real_place(where)) for where, _ in alternatives or ()}
        kind = kinds.pop() if len(kinds) == 1 else ""
        indicator = _indicator_of(one, self._origins.get(indicator_id, ""), kind)
        if isinstance(indicator, str):
            self._fault(indicator_id, indicator)
            return
        self._indicators.append(indicator)
        position = len(self._indicators) - 1
        if alternatives is not None:
            for where, constant in alternatives:
                self._index_equality(position, where, constant)
        elif not isinstance(expression, tuple):
            if is_of_one_record(expression):
                self._others.append((position, expression))
            if series is not None:
                self._series.append((position, series))
            self._used.update(places_in(expression))

    def _fault(self, indicator_id: str, why: str) -> None:
        place = self._places.get(indicator_id, "")
        self.faults.append(RuleFault(rule_id=indicator_id, path=place, why=why, code="AMG-INDICATOR-001"))

    def _index_equality(self, position: int, where: Where, constant: str) -> None:
        self._used.add(real_place(where))
        network = network_of(constant) if "/" in constant and is_address_path(*where) else None
        if network is None:
            table = self._equal.setdefault(where, {})
            held = table.get(constant)
            table[constant] = (*held, position) if held else (position,)
        else:
            _add_prefix(self._prefixes.setdefault(where, {}), network, position)


def _add_prefix(prefixes: Prefixes, network: Network, position: int) -> None:
    table = prefixes.setdefault((network.version, network.prefixlen), {})
    key = int(network.network_address)
    table[key] = (*table.get(key, ()), position)


def _expression_of(one: Mapping[str, Any]) -> Expression | str:
    pattern_type = one.get("pattern_type", "stix")
    if pattern_type != "stix":
        return f"patterns of type {show(str(pattern_type), 40)} are not supported"
    pattern = one.get("pattern")
    if not isinstance(pattern, str):
        return "the indicator has no pattern"
    parsed = _parsed(pattern)
    if isinstance(parsed, PatternFault):
        return parsed.why
    resolved = resolve(parsed)
    if not isinstance(resolved, str) and matches_everything(resolved):
        return f"the pattern matches everything or nearly so: {show(pattern, 100)}"
    return resolved


def _parsed(pattern: str) -> Expression | PatternFault:
    """By STIX 2.1, or else by 2.0, which puts the times of START and STOP in plain quotes."""
    parsed = parse(pattern)
    if not isinstance(parsed, PatternFault):
        return parsed
    older = parse(pattern, Edition.STIX_2_0)
    return parsed if isinstance(older, PatternFault) else older


def _series_of(expression: Expression | tuple[Where, str] | str, pattern: Any) -> Series | str | None:
    """The pattern as one over several records; None where it is none, the reason where it is one and cannot run.

    AND over one record runs in any case.
    """
    if isinstance(expression, tuple | str | Observation):
        return None
    parsed = _parsed(pattern)
    titles = () if isinstance(parsed, PatternFault) else tuple(written(part) for part in observations_of(parsed))
    if not is_of_one_record(expression):
        return series_of(expression, titles)
    has_and = any(isinstance(node, Together) for node in walk(expression))
    series = series_of(expression, titles) if has_and else None
    return None if isinstance(series, str) else series


def _indicator_of(one: Mapping[str, Any], origin: str, kind: str) -> Indicator | str:
    try:
        valid_from, valid_until = _instant(one.get("valid_from")), _instant(one.get("valid_until"))
    except ValueError:
        return "valid_from or valid_until is no instant"
    labels = one.get("labels")
    texts = tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else ()
    title, stated = one.get("name"), one.get("confidence")
    confidence = min(max(stated, 0), 100) if isinstance(stated, int) and not isinstance(stated, bool) else None
    level = _level(confidence, one.get("indicator_types"), texts)
    first_day = _day(valid_from)
    return Indicator(
        id=one["id"],
        title=title if isinstance(title, str) and title else show(str(one["pattern"]), 120),
        level=level,
        origin=origin,
        valid_from=valid_from,
        valid_until=valid_until,
        techniques=techniques_of(texts) if texts else (),
        tactics=_tactics(one.get("kill_chain_phases")),
        confidence=confidence,
        weight=weight_of_level(level) if confidence is None else confidence,
        kind=kind,
        first_day=first_day,
        last_day=max(first_day, _day(_read_instant(one.get("modified")))),
    )


def _instant(value: Any) -> datetime | None:
    if value is None or (isinstance(value, datetime) and value.tzinfo):
        return value
    return from_rfc3339(value if isinstance(value, str) else "")


def _read_instant(value: Any) -> datetime | None:
    try:
        return _instant(value)
    except ValueError:
        return None


def _modified(one: Mapping[str, Any]) -> tuple[bool, datetime | str]:
    """What orders the versions of an object; a version without an instant is older than any with one."""
    at = _read_instant(one.get("modified"))
    return (True, at) if at is not None else (False, str(one.get("modified", "")))


def _day(at: datetime | None) -> int:
    return 0 if at is None else max(0, at.toordinal() - EPOCH_DAY)


def _level(confidence: int | None, types: Any, labels: Sequence[str]) -> Level:
    """By confidence; where none is given, by what the indicator speaks of."""
    if confidence is not None:
        return level_of_confidence(confidence)
    named = {kind for kind in types if isinstance(kind, str)} if isinstance(types, list) else set()
    named.update(labels)  # STIX 2.0 puts the types here
    if named and named <= _QUIET:
        return Level.INFORMATIONAL
    return Level.LOW if named and named <= _QUIET | _SUSPECTED else Level.MEDIUM


def _tactics(phases: Any) -> tuple[str, ...]:
    entries = phases if isinstance(phases, list) else []
    named = {str(phase.get("phase_name", "")) for phase in entries if isinstance(phase, dict)}
    return tuple(tactic for tactic in TACTICS if tactic in named)


def _alternatives(expression: Expression) -> list[tuple[Where, str]] | None:
    """(kind, path) and constant of each equality, where the whole pattern is "this or that"; else None."""
    if isinstance(expression, Observation):
        return _alternatives_of_test(expression.test)
    if not isinstance(expression, Either):
        return None
    return _concatenated([_alternatives(part) for part in expression.parts])


def _alternatives_of_test(test: Test) -> list[tuple[Where, str]] | None:
    if isinstance(test, AnyOf):
        return _concatenated([_alternatives_of_test(part) for part in test.parts])
    if isinstance(test, Comparison) and test.op in {Op.EQ, Op.IN, Op.ISSUBSET} and not test.is_negated:
        return [((test.kind, test.path), str(constant)) for constant in test.constants]
    return None


def _concatenated(parts: list[list[tuple[Where, str]] | None]) -> list[tuple[Where, str]] | None:
    found = [part for part in parts if part is not None]
    return [one for part in found for one in part] if len(found) == len(parts) else None

"""Sets of indicators that change: what comes is added, what goes counts no longer, and nothing is compiled again.

A message costs what it holds and some milliseconds, however many indicators are there. What was added stands beside the
tables in ordinary dictionaries; once these hold some thousand, they become a table, and many small tables one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeVar

from msgspec.structs import replace

from amagasa.detect.indicators.building import Block, Builder, packed
from amagasa.detect.indicators.indicator import Indicator, IndicatorSet
from amagasa.detect.indicators.reported import ID_PLACE, encoded, reported_at, rows_of
from amagasa.detect.indicators.table import About, Table, Where
from amagasa.detect.stix.comparison import is_address_path
from amagasa.detect.stix.operators import network_of

MAX_BESIDE: Final = 4_096  # indicators in dictionaries: a table of so many is made in some 40 ms
MAX_SMALL: Final = 8  # tables of one size; then they become one
MAX_MERGED_ROWS: Final = 262_144  # a larger one is made of nothing but a new start: making it takes a second
_KEY = TypeVar("_KEY")
_PLACE = TypeVar("_PLACE")
_Lookup = dict[_KEY, tuple[int, ...]]


def joined(held: IndicatorSet, more: IndicatorSet, gone: Iterable[str] = ()) -> IndicatorSet:
    """`held` without `gone`, and `more`, whose indicators replace those of the same id. Neither is changed."""
    touched = {*gone, *(one.id for one in more.indicators)}
    kept = _without(held, touched) if touched else held
    first = len(kept.indicators)
    prefixes = {where: _tables(kept.prefixes.get(where, {}), new, first) for where, new in more.prefixes.items()}
    return replace(
        kept,
        indicators=kept.indicators + more.indicators,
        equal=_tables(kept.equal, more.equal, first),
        prefixes=kept.prefixes | prefixes,
        others=kept.others + tuple((first + position, expression) for position, expression in more.others),
        series=kept.series + tuple((first + position, series) for position, series in more.series),
        used=kept.used | more.used,
        n_revoked=kept.n_revoked + more.n_revoked,
    )


def settled(held: IndicatorSet) -> IndicatorSet:
    """The same set; where dictionaries have grown large, as a table more, and many small tables as one."""
    if len(held.indicators) - len(held.others) - len(held.series) > MAX_BESIDE:
        held = _tabled(held)
        while (small := _mergeable(held.tables)) > 1:
            held = _merged(held, small)
    return held


def with_lists(held: IndicatorSet, lists: Sequence[Table]) -> IndicatorSet:
    """The same with these flat lists and no others."""
    kept = [(table, born) for table, born in zip(held.tables, held.born, strict=True) if not table.plan.about.is_listed]
    return replace(
        held,
        tables=(*lists, *(table for table, _ in kept)),
        born=(*(0 for _ in lists), *(born for _, born in kept)),
    )


def _without(held: IndicatorSet, touched: set[str]) -> IndicatorSet:
    dead = {position for position, one in enumerate(held.indicators) if one.id in touched}
    reports = [table for table in held.tables if not table.plan.about.is_listed]
    void = {one: held.generation for one in touched if any(table.find(ID_PLACE, (one,)) for table in reports)}
    return replace(
        held,
        dead=held.dead | dead,
        others=tuple((position, one) for position, one in held.others if position not in dead),
        series=tuple((position, one) for position, one in held.series if position not in dead),
        gone=_layered(held.gone, void) if void else held.gone,
    )


def _layered(layers: tuple[Mapping[str, int], ...], new: Mapping[str, int]) -> tuple[Mapping[str, int], ...]:
    """One layer more; layers of like size become one, so that their number and what is copied stay small."""
    top = dict(new)
    rest = list(layers)
    while rest and 2 * len(top) >= len(rest[-1]):
        top = {**rest.pop(), **top}
    return (*rest, top)


def _tabled(held: IndicatorSet) -> IndicatorSet:
    """What stands in dictionaries as a table, all but patterns that are tried one by one."""
    builder = Builder()
    for where, text, positions in values_beside(held):
        for position in positions:
            if position not in held.dead:
                _add_row(builder, where, text, held.indicators[position])
    kept = list(dict.fromkeys(position for position, _ in (*held.others, *held.series)))
    moved = {position: place for place, position in enumerate(kept)}
    indexed = [
        one for position, one in enumerate(held.indicators) if position not in moved and position not in held.dead
    ]
    return replace(
        held,
        indicators=tuple(held.indicators[position] for position in kept),
        equal={},
        prefixes={},
        others=tuple((moved[position], expression) for position, expression in held.others),
        series=tuple((moved[position], series) for position, series in held.series),
        dead=frozenset(),
        tables=(*held.tables, _finished(builder, indexed)),
        born=(*held.born, held.generation + 1),
        generation=held.generation + 1,
    )


def values_beside(held: IndicatorSet) -> Iterator[tuple[Where, str, tuple[int, ...]]]:
    """Place, text and positions of all that is found by its value; the text of prefixes is `198.51.100.0/24`."""
    for where, texts in held.equal.items():
        for text, positions in texts.items():
            yield where, text, positions
    for where, prefixes in held.prefixes.items():
        for (version, length), table in prefixes.items():
            for number, positions in table.items():
                address = IPv4Address(number) if version == 4 else IPv6Address(number)
                yield where, f"{address}/{length}", positions


def _add_row(builder: Builder, where: Where, text: str, indicator: Indicator) -> None:
    note, span = builder.note(encoded(where, indicator)), packed(indicator.first_day, indicator.last_day)
    network = network_of(text) if "/" in text and is_address_path(*where) else None
    if network is not None:
        builder.add_prefix(where, network, note=note, span=span)
    else:
        builder.add(Block(where=where, texts=[text], notes=[note], spans=[span]))


def _finished(builder: Builder, indicators: Iterable[Indicator]) -> Table:
    each = {one.id: one for one in indicators}
    for one in each.values():
        _add_row(builder, ID_PLACE, one.id, one)
    about = About(tally={"n_indicators": len(each)})
    return Table(b"".join(builder.finished(lambda _one, _other: None, lambda: about)))


def _mergeable(tables: Sequence[Table]) -> int:
    """How many of the last tables are to become one: `MAX_SMALL` or more of about the same size."""
    sizes: list[int] = []
    for table in reversed(tables):
        if table.plan.about.is_listed or table.plan.n_rows > MAX_MERGED_ROWS:
            break
        if sizes and table.plan.n_rows > 4 * sizes[0]:
            break
        sizes.append(table.plan.n_rows)
    return len(sizes) if len(sizes) >= MAX_SMALL and sum(sizes) <= 2 * MAX_MERGED_ROWS else 0


def _merged(held: IndicatorSet, n_last: int) -> IndicatorSet:
    builder = Builder()
    indicators: list[Indicator] = []
    for table, born in zip(held.tables[-n_last:], held.born[-n_last:], strict=True):
        for row in rows_of(table):
            one = reported_at(table, row)
            if held.is_void(one.indicator.id, born):
                continue
            if one.where == ID_PLACE:
                indicators.append(one.indicator)
            else:
                _add_row(builder, one.where, table.text(row), one.indicator)
    return replace(
        held,
        tables=(*held.tables[:-n_last], _finished(builder, indicators)),
        born=(*held.born[:-n_last], held.generation + 1),
        generation=held.generation + 1,
    )


def _tables(
    held: dict[_PLACE, _Lookup[_KEY]], more: dict[_PLACE, _Lookup[_KEY]], first: int
) -> dict[_PLACE, _Lookup[_KEY]]:
    """By place, the tables of both; positions in `more` begin at `first`."""
    changed: dict[_PLACE, _Lookup[_KEY]] = {}
    for place, new in more.items():
        table = dict(held.get(place, {}))
        for key, positions in new.items():
            table[key] = (*table.get(key, ()), *(first + position for position in positions))
        changed[place] = table
    return held | changed

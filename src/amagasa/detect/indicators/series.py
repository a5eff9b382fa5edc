"""STIX patterns over several records: what each record satisfies of them, and the correlations that put it together."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from amagasa.detect.binding.terms import demands_of
from amagasa.detect.correlation.definition import MAX_NEEDED, Correlation, Kind
from amagasa.detect.correlation.link import STATE_VERSION, Linked, Links, Member
from amagasa.detect.correlation.pattern import ABOUT, Pattern, widest_us
from amagasa.detect.indicators.indicator import Indicator, IndicatorSet, Series
from amagasa.detect.indicators.others import Others, places_in
from amagasa.detect.report import Detection
from amagasa.detect.stix.comparison import matches_everything
from amagasa.detect.stix.observables import fields_showing
from amagasa.detect.stix.pattern import Either, Expression, Observation, Together, observations_of, walk
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail
from amagasa.event.record import EventBatch
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

MAX_PARTS: Final = 32  # `[...]` of one pattern: records are kept for each of them
MAX_TERMS: Final = 256  # alternatives that are tried at a record
MAX_AT_ONCE: Final = MAX_NEEDED // 10  # records that one binding names
# Where no WITHIN joins everything, records further apart are not put together.
LONGEST_S: Final = 86_400
MAX_TIMESPAN_S: Final = 10 * 366 * 86_400
MAX_RAW_BYTES: Final = 4_096
_ABOUT: Final = (
    *("c-ip", "src_ip", "SourceIp", "SourceAddress", "IpAddress", "id.orig_h", "source.ip", "client.ip"),
    *("sourceIPAddress", "User", "user", "SubjectUserName", "user.name"),
)
# (position of the indicator, number of the `[...]`).
PartKey: TypeAlias = tuple[int, int]
_ALONE: Final = -1  # the number of the whole pattern, beside those of its parts


def is_of_one_record(expression: Expression) -> bool:
    """Whether one record may satisfy it: nothing but AND and OR of `[...]`."""
    return all(isinstance(node, Observation | Either | Together) for node in walk(expression))


def series_of(expression: Expression, titles: tuple[str, ...]) -> Series | str:
    """A resolved pattern as one over several records; the reason where it cannot be looked for in a stream.

    `titles` are its `[...]` as they were written.
    """
    parts = tuple(observations_of(expression))
    if len(parts) > MAX_PARTS:
        return f"a pattern over several records may have {MAX_PARTS} observations; it has {len(parts)}"
    wide = next((part for part in parts if matches_everything(part)), None)
    if wide is not None:
        return f"a part matches everything or nearly so: {show(titles[parts.index(wide)], 100)}"
    demands = demands_of(expression)
    if isinstance(demands, str):
        return demands
    pattern = Pattern(demands)
    if len(demands.terms) > MAX_TERMS or pattern.n_at_once > MAX_AT_ONCE:
        return f"more than {MAX_TERMS} alternatives or {MAX_AT_ONCE} records at once cannot be kept for it"
    widest = widest_us(demands.terms)
    span_s = LONGEST_S if widest is None else min(-(-widest // 1_000_000), MAX_TIMESPAN_S)
    alone = expression if is_of_one_record(expression) else None
    return Series(parts=parts, titles=titles, pattern=pattern, timespan_s=span_s, alone=alone)


def part_id(indicator_id: str, number: int) -> str:
    """Under which a record speaks that satisfies one `[...]` of an indicator's pattern."""
    return f"{indicator_id}#{number}"


def named_parts(indicators: IndicatorSet) -> list[tuple[PartKey, Expression]]:
    """Each `[...]` of each pattern over several records, and the whole where one record may satisfy it."""
    named: list[tuple[PartKey, Expression]] = []
    for position, series in indicators.series:
        named.extend(((position, number), part) for number, part in enumerate(series.parts))
        if series.alone is not None:
            named.append(((position, _ALONE), series.alone))
    return named


def parts_in(
    batch: EventBatch, indicators: IndicatorSet, parts: Others[PartKey], *, now: datetime
) -> tuple[Detection, ...]:
    """What the records satisfy of the patterns in force at `now`; `parts` are those of `named_parts`."""
    found = [one for one in parts.tried(batch) if indicators.indicators[one[1][0]].is_in_force(now)]
    alone = {(row, position) for row, (position, number), _ in found if number == _ALONE}
    columns = {field: column for column, field in enumerate(batch.fields)}
    return tuple(
        _part(batch, row, part_id(indicators.indicators[position].id, number), _values(batch, row, fields, columns))
        for row, (position, number), fields in found
        if (row, position) not in alone
    )


def _values(batch: EventBatch, row: int, fields: set[str], columns: dict[str, int]) -> dict[str, object]:
    return {field: batch.rows[row][columns[field]] for field in sorted(fields)}


def _part(batch: EventBatch, row: int, name: str, fields: dict[str, object]) -> Detection:
    event = detail(batch, row)
    return Detection(
        rule_id=name,
        title="",
        level=Level.INFORMATIONAL,
        path=batch.path,
        record=batch.records[row],
        event_at=event.event_at,
        fields=fields,
        event={ABOUT + field: event.fields[field] for field in _ABOUT if field in event.fields},
        entities=entities_of(event.fields),
        raw=batch.lines[row][:MAX_RAW_BYTES].decode("utf-8", "backslashreplace"),
    )


def with_patterns(links: Links, indicators: IndicatorSet) -> Links:
    """The links and the patterns over several records that these indicators hold."""
    return replace(links, correlations=links.correlations + linked_patterns(indicators))


def linked_patterns(indicators: IndicatorSet) -> tuple[Linked, ...]:
    """Each pattern over several records as a correlation of its parts."""
    return tuple(_linked(indicators.indicators[position], series) for position, series in indicators.series)


def _linked(indicator: Indicator, series: Series) -> Linked:
    ids = tuple(part_id(indicator.id, number) for number in range(len(series.parts)))
    return Linked(
        id=indicator.id,
        title=indicator.title,
        level=indicator.level,
        techniques=indicator.techniques,
        tactics=indicator.tactics,
        origin=indicator.origin,
        path="",
        correlation=Correlation(kind=Kind.PATTERN, rules=ids, timespan_s=series.timespan_s),
        members=tuple(
            _member(name, part, title) for name, part, title in zip(ids, series.parts, series.titles, strict=True)
        ),
        digest=_digest_of(ids, series),
        pattern=series.pattern,
    )


def _member(name: str, part: Observation, title: str) -> Member:
    fields = dict.fromkeys(field for where in sorted(places_in(part)) for field in fields_showing(*where))
    carried = (*fields, *(ABOUT + field for field in _ABOUT))
    return Member(ids=(name,), title=show(title, 120), group=(), values=(), carried=carried)


def _digest_of(ids: Sequence[str], series: Series) -> str:
    """What decides the meaning of what is kept for it."""
    meaning = (STATE_VERSION, ids, list(series.titles), series.pattern.demands, series.timespan_s)
    return hashlib.sha256(msgspec.msgpack.encode(meaning)).hexdigest()[:32]

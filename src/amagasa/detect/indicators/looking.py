"""A batch of events -> MatchReport: what of it the indicators name."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from amagasa.detect.indicators.indicator import Indicator, IndicatorSet, Prefixes, Where
from amagasa.detect.indicators.others import try_others
from amagasa.detect.report import Detection, MatchReport
from amagasa.detect.stix.observables import Property, shapes_of
from amagasa.detect.stix.operators import network_of
from amagasa.event.entities import entities_of
from amagasa.event.normalise import detail
from amagasa.event.record import MISSING, EventBatch

MAX_RAW_BYTES: Final = 4_096


def evaluate_indicators(batch: EventBatch, indicators: IndicatorSet, *, now: datetime) -> MatchReport:
    """One detection for each record and indicator in force at `now` whose pattern the record satisfies."""
    looking = _Looking(batch, indicators)
    for shape in looking.shapes:
        for part in shape.properties:
            where = (shape.kind, part.path)
            if where in indicators.equal or where in indicators.prefixes:
                looking.look_up(part, where)
    if indicators.others:
        for row, position, fields in try_others(batch, indicators):
            looking.found.setdefault((row, position), set()).update(fields)
    detections = tuple(
        looking.detection(row, indicators.indicators[position], fields)
        for (row, position), fields in sorted(looking.found.items(), key=lambda item: item[0])
        if indicators.indicators[position].is_in_force(now)
    )
    return MatchReport(n_events=len(batch.rows), detections=detections)


class _Looking:
    """One batch under one set; `found` maps (row, position of the indicator) to the fields that matched."""

    def __init__(self, batch: EventBatch, indicators: IndicatorSet) -> None:
        self._batch = batch
        self._indicators = indicators
        self._columns = {field: column for column, field in enumerate(batch.fields)}
        self.shapes = shapes_of(batch.route)
        self.found: dict[tuple[int, int], set[str]] = {}

    def look_up(self, part: Property, where: Where) -> None:
        equal = self._indicators.equal.get(where, {})
        prefixes = self._indicators.prefixes.get(where, {})
        for field in part.fields:
            column = self._columns.get(field)
            if column is None:
                continue
            memo: dict[str, tuple[int, ...]] = {}
            for row, values in enumerate(self._batch.rows):
                value = values[column]
                if value is MISSING or value is None:
                    continue
                key = value if type(value) is str else repr(value)
                hits = memo.get(key)
                if hits is None:
                    hits = memo[key] = _hits(part.form(value), equal, prefixes)
                for position in hits:
                    self.found.setdefault((row, position), set()).add(field)

    def detection(self, row: int, indicator: Indicator, fields: set[str]) -> Detection:
        batch = self._batch
        event = detail(batch, row)
        return Detection(
            indicator_id=indicator.id,
            title=indicator.title,
            level=indicator.level,
            path=batch.path,
            record=batch.records[row],
            event_at=event.event_at,
            techniques=indicator.techniques,
            tactics=indicator.tactics,
            fields={field: batch.rows[row][self._columns[field]] for field in sorted(fields)},
            event=event.fields,
            entities=entities_of(event.fields),
            raw=batch.lines[row][:MAX_RAW_BYTES].decode("utf-8", "backslashreplace"),
            origin=indicator.origin,
        )


def _hits(texts: Sequence[str], equal: Mapping[str, tuple[int, ...]], prefixes: Prefixes) -> tuple[int, ...]:
    exact = tuple(position for text in texts for position in equal.get(text, ()))
    return exact + tuple(_covering(texts, prefixes)) if prefixes else exact


def _covering(texts: Sequence[str], prefixes: Prefixes) -> Iterable[int]:
    for text in texts:
        network = network_of(text)
        if network is None:
            continue
        number = int(network.network_address)
        for (version, length), table in prefixes.items():
            if version == network.version and length <= network.prefixlen:
                shift = network.max_prefixlen - length
                yield from table.get(number >> shift << shift, ())

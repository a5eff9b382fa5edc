"""Detection -> hit: what correlations keep of a record. A time, a place and the few values that are asked for."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.link import Links
from amagasa.detect.report import Detection, MatchReport
from amagasa.event.entity import EntityKind

VALUE_CHARACTERS: Final = 512
RAW_CHARACTERS: Final = 200
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
# The clock of a machine may run ahead a little; an instant beyond is not believed (as in incident.fold).
CLOCK_SKEW: Final = timedelta(minutes=5)


class Hit(Struct, frozen=True, array_like=True, gc=False):
    """A rule satisfied by a record. `at` is in microseconds since 1970; None: the record says no time to be believed.

    `source` is the node's name of the log, "" where there is none. `fields` holds those which correlations want of
    this rule, as text; what the record lacks, or has as null or empty, is not in it. `raw` is the head of the record,
    for a person.
    """

    at: int | None
    rule: str
    path: str
    record: int
    source: str
    fields: dict[str, str]
    host: str
    raw: str

    @property
    def place(self) -> tuple[int, str, str, int, str]:
        """By which hits are ordered: time first, then where the record stands. The same whatever order they came in."""
        return (-1 if self.at is None else self.at, self.source, self.path, self.record, self.rule)


def split(report: MatchReport, links: Links, *, now: datetime) -> tuple[MatchReport, tuple[Hit, ...]]:
    """The report with the detections that speak for themselves, and the hits of those which a correlation looks at.

    Parts of patterns are hits alone; those of patterns that are not linked are dropped.
    """
    found = (*report.detections, *report.parts)
    if report.parts:
        report = replace(report, parts=())
    if not links.correlations or not found:
        return report, ()
    wanted, muted = links.wanted, links.muted
    hits = tuple(
        _hit(one, wanted[one.rule_id], now=now) for one in found if one.rule_id is not None and one.rule_id in wanted
    )
    if muted:
        report = replace(report, detections=tuple(one for one in report.detections if one.rule_id not in muted))
    return report, hits


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """The other way."""
    return EPOCH + at * MICROSECOND


def _hit(detection: Detection, wanted: Sequence[str], *, now: datetime) -> Hit:
    at = detection.event_at
    is_believed = at is not None and EPOCH <= at <= now + CLOCK_SKEW
    fields = {name: text for name in wanted if (text := _text(_value(detection, name)))}
    host = next((entity.value for entity in detection.entities if entity.kind is EntityKind.HOST), "")
    return Hit(
        micros(at) if is_believed and at is not None else None,
        detection.rule_id or "",
        _clean(detection.path),
        detection.record,
        "",
        fields,
        _clean(host),
        _text(detection.raw[:RAW_CHARACTERS]),
    )


def _value(detection: Detection, name: str) -> Any:
    """The field as the record has it; else as evaluation found it; else by its name in any case."""
    for fields in (detection.event, detection.fields):
        if name in fields:
            return fields[name]
    return _by_any_case(detection.event, name)


def _by_any_case(fields: Mapping[str, Any], name: str) -> Any:
    folded = name.lower()
    return next((value for key, value in fields.items() if key.lower() == folded), None)


def _text(value: Any) -> str:
    """The value as text that any encoding can carry; "" for what says nothing."""
    if value is None or value is True or value is False:
        return "" if value is None else str(value).lower()
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True)
    except (ValueError, RecursionError):
        return ""  # a number of thousands of digits, or lists without end: nothing to be grouped by
    text = _clean(text)
    if len(text) <= VALUE_CHARACTERS:
        return text
    # Two long values which begin alike are still two.
    return f"{text[:VALUE_CHARACTERS]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _clean(text: str) -> str:
    """With what UTF-8 cannot carry written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

"""The evidence of an alert as the console shows it: fields, the record as it came, and what a correlation saw."""

import json
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.report import Detection, Together
from amagasa.vocab.text import show

TITLE_CHARACTERS: Final = 300
VALUE_CHARACTERS: Final = 4_096
FIELDS_SHOWN: Final = 200


class FieldView(Struct, frozen=True, kw_only=True):
    """A field of a record and its value, as text."""

    name: str
    value: str


class SignView(Struct, frozen=True, kw_only=True):
    """One of the records that a correlation put together; `title` is that of the rule which found it."""

    title: str
    path: str
    record: int
    event_at: datetime
    raw: str


class TogetherView(Struct, frozen=True, kw_only=True):
    """What a correlation saw: how many records, from when to when, and some of them."""

    n_events: int
    first_at: datetime
    last_at: datetime
    timespan_s: int
    is_over: bool
    signs: list[SignView]


class EvidenceView(Struct, frozen=True, kw_only=True):
    """Why an alert is there: the fields that matched and the record as it came; of a correlation, what it saw."""

    path: str
    record: int
    event_at: datetime | None
    level: str
    fields: list[FieldView]
    raw: str
    together: TogetherView | None = None


def evidence_view(detection: Detection) -> EvidenceView:
    """Fields and record; each value as text."""
    fields = [
        FieldView(name=show(str(name)), value=_value(value))
        for name, value in list(detection.fields.items())[:FIELDS_SHOWN]
    ]
    return EvidenceView(
        path=show(detection.path),
        record=detection.record,
        event_at=detection.event_at,
        level=detection.level.value,
        fields=fields,
        raw=show(detection.raw, VALUE_CHARACTERS + 1),
        together=None if detection.together is None else _together(detection.together),
    )


def _together(together: Together) -> TogetherView:
    return TogetherView(
        n_events=together.n_events,
        first_at=together.first_at,
        last_at=together.last_at,
        timespan_s=together.timespan_s,
        is_over=together.is_over,
        signs=[
            SignView(
                title=show(sign.title, TITLE_CHARACTERS),
                path=show(sign.path),
                record=sign.record,
                event_at=sign.event_at,
                raw=show(sign.raw, VALUE_CHARACTERS),
            )
            for sign in together.signs
        ],
    )


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return show(text, VALUE_CHARACTERS)

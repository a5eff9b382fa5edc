"""Time stamps of logs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.stamps import from_bsd, from_clf, from_iso, from_value

READ_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(*parts: int) -> datetime:
    year, month, day, hour, minute, second, microsecond = (*parts, 0, 0, 0)[:7] if len(parts) < 7 else parts
    return datetime(year, month, day, hour, minute, second, microsecond, UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("22/Dec/2016:15:19:05 +0300", at(2016, 12, 22, 12, 19, 5)),
        ("22/Dec/2016:15:19:05.25 -0800", at(2016, 12, 22, 23, 19, 5, 250_000)),
        ("22/Dec/2016:15:19:05", at(2016, 12, 22, 15, 19, 5)),
        ("2016-12-22T15:19:05+03:00", at(2016, 12, 22, 12, 19, 5)),
        ("31/Feb/2016:15:19:05 +0300", None),
        ("22/Foo/2016:15:19:05 +0300", None),
        ("22/Dec/2016:15:19:05 +9900", None),
        ("", None),
    ],
)
def test_stamp_of_an_access_log_is_read(text: str, instant: datetime | None) -> None:
    assert from_clf(text) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Feb 28 13:06:56", at(2026, 2, 28, 13, 6, 56)),
        ("Mar  2 11:00:00", at(2026, 3, 2, 11)),
        ("Mar  2 13:00:00", at(2025, 3, 2, 13)),
        ("Dec 31 23:59:60", at(2025, 12, 31, 23, 59, 59)),
        ("Feb 29 01:00:00", at(2024, 2, 29, 1)),
        ("Feb 30 01:00:00", None),
        ("Feb 17 13:40:03.673", at(2026, 2, 17, 13, 40, 3, 673_000)),
        ("Sun Dec 04 04:47:44 2005", at(2005, 12, 4, 4, 47, 44)),
        ("Oct 11 2003 22:14:15", at(2003, 10, 11, 22, 14, 15)),
    ],
)
def test_stamp_without_a_year_is_of_the_latest_year_that_is_not_to_come(text: str, instant: datetime | None) -> None:
    assert from_bsd(text, READ_AT) == instant


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2021-04-27T06:02:47.503498+0000", at(2021, 4, 27, 6, 2, 47, 503_498)),
        ("2021-04-27 06:02:47", at(2021, 4, 27, 6, 2, 47)),
        ("2021-08-02T13:11:39.7724491Z", at(2021, 8, 2, 13, 11, 39, 772_449)),
        (1_588_205_199, at(2020, 4, 30, 0, 6, 39)),
        (1_588_205_199_000, at(2020, 4, 30, 0, 6, 39)),
        ("1588205199000000", at(2020, 4, 30, 0, 6, 39)),
        (True, None),
        (None, None),
        (12, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_stamp_in_a_json_value_is_read(value: object, instant: datetime | None) -> None:
    assert from_value(value) == instant


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)))  # noqa: DTZ001
def test_stamp_written_by_us_is_read_as_it_was(moment: datetime) -> None:
    assert from_iso(f"{moment:%Y-%m-%d}T{moment:%H:%M:%S.%f}Z".rjust(27, "0")) == moment.replace(tzinfo=UTC)


@given(st.text(max_size=60), st.text(alphabet="0123456789-/: TZ+.,JanFeb", max_size=40))
def test_stamp_of_any_text_never_raises(text: str, near: str) -> None:
    for one in (text, near):
        from_clf(one)
        from_iso(one)
        from_bsd(one, READ_AT)
        from_value(one)

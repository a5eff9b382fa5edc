from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.instants import from_rfc3339, to_rfc3339

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(2, 1, 1), datetime(9998, 12, 31)  # noqa: DTZ001 - hypothesis adds the zone
INSTANTS = st.datetimes(min_value=FIRST, max_value=LAST, timezones=OFFSETS | st.just(UTC))


@given(INSTANTS)
def test_instant_written_is_read_back_to_the_millisecond(instant: datetime) -> None:
    text = to_rfc3339(instant)
    assert len(text) == len("2026-11-23T04:05:06.123Z")
    assert text.endswith("Z")
    back = from_rfc3339(text)
    assert timedelta() <= instant - back < timedelta(milliseconds=1)
    assert to_rfc3339(back) == text


@given(INSTANTS, INSTANTS)
def test_instants_written_sort_as_they_follow(one: datetime, other: datetime) -> None:
    if one <= other:
        assert to_rfc3339(one) <= to_rfc3339(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T04:05:06Z", datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)),
        ("2026-11-23T04:05:06.5Z", datetime(2026, 11, 23, 4, 5, 6, 500_000, tzinfo=UTC)),
        ("2026-11-23T04:05:06.123456789Z", datetime(2026, 11, 23, 4, 5, 6, 123_456, tzinfo=UTC)),
        ("2026-11-23T13:05:06+09:00", datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)),
        ("2026-11-22t23:05:06-05:00", datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)),
        ("2026-11-23t04:05:06z", datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)),
    ],
)
def test_instant_in_any_form_of_rfc_3339_is_read(text: str, expected: datetime) -> None:
    assert from_rfc3339(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T04:05:06",
        "2026-11-23 04:05:06Z",
        "2026-11-23T04:05Z",
        "20261123T040506+00:00",
        "2026-W48-1T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T04:05:60Z",
        "2026-11-23T04:05:06+0900",
        "2026-11-23T04:05:06+25:00",
        "2026-11-23T04:05:06.Z",
        "2026-11-23T04:05:06Z\n",
        "\u0662026-11-23T04:05:06Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-11-23T04:05:06." + "1" * 5000 + "Z",
    ],
)
def test_text_which_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    try:
        read = from_rfc3339(text)
    except ValueError:
        return
    assert read.tzinfo is UTC


def test_instant_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_rfc3339(datetime(2026, 1, 1))  # noqa: DTZ001

"""Stamps without an offset, in the zone that their source names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, Format
from amagasa.event.zones import in_zone, zone_of

READ_AT = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)  # in Tokyo it is half past nine


def instant_of(line: str, zone: str, read_at: datetime = READ_AT) -> datetime | None:
    found = zone_of(zone)
    assert found is not None
    chunk = Chunk(path="x", format=Format.SYSLOG, first_record=1, data=line.encode() + b"\n", read_at=read_at)
    (batch,) = normalise(in_zone(chunk, found), lambda _: ()).batches
    return detail(batch, 0).event_at


@pytest.mark.parametrize(
    ("line", "zone", "instant"),
    [
        ("Jan  1 09:29:00 g sshd[1]: x", "Asia/Tokyo", "2026-01-01T00:29:00Z"),
        ("Jan  1 09:29:00 g sshd[1]: x", "", "2026-01-01T09:29:00Z"),
        ("Dec 31 23:59:00 g sshd[1]: x", "Asia/Tokyo", "2025-12-31T14:59:00Z"),
        ("Dec 31 19:29:00 g sshd[1]: x", "America/New_York", "2026-01-01T00:29:00Z"),
        ("Jul  1 09:00:00 g sshd[1]: x", "America/New_York", "2025-07-01T13:00:00Z"),
        ("2026-01-01T09:29:00 g sshd[1]: x", "+09:00", "2026-01-01T00:29:00Z"),
        ("2026-01-01T00:29:00Z g sshd[1]: x", "Asia/Tokyo", "2026-01-01T00:29:00Z"),
        ("2026-01-01T09:29:00-05:00 g sshd[1]: x", "Asia/Tokyo", "2026-01-01T14:29:00Z"),
        ("2026/01/01 09:29:00 [error] 1#1: x", "Asia/Tokyo", "2026-01-01T00:29:00Z"),
    ],
)
def test_stamp_without_an_offset_is_in_the_zone_of_its_source(line: str, zone: str, instant: str) -> None:
    assert instant_of(line, zone) == datetime.fromisoformat(instant)


@pytest.mark.parametrize("name", ["Asia/Tokio", "+25:00", "../../etc/passwd", "x" * 500, "\0", "/etc/localtime"])
def test_name_of_no_zone_gives_none(name: str) -> None:
    assert zone_of(name) is None


@given(st.datetimes(datetime(2025, 1, 2), datetime(2025, 12, 30)), st.sampled_from(["Asia/Tokyo", "+09:00", "-03:30"]))  # noqa: DTZ001
def test_every_stamp_of_a_zone_comes_back_as_the_instant_that_it_was(moment: datetime, zone: str) -> None:
    found = zone_of(zone)
    assert found is not None
    local = moment.replace(microsecond=0, tzinfo=found)
    line = f"{local:%b %d %H:%M:%S} g sshd[1]: x"
    assert instant_of(line, zone, read_at=(local + timedelta(hours=1)).astimezone(UTC)) == local.astimezone(UTC)

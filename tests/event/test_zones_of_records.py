"""Stamps of records that name no zone: in the zone of the source, but where the product says that they are UTC."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from amagasa.event.normalise import detail, newest_instant, normalise
from amagasa.event.record import Chunk, Format
from amagasa.event.zones import in_zone

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
NINE = "2026-11-27T09:00:00"
NXLOG = {"EventID": 1, "Channel": "Security", "SourceName": "a", "EventData": {}}


@pytest.mark.parametrize(
    ("form", "record", "hour"),
    [
        (Format.JSON, {"timestamp": NINE}, 0),
        (Format.JSON, {"timestamp": NINE + "Z"}, 9),
        (Format.JSON, {"timestamp": NINE + "+02:00"}, 7),
        (Format.JSON, {"time": "2026-11-27 09:00:00.5"}, 0),
        (Format.JSON, {"ts": datetime(2026, 11, 27, 9, tzinfo=UTC).timestamp()}, 9),
        (Format.JSON, {"CreationTime": NINE, "Operation": "a", "Workload": "b"}, 9),
        (Format.WINDOWS, NXLOG | {"EventTime": "2026-11-27 09:00:00"}, 0),
        (Format.WINDOWS, NXLOG | {"EventTime": NINE + "Z"}, 9),
        (Format.WINDOWS, NXLOG | {"UtcTime": "2026-11-27 09:00:00.000"}, 9),
        (Format.WINDOWS, NXLOG | {"TimeCreated": NINE}, 9),
    ],
)
def test_stamp_is_in_the_zone_of_the_source_where_neither_it_nor_its_product_names_one(
    form: Format, record: dict[str, Any], hour: int
) -> None:
    data = json.dumps(record).encode() + b"\n"
    chunk = in_zone(Chunk(path="a", format=form, first_record=1, data=data, read_at=NOW), TOKYO)
    (batch,) = normalise(chunk, lambda _: ()).batches
    at = detail(batch, 0).event_at
    assert at is not None
    assert (at.astimezone(UTC).hour, newest_instant(chunk)) == (hour, at)

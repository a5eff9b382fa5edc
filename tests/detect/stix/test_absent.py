"""Fields that events of a route never hold: what real events hold is not among them."""

import json
from pathlib import Path

import pytest
import zstandard

from amagasa.detect.stix.absent import absent_from
from amagasa.event.route import SYSMON, route_of

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "windows"


def test_absent_from_a_process_access_is_every_observable_but_its_own() -> None:
    absent = absent_from(route_of(SYSMON, 10))
    assert {"Hashes", "DestinationIp", "QueryName", "CommandLine"} <= absent
    assert absent.isdisjoint({"Image", "User", "SourceImage", "TargetImage"})


@pytest.mark.parametrize(
    ("channel", "event_id"), [("Security", 4688), (SYSMON, 255), (SYSMON, None), ("Other", 1), (None, 1)]
)
def test_absent_from_other_events_is_nothing(channel: str | None, event_id: int | None) -> None:
    assert absent_from(route_of(channel, event_id)) == frozenset()


@pytest.mark.data
def test_absent_from_real_events_of_sysmon_is_nothing_that_they_hold() -> None:
    files = sorted(DATA.glob("*/*.ndjson.zst"))
    if not files:
        pytest.skip("the folder of real data is not beside the checkout")
    seen: dict[int, set[str]] = {}
    for file in files[::3]:
        with zstandard.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                if '"Microsoft-Windows-Sysmon/Operational"' in line:
                    record = json.loads(line)
                    if isinstance(record.get("EventID"), int):
                        seen.setdefault(record["EventID"], set()).update(record)
    held = {number: names & absent_from(route_of(SYSMON, number)) for number, names in seen.items()}
    assert len(seen) > 10
    assert {number: names for number, names in held.items() if names} == {}

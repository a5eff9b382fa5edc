"""Event logs of Windows, whole and damaged, made of real ones at test time."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.source.records import open_records
from amagasa.adapters.source.stream import DAMAGED
from amagasa.event.record import Chunk, Format, Reject, SourceFault

SAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "evtx" / "samples" / "discovery_bloodhound.evtx"
N_RECORDS = 10
RECORD_MAGIC = b"\x2a\x2a\x00\x00"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not SAMPLE.is_file(), reason="the folder of real logs is not beside the checkout"),
]


def items_of(path: Path, data: bytes) -> list[Chunk | Reject | SourceFault]:
    path.write_bytes(data)
    return list(open_records(path))


def lines_of(items: list[Chunk | Reject | SourceFault]) -> list[bytes]:
    return [line for item in items if isinstance(item, Chunk) for line in item.data.splitlines()]


def test_evtx_records_come_as_windows_events_in_their_order(tmp_path: Path) -> None:
    items = items_of(tmp_path / "x", SAMPLE.read_bytes())
    assert [item.format for item in items if isinstance(item, Chunk)] == [Format.WINDOWS]
    events = [json.loads(line)["Event"] for line in lines_of(items)]
    numbers = [event["System"]["EventRecordID"] for event in events]
    assert len(numbers) == N_RECORDS
    assert numbers == sorted(numbers)


def test_evtx_packed_or_in_an_archive_is_the_same(tmp_path: Path) -> None:
    data = SAMPLE.read_bytes()
    whole = lines_of(items_of(tmp_path / "x", data))
    assert lines_of(items_of(tmp_path / "y", gzip.compress(data))) == whole
    with zipfile.ZipFile(tmp_path / "z", "w") as archive:
        archive.writestr("a.evtx", data)
    assert lines_of(list(open_records(tmp_path / "z"))) == whole


def test_evtx_damaged_record_is_a_reject_and_the_others_are_read(tmp_path: Path) -> None:
    data = bytearray(SAMPLE.read_bytes())
    # The last one: others hold the templates of those that follow.
    at = data.rfind(RECORD_MAGIC)
    data[at + 60 : at + 200] = b"\xff" * 140
    items = items_of(tmp_path / "x", bytes(data))
    assert [item.record for item in items if isinstance(item, Reject)] == [N_RECORDS]
    assert [item for item in items if isinstance(item, SourceFault)] == []
    assert len(lines_of(items)) == N_RECORDS - 1


@pytest.mark.parametrize("n_bytes", [20, 100, 5_000, 30_000])
def test_evtx_cut_short_is_a_fault_and_never_clean(n_bytes: int, tmp_path: Path) -> None:
    faults = [item for item in items_of(tmp_path / "x", SAMPLE.read_bytes()[:n_bytes]) if isinstance(item, SourceFault)]
    assert faults
    assert {fault.code for fault in faults} == {DAMAGED}


def test_evtx_damaged_chunk_is_a_fault(tmp_path: Path) -> None:
    data = bytearray(SAMPLE.read_bytes())
    data[4_096:4_104] = b"XXXXXXXX"
    assert [item.code for item in items_of(tmp_path / "x", bytes(data)) if isinstance(item, SourceFault)] == [DAMAGED]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(8, 60_000), st.binary(min_size=1, max_size=40)), max_size=6))
def test_evtx_with_any_damage_never_raises(
    damage: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(SAMPLE.read_bytes())
    for at, noise in damage:
        data[at : at + len(noise)] = noise
    items_of(tmp_path_factory.mktemp("evtx") / "x", bytes(data))

"""Captures through the real dissector; skipped where tshark is not installed."""

import gzip
import struct
import subprocess
from pathlib import Path
from typing import Final

import msgspec
import pytest

from amagasa.adapters.source import tshark
from amagasa.adapters.source.records import open_records
from amagasa.event.ot.columns import COLUMNS
from amagasa.event.record import Chunk, SourceFault

needs_tshark = pytest.mark.skipif(tshark.dissector() is None, reason="tshark is not installed")
FORCE_LISTEN_ONLY: Final = bytes.fromhex("000100000006 0a 08 0004 0000".replace(" ", ""))


def segment(payload: bytes, sequence: int, *, port: int = 502, client_port: int = 40_000) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", client_port, port, sequence, 1, 0x50, 0x18, 8_192, 0, 0) + payload
    addresses = bytes([192, 0, 2, 1, 192, 0, 2, 9])
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses
    return bytes(12) + b"\x08\x00" + ip + tcp


def pcap(*frames: bytes) -> bytes:
    records = [struct.pack("<IIII", 1_700_000_000 + n, 0, len(one), len(one)) + one for n, one in enumerate(frames)]
    return struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + b"".join(records)


def pcapng(*frames: bytes, n_dropped: int = 0) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack("<HHI", 1, 0, 65_535))
    packets = [
        block(6, struct.pack("<IIIII", 0, 0, 1_000_000 + n, len(one), len(one)) + one) for n, one in enumerate(frames)
    ]
    statistics = block(5, struct.pack("<III", 0, 0, 0) + struct.pack("<HHQHH", 5, 8, n_dropped, 0, 0))
    return section + interface + b"".join(packets) + statistics


def two_requests() -> tuple[bytes, bytes]:
    return segment(FORCE_LISTEN_ONLY, 1), segment(FORCE_LISTEN_ONLY, 1 + len(FORCE_LISTEN_ONLY))


def read(path: Path, data: bytes) -> tuple[list[dict[str, object]], list[SourceFault]]:
    path.write_bytes(data)
    items = list(open_records(path))
    lines = [line for item in items if isinstance(item, Chunk) for line in item.data.splitlines()]
    return [msgspec.json.decode(line) for line in lines], [item for item in items if isinstance(item, SourceFault)]


@needs_tshark
@pytest.mark.parametrize("make", [pcap, pcapng])
def test_capture_gives_its_messages_in_order_with_the_numbers_of_their_packets(tmp_path: Path, make: object) -> None:
    assert callable(make)
    messages, faults = read(tmp_path / "a.bin", make(*two_requests()))
    assert faults == []
    assert [(one["packet"], one["detail"]) for one in messages] == [(1, "force_listen_only"), (2, "force_listen_only")]


@needs_tshark
def test_capture_of_a_client_whose_port_is_known_for_something_else_is_read(tmp_path: Path) -> None:
    identity = bytes.fromhex("6300") + bytes(22)
    clients = (1_102, 1_433, 2_049, 3_306, 3_389, 5_060, 8_080, 20_001)
    frames = [segment(identity, 1, port=44_818, client_port=port) for port in clients]
    messages, faults = read(tmp_path / "a.pcap", pcap(*frames))
    assert faults == []
    assert [one["function_name"] for one in messages] == ["list_identity"] * len(clients)


@needs_tshark
def test_packed_capture_is_read_like_a_plain_one(tmp_path: Path) -> None:
    messages, faults = read(tmp_path / "a.gz", gzip.compress(pcap(*two_requests())))
    assert (len(messages), faults) == (2, [])


@needs_tshark
def test_capture_cut_inside_a_packet_gives_what_came_before_and_a_fault(tmp_path: Path) -> None:
    messages, faults = read(tmp_path / "a.pcap", pcap(*two_requests())[:-3])
    assert len(messages) == 1
    assert [fault.code for fault in faults] == ["AMG-SOURCE-006"]


@needs_tshark
def test_capture_whose_writer_dropped_packets_says_so(tmp_path: Path) -> None:
    _, faults = read(tmp_path / "a.pcapng", pcapng(*two_requests(), n_dropped=41))
    assert [fault.code for fault in faults] == [tshark.PACKETS_LOST]
    assert "41" in faults[0].why


@needs_tshark
def test_capture_of_other_traffic_gives_nothing_and_no_fault(tmp_path: Path) -> None:
    assert read(tmp_path / "a.pcap", pcap(segment(b"GET / HTTP/1.1\r\n\r\n", 1, port=80))) == ([], [])


@needs_tshark
@pytest.mark.parametrize("junk", [b"\xd4\xc3\xb2\xa1", b"\xd4\xc3\xb2\xa1" + bytes(20) + b"\xff" * 40])
def test_damaged_capture_is_a_fault(tmp_path: Path, junk: bytes) -> None:
    messages, faults = read(tmp_path / "a.pcap", junk)
    assert messages == []
    assert [fault.code for fault in faults] == ["AMG-SOURCE-006"]


def test_capture_without_the_dissector_is_a_fault_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    messages, faults = read(tmp_path / "a.pcap", pcap(*two_requests()))
    assert messages == []
    assert [fault.code for fault in faults] == [tshark.NO_DISSECTOR]
    assert "tshark" in faults[0].why


@needs_tshark
def test_dissector_that_dies_is_started_again_and_what_it_missed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, pipe = tshark._start, subprocess.PIPE
    n_started: list[int] = []

    def start(program: str, columns: tuple[str, ...]) -> subprocess.Popen[bytes]:
        n_started.append(1)
        if len(n_started) > 1:
            return real(program, columns)
        dying = ["sh", "-c", "head -c 30 >/dev/null; exit 139"]
        return subprocess.Popen(dying, stdin=pipe, stdout=pipe, stderr=pipe)

    monkeypatch.setattr(tshark, "_start", start)
    monkeypatch.setattr(tshark, "_known_columns", lambda _program: COLUMNS)
    frames = [segment(FORCE_LISTEN_ONLY, 1 + n * len(FORCE_LISTEN_ONLY)) for n in range(20_000)]
    messages, faults = read(tmp_path / "a.pcap", pcap(*frames))
    assert [fault.code for fault in faults] == [tshark.DISSECTOR_DIED]
    assert messages[-1]["packet"] == 20_000

"""A live interface: by a stand-in that writes packets where dumpcap would, and by dumpcap itself where it may."""

import os
import shutil
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from amagasa.adapters.source.capture import CAPTURE_ENDED, CAPTURE_LOST, NO_CAPTURE, CaptureFollower
from amagasa.adapters.source.follow import FollowStep
from tests.adapters.source.test_tshark import needs_tshark, pcap, segment, two_requests
from tests.journeys.nodes import eventually

AT: Final = datetime(2026, 11, 27, 9, tzinfo=UTC)
RUN: Final = "20261127080000"  # an earlier run
STAND_IN: Final = """#!{python}
import sys, time
print("Capturing on 'plant'", file=sys.stderr)
{body}
"""
may_capture = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dumpcap") is None, reason="capturing needs dumpcap and root"
)


def stand_in(folder: Path, body: str) -> str:
    path = folder / "capture-program"
    path.write_text(STAND_IN.format(python=sys.executable, body=body), encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def written(folder: Path, number: int, data: bytes, *, run: str = RUN) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{run}_{number:05d}_{run}.pcapng"
    path.write_bytes(data)
    return path


def packets_of(steps: list[FollowStep]) -> list[int]:
    return [number for step in steps for piece in step.pieces for number in getattr(piece.item, "numbers", None) or ()]


def codes_of(steps: list[FollowStep]) -> list[str]:
    return [fault.code for step in steps for fault in step.faults]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Callable[..., CaptureFollower]]:
    made: list[CaptureFollower] = []

    def make(
        token: dict[str, Any] | None = None, *, body: str = "time.sleep(60)", quota_bytes: int = 1 << 30
    ) -> CaptureFollower:
        program = stand_in(tmp_path, body)
        made.append(CaptureFollower("plant", tmp_path / "cap", token, quota_bytes=quota_bytes, program=program))
        return made[-1]

    yield make
    for one in made:
        one.close()


def polled(follower: CaptureFollower, until: Callable[[list[FollowStep]], bool]) -> list[FollowStep]:
    steps: list[FollowStep] = []

    def look() -> bool:
        steps.append(follower.poll(AT))
        return until(steps)

    eventually(look, about="what the follower brings")
    return steps


@needs_tshark
def test_capture_reads_finished_files_once_in_their_order_and_removes_what_is_committed(
    tmp_path: Path, follow: Callable[..., CaptureFollower]
) -> None:
    folder = tmp_path / "cap"
    written(folder, 1, pcap(*two_requests()))
    written(folder, 2, pcap(segment(b"GET / HTTP/1.1\r\n\r\n", 1, port=80)))  # nothing of industry
    written(folder, 3, pcap(two_requests()[0]))
    follower = follow()
    steps = polled(follower, lambda steps: len(packets_of(steps)) == 3)
    follower.committed(next(step.pieces[-1].token for step in reversed(steps) if step.pieces))
    polled(follower, lambda _: not list(folder.glob("*.pcapng")))
    assert packets_of(steps) == [1, 2, 1]


@needs_tshark
def test_capture_goes_on_within_a_file_behind_what_was_committed(
    tmp_path: Path, follow: Callable[..., CaptureFollower]
) -> None:
    written(tmp_path / "cap", 4, pcap(*two_requests()))
    follower = follow({"run": RUN, "file": 4, "packet": 1, "n_lost": 7})
    steps = polled(follower, lambda steps: bool(packets_of(steps)))
    assert packets_of(steps) == [2]
    assert follower.token()["n_lost"] == 7


def test_capture_that_ends_is_a_fault_and_is_started_again_later(follow: Callable[..., CaptureFollower]) -> None:
    told = "Packets received/dropped on interface 'plant': 90/17 (pcap:17/dumpcap:0/flushed:0/ps_ifdrop:0) (84.1%)"
    follower = follow(body=f'print("no such thing", file=sys.stderr); print("""{told}""", file=sys.stderr)')
    steps = polled(follower, lambda steps: CAPTURE_ENDED in codes_of(steps))
    assert "no such thing" in steps[-1].faults[-1].why
    assert "again in 1 s" in steps[-1].faults[-1].why
    assert follower.token()["n_lost"] == 17

    def again() -> bool:
        return "again in 2 s" in follower.poll(AT + timedelta(seconds=1.5)).faults[-1].why

    eventually(again, about="it was started once more, and ended")


def test_capture_beyond_its_room_lets_the_oldest_go_and_counts_it(
    tmp_path: Path, follow: Callable[..., CaptureFollower]
) -> None:
    for number in range(1, 9):
        written(tmp_path / "cap", number, bytes(1_000))
    follower = follow(quota_bytes=4_500)
    step = follower.poll(AT)
    assert CAPTURE_LOST in codes_of([step])
    assert follower.token()["n_lost_bytes"] == 4_000
    assert sorted(path.name[15:20] for path in (tmp_path / "cap").glob("*.pcapng")) == [
        f"0000{n}" for n in (5, 6, 7, 8)
    ]


def test_capture_without_its_program_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    step = CaptureFollower("plant", tmp_path / "cap", quota_bytes=1 << 30).poll(AT)
    assert codes_of([step]) == [NO_CAPTURE]
    assert "apt install tshark" in step.faults[0].why


def test_capture_program_ends_with_its_follower(tmp_path: Path, follow: Callable[..., CaptureFollower]) -> None:
    mark = tmp_path / "ended"
    body = (
        "import signal, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(mark)!r}).touch(), sys.exit(0)))\n"
        f"pathlib.Path({str(tmp_path / 'begun')!r}).touch()\n"
        "time.sleep(60)"
    )
    follower = follow(body=body)
    follower.poll(AT)
    eventually((tmp_path / "begun").exists, about="it runs")
    follower.close()
    assert mark.exists()


def speak_modbus(n: int) -> None:
    """Writes of a coil over the loopback, to the port that the protocol has."""

    def serve() -> None:
        caller, _ = server.accept()
        with caller:
            while caller.recv(1_000):
                caller.sendall(b"\0\1\0\0\0\6\1\5\0\1\xff\0")

    with socket.create_server(("127.0.0.1", 502)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with socket.create_connection(("127.0.0.1", 502)) as line:
            for number in range(n):
                line.sendall(struct.pack(">HHHBBHH", number, 0, 6, 1, 5, 1, 0xFF00))
                line.recv(100)
        thread.join()


@needs_tshark
@may_capture
def test_capture_of_the_loopback_sees_what_is_said_on_it(tmp_path: Path) -> None:
    follower = CaptureFollower("lo", tmp_path / "cap", quota_bytes=1 << 30)
    try:
        follower.poll(datetime.now(UTC))
        eventually(lambda: list((tmp_path / "cap").glob("*.pcapng")), about="it writes")
        seen: list[bytes] = []

        def look() -> bool:
            speak_modbus(3)
            time.sleep(0.1)
            seen.extend(getattr(piece.item, "data", b"") for piece in follower.poll(datetime.now(UTC)).pieces)
            return b"write_single_coil" in b"".join(seen)

        eventually(look, about="the writes are seen")
    finally:
        follower.close()

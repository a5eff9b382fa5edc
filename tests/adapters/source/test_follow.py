"""A growing log: every whole line once, whatever happens to the file and to the follower."""

import gzip
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.source.follow import LINGER_S, LOST, FileFollower, FollowStep
from amagasa.adapters.source.stream import MISSING, SPECIAL, UNKNOWN
from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.record import Chunk, Format, Reject
from tests.event.test_mapped import CSV

START = datetime(2026, 11, 23, tzinfo=UTC)


class World:
    """A log with a writer and a follower that commits what it got, or is killed before."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.now = START
        self.n_written = 0
        self.mtime_ns = 1_700_000_000_000_000_000
        self.committed: list[bytes] = []
        self.numbers: list[int] = []
        self.token: dict[str, object] | None = None
        self.follower: FileFollower | None = None

    def line(self) -> bytes:
        self.n_written += 1
        return b"line %d of the log\n" % self.n_written

    def append(self, n_lines: int, path: Path | None = None) -> None:
        with (path or self.path).open("ab") as file:
            file.writelines(self.line() for _ in range(n_lines))
        self.touch(path or self.path)

    def touch(self, path: Path) -> None:
        # Real rotations are hours apart; clocks of file systems do not tell milliseconds.
        self.mtime_ns += 1_000_000_000
        os.utime(path, ns=(self.mtime_ns, self.mtime_ns))

    def shift(self) -> None:
        for number in range(20, 0, -1):
            for ext in ("", ".gz"):
                old = self.path.with_name(f"access.log.{number}{ext}")
                if old.exists():
                    old.rename(self.path.with_name(f"access.log.{number + 1}{ext}"))

    def rotate(self) -> None:
        if not self.path.exists():
            return
        self.shift()
        self.path.rename(self.path.with_name("access.log.1"))
        self.path.touch()
        self.touch(self.path)

    def copy_and_cut(self) -> None:
        if not self.path.exists():
            return
        self.shift()
        shutil.copyfile(self.path, self.path.with_name("access.log.1"))
        self.touch(self.path.with_name("access.log.1"))
        os.truncate(self.path, 0)
        self.touch(self.path)

    def pack(self) -> None:
        plain = self.path.with_name("access.log.1")
        if plain.exists():
            packed = self.path.with_name("access.log.1.gz")
            packed.write_bytes(gzip.compress(plain.read_bytes()))
            os.utime(packed, ns=(plain.stat().st_mtime_ns, plain.stat().st_mtime_ns))
            plain.unlink()

    def poll(self, n_commit: int | None = None, poll_bytes: int = 1 << 23) -> FollowStep:
        if self.follower is None:
            self.follower = FileFollower.resume(str(self.path), self.token, Format.ACCESS, poll_bytes=poll_bytes)
        step = self.follower.poll(self.now)
        for piece in step.pieces[:n_commit]:
            assert isinstance(piece.item, Chunk)
            lines = piece.item.data.splitlines(keepends=True)
            self.committed += lines
            self.numbers += range(piece.item.first_record, piece.item.first_record + len(lines))
            self.token = json.loads(json.dumps(piece.token))
        if n_commit is not None and n_commit < len(step.pieces):
            self.kill()
        return step

    def kill(self) -> None:
        if self.follower is not None:
            self.follower.close()
            self.follower = None

    def wait(self) -> None:
        self.now += timedelta(seconds=LINGER_S / 2)

    def drain(self) -> None:
        for _ in range(3):
            while self.poll().has_more:
                pass
            self.now += timedelta(seconds=LINGER_S + 1)
        self.kill()

    def check(self) -> None:
        self.drain()
        expected = [b"line %d of the log\n" % number for number in range(1, self.n_written + 1)]
        assert self.committed == expected
        assert self.numbers == list(range(1, self.n_written + 1))


ACTS: dict[str, Callable[[World], object]] = {
    "append": lambda world: world.append(3),
    "append much": lambda world: world.append(400),
    "rotate": World.rotate,
    "copy and cut": World.copy_and_cut,
    "pack": World.pack,
    "poll": World.poll,
    "poll and be killed before the commit": lambda world: world.poll(n_commit=0),
    "be killed": World.kill,
    "wait": lambda world: world.wait(),
}


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=14))
def test_follower_any_schedule_of_rotations_and_kills_gives_every_line_once(
    acts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("log"))
    world.append(2)
    world.poll()
    for act in acts:
        ACTS[act](world)
        if act in {"rotate", "copy and cut"}:
            world.append(1)
    world.check()


def test_follower_writer_that_keeps_the_old_file_open_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(2)
    with world.path.open("ab") as late:
        world.poll()
        world.rotate()
        world.append(1)
        world.poll()
        late.write(world.line())
        late.flush()
        world.poll()
    world.drain()
    assert sorted(world.committed) == [b"line %d of the log\n" % number for number in (1, 2, 3, 4)]
    assert world.numbers == [1, 2, 3, 4]


def test_follower_line_without_its_end_waits_for_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.path.write_bytes(b"one\ntw")
    world.poll()
    assert world.committed == [b"one\n"]
    with world.path.open("ab") as file:
        file.write(b"o\nthree")
    world.poll()
    assert world.committed == [b"one\n", b"two\n"]


def test_follower_line_without_its_end_in_a_rotated_file_is_given_after_the_writer_had_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.path.write_bytes(b"one\ntwo")
    world.rotate()
    world.poll()
    world.rotate()
    world.path.write_bytes(b"three\n")
    world.drain()
    assert sorted(world.committed) == [b"one\n", b"three\n", b"two"]


def test_follower_file_not_there_yet_is_a_fault_until_it_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    first = world.poll()
    assert [fault.code for fault in first.faults] == [MISSING]
    assert world.poll().faults == first.faults
    world.append(1)
    assert world.poll().faults == ()
    assert world.committed == [b"line 1 of the log\n"]


def test_follower_file_deleted_and_made_again_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(2)
    world.poll()
    world.append(1)
    world.path.unlink()
    assert [fault.code for fault in world.poll().faults] == [MISSING]
    world.append(1)
    world.check()


def test_follower_folder_or_pipe_in_place_of_the_log_is_a_fault(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        step = FileFollower(str(path), Format.ACCESS).poll(START)
        assert [fault.code for fault in step.faults] == [SPECIAL]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_follower_permission_lost_is_a_fault_and_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(1)
    world.path.chmod(0)
    assert world.poll().faults
    world.path.chmod(0o600)
    assert world.poll().faults == ()


def test_follower_packed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(b"line\n"))
    assert [fault.code for fault in FileFollower(str(path)).poll(START).faults] == [UNKNOWN]


def test_follower_format_told_by_content_is_kept_in_the_token(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_bytes(b"Nov 23 01:02:03 host sshd[1]: Accepted password for u from 203.0.113.7 port 2 ssh2\n")
    step = FileFollower(str(path)).poll(START)
    assert [piece.item.format for piece in step.pieces if isinstance(piece.item, Chunk)] == [Format.SYSLOG]
    with path.open("ab") as file:
        file.write(b"what nobody could tell\n")
    again = FileFollower.resume(str(path), step.pieces[-1].token).poll(START)
    assert [piece.item.format for piece in again.pieces if isinstance(piece.item, Chunk)] == [Format.SYSLOG]


def test_follower_format_that_cannot_be_told_reads_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_bytes(b"nobody knows what this is\n" * 2_000)
    step = FileFollower(str(path)).poll(START)
    assert [fault.code for fault in step.faults] == [UNKNOWN]
    assert step.lag_bytes == path.stat().st_size


def test_follower_line_over_the_limit_is_one_reject_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")
    follower = FileFollower(str(path), Format.ACCESS)
    pieces = [piece for _ in range(3) for piece in follower.poll(START).pieces]
    assert [
        (type(piece.item), getattr(piece.item, "record", getattr(piece.item, "first_record", 0))) for piece in pieces
    ] == [
        (Chunk, 1),
        (Reject, 2),
        (Chunk, 3),
    ]


def test_follower_killed_between_chunks_goes_on_behind_the_committed_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(120_000)
    step = world.poll(n_commit=1)
    assert len(step.pieces) > 1
    world.check()


def test_follower_big_backlog_is_brought_in_bounded_steps(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(250_000)
    step = world.poll(poll_bytes=1 << 20)
    assert step.has_more
    assert 0 < step.lag_bytes < world.path.stat().st_size
    assert sum(len(piece.item.data) for piece in step.pieces if isinstance(piece.item, Chunk)) <= 3 << 20


def test_follower_rotated_file_that_is_gone_is_said_once_and_the_new_one_is_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(60_000)
    world.poll(n_commit=1)
    world.kill()
    world.path.unlink()
    world.path.write_bytes(b"after\n")
    step = world.poll()
    assert [fault.code for fault in step.faults] == [LOST]
    assert world.committed[-1] == b"after\n"
    assert world.poll().faults == ()


def test_follower_rotated_file_that_was_damaged_by_packing_is_a_fault(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.append(80_000)
    world.poll(n_commit=1)
    world.kill()
    world.rotate()
    world.pack()
    packed = world.path.with_name("access.log.1.gz")
    os.truncate(packed, packed.stat().st_size - 100)
    world.append(1)
    steps = [world.poll() for _ in range(3)]
    assert [fault.code for step in steps for fault in step.faults] == ["AMG-SOURCE-006"]
    assert world.committed[-1] == b"line 80001 of the log\n"


def test_follow_with_a_mapping_says_it_of_every_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,192.0.2.1,/x,\n")
    (piece,) = FileFollower.resume(str(path), None, mapping=CSV).poll(START).pieces
    assert isinstance(piece.item, Chunk)
    assert piece.item.mapping == CSV
    path.write_bytes(b"1,192.0.2.1,/x,\n2,192.0.2.2,/y,\n")
    (again,) = FileFollower.resume(str(path), piece.token, mapping=CSV).poll(START).pieces
    assert isinstance(again.item, Chunk)
    assert (again.item.mapping, again.item.first_record) == (CSV, 2)

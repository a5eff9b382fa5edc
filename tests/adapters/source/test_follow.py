"""A growing log: every whole line once, whatever happens to the file and to the follower."""

import gzip
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
        for number in (8, 7, 6, 5, 4, 3, 2, 1):
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
            self.token = piece.token
        if n_commit is not None and n_commit < len(step.pieces):
            self.kill()
        return step

    def kill(self) -> None:
        if self.follower is not None:
            self.follower.close()
            self.follower = None

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

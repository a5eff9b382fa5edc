"""The logs of a folder, or of a pattern: every whole line once, whatever comes, is rotated, packed or goes."""

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.source import folder as folder_module
from amagasa.adapters.source.folder import TOO_MANY, FolderFollower, is_many
from amagasa.adapters.source.follow import LINGER_S, FileFollower, FollowStep
from amagasa.adapters.source.stream import MISSING, UNKNOWN
from amagasa.event.record import Chunk, Format

START = datetime(2026, 11, 23, tzinfo=UTC)


class World:
    """A folder with writers, and a follower that commits what it got, or is killed before."""

    def __init__(self, folder: Path, path: str = "") -> None:
        self.folder = folder
        self.path = path or str(folder)
        self.now = START
        self.n_written = 0
        self.day = 0
        self.mtime_s = START.timestamp() + 1
        self.committed: list[str] = []
        self.numbers: list[int] = []
        self.token: dict[str, Any] | None = None
        self.follower: FolderFollower | None = None
        self.last = FollowStep()

    def write(self, name: str, n_lines: int = 1) -> None:
        path = self.folder / name
        with path.open("ab") as file:
            for _ in range(n_lines):
                self.n_written += 1
                file.write(b"line %d\n" % self.n_written)
        self.touch(path)

    def touch(self, path: Path) -> None:
        self.mtime_s = max(self.mtime_s, self.now.timestamp()) + 1
        os.utime(path, (self.mtime_s, self.mtime_s))

    def pack(self, name: str) -> None:
        path = self.folder / name
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        os.utime(packed, (path.stat().st_mtime, path.stat().st_mtime))
        path.unlink()

    def read(self, *, is_killed: bool = False, wait_s: float = 3) -> None:
        """All there is, committed piece by piece; or, killed, read and not committed."""
        self.now += timedelta(seconds=wait_s)
        if self.follower is None:
            self.follower = FolderFollower.resume(self.path, self.token, Format.SYSLOG, poll_bytes=64)
        for _ in range(200):
            self.last = self.follower.poll(self.now)
            for piece in self.last.pieces:
                assert isinstance(piece.item, Chunk)
                if is_killed:
                    break
                lines = piece.item.data.decode().splitlines()
                self.committed += lines
                self.numbers += range(piece.item.first_record, piece.item.first_record + len(lines))
                self.token = json.loads(json.dumps(piece.token))
            if is_killed or not (self.last.pieces or self.last.has_more):
                break
        if is_killed:
            self.stop()

    def stop(self) -> None:
        if self.follower is not None:
            self.follower.close()
        self.follower = None

    def lines(self) -> list[int]:
        return sorted(int(line.split()[1]) for line in self.committed)

    def act(self, act: str, name: str, n_lines: int) -> None:
        """One thing that happens."""
        day = f"day-{20260000 + self.day}.log"
        match act:
            case "write":
                self.write(name, n_lines)
            case "new":
                self.day += 1
                self.write(f"day-{20260000 + self.day}.log", n_lines)
            case "pack" if (self.folder / day).exists():
                self.pack(day)
            case "rotate" | "shift" if (self.folder / name).exists():
                self.rotate(name, is_dated=act == "rotate")
            case "read" | "kill":
                self.read(is_killed=act == "kill")
            case "stop":
                self.stop()
            case "wait":
                self.read(wait_s=2 * LINGER_S)

    def rotate(self, name: str, *, is_dated: bool) -> None:
        self.day += 1
        for number in range(30 if not is_dated else 0, 0, -1):
            if (self.folder / f"{name}.{number}").exists():
                (self.folder / f"{name}.{number}").rename(self.folder / f"{name}.{number + 1}")
        (self.folder / name).rename(self.folder / (f"{name}-{20260000 + self.day}" if is_dated else f"{name}.1"))
        (self.folder / name).touch()  # without it a log that was never seen looks like one of the name `log.1`
        self.touch(self.folder / name)

    def check(self) -> None:
        self.stop()
        assert self.lines() == list(range(1, self.n_written + 1))
        assert self.numbers == list(range(1, len(self.numbers) + 1))


def test_every_log_of_a_folder_is_read_and_new_ones_are_found(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a.log", 3)
    world.write("b.log", 2)
    world.read()
    world.write("c.log", 2)
    world.write("a.log")
    world.read()
    world.stop()
    world.write("d.log")
    world.write("b.log")
    world.read()
    world.check()


def test_pattern_reads_what_fits_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    world = World(tmp_path, f"{tmp_path}/**/*.log")
    world.write("a.log")
    world.write("deep/b.log")
    world.read()
    (tmp_path / "c.txt").write_text("other\n")
    (tmp_path / ".hidden.log").write_text("hidden\n")
    world.read()
    world.check()


def test_pattern_that_nothing_fits_yet_is_said_and_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, f"{tmp_path}/*.log")
    world.read()
    codes = [fault.code for fault in world.last.faults]
    world.write("a.log")
    world.read()
    assert (codes, [fault.code for fault in world.last.faults]) == ([MISSING], [])
    world.check()


def test_rotated_forms_belong_to_their_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a.log", 2)
    world.read()
    for _ in range(3):
        world.write("a.log", 2)
        for number in (2, 1):
            if (tmp_path / f"a.log.{number}").exists():
                (tmp_path / f"a.log.{number}").rename(tmp_path / f"a.log.{number + 1}")
        (tmp_path / "a.log").rename(tmp_path / "a.log.1")
        world.write("a.log", 1)
        world.read()
    world.write("a.log", 1)
    (tmp_path / "a.log").rename(tmp_path / "a-20261124.log")
    world.write("a.log", 1)
    world.read()
    world.check()


@pytest.mark.parametrize("is_watching", [True, False])
def test_days_that_are_packed_while_nobody_looks_are_read_whole_once(tmp_path: Path, is_watching: bool) -> None:  # noqa: FBT001
    world = World(tmp_path)
    world.write("app-2026-11-23.log", 2)
    world.read()
    if not is_watching:
        world.stop()
    world.write("app-2026-11-23.log", 2)
    world.pack("app-2026-11-23.log")
    world.write("app-2026-11-24.log", 2)
    world.pack("app-2026-11-24.log")
    world.write("app-2026-11-25.log", 2)
    world.read()
    world.read(wait_s=2 * LINGER_S)
    world.stop()
    world.read()
    world.check()


def test_packed_logs_of_before_are_passed_over_and_so_is_a_second_name_of_a_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(b"of long ago\n"))
    os.utime(tmp_path / "old.log.gz", (START.timestamp() - 9, START.timestamp() - 9))
    world.write("app-1.log", 2)
    (tmp_path / "current").symlink_to("app-1.log")
    world.read()
    world.stop()
    world.write("app-1.log", 1)
    world.read()
    world.check()


def test_log_that_is_gone_is_let_go_and_one_of_its_name_later_is_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a.log", 2)
    world.read()
    (tmp_path / "a.log").unlink()
    world.read()
    world.read(wait_s=2 * LINGER_S)
    assert [fault.code for fault in world.last.faults] == [MISSING]
    world.write("b.log")
    world.read()
    assert world.token is not None
    assert list(world.token["logs"]) == [str(tmp_path / "b.log")]
    world.write("a.log", 3)
    world.read()
    world.check()


def test_log_that_was_renamed_is_gone_on_with_under_its_new_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a.tmp", 2)
    world.read()
    (tmp_path / "a.tmp").rename(tmp_path / "a.log")
    world.read()
    world.read(wait_s=2 * LINGER_S)
    world.write("a.log", 2)
    world.read()
    world.stop()
    world.write("a.log", 1)
    world.read()
    world.check()


def test_byte_order_mark_at_the_head_of_each_log_is_no_part_of_a_record(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbfline\n")
    world = World(tmp_path)
    world.read()
    assert world.committed == ["line", "line"]
    world.stop()


def test_log_that_cannot_be_read_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / f"{name}.bin").write_bytes(b"\0\1 nothing known\n" * 2_000)
    (tmp_path / "z.json").write_text('{"a": 1}\n')
    follower = FolderFollower(str(tmp_path))
    step = follower.poll(START)
    follower.close()
    assert [piece.item.data for piece in step.pieces if isinstance(piece.item, Chunk)] == [b'{"a": 1}\n']
    assert [fault.code for fault in step.faults] == [UNKNOWN] * 4
    assert "a.bin" in step.faults[0].why
    assert "2 other logs" in step.faults[3].why


def test_log_in_utf_16_is_said_and_not_taken_for_one_that_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes("line 1\n".encode("utf-16"))
    world = World(tmp_path)
    world.read()
    assert ([fault.code for fault in world.last.faults], world.committed) == ([UNKNOWN], [])
    world.stop()


def test_folder_of_more_logs_than_are_followed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MAX_LOGS", 2)
    world = World(tmp_path)
    for name in "abc":
        world.write(f"{name}.log")
    world.read()
    assert world.lines() == [1, 2]
    assert [fault.code for fault in world.last.faults] == [TOO_MANY]
    world.stop()


def test_folder_of_more_names_than_are_listed_says_so_and_goes_on_with_its_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "MAX_NAMES", 3)
    world = World(tmp_path)
    for name in "ab":
        world.write(f"{name}.log")
    world.read()
    for name in "acd":
        world.write(f"{name}.log")
    for _ in range(100):  # long enough for a log that is gone to be let go
        world.read()
    assert [fault.code for fault in world.last.faults] == [TOO_MANY]
    assert world.lines() == [1, 2, 3]
    (tmp_path / "d.log").unlink()
    world.read()
    assert world.lines() == [1, 2, 3, 4]
    assert world.last.faults == ()
    world.stop()


def test_folder_that_is_gone_is_a_fault_and_read_on_once_it_is_back(tmp_path: Path) -> None:
    inner = tmp_path / "logs"
    inner.mkdir()
    world = World(inner)
    world.write("a.log")
    world.read()
    inner.rename(tmp_path / "away")
    world.read()
    faults = world.last.faults
    assert len(faults) == 1
    (tmp_path / "away").rename(inner)
    world.write("a.log")
    world.read()
    assert not world.last.faults
    world.check()


def test_position_goes_over_between_a_log_and_its_folder(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("a.log", 2)
    world.read()
    world.write("a.log", 1)
    one = FileFollower.resume(str(tmp_path / "a.log"), world.token, Format.SYSLOG)
    (piece,) = one.poll(world.now).pieces
    one.close()
    assert isinstance(piece.item, Chunk)
    assert (piece.item.data, piece.item.first_record) == (b"line 3\n", 3)
    folder = FolderFollower.resume(str(tmp_path), piece.token, Format.SYSLOG)
    assert not folder.poll(world.now).pieces
    folder.close()


@pytest.mark.parametrize(("path", "many"), [("", True), ("a.log", False), ("*.log", True), ("b", False), ("b/", True)])
def test_is_many_tells_a_folder_or_a_pattern_from_a_log(tmp_path: Path, path: str, many: bool) -> None:  # noqa: FBT001
    (tmp_path / "a.log").touch()
    assert is_many(f"{tmp_path}/{path}") is many


ACTS = st.sampled_from(["write", "new", "rotate", "shift", "pack", "read", "kill", "stop", "wait"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(acts=st.lists(st.tuples(ACTS, st.integers(0, 2)), max_size=25))
def test_whatever_happens_every_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("folder"))
    world.write("first.log")
    world.read()  # what was packed before it is passed over
    for act, which in acts:
        world.act(act, f"log{'abc'[which]}.log", which + 1)
    world.read()
    world.read(wait_s=2 * LINGER_S)
    world.stop()
    world.read()
    world.stop()
    world.check()

"""The spool and its reader: killed, full, damaged, read on from every position."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.adapters.source.segments import frame_of, segment_path, segments_in
from amagasa.adapters.source.spool import Spool
from amagasa.adapters.source.spooled import PATIENCE_S, SpoolFollower
from amagasa.app.spool_ports import Kept
from amagasa.event.record import Chunk, Format

NOW = datetime(2026, 11, 27, tzinfo=UTC)
MIB = 1_048_576


def spool_in(folder: Path, *, quota_bytes: int = 64 * MIB, segment_bytes: int = 200, least: int = 0) -> Spool:
    return Spool(folder, quota_bytes=quota_bytes, segment_bytes=segment_bytes, least=least, now_ns=lambda: 10**18)


def follower_in(folder: Path, token: dict[str, object] | None = None, *, poll_bytes: int = 100) -> SpoolFollower:
    return SpoolFollower(folder, "fw", token, Format.SYSLOG, poll_bytes=poll_bytes)


def lines_of(follower: SpoolFollower, *, at: datetime = NOW) -> tuple[list[bytes], list[str]]:
    """All that is there now, and the codes of the faults on the way; positions are committed as they come."""
    lines: list[bytes] = []
    codes: list[str] = []
    while True:
        step = follower.poll(at)
        codes += [one.code for one in step.faults]
        for piece in step.pieces:
            assert isinstance(piece.item, Chunk)
            assert piece.item.first_record == piece.token["n_records"] - piece.item.data.count(b"\n") + 1
            lines += piece.item.data.splitlines()
            follower.committed(piece.token)
        if not step.pieces and not step.faults:
            return lines, codes


def test_spool_gives_what_was_kept_in_order_over_segments_and_writers(tmp_path: Path) -> None:
    wanted = []
    for run in range(3):
        spool = spool_in(tmp_path)
        for n in range(9):
            line = b"line %d of run %d" % (n, run)
            assert spool.keep(line + b"\n") is Kept.KEPT
            wanted.append(line)
        spool.close()
    assert lines_of(follower_in(tmp_path)) == (wanted, [])


def test_segments_go_once_they_are_committed_and_the_position_outlives_them(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for n in range(30):
        spool.keep(b"line %d\n" % n)
    n_before = len(segments_in(tmp_path))
    follower = follower_in(tmp_path)
    lines_of(follower)
    follower.poll(NOW)
    assert (n_before > 3, len(segments_in(tmp_path))) == (True, 1)
    spool.keep(b"the next\n")
    assert lines_of(follower_in(tmp_path, follower.token())) == ([b"the next"], [])


def test_nothing_uncommitted_goes(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for n in range(30):
        spool.keep(b"line %d\n" % n)
    follower = follower_in(tmp_path)
    while follower.poll(NOW).pieces:
        pass
    assert len(lines_of(follower_in(tmp_path))[0]) == 30


def test_full_spool_keeps_nothing_until_its_reader_has_committed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, quota_bytes=600, segment_bytes=10_000)
    n_kept = 0
    while spool.keep(b"x" * 80 + b"\n") is Kept.KEPT:
        n_kept += 1
    follower = follower_in(tmp_path)
    assert len(lines_of(follower)[0]) == n_kept
    follower.poll(NOW)
    spool._counted_at = 0.0
    assert spool.keep(b"room again\n") is Kept.KEPT
    assert lines_of(follower)[0] == [b"room again"]


def test_numbers_go_on_behind_what_was_committed_where_the_folder_was_emptied(tmp_path: Path) -> None:
    first = spool_in(tmp_path)
    for n in range(30):
        first.keep(b"line %d\n" % n)
    follower = follower_in(tmp_path)
    lines_of(follower)
    token = follower.token()
    first.close()
    for segment in segments_in(tmp_path):
        segment.path.unlink()
    spool_in(tmp_path, least=token["segment"]).keep(b"after all\n")
    assert lines_of(follower_in(tmp_path, token)) == ([b"after all"], [])


def test_segments_that_somebody_took_away_are_told_as_lost(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for n in range(30):
        spool.keep(b"line %d\n" % n)
    follower = follower_in(tmp_path)
    piece = follower.poll(NOW).pieces[0]
    segment_path(tmp_path, 1).unlink()
    segment_path(tmp_path, 2).unlink()
    lines, codes = lines_of(follower_in(tmp_path, piece.token))
    assert (codes, lines[-1]) == (["AMG-SOURCE-011"], b"line 29")


def test_write_cut_off_by_a_kill_is_passed_over_and_what_follows_is_read(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    spool.keep(b"whole\n")
    spool.close()
    with segment_path(tmp_path, 1).open("ab") as stream:
        stream.write(frame_of(b"half\n", at_ns=1)[:-2])
    assert lines_of(follower_in(tmp_path)) == ([b"whole"], [])
    spool_in(tmp_path).keep(b"next\n")
    assert lines_of(follower_in(tmp_path)) == ([b"whole", b"next"], [])


def test_damaged_frame_is_told_and_the_next_sound_one_is_read(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, segment_bytes=10_000)
    for n in range(3):
        spool.keep(b"line %d\n" % n)
    path = segment_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"line 1")] ^= 1
    path.write_bytes(data)
    follower = follower_in(tmp_path)
    lines = lines_of(follower)[0]
    later, codes = lines_of(follower, at=NOW + timedelta(seconds=PATIENCE_S))
    assert (lines, later, codes) == ([b"line 0"], [b"line 2"], ["AMG-SOURCE-011"])


def test_frame_longer_than_a_poll_is_given_in_pieces_each_with_its_position(tmp_path: Path) -> None:
    wanted = [b"record %d" % n for n in range(100)]
    spool_in(tmp_path).keep(b"\n".join(wanted) + b"\n")
    pieces = follower_in(tmp_path).poll(NOW).pieces
    assert len(pieces) > 5
    for index, piece in enumerate(pieces):
        assert isinstance(piece.item, Chunk)
        before = [line for one in pieces[: index + 1] for line in one.item.data.splitlines()]  # type: ignore[union-attr]
        assert before + lines_of(follower_in(tmp_path, piece.token))[0] == wanted


def test_identifier_seen_before_is_known_over_restarts_and_after_its_segment_is_gone(tmp_path: Path) -> None:
    one, two = b"1" * 16, b"2" * 16
    spool = spool_in(tmp_path)
    assert spool.keep(b"a\n", one) is Kept.KEPT
    assert spool.keep(b"a\n", one) is Kept.KNOWN
    spool.close()
    (tmp_path / "ids").unlink()  # a kill before it was noted
    spool = spool_in(tmp_path)
    assert spool.keep(b"a\n", one) is Kept.KNOWN
    for _ in range(20):
        spool.keep(b"b" * 50 + b"\n")
    follower = follower_in(tmp_path)
    lines_of(follower)
    follower.poll(NOW)
    spool.close()
    spool = spool_in(tmp_path)
    assert (spool.keep(b"a\n", one), spool.keep(b"a\n", two)) == (Kept.KNOWN, Kept.KEPT)


def test_identifier_is_noted_only_once_its_frame_is_on_the_disk(tmp_path: Path) -> None:
    one, two, three = b"1" * 16, b"2" * 16, b"3" * 16
    spool = spool_in(tmp_path, segment_bytes=10_000)
    spool.keep(b"a\n", one)
    spool.sync()
    n_synced = segment_path(tmp_path, 1).stat().st_size
    spool.keep(b"b\n", two)
    noted = (tmp_path / "ids").read_bytes()
    # The power fails: of the segment what was synced is left, of the other file all that was written.
    left = tmp_path / "left"
    left.mkdir()
    segment_path(left, 1).write_bytes(segment_path(tmp_path, 1).read_bytes()[:n_synced])
    (left / "ids").write_bytes(noted)
    spool.close()
    again = spool_in(left)
    assert (again.keep(b"a\n", one), again.keep(b"b\n", two)) == (Kept.KNOWN, Kept.KEPT)
    again.close()
    spool = spool_in(tmp_path)
    spool.keep(b"c\n", three)
    assert spool.ids() == (one, two, three)
    spool.close()


def test_spool_has_one_writer(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    with pytest.raises(BlockingIOError):
        spool_in(tmp_path)
    spool.close()
    spool_in(tmp_path)


DISK_FULL = """
import resource, signal, sys
from pathlib import Path
from amagasa.adapters.source.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]), quota_bytes=10**9)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
kept = [spool.keep(b"%03d" % n + b"x" * 300 + b"\\n").value for n in range(5)]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(*kept, bool(spool.why), spool.keep(b"after\\n").value)
"""


def test_disk_that_is_full_keeps_no_half_frame_and_all_goes_on_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DISK_FULL, str(tmp_path)], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["kept", "kept", "broken", "broken", "broken", "True", "kept"]
    assert [line[:5] for line in lines_of(follower_in(tmp_path))[0]] == [b"000xx", b"001xx", b"after"]


KILLED = """
import sys
from pathlib import Path
from amagasa.adapters.source.spool import Spool
spool = Spool(Path(sys.argv[1]), quota_bytes=10**9, segment_bytes=4096)
n = 0
while True:
    spool.keep(b"%d\\n" % n)
    print(n, flush=True)
    n += 1
"""


def test_writer_killed_at_any_instant_loses_nothing_that_it_had_kept(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == b"700\n":
                break
        child.kill()
        confirmed = int(([b"700", *child.stdout.read().split()])[-1])
    found = [int(line) for line in lines_of(follower_in(tmp_path))[0]]
    assert found == list(range(len(found)))
    assert len(found) > confirmed


@given(
    data=st.binary(max_size=400),
    place=st.fixed_dictionaries(
        {"segment": st.integers(0, 3), "offset": st.integers(0, 500), "n_records": st.integers(0, 9)}
    ),
)
@settings(deadline=None)
def test_hostile_segment_raises_nothing_and_comes_to_an_end(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, place: dict[str, int]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    segment_path(folder, 1).write_bytes(data + frame_of(b"a\n", at_ns=1) + data)
    segment_path(folder, 2).write_bytes(data)
    lines_of(follower_in(folder, dict(place)), at=NOW)


def test_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    step = follower_in(tmp_path / "none").poll(NOW)
    assert (step.pieces, step.faults, step.lag_bytes) == ((), (), 0)


def test_folder_that_may_not_be_read_is_a_fault(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_bytes(b"")
    assert [one.code for one in follower_in(folder).poll(NOW).faults] == ["AMG-SOURCE-001"]


def test_format_of_pushed_records_is_told_by_the_first_and_kept_in_the_position(tmp_path: Path) -> None:
    spool_in(tmp_path).keep(b'{"a": 1}\n')
    follower = SpoolFollower(tmp_path, "push")
    (piece,) = follower.poll(NOW).pieces
    assert isinstance(piece.item, Chunk)
    assert (piece.item.format, piece.token["form"]) == (Format.JSON, "json")

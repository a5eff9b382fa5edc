"""The file of rejects: bytes as they came, committed with the position, whatever happens to the disk."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.spool import rejects
from amagasa.adapters.spool.rejects import FolderRejects, RejectWriter, path_of
from amagasa.app.reject_ports import Mark, Rejected, RejectHead
from amagasa.event.record import Format
from amagasa.vocab.errors import WorldError
from amagasa.vocab.text import folder_name

AT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
RAW = st.binary(min_size=1, max_size=60).filter(lambda raw: b"\n" not in raw)


def reject(number: int, raw: bytes = b"no line of a log") -> Rejected:
    return Rejected(
        path="access.log",
        record=number,
        why="it is no line",
        code="AMG-EVENT-002",
        read_at=AT,
        form=Format.ACCESS,
        raw=raw,
    )


def writer_of(root: Path, head: RejectHead | None = None, *, quota_bytes: int = 1 << 30) -> RejectWriter:
    return RejectWriter(root, "web", head or RejectHead(), quota_bytes=quota_bytes)


def kept_in(root: Path, head: RejectHead) -> list[Rejected]:
    found: list[Rejected] = []
    mark = head.start
    while mark < head.end:
        part = FolderRejects(root).read("web", mark, head.end, max_bytes=1 << 20, limit=2)
        found += part.rejected
        mark = part.behind
    return found


@given(raws=st.lists(RAW, min_size=1, max_size=8))
def test_rejects_of_any_bytes_come_back_as_they_came(
    tmp_path_factory: pytest.TempPathFactory, raws: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("rejects")
    writer = writer_of(root)
    given_ = [reject(number, raw) for number, raw in enumerate(raws, 1)]
    writer.add(given_)
    writer.close()
    assert kept_in(root, writer.head) == given_


def test_rejects_behind_the_committed_head_are_cut_off_at_the_next_start(tmp_path: Path) -> None:
    first = writer_of(tmp_path)
    first.add([reject(1)])
    committed = first.head
    first.add([reject(2)])
    first.close()
    second = writer_of(tmp_path, committed)
    second.add([reject(2)])
    second.close()
    assert [one.record for one in kept_in(tmp_path, second.head)] == [1, 2]


def test_rejects_of_a_damaged_line_are_counted_and_the_others_read(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.add([reject(1, b"first"), reject(2, b"second"), reject(3, b"third")])
    writer.close()
    path = path_of(tmp_path / folder_name("web"), 1)
    path.write_bytes(path.read_bytes().replace(b"second", b"sECOND"))
    again = writer_of(tmp_path, writer.head)
    again.feed_again()
    assert [one.record for one in again.next(1 << 20)] == [1, 3]
    assert (again.head.n_kept, again.head.n_damaged, again.head.until) == (0, 1, None)


def test_rejects_in_a_file_shorter_than_was_committed_do_not_mix_with_new_ones(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.add([reject(1), reject(2)])
    writer.close()
    os.truncate(path_of(tmp_path / folder_name("web"), 1), 30)
    again = writer_of(tmp_path, writer.head)
    again.add([reject(3)])
    again.close()
    assert [one.record for one in kept_in(tmp_path, again.head)] == [3]


def test_rejects_that_cannot_be_written_are_counted_and_said_until_they_can(tmp_path: Path) -> None:
    root = tmp_path / "rejects"
    root.write_text("a file where a folder should be")
    writer = writer_of(root)
    writer.add([reject(1)])
    assert "AMG-REJECTS-WRITE" in writer.fault
    assert (writer.head.n_kept, writer.head.n_unkept, writer.head.end) == (0, 1, Mark())
    root.unlink()
    writer.add([reject(2)])
    writer.close()
    assert (writer.fault, writer.head.n_kept) == ("", 1)
    assert [one.record for one in kept_in(root, writer.head)] == [2]


def test_rejects_without_bytes_count_as_not_kept(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.add([reject(1, b"")])
    assert (writer.head.n_kept, writer.head.n_unkept) == (0, 1)


def test_rejects_beyond_the_quota_let_the_oldest_part_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "PART_BYTES", 1_000)
    writer = writer_of(tmp_path, quota_bytes=3_000)
    for number in range(1, 41):
        writer.add([reject(number, b"x" * 200)])
    writer.settled(writer.head)
    writer.close()
    kept = [one.record for one in kept_in(tmp_path, writer.head)]
    assert kept == list(range(40 - len(kept) + 1, 41))
    assert (writer.head.n_kept, writer.head.n_kept + writer.head.n_let_go) == (len(kept), 40)
    assert sum(path.stat().st_size for path in (tmp_path / folder_name("web")).glob("*.rejects")) <= 4_000


def test_rejects_fed_again_come_once_and_those_that_come_meanwhile_stay(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.add([reject(number) for number in range(1, 6)])
    writer.feed_again()
    fed = list(writer.next(300))
    writer.add([reject(6)])
    while writer.head.until is not None:
        fed += writer.next(300)
    writer.close()
    assert [one.record for one in fed] == [1, 2, 3, 4, 5]
    assert [one.record for one in kept_in(tmp_path, writer.head)] == [6]
    assert writer.head.n_kept == 1


def test_rejects_that_may_not_be_read_are_a_fault_and_not_an_empty_list(tmp_path: Path) -> None:
    folder = tmp_path / folder_name("web")
    path_of(folder, 1).mkdir(parents=True)
    with pytest.raises(WorldError, match="AMG-REJECTS-READ"):
        FolderRejects(tmp_path).read("web", Mark(), Mark(offset=10), max_bytes=100, limit=10)


def test_rejects_that_cannot_be_read_back_end_the_feeding_and_stay(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.add([reject(1)])
    writer.close()
    writer.feed_again()
    path = path_of(tmp_path / folder_name("web"), 1)
    path.unlink()
    path.mkdir()
    assert writer.next(1 << 20) == ()
    assert (writer.head.n_kept, writer.head.until) == (1, None)
    assert "AMG-REJECTS-READ" in writer.fault


HOSTILE = (b"", b"\n", b"\x00" * 40 + b"\n", b"deadbeef {}\n", b"00000000 not json\n", b"a" * 100)


@pytest.mark.parametrize("data", HOSTILE)
def test_rejects_of_a_file_that_holds_anything_end(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / folder_name("web")
    folder.mkdir()
    path_of(folder, 1).write_bytes(data)
    assert kept_in(tmp_path, RejectHead(end=Mark(part=2, offset=5))) == []

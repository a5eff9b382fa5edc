"""What was committed is there, once and in order, whatever instant the writer dies at."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.lake import blocks, places
from amagasa.adapters.lake.proof import prove
from amagasa.adapters.lake.retention import let_go
from amagasa.app.lake_ports import Kept, LakeHead, Unlooked
from tests.adapters.lake.world import SOURCE, START, World

STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "pack", "day", "commit", "settle", "crash"]), st.integers(1, 30)), max_size=40
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.writer.close()
    made.packer.close()


def numbers(lines: list[bytes]) -> list[int]:
    return [int(line.split()[1]) for line in lines]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_writer_killed_anywhere_keeps_what_was_committed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("lake"))
    n_committed = 0
    for step, n in steps:
        match step:
            case "write":
                world.write(n)
            case "pack":
                world.wait(minutes=11)
            case "day":
                world.wait(hours=25)
            case "commit":
                world.commit()
                n_committed = world.n
            case "settle":
                if world.committed is not None:
                    world.writer.settled(world.committed)
            case _:
                world.crash()
                world.n = n_committed  # the source is read again from its committed position
        assert numbers(world.lines()) == list(range(n_committed))
    head = world.committed or LakeHead()
    assert prove(world.folder, SOURCE, head).fault == ""
    world.writer.close()
    world.packer.close()


def test_writer_with_garbage_behind_what_was_committed_drops_it(world: World) -> None:
    world.write(5)
    world.commit()
    tail = places.folder_of(world.folder, SOURCE) / blocks.tail_name(1)
    with tail.open("ab") as file:
        file.write(b"\0\0\0half a frame")
    world.crash()
    world.write(2)
    world.commit()
    assert numbers(world.lines()) == list(range(7))


def test_writer_packs_and_chains_segments(world: World) -> None:
    for _ in range(3):
        world.write(10)
        world.wait(hours=25)
    world.commit()
    proof = prove(world.folder, SOURCE, world.committed or LakeHead())
    assert (proof.n_segments, proof.n_records, proof.n_unchained, proof.fault) == (3, 30, 0, "")


def test_tail_that_lost_committed_bytes_is_told(world: World) -> None:
    world.write(50)
    world.commit()
    tail = places.folder_of(world.folder, SOURCE) / blocks.tail_name(1)
    tail.write_bytes(tail.read_bytes()[:-10])
    assert [part.code for part in world.parts() if isinstance(part, Unlooked)] == ["AMG-LAKE-DAMAGED"]
    world.crash()
    world.commit()
    assert any("shorter than what was committed" in part.why for part in world.parts() if isinstance(part, Unlooked))


def test_segment_changed_by_a_byte_is_found_by_the_proof(world: World) -> None:
    world.write(100)
    world.wait(minutes=11)
    world.commit()
    path = places.folder_of(world.folder, SOURCE) / blocks.segment_name(1)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert prove(world.folder, SOURCE, world.committed or LakeHead()).fault.startswith("segment 1: ")
    assert [type(part) for part in world.parts()] == [Unlooked]


def test_segment_written_anew_is_found_by_the_proof(world: World) -> None:
    """Somebody who may write the files, but not the store."""
    world.write(10)
    world.wait(minutes=11)
    world.commit()
    head = world.committed or LakeHead()
    path = places.folder_of(world.folder, SOURCE) / blocks.segment_name(1)
    _, start = blocks.decode_segment_head(path.read_bytes())
    forged = blocks.pack([], world.packer._table).block
    path.write_bytes(path.read_bytes()[:start] + forged.ljust(head.n_bytes - start, b"\0"))
    assert prove(world.folder, SOURCE, head).fault


def test_index_that_is_gone_is_made_again(world: World) -> None:
    world.write(10)
    world.wait(minutes=11)
    world.commit()
    (places.folder_of(world.folder, SOURCE) / blocks.index_name(1)).unlink()
    assert numbers(world.lines()) == list(range(10))
    world.crash()
    assert (places.folder_of(world.folder, SOURCE) / blocks.index_name(1)).stat().st_size > 0
    assert numbers(world.lines()) == list(range(10))


def test_retention_leaves_a_provable_chain_and_says_what_it_let_go(world: World) -> None:
    for _ in range(4):
        world.write(10)
        world.wait(hours=25)
    world.write(3)
    world.commit()
    head = world.committed or LakeHead()
    folder = places.folder_of(world.folder, SOURCE)
    keep = (world.now - START) / 2 + timedelta(hours=1)
    gone = let_go(folder, keep=keep, quota_bytes=1 << 30, last=head.segment, now=world.now)
    assert [stone.number for stone in gone] == [1, 2]
    proof = prove(world.folder, SOURCE, head)
    assert (proof.fault, proof.n_let_go) == ("", 20)
    told = [part for part in world.parts() if isinstance(part, Unlooked)]
    assert [(part.code, part.is_by_retention) for part in told] == [("AMG-LAKE-RETENTION", True)] * 2
    assert [part for part in world.parts(since=world.now) if isinstance(part, Unlooked)] == []


def test_quota_lets_the_oldest_go_and_never_the_segment_at_hand(world: World) -> None:
    for _ in range(3):
        world.write(10)
        world.wait(hours=25)
    world.commit()
    head = world.committed or LakeHead()
    folder = places.folder_of(world.folder, SOURCE)
    let_go(folder, keep=world.now - START, quota_bytes=0, last=head.segment, now=world.now)
    assert places.numbers_of(folder, "*.seg") == [head.segment]
    assert numbers(world.lines()) == list(range(20, 30))


def test_segment_gone_without_a_tombstone_is_no_clean_answer(world: World) -> None:
    for _ in range(2):
        world.write(10)
        world.wait(hours=25)
    world.commit()
    (places.folder_of(world.folder, SOURCE) / blocks.segment_name(1)).unlink()
    assert [part.code for part in world.parts() if isinstance(part, Unlooked)] == ["AMG-LAKE-GONE"]
    assert prove(world.folder, SOURCE, world.committed or LakeHead()).fault


def test_disk_that_is_full_is_noted_and_writing_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(2)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.pwrite", full)
        world.write(3)
    world.write(1)
    world.commit()
    assert numbers(world.lines()) == [0, 1, 5]
    (told,) = [part for part in world.parts() if isinstance(part, Unlooked)]
    assert (told.code, "No space left" in told.why) == ("AMG-LAKE-NOT-KEPT", True)


def test_records_come_back_as_they_came(world: World) -> None:
    world.write(7)
    world.wait(minutes=11)
    world.write(2)
    world.commit()
    kept = [part for part in world.parts() if isinstance(part, Kept)]
    assert [(part.segment, part.n_records) for part in kept] == [(1, 7), (0, 2)]
    assert [chunk.first_record for part in kept for chunk in part.chunks] == [1, 8]
    assert kept[0].chunks[0].path == "/var/log/a"

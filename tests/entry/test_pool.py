"""Looking in several processes: the same answers in the same order as in one, whatever becomes of a child."""

import faulthandler
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from signal import SIGSEGV
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.detect.cases import plan_for, process_line

from amagasa.adapters.source.file_stream import FileStream
from amagasa.app.detect_files import Item, Looked
from amagasa.app.path import Seen
from amagasa.app.sight import Sight
from amagasa.detect.engine.memo import Memo
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.entry.node import looking_child, pool
from amagasa.entry.node.looking_child import PLACE_BYTES, look_at
from amagasa.entry.node.pool import look_here, look_in_processes
from amagasa.event.record import Chunk, Format, Reject, SourceFault

NOW: Final = datetime(2026, 11, 27, tzinfo=UTC)


def line(word: str, n_bytes: int = 0) -> bytes:
    return process_line(CommandLine=word + " " * n_bytes)


def chunk(path: str, first: int, lines: list[bytes]) -> Chunk:
    return Chunk(path=path, format=Format.WINDOWS, first_record=first, data=b"\n".join(lines), read_at=NOW)


def sight() -> Sight:
    plan = plan_for({"s": {"CommandLine|contains": "evil"}, "condition": "s"})
    return Sight([(plan, Memo(plan))], IndicatorSet())


def told(done: Iterable[Looked | Reject | SourceFault]) -> list[tuple[object, ...]]:
    """What a reader of the answers is told, without the instants of looking."""
    return [
        (one.n_bytes, one.seen.n_read, [(found.path, found.record) for found in one.seen.report.detections])
        if isinstance(one, Looked)
        else (type(one), one.path)
        for one in done
    ]


def stream(name: str, kinds: list[str]) -> list[Item]:
    made: dict[str, Item] = {
        "harmless": chunk(name, 1, [line("dir")] * 3),
        "evil": chunk(name, 4, [line("evil"), b"{}", b"no json", line("so evil")]),
        "reject": Reject(path=name, record=1, why="no line"),
        "fault": SourceFault(path=name, why="not there"),
    }
    return [made[kind] for kind in kinds]


@given(st.lists(st.lists(st.sampled_from(["harmless", "evil", "reject", "fault"]), max_size=6), max_size=6))
@example([])
@example([["fault"]])
@settings(max_examples=15, deadline=None)
def test_look_in_processes_answers_as_one_process_does(kinds: list[list[str]]) -> None:
    streams = [stream(f"{place}.log", one) for place, one in enumerate(kinds)]
    here, there = look_here(sight()), look_in_processes(sight(), 3, pytest.fail)
    assert told(there(streams)) == told(here(streams))


def test_look_in_processes_of_one_long_stream_is_in_order() -> None:
    long = [chunk("a.log", n, [line("evil" if n % 3 == 0 else "dir")]) for n in range(1, 200)]
    found = told(look_in_processes(sight(), 2, pytest.fail)([long]))
    assert found == told(look_here(sight())([long]))
    assert [one[2] for one in found if one[2]] == [[("a.log", n)] for n in range(3, 200, 3)]


def test_look_in_processes_looks_at_a_chunk_too_large_for_a_place() -> None:
    large = chunk("a.log", 1, [line("evil", n_bytes=300_000)] * 9)
    assert len(large.data) > PLACE_BYTES
    assert told(look_in_processes(sight(), 2, pytest.fail)([[large]])) == told(look_here(sight())([[large]]))


def test_look_in_processes_with_much_waiting_goes_on_with_the_first_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_WAITING", 1)
    streams = [stream(f"{n}.log", ["evil"] * 20) for n in range(5)]
    assert told(look_in_processes(sight(), 3, pytest.fail)(streams)) == told(look_here(sight())(streams))


def test_look_in_processes_loses_nothing_where_children_are_killed() -> None:
    def killing() -> Iterator[Item]:
        for n in range(1, 60):
            if n == 30:
                for child in multiprocessing.active_children():
                    child.kill()
            yield chunk("a.log", n, [line("evil" if n % 3 == 0 else "dir")])

    said: list[str] = []
    found = told(look_in_processes(sight(), 3, said.append)([killing()]))
    assert [one[2] for one in found if one[2]] == [[("a.log", n)] for n in range(3, 60, 3)]
    assert len(said) == 2
    assert "exit code -9" in said[0]


def log(path: Path, n: int) -> FileStream:
    lines = [b"no json" if at % 50 == 7 else line("evil" if at % 9 == 0 else "dir") for at in range(n)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return FileStream(path=str(path), form=None)


def found_in(done: Iterable[Looked | Reject | SourceFault]) -> list[tuple[str, str, int]]:
    """Detections in their order, then rejects and faults in theirs, wherever a chunk ends."""
    found: list[tuple[str, str, int]] = []
    for one in done:
        if isinstance(one, Looked):
            found += [("hit", Path(hit.path).name, hit.record) for hit in one.seen.report.detections]
            found += [("reject", Path(bad.path).name, bad.record) for bad in one.seen.rejects]
        else:
            found.append((type(one).__name__, Path(one.path).name, getattr(one, "record", 0)))
    return sorted(found, key=lambda one: one[0] != "hit")


def test_look_in_processes_reads_files_in_pieces_and_numbers_their_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PIECE_BYTES", 2_000)
    streams = [*(log(tmp_path / f"{n}.log", 40 * n) for n in range(1, 9)), FileStream(path="/missing", form=None)]
    one = found_in(look_here(sight())(streams))
    assert ("hit", "8.log", 316) in one
    assert one[-1] == ("SourceFault", "missing", 0)
    for processes in (2, 4):
        assert found_in(look_in_processes(sight(), processes, pytest.fail)(streams)) == one


def test_look_in_processes_with_much_waiting_reads_files_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(pool, "MAX_WAITING", 1)
    streams = [log(tmp_path / f"{n}.log", 300) for n in range(4)]
    assert found_in(look_in_processes(sight(), 3, pytest.fail)(streams)) == found_in(look_here(sight())(streams))


def test_look_in_processes_loses_nothing_of_a_file_that_ends_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each child dies over the second piece that it reads, as a fault of native code would end it.

    Two are given to each before this process looks at anything, so that each comes to its second.
    """
    monkeypatch.setattr(pool, "PIECE_BYTES", 2_000)
    streams = [log(tmp_path / f"{n}.log", 400) for n in range(3)]
    whole = found_in(look_here(sight())(streams))
    parent, looks = os.getpid(), count()

    def dying(chunk: Chunk, own: Sight) -> Seen:
        if os.getpid() != parent and next(looks) == 1:
            faulthandler.disable()  # it would tell of the fault as if it were the test's
            os.kill(os.getpid(), SIGSEGV)
        return look_at(chunk, own)

    monkeypatch.setattr(looking_child, "look_at", dying)
    said: list[str] = []
    assert found_in(look_in_processes(sight(), 3, said.append)(streams)) == whole
    assert len(said) == 2
    assert "exit code -11" in said[0]
    assert ".log" in said[0]


@pytest.mark.parametrize("wants_records", [True, False])
def test_look_in_processes_passes_records_on_where_they_are_wanted(tmp_path: Path, *, wants_records: bool) -> None:
    streams = [log(tmp_path / f"{n}.log", 30) for n in range(6)]
    done = look_in_processes(sight(), 3, pytest.fail, wants_records=wants_records)(streams)
    hits = [hit for one in done if isinstance(one, Looked) for hit in one.seen.report.detections]
    assert len(hits) == 24
    # What this process looked at itself has its records in any case.
    assert all(hit.event and hit.raw for hit in hits) == wants_records


def test_look_in_processes_leaves_no_process_behind_where_it_is_not_read_to_its_end() -> None:
    answers = look_in_processes(sight(), 3, pytest.fail)([stream("a.log", ["evil"] * 50)])
    next(answers)
    assert len(multiprocessing.active_children()) == 2
    answers.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []

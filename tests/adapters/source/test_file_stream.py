"""A file in pieces holds what the whole file holds, each record with its number once the pieces before are counted."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amagasa.adapters.source.file_stream import MIN_PIECES, FilePiece, FileStream
from amagasa.event.record import Chunk, Format, LinesRead, SourceFault


def lines_of(pieces: Iterable[FileStream | FilePiece]) -> list[tuple[int, bytes]]:
    """Every line with the number that it has in its file."""
    found: list[tuple[int, bytes]] = []
    n_before = 0
    for piece in pieces:
        later = n_before - 1 if piece.is_later else 0
        for item in piece:
            if isinstance(item, Chunk):
                texts = item.data.split(b"\n")
                texts = texts[:-1] if item.data.endswith(b"\n") else texts
                found.extend((item.first_record + later + at, text) for at, text in enumerate(texts))
            elif isinstance(item, LinesRead):
                n_before += item.n
            else:
                pytest.fail(str(item))
    return found


def written(path: Path, *lines: bytes, end: bytes = b"\n") -> FileStream:
    path.write_bytes(b"\n".join(lines) + end)
    return FileStream(path=str(path), form=Format.JSON)


@given(
    st.lists(st.sampled_from([b'{"a":1}', b"", b"no json", b'{"b":"' + b"x" * 40 + b'"}']), max_size=80),
    st.integers(4, 60),
    st.sampled_from([b"\n", b"", b"\n\n"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_of_lines_are_the_whole_file(tmp_path: Path, lines: list[bytes], n_bytes: int, end: bytes) -> None:
    stream = written(tmp_path / "a.json", b'{"first":1}', *lines, end=end)
    assert lines_of(stream.pieces(n_bytes)) == lines_of([stream])


def test_pieces_of_a_short_file_is_itself(tmp_path: Path) -> None:
    stream = written(tmp_path / "a.json", b"{}")
    assert stream.pieces(1024) == (stream,)


def test_pieces_of_what_is_not_plain_lines_is_itself(tmp_path: Path) -> None:
    document = written(tmp_path / "a.json", b"[", *[b'{"a":1},'] * 200, b'{"a":1}', b"]")
    packed = FileStream(path=str(tmp_path / "a.gz"), form=None)
    Path(packed.path).write_bytes(b"\x1f\x8b\x08" + bytes(10_000))
    joined = written(tmp_path / "messages", *[b"Nov 27 10:00:00 web sshd[1]: Accepted"] * 200)
    syslog = FileStream(path=joined.path, form=Format.SYSLOG)
    assert [one.pieces(64) for one in (document, packed, syslog)] == [(document,), (packed,), (syslog,)]


def test_pieces_of_one_endless_line_is_itself(tmp_path: Path) -> None:
    stream = written(tmp_path / "a.json", b'{"a":"' + b"x" * 5_000_000, end=b"")
    assert stream.pieces(100_000) == (stream,)


def test_pieces_of_a_missing_file_is_itself_and_says_so_when_read(tmp_path: Path) -> None:
    stream = FileStream(path=str(tmp_path / "gone"), form=None)
    (only,) = stream.pieces(10)
    (fault,) = list(only)
    assert isinstance(fault, SourceFault)
    assert fault.code == "AMG-SOURCE-001"


def test_a_piece_of_a_file_that_went_away_is_a_fault_and_counts_no_lines(tmp_path: Path) -> None:
    stream = written(tmp_path / "a.json", *[b'{"a":1}'] * 100)
    pieces = stream.pieces(100)
    Path(stream.path).unlink()
    fault, end = list(pieces[1])
    assert isinstance(fault, SourceFault)
    assert end == LinesRead(n=0)


def test_a_piece_keeps_a_byte_order_mark_that_does_not_begin_the_file(tmp_path: Path) -> None:
    line = b'\xef\xbb\xbf{"a":1}'
    pieces = written(tmp_path / "a.json", b'{"a":1}', *[line] * 40).pieces(60)
    assert len(pieces) > MIN_PIECES
    assert {item.first_record for item in pieces[1] if isinstance(item, Chunk)} == {2}


def test_a_line_longer_than_a_piece_is_counted_once(tmp_path: Path) -> None:
    long = b'{"a":"' + b"x" * 300_000 + b'"}'
    stream = written(tmp_path / "a.json", *[b'{"a":1}'] * 20_000, long, b'{"a":2}')
    pieces = stream.pieces(50_000)
    assert len(pieces) > MIN_PIECES
    assert lines_of(pieces)[-2:] == [(20_001, long), (20_002, b'{"a":2}')]

"""Frames between our own processes: whole or not yet, never half, never out of step."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.entry.node.frames import MAX_FRAME_BYTES, FrameReader, write_frame


@contextmanager
def pipe() -> Iterator[tuple[int, FileIO]]:
    """(read end, write end as a file that may be closed early)."""
    reading, writing = os.pipe()
    try:
        with closing(os.fdopen(writing, "wb", buffering=0)) as end:
            yield reading, end
    finally:
        os.close(reading)


def test_frame_written_is_read_as_it_was() -> None:
    with pipe() as (reading, end):
        write_frame(end.fileno(), b"abc")
        write_frame(end.fileno(), b"")
        reader = FrameReader(reading)
        assert reader.read(1.0) == b"abc"
        assert reader.read(1.0) == b""
        assert reader.read(0.0) is None


def test_frame_half_there_is_not_given() -> None:
    with pipe() as (reading, end):
        reader = FrameReader(reading)
        end.write(b"\0\0\0\x04ab")
        assert reader.read(0.0) is None
        end.write(b"cd\0")
        assert reader.read(1.0) == b"abcd"
        assert reader.read(0.0) is None


def test_frame_cut_off_by_the_end_raises() -> None:
    with pipe() as (reading, end):
        end.write(b"\0\0\0\x04ab")
        end.close()
        reader = FrameReader(reading)
        with pytest.raises(EOFError):
            reader.read(None)


def test_frame_before_the_end_is_given_first() -> None:
    with pipe() as (reading, end):
        write_frame(end.fileno(), b"last")
        end.close()
        reader = FrameReader(reading)
        assert reader.read(None) == b"last"
        with pytest.raises(EOFError):
            reader.read(None)


def test_frame_longer_than_the_limit_is_refused_before_it_is_held() -> None:
    with pipe() as (reading, end):
        end.write((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))
        with pytest.raises(ValueError, match="out of step"):
            FrameReader(reading).read(1.0)


def test_frame_larger_than_a_pipe_passes_whole() -> None:
    payload = bytes(range(256)) * 8_192
    with pipe() as (reading, end):
        writer = threading.Thread(target=write_frame, args=(end.fileno(), payload))
        writer.start()
        assert FrameReader(reading).read(None) == payload
        writer.join()


def test_frame_to_nobody_raises_broken_pipe() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with closing(os.fdopen(writing, "wb", buffering=0)) as end, pytest.raises(BrokenPipeError):
        write_frame(end.fileno(), b"abc")


@settings(deadline=None, max_examples=60)
@given(payloads=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(1, 40), max_size=60))
def test_frames_cut_anywhere_come_back_in_order(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(len(payload).to_bytes(4, "big") + payload for payload in payloads)
    got: list[bytes] = []
    with pipe() as (reading, end):
        reader = FrameReader(reading)
        for cut in [*cuts, len(stream)]:
            end.write(stream[:cut])
            stream = stream[cut:]
            while (frame := reader.read(0.0)) is not None:
                got.append(frame)
    assert got == payloads

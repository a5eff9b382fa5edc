import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.syslog_frames import SyslogFrames, as_line

MESSAGE = b"<34>1 2026-11-27T10:00:00Z host su - - - 'su root' failed"


def cut(data: bytes, *sizes: int) -> list[bytes]:
    """What comes of `data` in pieces of these sizes, and at the end of the stream."""
    frames = SyslogFrames()
    found: list[bytes] = []
    for size in sizes:
        found += frames.feed(data[:size])
        data = data[size:]
    return [*found, *frames.feed(data), *frames.end()]


def counted(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def test_frames_mixed_in_one_stream_are_each_cut_by_their_own_begin() -> None:
    data = counted(MESSAGE) + MESSAGE + b"\n" + counted(MESSAGE) + MESSAGE + b"\r\n" + MESSAGE + b"\0"
    assert cut(data) == [MESSAGE] * 5


def test_frame_with_line_feeds_inside_is_one_record() -> None:
    assert cut(counted(b"<13>a\nb\n")) == [b"<13>a#012b"]


@pytest.mark.parametrize("line", [b"2026-11-27 10:00:00 a firewall's line", b"27 Nov 10:00:00 host a: b", b"1", b"12 "])
def test_line_that_begins_with_digits_is_no_count(line: bytes) -> None:
    assert cut(line + b"\n") == [line.rstrip(b"\n")]


def test_last_message_without_an_end_counts_when_the_stream_ends() -> None:
    assert cut(MESSAGE) == [MESSAGE]
    assert cut(b"500 " + MESSAGE) == [MESSAGE]


def test_blank_messages_are_none() -> None:
    assert cut(b"\n\0\r\n" + MESSAGE + b"\n\n") == [MESSAGE]


LONG = b"<13>" + b"a" * (2 * MAX_LINE_BYTES)


@pytest.mark.parametrize("data", [counted(LONG), LONG + b"\n"], ids=["counted", "line"])
def test_message_too_long_is_cut_and_the_next_is_read(data: bytes) -> None:
    frames = SyslogFrames()
    found = frames.feed(data[:700_000]) + frames.feed(data[700_000:] + MESSAGE + b"\n")
    assert found == [LONG[:MAX_LINE_BYTES], MESSAGE]
    assert frames.n_cut == 1


def test_held_bytes_stay_bounded_whatever_comes() -> None:
    frames = SyslogFrames()
    for _ in range(40):
        frames.feed(b"x" * 100_000)
        assert frames.n_held <= MAX_LINE_BYTES + 100_000


@given(
    messages=st.lists(st.tuples(st.binary(min_size=1, max_size=80), st.booleans()), max_size=12),
    sizes=st.lists(st.integers(1, 40), max_size=30),
)
def test_frames_do_not_depend_on_how_the_stream_came_in_pieces(
    messages: list[tuple[bytes, bool]], sizes: list[int]
) -> None:
    data = b"".join(counted(b"<1>" + m) if is_counted else b"<1>" + m + b"\n" for m, is_counted in messages)
    assert cut(data, *sizes) == cut(data)


@given(messages=st.lists(st.binary(max_size=80), max_size=12))
def test_counted_frames_come_back_as_they_were_but_for_line_ends(messages: list[bytes]) -> None:
    data = b"".join(counted(b"<1>" + one) for one in messages)
    assert cut(data) == [as_line(b"<1>" + one) for one in messages]


@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(1, 60), max_size=10))
def test_hostile_bytes_give_lines_that_hold_no_line_feed(data: bytes, sizes: list[int]) -> None:
    assert all(line and b"\n" not in line for line in cut(data, *sizes))

"""Lines of a chunk: numbers, blank lines, limits."""

from hypothesis import given
from hypothesis import strategies as st

from amagasa.event.lines import MAX_LINE_BYTES, lines_of
from amagasa.event.record import Format
from tests.event.chunks import chunk


def test_lines_of_a_chunk_keep_their_numbers_over_blank_and_long_ones() -> None:
    given_ = chunk(Format.ACCESS, b"a\r\n", b"\n", b"x" * (MAX_LINE_BYTES + 1) + b"\n", b" \t\n", b"b", first_record=7)
    found = lines_of(given_)
    assert found.lines == [b"a", b"b"]
    assert found.numbers == [7, 11]
    assert [reject.record for reject in found.rejects] == [9]


def test_lines_of_nothing_are_none() -> None:
    assert lines_of(chunk(Format.ACCESS)).lines == []


def test_lines_byte_order_mark_is_taken_off_at_the_head_of_the_file_only() -> None:
    assert lines_of(chunk(Format.ACCESS, b"\xef\xbb\xbfa\n")).lines == [b"a"]
    assert lines_of(chunk(Format.ACCESS, b"\xef\xbb\xbfa\n", first_record=2)).lines == [b"\xef\xbb\xbfa"]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=10), st.booleans())
def test_lines_of_any_chunk_are_its_lines_that_are_not_blank(lines: list[bytes], is_ended: bool) -> None:  # noqa: FBT001
    data = b"\n".join(lines) + (b"\n" if is_ended and lines else b"")
    found = lines_of(chunk(Format.ACCESS, data, first_record=2))
    texts = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    assert found.lines == [line for line in texts if line.strip()]
    assert found.numbers == [number for number, line in enumerate(texts, start=2) if line.strip()]

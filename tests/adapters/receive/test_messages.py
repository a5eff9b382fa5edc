"""The records in a message of a broker."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.receive.messages import records_of
from amagasa.event.lines import MAX_LINE_BYTES

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"one", [b"one"]),
        (b"one\r\ntwo\n", [b"one", b"two"]),
        (b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        (b'{\r\n "a": 1\r\n}\n', [b'{   "a": 1  }']),
        (b"[\n1,\n2]", [b"[ 1, 2]"]),
        (b'{"a":\nnot json', [b'{"a":', b"not json"]),
        (b"[" * 100_000 + b"\n1", [b"[" * 100_000, b"1"]),
        (b"\0\0\0\0\7\2\n\xff\xfe", [b"\0\0\0\0\7\2", b"\xff\xfe"]),
    ],
)
def test_message_holds_one_record_or_one_a_line(data: bytes, records: list[bytes]) -> None:
    assert records_of(data) == records


def test_line_that_is_too_long_is_cut_where_its_reader_sees_that_it_was() -> None:
    assert [len(line) for line in records_of(b"a" * (2 * MAX_LINE_BYTES) + b"\nb")] == [MAX_LINE_BYTES + 1, 1]


@given(value=ANY.filter(lambda value: isinstance(value, dict | list)), indent=st.integers(0, 3))
def test_json_written_over_lines_is_one_record_of_the_same_value(value: Any, indent: int) -> None:
    (line,) = records_of(json.dumps(value, indent=indent).encode())
    assert json.loads(line) == value


@given(data=st.binary(max_size=200))
def test_no_message_makes_a_record_with_a_line_feed_in_it_or_an_empty_one(data: bytes) -> None:
    records = records_of(data)
    assert all(record and b"\n" not in record for record in records)

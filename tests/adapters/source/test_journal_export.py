"""journald's export format."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.adapters.source.journal_export import entries_of, is_journal_export
from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.records import open_records
from amagasa.adapters.source.stream import Stream
from amagasa.event.lines import MAX_LINE_BYTES
from amagasa.event.record import Chunk, Reject, SourceFault
from tests.event.chunks import READ_AT

HEAD = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795687200123456\n"
PLAIN = HEAD + b"SYSLOG_IDENTIFIER=sshd\nMESSAGE=a=b\n\n"


def binary(value: bytes) -> bytes:
    return HEAD + b"MESSAGE\n" + len(value).to_bytes(8, "little") + value + b"\n\n"


def items(data: bytes, step: int = 7) -> list[Item]:
    blocks = iter([data[at : at + step] for at in range(0, len(data), step)])
    return list(entries_of("x", Stream(blocks), READ_AT))


def messages(found: list[Item]) -> list[str]:
    chunks = [item for item in found if isinstance(item, Chunk)]
    return [msgspec.json.decode(line)["MESSAGE"] for one in chunks for line in one.data.splitlines()]


def test_entries_plain_and_binary_are_read_whole() -> None:
    assert messages(items(PLAIN + binary(b"two\n\nlines\xff") + PLAIN)) == ["a=b", "two\n\nlines\\xff", "a=b"]


def test_file_is_told_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(PLAIN * 3)
    (chunk,) = open_records(tmp_path / "j")
    assert isinstance(chunk, Chunk)
    assert len(chunk.data.splitlines()) == 3


def test_entry_that_is_too_long_is_a_reject_and_the_next_is_read() -> None:
    found = items(PLAIN + HEAD + b"MESSAGE=" + b"x" * (MAX_LINE_BYTES + 9) + b"\n\n" + PLAIN, step=65_536)
    assert [one.record for one in found if isinstance(one, Reject)] == [2]
    assert messages(found) == ["a=b", "a=b"]
    assert [one.first_record for one in found if isinstance(one, Chunk)] == [1, 3]


@pytest.mark.parametrize(
    "rest", [b"no name\n", HEAD + b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff", binary(b"abc")[:-4]]
)
def test_what_is_damaged_breaks_off_after_what_came_before(rest: bytes) -> None:
    found = items(PLAIN + rest)
    assert messages(found)[0] == "a=b"
    assert isinstance(found[-1], SourceFault)


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_head_never_raise(rest: bytes) -> None:
    assert is_journal_export(HEAD + rest)
    items(HEAD + rest)

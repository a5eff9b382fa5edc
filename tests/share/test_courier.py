import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.courier import (
    MAGIC,
    MAX_PART_BYTES,
    CourierFault,
    Head,
    Part,
    is_true,
    line_of,
    part_bytes,
    part_of,
    signed_bytes,
)
from tests.share.cards import keys
from tests.share.samples import JAPAN_ID, STATES_ID

HEAD = Head(
    agreement="agreement--x",
    courier="709e56a4-3883-43c7-898c-1d8aadda84eb",
    is_last=True,
    made_at="2026-11-27T16:24:31.930Z",
    part=1,
    receiver=STATES_ID,
    sender=JAPAN_ID,
)


def made(sealed: bytes = b"sealed", head: Head = HEAD) -> bytes:
    line = line_of(head)
    return part_bytes(line, keys("japan").sign(signed_bytes(line, sealed)), sealed)


@given(sealed=st.binary(min_size=1, max_size=100), part=st.integers(1, 1_000_000), is_last=st.booleans())
def test_part_of_what_was_written_is_read_and_true(sealed: bytes, part: int, is_last: bool) -> None:  # noqa: FBT001
    head = replace(HEAD, part=part, is_last=is_last)
    read = part_of(made(sealed, head))
    assert isinstance(read, Part)
    assert (read.head, read.sealed) == (head, sealed)
    assert is_true(read, keys("japan").public_key)


@given(st.integers(0, len(made()) - 1), st.integers(1, 255))
def test_part_of_any_byte_altered_is_no_part_or_not_true(place: int, change: int) -> None:
    data = bytearray(made())
    data[place] ^= change
    read = part_of(bytes(data))
    assert isinstance(read, CourierFault) or not is_true(read, keys("japan").public_key)


def test_is_true_another_partys_signature_is_not() -> None:
    read = part_of(made())
    assert isinstance(read, Part)
    assert not is_true(read, keys("states").public_key)


@pytest.mark.parametrize("key", ["", "x" * 43, "!"])
def test_is_true_what_is_no_key_says_no(key: str) -> None:
    read = part_of(made())
    assert isinstance(read, Part)
    assert not is_true(read, key)


@given(st.binary(max_size=300))
def test_part_of_any_bytes_is_a_fault(data: bytes) -> None:
    assert part_of(MAGIC + data) is CourierFault.FORM
    assert part_of(data) is CourierFault.FORM


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[" * 2_000,
        line_of(HEAD) + b" ",
        line_of(HEAD).replace(b'"part":1', b'"part":0'),
        line_of(HEAD).replace(b'"part":1', b'"part":1e0'),
        line_of(HEAD).replace(b'"part":1', b'"part":99999999999999999999'),
        line_of(HEAD).replace(b"agreement--x", b"x" * 3_000),
        line_of(HEAD).replace(b'"sender"', b'"other":1,"sender"'),
        line_of(HEAD).replace(b"identity--", b"../../etc/"),
        line_of(HEAD).replace(b"709e56a4", b"../../.."),
    ],
)
def test_part_of_head_that_is_none_is_a_fault(line: bytes) -> None:
    assert part_of(part_bytes(line, bytes(64), b"sealed")) is CourierFault.FORM


def test_part_of_too_large_is_said_so() -> None:
    assert part_of(MAGIC + bytes(MAX_PART_BYTES)) is CourierFault.SIZE


def test_part_of_nothing_sealed_is_a_fault() -> None:
    assert part_of(part_bytes(line_of(HEAD), bytes(64), b"")) is CourierFault.FORM

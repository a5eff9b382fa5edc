"""Tables: they find what a dictionary and a plain walk over prefixes would find, and refuse what is no table."""

import ipaddress
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.building import Block, Builder, Network, packed
from amagasa.detect.indicators.table import MAGIC, About, Table, bytes_of, seed_of

NAMES: Final = ("domain-name", "value")
ADDRESSES: Final = ("ip-addr", "value")
TEXTS: Final = st.text(min_size=1, max_size=12)
NETWORKS: Final = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda one: ipaddress.ip_network((one[0], one[1]), strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda one: ipaddress.ip_network((ipaddress.IPv6Address(one[0]), one[1]), strict=False)
    ),
)
# Few addresses and many prefixes around them, so that they lie in one another.
NEAR: Final = st.tuples(st.integers(0, 7), st.integers(26, 32)).map(
    lambda one: ipaddress.ip_network((0xC6336400 + one[0] * 5, one[1]), strict=False)
)


def built(builder: Builder) -> Table:
    return Table(b"".join(builder.finished(lambda _one, _other: None, About)))


def of_texts(texts: Sequence[str]) -> Table:
    builder = Builder()
    notes = [builder.note(text.encode("utf-8", "surrogatepass")) for text in texts]
    builder.add(Block(where=NAMES, texts=texts, notes=notes, spans=[packed(1, 2)] * len(texts)))
    return built(builder)


def of_networks(networks: Sequence[Network]) -> Table:
    builder = Builder()
    for network in networks:
        builder.add_prefix(ADDRESSES, network, note=builder.note(str(network).encode()), span=0)
    return built(builder)


@given(st.lists(TEXTS, unique=True, max_size=30), st.lists(TEXTS, max_size=30))
def test_find_agrees_with_a_dictionary(held: list[str], asked: list[str]) -> None:
    table = of_texts(held)
    expected = [held.index(text) for text in (*asked, *held) if text in held]
    assert table.find(NAMES, [*asked, *held]) == expected
    assert [table.text(row) for row in expected] == [text for text in (*asked, *held) if text in held]
    assert table.find(ADDRESSES, held) == []


def test_find_a_text_of_the_same_key_finds_nothing() -> None:
    one, other = (text.decode() for text in _with_one_key(b"a" * 64, 2))
    assert crc32(one.encode(), seed_of(NAMES)) == crc32(other.encode(), seed_of(NAMES))
    assert of_texts([one]).find(NAMES, [other]) == []


def test_find_among_many_texts_of_one_key_stays_right() -> None:
    base = bytearray(b"a" * 64)
    same = _with_one_key(bytes(base), 64)
    texts = [text.decode("latin-1") for text in same]
    ascii_only = [text for text in texts if text.isascii()]
    assert len(ascii_only) > 8
    assert len({crc32(text.encode(), seed_of(NAMES)) for text in ascii_only}) == 1
    table = of_texts(ascii_only[::2])
    assert [table.text(row) for row in table.find(NAMES, ascii_only)] == ascii_only[::2]


def _with_one_key(text: bytes, n_wanted: int) -> list[bytes]:
    """Texts of the same CRC-32: combinations of low bits that cancel out (Gauss over GF(2))."""
    seed = seed_of(NAMES)
    whole = crc32(text, seed)
    basis: dict[int, tuple[int, frozenset[int]]] = {}
    found = [text]
    for at in range(len(text)):
        flipped = bytearray(text)
        flipped[at] ^= 2
        effect, places = crc32(bytes(flipped), seed) ^ whole, frozenset({at})
        while effect:
            top = effect.bit_length()
            if top not in basis:
                basis[top] = (effect, places)
                break
            effect, places = effect ^ basis[top][0], places ^ basis[top][1]
        else:
            changed = bytearray(text)
            for place in places:
                changed[place] ^= 2
            found.append(bytes(changed))
        if len(found) >= n_wanted:
            break
    return found


@given(st.lists(NEAR, max_size=12) | st.lists(NETWORKS, max_size=12), st.lists(NEAR | NETWORKS, max_size=8))
def test_covering_agrees_with_the_library(held: list[Network], asked: list[Network]) -> None:
    table = of_networks(held)
    for one in (*asked, *held):
        found = [table.text(row) for row in table.covering(ADDRESSES, [str(one)])]
        around = [net for net in held if net.version == one.version and one.subnet_of(net)]  # type: ignore[arg-type]
        assert sorted(found) == sorted(map(str, around))
        lengths = [int(text.rpartition("/")[2]) for text in found]
        assert lengths == sorted(lengths, reverse=True)


def test_covering_what_is_no_address_finds_nothing() -> None:
    table = of_networks([ipaddress.ip_network("198.51.100.0/24")])
    assert table.covering(ADDRESSES, ["", "evil.example", "198.51.100.999", "198.51.100.4.5", "１９８.51.100.4"]) == []


def test_add_the_same_text_twice_is_one_row_where_both_are_merged() -> None:
    builder = Builder()
    texts = ["a", "b", "a"]
    notes = [builder.note(note) for note in (b"1", b"2", b"3")]
    builder.add(Block(where=NAMES, texts=texts, notes=notes, spans=[packed(5, 6), 0, packed(3, 0)]))
    table = Table(b"".join(builder.finished(lambda one, other: one + other, About)))
    (row,) = table.find(NAMES, ["a"])
    assert (table.note(row), table.span(row)) == (b"13", (3, 6))
    assert table.find(NAMES, ["b"]) == [1]


def test_add_prefix_twice_is_one_row_where_both_are_merged() -> None:
    builder = Builder()
    for note in (b"1", b"2"):
        builder.add_prefix(ADDRESSES, ipaddress.ip_network("198.51.100.0/24"), note=builder.note(note), span=0)
    table = Table(b"".join(builder.finished(lambda one, other: one + other, About)))
    (row,) = table.covering(ADDRESSES, ["198.51.100.7"])
    assert table.note(row) == b"12"


def test_finished_tells_what_it_was_made_of() -> None:
    builder = Builder()
    about = About(is_listed=True, tally={"n_read": 3}, faults=((7, "why"),))
    table = Table(b"".join(builder.finished(lambda _one, _other: None, lambda: about)))
    assert table.plan.about == about
    assert (table.find(NAMES, ["a"]), table.covering(ADDRESSES, ["198.51.100.7"]), table.places) == ([], [], ())


def test_table_of_a_cut_buffer_is_refused() -> None:
    builder = Builder()
    builder.add(Block(where=NAMES, texts=["a", "b"], notes=[builder.note(b"x" * 8)] * 2, spans=[0, 0]))
    whole = b"".join(builder.finished(lambda _one, _other: None, About))
    padding = 4
    for length in range(len(whole) - padding):
        with pytest.raises(ValueError):
            Table(whole[:length])


@given(st.binary(max_size=64))
def test_table_of_any_bytes_is_refused(data: bytes) -> None:
    for buffer in (data, MAGIC + data, MAGIC + (4).to_bytes(8, "little") + data):
        with pytest.raises(ValueError):
            Table(buffer)


@pytest.mark.parametrize("text", ["é", "\udcff", "\U0001f319", "x" * 8_192])
def test_bytes_of_any_text_comes_back(text: str) -> None:
    table = of_texts([text])
    assert table.text(table.find(NAMES, [text])[0]) == text
    assert bytes_of(text).decode("utf-8", "surrogatepass") == text

"""What tells that an address is on no list: it never says so of one that some indicator names."""

from ipaddress import IPv4Address, IPv4Network
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.flat import FlatList
from amagasa.detect.indicators.indicator import IndicatorSet
from amagasa.detect.indicators.joining import with_lists
from amagasa.detect.indicators.kinds import ADDRESS
from amagasa.detect.indicators.lookup import hits
from amagasa.detect.indicators.table import Table
from amagasa.detect.indicators.unlisted import MAX_SINGLE, listed_addresses
from amagasa.detect.watching import Listed
from amagasa.vocab.ids import stable_id

numbers = st.integers(0, (1 << 32) - 1)
networks = st.builds(
    lambda number, length: str(IPv4Network((number >> 32 - length << 32 - length if length else 0, length))),
    numbers,
    st.integers(4, 32),
)
values = st.one_of(
    numbers.map(IPv4Address).map(str), networks, st.sampled_from(["2001:db8::/32", "::ffff:198.51.100.4"])
)


def held(listed: list[str], reported: list[str]) -> IndicatorSet:
    objects = [
        {
            "type": "indicator",
            "id": stable_id("indicator", value),
            "pattern_type": "stix",
            "pattern": f"[ipv{'6' if ':' in value else '4'}-addr:value = '{value}']",
        }
        for value in reported
    ]
    compiled, _ = compile_indicators(objects)
    flat = FlatList("one")
    flat.add_values(listed, 1)
    return with_lists(compiled, [Table(b"".join(flat.pieces()))] if listed else [])


def may_be_listed(listed: Listed, address: str) -> bool:
    first_two = int(IPv4Address(address)) >> 16
    if listed.sixteens[first_two >> 3] >> (first_two & 7) & 1:
        return True
    bits = ((one.bits, crc32(address.encode(), one.seed) >> one.shift) for one in listed.tables)
    return any(sieve[bit >> 3] >> (bit & 7) & 1 for sieve, bit in bits)


@given(st.lists(values, max_size=8), st.lists(values, max_size=4), st.data())
def test_listed_addresses_hold_every_address_that_is_named(
    listed: list[str], reported: list[str], data: st.DataObject
) -> None:
    indicators = held(listed, reported)
    told = listed_addresses(indicators, ())
    assert told is not None
    inside = [IPv4Network(value, strict=False) for value in (*listed, *reported) if ":" not in value]
    near = [int(net.network_address) for net in inside] + [int(net.broadcast_address) for net in inside]
    number = data.draw(st.one_of(numbers, st.sampled_from(near)) if near else numbers)
    address = str(IPv4Address(number))
    if hits(indicators, ADDRESS, (address,)):
        assert may_be_listed(told, address)


def test_listed_addresses_of_a_small_set_leave_most_addresses_out() -> None:
    told = listed_addresses(held(["198.51.100.4", "203.0.113.0/24"], ["192.0.2.1"]), ["192.0.2.9", "no address", "1.2"])
    assert told is not None
    assert sum(may_be_listed(told, f"100.{number}.1.1") for number in range(64)) < 32
    assert may_be_listed(told, "192.0.2.200")


def test_listed_addresses_of_too_many_single_ones_are_not_told() -> None:
    assert listed_addresses(IndicatorSet(), [f"text {number}" for number in range(MAX_SINGLE + 1)]) is None
    assert listed_addresses(IndicatorSet(), ["9" * 5_000 + ".1.1.1"]) is not None

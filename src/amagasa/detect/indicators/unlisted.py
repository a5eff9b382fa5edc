"""What tells an address that is on no list without looking for it: most addresses in a log are on none."""

import re
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final

from amagasa.detect.indicators.indicator import IndicatorSet, Prefixes
from amagasa.detect.indicators.kinds import ADDRESS
from amagasa.detect.watching import Listed

MAX_SINGLE: Final = 5_000  # addresses beside the tables; with more, nearly every sixteenth would hold one
_SIXTEENS_BYTES: Final = (1 << 16) // 8
_OCTETS: Final = 4
_OCTET_END: Final = 256
_OCTET: Final = re.compile("[0-9]{1,3}")
_IPV4: Final = 4


def listed_addresses(held: IndicatorSet, others: Collection[str]) -> Listed | None:
    """The IPv4 addresses that may be named by an indicator, or by a pattern which waits for one of `others`.

    None where single ones are too many to tell. They cost some 1 us each, tables nothing that was not paid before.
    """
    equal = held.equal.get(ADDRESS, {})
    if len(equal) + len(others) > MAX_SINGLE:
        return None
    marked = {one for text in chain(equal, others) if (one := _sixteen_of(text)) is not None}
    marked.update(_sixteens_of(held.prefixes.get(ADDRESS, {})), *(table.sixteens(ADDRESS) for table in held.tables))
    sixteens = bytearray(_SIXTEENS_BYTES)
    for one in marked:
        sixteens[one >> 3] |= 1 << (one & 7)
    bits = (table.bits(ADDRESS) for table in held.tables)
    return Listed(sixteens=bytes(sixteens), tables=tuple(one for one in bits if one is not None))


def _sixteen_of(text: str) -> int | None:
    """The first two octets; None for what is no IPv4 address in plain decimals, which no record's address can equal."""
    octets = text.split(".")
    if len(octets) != _OCTETS or not all(_OCTET.fullmatch(one) and int(one) < _OCTET_END for one in octets):
        return None
    return int(octets[0]) << 8 | int(octets[1])


def _sixteens_of(prefixes: Prefixes) -> Iterator[int]:
    for (version, length), networks in prefixes.items():
        if version == _IPV4:
            span = 1 << max(0, 16 - length)
            for first in networks:
                yield from range(first >> 16, (first >> 16) + span)

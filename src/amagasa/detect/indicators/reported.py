"""Indicators with an author as rows of a table: what is said of them, and where each is found by its identifier."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.detect.indicators.indicator import Indicator
from amagasa.detect.indicators.table import Table, Where

# The place of identifiers. No observable is called so.
ID_PLACE: Final[Where] = ("indicator", "id")


class Reported(Struct, frozen=True, array_like=True):
    """A row: the place its text is looked up in, and whose it is."""

    where: Where
    indicator: Indicator


_REPORTED: Final = msgspec.msgpack.Decoder(Reported)


def encoded(where: Where, indicator: Indicator) -> bytes:
    """As a table keeps it."""
    return msgspec.msgpack.encode(Reported(where, indicator))


def reported_at(table: Table, row: int) -> Reported:
    """What a row of such a table says."""
    return _REPORTED.decode(table.note(row))


def rows_of(table: Table) -> Iterable[int]:
    """Every row, in the order in which they were added."""
    return range(table.plan.n_rows)

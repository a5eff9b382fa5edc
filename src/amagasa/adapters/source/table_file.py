"""Files whose lines are rows under a header (`event.table`) -> chunks of JSON objects, one a line."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from amagasa.adapters.source.lines import Item
from amagasa.adapters.source.numbered_rows import objects_of_rows
from amagasa.adapters.source.stream import Stream
from amagasa.event.lines import BOM
from amagasa.event.table import Table, is_table_header

_NOT_A_ROW: Final = "AMG-EVENT-021"


def is_table(head: bytes) -> bool:
    """Whether a file with this head is such a log."""
    return is_table_header(head[:2_048].removeprefix(BOM).partition(b"\n")[0].decode("utf-8", "replace"))


def rows_of(path: str, stream: Stream, read_at: datetime) -> Iterator[Item]:
    """Chunks with the numbers of their lines, rejects between them; last what broke it off."""
    table = Table()

    def take(text: str, _: int) -> bytes | str | None:
        row = table.row(text)
        return msgspec.json.encode(row) if isinstance(row, dict) else row

    return objects_of_rows(path, stream, read_at, take, code=_NOT_A_ROW)

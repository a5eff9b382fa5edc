"""Rows under a header (`event.table`) while their log is followed: the header is kept beside the position.

A row becomes the JSON object that it is read as, on the line that it had, so the numbers of records stay those of the
lines. A row that fits no header stays as it came: the reader of JSON refuses it, and it is kept among the rejects.
"""

from typing import Final

import msgspec

from amagasa.event.lines import BOM
from amagasa.event.table import Table

# Headers seen have less than 2 KB; what is longer is no header.
MAX_HEADER_CHARACTERS: Final = 32_768
_KEPT: Final = frozenset(
    {"#separator", "#set_separator", "#empty_field", "#unset_field", "#path", "#fields", "#fields:", "#types", "#date:"}
)


class FollowedTable:
    """The table of one file. `header` are the lines that its rows stand under, as `header` gives them."""

    def __init__(self, header: str = "") -> None:
        self._table = Table()
        self._kept: dict[str, str] = {}
        for line in header.split("\n"):
            if line:
                self._row(line)

    @property
    def header(self) -> str:
        """The lines of the header that count now, in the order in which they are to be read."""
        return "\n".join(self._kept.values())

    def objects(self, data: bytes) -> bytes:
        """Whole lines -> as many lines: an object for a row, a blank one for a header, the row itself where it is none.

        Raises nothing.
        """
        lines = data.removeprefix(BOM).removesuffix(b"\n").split(b"\n")
        return b"\n".join(map(self._line, lines)) + b"\n"

    def _line(self, line: bytes) -> bytes:
        text = line.removesuffix(b"\r").decode("utf-8", "replace")
        row = self._row(text)
        if row is None:
            return b""
        if isinstance(row, str):
            # What looks like an object, and is no row, must not be read as one.
            return msgspec.json.encode(text) if text.lstrip()[:1] in {"{", "["} else line
        return msgspec.json.encode(row)

    def _row(self, text: str) -> object:
        if text.startswith("#"):
            name = text.split("\t", maxsplit=1)[0].split(" ", maxsplit=1)[0].lower()
            if len(text) > MAX_HEADER_CHARACTERS:
                return None
            if name in _KEPT:
                self._kept[name] = text
        return self._table.row(text)

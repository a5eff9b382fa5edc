"""Logs whose lines are rows under a header: W3C extended (IIS, proxies) and Zeek's own -> JSON objects.

A header may come again in the middle of a file, with other columns; each row counts under the last one before it.

Sources: W3C working draft "Extended Log File Format"; Microsoft, "W3C Logging" for IIS; Zeek, "Log Formats and
Inspection" (ASCII writer).
"""

import re
from collections.abc import Callable
from typing import Final

Cell = str | int | float | bool | list["Cell"]

MAX_COLUMNS: Final = 1_024
_W3C: Final = re.compile(r"#(?:Software|Version|Date|Fields|Start-Date): ", re.IGNORECASE)
_ZEEK: Final = re.compile(r"#separator ")
_ESCAPE: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")
_NUMBERS: Final = frozenset(
    {"sc-status", "sc-substatus", "sc-win32-status", "sc-bytes", "cs-bytes", "time-taken", "s-port", "c-port"}
)
_RENAMED: Final = {
    "cs(user-agent)": "cs-user-agent",
    "cs(referer)": "cs-referer",
    "cs(cookie)": "cs-cookie",
    "cs(host)": "cs-host",
}
_WHOLE: Final = frozenset({"count", "int", "port"})
_FRACTION: Final = frozenset({"double", "interval", "time"})


def is_table_header(text: str) -> bool:
    """Whether a file that begins with this line is such a log."""
    return bool(_W3C.match(text) or _ZEEK.match(text))


class Table:
    """Fed line by line, in order."""

    def __init__(self) -> None:
        self._separator = " "
        self._set_separator = ","
        self._unset, self._empty = "-", "(empty)"
        self._is_zeek = False
        self._path = ""
        self._date = ""
        self._columns: tuple[str, ...] = ()
        self._types: tuple[str, ...] = ()

    def row(self, line: str) -> dict[str, Cell] | str | None:
        """The object of a row; why it is none; None for a header, a comment, or nothing."""
        if line.startswith("#"):
            self._head(line)
            return None
        if not line.strip():
            return None
        if not self._columns:
            return "no `fields` line stands before it"
        cells = line.split(self._separator)
        if len(cells) != len(self._columns):
            return f"{len(cells)} cells under {len(self._columns)} columns"
        return self._zeek(cells) if self._is_zeek else self._w3c(cells)

    def _head(self, line: str) -> None:
        if _ZEEK.match(line):
            self._is_zeek = True
            self._separator = _unescaped(line.partition(" ")[2]) or "\t"
            return
        name, _, rest = line.partition(self._separator if self._is_zeek else ": ")
        name, parts = name.lower(), rest.split(self._separator)
        if name == "#fields":
            self._columns = tuple(parts[:MAX_COLUMNS]) if self._is_zeek else tuple(rest.split()[:MAX_COLUMNS])
        elif name == "#types":
            self._types = tuple(parts[:MAX_COLUMNS])
        elif name == "#path":
            self._path = rest
        elif name == "#set_separator":
            self._set_separator = _unescaped(rest) or ","
        elif name == "#unset_field":
            self._unset = rest
        elif name == "#empty_field":
            self._empty = rest
        elif name == "#date":
            self._date = rest[:10]

    def _w3c(self, cells: list[str]) -> dict[str, Cell]:
        row: dict[str, Cell] = {"w3c": "row"}
        for column, cell in zip(self._columns, cells, strict=True):
            if cell in {"-", ""}:
                continue
            name = column.lower()
            value: Cell = (
                int(cell) if name in _NUMBERS and cell.isascii() and cell.isdigit() and len(cell) < 19 else cell
            )
            if name in _RENAMED:
                value = cell.replace("+", " ").strip('"')
            row[_RENAMED.get(name, column)] = value
        date, time = str(row.get("date", self._date)), row.get("time")
        if date and isinstance(time, str):
            row["@timestamp"] = f"{date}T{time}Z"
        stem, query = row.get("cs-uri-stem"), row.get("cs-uri-query")
        if isinstance(stem, str) and "c-uri" not in row:
            row["c-uri"] = f"{stem}?{query}" if query else stem
        return row

    def _zeek(self, cells: list[str]) -> dict[str, Cell]:
        row: dict[str, Cell] = {"_path": self._path} if self._path else {}
        types = self._types if len(self._types) == len(cells) else ("string",) * len(cells)
        for column, kind, cell in zip(self._columns, types, cells, strict=True):
            if cell != self._unset:
                row[column] = self._typed(kind, cell)
        return row

    def _typed(self, kind: str, cell: str) -> Cell:
        if kind.startswith(("set[", "vector[")) and kind.endswith("]"):
            inner = kind[kind.index("[") + 1 : -1]
            if cell == self._empty:
                return []
            return [self._single(inner, part) for part in cell.split(self._set_separator) if part != self._unset]
        return "" if cell == self._empty else self._single(kind, cell)

    def _single(self, kind: str, cell: str) -> Cell:
        if kind == "bool":
            return cell == "T"
        if kind in _WHOLE:
            return _read(int, cell)
        return _read(float, cell) if kind in _FRACTION else _unescaped(cell)


def _read(kind: Callable[[str], int | float], cell: str) -> Cell:
    try:
        return kind(cell) if len(cell) < 40 and cell.isascii() else cell
    except ValueError:
        return cell


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)

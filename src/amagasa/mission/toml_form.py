"""A model written as TOML (docs/missions.md) -> rows. Generous in form: what is meant plainly is understood."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from amagasa.mission.model import Kind
from amagasa.mission.problem import Place, Problems
from amagasa.mission.row import DEPENDENCY_WORDS, NODE_WORDS, Row, Rows
from amagasa.mission.toml_lines import Header, headers_of
from amagasa.vocab.text import show

HEAD_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "title": ("title", "name", "description"),
    "party": ("party",),
    "cycles": ("cycles",),
}
_SECTIONS: Final[dict[str, str]] = {
    **{word: kind.value for kind in Kind for word in (kind.value, f"{kind.value}s")},
    "node": "",
    "nodes": "",
}
_DEPENDENCY_SECTIONS: Final = ("dependency", "dependencies", "edge", "edges")
_ARROW: Final = re.compile(r"\s*(?:->|→)\s*")
_LINE_OF_FAULT: Final = re.compile(r"\(at line (\d+)")


def rows_of_toml(text: str, path: str, problems: Problems) -> Rows | None:
    """The rows; None where the text is no TOML at all (noted as a problem)."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        problems.error("AMG-MISSION-TOML", Place(path=path), "this is nested too deep to be a model")
        return None
    except ValueError as fault:
        at = _LINE_OF_FAULT.search(str(fault))
        place = Place(path=path, line=int(at[1]) if at else text.count("\n") + 1)
        problems.error("AMG-MISSION-TOML", place, "this is not TOML", got=str(fault))
        return None
    return _Reader(document, headers_of(text), path, problems).rows()


class _Reader:
    def __init__(self, document: Mapping[str, Any], headers: tuple[Header, ...], path: str, problems: Problems) -> None:
        self._document = document
        self._path = path
        self._problems = problems
        self._top = headers[0].lines
        self._items: dict[tuple[str, ...], list[Header]] = {}
        for header in headers[1:]:
            self._items.setdefault(header.keys, []).append(header)
        self._dependencies: list[Row] = []

    def rows(self) -> Rows:
        nodes: list[Row] = []
        for word, value in self._document.items():
            if word in _SECTIONS:
                nodes.extend(self._nodes(word, value))
            elif word in _DEPENDENCY_SECTIONS:
                self._read_dependencies(word, value)
            elif word != "model" and not any(word in words for words in HEAD_WORDS.values()):
                known = ("model", *_SECTIONS, *_DEPENDENCY_SECTIONS, *HEAD_WORDS)
                self._unknown(word, known, Place(path=self._path, line=self._line_of(word)))
        return Rows(head=self._head(), nodes=tuple(nodes), dependencies=tuple(self._dependencies))

    def _head(self) -> Row:
        top = {key: value for key, value in self._document.items() if any(key in ws for ws in HEAD_WORDS.values())}
        inner = self._document.get("model", {})
        (header,) = self._items.get(("model",), [Header(keys=(), is_item=False, line=1, lines=self._top)])[:1]
        place = Place(path=self._path, line=header.line)
        if not isinstance(inner, dict):
            self._problems.error("AMG-MISSION-SHAPE", place, "`model` is no table", expected="[model]")
            inner = {}
        return self._row({**top, **inner}, HEAD_WORDS, place, {**self._top, **header.lines})

    def _nodes(self, section: str, value: Any) -> Iterable[Row]:
        for table, place, lines in self._tables(section, value, "name"):
            row = self._row(table, NODE_WORDS, place, lines)
            if _SECTIONS[section]:
                row.values.setdefault("kind", _SECTIONS[section])
            needs = row.values.pop("depends_on", None)
            if needs is not None:
                self._read_needs(row, needs)
            yield row

    def _tables(
        self, section: str, value: Any, key_word: str
    ) -> Iterable[tuple[dict[str, Any], Place, dict[str, int]]]:
        """Tables of `[[section]]`, of `section = [{...}]`, and of `[section.name]`; with where each stands."""
        line = self._line_of(section)
        if isinstance(value, dict):
            pairs: list[tuple[tuple[str, ...], Any]] = [((section, key), table) for key, table in value.items()]
        elif isinstance(value, list):
            pairs = [((section,), table) for table in value]
        else:
            pairs = [((section,), value)]
        seen: dict[tuple[str, ...], int] = {}
        for keys, table in pairs:
            number = seen.get(keys, 0)
            seen[keys] = number + 1
            headers = self._items.get(keys, ())
            header = headers[number] if number < len(headers) else None
            place = Place(path=self._path, line=header.line if header else self._line_within(section, keys, line))
            if isinstance(table, str) and len(keys) == 1 and key_word == "name":
                table = {"name": table}  # noqa: PLW2901 - `asset = ["scada", "hmi"]` is plain enough
            if not isinstance(table, dict):
                expected = f"[[{section}]] with the name and so on below it"
                self._problems.error("AMG-MISSION-SHAPE", place, f"`{show(section)}` holds no table", expected=expected)
                continue
            named = {key_word: keys[1]} if len(keys) > 1 else {}
            yield {**named, **table}, place, header.lines if header else {}

    def _read_dependencies(self, section: str, value: Any) -> None:
        for table, place, lines in self._tables(section, value, "->"):
            ends = _ARROW.split(str(table.get("->", "")))
            plain = {key: item for key, item in table.items() if key != "->"}
            if len(ends) == 2:
                plain = {"from": ends[0], "to": ends[1], **plain}
            self._dependencies.append(self._row(plain, DEPENDENCY_WORDS, place, lines))

    def _read_needs(self, row: Row, needs: Any) -> None:
        """`depends_on` of a node: names, tables, `[name, strength, criticality]`, or a table of these by name."""
        place = row.place_of("depends_on")
        items = [_named(name, item) for name, item in needs.items()] if isinstance(needs, dict) else needs
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, str):
                table: dict[str, Any] = {"from": item}
            elif isinstance(item, list) and 1 <= len(item) <= 3:
                table = dict(zip(("from", "strength", "criticality"), item, strict=False))
            elif isinstance(item, dict):
                table = item
            else:
                expected = 'names, or {on = "scada", strength = 0.9, criticality = 10}'
                self._problems.error("AMG-MISSION-SHAPE", place, "`depends_on` is not understood", expected=expected)
                continue
            fed = self._row(table, DEPENDENCY_WORDS, place, {})
            fed.values.setdefault("receiver", row.values.get("name"))
            self._dependencies.append(fed)

    def _row(
        self, table: Mapping[str, Any], words: Mapping[str, tuple[str, ...]], place: Place, lines: Mapping[str, int]
    ) -> Row:
        values: dict[str, Any] = {}
        found: dict[str, int] = {}
        for word, value in table.items():
            ours = next((our for our, theirs in words.items() if word in theirs), None)
            where = Place(path=self._path, line=lines.get(word, place.line))
            if ours is None:
                self._unknown(word, tuple(one for theirs in words.values() for one in theirs), where)
            elif ours in values:
                self._problems.error("AMG-MISSION-TWICE", where, f"`{show(word)}` says again what was said before")
            else:
                values[ours] = value
                found[ours] = where.line
        return Row(values=values, place=place, lines=found)

    def _unknown(self, word: str, known: tuple[str, ...], place: Place) -> None:
        near = [] if self._problems.is_full else difflib.get_close_matches(word[:80].lower(), known, n=1, cutoff=0.6)
        expected = f"`{near[0]}`?" if near else "a key of docs/missions.md"
        self._problems.error("AMG-MISSION-KEY", place, "there is no such key here", expected=expected, got=word)

    def _line_within(self, section: str, keys: tuple[str, ...], line: int) -> int:
        """Where `key = {...}` stands below `[section]`."""
        header = next(iter(self._items.get((section,), ())), None)
        return header.lines.get(keys[-1], line) if header is not None else line

    def _line_of(self, section: str) -> int:
        headers = [held[0].line for keys, held in self._items.items() if keys[0] == section]
        return self._top.get(section) or min(headers, default=1)


def _named(name: str, item: Any) -> Any:
    if isinstance(item, dict):
        return {"from": name, **item}
    return [name, *item] if isinstance(item, list) else [name, item]

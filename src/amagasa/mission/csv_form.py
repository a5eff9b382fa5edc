"""A model written as one or two CSV files -> rows: nodes by `kind` and `name`, dependencies by `from` and `to`.

The first line names the columns (the words of `mission.row`). Several values in one cell stand apart by `;` or `|`.
In one file for both a dependency is a row which has `from` and `to`, or whose kind is `dependency`.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from amagasa.mission.problem import Place, Problems
from amagasa.mission.row import DEPENDENCY_WORDS, NODE_WORDS, Row, Rows

_DELIMITERS: Final = ",;\t"
_MANY: Final = frozenset({"hosts", "addresses", "accounts", "sources", "depends_on"})
_NUMBERS: Final = frozenset({"weight", "operability", "strength", "criticality", "shown_step"})
_YES: Final = {"1": True, "yes": True, "true": True, "x": True, "0": False, "no": False, "false": False}
# In a table the two ends of a repair estimate have a column each.
_COLUMNS: Final = {**NODE_WORDS, "repair_least_h": ("repair_least_h",), "repair_most_h": ("repair_most_h",)}
_ENDS: Final = {**DEPENDENCY_WORDS, "feeder": ("from", "feeder", "source")}


def rows_of_csv(text: str, path: str, problems: Problems) -> Rows | None:
    """The rows; None where the first line names no column that we know (noted as a problem)."""
    head, _, _ = text.lstrip("\ufeff").partition("\n")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    place = Place(path=path, line=1)
    try:
        columns = [cell.strip().lower() for cell in next(reader, [])]
        if not (
            _has(columns, "name", _COLUMNS) or (_has(columns, "feeder", _ENDS) and _has(columns, "receiver", _ENDS))
        ):
            expected = "columns kind and name for nodes, from and to for dependencies"
            problems.error(
                "AMG-MISSION-CSV", place, "the first line names no such columns", expected=expected, got=head
            )
            return None
        for column in columns:
            if column and _ours(column, _COLUMNS) is None and _ours(column, _ENDS) is None:
                expected = "a column of docs/missions.md"
                problems.error("AMG-MISSION-KEY", place, "there is no such column", expected=expected, got=column)
        return _sorted(_cells(reader, columns, path), path)
    except csv.Error as fault:
        problems.error("AMG-MISSION-CSV", Place(path=path, line=reader.line_num), "this is not CSV", got=str(fault))
        return None


def _cells(reader: Any, columns: list[str], path: str) -> Iterator[tuple[dict[str, str], Place]]:
    before = reader.line_num
    for cells in reader:
        given = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name and cell.strip()}
        if given and not next(iter(given.values())).startswith("#"):
            yield given, Place(path=path, line=before + 1)
        before = reader.line_num


def _sorted(rows: Iterator[tuple[dict[str, str], Place]], path: str) -> Rows:
    nodes, dependencies = [], []
    for given, place in rows:
        ends = {ours for word in given if (ours := _ours(word, _ENDS)) in {"feeder", "receiver"}}
        if given.get("kind", "").lower() in {"dependency", "edge"} or (len(ends) == 2 and not given.get("kind")):
            dependencies.append(_row(given, _ENDS, place))
            continue
        row = _row(given, _COLUMNS, place)
        needs = row.values.pop("depends_on", ())
        dependencies += [Row(values={"feeder": one, "receiver": row.values.get("name")}, place=place) for one in needs]
        nodes.append(row)
    return Rows(
        head=Row(values={}, place=Place(path=path, line=1)), nodes=tuple(nodes), dependencies=tuple(dependencies)
    )


def _row(given: Mapping[str, str], words: Mapping[str, tuple[str, ...]], place: Place) -> Row:
    values: dict[str, Any] = {}
    for word, cell in given.items():
        ours = _ours(word, words)
        if ours in _MANY:
            values[ours] = [part.strip() for part in cell.replace("|", ";").split(";") if part.strip()]
        elif ours in _NUMBERS or (ours or "").startswith("repair_"):
            values[str(ours)] = _number(cell)
        elif ours == "is_boundary":
            values[ours] = _YES.get(cell.lower(), cell)
        elif ours is not None:
            values[ours] = cell
    least, most = values.pop("repair_least_h", None), values.pop("repair_most_h", None)
    if least is not None or most is not None:
        values["repair_h"] = [least if least is not None else most, most if most is not None else least]
    return Row(values=values, place=place)


def _number(cell: str) -> Any:
    """The number; a range as `4-12` becomes its two ends; the text itself where it is neither, to be refused later."""
    try:
        return float(cell)
    except ValueError:
        pass
    ends = cell.replace("..", "-").split("-")
    try:
        return [float(end) for end in ends] if len(ends) == 2 else cell
    except ValueError:
        return cell


def _ours(word: str, words: Mapping[str, tuple[str, ...]]) -> str | None:
    return next((our for our, theirs in words.items() if word in theirs), None)


def _has(columns: list[str], ours: str, words: Mapping[str, tuple[str, ...]]) -> bool:
    return any(column in words[ours] for column in columns)

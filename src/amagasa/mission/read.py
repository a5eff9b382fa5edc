"""Files -> a checked model, or what is wrong with them and where."""

import difflib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from amagasa.mission.check import check
from amagasa.mission.csv_form import rows_of_csv
from amagasa.mission.model import Cycles, Dependency, Model, Node
from amagasa.mission.problem import Place, Problem, Problems
from amagasa.mission.row import Row, Rows
from amagasa.mission.toml_form import rows_of_toml
from amagasa.mission.values import dependency_of, node_of, text_of
from amagasa.vocab.text import show

MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
MAX_NODES: Final = 50_000
MAX_DEPENDENCIES: Final = 200_000
MAX_LIKENED: Final = 2_000  # names that a wrong one is compared with


class Text(Struct, frozen=True, kw_only=True):
    """A file as it was read: its name (for messages, and `.csv` says what it is) and its bytes."""

    path: str
    content: bytes


class ReadModel(Struct, frozen=True, kw_only=True):
    """`model` is None where there are errors. Warnings alone do not keep a model from being used."""

    model: Model | None
    problems: tuple[Problem, ...]
    n_errors: int
    n_warnings: int


def read_model(texts: Sequence[Text]) -> ReadModel:
    """Read and check. The files together are one model: one TOML, or one CSV or two. What they hold never raises."""
    problems = Problems()
    parts = [rows for text in texts if (rows := _rows(text, problems)) is not None]
    if problems.n_errors == 0 and not any(part.nodes for part in parts):
        place = Place(path=texts[0].path if texts else "")
        problems.error("AMG-MISSION-EMPTY", place, "there is nothing in this model", expected="[[mission]], [[asset]]")
    model = _model(parts, problems) if parts else Model()
    return ReadModel(
        model=None if problems.n_errors else model,
        problems=problems.listed(),
        n_errors=problems.n_errors,
        n_warnings=problems.n_warnings,
    )


def _rows(text: Text, problems: Problems) -> Rows | None:
    place = Place(path=text.path)
    if len(text.content) > MAX_TEXT_BYTES:
        expected = f"at most {MAX_TEXT_BYTES} bytes"
        problems.error(
            "AMG-MISSION-LARGE", place, "this file is too large", expected=expected, got=str(len(text.content))
        )
        return None
    try:
        decoded = text.content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = text.content.count(b"\n", 0, fault.start) + 1
        problems.error("AMG-MISSION-UTF8", Place(path=text.path, line=line), "this is not UTF-8")
        return None
    if text.path.lower().endswith((".csv", ".tsv")):
        return rows_of_csv(decoded, text.path, problems)
    return rows_of_toml(decoded, text.path, problems)


def _model(parts: Sequence[Rows], problems: Problems) -> Model:
    head = parts[0].head
    rows = [row for part in parts for row in part.nodes]
    fed = [row for part in parts for row in part.dependencies]
    if len(rows) > MAX_NODES or len(fed) > MAX_DEPENDENCIES:
        expected = f"at most {MAX_NODES} nodes and {MAX_DEPENDENCIES} dependencies"
        got = f"{len(rows)} and {len(fed)}"
        problems.error("AMG-MISSION-LARGE", head.place, "this model is too large", expected=expected, got=got)
        return Model()
    nodes = _nodes(rows, problems)
    model = Model(
        title=text_of(head, "title", problems),
        party=text_of(head, "party", problems),
        cycles=_cycles(head, problems),
        nodes=tuple(nodes),
        dependencies=tuple(_dependencies(fed, nodes, problems)),
    )
    if problems.n_errors == 0:
        check(
            model,
            {row.values["name"].strip(): row.place for row in rows},
            fed[0].place if fed else head.place,
            problems,
        )
    return model


def _nodes(rows: Sequence[Row], problems: Problems) -> dict[Node, None]:
    first: dict[str, Row] = {}
    nodes: dict[Node, None] = {}
    for row in rows:
        node = node_of(row, problems)
        if node is None:
            continue
        if node.name in first:
            what = f"`{show(node.name)}` is named twice"
            problems.error(
                "AMG-MISSION-NAME", row.place, what, expected=f"another name than at {first[node.name].place}"
            )
            continue
        first[node.name] = row
        nodes[node] = None
    return nodes


def _dependencies(rows: Sequence[Row], nodes: dict[Node, None], problems: Problems) -> list[Dependency]:
    names = {node.name for node in nodes}
    known = sorted(names)[:MAX_LIKENED]
    first: dict[tuple[str, str], Row] = {}
    found: list[Dependency] = []
    for row in rows:
        one = dependency_of(row, problems)
        if one is None:
            continue
        unknown = [name for name in (one.feeder, one.receiver) if name not in names]
        for name in unknown:
            near = [] if problems.is_full else difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            expected = f"`{show(near[0])}`?" if near else "the name of a mission, service or asset of this model"
            problems.error(
                "AMG-MISSION-UNKNOWN", row.place, "a dependency names what is not there", expected=expected, got=name
            )
        ends = (one.feeder, one.receiver)
        if ends in first:
            what = f"that `{show(one.receiver)}` depends on `{show(one.feeder)}` is said twice"
            problems.error("AMG-MISSION-TWICE", row.place, what, expected=f"once, as at {first[ends].place}")
        elif not unknown:
            found.append(one)
        first.setdefault(ends, row)
    return found


def _cycles(head: Row, problems: Problems) -> Cycles:
    given = head.values.get("cycles", Cycles.REFUSE.value)
    if given not in list(Cycles):
        place = head.place_of("cycles")
        expected = " or ".join(f'"{one.value}"' for one in Cycles)
        problems.error("AMG-MISSION-VALUE", place, "`cycles` is not understood", expected=expected, got=str(given))
        return Cycles.REFUSE
    return Cycles(given)

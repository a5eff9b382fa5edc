"""Model files on this machine, read and checked for the commands that need no node."""

import difflib
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.markup import escape

from amagasa.entry.cli.output import err
from amagasa.mission.model import FULL, Model
from amagasa.mission.problem import Grade, Problem
from amagasa.mission.read import MAX_TEXT_BYTES, ReadModel, Text, read_model
from amagasa.vocab.errors import BadInputError, WorldError
from amagasa.vocab.text import show

SHOWN: Final = 20
STDIN: Final = "-"


def texts_of(paths: Sequence[Path]) -> tuple[Text, ...]:
    """The files' bytes. Raises BadInputError where there is no such file, WorldError where it cannot be read."""
    return tuple(Text(path=str(path), content=_bytes_of(path)) for path in paths)


def _bytes_of(path: Path) -> bytes:
    try:
        if str(path) == STDIN:
            return sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        with path.open("rb") as file:
            return file.read(MAX_TEXT_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BadInputError(
            "AMG-MISSION-FILE",
            "there is no such file",
            expected="a model: TOML, or CSV (docs/missions.md)",
            got=str(path),
        ) from None
    except OSError as problem:
        raise WorldError("AMG-MISSION-READ", "the model cannot be read", got=f"{path}: {problem.strerror}") from None


def print_problems(read: ReadModel, *, grades: Sequence[Grade] = tuple(Grade)) -> None:
    """`file:line: what` on stderr, errors first, the first 20 of each grade."""
    console = err()
    for grade in grades:
        listed = [one for one in read.problems if one.grade is grade]
        colour = "red" if grade is Grade.ERROR else "yellow"
        for one in listed[:SHOWN]:
            console.print(f"[{colour}]{grade.value}[/] {escape(str(one))}")
        n = read.n_errors if grade is Grade.ERROR else read.n_warnings
        if n > SHOWN:
            console.print(f"[dim]... {n - SHOWN} {grade.value}s more[/]")


def sound_model(paths: Sequence[Path]) -> Model:
    """The model of these files; problems are printed. Raises BadInputError (AMG-MISSION-MODEL) where it has errors."""
    read = read_model(texts_of(paths))
    print_problems(read, grades=(Grade.ERROR,))
    if read.model is None:
        raise refused(read.n_errors)
    return read.model


def refused(n_errors: int) -> BadInputError:
    """What to say below the problems of a model that cannot be used."""
    return BadInputError(
        "AMG-MISSION-MODEL",
        "this model cannot be used",
        expected="no errors",
        got=f"{n_errors} error{'s' if n_errors != 1 else ''}, above",
        then="mend them and try again; nothing was changed",
    )


def health_of(settings: Sequence[str], names: Mapping[str, int]) -> dict[str, float]:
    """`NAME=OPERABILITY` texts. Raises BadInputError for an unknown name or a figure outside 0..100."""
    given: dict[str, float] = {}
    for text in settings:
        name, equals, figure = text.rpartition("=")
        name = name.strip()
        if not equals or name not in names:
            near = difflib.get_close_matches(name or text, list(names)[:20_000], n=1, cutoff=0.6)
            raise BadInputError(
                "AMG-MISSION-SET",
                "there is no such node in the model",
                expected=f"NAME=OPERABILITY; {near[0]}?" if near else "NAME=OPERABILITY with a name of the model",
                got=text,
            )
        given[name] = _figure(figure, text)
    return given


def _figure(figure: str, text: str) -> float:
    try:
        value = float(figure)
    except ValueError:
        value = math.nan
    if not 0 <= value <= FULL:
        raise BadInputError("AMG-MISSION-SET", "this is no operability", expected="a number from 0 to 100", got=text)
    return value


def problem_row(problem: Problem) -> dict[str, object]:
    """One problem as scripts read it."""
    return {
        "grade": problem.grade.value,
        "code": problem.code,
        "path": show(problem.place.path),
        "line": problem.place.line,
        "what": problem.what,
        "expected": problem.expected,
        "got": problem.got,
    }

"""What is wrong with a model, and where: `base.toml:12`."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.vocab.text import show

MAX_PROBLEMS: Final = 100


class Grade(StrEnum):
    """An error keeps the model from being used; a warning is something its author would want to know."""

    ERROR = "error"
    WARNING = "warning"


class Place(Struct, frozen=True, kw_only=True):
    """A line (from 1; 0 where it is not known) of a file as it was named."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{show(self.path)}:{self.line}" if self.line else show(self.path)


class Problem(Struct, frozen=True, kw_only=True):
    """One problem. `what`, `expected` and `got` are safe to print: text of the file is escaped and cut."""

    grade: Grade
    code: str
    place: Place
    what: str
    expected: str = ""
    got: str = ""

    def __str__(self) -> str:
        parts = [self.what, *([f"expected {self.expected}"] if self.expected else [])]
        parts += [f"got {self.got}"] if self.got else []
        return f"{self.place}: {'; '.join(parts)} [{self.code}]"


class Problems:
    """Collects problems, the first 100 of each grade; `n_errors` counts them all."""

    def __init__(self) -> None:
        self._kept: dict[Grade, list[Problem]] = {grade: [] for grade in Grade}
        self.n_errors = 0
        self.n_warnings = 0

    @property
    def is_full(self) -> bool:
        """No further error is kept: what only makes a message better need not be looked for."""
        return self.n_errors >= MAX_PROBLEMS

    def error(self, code: str, place: Place, what: str, *, expected: str = "", got: str = "") -> None:
        """Note an error; `got` may be raw text of the file."""
        self.n_errors += 1
        self._keep(Problem(grade=Grade.ERROR, code=code, place=place, what=what, expected=expected, got=show(got)))

    def warn(self, code: str, place: Place, what: str, *, expected: str = "") -> None:
        """Note a warning."""
        self.n_warnings += 1
        self._keep(Problem(grade=Grade.WARNING, code=code, place=place, what=what, expected=expected))

    def listed(self) -> tuple[Problem, ...]:
        """Errors first, each grade in the order of files and lines."""
        return tuple(
            problem
            for grade in Grade
            for problem in sorted(self._kept[grade], key=lambda one: (one.place.path, one.place.line))
        )

    def _keep(self, problem: Problem) -> None:
        if len(self._kept[problem.grade]) < MAX_PROBLEMS:
            self._kept[problem.grade].append(problem)

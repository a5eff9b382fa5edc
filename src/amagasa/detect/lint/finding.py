"""What the linter says: a finding, its place in the text, and how grave it is."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

# Of a source line that is shown; a longer one is shown around the place.
MAX_SOURCE: Final = 160
_BEFORE: Final = 60


class Grade(StrEnum):
    """ERROR: the rule cannot run. WARNING: it will not do what its text seems to say. NOTE: it could be better."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """3 for an error, 2 for a warning, 1 for a note."""
        return {"error": 3, "warning": 2, "note": 1}[self.value]


class Place(Struct, frozen=True, array_like=True):
    """Where in a text: line and column count from 1, in characters. `n_characters` may be 0 at a line's end."""

    line: int
    column: int
    n_characters: int = 1


START: Final = Place(1, 1, 0)


class Finding(Struct, frozen=True, kw_only=True):
    """One thing to know about a rule. `code` is a word of `detect.lint.codes`, or a fault's code (AMG-...).

    `what`, `expected` and `hint` are plain sentences without their full stop, text of the rule in them escaped and cut.
    `source` is the line as it stands (raw, perhaps a part of it), `caret` the place of `place.column` within it.
    """

    code: str
    grade: Grade
    place: Place
    what: str
    expected: str = ""
    hint: str = ""
    path: str = ""
    rule_id: str = ""
    source: str = ""
    caret: int = 0


def with_source(findings: Sequence[Finding], lines: Sequence[str]) -> Iterator[Finding]:
    """The findings with the line of the text that each points to."""
    for one in findings:
        line = lines[one.place.line - 1] if 0 < one.place.line <= len(lines) else ""
        column = one.place.column - 1
        start = max(0, column - _BEFORE) if len(line) > MAX_SOURCE else 0
        yield Finding(
            code=one.code,
            grade=one.grade,
            place=one.place,
            what=one.what,
            expected=one.expected,
            hint=one.hint,
            path=one.path,
            rule_id=one.rule_id,
            source=line[start : start + MAX_SOURCE],
            caret=column - start,
        )

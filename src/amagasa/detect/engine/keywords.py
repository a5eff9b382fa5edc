r"""Keywords: what a rule looks for anywhere in the record, its values as text with a line feed between them.

A JSON line hides text behind escapes (`\u0070owershell`), so its bytes are no evidence. They are searched all the
same, for a part of each keyword that JSON can write in one other way only (`\u00..`), and for that way itself: a line
without either holds no keyword. Only the other lines are read in full.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from amagasa.detect.engine.matcher import FieldMatcher
from amagasa.detect.engine.matcher import text_of as scalar_text
from amagasa.detect.engine.pattern_set import Databases, PatternSet
from amagasa.detect.folding import escaped
from amagasa.detect.sigma.rule import Atom, Predicate
from amagasa.event.jsonline import object_of
from amagasa.event.lines import text_of
from amagasa.event.record import Format, Value
from amagasa.event.windows import plain
from amagasa.event.windows_layout import HELD_AS_TEXT, fields_of

# Shorter parts are in every line.
_MIN_PART: Final = 3
# Of each part, searched for first: keywords share their heads (`kerberos::`), and few short patterns are twice as fast.
_HEAD: Final = 6
_PATIENCE: Final = 16
_PART: Final = re.compile(r"[A-Za-z0-9 !#-.:;<=>?@\[\]^_`{|}~]+")
_HIDDEN: Final = r"\\u00[2-7][0-9A-Fa-f]"


class Keywords:
    """Matcher of the keyword atoms of one route."""

    def __init__(self, atoms: Mapping[int, Atom], known: Mapping[str, bytes], made: Databases) -> None:
        # Keywords are few, and their values are whole records: no look-up by value pays.
        self._matcher = FieldMatcher(atoms, known, made)
        self.refused = self._matcher.refused
        parts = {part_of(atom) for atom in atoms.values()}
        self._search_all = None in parts
        expressions = sorted(f"(?i){escaped(part)}" for part in parts if part)
        self._patterns = PatternSet([(expression, 0) for expression in (*expressions, _HIDDEN)], known, made)
        heads = sorted({f"(?i){escaped(part[:_HEAD])}" for part in parts if part})
        self._heads = PatternSet([(expression, 0) for expression in (*heads, _HIDDEN)], known, made)
        self._n_searched = self._n_suspected = 0

    def held(self, kind: Format, lines: Sequence[bytes]) -> Iterator[tuple[int, frozenset[int]]]:
        """(index, atoms) of the lines in which some keyword stands."""
        for index in range(len(lines)) if self._search_all else self._suspects(lines):
            held = self._matcher.held(whole_text(kind, lines[index]))
            if held:
                yield index, frozenset(held)

    def _suspects(self, lines: Sequence[bytes]) -> list[int]:
        """One search through all lines at once, and a look at each only where that finds something.

        First for the heads of the keywords, which are fewer; no longer so, once they prove too common.
        """
        data = b"\n".join(lines)
        if self._n_suspected <= _PATIENCE or self._n_suspected * 4 <= self._n_searched:
            self._n_searched += 1
            if not self._heads.search(data):
                return []
            self._n_suspected += 1
        if not self._patterns.search(data):
            return []
        return [index for index, line in enumerate(lines) if self._patterns.search(line)]


def whole_text(kind: Format, line: bytes) -> str:
    """What a keyword is looked for in: the line, or all values of a JSON object (and those of text within it)."""
    if kind not in {Format.WINDOWS, Format.JSON}:
        return text_of(line)
    record = object_of(line)
    if not isinstance(record, dict):
        return text_of(line)
    texts = list(_leaves(record))
    if kind is Format.WINDOWS and any(isinstance(record.get(name), str) for name in HELD_AS_TEXT):
        texts.extend(_leaves(fields_of(record)[0]))
    return "\n".join(texts)


def _leaves(value: Value) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield scalar_text(plain(value))


def part_of(atom: Atom) -> str | None:
    """The longest part of the keyword, in small letters, that a line must show unless it hides it; None: none."""
    if atom.predicate is not Predicate.CONTAINS:
        return None
    longest = max(_PART.findall(atom.value), key=len, default="")
    return longest.lower() if len(longest) >= _MIN_PART else None

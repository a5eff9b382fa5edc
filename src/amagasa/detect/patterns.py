"""A set of regular expressions searched for at once, in time linear in the text (Hyperscan), storable as bytes.

One expression that the engine refuses must not take the others with it: RE2, which is linear too and takes larger
repeats, searches for it alone. What both refuse (look-around, back-references) is left out and named.
"""

import hashlib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

import hyperscan
import re2  # type: ignore[import-untyped]

# Raised when expressions are built otherwise; the engine's own version is in the database, and checked on loading.
_ENGINE: Final = "hyperscan 2"
_DIGEST_BYTES: Final = 32
FOLDED: Final = hyperscan.HS_FLAG_DOTALL
# Ours, not the engine's: what is found must end where the text ends. The engine's own anchor (`\\z`) makes it compile a
# thousand literals in 0.6 s instead of 0.02 s.
AT_END: Final = 1 << 30
ANY_CHARACTER: Final = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_UTF8
CHOSEN_BY_RULE: Final = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_ALLOWEMPTY

# Compiled databases by key: those loaded at the start, and those made since (to be kept for the next start).
Databases = MutableMapping[str, bytes]


class PatternSet:
    """`patterns` are (expression, flags); `search` gives the places of those that are found."""

    def __init__(self, patterns: Sequence[tuple[str, int]], known: Mapping[str, bytes], made: Databases) -> None:
        self.refused: dict[int, str] = {}
        self._alone: list[tuple[int, Any]] = []
        # Place in `patterns` of each pattern in the database; None where they are the same.
        self._places: tuple[int, ...] | None = None
        self._at_end = tuple(bool(flags & AT_END) for _, flags in patterns)
        if not any(self._at_end):
            self._at_end = ()
        self._database: Any = None
        if patterns:
            key = _key(patterns)
            stored = known.get(key) or made.get(key)
            self._database = _loaded(stored) if stored else None
            if self._database is None:
                self._compile(patterns, key, made)

    def search(self, data: bytes) -> list[int]:
        """Places of the patterns found in `data` (UTF-8), in no order, each once."""
        found: list[int] = []
        if self._database is not None:
            append = found.append

            def hit(place: int, _start: int, _end: int, _flags: int, _context: object) -> None:
                append(place)

            self._database.scan(data, match_event_handler=self._hit_at_end(found, len(data)) if self._at_end else hit)
            if self._places is not None:
                found = [self._places[place] for place in found]
        if self._alone:
            found.extend(place for place, expression in self._alone if expression.search(data))
        return found

    def _hit_at_end(self, found: list[int], length: int) -> Callable[[int, int, int, int, object], None]:
        append = found.append
        at_end = self._at_end

        def hit(place: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if end == length or not at_end[place]:
                append(place)

        return hit

    def _compile(self, patterns: Sequence[tuple[str, int]], key: str, made: Databases) -> None:
        try:
            self._database = _compiled(patterns)
        except hyperscan.error:
            self._compile_apart(patterns)
        else:
            body = hyperscan.dumpb(self._database)
            made[key] = hashlib.sha256(body).digest() + body

    def _compile_apart(self, patterns: Sequence[tuple[str, int]]) -> None:
        """Some expression is refused: find out which, and put the others together."""
        for place, (expression, flags) in enumerate(patterns):
            try:
                _compiled([(expression, flags)])
            except hyperscan.error as error:
                alone = _alone(expression, flags)
                if alone is None:
                    self.refused[place] = str(error)
                else:
                    self._alone.append((place, alone))
        apart = {*self.refused, *(place for place, _ in self._alone)}
        self._places = tuple(place for place in range(len(patterns)) if place not in apart)
        if self._at_end:
            self._at_end = tuple(self._at_end[place] for place in self._places)
        self._database = _compiled([patterns[place] for place in self._places]) if self._places else None


def refusal(expression: str, flags: int) -> str | None:
    """Why no engine takes the expression; None where one does."""
    try:
        _compiled([(expression, flags)])
    except hyperscan.error as error:
        return None if _alone(expression, flags) is not None else str(error)
    return None


def _alone(expression: str, flags: int) -> Any:
    r"""The expression for RE2, or None where it will not have it. Its `$` is the very end, as with `\z`."""
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = bool(flags & hyperscan.HS_FLAG_DOTALL)
    try:
        return re2.compile(expression, options)
    except re2.error:
        return None


def _compiled(patterns: Sequence[tuple[str, int]]) -> Any:
    database = hyperscan.Database()
    database.compile(
        expressions=[expression.encode("utf-8", "replace") for expression, _ in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[flags & ~AT_END if flags & AT_END else flags | hyperscan.HS_FLAG_SINGLEMATCH for _, flags in patterns],
    )
    return database


def _loaded(stored: bytes) -> Any:
    """The database, or None where it is damaged or was made by another engine."""
    digest, body = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        database = hyperscan.loadb(body, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database


def _key(patterns: Sequence[tuple[str, int]]) -> str:
    digest = hashlib.sha256(_ENGINE.encode())
    for expression, flags in patterns:
        digest.update(f"\0{flags}\0{expression}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()

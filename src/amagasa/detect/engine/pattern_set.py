"""A set of regular expressions searched for at once, in time linear in the text (Hyperscan), storable as bytes.

One expression that the engine refuses must not take the others with it: RE2, which is linear too and takes larger
repeats, searches for it alone; so it does for what Hyperscan would compile for seconds. What both refuse (look-around,
back-references) is left out and named.
"""

import hashlib
import re
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
# Ours too: every place where it is found is wanted (`PatternSet.ends`), not only whether it is.
EVERYWHERE: Final = 1 << 29
_OURS: Final = AT_END | EVERYWHERE
ANY_CHARACTER: Final = hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_UTF8
CHOSEN_BY_RULE: Final = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_ALLOWEMPTY
# Hyperscan 5.4 misses a literal that ends with the last byte it is given, once in some hundred thousand searches
# (`ca` in `\\bbae x ed za eabca`, beside two other literals). So it is given one byte more, and nothing that takes in
# this byte counts.
_BEHIND: Final = b"\n"

MAX_COUNT: Final = 40
MAX_GROUP_COUNT: Final = 8
_COUNTS: Final = re.compile(r"\{(?:\d*,)?(\d+)\}")
_COUNTED_GROUPS: Final = re.compile(r"\)\{(?:\d*,)?(\d+)\}")

# Compiled databases by key: those loaded at the start, and those made since (to be kept for the next start).
Databases = MutableMapping[str, bytes]


class PatternSet:
    """`patterns` are (expression, flags); `search` gives the places of those that are found."""

    def __init__(self, patterns: Sequence[tuple[str, int]], known: Mapping[str, bytes], made: Databases) -> None:
        self.refused: dict[int, str] = {}
        # Under which the database is stored; "" where it is not, or does not hold all patterns.
        self.key = ""
        self._alone: list[tuple[int, Any]] = []
        # Place in `patterns` of each pattern in the database; None where they are the same.
        self._places: tuple[int, ...] | None
        self._database: Any = None
        places = self._set_apart(patterns)
        rest = [patterns[place] for place in places]
        if rest:
            key = _key(rest)
            stored = known.get(key) or made.get(key)
            self._database = _loaded(stored) if stored else None
            if self._database is None:
                places = self._compile(patterns, places, key, made)
            self.key = key if len(places) == len(patterns) else ""
        self._places = None if len(places) == len(patterns) else places
        self._at_end = bytes(bool(patterns[place][1] & AT_END) for place in places)
        # An expression can ask where the text ends, so those of rules are searched for without the byte behind, too.
        self._is_ending_asked = any(patterns[place][1] & CHOSEN_BY_RULE == CHOSEN_BY_RULE for place in places)

    @property
    def at_end(self) -> bytes:
        """As `stored` takes it."""
        return self._at_end

    def _set_apart(self, patterns: Sequence[tuple[str, int]]) -> tuple[int, ...]:
        """RE2 gets what Hyperscan would compile for seconds; the places of the others."""
        for place, (expression, flags) in enumerate(patterns):
            alone = _alone(expression, flags) if not flags & AT_END and _is_heavy(expression) else None
            if alone is not None:
                self._alone.append((place, alone))
        apart = {place for place, _ in self._alone}
        return tuple(place for place in range(len(patterns)) if place not in apart)

    @classmethod
    def stored(cls, key: str, at_end: bytes, known: Mapping[str, bytes]) -> "PatternSet | None":
        """That of the database which is stored under `key` and holds all its patterns; None where it is not there.

        `at_end`: for each pattern 1 where it must end where the text ends. None of them is `CHOSEN_BY_RULE`.
        """
        body = known.get(key)
        database = _loaded(body) if body else None
        if database is None:
            return None
        made = cls((), known, {})
        made.key, made._database, made._at_end = key, database, at_end
        return made

    def search(self, data: bytes) -> list[int]:
        """Places of the patterns found in `data` (UTF-8), in no order, each once."""
        found: list[int] = []
        if self._database is not None:
            seen: set[int] = set()
            hit = self._hit(seen, len(data))
            self._database.scan(data + _BEHIND, match_event_handler=hit)
            if self._is_ending_asked:
                self._database.scan(data, match_event_handler=hit)
            found = [*seen] if self._places is None else [self._places[place] for place in seen]
        if self._alone:
            found.extend(place for place, expression in self._alone if expression.search(data))
        return found

    def ends(self, data: bytes) -> list[int]:
        """Behind every place where some pattern (each `EVERYWHERE`) is found, in no order."""
        found: list[int] = []
        append = found.append
        length = len(data)

        def hit(_place: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if end <= length:
                append(end)

        if self._database is not None:
            self._database.scan(data + _BEHIND, match_event_handler=hit)
        return found

    def _hit(self, seen: set[int], length: int) -> Callable[[int, int, int, int, object], None]:
        add = seen.add
        at_end = self._at_end

        def hit(place: int, _start: int, end: int, _flags: int, _context: object) -> None:
            if end == length or (end < length and not at_end[place]):
                add(place)

        return hit

    def _compile(
        self, patterns: Sequence[tuple[str, int]], places: tuple[int, ...], key: str, made: Databases
    ) -> tuple[int, ...]:
        """Compile what stands at `places`, to be kept under `key`; the places that the engine did not refuse."""
        try:
            self._database = _compiled([patterns[place] for place in places])
        except hyperscan.error:
            return self._compile_apart(patterns, places)
        body = hyperscan.dumpb(self._database)
        made[key] = hashlib.sha256(body).digest() + body
        return places

    def _compile_apart(self, patterns: Sequence[tuple[str, int]], places: tuple[int, ...]) -> tuple[int, ...]:
        """Some expression is refused: find out which, and put the others together."""
        taken: list[int] = []
        for place in places:
            expression, flags = patterns[place]
            try:
                _compiled([(expression, flags)])
            except hyperscan.error as error:
                alone = _alone(expression, flags)
                if alone is None:
                    self.refused[place] = str(error)
                else:
                    self._alone.append((place, alone))
            else:
                taken.append(place)
        self._database = _compiled([patterns[place] for place in taken]) if taken else None
        return tuple(taken)


def refusal(expression: str, flags: int) -> str | None:
    """Why no engine takes the expression; None where one does. RE2 is asked first, being ten times as fast."""
    if _alone(expression, flags) is not None:
        return None
    try:
        _compiled([(expression, flags)])
    except hyperscan.error as error:
        return str(error)
    return None


def _is_heavy(expression: str) -> bool:
    """Whether Hyperscan would unroll it for long: `a.{0,400}b|c.{0,400}d` took it 84 s, RE2 some milliseconds.

    A guess from the counts alone: one above `MAX_COUNT`, or a counted group of counted parts.
    """
    if "{" not in expression:
        return False  # texts, of which there are thousands, are escaped
    counts = [int(count) for count in _COUNTS.findall(expression)]
    groups = [int(count) for count in _COUNTED_GROUPS.findall(expression)]
    is_nested = max(groups, default=0) > MAX_GROUP_COUNT and len(counts) > 1
    return is_nested or max(counts, default=0) > MAX_COUNT


def _alone(expression: str, flags: int) -> Any:
    r"""The expression for RE2, or None where it will not have it. Its `$` is the very end, as with `\z`."""
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = bool(flags & hyperscan.HS_FLAG_DOTALL)
    try:
        return re2.compile(rf"(?:{expression})\z" if flags & AT_END else expression, options)
    except re2.error:
        return None


def _compiled(patterns: Sequence[tuple[str, int]]) -> Any:
    database = hyperscan.Database()
    database.compile(
        expressions=[expression.encode("utf-8", "replace") for expression, _ in patterns],
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[flags & ~_OURS if flags & _OURS else flags | hyperscan.HS_FLAG_SINGLEMATCH for _, flags in patterns],
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
    written = "".join([_ENGINE, *[f"\0{flags}\0{expression}" for expression, flags in patterns]])
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()

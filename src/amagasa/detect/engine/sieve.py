"""A sieve for records of Windows and of web servers: those in which no rule can match fall through.

The others are named. The exact engine looks at these alone, so a sieve changes how long looking takes and never what is
found. It reads some ten times faster than records can be decoded here; nearly all records fall through.
"""

import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.engine.evaluate import Suspects
from amagasa.detect.engine.pattern_set import EVERYWHERE, Databases, PatternSet
from amagasa.detect.engine.plan import Plan
from amagasa.detect.engine.sieve_library import N_REASONS, Addition, Scan, sieve_library
from amagasa.detect.engine.sieve_program import Known, Piece, Program
from amagasa.detect.engine.sieve_watch import Watching
from amagasa.detect.engine.sieve_words import Words
from amagasa.detect.folding import escaped
from amagasa.detect.report import Silence
from amagasa.detect.watching import Watcher
from amagasa.event.access import WEBSERVER
from amagasa.event.access_places import PARTS
from amagasa.event.jsonline import object_of
from amagasa.event.lines import BOM
from amagasa.event.places import Layout, Place
from amagasa.event.record import Chunk, Format, Route
from amagasa.event.windows import kind_of
from amagasa.event.windows_layout import fields_of
from amagasa.event.windows_places import layout_of
from amagasa.event.windows_reader import route

# Of one call; a chunk in which more are named takes several.
MAX_NAMED: Final = 16_384
MAX_ASKING: Final = 65_536
# Channels are what a record says: an attacker may invent new ones.
MAX_KINDS: Final = 4_000
_WORDS_OF_NAMED: Final = 7
_NOWHERE: Final = (1 << 64) - 1
_WINDOW: Final = 6
_COMMON: Final = {
    **dict.fromkeys("etaoinsrlcdmp. ", 3),
    **dict.fromkeys("uhgbfwyv0123456789-", 2),
    **dict.fromkeys("kxjqz_", 1),
}
_KEY_WORD_BYTES: Final = 8
# By format the number under which the native half knows it.
_FORMATS: Final[Mapping[Format, int]] = {Format.WINDOWS: 0, Format.ACCESS: 1}
NOTHING_KNOWN: Final[Mapping[str, bytes]] = {}


class Reason(IntEnum):
    """Why a record was named (QUIET: it fell through)."""

    QUIET = 0
    ODD = 1  # no plain JSON object
    BARRED = 2  # an object that must be read in full
    UNKNOWN_ROUTE = 3
    ODD_VALUE = 4
    RULE = 5
    KEYWORD = 6
    VALUE = 7  # one that is watched for
    STALE_ROUTE = 8  # what is watched there must be said anew


_LEARNT: Final = frozenset({Reason.UNKNOWN_ROUTE, Reason.STALE_ROUTE})
_JUDGED: Final = frozenset({Reason.RULE, Reason.VALUE})


class Named(Struct, frozen=True):
    """A record that did not fall through: its bytes, its line (from 0), and why it was named.

    Where the reason is a rule or a value, `rules` are all that may match, by their places on the sieve's own route.
    """

    start: int
    end: int
    line: int
    reason: int
    route: int
    rules: tuple[int, ...]


class Sifted(Struct, frozen=True, kw_only=True):
    """Of one chunk: how many records are in it (blank lines are none), the named ones, and counts by `Reason`.

    `silenced` counts for records that are not named: nothing is said of a watched value that they have.
    """

    n_records: int
    named: tuple[Named, ...]
    n_by_reason: tuple[int, ...]
    silenced: Mapping[Silence, int] = {}


class Rest(Struct, frozen=True, kw_only=True):
    """What is left to look at, how many records fell through, and for each plan what its records are suspected of.

    `silenced` is what the records count for that fell through although somebody looks for a value of theirs.
    """

    chunk: Chunk
    n_through: int
    suspects: tuple[Suspects, ...]
    silenced: Mapping[Silence, int] = {}


def sieve_of(plans: Sequence[Plan], key: bytes, known: Mapping[str, bytes] = NOTHING_KNOWN) -> "Sieve | None":
    """A sieve for these plans; None where the native half is not there.

    `key`: `key_bytes()` random ones. `known` is what earlier sieves made, by name.
    """
    native = sieve_library()
    if native is None:
        return None
    return Sieve(native, Program(plans, known), key, known)


def key_bytes() -> int:
    """How many random bytes a sieve needs, so that nobody can prepare records which it takes for others."""
    native = sieve_library()
    return 0 if native is None else int(native.sieve_key_words()) * _KEY_WORD_BYTES


class Sieve:
    """For one thread. Learns the routes as it meets them; memory is bounded by them, not by what is read."""

    def __init__(self, native: Any, program: Program, key: bytes, known: Mapping[str, bytes]) -> None:
        self._native = native
        self._program = program
        self._made: Databases = {}
        self._steps: set[Place] = set()
        self._fields: set[str] = set()
        self._routes: dict[str, int] = {}
        self._kinds: set[tuple[Layout, str, int]] = set()
        self._keywords = _Keywords(program.keywords(), known, self._made)
        self._known: list[Known] = []
        self._named = array("I", bytes(_WORDS_OF_NAMED * 4 * MAX_NAMED))
        self._asking = array("I", bytes(4 * MAX_ASKING))
        self._handle = self._begun(key)
        self._watching = Watching(native, self._handle)
        weakref.finalize(self, native.sieve_free, self._handle)

    def look_for(self, watcher: Watcher | None, *, now: datetime) -> None:
        """Watch for single values from now on, or no longer. A watcher whose answers changed is another watcher."""
        self._watching.look_for(watcher, now)

    def rest_of(self, chunk: Chunk) -> Rest:
        """The chunk without the records that fall through. Chunks of other formats are left as they are."""
        if chunk.format not in _FORMATS:
            return Rest(chunk=chunk, n_through=0, suspects=tuple({} for _ in self._program.plans))
        data = chunk.data.removeprefix(BOM) if chunk.first_record == 1 else chunk.data
        sifted = self.sift(data, chunk.format)
        numbers = tuple(chunk.first_record + one.line for one in sifted.named)
        lines = b"\n".join([data[one.start : one.end] for one in sifted.named])
        return Rest(
            chunk=replace(chunk, data=lines, numbers=numbers),
            n_through=sifted.n_records - len(numbers),
            suspects=self._suspects(zip(numbers, sifted.named, strict=True)),
            silenced=sifted.silenced,
        )

    def sift(self, data: bytes, form: Format = Format.WINDOWS) -> Sifted:
        """`data`: whole lines. Kinds of records not met before are learnt on the way."""
        hits = self._keywords.hits(data) if form is Format.WINDOWS else array("I")
        task = Scan(data=data, n_bytes=len(data), format=_FORMATS[form], stops_at_unknown=1, asked=_NOWHERE)
        task.hits, task.n_hits = hits.buffer_info()[0], len(hits)
        task.named, task.max_named = self._named.buffer_info()[0], MAX_NAMED
        task.asking, task.max_asking = self._asking.buffer_info()[0], MAX_ASKING
        self._watching.begin(task)
        named: list[Named] = []
        while task.at < len(data):
            task.n_named = task.n_asking = task.n_fresh = 0
            self._native.sieve_scan(self._handle, task)
            named.extend(self._read_named(task.n_named))
            if task.n_fresh:
                self._watching.ask(data, task.n_fresh, self._known)
                task.asked = task.at
            if task.n_named and task.stops_at_unknown and named[-1].reason in _LEARNT:
                one = named[-1]
                task.stops_at_unknown = self._learn_from(one, data, form)
                if task.stops_at_unknown:  # once more, now that its route is known
                    named.pop()
                    task.at, task.line = one.start, one.line
                    task.n_records -= 1
                    task.n_by_reason[one.reason] -= 1
        reasons = tuple(task.n_by_reason[number] for number in range(N_REASONS))
        return Sifted(
            n_records=task.n_records,
            named=tuple(named),
            n_by_reason=reasons,
            silenced=self._watching.silenced(),
        )

    def _learn_from(self, one: Named, data: bytes, form: Format) -> bool:
        if one.reason == Reason.STALE_ROUTE:
            return self._watch(one.route)
        return self._learn_access() if form is Format.ACCESS else self._learn(data[one.start : one.end])

    def _learn_access(self) -> bool:
        """The one route of access logs."""
        kind = (Layout.ACCESS, "", 0)
        return kind not in self._kinds and self._learn_kind(kind, WEBSERVER)

    def _watch(self, number: int) -> bool:
        """Say what is watched for on a route."""
        known = self._known[number]
        asked = self._watching.asked_of(number, known.route, is_access=known.layout is Layout.ACCESS)
        if asked is None:
            self._native.sieve_watch_on(self._handle, number)
            return True
        piece, places = self._program.watch(asked, known.layout, known.route, known.event_id)
        if not self._add_steps(places) or not self._add(Addition.WATCH, number, piece):
            return False
        self._watching.watches(number, asked)
        return True

    def made(self) -> Databases:
        """What was made since the last time, to be known at the next start; the caller's to empty."""
        new = self._program.new()
        if new is not None:
            self._made[self._program.name] = new
        return self._made

    def _read_named(self, count: int) -> Iterator[Named]:
        for at in range(0, count * _WORDS_OF_NAMED, _WORDS_OF_NAMED):
            start, end, line, reason, route_, first, last = self._named[at : at + _WORDS_OF_NAMED]
            yield Named(start, end, line, reason, route_, tuple(self._asking[first:last]))

    def _suspects(self, named: Iterable[tuple[int, Named]]) -> tuple[Suspects, ...]:
        """For each plan, the suspected rules of the records for which a rule is the reason."""
        found: tuple[dict[int, tuple[int, ...]], ...] = tuple({} for _ in self._program.plans)
        for number, one in named:
            if one.reason not in _JUDGED:
                continue
            bounds = self._known[one.route].made.bounds
            for own, low, high in zip(found, bounds, bounds[1:], strict=False):
                own[number] = tuple(rule - low for rule in one.rules if low <= rule < high)
        return found

    def _begun(self, key: bytes) -> int:
        piece, places = self._program.start()
        self._steps.update((*places, *PARTS))  # the parts of a line have their slots without steps
        words, texts = piece.words, piece.texts
        handle = self._native.sieve_new(words, len(words) // 4, texts, len(texts), key, len(key) // _KEY_WORD_BYTES)
        if not handle:
            message = "the sieve refused what it was made of"
            raise ValueError(message)
        return int(handle)

    def _learn(self, line: bytes) -> bool:
        """Add the route of a record like this; False where there is nothing to learn."""
        record = object_of(line)
        if isinstance(record, str) or len(self._kinds) >= MAX_KINDS:
            return False
        layout = layout_of(record)
        channel, event_id = kind_of(fields_of(record)[0])
        if channel is None or event_id is None or event_id < 0 or (layout, channel, event_id) in self._kinds:
            return False
        return self._learn_kind((layout, channel, event_id), route(channel, event_id))

    def _learn_kind(self, kind: tuple[Layout, str, int], own: Route) -> bool:
        self._kinds.add(kind)
        layout, channel, event_id = kind
        number = self._route(layout, own, event_id)
        if number is None:
            return False
        words = Words()
        words.add(layout, event_id)
        words.text(channel)
        return self._add(Addition.PLACE, number, Piece(words=words.words.tobytes(), texts=bytes(words.bytes)))

    def _route(self, layout: Layout, own: Route, event_id: int) -> int | None:
        """The number of the route, added if it is new; None where there is no room."""
        name = f"{layout}/{own.name}"
        number = self._routes.get(name)
        if number is not None:
            return number
        made = self._program.route(layout, own, event_id)
        if not self._add_steps(made.places):
            return None
        for field in made.fields:
            if field not in self._fields:
                if not self._add(Addition.FIELD, self._program.fields[field], self._program.field(field)):
                    return None
                self._fields.add(field)
        number = len(self._known)
        if not self._add(Addition.ROUTE, number, made.piece):
            return None
        self._routes[name] = number
        self._known.append(Known(layout=layout, route=own, event_id=event_id, made=made))
        return number

    def _add_steps(self, places: Sequence[Place]) -> bool:
        new = [place for place in places if place not in self._steps]
        if new and not self._add(Addition.KEYS, 0, self._program.steps(new)):
            return False
        self._steps.update(new)
        return True

    def _add(self, what: Addition, number: int, piece: Piece) -> bool:
        words, texts = piece.words, piece.texts
        answer = self._native.sieve_add(self._handle, what, number, words, len(words) // 4, texts, len(texts))
        if answer == 1:
            message = f"the sieve refused a {what.name.lower()}: {number}"
            raise ValueError(message)
        return bool(answer == 0)


class _Keywords:
    """What is looked for anywhere in a record: one search through a chunk finds it all."""

    def __init__(self, parts: Iterable[str], known: Mapping[str, bytes], made: Databases) -> None:
        whole = sorted(f"(?i){escaped(part)}" for part in parts)
        rare = sorted({f"(?i){escaped(_rarest(part))}" for part in parts})
        self._rare = PatternSet([(one, 0) for one in rare], known, made) if whole else None
        self._whole = PatternSet([(one, EVERYWHERE) for one in whole], known, made) if whole else None

    def hits(self, data: bytes) -> "array[int]":
        """Where they end, in order."""
        if self._rare is None or self._whole is None or not self._rare.search(data):
            return array("I")
        return array("I", sorted(self._whole.ends(data)))


def _rarest(part: str) -> str:
    """The six characters of it that stand in the fewest records: marks and rare letters tell more than words."""
    windows = [part[at : at + _WINDOW] for at in range(max(1, len(part) - _WINDOW + 1))]
    return min(windows, key=lambda window: sum(_COMMON.get(letter, 0) for letter in window))

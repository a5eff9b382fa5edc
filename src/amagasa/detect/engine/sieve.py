"""A sieve for records of Windows: those in which certainly no rule matches fall through, the others are named.

The exact engine looks at the named records alone, so a sieve changes how long looking takes and never what is found.
It reads some ten times faster than records can be decoded here; nearly all records fall through.
"""

import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.engine.evaluate import Suspects
from amagasa.detect.engine.keywords import part_of
from amagasa.detect.engine.pattern_set import EVERYWHERE, PatternSet
from amagasa.detect.engine.plan import Plan, RoutePlan
from amagasa.detect.engine.sieve_library import N_REASONS, Scan, sieve_library
from amagasa.detect.engine.sieve_words import (
    INTERFACE,
    NONE,
    Numbers,
    Words,
    characters_of,
    condition,
    folds,
    write_field,
    write_needles,
)
from amagasa.detect.folding import escaped
from amagasa.detect.sigma.rule import FIELDREFS, Atom, Predicate
from amagasa.event.jsonline import object_of
from amagasa.event.lines import BOM
from amagasa.event.record import Chunk, Format, LogSource, Route
from amagasa.event.route import WINDOWS
from amagasa.event.windows import kind_of
from amagasa.event.windows_layout import fields_of
from amagasa.event.windows_places import (
    BARRED,
    CHANNEL,
    CLOSED,
    ENTERED,
    EVENT_ID,
    IGNORED,
    MINDS_SPACES,
    TELLING_NODE,
    How,
    Layout,
    Node,
    Place,
    layout_of,
    places_of,
)
from amagasa.event.windows_reader import route

# Of one call; a chunk in which more are named takes several.
MAX_NAMED: Final = 16_384
MAX_ASKING: Final = 65_536
# Channels are what a record says: an attacker may invent new ones.
MAX_KINDS: Final = 4_000
_UNKNOWN_ROUTE: Final = 3
_WORDS_OF_NAMED: Final = 7
_HEAD: Final = 6
_WINDOWS: Final = LogSource(product=WINDOWS)
KEY_WORD_BYTES: Final = 8


class Named(Struct, frozen=True):
    """A record that did not fall through: its bytes, its line (from 0), and why it was named.

    `rules` are all that may match, by their places on the sieve's own route; empty where every rule may.
    """

    start: int
    end: int
    line: int
    reason: int
    route: int
    rules: tuple[int, ...]


class Sifted(Struct, frozen=True, kw_only=True):
    """Of one chunk: how many records are in it (blank lines are none), and the named ones.

    `n_by_reason`: quiet, odd, barred, unknown route, odd value, rule, keyword.
    """

    n_records: int
    named: tuple[Named, ...]
    n_by_reason: tuple[int, ...]


class Rest(Struct, frozen=True, kw_only=True):
    """What is left to look at, how many records fell through, and for each plan what its records are suspected of."""

    chunk: Chunk
    n_through: int
    suspects: tuple[Suspects, ...]


def sieve_of(plans: Sequence[Plan], key: bytes) -> "Sieve | None":
    """A sieve for these plans; None where the native half is not there. `key`: `key_bytes()` random ones."""
    native = sieve_library()
    return None if native is None else Sieve(native, plans, key)


def key_bytes() -> int:
    """How many random bytes a sieve needs, so that nobody can prepare records which it takes for others."""
    native = sieve_library()
    return 0 if native is None else int(native.sieve_key_words()) * KEY_WORD_BYTES


class Sieve:
    """For one thread. Learns the routes as it meets them; memory is bounded by them, not by what is read."""

    def __init__(self, native: Any, plans: Sequence[Plan], key: bytes) -> None:
        self._native = native
        self._plans = tuple(plans)
        self._numbers = Numbers(plans)
        self._slots: dict[Place, int] = {}
        self._steps: set[Place] = set()
        self._fields: dict[str, int] = {}
        self._routes: dict[str, int] = {}
        self._kinds: set[tuple[Layout, str, int]] = set()
        self._keywords = _Keywords(plans)
        # By the sieve's route: where each plan's rules begin, and rules which only the exact engine can look for.
        self._bounds: list[list[int]] = []
        self._unjudged: list[frozenset[int]] = []
        self._named = array("I", bytes(_WORDS_OF_NAMED * 4 * MAX_NAMED))
        self._asking = array("I", bytes(4 * MAX_ASKING))
        self._handle = self._made(key)
        weakref.finalize(self, native.sieve_free, self._handle)

    def rest_of(self, chunk: Chunk) -> Rest:
        """The chunk without the records that fall through. Chunks of other formats are left as they are."""
        if chunk.format is not Format.WINDOWS:
            return Rest(chunk=chunk, n_through=0, suspects=tuple({} for _ in self._plans))
        data = chunk.data.removeprefix(BOM) if chunk.first_record == 1 else chunk.data
        sifted = self.sift(data)
        numbers = tuple(chunk.first_record + one.line for one in sifted.named)
        lines = b"\n".join([data[one.start : one.end] for one in sifted.named])
        return Rest(
            chunk=replace(chunk, data=lines, numbers=numbers),
            n_through=sifted.n_records - len(numbers),
            suspects=self._suspects(zip(numbers, sifted.named, strict=True)),
        )

    def sift(self, data: bytes) -> Sifted:
        """`data`: whole lines. Records of kinds not met before are named, and learnt for the next time."""
        hits = self._keywords.hits(data)
        task = Scan(data=data, n_bytes=len(data), hits=hits.buffer_info()[0], n_hits=len(hits), stops_at_unknown=1)
        task.named, task.max_named = self._named.buffer_info()[0], MAX_NAMED
        task.asking, task.max_asking = self._asking.buffer_info()[0], MAX_ASKING
        named: list[Named] = []
        while task.at < len(data):
            task.n_named = task.n_asking = 0
            self._native.sieve_scan(self._handle, task)
            named.extend(self._read_named(task.n_named))
            if task.n_named and named[-1].reason == _UNKNOWN_ROUTE:
                task.stops_at_unknown = self._learn(data[named[-1].start : named[-1].end])
        reasons = tuple(task.n_by_reason[number] for number in range(N_REASONS))
        return Sifted(n_records=task.n_records, named=tuple(named), n_by_reason=reasons)

    def _read_named(self, count: int) -> Iterator[Named]:
        for at in range(0, count * _WORDS_OF_NAMED, _WORDS_OF_NAMED):
            start, end, line, reason, route_, first, last = self._named[at : at + _WORDS_OF_NAMED]
            yield Named(start, end, line, reason, route_, tuple(self._asking[first:last]))

    def _suspects(self, named: Iterable[tuple[int, Named]]) -> tuple[Suspects, ...]:
        """For each plan, the suspected rules of the records for which a rule is the reason."""
        found: tuple[dict[int, tuple[int, ...]], ...] = tuple({} for _ in self._plans)
        for number, one in named:
            if not one.rules or not self._unjudged[one.route].isdisjoint(one.rules):
                continue
            bounds = self._bounds[one.route]
            for own, low, high in zip(found, bounds, bounds[1:], strict=False):
                own[number] = tuple(rule - low for rule in one.rules if low <= rule < high)
        return found

    def _made(self, key: bytes) -> int:
        words = Words()
        words.add(INTERFACE, self._numbers.count, sum(len(plan.rules) for plan in self._plans))
        words.list(folds())
        words.list([(node in MINDS_SPACES) + 2 * (node in CLOSED) for node in Node])
        new: list[tuple[Place, bool]] = [(place, True) for place in BARRED]
        new += [(place, False) for place in (*ENTERED, *IGNORED)]
        told = {place for places in (*CHANNEL.values(), *EVENT_ID.values()) for place in places}
        for place in sorted(told):
            self._slots[place] = len(self._slots)
        new += [(place, False) for place in self._slots]
        self._write_steps(words, new)
        for layout in Layout:
            words.add(TELLING_NODE.get(layout, NONE))
            words.list([self._slots[place] for place in CHANNEL[layout]])
            words.list([self._slots[place] for place in EVENT_ID[layout]])
        bytes_ = bytes(words.bytes)
        made = self._native.sieve_new(*_buffer(words.words), bytes_, len(bytes_), key, len(key) // KEY_WORD_BYTES)
        if not made:
            message = "the sieve refused what it was made of"
            raise ValueError(message)
        return int(made)

    def _write_steps(self, words: Words, new: Sequence[tuple[Place, bool]]) -> None:
        """Steps not written before; a place named twice is one step, barred if any says so."""
        barred = {place for place, is_barred in new if is_barred}
        places = [place for place in dict.fromkeys(place for place, _ in new) if place not in self._steps]
        words.add(len(places))
        for place in places:
            self._steps.add(place)
            words.add(place[0], ENTERED.get(place, NONE), self._slots.get(place, NONE), place in barred)
            words.text(place[1])

    def _learn(self, line: bytes) -> bool:
        """Add the route of a record like this; False where there is nothing to learn."""
        record = object_of(line)
        if isinstance(record, str) or len(self._kinds) >= MAX_KINDS:
            return False
        layout = layout_of(record)
        channel, event_id = kind_of(fields_of(record)[0])
        if channel is None or event_id is None or event_id < 0 or (layout, channel, event_id) in self._kinds:
            return False
        self._kinds.add((layout, channel, event_id))
        words = self._route_words(layout, route(channel, event_id), event_id)
        words.add(layout, event_id)
        words.text(channel)
        bytes_ = bytes(words.bytes)
        answer = self._native.sieve_add_route(self._handle, *_buffer(words.words), bytes_, len(bytes_))
        if answer == 1:
            message = f"the sieve refused a route: {channel} {event_id}"
            raise ValueError(message)
        return bool(answer == 0)

    def _route_words(self, layout: Layout, own: Route, event_id: int) -> Words:
        name = f"{layout}/{own.name}"
        plans = [plan.for_route(own) for plan in self._plans]
        number = self._routes.get(name)
        words = Words()
        words.list([])
        if number is not None:
            words.add(0, 0, number)
            return words
        number = self._routes[name] = len(self._routes)
        fields = sorted({field for plan in plans for field in plan.fields})
        channel = dict(own.known).get("Channel")
        found = {field: places_of(field, layout, str(channel) if channel else None, event_id) for field in fields}
        new = dict.fromkeys(place for places in found.values() for place in places.places)
        unplaced = [place for place in new if place not in self._slots]
        for place in unplaced:
            self._slots[place] = len(self._slots)
        self._write_steps(words, [(place, False) for place in unplaced])
        self._write_fields(words, fields)
        words.add(number)
        self._write_keywords(words, plans)
        words.add(len(fields))
        for field in fields:
            places = found[field]
            words.add(self._fields[field], places.how)
            words.list([self._slots[place] for place in places.places])
            words.list(self._all_maybe(field) if places.how is How.UNKNOWN else [])
        self._write_rules(words, plans)
        return words

    def _write_fields(self, words: Words, fields: Sequence[str]) -> None:
        new = [field for field in fields if field not in self._fields]
        words.add(len(new))
        for field in new:
            self._fields[field] = len(self._fields)
            write_field(words, self._atoms_of_field(field), field, self._numbers)

    def _atoms_of_field(self, field: str) -> dict[int, Atom]:
        return {
            first + number: atom
            for plan, first in zip(self._plans, self._numbers.firsts, strict=True)
            for number, atom in plan.by_field.get(field, {}).items()
        }

    def _all_maybe(self, field: str) -> list[int]:
        return [number * 2 + 1 for number in self._atoms_of_field(field)]

    def _write_keywords(self, words: Words, plans: Sequence[RoutePlan]) -> None:
        """Keywords that the hits cover, and those which only this route looks for."""
        atoms = {
            plan.atoms[number] for plan, own in zip(self._plans, plans, strict=True) for number in own.keyword_atoms
        }
        parts = {part for atom in atoms if (part := part_of(atom))}
        covered = self._keywords.covers(parts)
        characters = characters_of(parts)
        words.add(bool(covered), *((characters >> shift) & 0xFFFFFFFF for shift in (0, 32, 64, 96)))
        write_needles(words, [(part, 0) for part in sorted(parts - covered)])

    def _write_rules(self, words: Words, plans: Sequence[RoutePlan]) -> None:
        rules: list[list[int]] = []
        always: list[int] = []
        filed: dict[int, list[int]] = {}
        bounds, unjudged = [0], set[int]()
        for plan, own, first in zip(self._plans, plans, self._numbers.firsts, strict=True):
            base = len(rules)
            rules.extend(condition(rule.part, plan.atoms, first, self._numbers) for rule in own.rules)
            always.extend(base + place for place in own.always)
            for number, places in own.by_atom.items():
                anchors = self._anchors(plan.atoms[number], first + number)
                if anchors is None:
                    always.extend(base + place for place in places)
                for anchor in anchors or ():
                    filed.setdefault(anchor, []).extend(base + place for place in places)
            unjudged.update(base + place for place in own.keyword_rules)
            bounds.append(len(rules))
        self._bounds.append(bounds)
        self._unjudged.append(frozenset(unjudged))
        words.add(len(rules))
        for rule in rules:
            words.list(rule)
        words.list(sorted(set(always)))
        words.add(len(filed))
        for number, ruled in filed.items():
            words.add(number)
            words.list(ruled)

    def _anchors(self, atom: Atom, number: int) -> frozenset[int] | None:
        """Atoms of the sieve of which one is held or maybe where this atom holds; None where that cannot be said."""
        if atom.predicate in FIELDREFS:
            return None
        if atom.field is None:
            return frozenset() if part_of(atom) else None
        if atom.predicate is Predicate.REGEX and self._numbers.automaton(atom) is None:
            return self._numbers.anchors(atom.field, self._numbers.need(atom))
        return frozenset((number,))


class _Keywords:
    """What rules for the whole of Windows look for anywhere in a record: one search through a chunk finds it all."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        rules = [rule for plan in plans for rule in plan.rules if rule.logsource == _WINDOWS]
        atoms = [atom for rule in rules for atom in rule.atoms if atom.field is None]
        parts = {part for atom in atoms if (part := part_of(atom))}
        self._parts = frozenset(parts)
        heads = sorted({f"(?i){escaped(part[:_HEAD])}" for part in parts})
        self._heads = PatternSet([(head, 0) for head in heads], {}, {}) if parts else None
        whole = sorted(f"(?i){escaped(part)}" for part in parts)
        self._whole = PatternSet([(part, EVERYWHERE) for part in whole], {}, {}) if parts else None

    def covers(self, parts: set[str]) -> set[str]:
        """Those of the parts which the hits tell of."""
        return parts & self._parts

    def hits(self, data: bytes) -> "array[int]":
        """Where they end, in order."""
        if self._heads is None or self._whole is None or not self._heads.search(data):
            return array("I")
        return array("I", sorted(self._whole.ends(data)))


def _buffer(words: "array[int]") -> tuple[int, int]:
    return words.buffer_info()

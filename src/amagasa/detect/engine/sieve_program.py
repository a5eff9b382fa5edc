"""What a sieve is made of, piece by piece as it meets the log: steps to fields, questions about these, rules of routes.

A piece is plain data and depends on the plans alone, so the pieces can be kept for the next start: a sieve then takes
up what it has met before without a rule being looked at.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.detect.engine.atoms import Index
from amagasa.detect.engine.keywords import part_of
from amagasa.detect.engine.plan import Filing, Outline, Plan, RoutePlan
from amagasa.detect.engine.sieve_words import (
    INTERFACE,
    LINE,
    NONE,
    Conditions,
    Numbers,
    Words,
    characters_of,
    folds,
    write_field,
    write_needles,
)
from amagasa.detect.sigma.rule import Atom, Predicate
from amagasa.detect.watching import Telling
from amagasa.event.access_places import PARTS, access_places_of
from amagasa.event.places import How, Layout, Node, Place, Places
from amagasa.event.record import LogSource, Route
from amagasa.event.route import WINDOWS
from amagasa.event.windows_places import (
    BARRED,
    CHANNEL,
    CLOSED,
    ENTERED,
    EVENT_ID,
    IGNORED,
    MINDS_SPACES,
    TELLING_NODE,
    places_of,
)

# Raised whenever the same plans would give other pieces.
VERSION: Final = 8
# In the order in which the sieve numbers them.
REFERENCES: Final = (
    Predicate.FIELDREF,
    Predicate.FIELDREF_CONTAINS,
    Predicate.FIELDREF_STARTSWITH,
    Predicate.FIELDREF_ENDSWITH,
)
_WINDOWS: Final = LogSource(product=WINDOWS)


class Piece(Struct, frozen=True, kw_only=True, array_like=True):
    """Words and the texts that they point into."""

    words: bytes
    texts: bytes


class RoutePiece(Struct, frozen=True, kw_only=True, array_like=True):
    """A route, and what must be there before it: fields, and places that have slots.

    `bounds`: where each plan's rules begin, and the end.
    """

    piece: Piece
    fields: tuple[str, ...]
    places: tuple[Place, ...]
    bounds: tuple[int, ...]


class Kept(Struct, kw_only=True, array_like=True):
    """Everything made so far. `slots` by their numbers; routes by layout and name; indexes and outlines plan by plan.

    `asked` are the fields that some rule looks at, in order; `keywords` as the program's.
    """

    n_atoms: int
    asked: list[str]
    keywords: list[str]
    indexes: list[Index]
    slots: list[Place]
    fields: dict[str, Piece]
    routes: dict[str, RoutePiece]
    outlines: list[dict[str, Outline]]


class Known(Struct, frozen=True, kw_only=True):
    """A route that a sieve learnt from a record of this layout and event."""

    layout: Layout
    route: Route
    event_id: int
    made: RoutePiece


class Program:
    """Of these plans. `known` may hold under `name` what an earlier program of the same plans gave."""

    def __init__(self, plans: Sequence[Plan], known: Mapping[str, bytes]) -> None:
        self.plans = tuple(plans)
        self._kept = self._read(known.get(self.name)) or self._begun()
        self.fields: Mapping[str, int] = {field: number for number, field in enumerate(self._kept.asked)}
        self._slots = {place: number for number, place in enumerate(self._kept.slots)}
        self._is_new = False

    @property
    def name(self) -> str:
        """Under which it is kept: the hash of all that decides what is in it."""
        digests = ",".join(plan.digest for plan in self.plans)
        return f"sieve-{hashlib.sha256(f'{INTERFACE} {VERSION} {digests}'.encode()).hexdigest()}"

    def _read(self, kept: bytes | None) -> Kept | None:
        try:
            read = msgspec.msgpack.decode(kept, type=Kept) if kept else None
        except msgspec.DecodeError:
            return None
        for plan, index, outlines in zip(self.plans, read.indexes, read.outlines, strict=True) if read else ():
            plan.know(index, outlines)
        return read

    def _begun(self) -> Kept:
        atoms = [atom for plan in self.plans for atom in plan.atoms]
        asked = {atom.field for atom in atoms if atom.field is not None}
        asked |= {atom.value for atom in atoms if atom.predicate in REFERENCES} | {LINE}
        rules = [rule for plan in self.plans for rule in plan.rules if rule.logsource == _WINDOWS]
        sought = [atom for rule in rules for atom in rule.atoms if atom.field is None]
        return Kept(
            n_atoms=self._numbers.count,
            asked=sorted(asked),
            keywords=sorted({part for atom in sought if (part := part_of(atom))}),
            slots=list(PARTS),
            fields={},
            routes={},
            indexes=[plan.index for plan in self.plans],
            outlines=[{} for _ in self.plans],
        )

    def new(self) -> bytes | None:
        """What is to be kept for the next start; None where nothing was added to what was known."""
        outlines = [plan.outlines for plan in self.plans]
        n_known = sum(map(len, self._kept.outlines))
        if not self._is_new and sum(map(len, outlines)) == n_known:
            return None
        self._is_new = False
        self._kept.outlines = [dict(one) for one in outlines]
        return msgspec.msgpack.encode(self._kept)

    def keywords(self) -> frozenset[str]:
        """What rules for the whole of Windows look for anywhere in a record."""
        return frozenset(self._kept.keywords)

    def start(self) -> tuple[Piece, list[Place]]:
        """What a sieve begins with, and the places to which there are steps by then."""
        words = Words()
        words.add(INTERFACE, max(1, self._kept.n_atoms), sum(len(plan.rules) for plan in self.plans))
        words.list(folds())
        words.list([(node in MINDS_SPACES) + 2 * (node in CLOSED) for node in Node if node is not Node.LINE])
        told = sorted({place for places in (*CHANNEL.values(), *EVENT_ID.values()) for place in places})
        self._number(told)
        places = list(dict.fromkeys((*BARRED, *ENTERED, *IGNORED, *told)))
        self._write_steps(words, places)
        for layout in CHANNEL:
            words.add(TELLING_NODE.get(layout, NONE))
            words.list([self._slots[place] for place in CHANNEL[layout]])
            words.list([self._slots[place] for place in EVENT_ID[layout]])
        return _piece(words), places

    def steps(self, places: Sequence[Place]) -> Piece:
        """Steps to places which the sieve does not know yet."""
        words = Words()
        self._write_steps(words, places)
        return _piece(words)

    def field(self, field: str) -> Piece:
        """All questions about a field."""
        found = self._kept.fields.get(field)
        if found is None:
            words = Words()
            write_field(words, self._atoms_of(field), field, self._numbers)
            found = self._kept.fields[field] = _piece(words)
            self._is_new = True
        return found

    def route(self, layout: Layout, route: Route, event_id: int) -> RoutePiece:
        """Columns and rules of a route in one layout."""
        name = f"{layout}/{route.name}"
        found = self._kept.routes.get(name)
        if found is None:
            found = self._kept.routes[name] = self._made(layout, route, event_id)
            self._is_new = True
        return found

    def watch(
        self, fields: Mapping[str, tuple[int, Telling]], layout: Layout, route: Route, event_id: int
    ) -> tuple[Piece, list[Place]]:
        """Columns whose values are watched, by field with their numbers; and the places that must have steps before."""
        found = _found(fields, layout, route, event_id)
        places = list(dict.fromkeys(place for one in found.values() for place in one.places))
        self._number(places)
        words = Words()
        words.add(len(fields))
        for field, (number, telling) in fields.items():
            self._write_column(words, number, found[field], ())
            words.add(telling.is_address)
            words.text(telling.needed)
        return _piece(words), places

    def _made(self, layout: Layout, route: Route, event_id: int) -> RoutePiece:
        plans = [plan.for_route(route) for plan in self.plans]
        fields = sorted({field for plan in plans for field in plan.fields})
        found = _found(fields, layout, route, event_id)
        places = list(dict.fromkeys(place for one in found.values() for place in one.places))
        self._number(places)
        words = Words()
        asks_lines = layout is Layout.ACCESS and any(one.keyword_atoms for one in self._filed(plans))
        self._write_keywords(words, () if layout is Layout.ACCESS else plans)
        words.add(len(fields) + asks_lines)
        if asks_lines:
            self._write_column(words, self.fields[LINE], Places(How.LINE), ())
        for field in fields:
            maybe = [number * 2 + 1 for number in self._atoms_of(field)] if found[field].how is How.UNKNOWN else []
            self._write_column(words, self.fields[field], found[field], maybe)
        self._write_references(words, plans, fields, first_column=int(asks_lines))
        bounds = self._write_rules(words, plans, asks_lines=asks_lines)
        return RoutePiece(
            piece=_piece(words), fields=(*fields, *[LINE] * asks_lines), places=tuple(places), bounds=tuple(bounds)
        )

    def _number(self, places: Sequence[Place]) -> None:
        for place in places:
            if place not in self._slots:
                self._slots[place] = len(self._kept.slots)
                self._kept.slots.append(place)

    def _write_steps(self, words: Words, places: Sequence[Place]) -> None:
        words.add(len(places))
        for place in places:
            words.add(place[0], ENTERED.get(place, NONE), self._slots.get(place, NONE), place in BARRED)
            words.text(place[1])

    @cached_property
    def _numbers(self) -> Numbers:
        return Numbers(self.plans)

    def _atoms_of(self, field: str) -> dict[int, Atom]:
        return {
            first + number: atom
            for plan, first in zip(self.plans, self._numbers.firsts, strict=True)
            for number, atom in (plan.atoms.of_field(field) if field != LINE else plan.atoms.keywords()).items()
        }

    def _filed(self, plans: Sequence[RoutePlan]) -> list[Filing]:
        return [plan.filed(own) for plan, own in zip(self.plans, plans, strict=False)]

    def _write_keywords(self, words: Words, plans: Sequence[RoutePlan]) -> None:
        """Whether the hits matter here, characters behind which a keyword may hide, keywords of this route alone."""
        by_plan = zip(self.plans, self._filed(plans), strict=False)
        atoms = {plan.atoms[number] for plan, own in by_plan for number in own.keyword_atoms}
        parts = {part for atom in atoms if (part := part_of(atom))}
        covered = parts & self.keywords()
        characters = characters_of(parts)
        words.add(bool(covered), *((characters >> shift) & 0xFFFFFFFF for shift in (0, 32, 64, 96)))
        write_needles(words, [(part, 0) for part in sorted(parts - covered)])

    def _write_column(self, words: Words, number: int, places: Places, maybe: Sequence[int]) -> None:
        words.add(number, places.how)
        words.list([self._slots[place] for place in places.places])
        words.list(maybe)

    def _write_references(
        self, words: Words, plans: Sequence[RoutePlan], fields: Sequence[str], *, first_column: int
    ) -> None:
        """Atoms that compare two columns."""
        columns = {field: number for number, field in enumerate(fields, first_column)}
        references = [
            (columns[atom.field], columns[atom.value], REFERENCES.index(atom.predicate), first + number)
            for plan, own, first in zip(self.plans, self._filed(plans), self._numbers.firsts, strict=True)
            for number in own.references
            if (atom := plan.atoms[number]).field is not None
        ]
        words.add(len(references))
        for reference in references:
            words.add(*reference)

    def _write_rules(self, words: Words, plans: Sequence[RoutePlan], *, asks_lines: bool) -> list[int]:
        rules: list[list[int]] = []
        always: set[int] = set()
        filed: dict[int, list[int]] = {}
        bounds = [0]
        for plan, own, first in zip(self.plans, plans, self._numbers.firsts, strict=True):
            base = bounds[-1]
            conditions = Conditions(plan.atoms, first, self._numbers, asks_lines)
            filing = plan.filed(own)
            rules.extend(conditions.of(plan.part(own, place)) for place in range(len(own.places)))
            bounds.append(len(rules))
            always.update(base + place for place in filing.always)
            for number, places in filing.by_atom.items():
                anchors = conditions.anchors(number)
                if anchors is None:
                    always.update(base + place for place in places)
                for anchor in anchors or ():
                    filed.setdefault(anchor, []).extend(base + place for place in places)
        words.add(len(rules))
        for rule in rules:
            words.list(rule)
        words.list(sorted(always))
        words.add(len(filed))
        for number, ruled in filed.items():
            words.add(number)
            words.list(ruled)
        return bounds


def _found(fields: Iterable[str], layout: Layout, route: Route, event_id: int) -> dict[str, Places]:
    if layout is Layout.ACCESS:
        return {field: access_places_of(field) for field in fields}
    channel = dict(route.known).get("Channel")
    return {field: places_of(field, layout, str(channel) if channel else None, event_id) for field in fields}


def _piece(words: Words) -> Piece:
    return Piece(words=words.words.tobytes(), texts=bytes(words.bytes))

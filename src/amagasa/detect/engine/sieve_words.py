"""Plans in the words of the sieve (`native/`): what is asked of a field, which rules a route has.

An atom that the sieve can decide is *held* or *not held*, exactly. A regular expression is what a value must hold for
it (`detect.engine.literals`) and a *maybe*. A code is an atom's number twice over, odd for maybe.
"""

import re
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Final

from msgspec import Struct

from amagasa.detect.engine.automaton import MAX_POSITIONS, N_MARKS, Automaton, automaton_of, packed
from amagasa.detect.engine.expression import tree_of
from amagasa.detect.engine.keywords import part_of
from amagasa.detect.engine.literals import NOTHING, AllOf, Need, need_of
from amagasa.detect.engine.plan import Join, Part, Plan
from amagasa.detect.folding import fold
from amagasa.detect.sigma.rule import Atom, Predicate

# Where keywords are looked for, as a field; no field of an event has this name.
LINE: Final = ""
INTERFACE: Final = 7
NONE: Final = 0xFFFF
_MAYBE: Final = 7
_NO: Final = 11
_OPERATORS: Final = (Predicate.LT, Predicate.LTE, Predicate.GT, Predicate.GTE, Predicate.NEQ)
# Not folded in the sieve: the long s, which an expression that ignores case takes for an s.
_LONG_S: Final = 0x17F
# A shorter text stands in too many values to tell whether an expression is worth trying.
TELLING: Final = 5
# Shorter parts of a glob are in every value.
MIN_PART: Final = 2
_KINDS: Final = {Predicate.EQUALS: "equal", Predicate.STARTSWITH: "heads", Predicate.ENDSWITH: "tails"}
# A glob's own marks, and the escapes of `detect.folding.escaped`; while they are read, two characters of private use
# stand for the marks.
_MARKS: Final = re.compile(r"\.\*|\.")
_ESCAPE: Final = re.compile(r"\\x([0-9a-f]{2})")
_FOREIGN: Final = frozenset(map(chr, range(0xD800, 0xE002)))
_ANY_TEXT: Final = "\ue000".encode()
_ANY_CHARACTER: Final = "\ue001".encode()
_FOLDS_FROM: Final = 0x80
_FOLDS_BELOW: Final = 0x800


class Words:
    """Words of 32 bits, and the texts that they point into."""

    def __init__(self) -> None:
        self.words = array("I")
        self.bytes = bytearray()

    def add(self, *words: int) -> None:
        """Append as they are."""
        self.words.extend(words)

    def long(self, word: int) -> None:
        """64 bits, the lower half first."""
        self.words.extend((word & 0xFFFFFFFF, word >> 32))

    def positions(self, positions: int) -> None:
        """A set of positions of automata."""
        self.words.frombytes(positions.to_bytes(MAX_POSITIONS // 8, "little"))

    def list(self, words: Sequence[int]) -> None:
        """A count, then the words."""
        self.words.append(len(words))
        self.words.extend(words)

    def text(self, text: str) -> None:
        """Where it stands among the bytes, and its length there."""
        self.raw(text.encode("utf-8", "surrogatepass"))

    def raw(self, written: bytes) -> None:
        """Bytes in the same way."""
        self.words.extend((len(self.bytes), len(written)))
        self.bytes += written


def folds() -> list[int]:
    """The fold of each character from U+0080 to U+07FF; 0 where the sieve must not fold."""
    points = [ord(fold(chr(point))) for point in range(_FOLDS_FROM, _FOLDS_BELOW)]
    points[_LONG_S - _FOLDS_FROM] = 0
    return points


class Numbers:
    """The sieve's own numbers: the atoms of all plans, one plan behind the other, then texts that expressions need."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self.firsts: list[int] = []
        self.count = 0
        for plan in plans:
            self.firsts.append(self.count)
            self.count += len(plan.atoms)
        self.needs: dict[tuple[str, str], Need] = {}
        # Of the expressions that need nothing which tells much.
        self.automata: dict[tuple[str, str], Automaton] = {}
        self.texts: dict[str, dict[str, int]] = {}
        for plan in plans:
            for atom in plan.atoms:
                if atom.predicate is Predicate.REGEX:
                    self._read(atom.field or LINE, atom.value)

    def _read(self, field: str, expression: str) -> None:
        need = self.needs[field, expression] = need_of(expression)
        self._number(field, need)
        if _length(need) < TELLING and (tree := tree_of(expression)) is not None:
            automaton = automaton_of(tree)
            if automaton is not None:
                self.automata[field, expression] = automaton

    def _number(self, field: str, need: Need) -> None:
        if isinstance(need, str):
            own = self.texts.setdefault(field, {})
            if need not in own:
                own[need] = self.count
                self.count += 1
            return
        for part in need.parts:
            self._number(field, part)

    def need(self, atom: Atom) -> Need:
        """What a value must hold for the expression of this atom."""
        return self.needs.get((atom.field or LINE, atom.value), NOTHING)

    def automaton(self, atom: Atom) -> Automaton | None:
        """What is run over values for the expression of this atom, where nothing else is known of them."""
        return self.automata.get((atom.field or LINE, atom.value))

    def anchors(self, field: str, need: Need) -> frozenset[int] | None:
        """Numbers of texts of which one stands in every value that meets the need, the longest; None: no such."""
        if isinstance(need, str):
            return frozenset((self.texts[field][need],))
        own = [self.anchors(field, part) for part in need.parts]
        if not isinstance(need, AllOf):
            known = [one for one in own if one is not None]
            return frozenset().union(*known) if len(known) == len(own) else None
        choices = [(_length(part), one) for part, one in zip(need.parts, own, strict=True) if one is not None]
        return max(choices, key=lambda choice: choice[0])[1] if choices else None


def _length(need: Need) -> int:
    """Of the shortest text that would meet a part of it."""
    if isinstance(need, str):
        return len(need)
    lengths = [_length(part) for part in need.parts]
    return max(lengths, default=0) if isinstance(need, AllOf) else min(lengths, default=0)


class _Field:
    """What is asked of one field, sorted by how the sieve asks it."""

    def __init__(self) -> None:
        self.lists: dict[str, list[int]] = {name: [] for name in ("null", "exists", "missing", "any", "empty")}
        self.needles: dict[str, list[tuple[str, int]]] = {name: [] for name in ("equal", "heads", "tails")}
        self.parts: list[tuple[str, int, bytes]] = []
        self.loose: list[tuple[str, int, bytes]] = []
        self.automata: list[tuple[Automaton, int]] = []
        self.comparisons: list[tuple[int, int, float]] = []
        self.networks: list[tuple[IPv4Network, int]] = []
        self.wide: list[int] = []

    def add(self, number: int, atom: Atom) -> None:
        """File one atom under its number."""
        code, maybe = number * 2, number * 2 + 1
        match atom.predicate:
            case Predicate.NULL:
                self.lists["null"].append(code)
            case Predicate.EXISTS:
                self.lists["exists" if atom.value == "true" else "missing"].append(code)
            case Predicate.EQUALS if not atom.value:
                self.lists["empty"].append(code)
            case Predicate.EQUALS | Predicate.STARTSWITH | Predicate.ENDSWITH | Predicate.CONTAINS:
                self._add_text(atom, maybe if atom.is_cased else code)
            case Predicate.GLOB:
                self._add_glob(atom, maybe if atom.is_cased else code)
            case Predicate.REGEX:
                pass  # an automaton (`write_field`), or a maybe of its own in every condition (`condition`)
            case Predicate.CIDR:
                self._add_network(atom, code)
            case _ if atom.predicate in _OPERATORS:
                self.comparisons.append((_OPERATORS.index(atom.predicate), code, float(atom.value)))
            case _:
                self.lists["any"].append(maybe)

    def _add_text(self, atom: Atom, code: int) -> None:
        text = fold(atom.value)
        if not text:
            self.lists["any"].append(code)
        elif not _FOREIGN.isdisjoint(text):
            self.lists["any"].append(code | 1)
        elif atom.predicate is Predicate.CONTAINS:
            self.parts.append((text, code, b""))
        else:
            self.needles[_KINDS[atom.predicate]].append((text, code))

    def _add_glob(self, atom: Atom, code: int) -> None:
        if not _FOREIGN.isdisjoint(atom.value):
            self.lists["any"].append(code | 1)
            return
        glob = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), _MARKS.sub(_mark, atom.value))
        glob = fold(glob)
        written = glob.encode().replace(_ANY_TEXT, b"\xff").replace(_ANY_CHARACTER, b"\xfe")
        longest = max(re.split(r"[\ue000\ue001]", glob), key=len)
        if len(longest) >= MIN_PART:
            self.parts.append((longest, code, written))
        else:
            self.loose.append(("", code, written))

    def _add_network(self, atom: Atom, code: int) -> None:
        network = ip_network(atom.value)
        if isinstance(network, IPv4Network):
            self.networks.append((network, code))
        else:
            self.wide.append(code)

    def write(self, words: Words) -> None:
        """In the order in which the sieve reads."""
        for codes in self.lists.values():
            words.list(codes)
        for needles in self.needles.values():
            write_needles(words, needles)
        for globs in (self.parts, self.loose):
            words.add(len(globs))
            for text, code, glob in globs:
                words.text(text)
                words.add(code)
                words.raw(glob)
        _write_automata(words, self.automata)
        words.add(len(self.comparisons))
        for operator, code, limit in self.comparisons:
            words.add(operator, code)
            words.long(int.from_bytes(struct.pack("<d", limit), "little"))
        words.add(len(self.networks))
        for network, code in self.networks:
            words.add(int(network.network_address), int(network.netmask), code)
        words.list(self.wide)


def write_field(words: Words, atoms: Mapping[int, Atom], field: str, numbers: Numbers) -> None:
    """All atoms of one field, and the texts which expressions need; in here they go by their places in that list."""
    texts = numbers.texts.get(field, {})
    own = _Field()
    for place, atom in enumerate(atoms.values()):
        own.add(place, atom)
        if atom.predicate is Predicate.REGEX and (automaton := numbers.automaton(atom)) is not None:
            own.automata.append((automaton, place * 2 + 1))
    own.parts.extend((text, (len(atoms) + place) * 2, b"") for place, text in enumerate(texts))
    words.list([*atoms, *texts.values()])
    own.write(words)


def _write_automata(words: Words, automata: Sequence[tuple[Automaton, int]]) -> None:
    """Of each row by character and mark: which positions take it; then by position what follows; first; ends."""
    made = packed(automata)
    words.add(len(made))
    for one in made:
        for mark in range(N_MARKS):
            words.positions(sum(1 << place for place, mask in enumerate(one.masks) if mask >> mark & 1))
        words.add(len(one.follow))
        for follow in one.follow:
            words.positions(follow)
        words.positions(one.first)
        words.add(len(one.ends))
        for last, least, code in one.ends:
            words.positions(last)
            words.add(least, code)


def write_needles(words: Words, needles: Sequence[tuple[str, int]]) -> None:
    """Texts with their codes."""
    words.add(len(needles))
    for text, code in needles:
        words.text(text)
        words.add(code)


class Conditions(Struct, frozen=True):
    """How the conditions of a plan are written; `first` is the sieve's number of the plan's first atom.

    `asks_lines`: keywords are atoms of the line; otherwise they are looked for before, and hold nowhere.
    """

    atoms: Sequence[Atom]
    first: int
    numbers: Numbers
    asks_lines: bool

    def of(self, part: Part) -> list[int]:
        """In Polish notation."""
        if isinstance(part, int):
            return self._of_atom(part)
        if part.join is Join.NOT:
            return [3, *self.of(part.rest[0])]
        found = [word for number in sorted(part.atoms) for word in self._of_atom(number)]
        for inner in part.rest:
            found.extend(self.of(inner))
        return [_joint(len(part.atoms) + len(part.rest), is_all=part.join is Join.AND), *found]

    def anchors(self, number: int) -> frozenset[int] | None:
        """Atoms of the sieve of which one is held or maybe where this one holds; None where that cannot be said."""
        atom = self.atoms[number]
        if atom.field is None and not self.asks_lines:
            return frozenset() if part_of(atom) else None
        if atom.predicate is Predicate.REGEX and self.numbers.automaton(atom) is None:
            return self.numbers.anchors(atom.field or LINE, self.numbers.need(atom))
        return frozenset((self.first + number,))

    def _of_atom(self, number: int) -> list[int]:
        atom = self.atoms[number]
        if atom.field is None and not self.asks_lines:
            return [_NO if part_of(atom) else _MAYBE]
        if atom.predicate is Predicate.REGEX and self.numbers.automaton(atom) is None:
            texts = self.numbers.texts.get(atom.field or LINE, {})
            return [_joint(2, is_all=True), *_needed(self.numbers.need(atom), texts), _MAYBE]
        return [(self.first + number) * 4]


def _needed(need: Need, texts: Mapping[str, int]) -> list[int]:
    if isinstance(need, str):
        return [texts[need] * 4]
    found = [word for part in need.parts for word in _needed(part, texts)]
    return [_joint(len(need.parts), is_all=isinstance(need, AllOf)), *found]


def _joint(count: int, *, is_all: bool) -> int:
    return count * 4 + (1 if is_all else 2)


def characters_of(parts: Iterable[str]) -> int:
    """The characters of these keywords in either case, a bit each."""
    found = 0
    for character in {letter for part in parts for letter in part.lower() + part.upper() if letter.isascii()}:
        found |= 1 << ord(character)
    return found


def _mark(match: re.Match[str]) -> str:
    return "\ue000" if match[0] == ".*" else "\ue001"

"""Which atoms of one field hold for a value: dictionaries for equality, one pattern set, tables for networks.

Text is compared as `detect.folding` says; a number is its decimal text, so that 4688 equals "4688". Null and a
missing field satisfy only NULL (and EXISTS false, where missing). For a list any element will do.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.detect.engine.atoms import packed, unpacked
from amagasa.detect.engine.pattern_set import ANY_CHARACTER, AT_END, CHOSEN_BY_RULE, FOLDED, Databases, PatternSet
from amagasa.detect.folding import escaped, fold
from amagasa.detect.sigma.rule import Atom, Predicate
from amagasa.event.record import MISSING, Value
from amagasa.event.stamps import from_clf, from_value

_COMPARE: Final[dict[Predicate, Callable[[float, float], bool]]] = {
    Predicate.LT: lambda value, limit: value < limit,
    Predicate.LTE: lambda value, limit: value <= limit,
    Predicate.GT: lambda value, limit: value > limit,
    Predicate.GTE: lambda value, limit: value >= limit,
    Predicate.NEQ: lambda value, limit: value != limit,
}
# Parts of an instant. Weeks are those of ISO 8601: the first is that of the year's first Thursday.
_PARTS: Final[dict[Predicate, Callable[[datetime], int]]] = {
    Predicate.MINUTE: lambda at: at.minute,
    Predicate.HOUR: lambda at: at.hour,
    Predicate.DAY: lambda at: at.day,
    Predicate.WEEK: lambda at: at.isocalendar().week,
    Predicate.MONTH: lambda at: at.month,
    Predicate.YEAR: lambda at: at.year,
}
_MAX_INSTANT_CHARACTERS: Final = 64
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?\s*", re.ASCII)
# Raised whenever the same atoms would be sorted otherwise.
_SORTED: Final = 1
# Fewer are sorted as fast as they are read.
MANY: Final = 200
_MAX_ADDRESS_CHARACTERS: Final = 64
# Of a glob: at its end it asks nothing.
_ANY_TEXT: Final = ".*"
_EXPRESSIONS: Final[dict[Predicate, Callable[[str], str]]] = {
    Predicate.CONTAINS: escaped,
    Predicate.STARTSWITH: lambda text: r"\A" + escaped(text),
    Predicate.ENDSWITH: escaped,
    Predicate.GLOB: lambda glob: rf"\A(?:{glob.removesuffix(_ANY_TEXT)})",
    Predicate.REGEX: str,
}


class Sorted(Struct, frozen=True, array_like=True):
    """The folded patterns of a field as they stand in the stored database `key`, and the atoms that are none of these.

    Numbers are of 32 bits. To write thousands of patterns and sort them takes longer than to load what they make.
    """

    key: str
    numbers: bytes
    at_end: bytes
    others: bytes


class FieldMatcher:
    """Atoms of one field under their global numbers. `refused` are those that the engine would not take, with why.

    `name`: under which its `Sorted` is kept, the same for the same numbers of the same atoms; "" where it is not.
    """

    def __init__(
        self, atoms: Mapping[int, Atom], known: Mapping[str, bytes], made: Databases, *, name: str = ""
    ) -> None:
        self.refused: dict[int, str] = {}
        self._null: list[int] = []
        self._exists: list[int] = []
        self._missing: list[int] = []
        self._any: list[int] = []
        self._equal: dict[str, list[int]] = {}
        self._equal_cased: dict[str, list[int]] = {}
        self._compare: list[tuple[int, Callable[[float, float], bool], float]] = []
        self._parts: list[tuple[int, Callable[[datetime], int], int]] = []
        self._networks = Networks()
        self._folded: tuple[PatternSet, Sequence[int]] | None = None
        self._as_is: tuple[PatternSet, Sequence[int]] | None = None
        others = self._take_sorted(known, name) if name else None
        if others is not None:
            self._sort({number: atoms[number] for number in others}, known, made)
        else:
            others = self._sort(atoms, known, made)
            self._keep_sorted(others, made, name)

    def _sort(self, atoms: Mapping[int, Atom], known: Mapping[str, bytes], made: Databases) -> list[int]:
        """Add the atoms; the numbers of those that are no folded patterns."""
        folded: list[tuple[str, int, int]] = []
        as_is: list[tuple[str, int, int]] = []
        others: list[int] = []
        for number, atom in atoms.items():
            if atom.predicate in _EXPRESSIONS and (atom.value or atom.predicate is Predicate.REGEX):
                pattern = (_EXPRESSIONS[atom.predicate](atom.value), _flags(atom), number)
                if not atom.is_cased and atom.predicate is not Predicate.REGEX:
                    folded.append(pattern)
                    continue
                as_is.append(pattern)
            else:
                self._add(number, atom)
            others.append(number)
        self._folded = self._folded or self._patterns(folded, known, made)
        self._as_is = self._patterns(as_is, known, made)
        return others

    def _take_sorted(self, known: Mapping[str, bytes], name: str) -> Sequence[int] | None:
        """Take in what was kept under this name; the numbers of the atoms that remain to be added, None if all do."""
        body = known.get(name)
        try:
            kept = msgspec.msgpack.decode(body, type=Sorted) if body else None
        except msgspec.DecodeError:
            return None
        patterns = PatternSet.stored(kept.key, kept.at_end, known) if kept else None
        if kept is None or patterns is None:
            return None
        self._folded = patterns, unpacked(kept.numbers)
        return unpacked(kept.others)

    def _keep_sorted(self, others: Iterable[int], made: Databases, name: str) -> None:
        if name and self._folded is not None and self._folded[0].key and len(self._folded[1]) >= MANY:
            patterns, numbers = self._folded
            kept = Sorted(patterns.key, packed(numbers), patterns.at_end, packed(others))
            made[name] = msgspec.msgpack.encode(kept)

    def held(self, value: Value) -> tuple[int, ...]:
        """The atoms that hold for `value` (str, int, None, MISSING or a tuple of such), sorted."""
        if value is MISSING:
            return tuple(sorted((*self._null, *self._missing)))
        if value is None:
            return tuple(sorted((*self._null, *self._exists)))
        found = set(self._exists)
        for item in leaves(value):
            found.update(self._of_text(item))
        return tuple(sorted(found))

    def _add(self, number: int, atom: Atom) -> None:
        match atom.predicate:
            case Predicate.EQUALS:
                table = self._equal_cased if atom.is_cased else self._equal
                table.setdefault(atom.value, []).append(number)
            case Predicate.NULL:
                self._null.append(number)
            case Predicate.EXISTS:
                (self._exists if atom.value == "true" else self._missing).append(number)
            case Predicate.CIDR:
                self._networks.add(atom.value, number)
            case Predicate.LT | Predicate.LTE | Predicate.GT | Predicate.GTE | Predicate.NEQ:
                self._compare.append((number, _COMPARE[atom.predicate], float(atom.value)))
            case part if part in _PARTS:
                self._parts.append((number, _PARTS[part], int(atom.value)))
            case _:
                self._any.append(number)

    def _patterns(
        self, wanted: list[tuple[str, int, int]], known: Mapping[str, bytes], made: Databases
    ) -> tuple[PatternSet, Sequence[int]] | None:
        """Sorted, so that the same expressions give the same stored database whatever their numbers in this plan."""
        if not wanted:
            return None
        wanted.sort()
        patterns = PatternSet([(expression, flags) for expression, flags, _ in wanted], known, made)
        numbers = tuple(number for _, _, number in wanted)
        self.refused.update({numbers[place]: why for place, why in patterns.refused.items()})
        return patterns, numbers

    def _of_text(self, text: str) -> list[int]:
        folded = fold(text)
        found = [*self._any, *self._equal.get(folded, ()), *self._equal_cased.get(text, ())]
        for patterns, subject in ((self._folded, folded), (self._as_is, text)):
            if patterns is not None:
                found.extend([patterns[1][place] for place in patterns[0].search(encoded(subject))])
        if self._compare and _NUMBER.fullmatch(text):
            value = float(text)
            found.extend(number for number, compare, limit in self._compare if compare(value, limit))
        if self._parts and (at := instant_of(text)) is not None:
            found.extend(number for number, part, wanted in self._parts if part(at) == wanted)
        if self._networks:
            found.extend(self._networks.holding(text))
        return found


def sorted_name(digest: str, field: str) -> str:
    """Under which the `Sorted` of a field is kept; `digest` is the plan's."""
    told = f"{_SORTED} {digest} {field}".encode("utf-8", "surrogatepass")
    return f"field-{hashlib.sha256(told).hexdigest()}"


class Networks:
    """Networks by prefix length, so that an address costs one look-up a length, not one a network."""

    def __init__(self) -> None:
        self._tables: dict[tuple[int, int], dict[int, list[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._tables)

    def add(self, cidr: str, number: int) -> None:
        """`cidr` as `ipaddress` writes a network."""
        network = ip_network(cidr)
        shift = network.max_prefixlen - network.prefixlen
        table = self._tables.setdefault((network.version, shift), {})
        table.setdefault(int(network.network_address) >> shift, []).append(number)

    def holding(self, text: str) -> list[int]:
        """Numbers of the networks which hold the address; an IPv4 address within IPv6 counts as both."""
        if not text or len(text) > _MAX_ADDRESS_CHARACTERS:
            return []
        try:
            address = ip_address(text.strip().partition("%")[0])
        except ValueError:
            return []
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return [number for one in (address, mapped) if one is not None for number in self._of(one)]

    def _of(self, address: IPv4Address | IPv6Address) -> list[int]:
        value = int(address)
        return [
            number
            for (version, shift), table in self._tables.items()
            if version == address.version
            for number in table.get(value >> shift, ())
        ]


def instant_of(text: str) -> datetime | None:
    """Text as an instant in UTC: ISO 8601, seconds to nanoseconds since 1970, or as access logs write it.

    What carries no offset is taken to be in UTC.
    """
    if not text or len(text) > _MAX_INSTANT_CHARACTERS:
        return None
    return from_value(text) or from_clf(text)


def text_of(value: Value) -> str:
    """A scalar as text. Numbers with thousands of digits, which Python will not write in decimal, in hexadecimal."""
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except ValueError:
        return hex(value)


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate as U+FFFD, because the engine must not see bytes that are no UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def leaves(value: Value) -> Sequence[str]:
    """The texts of a value: its own, or those of a list's elements (null among them is left out)."""
    if not isinstance(value, tuple):
        return (text_of(value),)
    return [leaf for item in value if item is not None and item is not MISSING for leaf in leaves(item)]


def _flags(atom: Atom) -> int:
    if atom.predicate is Predicate.REGEX:
        return CHOSEN_BY_RULE
    if atom.predicate is Predicate.ENDSWITH:
        return FOLDED | AT_END
    if atom.predicate is Predicate.GLOB:
        return ANY_CHARACTER if atom.value.endswith(_ANY_TEXT) else ANY_CHARACTER | AT_END
    return FOLDED

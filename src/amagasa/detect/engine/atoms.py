"""The atoms of a plan under their numbers, found in its rules by an index that can be kept for the next start.

To number the atoms each is hashed, which of a hundred thousand takes longer than a start should; with the index none is
touched before it is asked for.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from msgspec import Struct

from amagasa.detect.sigma.rule import FIELDREFS, Atom, Rule


class Index(Struct, frozen=True, kw_only=True, array_like=True):
    """Numbers of 32 bits in the order of this machine.

    `homes`: for each atom a rule that has it, and its place there. `numbers`: the atoms of each rule, one rule behind
    the other; `starts`: where each rule's begin. `by_field`: those of a field, without references; `keywords`: of none.
    """

    homes: bytes
    numbers: bytes
    starts: bytes
    by_field: dict[str, bytes]
    keywords: bytes


def index_of(rules: Sequence[Rule]) -> Index:
    """Number the atoms in the order in which they are met."""
    found: dict[Atom, int] = {}
    homes, numbers, starts, keywords = array("I"), array("I"), array("I"), array("I")
    by_field: dict[str, array[int]] = {}
    for place, rule in enumerate(rules):
        starts.append(len(numbers))
        for own, atom in enumerate(rule.atoms):
            number = found.setdefault(atom, len(found))
            numbers.append(number)
            if len(homes) == 2 * number:
                homes.extend((place, own))
                if atom.field is None:
                    keywords.append(number)
                elif atom.predicate not in FIELDREFS:
                    by_field.setdefault(atom.field, array("I")).append(number)
    starts.append(len(numbers))
    return Index(
        homes=homes.tobytes(),
        numbers=numbers.tobytes(),
        starts=starts.tobytes(),
        by_field={field: own.tobytes() for field, own in by_field.items()},
        keywords=keywords.tobytes(),
    )


class Atoms(Sequence[Atom]):
    """Every distinct atom; its number is its place."""

    def __init__(self, rules: Sequence[Rule], index: Index) -> None:
        self._rules = rules
        self._homes = unpacked(index.homes)
        self._numbers = unpacked(index.numbers)
        self._starts = unpacked(index.starts)
        self._by_field = index.by_field
        self._keywords = index.keywords

    def __len__(self) -> int:
        return len(self._homes) // 2

    @overload
    def __getitem__(self, number: int) -> Atom: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Atom]: ...

    def __getitem__(self, number: int | slice) -> Atom | Sequence[Atom]:
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        return self._rules[self._homes[2 * number]].atoms[self._homes[2 * number + 1]]

    def __iter__(self) -> Iterator[Atom]:
        rules = self._rules
        return (rules[place].atoms[own] for place, own in zip(self._homes[::2], self._homes[1::2], strict=True))

    def of_rule(self, place: int) -> memoryview:
        """The numbers of the atoms of the rule at this place, in its own order."""
        return self._numbers[self._starts[place] : self._starts[place + 1]]

    def of_field(self, field: str) -> dict[int, Atom]:
        """Those of a field under their numbers, without references."""
        return {number: self[number] for number in unpacked(self._by_field.get(field, b""))}

    def keywords(self) -> dict[int, Atom]:
        """Those that are looked for anywhere in a record."""
        return {number: self[number] for number in unpacked(self._keywords)}


def packed(numbers: Iterable[int]) -> bytes:
    """Numbers of 32 bits."""
    return array("I", numbers).tobytes()


def unpacked(numbers: bytes) -> memoryview:
    """The same again, without a copy."""
    return memoryview(numbers).cast("I")

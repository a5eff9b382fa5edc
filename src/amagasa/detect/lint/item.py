"""A selection taken apart into its items: field, modifiers, values, each with its place."""

from collections.abc import Iterator

from msgspec import Struct

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding, Place
from amagasa.detect.lint.tree import Entry, Items, Map, Node, Scalar


class Modifier(Struct, frozen=True):
    """A modifier as written, and where it begins in the key."""

    word: str
    at: int


class Item(Struct, frozen=True):
    """`field|modifier: values`. `field` is "" for keywords; `key` is None where they stand without one."""

    selection: str
    key: Scalar | None
    field: str
    modifiers: tuple[Modifier, ...]
    values: tuple[Scalar, ...]
    place: Place

    @property
    def words(self) -> frozenset[str]:
        """The modifiers by name."""
        return frozenset(modifier.word for modifier in self.modifiers)

    def place_of(self, modifier: Modifier) -> Place:
        """Where the modifier stands."""
        return self.place if self.key is None else self.key.within(modifier.at, len(modifier.word))

    def place_of_field(self) -> Place:
        """Where the field's name stands."""
        return self.place if self.key is None else self.key.within(0, len(self.field))


def items_of(name: str, node: Node) -> tuple[list[Item], list[Finding]]:
    """The items of a selection, and what of it has no form that Sigma knows."""
    found: list[Item] = []
    odd: list[Finding] = []
    for one in _walk(name, node, depth=0):
        (found.append if isinstance(one, Item) else odd.append)(one)  # type: ignore[arg-type]
    if not found and not odd:
        odd.append(say("empty-selection", node.place, f"the selection {quoted(name)} asks for nothing"))
    return found, odd


def _walk(name: str, node: Node, *, depth: int) -> Iterator[Item | Finding]:
    match node:
        case Map():
            for entry in node.entries:
                yield from _entry(name, entry)
        case Items():
            keywords = [one for one in node.items if isinstance(one, Scalar)]
            if keywords:
                yield Item(name, None, "", (), tuple(keywords), keywords[0].place)
            for one in node.items:
                if not isinstance(one, Scalar) and depth < 4:
                    yield from _walk(name, one, depth=depth + 1)
        case Scalar() if node.value is not None:
            yield Item(name, None, "", (), (node,), node.place)
        case Scalar():
            yield say("empty-selection", node.place, f"the selection {quoted(name)} is empty")


def _entry(name: str, entry: Entry) -> Iterator[Item | Finding]:
    field, *words = entry.key.text.split("|")
    modifiers = []
    at = len(field) + 1
    for word in words:
        modifiers.append(Modifier(word, at))
        at += len(word) + 1
    value = entry.value
    if isinstance(value, Map):
        what = f"{quoted(entry.key.text)} has a mapping for a value"
        yield say("selection-form", value.place, what, expected="a value or a list of values")
        return
    values = (value,) if isinstance(value, Scalar) else tuple(one for one in value.items if isinstance(one, Scalar))
    if isinstance(value, Items) and len(values) < len(value.items):
        odd = next(one for one in value.items if not isinstance(one, Scalar))
        what = f"{quoted(entry.key.text)} has a list or mapping among its values"
        yield say("selection-form", odd.place, what, expected="a list of plain values")
    if isinstance(value, Items) and not value.items:
        yield say("empty-selection", value.place, f"{quoted(entry.key.text)} has an empty list: nothing is asked")
    yield Item(name, entry.key, field, tuple(modifiers), values, entry.key.place)

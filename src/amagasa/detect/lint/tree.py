"""YAML as a tree in which every key and value knows its place. Bounded in depth and size, whatever the text.

Built from parse events, one after the other: composing a text of a hundred thousand brackets in libyaml's binding ends
the process. Scalars are typed as YAML 1.1 does it, because that is how a rule is read when it runs.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias, Union

import yaml
from msgspec import Struct

from amagasa.detect.lint.finding import Place

MAX_DEPTH: Final = 60
# Of one text, aliases counted as often as they are used.
MAX_NODES: Final = 200_000

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVERS: Final = yaml.SafeLoader.yaml_implicit_resolvers
_STR: Final = "tag:yaml.org,2002:str"
_CONSTRUCTOR: Final = yaml.constructor.SafeConstructor()

Value: TypeAlias = str | int | float | bool | None


class Scalar(Struct, frozen=True, gc=False):
    """A single value. `text` is what stands there after YAML's own quoting; `value` what YAML makes of it.

    `style` is `'`, `"`, `|`, `>` or "" (plain). `kind` is YAML's word: str, int, float, bool, null, timestamp, merge.
    `offset` is where the text begins within `place`, -1 where its characters do not stand there one for one.
    """

    text: str
    value: Value
    kind: str
    style: str
    place: Place
    offset: int = -1

    def within(self, start: int, n_characters: int) -> Place:
        """The place of a part of the text, or of the whole where that cannot be told."""
        if self.offset < 0:
            return self.place
        return Place(self.place.line, self.place.column + self.offset + start, max(n_characters, 1))


class Entry(Struct, frozen=True):
    """A key and its value."""

    key: Scalar
    value: "Node"


class Map(Struct, frozen=True):
    """A mapping; a key may stand there twice. Keys that are no scalars are left out."""

    entries: tuple[Entry, ...]
    place: Place

    def get(self, name: str) -> "Node | None":
        """The value of the last key of that name, as YAML takes it."""
        entry = self.entry(name)
        return None if entry is None else entry.value

    def entry(self, name: str) -> Entry | None:
        """The last entry of that name."""
        return next((one for one in reversed(self.entries) if one.key.text == name), None)


class Items(Struct, frozen=True):
    """A sequence."""

    items: tuple["Node", ...]
    place: Place


Node: TypeAlias = Union[Scalar, Map, Items]  # noqa: UP007 - a forward reference


class TreeError(Exception):
    """The text is no YAML we take. `hint` says what is commonly meant by a text like this, "" where that is unknown.

    `is_too_large`: it may well be YAML, but deeper or longer than a rule can be.
    """

    def __init__(self, what: str, place: Place, hint: str = "", *, is_too_large: bool = False) -> None:
        self.is_too_large = is_too_large
        self.what = what
        self.place = place
        self.hint = hint
        super().__init__(what)


def trees_of(text: str) -> tuple[Node, ...]:
    """Every document of the text; an empty one is a null. Raises TreeError at the first fault, wherever it is."""
    builder = _Builder()
    try:
        return tuple(builder.documents(yaml.parse(text, _LOADER)))
    except yaml.reader.ReaderError as error:
        raise TreeError(_unreadable(error), _place_at(text, error.position)) from None
    except yaml.MarkedYAMLError as error:
        raise _marked(text, error) from None
    except UnicodeEncodeError as error:
        raise TreeError("half a character (a lone surrogate)", _place_of_character(text, error.start)) from None


def scalars(node: Node | None) -> Iterator[Scalar]:
    """The scalars of a list, or the one scalar; nested ones are left out."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        yield from (item for item in node.items if isinstance(item, Scalar))


class _Builder:
    def __init__(self) -> None:
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._n_nodes = 0

    def documents(self, events: Iterator[yaml.Event]) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                yield self._node(next(events), events, 0)

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        place = _place_of(event)
        if depth > MAX_DEPTH:
            raise TreeError(f"nested deeper than {MAX_DEPTH}", place, is_too_large=True)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", place)
        before = self._n_nodes
        self._count(1, place)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._made(event, events, depth, place)
        if anchor is not None:
            self._anchors[anchor] = (node, self._n_nodes - before)
        return node

    def _made(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int, place: Place) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, place)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
            return Items(tuple(items), place)
        entries = []
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._node(inner, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if isinstance(key, Scalar):
                entries.extend(_merged(value) if key.kind == "merge" else [Entry(key, value)])
        return Map(tuple(entries), place)

    def _alias(self, name: str, place: Place) -> Node:
        held = self._anchors.get(name)
        if held is None:
            what = "stands inside itself" if name in self._anchors else "names no anchor before it"
            raise TreeError(f"the alias *{name} {what}", place, _QUOTE_STAR if name not in self._anchors else "")
        node, n_nodes = held
        self._count(n_nodes, place)
        return node

    def _count(self, n_nodes: int, place: Place) -> None:
        self._n_nodes += n_nodes
        if self._n_nodes > MAX_NODES:
            what = f"more than {MAX_NODES} values, aliases counted as often as they are used"
            raise TreeError(what, place, is_too_large=True)


_QUOTE_STAR: Final = "a value that begins with * must stand in quotes"
_COMMON: Final = (
    ("found character '\\t'", "YAML is indented with spaces, never with tabs"),
    ("while scanning an alias", _QUOTE_STAR),
    ("undefined alias", _QUOTE_STAR),
    ("mapping values are not allowed", "a value with `: ` in it must stand in quotes; or the indentation is off"),
    ("unknown escape character", "in double quotes a backslash begins an escape: use single quotes"),
    ("expected hexdecimal", "in double quotes a backslash begins an escape: use single quotes"),
    ("did not find expected hexdecimal", "in double quotes a backslash begins an escape: use single quotes"),
    ("cannot start any token", "a value that begins with %, @ or ` must stand in quotes"),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("did not find expected key", "within single quotes a quote is written twice; or the indentation is off"),
    ("did not find expected '-'", "the items of a list are indented alike, each behind a dash"),
    ("unexpected end of stream", "a quote or a bracket is not closed"),
    ("found unexpected document", "a quote is not closed"),
    ("did not find expected ','", "a bracket is not closed, or a value in it must stand in quotes"),
)


def _marked(text: str, error: yaml.MarkedYAMLError) -> TreeError:
    what = " ".join(part for part in (error.problem, error.context) if part) or "not YAML"
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
    line = text.split("\n")[place.line - 1 : place.line]
    hint = next((hint for words, hint in _COMMON if words in what), "")
    if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
        hint = _COMMON[0][1]
    return TreeError(what, place, hint)


def _unreadable(error: yaml.reader.ReaderError) -> str:
    character = error.character
    point = character if isinstance(character, int) else ord(str(character)[:1] or "\0")
    return f"the character U+{point:04X} may not stand in YAML"


def _place_at(text: str, position: int) -> Place:
    before = text.encode("utf-8", "replace")[:position].decode("utf-8", "ignore")  # the C reader counts bytes
    return _place_of_character(text, len(before))


def _place_of_character(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _place_of(event: yaml.Event) -> Place:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Place(1, 1)
    n_characters = end.column - start.column if end.line == start.line else 1
    return Place(start.line + 1, start.column + 1, max(n_characters, 1))


def _scalar(event: yaml.ScalarEvent, place: Place) -> Scalar:
    text, style = event.value, event.style or ""
    tag = event.tag
    if tag is None:
        tag = _resolved(text) if event.implicit[0] and not style else _STR
    kind = tag.rpartition(":")[2]
    value, kind = _typed(text, kind, tag)
    n_quotes = 2 if style in {"'", '"'} else 0
    is_one_for_one = style not in {"|", ">"} and place.n_characters == len(text) + n_quotes
    return Scalar(text, value, kind, style, place, n_quotes // 2 if is_one_for_one else -1)


def _resolved(text: str) -> str:
    for tag, expression in _RESOLVERS.get(text[:1], ()):
        if expression.match(text):
            return str(tag)
    return _STR


def _typed(text: str, kind: str, tag: str) -> tuple[Value, str]:
    try:
        match kind:
            case "null":
                return None, kind
            case "bool":
                return bool(_CONSTRUCTOR.bool_values[text.lower()]), kind
            case "int":
                return int(_CONSTRUCTOR.construct_yaml_int(yaml.ScalarNode(tag, text))), kind
            case "float":
                return float(_CONSTRUCTOR.construct_yaml_float(yaml.ScalarNode(tag, text))), kind
    except (ValueError, KeyError, OverflowError):
        return text, "str"
    return text, kind


def _merged(value: Node) -> list[Entry]:
    """What `<<: *anchor` brings in."""
    maps = value.items if isinstance(value, Items) else (value,)
    return [entry for one in maps if isinstance(one, Map) for entry in one.entries]

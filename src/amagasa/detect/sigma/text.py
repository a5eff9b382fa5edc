r"""Sigma's strings: text with wildcards, escapes and placeholders (specification 2.1, "String Wildcard", "Escape").

`*` and `?` are wildcards, `\*` and `\?` the characters, `\\` is one backslash; any other backslash is itself.
"""

import difflib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import chain, product
from math import prod
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.folding import escaped, fold
from amagasa.detect.sigma.problem import NO_VALUES, SigmaProblemError
from amagasa.detect.sigma.rule import Predicate
from amagasa.vocab.text import show

# Of one value, when its dashes or placeholders are written out: five dashes of five forms, or a long list of hosts.
MAX_FORMS: Final = 5_000
DASHES: Final = ("-", "/", "\u2013", "\u2014", "\u2015")


class Wild(Enum):
    """A wildcard: any text, or one character."""

    MANY = "*"
    ONE = "?"


class Slot(Struct, frozen=True):
    """A placeholder, `%name%` under the modifier `expand`."""

    name: str


# Bytes are text in an encoding of its own, most often on its way to base64.
Part: TypeAlias = str | bytes | Wild | Slot
# What a site's placeholders stand for; the values are Sigma's strings themselves.
Placeholders: TypeAlias = Mapping[str, Sequence[str]]


class Text(Struct, frozen=True):
    """A string as Sigma reads it; no two parts of text stand beside each other."""

    parts: tuple[Part, ...]
    is_cased: bool = False


_TOKEN: Final = re.compile(r"\\[\\*?]|[*?]")
_TOKEN_WITH_SLOTS: Final = re.compile(r"\\[\\*?%]|[*?]|%[^%\\*?]+%")
_SLOT: Final = re.compile(r"%([^%\\]+)%")
# A dash that begins a parameter: something follows it, nothing that could be of the same word stands before it.
_DASH: Final = re.compile(rf"\B[{re.escape(''.join(DASHES))}]\b")
_Choice = TypeVar("_Choice")


def text_of(written: str, *, has_slots: bool = False) -> Text:
    """What stands in a rule -> what it says; `%name%` is a placeholder only with `has_slots`."""
    parts: list[Part] = []
    at = 0
    for found in (_TOKEN_WITH_SLOTS if has_slots else _TOKEN).finditer(written):
        parts.append(written[at : found.start()])
        token = found[0]
        if token[0] == "\\":
            parts.append(token[1])
        else:
            parts.append(Slot(token[1:-1]) if token[0] == "%" else Wild(token))
        at = found.end()
    parts.append(written[at:])
    return Text(_joined(parts))


def with_wildcards(text: Text, *, before: bool, after: bool) -> Text:
    """With any text before or after it."""
    parts = text.parts
    if before and parts[:1] != (Wild.MANY,):
        parts = (Wild.MANY, *parts)
    if after and parts[-1:] != (Wild.MANY,):
        parts = (*parts, Wild.MANY)
    return replace(text, parts=parts)


def encoded(text: Text, encoding: str, *, mark: bytes = b"") -> Text:
    """Its characters in another encoding (a name Python knows), the wildcards as they are; `mark` stands in front."""
    parts = (part.encode(encoding, "surrogatepass") if isinstance(part, str) else part for part in text.parts)
    return replace(text, parts=_joined((mark, *parts) if mark else parts))


def in_base64(text: Text) -> Text:
    """Encoded as a whole."""
    return replace(text, parts=_joined([b64encode(_bytes_of(text)).decode()]))


def in_base64_anywhere(text: Text) -> tuple[Text, ...]:
    """What every encoding of it has, for each of the three places at which it can begin within a longer text."""
    data = _bytes_of(text)
    found = []
    for shift in range(3):
        # Six bits a letter: the letters which hold bits of what stands before or after are left out.
        whole = b64encode(b" " * shift + data).decode()
        kept = whole[(0, 2, 3)[shift] : (None, -3, -2)[(shift + len(data)) % 3]]
        found.append(replace(text, parts=_joined([kept])))
    return tuple(found)


def with_every_dash(text: Text) -> tuple[Text, ...]:
    """Every form in which Windows takes the parameters in it: `-`, `/`, en dash, em dash, horizontal bar."""
    choices: list[Sequence[Part]] = []
    for part in text.parts:
        first, *rest = _DASH.split(part) if isinstance(part, str) else [part]
        choices.append((first,))
        for piece in rest:
            choices.extend((DASHES, (piece,)))
    return tuple(replace(text, parts=_joined(form)) for form in _product(choices))


def filled(text: Text, placeholders: Placeholders) -> tuple[Text, ...]:
    """Every form which it takes when its placeholders get their values."""
    choices: list[Sequence[tuple[Part, ...]]] = [
        [text_of(value).parts for value in values_of(part.name, placeholders)] if isinstance(part, Slot) else [(part,)]
        for part in text.parts
    ]
    return tuple(replace(text, parts=_joined(chain.from_iterable(form))) for form in _product(choices))


def filled_expression(expression: str, placeholders: Placeholders) -> tuple[str, ...]:
    """The same for a regular expression, in which a value is literal text, its wildcards excepted."""
    choices = [
        [f"(?:{glob_of(text_of(value).parts)})" for value in values_of(piece, placeholders)] if place % 2 else [piece]
        for place, piece in enumerate(_SLOT.split(expression))
    ]
    return tuple("".join(form) for form in _product(choices))


def names_in(written: str, *, is_expression: bool = False) -> tuple[str, ...]:
    """The names of the placeholders in a value under `expand`, in their order."""
    if is_expression:
        return tuple(_SLOT.findall(written))
    return tuple(part.name for part in text_of(written, has_slots=True).parts if isinstance(part, Slot))


def values_of(name: str, placeholders: Placeholders) -> Sequence[str]:
    """The values of a placeholder. Raises SigmaProblemError where nobody gave it any."""
    values = placeholders.get(name)
    if values:
        return values
    like = difflib.get_close_matches(name, placeholders, n=1)
    near = f"; the nearest that has is %{show(like[0])}%" if like else ""
    message = (
        f"the placeholder %{show(name)}% has no values here{near}; it gets them in placeholders.toml "
        "(content/placeholders.toml of a node, --placeholders FILE for detect)"
    )
    raise SigmaProblemError(message, code=NO_VALUES)


def predicate_of(text: Text, *, is_keyword: bool) -> tuple[Predicate, str]:
    """What it asks of a value; a keyword is looked for anywhere. Raises SigmaProblemError where bytes are no text."""
    parts: list[str | Wild] = [part if isinstance(part, Wild) else _plain(part) for part in text.parts]
    if not text.is_cased:
        parts = [fold(part) if isinstance(part, str) else part for part in parts]
    match _stars_once([Wild.MANY, *parts, Wild.MANY] if is_keyword else parts):
        case []:
            return Predicate.EQUALS, ""
        case [str(only)]:
            return Predicate.EQUALS, only
        case [Wild.MANY]:
            return Predicate.CONTAINS, ""
        case [Wild.MANY, str(only), Wild.MANY]:
            return Predicate.CONTAINS, only
        case [str(only), Wild.MANY]:
            return Predicate.STARTSWITH, only
        case [Wild.MANY, str(only)]:
            return Predicate.ENDSWITH, only
        case rest:
            return Predicate.GLOB, glob_of(rest)


def _stars_once(parts: Sequence[str | Wild]) -> list[str | Wild]:
    """Two stars side by side say no more than one."""
    return [
        part for place, part in enumerate(parts) if part is not Wild.MANY or not place or parts[place - 1] is not part
    ]


def glob_of(parts: Iterable[Part]) -> str:
    """As a regular expression for the whole of a value."""
    marks = {Wild.MANY: ".*", Wild.ONE: "."}
    return "".join(marks[part] if isinstance(part, Wild) else escaped(_plain(part)) for part in parts)


def _plain(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, bytes):
        try:
            return part.decode()
        except UnicodeDecodeError:
            message = "text in UTF-16 beyond ASCII can be looked for in base64 only: add base64offset"
            raise SigmaProblemError(message) from None
    message = f"a {type(part).__name__} is no text"
    raise TypeError(message)


def _bytes_of(text: Text) -> bytes:
    if any(isinstance(part, Wild) for part in text.parts):
        message = "a text with wildcards has no base64"
        raise SigmaProblemError(message)
    return b"".join(part if isinstance(part, bytes) else _plain(part).encode() for part in text.parts)


def _joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Neighbours of one kind as one, and no empty ones."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if (isinstance(part, str) and isinstance(last, str)) or (isinstance(part, bytes) and isinstance(last, bytes)):
            joined[-1] = last + part  # type: ignore[operator]
        elif part not in {"", b""}:
            joined.append(part)
    return tuple(joined)


def _product(choices: Sequence[Sequence[_Choice]]) -> Iterable[tuple[_Choice, ...]]:
    """Every combination, the last choice changing first. Raises SigmaProblemError beyond MAX_FORMS."""
    if prod(map(len, choices)) > MAX_FORMS:
        message = f"a value has more than {MAX_FORMS:,} forms: write it as several"
        raise SigmaProblemError(message)
    return product(*choices)

"""A field with its modifiers and values -> what is asked of it (specification 2.1, appendix "Modifiers").

Modifiers change the values one after the other, in the order in which they stand; `all` and `neq` say how the values
are joined, and placeholders get theirs before anything else. What a modifier makes of one value counts as that value,
so its forms are joined by OR even under `all`.
"""

import difflib
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any, Final, TypeAlias, Union

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.engine.pattern_set import CHOSEN_BY_RULE, refusal
from amagasa.detect.folding import fold
from amagasa.detect.sigma.problem import CANNOT_RUN, SigmaProblemError
from amagasa.detect.sigma.rule import Atom, Predicate
from amagasa.detect.sigma.text import (
    Placeholders,
    Text,
    encoded,
    filled,
    filled_expression,
    in_base64,
    in_base64_anywhere,
    predicate_of,
    text_of,
    with_every_dash,
    with_wildcards,
)
from amagasa.vocab.text import show

# How the values of an item are joined; not a change of any of them.
_JOINING: Final = frozenset({"all", "neq", "expand"})


class Expression(Struct, frozen=True):
    """A regular expression, searched for anywhere unless bound to an end; `flags` are letters."""

    source: str
    flags: frozenset[str] = frozenset()
    is_at_start: bool = False
    is_at_end: bool = False


class Asked(Struct, frozen=True):
    """A question about a field's value that is no text, expression or number."""

    predicate: Predicate
    value: str


class AnyOf(Struct, frozen=True):
    """The forms of one value."""

    values: tuple["Value", ...]


Value: TypeAlias = Union[Text, Expression, Asked, AnyOf, int, float, None]  # noqa: UP007 - a forward reference


class Item(Struct, frozen=True):
    """What is asked of one field, or of the whole record (`field` None): any of the values, or all of them."""

    field: str | None
    values: tuple[Value, ...]
    is_all: bool = False
    is_negated: bool = False


_Modifier: TypeAlias = Callable[[Value, str], Value]


def item_of(key: str, given: Any, placeholders: Placeholders) -> Item:
    """`Image|endswith` and its value or list of values -> the item. Raises SigmaProblemError."""
    field, *names = key.split("|")
    values = [_first_value(one, names, placeholders) for one in (given if isinstance(given, list) else [given])]
    is_changed = False
    for name in names:
        if name in _JOINING:
            continue
        if name in _ONLY_FIRST and is_changed:
            message = f"the modifier {name} must come before those which change the value"
            raise SigmaProblemError(message)
        modify = _modifier(name)
        values = [_on_each(value, name, modify) for value in values]
        is_changed = True
    return Item(field or None, tuple(values), is_all="all" in names, is_negated="neq" in names)


def atom_of(field: str | None, value: Value) -> Atom:
    """The question about the field, or, where `field` is None, about the whole record. Raises SigmaProblemError."""
    if isinstance(value, Text):
        predicate, text = predicate_of(value, is_keyword=field is None)
        return Atom(field, predicate, text, value.is_cased and bool(text))
    if isinstance(value, Expression):
        return Atom(field, Predicate.REGEX, _runnable(value))
    if isinstance(value, int | float):
        return Atom(field, Predicate.EQUALS if field else Predicate.CONTAINS, _written(value))
    if field is None:
        message = f"{_kind(value)} needs a field: it cannot be a keyword"
        raise SigmaProblemError(message, code=CANNOT_RUN)
    if isinstance(value, Asked):
        return Atom(field, value.predicate, value.value)
    return Atom(field, Predicate.NULL, "")


def _first_value(given: Any, names: list[str], placeholders: Placeholders) -> Value:
    """The value before its first modifier."""
    if isinstance(given, str | int) and not isinstance(given, bool) and "re" in names:
        is_open = "expand" in names
        sources = filled_expression(str(given), placeholders) if is_open else (str(given),)
        return _one_or_any(tuple(Expression(source) for source in sources), is_open=is_open)
    if isinstance(given, str):
        is_open = "expand" in names
        text = text_of(given, has_slots=is_open)
        return _one_or_any(filled(text, placeholders) if is_open else (text,), is_open=is_open)
    if "expand" in names:
        message = "placeholders stand in text: expand takes no other value"
        raise SigmaProblemError(message)
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, int | float):
        return _number(given)
    message = f"a value must be text, a number, true, false or null, not {_kind(given)}"
    raise SigmaProblemError(message)


def _one_or_any(values: tuple[Value, ...], *, is_open: bool) -> Value:
    return AnyOf(values) if is_open and len(values) != 1 else values[0]


def _number(given: float) -> int | float:
    try:
        as_float = float(given)
        whole = int(given)
    except (ValueError, OverflowError):
        message = "a number must be finite and below 1e308"
        raise SigmaProblemError(message) from None
    return whole if whole == as_float else as_float


def _written(value: float) -> str:
    """A number, or true or false, as text."""
    return fold(str(value))


def _modifier(name: str) -> _Modifier:
    found = _MODIFIERS.get(name)
    if found is None:
        like = difflib.get_close_matches(name, [*_MODIFIERS, *_JOINING], n=1)
        near = f"; the nearest that it has is {like[0]}" if like else ""
        message = f"Sigma has no modifier {show(name)}{near}"
        raise SigmaProblemError(message)
    return found


def _on_each(value: Value, name: str, modify: _Modifier) -> Value:
    if isinstance(value, AnyOf):
        return AnyOf(tuple(_on_each(one, name, modify) for one in value.values))
    return modify(value, name)


def _bound(value: Value, name: str, *, start: bool, end: bool) -> Value:
    """The value at the start, at the end, or (neither) anywhere."""
    if isinstance(value, Text):
        return with_wildcards(value, before=not start, after=not end)
    if isinstance(value, Expression):
        return replace(value, is_at_start=start, is_at_end=end)
    if isinstance(value, Asked) and value.predicate is Predicate.FIELDREF:
        return Asked(_REFERENCES[start, end], value.value)
    raise _unfit(name, "text, an expression or a field", value)


_REFERENCES: Final = {
    (False, False): Predicate.FIELDREF_CONTAINS,
    (True, False): Predicate.FIELDREF_STARTSWITH,
    (False, True): Predicate.FIELDREF_ENDSWITH,
}


def _text(value: Value, name: str) -> Text:
    if isinstance(value, Text):
        return value
    raise _unfit(name, "text", value)


def _network(value: Value, name: str) -> Value:
    parts = _text(value, name).parts
    try:
        return Asked(Predicate.CIDR, str(ip_network("".join(part for part in parts if isinstance(part, str)))))
    except ValueError as error:
        message = f"not a network: {show(str(error))}"
        raise SigmaProblemError(message) from None


def _reference(value: Value, name: str) -> Value:
    match _text(value, name).parts:
        case (str(field),):
            return Asked(Predicate.FIELDREF, field)
    message = "fieldref takes the name of a field, without wildcards"
    raise SigmaProblemError(message)


def _existence(value: Value, name: str) -> Value:
    if isinstance(value, bool):
        return Asked(Predicate.EXISTS, "true" if value else "false")
    raise _unfit(name, "true or false", value)


def _compared(predicate: Predicate, *, is_whole: bool = False) -> _Modifier:
    def modify(value: Value, name: str) -> Value:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unfit(name, "a number", value)
        return Asked(predicate, _written(int(value) if is_whole else value))

    return modify


def _flag(letter: str) -> _Modifier:
    def modify(value: Value, name: str) -> Value:
        if isinstance(value, Expression):
            return replace(value, flags=value.flags | {letter})
        raise _unfit(name, "an expression (the modifier re)", value)

    return modify


def _expression(value: Value, name: str) -> Value:
    if isinstance(value, Expression):
        return value
    raise _unfit(name, "text", value)


_MODIFIERS: Final[Mapping[str, _Modifier]] = {
    "contains": lambda value, name: _bound(value, name, start=False, end=False),
    "startswith": lambda value, name: _bound(value, name, start=True, end=False),
    "endswith": lambda value, name: _bound(value, name, start=False, end=True),
    "cased": lambda value, name: replace(_text(value, name), is_cased=True),
    "windash": lambda value, name: AnyOf(with_every_dash(_text(value, name))),
    "base64": lambda value, name: in_base64(_text(value, name)),
    "base64offset": lambda value, name: AnyOf(in_base64_anywhere(_text(value, name))),
    "wide": lambda value, name: encoded(_text(value, name), "utf-16-le"),
    "utf16le": lambda value, name: encoded(_text(value, name), "utf-16-le"),
    "utf16be": lambda value, name: encoded(_text(value, name), "utf-16-be"),
    "utf16": lambda value, name: encoded(_text(value, name), "utf-16-le", mark=b"\xff\xfe"),
    "re": _expression,
    "i": _flag("i"),
    "ignorecase": _flag("i"),
    "m": _flag("m"),
    "multiline": _flag("m"),
    "s": _flag("s"),
    "dotall": _flag("s"),
    "cidr": _network,
    "exists": _existence,
    "fieldref": _reference,
    "lt": _compared(Predicate.LT),
    "lte": _compared(Predicate.LTE),
    "gt": _compared(Predicate.GT),
    "gte": _compared(Predicate.GTE),
    "minute": _compared(Predicate.MINUTE, is_whole=True),
    "hour": _compared(Predicate.HOUR, is_whole=True),
    "day": _compared(Predicate.DAY, is_whole=True),
    "week": _compared(Predicate.WEEK, is_whole=True),
    "month": _compared(Predicate.MONTH, is_whole=True),
    "year": _compared(Predicate.YEAR, is_whole=True),
}
_ONLY_FIRST: Final = frozenset({"re", "cidr", "exists"})


def _runnable(value: Expression) -> str:
    """The expression as the engine takes it. Raises SigmaProblemError where none of linear time does."""
    source = value.source.replace("\0", "\\x00")
    if value.is_at_start or value.is_at_end:
        source = (r"\A" if value.is_at_start else "") + f"(?:{source})" + (r"\z" if value.is_at_end else "")
    expression = (f"(?{''.join(sorted(value.flags))})" if value.flags else "") + source
    why = refusal(expression, CHOSEN_BY_RULE)
    if why is not None:
        message = f"the regular expression cannot run in linear time: {show(why.rstrip('.'))}: {show(expression)}"
        raise SigmaProblemError(message, code=CANNOT_RUN)
    return expression


def _unfit(name: str, wanted: str, value: Value) -> SigmaProblemError:
    hint = "; put it in quotes" if wanted == "text" and isinstance(value, int | float) else ""
    return SigmaProblemError(f"the modifier {name} takes {wanted}, not {_kind(value)}{hint}")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    names = {Text: "text", Expression: "an expression", dict: "a mapping", list: "a list within a list"}
    return names.get(type(value), "what another modifier made")

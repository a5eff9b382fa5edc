"""The oracle for the compiler: the same rule by way of pySigma, which shares no line with it."""

from collections.abc import Sequence
from typing import Any, Final

import yaml
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from amagasa.detect.folding import escaped, fold
from amagasa.detect.sigma.rule import Atom, Node, Op, Predicate, Rule
from amagasa.event.record import LogSource
from amagasa.vocab.attack import tactics_of, techniques_of
from amagasa.vocab.severity import level_of
from amagasa.vocab.text import show

MAX_DEPTH: Final = 50

_COMPARISONS: Final = {
    CompareOperators.LT: Predicate.LT,
    CompareOperators.LTE: Predicate.LTE,
    CompareOperators.GT: Predicate.GT,
    CompareOperators.GTE: Predicate.GTE,
    CompareOperators.NEQ: Predicate.NEQ,
}
_FOREIGN_EVENT_TYPES: Final = {"registry_add": ("DeleteKey", "DeleteValue"), "registry_delete": ("CreateKey",)}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_MANY: Final = SpecialChars.WILDCARD_MULTI


class CannotRunError(Exception):
    """The rule is well formed, but asks for what this engine does not do."""


def rule_of(path: str, text: str) -> Rule:
    """The rule as pySigma understands it; identifier and description apart. Raises SigmaError, CannotRunError."""
    return _rule_of(path, SigmaRule.from_dict(yaml.load(text, _LOADER)))  # noqa: S506 - a safe loader


def _rule_of(path: str, parsed: SigmaRule) -> Rule:
    builder = _Builder()
    conditions = [builder.node(parsed_condition.parsed, 0) for parsed_condition in parsed.detection.parsed_condition]
    if not conditions:
        message = "the rule has no condition"
        raise CannotRunError(message)
    source = LogSource(
        category=_lower(parsed.logsource.category),
        product=_lower(parsed.logsource.product),
        service=_lower(parsed.logsource.service),
    )
    condition = conditions[0] if len(conditions) == 1 else Node(Op.OR, items=tuple(conditions))
    condition = builder.narrowed(condition, source)
    tags = [str(tag) for tag in parsed.tags]
    return Rule(
        id=str(parsed.id),
        title=show(parsed.title),
        level=level_of(parsed.level.name.lower() if parsed.level else None),
        techniques=techniques_of(tags),
        tactics=tactics_of(tags),
        logsource=source,
        atoms=tuple(builder.atoms),
        condition=condition,
        path=path,
    )


class _Builder:
    """Turns pySigma's condition into nodes over atoms, each atom once."""

    def __init__(self) -> None:
        self.atoms: dict[Atom, int] = {}

    def node(self, condition: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"the condition is nested deeper than {MAX_DEPTH}"
            raise CannotRunError(message)
        if isinstance(condition, ConditionAND | ConditionOR):
            items = tuple(self.node(item, depth + 1) for item in condition.args)
            return Node(Op.AND if isinstance(condition, ConditionAND) else Op.OR, items=items)
        if isinstance(condition, ConditionNOT):
            return Node(Op.NOT, items=(self.node(condition.args[0], depth + 1),))
        if isinstance(condition, ConditionFieldEqualsValueExpression):
            return self.value(condition.field, condition.value)
        if isinstance(condition, ConditionValueExpression):
            return self.value(None, condition.value)
        message = f"a condition of kind {type(condition).__name__} cannot run"
        raise CannotRunError(message)

    def value(self, field: str | None, value: SigmaType) -> Node:
        if isinstance(value, SigmaExpansion):
            return Node(Op.OR, items=tuple(self.value(field, item) for item in value.values))
        return self.atom(_atom_of(field, value))

    def atom(self, atom: Atom) -> Node:
        place = self.atoms.setdefault(atom, len(self.atoms))
        return Node(Op.ATOM, atom=place)

    def narrowed(self, condition: Node, source: LogSource) -> Node:
        """Sysmon 12 tells creation from deletion by EventType alone: add what the category says."""
        foreign = _FOREIGN_EVENT_TYPES.get(source.category or "", ())
        if not foreign:
            return condition
        other = tuple(self.atom(Atom("EventType", Predicate.EQUALS, fold(kind))) for kind in foreign)
        return Node(Op.AND, items=(condition, Node(Op.NOT, items=(Node(Op.OR, items=other),))))


def _atom_of(field: str | None, value: SigmaType) -> Atom:
    if isinstance(value, SigmaString):
        return _text_atom(field, value)
    if isinstance(value, SigmaRegularExpression):
        return _regex_atom(field, value)
    if isinstance(value, SigmaTimestampPart):
        return Atom(field, Predicate(value.timestamp_part.name.lower()), str(value.number))
    if isinstance(value, SigmaNumber | SigmaBool):
        return Atom(field, Predicate.EQUALS if field else Predicate.CONTAINS, fold(str(value)))
    if field is None:
        message = f"a keyword of kind {type(value).__name__} cannot run"
        raise CannotRunError(message)
    return _field_atom(field, value)


def _field_atom(field: str, value: SigmaType) -> Atom:
    if isinstance(value, SigmaNull):
        return Atom(field, Predicate.NULL, "")
    if isinstance(value, SigmaExists):
        return Atom(field, Predicate.EXISTS, "true" if value.exists else "false")
    if isinstance(value, SigmaCIDRExpression):
        return Atom(field, Predicate.CIDR, str(value.network))
    if isinstance(value, SigmaCompareExpression):
        return Atom(field, _COMPARISONS[value.op], str(value.number))
    if isinstance(value, SigmaFieldReference):
        return _reference_atom(field, value)
    message = f"a value of kind {type(value).__name__} cannot run"
    raise CannotRunError(message)


def _reference_atom(field: str, value: SigmaFieldReference) -> Atom:
    predicate = {
        (False, False): Predicate.FIELDREF,
        (True, True): Predicate.FIELDREF_CONTAINS,
        (True, False): Predicate.FIELDREF_STARTSWITH,
        (False, True): Predicate.FIELDREF_ENDSWITH,
    }[value.starts_with, value.ends_with]
    return Atom(field, predicate, value.field)


def _text_atom(field: str | None, value: SigmaString) -> Atom:
    if any(isinstance(part, Placeholder) for part in value.s):
        names = ", ".join(sorted(part.name for part in value.s if isinstance(part, Placeholder)))
        message = f"the placeholder %{show(names)}% has no values here"
        raise CannotRunError(message)
    is_cased = isinstance(value, SigmaCasedString)
    parts = [part if isinstance(part, SpecialChars) or is_cased else fold(str(part)) for part in value.s]
    if field is None:  # a keyword is looked for anywhere
        parts = [_MANY, *parts, _MANY]
    while len(parts) > 1 and parts[0] is _MANY and parts[1] is _MANY:
        parts.pop(0)
    while len(parts) > 1 and parts[-1] is _MANY and parts[-2] is _MANY:
        parts.pop()
    predicate, text = _shape(parts)
    return Atom(field, predicate, text, is_cased and bool(text))


def _shape(parts: Sequence[object]) -> tuple[Predicate, str]:
    """What a string with wildcards asks; `parts` holds no two stars in a row at either end."""
    match parts:
        case []:
            return Predicate.EQUALS, ""
        case [str(text)]:
            return Predicate.EQUALS, text
        case [SpecialChars.WILDCARD_MULTI]:
            return Predicate.CONTAINS, ""
        case [SpecialChars.WILDCARD_MULTI, str(text), SpecialChars.WILDCARD_MULTI]:
            return Predicate.CONTAINS, text
        case [str(text), SpecialChars.WILDCARD_MULTI]:
            return Predicate.STARTSWITH, text
        case [SpecialChars.WILDCARD_MULTI, str(text)]:
            return Predicate.ENDSWITH, text
    glob = "".join(escaped(part) if isinstance(part, str) else ".*" if part is _MANY else "." for part in parts)
    return Predicate.GLOB, glob


def _regex_atom(field: str | None, value: SigmaRegularExpression) -> Atom:
    if value.contains_placeholder():
        message = "a placeholder in the regular expression has no values here"
        raise CannotRunError(message)
    letters = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = (f"(?{letters})" if letters else "") + str(value.regexp).replace("\0", "\\x00")
    return Atom(field, Predicate.REGEX, pattern)


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None

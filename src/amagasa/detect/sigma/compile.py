"""Sigma documents -> rules as plain data. This module and `correlation.compile` alone import pySigma, which parses.

A rule that cannot run (placeholders, filters, a regular expression that no engine of linear time can run, a broken
document) becomes a `RuleFault` with its reason; the others load.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml
from msgspec.structs import replace
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
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

from amagasa.detect.correlation.compile import compile_correlation, references_of
from amagasa.detect.engine.pattern_set import CHOSEN_BY_RULE, refusal
from amagasa.detect.folding import escaped, fold
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Atom, Node, Op, Predicate, Rule
from amagasa.event.record import LogSource
from amagasa.vocab.attack import tactics_of, techniques_of
from amagasa.vocab.severity import level_of
from amagasa.vocab.text import show

# A document larger than this is no rule (the largest public one has 70 kB).
MAX_DOCUMENT_CHARACTERS: Final = 1_048_576
# What a rule may grow to when its modifiers are expanded; far above every public rule (8,000).
MAX_ATOMS: Final = 50_000
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


class _CannotRunError(Exception):
    """The rule is well formed, but asks for what this engine does not do."""


def compile_rules(
    documents: Iterable[tuple[str, str]], *, origin: str = ""
) -> tuple[tuple[Rule, ...], tuple[RuleFault, ...]]:
    """(path, YAML) pairs -> rules and faults. A document may hold several rules, separated by `---`. Never raises."""
    rules: list[Rule] = []
    faults: list[RuleFault] = []
    for path, text in documents:
        for outcome in _compile_document(path, text, origin):
            if isinstance(outcome, Rule):
                rules.append(outcome)
            else:
                faults.append(outcome)
    return tuple(rules), tuple(faults)


def _compile_document(path: str, text: str, origin: str) -> Iterator[Rule | RuleFault]:
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        yield _fault("", path, f"the document has more than {MAX_DOCUMENT_CHARACTERS} characters", code="AMG-RULE-002")
        return
    try:
        parts = [part for part in yaml.load_all(text, _LOADER) if part is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield _fault("", path, f"not YAML: {_first_line(error)}", code="AMG-RULE-001")
        return
    if not parts:
        yield _fault("", path, "the document is empty", code="AMG-RULE-001")
    shared: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, dict) and part.get("action") == "global":
            shared = {key: value for key, value in part.items() if key != "action"}
        else:
            yield _compile_part(path, part, shared, origin)


def _compile_part(path: str, part: Any, shared: Mapping[str, Any], origin: str) -> Rule | RuleFault:
    if not isinstance(part, dict):
        return _fault("", path, "not a Sigma rule: a YAML mapping was expected", code="AMG-RULE-002")
    merged = {**shared, **part}
    rule_id = str(merged.get("id", ""))
    if "correlation" in merged:
        return compile_correlation(path, merged, origin=origin)
    if "filter" in merged:
        return _fault(rule_id, path, "Sigma filters are not supported yet", code="AMG-RULE-010")
    if "action" in merged:
        return _fault(rule_id, path, f"the collection action {show(str(merged['action']))} is not supported")
    try:
        parsed = SigmaRule.from_dict(merged)
        identity = _identity(merged)
        return replace(_rule_of(path, parsed, origin, identity=identity), references=references_of(merged, identity))
    except _CannotRunError as error:
        return _fault(rule_id, path, str(error), code="AMG-RULE-011")
    except SigmaError as error:
        return _fault(rule_id, path, f"not a valid Sigma rule: {_first_line(error)}", code="AMG-RULE-003")
    except RecursionError:
        return _fault(rule_id, path, "the condition is nested too deep", code="AMG-RULE-003")
    except Exception as error:  # noqa: BLE001 - the parser is not ours: whatever it trips over is the rule's fault
        why = f"the rule cannot be parsed: {type(error).__name__}: {_first_line(error)}"
        return _fault(rule_id, path, why, code="AMG-RULE-003")


def _identity(merged: Mapping[str, Any]) -> str:
    """The rule's own identifier, or one made from its text: the same on every node, wherever the file lies."""
    if merged.get("id"):
        return str(merged["id"])
    return hashlib.sha256(json.dumps(merged, default=str, sort_keys=True).encode()).hexdigest()[:32]


def _rule_of(path: str, parsed: SigmaRule, origin: str, *, identity: str) -> Rule:
    builder = _Builder()
    conditions = [builder.node(parsed_condition.parsed, 0) for parsed_condition in parsed.detection.parsed_condition]
    if not conditions:
        message = "the rule has no condition"
        raise _CannotRunError(message)
    source = LogSource(
        category=_lower(parsed.logsource.category),
        product=_lower(parsed.logsource.product),
        service=_lower(parsed.logsource.service),
    )
    condition = conditions[0] if len(conditions) == 1 else Node(Op.OR, items=tuple(conditions))
    condition = builder.narrowed(condition, source)
    tags = [str(tag) for tag in parsed.tags]
    return Rule(
        id=show(identity),
        title=show(parsed.title),
        level=level_of(parsed.level.name.lower() if parsed.level else None),
        techniques=techniques_of(tags),
        tactics=tactics_of(tags),
        logsource=source,
        atoms=tuple(builder.atoms),
        condition=condition,
        path=path,
        origin=origin,
    )


class _Builder:
    """Turns pySigma's condition into nodes over atoms, each atom once."""

    def __init__(self) -> None:
        self.atoms: dict[Atom, int] = {}

    def node(self, condition: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"the condition is nested deeper than {MAX_DEPTH}"
            raise _CannotRunError(message)
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
        raise _CannotRunError(message)

    def value(self, field: str | None, value: SigmaType) -> Node:
        if isinstance(value, SigmaExpansion):
            return Node(Op.OR, items=tuple(self.value(field, item) for item in value.values))
        return self.atom(_atom_of(field, value))

    def atom(self, atom: Atom) -> Node:
        place = self.atoms.setdefault(atom, len(self.atoms))
        if len(self.atoms) > MAX_ATOMS:
            message = f"the rule asks more than {MAX_ATOMS} questions"
            raise _CannotRunError(message)
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
        message = "modifiers for parts of an instant (minute to year) are not supported yet"
        raise _CannotRunError(message)
    if isinstance(value, SigmaNumber | SigmaBool):
        return Atom(field, Predicate.EQUALS if field else Predicate.CONTAINS, fold(str(value)))
    if field is None:
        message = f"a keyword of kind {type(value).__name__} cannot run"
        raise _CannotRunError(message)
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
    raise _CannotRunError(message)


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
        raise _CannotRunError(message)
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
        raise _CannotRunError(message)
    letters = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = (f"(?{letters})" if letters else "") + str(value.regexp).replace("\0", "\\x00")
    why = refusal(pattern, CHOSEN_BY_RULE)
    if why is not None:
        message = f"the regular expression cannot run in linear time: {show(why)}: {show(pattern)}"
        raise _CannotRunError(message)
    return Atom(field, Predicate.REGEX, pattern)


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


def _first_line(error: Exception) -> str:
    return show(" ".join(str(error).split()))


def _fault(rule_id: str, path: str, why: str, *, code: str = "AMG-RULE-003") -> RuleFault:
    return RuleFault(rule_id=show(rule_id), path=path, why=why, code=code)

"""A document with a `correlation` section -> a rule that holds it. pySigma says what is Sigma; nothing is resolved.

Beyond what pySigma reads: `generate` at the top level, where specification 2.1 has it; a range of two or more
comparisons in one condition; and identifiers of any form in an extended condition, which is read here in linear time.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule
from sigma.exceptions import SigmaError

from amagasa.detect.correlation.definition import (
    MAX_NEEDED,
    NUMERIC,
    TEMPORAL,
    Alias,
    Bound,
    Comparison,
    Correlation,
    Expr,
    Join,
    Kind,
    number_of,
)
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.rule import Node, Op, Rule
from amagasa.event.record import LogSource
from amagasa.vocab.attack import tactics_of, techniques_of
from amagasa.vocab.severity import level_of
from amagasa.vocab.text import show

INVALID: Final = "AMG-CORRELATION-001"
MAX_RULES: Final = 256
MAX_ORDERED: Final = 16  # each pair of rules is a step that may be waited for
MAX_FIELDS: Final = 16
MAX_TIMESPAN_S: Final = 10 * 366 * 86_400
MAX_DEPTH: Final = 32
MAX_TOKENS: Final = 256
# A correlation never matches a record: nothing of an OR without items holds.
NEVER: Final = Node(Op.OR)
_TOKEN: Final = re.compile(r"[()]|[^\s()]+")


class _InvalidError(Exception):
    """The section is Sigma, but says what cannot be."""


def compile_correlation(path: str, document: Mapping[str, Any], *, origin: str = "") -> Rule | RuleFault:
    """The document (the parsed YAML mapping) as a rule; never raises. References are resolved later, in `link`."""
    rule_id = str(document.get("id") or "")
    try:
        return _compiled(path, document, origin)
    except _InvalidError as error:
        why = f"not a valid Sigma correlation: {error}"
    except SigmaError as error:
        why = f"not a valid Sigma correlation: {_first_line(error)}"
    except RecursionError:
        why = "the correlation is nested too deep"
    except Exception as error:  # noqa: BLE001 - the parser is not ours: whatever it trips over is the document's fault
        why = f"the correlation cannot be parsed: {type(error).__name__}: {_first_line(error)}"
    return RuleFault(rule_id=show(rule_id), path=path, why=why, code=INVALID)


def _compiled(path: str, document: Mapping[str, Any], origin: str) -> Rule:
    section = document["correlation"]
    if not isinstance(section, Mapping):
        message = "`correlation` is no mapping"
        raise _InvalidError(message)
    parsed = SigmaCorrelationRule.from_dict(_for_parser(document, section))
    correlation = _correlation_of(document, section, parsed)
    if not isinstance(document.get("name", ""), str):
        _refuse("`name` is no text")
    tags = [str(tag) for tag in parsed.tags]
    identity = str(document.get("id") or "") or _digest_of(document)
    return Rule(
        id=show(identity),
        title=show(parsed.title),
        level=level_of(parsed.level.name.lower() if parsed.level else None),
        techniques=techniques_of(tags),
        tactics=tactics_of(tags),
        logsource=LogSource(),
        atoms=(),
        condition=NEVER,
        path=path,
        origin=origin,
        references=references_of(document, identity),
        correlation=correlation,
    )


def references_of(document: Mapping[str, Any], identity: str) -> tuple[str, ...]:
    """By what a correlation may refer to a rule's document: its id, or the one made of its text, and its name."""
    return tuple(dict.fromkeys(text for text in (identity, str(document.get("name") or "")) if text))


def _refuse(why: str) -> NoReturn:
    raise _InvalidError(why)


def _for_parser(document: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """What pySigma takes: one comparison, no extended condition, and a title (only the outermost one needs have it)."""
    condition = section.get("condition")
    plain: Any = condition
    if isinstance(condition, Mapping):
        first = next((key for key in condition if key in set(Comparison)), None)
        plain = {key: value for key, value in condition.items() if key not in set(Comparison) or key == first}
    elif isinstance(condition, str):
        if str(section.get("type")) not in TEMPORAL:
            _refuse("a condition over names of rules is for temporal correlations")
        plain = None
    inner = {key: value for key, value in section.items() if key not in {"condition", "generate"}}
    if plain is not None:
        inner["condition"] = plain
    elif str(section.get("type")) not in TEMPORAL and condition is None:
        _refuse("there is no condition")
    title = document.get("title") or document.get("name") or document.get("id") or "Correlation"
    return {**document, "title": title, "correlation": inner}


def _correlation_of(
    document: Mapping[str, Any], section: Mapping[str, Any], parsed: SigmaCorrelationRule
) -> Correlation:
    kind = Kind(parsed.type.name.lower())
    rules = tuple(reference.reference for reference in parsed.rules or ())
    if any(not isinstance(rule, str) or not rule for rule in rules) or len(set(rules)) != len(rules):
        _refuse("`rules` must be texts, each once")
    raw = section.get("condition")
    condition = None
    bounds: tuple[Bound, ...] = ()
    if isinstance(raw, str):
        rules, condition = _extended(raw, rules)
    elif isinstance(raw, Mapping):
        bounds = tuple(_bound(Comparison(key), value) for key, value in raw.items() if key in set(Comparison))
    else:
        bounds = (Bound(Comparison.GTE, Decimal(len(rules))),)
    if not 0 < len(rules) <= (MAX_ORDERED if kind is Kind.TEMPORAL_ORDERED else MAX_RULES):
        _refuse(f"it names {len(rules)} rules; from 1 to {MAX_ORDERED} in order or {MAX_RULES} without can be held")
    made = Correlation(
        kind=kind,
        rules=rules,
        group_by=_names(parsed.group_by or (), "group-by"),
        aliases=_aliases(parsed, rules),
        timespan_s=parsed.timespan.seconds,
        bounds=bounds,
        condition=condition,
        fields=_condition_fields(parsed.condition, kind),
        percentile=_percentile(raw, kind),
        is_generating=_generating(document, section),
        is_level_own=parsed.level is not None,
        are_tags_own=bool(parsed.tags),
    )
    _check(made)
    return made


def _check(made: Correlation) -> None:
    if made.timespan_s > MAX_TIMESPAN_S:
        _refuse("the timespan is longer than ten years")
    if made.kind in TEMPORAL and made.condition is None and made.is_rising and made.needed > len(made.rules):
        _refuse(f"{made.needed} different rules are asked for, and it names {len(made.rules)}")
    is_held = made.kind in {Kind.EVENT_COUNT, Kind.VALUE_COUNT}
    if is_held and (made.needed if made.is_rising else made.deciding) > MAX_NEEDED:
        _refuse(f"counts beyond {MAX_NEEDED} cannot be held")


def _bound(comparison: Comparison, value: Any) -> Bound:
    number = number_of(value)
    if number is None:
        _refuse(f"`{comparison.value}` must be a number, not {show(str(value), 40)}")
    return Bound(comparison, number)


def _condition_fields(condition: Any, kind: Kind) -> tuple[str, ...]:
    """The fields whose values count; they mean nothing to the kinds that count events."""
    if kind in TEMPORAL or kind is Kind.EVENT_COUNT or not isinstance(condition, SigmaCorrelationCondition):
        return ()
    named = condition.fieldref
    fields = _names([named] if isinstance(named, str) else named or (), "field")
    if not fields or (kind in NUMERIC and len(fields) > 1):
        _refuse("`field` must name the field whose values count" + ("" if len(fields) < 2 else ", and one alone"))
    return fields


def _percentile(raw: Any, kind: Kind) -> Decimal | None:
    if kind is not Kind.VALUE_PERCENTILE or "percentile" not in raw:
        return None
    number = number_of(raw["percentile"])
    if number is None or not 0 <= number <= 100:
        _refuse("`percentile` must be a number from 0 to 100")
    return number


def _generating(document: Mapping[str, Any], section: Mapping[str, Any]) -> bool:
    """Specification 2.1 has `generate` beside `correlation`, pySigma within it: both are read."""
    said = [place["generate"] for place in (document, section) if place.get("generate") is not None]
    if any(not isinstance(one, bool) for one in said) or len(set(said)) > 1:
        _refuse("`generate` must be true or false, and the same where it stands twice")
    return bool(said and said[0])


def _names(names: Sequence[Any], what: str) -> tuple[str, ...]:
    if len(names) > MAX_FIELDS or any(not isinstance(name, str) or not name for name in names):
        _refuse(f"`{what}` must be at most {MAX_FIELDS} names of fields")
    return tuple(dict.fromkeys(names))


def _aliases(parsed: SigmaCorrelationRule, rules: Sequence[str]) -> tuple[Alias, ...]:
    made: list[Alias] = []
    for alias in parsed.aliases:
        mapping: Mapping[Any, Any] = alias.mapping
        fields = tuple((reference.reference, field) for reference, field in mapping.items())
        for reference, field in fields:
            if reference not in rules:
                _refuse(
                    f"the alias {show(alias.alias, 40)} is for {show(str(reference), 60)}, which `rules` do not name"
                )
            if not isinstance(field, str):
                _refuse(f"the alias {show(alias.alias, 40)} names no field")
        made.append(Alias(alias.alias, fields))
    return tuple(made)


def _extended(text: str, rules: tuple[str, ...]) -> tuple[tuple[str, ...], Expr]:
    """The rules, in their order, and the condition over them."""
    tokens = _TOKEN.findall(text)
    if len(tokens) > MAX_TOKENS:
        _refuse(f"the condition has more than {MAX_TOKENS} words")
    reader = _Reader(tokens, list(rules))
    expr = reader.either(0)
    if reader.place != len(tokens):
        _refuse(f"the condition goes on with {show(tokens[reader.place], 40)}, where it should end")
    if rules and (set(reader.used) != set(rules) or len(reader.rules) != len(rules)):
        _refuse("the condition and `rules` do not name the same rules")
    return tuple(reader.rules), expr


class _Reader:
    """`or` over `and` over `not` over a name or brackets."""

    def __init__(self, tokens: Sequence[str], rules: list[str]) -> None:
        self.tokens = tokens
        self.rules = rules
        self.used: list[str] = []
        self.place = 0

    def either(self, depth: int) -> Expr:
        items = [self._all(depth)]
        while self._takes("or"):
            items.append(self._all(depth))
        return items[0] if len(items) == 1 else Expr(Join.OR, items=tuple(items))

    def _all(self, depth: int) -> Expr:
        items = [self._one(depth)]
        while self._takes("and"):
            items.append(self._one(depth))
        return items[0] if len(items) == 1 else Expr(Join.AND, items=tuple(items))

    def _one(self, depth: int) -> Expr:
        if depth > MAX_DEPTH:
            _refuse(f"the condition is nested deeper than {MAX_DEPTH}")
        if self._takes("not"):
            return Expr(Join.NOT, items=(self._one(depth + 1),))
        if self._takes("("):
            inside = self.either(depth + 1)
            if not self._takes(")"):
                _refuse("a bracket of the condition is not closed")
            return inside
        return self._name()

    def _name(self) -> Expr:
        name = self.tokens[self.place] if self.place < len(self.tokens) else ""
        if not name or name in {"(", ")"} or name.lower() in {"and", "or", "not"}:
            _refuse("the condition lacks the name of a rule" + (f" before {show(name, 40)}" if name else " at its end"))
        self.place += 1
        self.used.append(name)
        if name not in self.rules:
            self.rules.append(name)
        return Expr(Join.RULE, rule=self.rules.index(name))

    def _takes(self, word: str) -> bool:
        if self.place < len(self.tokens) and self.tokens[self.place].lower() == word:
            self.place += 1
            return True
        return False


def _digest_of(document: Mapping[str, Any]) -> str:
    """An identifier from the text alone: the same on every node, wherever the file lies."""
    return hashlib.sha256(json.dumps(document, default=str, sort_keys=True).encode()).hexdigest()[:32]


def _first_line(error: Exception) -> str:
    return show(" ".join(str(error).split()))

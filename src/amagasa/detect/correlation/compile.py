"""A document with a `correlation` section -> a rule that holds it. Sigma correlation specification 2.1; see below.

Read beyond its text: `generate` within the section too, as pySigma has it; a range of two or more comparisons, which
the specification shows and its schema leaves out; conditions over names of rules, which pySigma reads; and units of a
timespan beyond days. Nothing is resolved here: `link` finds the rules.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

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
from amagasa.detect.sigma.document import identity_of, list_at, text_at
from amagasa.detect.sigma.problem import SigmaProblemError
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
_TIMESPAN: Final = re.compile(r"([0-9]{1,9})([smhdwMy])")
# A month and a year are those of pySigma: a twelfth of 365.2425 days, and these days.
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
_KINDS: Final = {kind.value: kind for kind in Kind if kind is not Kind.PATTERN}
_COMPARISONS: Final = {one.value: one for one in Comparison}


def compile_correlation(path: str, document: Mapping[str, Any], *, origin: str = "") -> Rule | RuleFault:
    """The document (the parsed YAML mapping) as a rule; never raises. References are resolved later, in `link`."""
    try:
        return _compiled(path, document, origin)
    except SigmaProblemError as problem:
        why = f"not a valid Sigma correlation: {problem}"
    except RecursionError:
        why = "not a valid Sigma correlation: it is nested too deep"
    return RuleFault(rule_id=show(str(document.get("id") or "")), path=path, why=why, code=INVALID)


def references_of(document: Mapping[str, Any], identity: str) -> tuple[str, ...]:
    """By what a correlation may refer to a rule's document: its id, or the one made of its text, and its name."""
    return tuple(dict.fromkeys(text for text in (identity, str(document.get("name") or "")) if text))


def _compiled(path: str, document: Mapping[str, Any], origin: str) -> Rule:
    section = document["correlation"]
    if not isinstance(section, Mapping):
        _refuse("`correlation` is no mapping")
    if not isinstance(document.get("name", ""), str):
        _refuse("`name` is no text")
    tags = tuple(str(tag) for tag in list_at(document.get("tags")))
    identity = identity_of(document)
    return Rule(
        id=show(identity),
        # Only the outermost of several need have a title.
        title=show(text_at(document.get("title")) or text_at(document.get("name")) or identity),
        level=level_of(text_at(document.get("level"))),
        techniques=techniques_of(tags),
        tactics=tactics_of(tags),
        logsource=LogSource(),
        atoms=(),
        condition=NEVER,
        path=path,
        origin=origin,
        references=references_of(document, identity),
        correlation=_correlation_of(document, section),
        tags=tuple(show(tag) for tag in tags),
    )


def _refuse(why: str) -> NoReturn:
    raise SigmaProblemError(why)


def _correlation_of(document: Mapping[str, Any], section: Mapping[str, Any]) -> Correlation:
    kind = _KINDS.get(str(section.get("type")))
    if kind is None:
        _refuse(f"`type` must be one of {', '.join(_KINDS)}, not {show(str(section.get('type')), 40)}")
    rules = _texts(section.get("rules"), "rules", MAX_RULES)
    given = section.get("condition")
    condition = None
    if isinstance(given, str):
        rules, condition = _extended(given, rules, kind)
    bounds = _bounds(given, kind, len(rules))
    most = MAX_ORDERED if kind is Kind.TEMPORAL_ORDERED else MAX_RULES
    if not 0 < len(rules) <= most:
        _refuse(f"it names {len(rules)} rules; from 1 to {most} can be held")
    made = Correlation(
        kind=kind,
        rules=rules,
        group_by=_texts(section.get("group-by"), "group-by", MAX_FIELDS),
        aliases=_aliases(section.get("aliases"), rules),
        timespan_s=_timespan_s(section.get("timespan")),
        bounds=bounds,
        condition=condition,
        fields=_condition_fields(given, kind),
        percentile=_percentile(given, kind),
        is_generating=_generating(document, section),
        is_level_own=bool(document.get("level")),
        are_tags_own=bool(document.get("tags")),
    )
    _check(made)
    return made


def _check(made: Correlation) -> None:
    if made.kind in TEMPORAL and made.condition is None and made.is_rising and made.needed > len(made.rules):
        _refuse(f"{made.needed} different rules are asked for, and it names {len(made.rules)}")
    is_held = made.kind in {Kind.EVENT_COUNT, Kind.VALUE_COUNT}
    if is_held and (made.needed if made.is_rising else made.deciding) > MAX_NEEDED:
        _refuse(f"counts beyond {MAX_NEEDED} cannot be held")


def _timespan_s(given: Any) -> int:
    found = _TIMESPAN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        _refuse(f"`timespan` must be a number and one of s m h d w M y, as 10m, not {show(str(given), 40)}")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= MAX_TIMESPAN_S:
        _refuse("`timespan` must be longer than nothing and at most ten years")
    return seconds


def _bounds(given: Any, kind: Kind, n_rules: int) -> tuple[Bound, ...]:
    """The comparisons; of temporal kinds without a condition: all the rules."""
    if isinstance(given, str):
        return ()
    if given is None and kind in TEMPORAL:
        return (Bound(Comparison.GTE, Decimal(n_rules)),)
    if not isinstance(given, Mapping):
        _refuse("there is no `condition`, as {gte: 10}")
    unknown = [key for key in given if key not in _COMPARISONS and key not in {"field", "percentile"}]
    if unknown:
        _refuse(
            f"`condition` has {show(str(unknown[0]), 40)}: it may have {', '.join(_COMPARISONS)}, field, percentile"
        )
    bounds = tuple(_bound(one, given[word]) for word, one in _COMPARISONS.items() if word in given)
    if not bounds:
        _refuse(f"`condition` compares nothing: it needs one of {', '.join(_COMPARISONS)}")
    return bounds


def _bound(comparison: Comparison, value: Any) -> Bound:
    number = number_of(value)
    if number is None:
        _refuse(f"`{comparison.value}` must be a number, not {show(str(value), 40)}")
    return Bound(comparison, number)


def _condition_fields(given: Any, kind: Kind) -> tuple[str, ...]:
    """The fields whose values count; they mean nothing to the kinds that count events."""
    if kind in TEMPORAL or kind is Kind.EVENT_COUNT:
        return ()
    fields = _texts(given.get("field"), "field", MAX_FIELDS)
    if not fields or (kind in NUMERIC and len(fields) > 1):
        _refuse("`field` must name the field whose values count" + ("" if len(fields) < 2 else ", and one alone"))
    return fields


def _percentile(given: Any, kind: Kind) -> Decimal | None:
    if kind is not Kind.VALUE_PERCENTILE or "percentile" not in given:
        return None
    number = number_of(given["percentile"])
    if number is None or not 0 <= number <= 100:
        _refuse("`percentile` must be a number from 0 to 100")
    return number


def _generating(document: Mapping[str, Any], section: Mapping[str, Any]) -> bool:
    said = [place["generate"] for place in (document, section) if place.get("generate") is not None]
    if any(not isinstance(one, bool) for one in said) or len(set(said)) > 1:
        _refuse("`generate` must be true or false, and the same where it stands twice")
    return bool(said and said[0])


def _texts(given: Any, what: str, most: int) -> tuple[str, ...]:
    """A text or a list of texts, each once."""
    names = list_at(given)
    if len(names) > most or any(not isinstance(name, str) or not name for name in names):
        _refuse(f"`{what}` must be at most {most} texts")
    if len(set(names)) != len(names):
        _refuse(f"`{what}` must be texts, each once")
    return tuple(names)


def _aliases(given: Any, rules: Sequence[str]) -> tuple[Alias, ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        _refuse("`aliases` is no mapping")
    made: list[Alias] = []
    for name, fields in given.items():
        if not isinstance(fields, Mapping) or not isinstance(name, str):
            _refuse(f"the alias {show(str(name), 40)} is no mapping of rules to fields")
        for reference, field in fields.items():
            if reference not in rules:
                _refuse(f"the alias {show(name, 40)} is for {show(str(reference), 60)}, which `rules` do not name")
            if not isinstance(field, str) or not field:
                _refuse(f"the alias {show(name, 40)} names no field")
        made.append(Alias(name, tuple(fields.items())))
    return tuple(made)


def _extended(text: str, rules: tuple[str, ...], kind: Kind) -> tuple[tuple[str, ...], Expr]:
    """The rules, in their order, and the condition over them."""
    if kind not in TEMPORAL:
        _refuse("a condition over names of rules is for temporal correlations")
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

"""The correlation section of a rule: its type, what it names, its timespan and its condition, each with its place."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.tree import Entry, Items, Map, Scalar, scalars
from amagasa.detect.lint.words import CORRELATIONS, did_you_mean

_KEYS: Final = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_COMPARISONS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")
_TIMESPAN: Final = re.compile(r"\d+[smhdwMy]", re.ASCII)
_TEMPORAL: Final = frozenset({"temporal", "temporal_ordered"})
_WORDS: Final = frozenset({"and", "or", "not"})
_EXPECTED_SPAN: Final = "a number and a unit: 30s, 10m, 2h, 1d, 1w"


def check_correlation(rule: Map) -> Iterator[Finding]:
    """What is wrong or odd about a document with `correlation`."""
    entry = rule.entry("correlation")
    if entry is None:
        return
    section = entry.value
    if not isinstance(section, Map):
        yield say("correlation-form", entry.key.place, "the correlation is no mapping", expected="type: and rules:")
        return
    for one in section.entries:
        if one.key.text not in _KEYS:
            what = f"a correlation has no {quoted(one.key.text)}"
            yield say("correlation-key", one.key.place, what, hint=did_you_mean(one.key.text, _KEYS))
    kind = section.get("type")
    yield from _type(entry, section)
    yield from _rules(entry, section)
    yield from _timespan(entry, section)
    name = kind.text if isinstance(kind, Scalar) else ""
    if name in CORRELATIONS:
        yield from _condition(entry, section, name)
    yield from _aliases(section)
    if section.get("group-by") is None:
        what = "without group-by the events of all hosts and users count together"
        yield say("correlation-ungrouped", entry.key.place, what)


def _type(entry: Entry, section: Map) -> Iterator[Finding]:
    kind = section.get("type")
    expected = ", ".join(CORRELATIONS)
    if not isinstance(kind, Scalar):
        yield say("correlation-form", entry.key.place, "the correlation has no type", expected=expected)
    elif kind.text not in CORRELATIONS:
        hint = did_you_mean(kind.text, CORRELATIONS, cutoff=0.5)
        what = f"{quoted(kind.text)} is no type of correlation"
        yield say("unknown-correlation", kind.place, what, expected=expected, hint=hint)


def _rules(entry: Entry, section: Map) -> Iterator[Finding]:
    named = list(scalars(section.get("rules")))
    condition = section.get("condition")
    if not named and not isinstance(condition, Scalar):
        expected = "rules: names or ids of the rules it looks at"
        yield say("correlation-form", entry.key.place, "the correlation names no rules", expected=expected)
    seen: set[str] = set()
    for one in named:
        if one.text in seen:
            yield say("correlation-form", one.place, f"the rule {quoted(one.text)} is named twice")
        seen.add(one.text)


def _timespan(entry: Entry, section: Map) -> Iterator[Finding]:
    span = section.get("timespan")
    if span is None:
        yield say("correlation-form", entry.key.place, "the correlation has no timespan", expected=_EXPECTED_SPAN)
    elif not isinstance(span, Scalar) or not _TIMESPAN.fullmatch(span.text):
        text = span.text if isinstance(span, Scalar) else "a list"
        hint = "the unit stands behind the number, without a blank" if isinstance(span, Scalar) else ""
        what = f"the timespan is {quoted(text)}"
        yield say("correlation-form", span.place, what, expected=_EXPECTED_SPAN, hint=hint)


def _condition(entry: Entry, section: Map, kind: str) -> Iterator[Finding]:
    condition = section.get("condition")
    if isinstance(condition, Scalar):
        yield from _extended(condition, section, kind)
        return
    if condition is None and kind not in _TEMPORAL:
        expected = "condition: gte: 10"
        yield say("correlation-form", entry.key.place, f"{kind} has no condition", expected=expected)
        return
    if not isinstance(condition, Map):
        return
    comparisons = [one for one in condition.entries if one.key.text in _COMPARISONS]
    others = [one for one in condition.entries if one.key.text not in {*_COMPARISONS, "field", "percentile"}]
    for one in others:
        hint = did_you_mean(one.key.text, (*_COMPARISONS, "field"), cutoff=0.5)
        what = f"a condition has no {quoted(one.key.text)}"
        yield say("correlation-key", one.key.place, what, expected=", ".join(_COMPARISONS), hint=hint)
    if not comparisons:
        expected = "one of " + ", ".join(_COMPARISONS)
        yield say("correlation-form", condition.place, "the condition compares with nothing", expected=expected)
    for one in comparisons:
        if not isinstance(one.value, Scalar) or one.value.kind not in {"int", "float"}:
            yield say("correlation-form", one.value.place, f"{one.key.text} has no number", expected="a number")
    if kind.startswith("value_") and condition.get("field") is None:
        what = f"{kind} does not say of which field"
        yield say("correlation-form", condition.place, what, expected="field: the field whose values count")
    yield from _impossible(comparisons, section, kind)


def _impossible(comparisons: list[Entry], section: Map, kind: str) -> Iterator[Finding]:
    """Ranges without a number in them, and more rules asked for than are named."""
    numbers: Mapping[str, float] = {
        one.key.text: float(one.value.value)
        for one in comparisons
        if isinstance(one.value, Scalar) and isinstance(one.value.value, int | float)
    }
    low = max((numbers[one] for one in ("gt", "gte", "eq") if one in numbers), default=None)
    high = min((numbers[one] for one in ("lt", "lte", "eq") if one in numbers), default=None)
    is_strict = "gt" in numbers or "lt" in numbers
    if low is not None and high is not None and (low > high or (low == high and is_strict and "eq" not in numbers)):
        yield say("never-true", comparisons[0].key.place, "no number lies in the range of the condition")
    n_rules = len(list(scalars(section.get("rules"))))
    if kind in _TEMPORAL and low is not None and low > n_rules > 0:
        what = f"{low:g} different rules are asked for, and {n_rules} are named"
        yield say("never-true", comparisons[0].key.place, what)


def _extended(condition: Scalar, section: Map, kind: str) -> Iterator[Finding]:
    if kind not in _TEMPORAL:
        what = f"a condition over names of rules is for temporal correlations, not for {kind}"
        yield say("correlation-form", condition.place, what, expected="gte: and a number")
        return
    named = {one.text for one in scalars(section.get("rules"))}
    for match in re.finditer(r"[^\s()]+", condition.text):
        word = match[0]
        if named and word.lower() not in _WORDS and word not in named:
            hint = did_you_mean(word, named, cutoff=0.6)
            place = condition.within(match.start(), len(word))
            yield say("undefined-selection", place, f"the rule {quoted(word)} is not among `rules`", hint=hint)


def _aliases(section: Map) -> Iterator[Finding]:
    aliases = section.get("aliases")
    named = {one.text for one in scalars(section.get("rules"))}
    grouped = {one.text for one in scalars(section.get("group-by"))}
    for alias in aliases.entries if isinstance(aliases, Map) else ():
        if alias.key.text not in grouped:
            what = f"the alias {quoted(alias.key.text)} is not used by group-by"
            yield say("correlation-key", alias.key.place, what, hint=did_you_mean(alias.key.text, grouped))
        for one in alias.value.entries if isinstance(alias.value, Map) else ():
            if named and one.key.text not in named:
                what = f"the alias is for {quoted(one.key.text)}, which is not among `rules`"
                yield say("correlation-form", one.key.place, what, hint=did_you_mean(one.key.text, named, cutoff=0.6))
    if aliases is not None and not isinstance(aliases, Map | Items):
        yield say("correlation-form", aliases.place, "the aliases are no mapping", expected="name: {rule: field}")

"""The oracle: a Sigma rule evaluated in the plainest way, straight from pySigma's condition tree over flat fields.

Slow and without any code of the engine. What it takes as given: text is compared without case (`str.lower`) unless
the value is `cased` or a regular expression; numbers are compared as numbers or as their decimal text; a field that
holds a list matches if an item does; a keyword matches anywhere in the raw record or in a field; an instant without
an offset is in UTC, and a number is one in seconds since 1970.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final, cast

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
    SpecialChars,
    TimestampPart,
)

ABSENT: Final = object()


def matches(rule: SigmaRule, fields: Mapping[str, Any], raw: str = "") -> bool:
    """Whether one of the rule's conditions holds for the event."""
    return holds(conditions_of(rule), fields, raw)


def conditions_of(rule: SigmaRule) -> tuple[Any, ...]:
    """The rule's conditions as pySigma has them, for those who ask them of many events."""
    return tuple(condition.parsed for condition in rule.detection.parsed_condition)


def holds(conditions: tuple[Any, ...], fields: Mapping[str, Any], raw: str = "") -> bool:
    """Whether one of them holds for the event."""
    return any(_holds(condition, fields, raw) for condition in conditions)


def _holds(node: Any, fields: Mapping[str, Any], raw: str) -> bool:
    if isinstance(node, ConditionAND):
        return all(_holds(part, fields, raw) for part in node.args)
    if isinstance(node, ConditionOR):
        return any(_holds(part, fields, raw) for part in node.args)
    if isinstance(node, ConditionNOT):
        return not _holds(node.args[0], fields, raw)
    if isinstance(node, ConditionFieldEqualsValueExpression):
        return _field_holds(node.value, _lookup(fields, node.field), fields)
    if isinstance(node, ConditionValueExpression):
        return _keyword_holds(node.value, fields, raw)
    message = f"no such condition in the reference: {node!r}"
    raise TypeError(message)


def _lookup(fields: Mapping[str, Any], name: str) -> Any:
    if name in fields:
        return fields[name]
    return next((value for key, value in fields.items() if key.lower() == name.lower()), ABSENT)


def _field_holds(wanted: Any, value: Any, fields: Mapping[str, Any]) -> bool:
    if isinstance(wanted, SigmaExpansion):
        return any(_field_holds(one, value, fields) for one in wanted.values)
    if isinstance(wanted, SigmaExists):
        return (value is not ABSENT) == bool(wanted)
    if isinstance(wanted, SigmaNull):
        return value is ABSENT or value is None
    if value is ABSENT or value is None:
        return False
    if isinstance(value, list):
        return any(_field_holds(wanted, item, fields) for item in value)
    return _value_holds(wanted, value, fields)


def _value_holds(wanted: Any, value: Any, fields: Mapping[str, Any]) -> bool:
    if isinstance(wanted, SigmaString):
        return _string_regex(tuple(wanted.s), isinstance(wanted, SigmaCasedString)).fullmatch(_text(value)) is not None
    if isinstance(wanted, SigmaTimestampPart):
        return _is_part(wanted, value)
    if isinstance(wanted, SigmaBool):
        return value is bool(wanted) or _text(value).lower() == str(bool(wanted)).lower()
    if isinstance(wanted, SigmaNumber):
        return not isinstance(value, bool) and _text(value) == str(wanted.number)
    if isinstance(wanted, SigmaRegularExpression):
        return _search(wanted, _text(value))
    if isinstance(wanted, SigmaCIDRExpression):
        return _is_inside(wanted, _text(value))
    if isinstance(wanted, SigmaCompareExpression):
        return _compares(wanted, value)
    if isinstance(wanted, SigmaFieldReference):
        return _refers(wanted, value, _lookup(fields, wanted.field))
    message = f"no such value in the reference: {wanted!r}"
    raise TypeError(message)


def _keyword_holds(wanted: Any, fields: Mapping[str, Any], raw: str) -> bool:
    texts = [
        raw,
        *(_text(leaf) for value in fields.values() for leaf in (value if isinstance(value, list) else [value])),
    ]
    if isinstance(wanted, SigmaExpansion):
        return any(_keyword_holds(one, fields, raw) for one in wanted.values)
    if isinstance(wanted, SigmaRegularExpression):
        return any(_search(wanted, text) for text in texts)
    whole = SigmaString(str(wanted)) if isinstance(wanted, SigmaNumber) else cast("SigmaString", wanted)
    pattern = _string_regex(tuple(whole.s), isinstance(whole, SigmaCasedString))
    return any(pattern.search(text) for text in texts)


@lru_cache(maxsize=100_000)
def _string_regex(parts: tuple[Any, ...], is_cased: bool) -> re.Pattern[str]:  # noqa: FBT001
    marks = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    text = "".join(re.escape(part) if isinstance(part, str) else marks[part] for part in parts)
    return re.compile(text, re.DOTALL | (re.NOFLAG if is_cased else re.IGNORECASE))


def _search(wanted: SigmaRegularExpression, text: str) -> bool:
    return _compiled(str(wanted.regexp), tuple(sorted(flag.name for flag in wanted.flags))).search(text) is not None


@lru_cache(maxsize=10_000)
def _compiled(regex: str, flags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(regex, sum(getattr(re, name) for name in flags))


def _is_inside(wanted: SigmaCIDRExpression, text: str) -> bool:
    try:
        return ip_address(text) in wanted.network
    except ValueError:
        return False


def _compares(wanted: SigmaCompareExpression, value: Any) -> bool:
    operators: dict[CompareOperators, Callable[[float, float], bool]] = {
        CompareOperators.LT: lambda a, b: a < b,
        CompareOperators.LTE: lambda a, b: a <= b,
        CompareOperators.GT: lambda a, b: a > b,
        CompareOperators.GTE: lambda a, b: a >= b,
        CompareOperators.NEQ: lambda a, b: a != b,
    }
    if isinstance(value, bool):
        return False
    try:
        return operators[wanted.op](float(value), float(wanted.number.number))
    except (TypeError, ValueError):
        return False


def _is_part(wanted: SigmaTimestampPart, value: Any) -> bool:
    try:
        is_number = isinstance(value, int | float) and value >= 315_532_800
        at = datetime.fromtimestamp(value, UTC) if is_number else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    parts = {
        TimestampPart.MINUTE: at.minute,
        TimestampPart.HOUR: at.hour,
        TimestampPart.DAY: at.day,
        TimestampPart.WEEK: at.isocalendar()[1],
        TimestampPart.MONTH: at.month,
        TimestampPart.YEAR: at.year,
    }
    return parts[wanted.timestamp_part] == wanted.number


def _refers(wanted: SigmaFieldReference, one: Any, other: Any) -> bool:
    if other is ABSENT or other is None:
        return False
    if isinstance(other, list):
        return any(_refers(wanted, one, item) for item in other)
    left, right = _text(one).lower(), _text(other).lower()
    if wanted.starts_with and wanted.ends_with:
        return right in left
    if wanted.starts_with:
        return left.startswith(right)
    return left.endswith(right) if wanted.ends_with else left == right


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is ABSENT or value is None else str(value)

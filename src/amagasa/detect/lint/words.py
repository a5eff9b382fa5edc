"""The words of Sigma 2.1 which a rule may use, and the nearest known one to a word that is none of them.

Source: the Sigma specification 2.1 (rules, modifiers, correlation rules, filters); `regression_tests_path`,
`simulation` and `tests` are conventions beside it, of the public rule set and of ours.
"""

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

KEYS: Final = (
    *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "author", "date"),
    *("modified", "tags", "logsource", "detection", "fields", "falsepositives", "level", "scope"),
    *("correlation", "filter", "action", "regression_tests_path", "simulation", "tests"),
)
STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")
LEVELS: Final = ("informational", "low", "medium", "high", "critical")
RELATED: Final = ("derived", "obsolete", "merged", "renamed", "similar", "correlation", "obsoletes")
LOGSOURCE_KEYS: Final = ("category", "product", "service", "definition")
CORRELATIONS: Final = (
    *("event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_avg", "value_percentile"),
    "value_median",
)
TAG_NAMESPACES: Final = ("attack", "car", "cve", "d3fend", "detection", "stp", "tlp")


class Kind(StrEnum):
    """What a modifier does to a value."""

    TEXT = "text"  # matches a part of a text
    ENCODING = "encoding"
    LIST = "list"
    REGEX = "regex"
    FLAG = "flag"
    NUMBER = "number"
    OTHER = "other"
    INSTANT = "instant"


MODIFIERS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("contains", "startswith", "endswith"), Kind.TEXT),
    **dict.fromkeys(
        ("base64", "base64offset", "wide", "utf16", "utf16le", "utf16be", "windash", "expand"), Kind.ENCODING
    ),
    **dict.fromkeys(("all", "neq"), Kind.LIST),
    "re": Kind.REGEX,
    **dict.fromkeys(("i", "ignorecase", "m", "multiline", "s", "dotall"), Kind.FLAG),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), Kind.NUMBER),
    **dict.fromkeys(("cidr", "exists", "cased", "fieldref"), Kind.OTHER),
    **dict.fromkeys(("minute", "hour", "day", "week", "month", "year"), Kind.INSTANT),
}
# What people write who know another tool.
_OTHER_WORDS: Final = {
    "regex": "re",
    "regexp": "re",
    "begins": "startswith",
    "beginswith": "startswith",
    "starts": "startswith",
    "ends": "endswith",
    "contain": "contains",
    "has": "contains",
    "in": "contains",
    "any": "",
    "equals": "",
    "is": "",
    "not": "neq",
    "ne": "neq",
    "ge": "gte",
    "le": "lte",
    "ip": "cidr",
    "case": "cased",
    "casesensitive": "cased",
    "b64": "base64",
    "b64offset": "base64offset",
    "utf-16": "utf16",
    "unicode": "wide",
    "severity": "level",
    "info": "informational",
    "information": "informational",
    "warning": "medium",
    "moderate": "medium",
    "severe": "high",
    "testing": "test",
    "production": "stable",
    "draft": "experimental",
    "detections": "detection",
    "log_source": "logsource",
    "false_positives": "falsepositives",
}


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """The known word that `word` was probably meant to be, "" where none is near. Letter case does not count."""
    choices = {one.lower(): one for one in known}
    folded = word[:80].lower()
    if folded in choices:
        return choices[folded]
    other = _OTHER_WORDS.get(folded)
    if other in choices:
        return choices[other]
    near = difflib.get_close_matches(folded, choices, n=1, cutoff=cutoff)
    return choices[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.7) -> str:
    """The sentence for it, "" where none is near."""
    near = nearest(word, known, cutoff=cutoff)
    return f"did you mean {near}?" if near else ""

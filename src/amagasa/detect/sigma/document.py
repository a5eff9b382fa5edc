"""YAML text -> the mappings in it, one a rule, filter or correlation; and what all of these have.

Parsed within bounds; collections of Sigma 1 are taken apart.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import yaml

from amagasa.detect.sigma.problem import INVALID, SigmaProblemError
from amagasa.event.record import LogSource
from amagasa.vocab.text import show

# A document larger than this is no rule (the largest public one has 70 kB).
MAX_CHARACTERS: Final = 1_048_576
# Values of a document once its aliases are written out: a few lines of YAML can stand for billions.
MAX_VALUES: Final = 200_000
NO_YAML: Final = "AMG-RULE-001"
NO_DOCUMENT: Final = "AMG-RULE-002"
_ALIAS: Final = re.compile(r"(?:^|[\s\[{,])\*[^\s,\]}]", re.MULTILINE)
_DATES: Final = "tag:yaml.org,2002:timestamp"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.1, safe, in C where it can be; a key that stands twice is an error, and a date is the text as written."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Raises where a key stands twice: the first would be lost without a word."""
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    problem = f"the key {show(key.value)} stands twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != _DATES]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}


def mappings_of(text: str) -> Iterator[Mapping[str, Any] | SigmaProblemError]:
    """Each rule, filter or correlation of a YAML stream as a mapping; what is wrong with one does not hide the others.

    The collections of Sigma 1: what `action: global` holds goes over every rule behind it until `action: reset`, and
    `action: repeat` is the rule before it with changes.
    """
    try:
        parts = _parsed(text)
    except SigmaProblemError as problem:
        yield problem
        return
    try:
        yield from _taken_apart(parts)
    except RecursionError:
        yield SigmaProblemError("it is nested too deep", code=NO_DOCUMENT)


def _taken_apart(parts: Iterable[Any]) -> Iterator[Mapping[str, Any] | SigmaProblemError]:
    shared: Mapping[str, Any] = {}
    last: Mapping[str, Any] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            yield SigmaProblemError("not a Sigma rule: a YAML mapping was expected", code=NO_DOCUMENT)
            continue
        rest = {key: value for key, value in part.items() if key != "action"}
        match part.get("action"):
            case None:
                is_rule = "correlation" not in part and "filter" not in part
                merged = _over(rest, shared) if is_rule else rest
                last = merged if is_rule else last
                yield merged
            case "global":
                shared = last = rest
            case "reset":
                shared = {}
            case "repeat":
                last = _over(last, rest)
                yield last
            case other:
                message = f"a collection has no action {show(str(other))}: it has global, reset and repeat"
                yield SigmaProblemError(message, code=INVALID)


def identity_of(part: Mapping[str, Any]) -> str:
    """The document's own identifier, or one made from its text: the same on every node, wherever the file lies."""
    if part.get("id"):
        return str(part["id"])
    try:
        text = json.dumps(part, default=str, sort_keys=True)
    except TypeError:  # keys of more than one kind have no order
        text = json.dumps(list(part.items()), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def source_of(given: Any) -> LogSource:
    """The `logsource`, in lower case. Raises SigmaProblemError where it names nothing: it would mean every event."""
    if not isinstance(given, Mapping):
        message = "there is no logsource, with a category, product or service"
        raise SigmaProblemError(message)
    named: dict[str, str | None] = {}
    for key in ("category", "product", "service"):
        value = given.get(key)
        if value is not None and not isinstance(value, str):
            message = f"the {key} of the logsource must be text"
            raise SigmaProblemError(message)
        named[key] = value.lower() if value else None
    if not any(named.values()):
        message = "the logsource is empty: it must give a category, product or service"
        raise SigmaProblemError(message)
    return LogSource(category=named["category"], product=named["product"], service=named["service"])


def text_at(given: Any) -> str:
    """A value as text; "" where it is none."""
    return given if isinstance(given, str) else ""


def list_at(given: Any) -> list[Any]:
    """A list, or a single value as one."""
    return given if isinstance(given, list) else [] if given is None else [given]


def _parsed(text: str) -> list[Any]:
    """Raises SigmaProblemError."""
    if len(text) > MAX_CHARACTERS:
        message = f"the document has more than {MAX_CHARACTERS:,} characters"
        raise SigmaProblemError(message, code=NO_DOCUMENT)
    try:
        parts = [part for part in yaml.load_all(text, _Loader) if part is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not YAML: {show(' '.join(str(error).split()))}"
        raise SigmaProblemError(message, code=NO_YAML) from None
    if not parts:
        message = "the document is empty"
        raise SigmaProblemError(message, code=NO_YAML)
    if "&" in text and _ALIAS.search(text):
        _bound(parts)
    return parts


def _bound(parts: list[Any]) -> None:
    """Raises SigmaProblemError for what grows beyond bounds, or holds itself, where aliases are written out."""
    waiting = list(parts)
    n_values = 0
    while waiting:
        part = waiting.pop()
        n_values += 1
        if n_values > MAX_VALUES:
            message = f"its aliases stand for more than {MAX_VALUES:,} values"
            raise SigmaProblemError(message, code=NO_DOCUMENT)
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, mappings within mappings likewise."""
    made = dict(base)
    for key, value in changes.items():
        below = made.get(key)
        made[key] = _over(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return made

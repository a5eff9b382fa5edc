"""Values of a row -> a node or a dependency; each that is wrong is named with its line."""

import ipaddress
import math
from collections.abc import Callable
from typing import Any, Final

from amagasa.mission.model import FULL, Dependency, Kind, Node
from amagasa.mission.problem import Problems
from amagasa.mission.row import Row
from amagasa.vocab.text import show

NAME_CHARACTERS: Final = 100
TEXT_CHARACTERS: Final = 300
MAX_PATTERNS: Final = 1_000
MAX_WEIGHT: Final = 10.0
MAX_REPAIR_H: Final = 8_760.0
_KINDS: Final = {word: kind for kind in Kind for word in (kind.value, f"{kind.value}s")}


def node_of(row: Row, problems: Problems) -> Node | None:
    """The node; None where it has no usable name or kind."""
    name = _name(row, "name", "a node has no name", problems)
    kind = _kind(row, problems)
    values: dict[str, Any] = {
        word: text_of(row, word, problems) for word in ("title", "title_ja", "party", "ally", "ally_service")
    }
    values |= {word: _patterns(row, word, problems) for word in ("hosts", "accounts", "sources", "addresses")}
    values["weight"] = _number(row, "weight", problems, span=(0.0, MAX_WEIGHT), default=1.0)
    values["operability"] = _number(row, "operability", problems, span=(0.0, FULL), default=FULL)
    values["shown_step"] = _number(row, "shown_step", problems, span=(1.0, FULL), default=10.0)
    values["is_boundary"] = _yes(row, problems)
    values["repair_h"] = _repair(row, problems)
    for text in values["addresses"]:
        if _network(text) is None:
            expected = "addresses and networks, 192.0.2.7 or 10.1.0.0/16"
            problems.error(
                "AMG-MISSION-ADDRESS", row.place_of("addresses"), "this is no address", expected=expected, got=text
            )
    if name is None or kind is None:
        return None
    return Node(name=name, kind=kind, **values)


def dependency_of(row: Row, problems: Problems) -> Dependency | None:
    """The dependency; None where one of its ends is not named."""
    feeder = _name(row, "feeder", "a dependency does not say from what", problems)
    receiver = _name(row, "receiver", "a dependency does not say to what", problems)
    strength = _number(row, "strength", problems, span=(0.0, 1.0), default=1.0)
    criticality = _number(row, "criticality", problems, span=(0.0, FULL), default=0.0)
    if feeder is None or receiver is None:
        return None
    if feeder == receiver:
        problems.error("AMG-MISSION-CYCLE", row.place, f"`{show(feeder)}` depends on itself", expected="another feeder")
        return None
    return Dependency(feeder=feeder, receiver=receiver, strength=strength, criticality=criticality)


def text_of(row: Row, word: str, problems: Problems) -> str:
    """A text on one line, "" where there is none."""
    given = row.values.get(word, "")
    if isinstance(given, str) and len(given) <= TEXT_CHARACTERS:
        return given.strip()
    expected = f"text of at most {TEXT_CHARACTERS} characters"
    problems.error(
        "AMG-MISSION-VALUE", row.place_of(word), f"`{word}` is not understood", expected=expected, got=_said(given)
    )
    return ""


def _name(row: Row, word: str, missing: str, problems: Problems) -> str | None:
    given = row.values.get(word)
    if isinstance(given, str) and given.strip() and len(given) <= NAME_CHARACTERS and show(given) == given:
        return given.strip()
    expected = f"a name of 1 to {NAME_CHARACTERS} characters that can be seen"
    problems.error("AMG-MISSION-NAME", row.place_of(word), missing, expected=expected, got=_said(given))
    return None


def _kind(row: Row, problems: Problems) -> Kind | None:
    given = row.values.get("kind")
    kind = _KINDS.get(given.strip().lower()) if isinstance(given, str) else None
    if kind is None:
        expected = "mission, service or asset"
        problems.error(
            "AMG-MISSION-VALUE", row.place_of("kind"), "the kind is not understood", expected=expected, got=_said(given)
        )
    return kind


def _number(row: Row, word: str, problems: Problems, *, span: tuple[float, float], default: float) -> float:
    given = row.values.get(word, default)
    low, high = span
    if _is_number(given) and low <= given <= high:
        return float(given)
    expected = f"a number from {low:g} to {high:g}"
    if _is_number(given) and high == 1.0 and high < given <= FULL:
        expected += f", so {given / FULL:g}"
    problems.error(
        "AMG-MISSION-RANGE", row.place_of(word), f"`{word}` is out of range", expected=expected, got=_said(given)
    )
    return default


def _repair(row: Row, problems: Problems) -> tuple[float, float] | None:
    given = row.values.get("repair_h")
    if given is None:
        return None
    ends = given if isinstance(given, list) else [given, given]
    if len(ends) == 2 and all(_is_number(end) for end in ends) and 0 <= ends[0] <= ends[1] <= MAX_REPAIR_H:
        return float(ends[0]), float(ends[1])
    expected = f"hours, or the least and the most of them, [4, 12], up to {MAX_REPAIR_H:g}"
    problems.error(
        "AMG-MISSION-RANGE", row.place_of("repair_h"), "`repair_h` is out of range", expected=expected, got=_said(given)
    )
    return None


def _yes(row: Row, problems: Problems) -> bool:
    given = row.values.get("is_boundary", False)
    if not isinstance(given, bool):
        problems.error(
            "AMG-MISSION-VALUE",
            row.place_of("is_boundary"),
            "`boundary` is not understood",
            expected="true or false",
            got=_said(given),
        )
        return False
    return given


def _patterns(row: Row, word: str, problems: Problems) -> tuple[str, ...]:
    given = row.values.get(word, ())
    items = [given] if isinstance(given, str) else given
    is_good: Callable[[Any], bool] = lambda item: isinstance(item, str) and 0 < len(item.strip()) <= TEXT_CHARACTERS  # noqa: E731
    if isinstance(items, list | tuple) and len(items) <= MAX_PATTERNS and all(is_good(item) for item in items):
        return tuple(item.strip() for item in items)
    expected = f"a list of at most {MAX_PATTERNS} texts"
    problems.error(
        "AMG-MISSION-VALUE", row.place_of(word), f"`{word}` is not understood", expected=expected, got=_said(given)
    )
    return ()


def _network(text: str) -> Any:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _said(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:400]

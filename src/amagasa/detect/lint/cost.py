"""What a rule costs: how often it is asked at all, and how dear the asking is, against the median built-in rule.

An estimate from the rule alone, in the order of what the engine does: every value of a field is searched once for the
texts of all rules together, and a rule is asked only where a text that it cannot do without was found. Weights are
rounded from a measurement (docs/adr/0013): one is some 50 ns an event with a command line never seen before.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.expressions import pieces_of
from amagasa.detect.lint.finding import Finding, Place
from amagasa.detect.sigma.rule import FIELDREFS, Atom, Node, Op, Predicate, Rule

# The cost, in the weights below, of the median built-in rule: the unit in which costs are told.
MEDIAN: Final = 2.4
COSTLY: Final = 8.0
# A text shorter than this stands in many values by chance.
MIN_TELLING: Final = 4

_BASE: Final = 1.0
_WEIGHTS: Final[dict[Predicate, float]] = {
    Predicate.EQUALS: 0.01,
    Predicate.CONTAINS: 0.02,
    Predicate.STARTSWITH: 0.02,
    Predicate.ENDSWITH: 0.02,
    Predicate.GLOB: 0.5,
    Predicate.CIDR: 0.1,
    Predicate.LT: 10.0,
    Predicate.LTE: 10.0,
    Predicate.GT: 10.0,
    Predicate.GTE: 10.0,
}
_OTHER: Final = 0.2
_REGEX_WITH_TEXT: Final = 1.0
_REGEX_WITHOUT: Final = 2.0
_REGEX_ALONE: Final = 25.0
_ALWAYS: Final = 15.0
_OFTEN: Final = 8.0
_KEYWORD: Final = 15.0
_SHORT_KEYWORD: Final = 40.0
_FIELDREF: Final = 3.0
_NUMBERS: Final = 10.0
_MANY: Final = 4.0  # of values that cost little each
# Counts above this are not searched for together with everything else (`engine.pattern_set`).
_MAX_COUNT: Final = 40
_COUNT: Final = re.compile(r"\{(?:\d*,)?(\d+)\}", re.ASCII)


class Cost(Struct, frozen=True, kw_only=True):
    """`ratio`: times the median built-in rule. `words`: why, the dearest reason first; () for an ordinary rule.

    `required`: texts of which one must be there for the rule to be asked at all, () where none need be.
    """

    ratio: float
    words: tuple[str, ...]
    required: tuple[str, ...]


def cost_of(rule: Rule) -> Cost:
    """The estimate for one rule."""
    required = _required(rule, rule.condition)
    reasons = sorted(_reasons(rule, required), reverse=True)
    total = _BASE + sum(weight for weight, _ in reasons)
    shown = tuple(_shown(rule.atoms[place]) for place in sorted(required or ()))
    return Cost(
        ratio=round(total / MEDIAN, 1),
        words=tuple(words for weight, words in reasons if words),
        required=shown[:20],
    )


def check_cost(rule: Rule, cost: Cost, place: Place) -> Iterator[Finding]:
    """Say where a rule is far dearer than others."""
    if not cost.required and not any(atom.field is None for atom in rule.atoms):
        what = "nothing that the rule names must be there: it is asked of every new event of its log source"
        yield say("only-negative", place, what, hint="add a selection of what must be there")
    if cost.ratio >= COSTLY:
        why = "; ".join(cost.words[:2])
        yield say("costly", place, f"the rule costs some {cost.ratio:.0f} times the median built-in rule: {why}")


def _reasons(rule: Rule, required: frozenset[int] | None) -> Iterator[tuple[float, str]]:
    keywords = [atom for atom in rule.atoms if atom.field is None]
    if keywords:
        short = min((len(atom.value) for atom in keywords), default=0)
        weight = _SHORT_KEYWORD if short < MIN_TELLING else _KEYWORD
        yield weight, "keywords: the whole record is searched, not a field"
    elif required is None:
        yield _ALWAYS, "asked of every new event: no text must be there"
    elif any(_is_weak(rule.atoms[place]) for place in required):
        weak = next(rule.atoms[place] for place in sorted(required) if _is_weak(rule.atoms[place]))
        yield _OFTEN, f"asked often: {_shown(weak)} is enough, which many events have"
    weighed = [_weight(atom) for atom in rule.atoms]
    yield from (one for one in weighed if one[1])
    rest = sum(weight for weight, words in weighed if not words)
    yield rest, f"{len(weighed):,} values" if rest >= _MANY else ""


def _weight(atom: Atom) -> tuple[float, str]:
    if atom.predicate in FIELDREFS:
        return _FIELDREF, f"{atom.field} is compared with {atom.value}, event by event"
    if atom.predicate is Predicate.REGEX:
        if any(int(count) > _MAX_COUNT for count in _COUNT.findall(atom.value)):
            return _REGEX_ALONE, f"a regular expression that counts beyond {_MAX_COUNT}, searched for by itself"
        if longest_text(atom.value) >= MIN_TELLING:
            return _REGEX_WITH_TEXT, ""
        return _REGEX_WITHOUT, f"a regular expression without a text in it: {quoted(atom.value, 40)}"
    weight = _WEIGHTS.get(atom.predicate, _OTHER)
    return weight, f"{atom.field} is compared as a number, event by event" if weight >= _NUMBERS else ""


def longest_text(expression: str) -> int:
    """Characters of the longest plain text in an expression, outside of groups and of what may be left out."""
    longest = length = depth = 0
    pieces = pieces_of(expression)
    if any(piece.text == "|" for piece in pieces):
        return 0
    for place, piece in enumerate(pieces):
        following = pieces[place + 1].text[:1] if place + 1 < len(pieces) else ""
        depth += (piece.text.startswith("(") and not piece.text.endswith(")")) - (piece.text == ")")
        is_counted = following in {"*", "?", "{"}
        if piece.plain is not None and depth == 0 and not is_counted:
            length += 1
        else:
            length = 0
        longest = max(longest, length)
    return longest


def _is_weak(atom: Atom) -> bool:
    """Whether an atom of this kind holds of many values."""
    if atom.predicate in {Predicate.NULL, Predicate.EXISTS, Predicate.NEQ, Predicate.LT, Predicate.LTE}:
        return True
    if atom.predicate in {Predicate.GT, Predicate.GTE} or not atom.value:
        return True
    return atom.predicate is Predicate.CONTAINS and len(atom.value.encode("utf-8", "replace")) < MIN_TELLING


def _required(rule: Rule, node: Node) -> frozenset[int] | None:
    """Atoms of which one must hold, the fewest and strongest that can be had; None where none need hold."""
    if node.op is Op.ATOM:
        return frozenset((node.atom,))
    if node.op is Op.NOT:
        return None
    inner = [_required(rule, item) for item in node.items]
    known = [one for one in inner if one is not None]
    if node.op is Op.OR:
        return frozenset().union(*known) if len(known) == len(inner) else None
    return min(known, key=lambda one: _dearness(rule, one), default=None)


def _dearness(rule: Rule, places: Sequence[int] | frozenset[int]) -> tuple[int, int]:
    return sum(_is_weak(rule.atoms[place]) for place in places), len(places)


def _shown(atom: Atom) -> str:
    what = {Predicate.NULL: "missing", Predicate.EXISTS: "there"}.get(atom.predicate, "")
    if what:
        return f"{atom.field} {what}"
    return f"{atom.field} {atom.predicate.value} {quoted(atom.value, 40)}" if atom.field else quoted(atom.value, 40)

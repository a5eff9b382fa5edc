"""A Sigma filter: conditions of a site, put to many rules from outside (specification 2.1, "Sigma Filters").

The specification and the tools read its condition differently. Where the condition only denies (`not selection`), it
says what must hold, as pySigma and most filters in use have it; where it only names (`selection`), it says what is
suppressed, as in the specification's own example. Either way the filter takes away what its selections describe. One
that mixes both could mean opposite things, and is refused.
"""

from collections.abc import Mapping
from typing import Any

from amagasa.detect.sigma.condition import condition_node
from amagasa.detect.sigma.detection import question_of
from amagasa.detect.sigma.document import identity_of, source_of, text_at
from amagasa.detect.sigma.problem import SigmaProblemError
from amagasa.detect.sigma.rule import Filter, Node, Op
from amagasa.detect.sigma.text import Placeholders
from amagasa.vocab.text import show

_NOT_SELECTIONS = frozenset({"rules"})
_ANY = "any"


def filter_of(path: str, part: Mapping[str, Any], origin: str, placeholders: Placeholders) -> Filter:
    """The mapping of a filter's document. Raises SigmaProblemError."""
    given = part["filter"]
    if not isinstance(given, Mapping):
        message = "the filter must be a mapping of rules, selections and a condition"
        raise SigmaProblemError(message)
    if not isinstance(given.get("condition"), str):
        message = "the filter must have one condition, as text"
        raise SigmaProblemError(message)
    question = question_of(given, placeholders, aside=_NOT_SELECTIONS)
    is_denial = _is_denial(given)
    identity = identity_of(part)
    return Filter(
        id=show(identity),
        title=show(text_at(part.get("title")) or identity),
        rules=_rules_of(given.get("rules")),
        logsource=source_of(part.get("logsource")),
        atoms=question.atoms,
        condition=question.condition if is_denial else Node(Op.NOT, items=(question.condition,)),
        path=path,
        origin=origin,
    )


def _rules_of(given: Any) -> tuple[str, ...]:
    """Identifiers or names; none for `any`."""
    rules = given if isinstance(given, list) else [given]
    if not rules or not all(isinstance(one, str) and one for one in rules):
        message = "the filter must say for which rules it is: `any`, or a list of identifiers or names"
        raise SigmaProblemError(message)
    return () if len(rules) == 1 and rules[0].lower() == _ANY else tuple(show(one) for one in rules)


def _is_denial(given: Mapping[str, Any]) -> bool:
    """Whether the condition says what must hold. Raises SigmaProblemError where it could mean either."""
    selections = {key: value for key, value in given.items() if key not in _NOT_SELECTIONS | {"condition"}}
    shape = condition_node(given["condition"], selections, lambda _: Node(Op.ATOM))
    named, denied = _polarities(shape, is_named=True)
    if named and denied and shape.op is not Op.NOT:
        message = "the condition of a filter both names and denies, and could mean either: write `not (...)` around it"
        raise SigmaProblemError(message)
    return denied


def _polarities(node: Node, *, is_named: bool) -> tuple[bool, bool]:
    """Whether some selection is named in it, and whether some is denied."""
    if node.op is Op.ATOM:
        return is_named, not is_named
    found = [_polarities(item, is_named=is_named != (node.op is Op.NOT)) for item in node.items]
    return any(named for named, _ in found), any(denied for _, denied in found)

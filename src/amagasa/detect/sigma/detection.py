"""The part of a document that says what to look for: selections and a condition -> nodes over atoms.

A mapping is AND of its fields, a list of mappings OR of them, a list of plain values keywords joined by OR
(specification 2.1, "Detection").
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from amagasa.detect.sigma.condition import MAX_DEPTH, condition_node, joined
from amagasa.detect.sigma.problem import CANNOT_RUN, SigmaProblemError
from amagasa.detect.sigma.rule import Atom, Node, Op
from amagasa.detect.sigma.text import Placeholders
from amagasa.detect.sigma.values import AnyOf, Item, Value, atom_of, item_of
from amagasa.vocab.text import show

# What a rule may grow to when its modifiers are written out; far above every public rule (8,000).
MAX_ATOMS: Final = 50_000
# And its condition, in which the same atom can stand many times.
MAX_ASKED: Final = 200_000
# Keys beside the selections; `timeframe` is what Sigma 1 counted within.
_OTHER_KEYS: Final = frozenset({"condition", "timeframe"})


class Question(Struct, frozen=True):
    """A condition and its atoms, each once, in the order in which it names them."""

    atoms: tuple[Atom, ...]
    condition: Node


def question_of(detection: Any, placeholders: Placeholders, *, aside: frozenset[str] = frozenset()) -> Question:
    """The `detection` of a rule, or the `filter` of a filter with its key `rules` put `aside`.

    Several conditions are joined by OR. A selection that no condition names is read all the same: what is wrong in it
    is wrong with the rule. Raises SigmaProblemError.
    """
    if not isinstance(detection, Mapping):
        message = "the detection must be a mapping of selections and a condition"
        raise SigmaProblemError(message)
    selections = {_name(key): given for key, given in detection.items() if key not in _OTHER_KEYS | aside}
    if not selections:
        message = "there is no selection in the detection"
        raise SigmaProblemError(message)
    builder = _Builder(selections, placeholders)
    nodes = [
        condition_node(condition, selections, builder.selection)
        for condition in _conditions(detection.get("condition"))
    ]
    builder.check_rest()
    return Question(tuple(builder.atoms), joined(Op.OR, nodes))


def _conditions(given: Any) -> list[str]:
    conditions = given if isinstance(given, list) else [given]
    if given is None or not conditions:
        message = "there is no condition in the detection"
        raise SigmaProblemError(message)
    if not all(isinstance(one, str) for one in conditions):
        message = "a condition must be text"
        raise SigmaProblemError(message)
    return conditions


class _Builder:
    """Turns selections into nodes over atoms, each atom once, each selection when it is first named."""

    def __init__(self, selections: Mapping[str, Any], placeholders: Placeholders) -> None:
        self.atoms: dict[Atom, int] = {}
        self._selections = selections
        self._placeholders = placeholders
        # The node of a selection and how many values it asks for.
        self._made: dict[str, tuple[Node, int]] = {}
        self._n_asked = 0

    def selection(self, name: str) -> Node:
        """The node of a selection; the same one each time it is named."""
        made = self._made.get(name)
        if made is not None:
            self._count(made[1])
            return made[0]
        before = self._n_asked
        try:
            node = self._definition(self._selections[name], 0)
        except SigmaProblemError as problem:
            raise problem.within(f"in {show(name)}") from None
        self._made[name] = (node, self._n_asked - before)
        return node

    def check_rest(self) -> None:
        """Read the selections that nobody named; their atoms are asked of no event."""
        asked = dict(self.atoms)
        for name in self._selections:
            if name not in self._made:
                self.selection(name)
        self.atoms = asked

    def _definition(self, given: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"it is nested deeper than {MAX_DEPTH}"
            raise SigmaProblemError(message, code=CANNOT_RUN)
        if isinstance(given, Mapping):
            parts = [self._item(key, values) for key, values in given.items()]
            return joined(Op.AND, self._some(parts))
        if isinstance(given, list) and any(isinstance(one, Mapping | list) for one in given):
            return joined(Op.OR, [self._definition(one, depth + 1) for one in given])
        if given in ([], None):
            message = "it is empty"
            raise SigmaProblemError(message)
        return self._item("", given)

    def _some(self, nodes: list[Node]) -> list[Node]:
        if not nodes:
            message = "it is empty"
            raise SigmaProblemError(message)
        return nodes

    def _item(self, key: Any, given: Any) -> Node:
        if not isinstance(key, str):
            message = f"the name of a field must be text, not {show(str(key))}"
            raise SigmaProblemError(message)
        try:
            item = item_of(key, given, self._placeholders)
            return self._joined(item)
        except SigmaProblemError as problem:
            raise problem.within(show(key)) if key else problem from None

    def _joined(self, item: Item) -> Node:
        values: tuple[Value, ...] = item.values
        if not values:  # an empty list says that there is nothing
            values = (None,)
        node = joined(Op.AND if item.is_all else Op.OR, [self._value(item.field, value) for value in values])
        return Node(Op.NOT, items=(node,)) if item.is_negated else node

    def _value(self, field: str | None, value: Value) -> Node:
        self._count(1)
        if isinstance(value, AnyOf):
            return Node(Op.OR, items=tuple(self._value(field, one) for one in value.values))
        atom = atom_of(field, value)
        return Node(Op.ATOM, atom=self.atoms.setdefault(atom, len(self.atoms)))

    def _count(self, n_asked: int) -> None:
        """Raises SigmaProblemError where the rule grows beyond its limits."""
        self._n_asked += n_asked
        if self._n_asked > MAX_ASKED or len(self.atoms) > MAX_ATOMS:
            message = f"the rule asks more than {MAX_ATOMS:,} questions"
            raise SigmaProblemError(message, code=CANNOT_RUN)


def _name(key: Any) -> str:
    if isinstance(key, str):
        return key
    message = f"the name of a selection must be text, not {show(str(key))}"
    raise SigmaProblemError(message)

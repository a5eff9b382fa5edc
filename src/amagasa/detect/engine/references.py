"""Field references: an atom which compares a field of the event with another (`|fieldref`)."""

from collections.abc import Callable

from amagasa.detect.engine.matcher import leaves
from amagasa.detect.folding import fold
from amagasa.detect.sigma.rule import Atom, Predicate
from amagasa.event.record import MISSING, Value


def reference_holds(atom: Atom, get: Callable[[str], Value]) -> bool:
    """Whether the field and the one it names compare as asked, letter case apart. Null and missing equal nothing."""
    if atom.field is None:
        return False
    left, right = get(atom.field), get(atom.value)
    if left is None or left is MISSING or right is None or right is MISSING:
        return False
    return any(_compare(atom.predicate, fold(one), fold(other)) for one in leaves(left) for other in leaves(right))


def _compare(predicate: Predicate, left: str, right: str) -> bool:
    if predicate is Predicate.FIELDREF_CONTAINS:
        return right in left
    if predicate is Predicate.FIELDREF_STARTSWITH:
        return left.startswith(right)
    if predicate is Predicate.FIELDREF_ENDSWITH:
        return left.endswith(right)
    return left == right

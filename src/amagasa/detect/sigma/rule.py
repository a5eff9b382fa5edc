"""A rule as plain data: what Sigma says, with every modifier already applied. No pySigma, no compiled matcher."""

from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct

from amagasa.detect.correlation.definition import Correlation
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level

# Raised whenever the same document would compile to something else: compiled rules are cached under it.
VERSION: Final = 4


class Predicate(StrEnum):
    """What an atom asks of a value. Text predicates compare folded text (`detect.folding`) unless the atom is cased.

    GLOB: `value` is a regular expression that the whole value must match, made of `.*`, `.` and escaped text.
    REGEX: `value` is searched for anywhere, with its flags in front (`(?im)`), on the value as it stands.
    CIDR: a network. LT to GTE: a number. EXISTS: "true" or "false". NULL: missing, or JSON null.
    FIELDREF: `value` names the other field; FIELDREF_* compare a part. A keyword (no field) is CONTAINS, GLOB or REGEX.
    """

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    ENDSWITH = "endswith"
    GLOB = "glob"
    REGEX = "regex"
    CIDR = "cidr"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    NEQ = "neq"
    NULL = "null"
    EXISTS = "exists"
    FIELDREF = "fieldref"
    FIELDREF_CONTAINS = "fieldref-contains"
    FIELDREF_STARTSWITH = "fieldref-startswith"
    FIELDREF_ENDSWITH = "fieldref-endswith"


FIELDREFS = frozenset(
    {
        Predicate.FIELDREF,
        Predicate.FIELDREF_CONTAINS,
        Predicate.FIELDREF_STARTSWITH,
        Predicate.FIELDREF_ENDSWITH,
    }
)


class Atom(Struct, frozen=True, array_like=True, gc=False):
    """One question about one field; `field` is None for a keyword, which is looked for in the whole record."""

    field: str | None
    predicate: Predicate
    value: str
    is_cased: bool = False


class Op(IntEnum):
    """How a node joins its items."""

    ATOM = 0
    AND = 1
    OR = 2
    NOT = 3


class Node(Struct, frozen=True, array_like=True, gc=False):
    """A condition: an atom by its place in the rule's `atoms`, or AND, OR (one item or more), NOT (one item)."""

    op: Op
    atom: int = -1
    items: tuple["Node", ...] = ()


class Rule(Struct, frozen=True, kw_only=True, gc=False):
    """A Sigma rule ready to run. `id` is the rule's own, or one made from its text. `origin` as in `Detection`.

    `references` are what a correlation may call it by: its id as written and its name. A rule with a `correlation`
    matches no record itself: its condition holds for none, and no plan need know it.
    """

    id: str
    title: str
    level: Level
    techniques: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    logsource: LogSource
    atoms: tuple[Atom, ...]
    condition: Node
    path: str = ""
    origin: str = ""
    references: tuple[str, ...] = ()
    correlation: Correlation | None = None

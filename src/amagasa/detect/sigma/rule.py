"""Rules and filters as plain data: what Sigma says, with every modifier already applied. No parser, no matcher."""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.correlation.definition import Correlation
from amagasa.detect.report import RuleFault
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level

# Raised whenever the same document would compile to something else: compiled rules are cached under it.
VERSION: Final = 7


class Predicate(StrEnum):
    """What an atom asks of a value. Text predicates compare folded text (`detect.folding`) unless the atom is cased.

    GLOB: `value` is a regular expression that the whole value must match, made of `.*`, `.` and escaped text.
    REGEX: `value` is searched for anywhere, with its flags in front (`(?im)`), on the value as it stands.
    CIDR: a network. LT to GTE: a number. EXISTS: "true" or "false". NULL: missing, or JSON null.
    MINUTE to YEAR: a whole number, which that part of the value, read as an instant, must be (in UTC).
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
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
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


class Status(StrEnum):
    """How far a rule is trusted (specification 2.1, `status`)."""

    STABLE = "stable"
    TEST = "test"
    EXPERIMENTAL = "experimental"
    DEPRECATED = "deprecated"
    UNSUPPORTED = "unsupported"


class Relation(StrEnum):
    """What a rule is to another that it names (specification 2.1, `related`)."""

    DERIVED = "derived"
    OBSOLETE = "obsolete"
    MERGED = "merged"
    RENAMED = "renamed"
    SIMILAR = "similar"


class Related(Struct, frozen=True, array_like=True, gc=False):
    """The other rule and what this one is to it: with `obsolete`, this one takes its place."""

    id: str
    relation: Relation


class Rule(Struct, frozen=True, kw_only=True, gc=False):
    """A Sigma rule ready to run. `id` is the rule's own, or one made from its text. `origin` as in `Detection`.

    `references` are what filters and correlations may call it by: its id as written and its name. `status` is None
    where it states none that Sigma has. A rule with a `correlation` matches no record itself: its condition holds for
    none, and no plan need know it.
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
    status: Status | None = None
    tags: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()


class Filter(Struct, frozen=True, kw_only=True, gc=False):
    """A Sigma filter (specification 2.1, "Sigma Filters"): what must hold beside the conditions of other rules.

    `rules` are the identifiers or names of these; where there are none, every rule is meant whose log source gives all
    that `logsource` gives. Never those of another `origin`.
    """

    id: str
    title: str
    rules: tuple[str, ...] = ()
    logsource: LogSource
    atoms: tuple[Atom, ...]
    condition: Node
    path: str = ""
    origin: str = ""


class Compiled(Struct, frozen=True, kw_only=True):
    """What became of documents, each by itself: nothing in it knows of the others yet (`link` sees to that)."""

    rules: tuple[Rule, ...] = ()
    filters: tuple[Filter, ...] = ()
    faults: tuple[RuleFault, ...] = ()

    def at(self, path: str, origin: str) -> "Compiled":
        """The same, come from elsewhere."""
        return Compiled(
            rules=tuple(replace(rule, path=path, origin=origin) for rule in self.rules),
            filters=tuple(replace(found, path=path, origin=origin) for found in self.filters),
            faults=tuple(replace(fault, path=path) for fault in self.faults),
        )


def together(each: Sequence[Compiled]) -> Compiled:
    """What became of several documents, as of one."""
    return Compiled(
        rules=tuple(rule for one in each for rule in one.rules),
        filters=tuple(found for one in each for found in one.filters),
        faults=tuple(fault for one in each for fault in one.faults),
    )

"""Sigma documents -> rules and filters as plain data, with every modifier applied.

What cannot be read, or cannot run (a placeholder without values, a regular expression that no engine of linear time
takes), becomes a `RuleFault` with its reason; the others load.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from amagasa.detect.correlation.compile import compile_correlation, references_of
from amagasa.detect.folding import fold
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.detection import Question, question_of
from amagasa.detect.sigma.document import identity_of, list_at, mappings_of, source_of, text_at
from amagasa.detect.sigma.filter import filter_of
from amagasa.detect.sigma.link import link
from amagasa.detect.sigma.problem import SigmaProblemError
from amagasa.detect.sigma.rule import (
    Atom,
    Compiled,
    Filter,
    Node,
    Op,
    Predicate,
    Related,
    Relation,
    Rule,
    Status,
    together,
)
from amagasa.detect.sigma.text import Placeholders
from amagasa.event.record import LogSource
from amagasa.vocab.attack import tactics_of, techniques_of
from amagasa.vocab.severity import level_of
from amagasa.vocab.text import show

_FOREIGN_EVENT_TYPES: Final = {"registry_add": ("DeleteKey", "DeleteValue"), "registry_delete": ("CreateKey",)}


# What one mapping of a document becomes.
_Part: TypeAlias = Rule | Filter | RuleFault


def compile_document(path: str, text: str, *, origin: str = "", placeholders: Placeholders) -> Compiled:
    """A YAML text, which may hold several rules and filters -> what became of each. Never raises."""
    rules: list[Rule] = []
    filters: list[Filter] = []
    faults: list[RuleFault] = []
    for found in mappings_of(text):
        if isinstance(found, SigmaProblemError):
            faults.append(_fault("", path, found))
            continue
        match _compile_part(path, found, origin, placeholders):
            case Rule() as rule:
                rules.append(rule)
            case Filter() as one:
                filters.append(one)
            case fault:
                faults.append(fault)
    return Compiled(rules=tuple(rules), filters=tuple(filters), faults=tuple(faults))


def compile_all(
    documents: Iterable[tuple[str, str]], *, origin: str = "", placeholders: Placeholders | None = None
) -> Compiled:
    """(path, YAML) pairs -> what became of all of them."""
    return together(
        [compile_document(path, text, origin=origin, placeholders=placeholders or {}) for path, text in documents]
    )


def compile_rules(
    documents: Iterable[tuple[str, str]], *, origin: str = "", placeholders: Placeholders | None = None
) -> tuple[tuple[Rule, ...], tuple[RuleFault, ...]]:
    """(path, YAML) pairs -> the rules that run, filters applied, and the faults. Never raises."""
    linked = link(compile_all(documents, origin=origin, placeholders=placeholders))
    return linked.rules, linked.faults


def _compile_part(path: str, part: Mapping[str, Any], origin: str, placeholders: Placeholders) -> _Part:
    """One mapping; each kind of document has its own function."""
    try:
        if "correlation" in part:
            return _correlation_of(path, part, origin)
        if "filter" in part:
            return filter_of(path, part, origin, placeholders)
        return _rule_of(path, part, origin, placeholders)
    except SigmaProblemError as problem:
        return _fault(str(part.get("id") or ""), path, problem)
    except RecursionError:
        return _fault(str(part.get("id") or ""), path, SigmaProblemError("it is nested too deep"))


def _rule_of(path: str, part: Mapping[str, Any], origin: str, placeholders: Placeholders) -> Rule:
    if "detection" not in part:
        message = "not a Sigma rule: there is no detection in it"
        raise SigmaProblemError(message)
    question = question_of(part["detection"], placeholders)
    source = source_of(part.get("logsource"))
    question = _narrowed(question, source)
    tags = tuple(str(tag) for tag in list_at(part.get("tags")))
    identity = identity_of(part)
    return Rule(
        id=show(identity),
        title=show(text_at(part.get("title")) or identity),
        level=level_of(text_at(part.get("level"))),
        techniques=techniques_of(tags),
        tactics=tactics_of(tags),
        logsource=source,
        atoms=question.atoms,
        condition=question.condition,
        path=path,
        origin=origin,
        references=references_of(part, identity),
        status=_status_of(part.get("status")),
        tags=tuple(show(tag) for tag in tags),
        related=_related_of(part.get("related")),
    )


def _correlation_of(path: str, part: Mapping[str, Any], origin: str) -> Rule | RuleFault:
    """With what every rule has and correlations do not read themselves."""
    compiled = compile_correlation(path, part, origin=origin)
    if isinstance(compiled, RuleFault):
        return compiled
    return replace(compiled, status=_status_of(part.get("status")), related=_related_of(part.get("related")))


def _narrowed(question: Question, source: LogSource) -> Question:
    """Sysmon 12 tells creation from deletion by EventType alone: add what the category says."""
    foreign = _FOREIGN_EVENT_TYPES.get(source.category or "", ())
    if not foreign:
        return question
    atoms = {atom: place for place, atom in enumerate(question.atoms)}
    other = tuple(
        Node(Op.ATOM, atom=atoms.setdefault(Atom("EventType", Predicate.EQUALS, fold(kind)), len(atoms)))
        for kind in foreign
    )
    unless = Node(Op.NOT, items=(Node(Op.OR, items=other),))
    return Question(tuple(atoms), Node(Op.AND, items=(question.condition, unless)))


def _status_of(given: Any) -> Status | None:
    wanted = text_at(given).strip().lower()
    return next((status for status in Status if status.value == wanted), None)


def _related_of(given: Any) -> tuple[Related, ...]:
    """Those that can be read; a relation that nobody knows changes nothing. Sigma 1 wrote `obsoletes`."""
    relations = {relation.value: relation for relation in Relation} | {"obsoletes": Relation.OBSOLETE}
    return tuple(
        Related(show(str(one["id"])), relations[str(one["type"])])
        for one in list_at(given)
        if isinstance(one, Mapping) and one.get("id") and str(one.get("type")) in relations
    )


def _fault(rule_id: str, path: str, problem: SigmaProblemError) -> RuleFault:
    return RuleFault(rule_id=show(rule_id), path=path, why=str(problem), code=problem.code)

"""A rule file -> what the text says, what the compiler makes of it, and what the compiled rule tells, put together.

Run in the compiler's child process: rule text is hostile.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.lint.codes import say
from amagasa.detect.lint.cost import Cost, check_cost, cost_of
from amagasa.detect.lint.document import Linted, lint
from amagasa.detect.lint.fields import Sources, lacking
from amagasa.detect.lint.finding import Finding, Grade, with_source
from amagasa.detect.lint.truth import check_truth
from amagasa.detect.report import RuleFault
from amagasa.detect.sigma.compile import compile_document
from amagasa.detect.sigma.rule import Rule
from amagasa.detect.sigma.text import Placeholders
from amagasa.event.feeds import feeds_of, names_of
from amagasa.vocab.text import show

# What may well be the reason where the compiler refuses a rule.
_MAY_STOP: Final = frozenset({"duplicate-key", "yaml-type", "modifier-twice", "empty-value", "timeframe"})


class Lack(Struct, frozen=True):
    """A feed and the fields of the rule that it never has."""

    feed: str
    fields: tuple[str, ...]


class Review(Struct, frozen=True, kw_only=True):
    """One document with all that is known of it. `rule` and `cost` are None where it cannot run, or is no rule."""

    document: Linted
    rule: Rule | None = None
    cost: Cost | None = None
    feeds: str = ""
    lacks: tuple[Lack, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found."""
        return self.document.findings


class RuleFile(Struct, frozen=True, kw_only=True):
    """A file of rules with the reviews of its documents. `text` is as it was reviewed, `has_mark` that a BOM led it."""

    path: str
    text: str
    has_mark: bool = False
    reviews: tuple[Review, ...] = ()


def review(text: str, placeholders: Placeholders | None = None) -> tuple[Review, ...]:
    """Every document of a file. Never raises for what the text holds."""
    documents = lint(text, placeholders)
    compiled = compile_document("", text, placeholders=placeholders or {})
    lines = text.split("\n")
    left_rules, left_faults = list(compiled.rules), list(compiled.faults)
    found = []
    for document in documents:
        rule = _rule_of(document, left_rules, is_only=len(documents) == 1)
        fault = None if rule is not None else _fault_of(document, left_faults, is_only=len(documents) == 1)
        found.append(_review(document, rule, fault, lines))
    return tuple(found)


def _rule_of(document: Linted, left: list[Rule], *, is_only: bool) -> Rule | None:
    """The document's rule, taken from those that are left: by its id, or by its title where it has none."""
    for rule in left:
        is_own = rule.id == document.rule_id if document.rule_id else rule.title == show(document.title)
        if is_only or is_own:
            left.remove(rule)
            return rule
    return None


def _fault_of(document: Linted, left: list[RuleFault], *, is_only: bool) -> RuleFault | None:
    for fault in left:
        if is_only or fault.rule_id == show(document.rule_id):
            left.remove(fault)
            return fault
    return None


def _review(document: Linted, rule: Rule | None, fault: RuleFault | None, lines: list[str]) -> Review:
    findings = list(document.findings)
    if fault is not None:
        findings = _explained(document, findings, fault, lines)
    elif rule is not None:
        # What the compiler takes can run, whatever the specification says of it.
        findings = [replace(one, grade=Grade.WARNING) if one.grade is Grade.ERROR else one for one in findings]
    if rule is None or rule.correlation is not None:  # which asks nothing of records itself
        return Review(document=replace(document, findings=tuple(findings)))
    sources = Sources(rule.logsource, feeds_of(rule.logsource))
    cost = cost_of(rule)
    said = {one.code for one in findings}
    more = [*check_truth(rule, sources, document.condition_place), *check_cost(rule, cost, document.condition_place)]
    findings.extend(with_source([one for one in more if one.code not in said], lines))
    return Review(
        document=replace(document, findings=tuple(findings)),
        rule=rule,
        cost=cost,
        feeds=names_of(sources.feeds),
        lacks=tuple(Lack(feed, tuple(fields)) for feed, fields in lacking(sources, document.fields)),
    )


def _explained(document: Linted, findings: list[Finding], fault: RuleFault, lines: list[str]) -> list[Finding]:
    """The fault as a finding, unless another says why the rule cannot run."""
    if any(one.grade is Grade.ERROR for one in findings):
        return findings
    if any(one.code in _MAY_STOP for one in findings):
        return [replace(one, grade=Grade.ERROR) if one.code in _MAY_STOP else one for one in findings]
    finding = say("cannot-run", document.place, f"the rule cannot run: {fault.why}")
    return [*findings, *with_source([finding], lines)]

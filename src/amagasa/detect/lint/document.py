"""A rule file -> its documents with everything that can be told of them from the text alone."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from amagasa.detect.lint.codes import LINTS, quoted, say
from amagasa.detect.lint.collection import taken_apart
from amagasa.detect.lint.condition import check_condition
from amagasa.detect.lint.correlation import check_correlation
from amagasa.detect.lint.expressions import check_regex
from amagasa.detect.lint.fields import Sources, check_fields, check_source, meant, sources_of
from amagasa.detect.lint.finding import START, Finding, Grade, Place, with_source
from amagasa.detect.lint.head import check_head, is_rule
from amagasa.detect.lint.item import Item, items_of
from amagasa.detect.lint.modifiers import check_modifiers
from amagasa.detect.lint.slots import check_slots
from amagasa.detect.lint.tree import Items, Map, Node, Scalar, TreeError, scalars, trees_of
from amagasa.detect.lint.values import check_values
from amagasa.detect.lint.words import did_you_mean
from amagasa.detect.sigma.text import Placeholders
from amagasa.vocab.text import show

MAX_FINDINGS: Final = 300  # of one document: a hostile one could have as many as it has characters
_BESIDE: Final = frozenset({"condition", "timeframe"})
_ALLOW: Final = re.compile(r"#\s*amagasa:\s*allow\s+([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)", re.IGNORECASE)


class Reference(Struct, frozen=True, kw_only=True):
    """Another rule that a document names, by id or name; `role` is where: correlation, filter or related."""

    role: str
    name: str
    place: Place


class Linted(Struct, frozen=True, kw_only=True):
    """One document of a file. `kind` is rule, correlation, filter or "" where it is none of them."""

    kind: str
    rule_id: str
    name: str
    title: str
    place: Place
    condition_place: Place = START
    fields: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    regression_path: str = ""
    has_tests: bool = False
    findings: tuple[Finding, ...] = ()


def lint(text: str, placeholders: Placeholders | None = None) -> tuple[Linted, ...]:
    """Every document of the text. Never raises: what cannot be read is a finding. `text` is without its BOM."""
    lines = text.split("\n")
    try:
        trees = trees_of(text)
    except TreeError as error:
        if error.is_too_large:
            finding = say("too-large", error.place, error.what)
        else:
            finding = say("not-yaml", error.place, f"not YAML: {show(error.what)}", hint=error.hint)
        return (_alone([*_layout(text, lines), finding], lines),)
    documents = [tree for tree in trees if not (isinstance(tree, Scalar) and tree.value is None)]
    if not documents:
        return (_alone([say("empty", START, "there is no document in the file")], lines),)
    before = _layout(text, lines)
    found = []
    for tree, whole in taken_apart(documents):
        found.append(_document(tree, whole, lines, before=before, placeholders=placeholders or {}))
        before = []
    return tuple(found)


def _alone(findings: list[Finding], lines: Sequence[str]) -> Linted:
    placed = tuple(with_source(findings, lines))
    return Linted(kind="", rule_id="", name="", title="", place=START, findings=placed)


def _document(
    tree: Node, whole: Node, lines: Sequence[str], *, before: list[Finding], placeholders: Placeholders
) -> Linted:
    if not isinstance(tree, Map) or not isinstance(whole, Map):
        what = "the document is no mapping"
        expected = "a Sigma rule: title, logsource, detection"
        return _alone([*before, say("not-a-rule", tree.place, what, expected=expected)], lines)
    facts = _facts(whole, tree.place)
    findings = [*before, *_duplicate_keys(tree), *_check(whole, tree, placeholders)]
    kept = _allowed(findings, lines, tree.place.line)[:MAX_FINDINGS]
    return Linted(
        **facts,  # type: ignore[arg-type]
        findings=tuple(with_source(kept, lines)),
    )


def _facts(rule: Map, place: Place) -> dict[str, object]:
    def text(name: str) -> str:
        value = rule.get(name)
        return value.text if isinstance(value, Scalar) else ""

    kind = next((one for one in ("correlation", "filter") if rule.get(one) is not None), "")
    detection = rule.get("detection")
    condition = detection.get("condition") if isinstance(detection, Map) else None
    title = rule.entry("title")
    items = _items(detection)[0] if isinstance(detection, Map) else []
    return {
        "kind": kind or ("rule" if rule.get("detection") is not None else ""),
        "rule_id": text("id"),
        "name": text("name"),
        "title": text("title"),
        "place": title.value.place if title is not None else place,
        "condition_place": condition.place if condition is not None else place,
        "fields": tuple(dict.fromkeys(item.field for item in items if item.field)),
        "references": tuple(_references(rule)),
        "regression_path": text("regression_tests_path"),
        "has_tests": rule.get("tests") is not None,
    }


def _check(rule: Map, tree: Map, placeholders: Placeholders) -> Iterator[Finding]:
    if not is_rule(rule):
        near = next((hint for entry in tree.entries if (hint := did_you_mean(entry.key.text, ("detection",)))), "")
        expected = "title, logsource and detection; or a correlation or filter"
        yield say("not-a-rule", tree.place, "the document has no detection", expected=expected, hint=near)
        return
    yield from check_head(rule)
    if rule.get("correlation") is not None:
        yield from check_correlation(rule)
        return
    sources = sources_of(rule)
    if sources is not None:
        yield from check_source(rule, sources)
        sources = meant(sources)[0]
    entry = rule.entry("detection") or rule.entry("filter")
    if entry is None:
        yield say("missing-key", rule.place, "the rule has no detection", expected="detection: with a condition")
    elif not isinstance(entry.value, Map):
        yield say("wrong-type", entry.key.place, f"{entry.key.text} is no mapping", expected="selections, condition")
    else:
        yield from _detection(entry.value, sources, placeholders, is_filter=entry.key.text == "filter")


def _items(detection: Map) -> tuple[list[Item], list[Finding]]:
    items: list[Item] = []
    findings: list[Finding] = []
    for entry in detection.entries:
        if entry.key.text not in _BESIDE:
            found, odd = items_of(entry.key.text, entry.value)
            items.extend(found)
            findings.extend(odd)
    return items, findings


def _detection(
    detection: Map, sources: Sources | None, placeholders: Placeholders, *, is_filter: bool
) -> Iterator[Finding]:
    beside = _BESIDE | ({"rules"} if is_filter else set())
    selections = Map(tuple(one for one in detection.entries if one.key.text not in beside), detection.place)
    items, odd = _items(selections)
    yield from odd
    for item in items:
        yield from check_modifiers(item, is_list_possible=sources is None or not sources.is_closed)
        yield from check_slots(item, placeholders)
        yield from check_values(item)
        yield from check_fields(item, sources)
        yield from check_regex(item)
    yield from _conditions(detection, selections)
    timeframe = detection.entry("timeframe")
    if timeframe is not None:
        hint = "write a correlation rule with a timespan"
        yield say("timeframe", timeframe.key.place, "'timeframe' does nothing beside this condition", hint=hint)


def _conditions(detection: Map, selections: Map) -> Iterator[Finding]:
    names = list(dict.fromkeys(entry.key.text for entry in selections.entries))
    conditions = list(scalars(detection.get("condition")))
    if not conditions:
        expected = f"condition: {names[0] if names else 'selection'}"
        yield say("missing-key", detection.place, "the detection has no condition", expected=expected)
        return
    used: set[str] = set()
    for condition in conditions:
        yield from check_condition(condition, names, used)
    for entry in selections.entries:
        if entry.key.text not in used and not entry.key.text.startswith("_"):
            what = f"no condition uses the selection {quoted(entry.key.text)}"
            yield say("unused-selection", entry.key.place, what)


def _duplicate_keys(node: Node) -> Iterator[Finding]:
    if isinstance(node, Items):
        for item in node.items:
            yield from _duplicate_keys(item)
    if not isinstance(node, Map):
        return
    last = {entry.key.text: entry.key.place for entry in node.entries}
    for entry in node.entries:
        if last[entry.key.text] != entry.key.place:
            what = f"{quoted(entry.key.text)} stands there again in line {last[entry.key.text].line}: this one is lost"
            yield say("duplicate-key", entry.key.place, what, hint="write the values of both in one list")
        yield from _duplicate_keys(entry.value)


def _references(rule: Map) -> Iterator[Reference]:
    for role in ("correlation", "filter"):
        inner = rule.get(role)
        if isinstance(inner, Map):
            for one in scalars(inner.get("rules")):
                if not (role == "filter" and one.text == "any"):
                    yield Reference(role=role, name=one.text, place=one.place)
    related = rule.get("related")
    for item in related.items if isinstance(related, Items) else ():
        value = item.get("id") if isinstance(item, Map) else None
        if isinstance(value, Scalar):
            yield Reference(role="related", name=value.text, place=value.place)


def _layout(text: str, lines: Sequence[str]) -> list[Finding]:
    """Line ends and tabs: said once a file."""
    found = []
    n_crlf = text.count("\r\n")
    is_mixed = 0 < n_crlf < text.count("\n")
    if is_mixed or text.count("\r") > n_crlf:
        number = next((at for at, line in enumerate(lines, 1) if line.endswith("\r")), 1)
        found.append(
            say("line-ends", Place(number, len(lines[number - 1]), 1), "lines end in CR LF here, elsewhere in LF")
        )
    for number, line in enumerate(lines, 1):
        body = line.split("#", 1)[0].rstrip()
        if "\t" in body and '"' not in body and "'" not in body:
            found.append(say("tab", Place(number, line.index("\t") + 1), "a tab stands here", expected="blanks"))
            break
    return found


def _allowed(findings: list[Finding], lines: Sequence[str], first: int) -> list[Finding]:
    """Without the warnings and notes that comments allow: on their own line, or from a line of their own everywhere."""
    everywhere: set[str] = set()
    by_line: dict[int, set[str]] = {}
    unknown = []
    for number, line in enumerate(lines, 1):
        if number < first - 20 or "amagasa:" not in line or not (found := _ALLOW.search(line)):
            continue
        codes = {code.strip().lower() for code in found[1].split(",")}
        for code in sorted(codes - LINTS.keys()):
            place = Place(number, line.lower().index(code) + 1, len(code))
            unknown.append(say("unknown-allow", place, f"there is no finding {code}", hint=did_you_mean(code, LINTS)))
        target = everywhere if not line[: found.start()].strip() else by_line.setdefault(number, set())
        target |= codes
    return [
        *unknown,
        *(
            one
            for one in findings
            if one.grade is Grade.ERROR or one.code not in everywhere | by_line.get(one.place.line, set())
        ),
    ]

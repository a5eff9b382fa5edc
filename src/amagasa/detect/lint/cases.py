"""Test cases of a rule: small records and whether the rule must match them.

A file `name.test.yml` beside `name.yml`, or a list `tests` in the rule itself:

    rule: web/name.yml            # only where the file is not named after its rule: the end of its path, or its id
    cases:
      - name: what it shows
        format: windows           # access, syslog, json; told by content where it is left out
        record: {EventID: 1, ...} # or the line as text; several lines for several records
        matches: true             # false; or how many of the records
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import START, Finding, Place
from amagasa.detect.lint.tree import Items, Map, Node, Scalar, TreeError, trees_of
from amagasa.detect.lint.words import did_you_mean
from amagasa.event.record import Format
from amagasa.vocab.text import show

MAX_CASES: Final = 1_000
_HAS_CASES: Final = re.compile(r"^cases:", re.MULTILINE)
_KEYS: Final = ("name", "format", "record", "matches")


class Case(Struct, frozen=True, kw_only=True):
    """One case: `record` in bytes, `format` None where content tells, `n_matches` None for "at least one".

    `place` is where to point at when it fails.
    """

    name: str
    format: Format | None
    record: bytes
    n_matches: int | None
    place: Place


class CaseFile(Struct, frozen=True, kw_only=True):
    """The cases of a file, which rule they are of ("" where the file's name says), and what could not be read."""

    rule: str
    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]


def is_case_file(path: str, text: str) -> bool:
    """Whether a file is one of test cases, by its name or its keys."""
    return path.lower().endswith((".test.yml", ".test.yaml")) or bool(_HAS_CASES.search(text))


def case_file(text: str) -> CaseFile | None:
    """The file's cases; None where it is no file of cases."""
    try:
        trees = trees_of(text)
    except TreeError as error:
        broken = say("case-broken", error.place, f"not YAML: {show(error.what)}", hint=error.hint)
        return CaseFile(rule="", cases=(), findings=(broken,))
    if not trees or not isinstance(trees[0], Map) or (listed := trees[0].entry("cases")) is None:
        return None
    rule = trees[0].get("rule")
    cases, findings = cases_of(listed.value)
    return CaseFile(rule=rule.text if isinstance(rule, Scalar) else "", cases=cases, findings=findings)


def cases_within(text: str, number: int) -> CaseFile | None:
    """The `tests` of the file's rule of that number; None where it has none."""
    try:
        trees = [tree for tree in trees_of(text) if isinstance(tree, Map) and tree.get("action") is None]
    except TreeError:
        return None
    tests = trees[number].get("tests") if number < len(trees) else None
    if tests is None:
        return None
    cases, findings = cases_of(tests)
    return CaseFile(rule="", cases=cases, findings=findings)


def cases_of(node: Node) -> tuple[tuple[Case, ...], tuple[Finding, ...]]:
    """The cases of a list, and what of it is none."""
    if not isinstance(node, Items):
        return (), (say("case-broken", node.place, "the cases are no list", expected="a list of cases"),)
    cases: list[Case] = []
    findings: list[Finding] = []
    for item in node.items[:MAX_CASES]:
        found = _case(item)
        if isinstance(found, Case):
            cases.append(found)
        else:
            findings.append(found)
    return tuple(cases), tuple(findings)


def _case(item: Node) -> Case | Finding:
    if not isinstance(item, Map):
        return say("case-broken", item.place, "a case is no mapping", expected="name, format, record, matches")
    for entry in item.entries:
        if entry.key.text not in _KEYS:
            hint = did_you_mean(entry.key.text, _KEYS)
            return say("case-broken", entry.key.place, f"a case has no {quoted(entry.key.text)}", hint=hint)
    name, form, record, matches = (item.get(key) for key in _KEYS)
    if record is None:
        return say("case-broken", item.place, "a case has no record", expected="record: the line, or its fields")
    expected = _n_matches(matches)
    if isinstance(expected, str):
        place = item.place if matches is None else matches.place
        return say("case-broken", place, expected, expected="matches: true, false or a number")
    kind = form.text if isinstance(form, Scalar) else ""
    if kind and kind not in set(Format):
        words = ", ".join(one.value for one in Format)
        hint = did_you_mean(kind, tuple(Format))
        return say(
            "case-broken", form.place if form else item.place, f"{quoted(kind)} is no format", expected=words, hint=hint
        )
    return Case(
        name=name.text if isinstance(name, Scalar) else "",
        format=Format(kind) if kind else None,
        record=_bytes_of(record),
        n_matches=expected[0],
        place=item.place if name is None else name.place,
    )


def _n_matches(node: Node | None) -> tuple[int | None] | str:
    if not isinstance(node, Scalar):
        return "a case does not say whether it matches"
    if isinstance(node.value, bool):
        return (None,) if node.value else (0,)
    if isinstance(node.value, int) and node.value >= 0:
        return (node.value,)
    return f"matches is {quoted(node.text)}"


def _bytes_of(node: Node) -> bytes:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.text.rstrip("\n").encode("utf-8", "surrogatepass")
    if isinstance(node, Items) and all(isinstance(one, Map) for one in node.items):
        return b"\n".join(msgspec.json.encode(plain(one)) for one in node.items)
    return msgspec.json.encode(plain(node))


def plain(node: Node) -> Any:
    """The node as JSON has it: dates and the like as the text that stands there."""
    match node:
        case Map():
            return {entry.key.text: plain(entry.value) for entry in node.entries}
        case Items():
            return [plain(item) for item in node.items]
        case Scalar():
            return node.value


def failed(case: Case, n_found: int, n_read: int) -> Finding | None:
    """The finding for a case that did not come out as it says; None where it did."""
    is_well = n_found > 0 if case.n_matches is None else n_found == case.n_matches
    if is_well:
        return None
    wanted = "a match" if case.n_matches is None else "no match" if case.n_matches == 0 else f"{case.n_matches} matches"
    got = "none" if n_found == 0 else f"{n_found} of {n_read} records"
    name = f" {quoted(case.name)}" if case.name else ""
    return say("case-failed", case.place or START, f"the test case{name} expects {wanted}; got {got}")

"""Use case: rules looked over before they run: findings with their place, what feeds each rule, whether it passes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.lint.cases import Case, CaseFile, case_file, cases_within, failed
from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import START, Finding, Grade
from amagasa.detect.lint.regression import LogTest, log_tests
from amagasa.detect.lint.review import Review, RuleFile
from amagasa.detect.lint.trial import Trial, Tried
from amagasa.detect.lint.whole import check_together, sourced
from amagasa.detect.report import RuleFault
from amagasa.event.record import Chunk

_TEST_SUFFIXES: Final = (".test.yml", ".test.yaml")
# Codes which say that something could not be looked at, as against something being wrong with it.
NOT_LOOKED_AT: Final = frozenset({"unreadable", "linter-died"})


class Logs(Protocol):
    """Regression tests beside the rules: their descriptions, and the records they name."""

    def text(self, rule_path: str, path: str) -> str | None:
        """The text of `path` as the rule at `rule_path` names it; None where it is not there."""

    def chunks(self, rule_path: str, path: str) -> Sequence[Chunk] | None:
        """The records of a log; None where it is not there or cannot be read."""


class CheckedRule(Struct, frozen=True, kw_only=True):
    """One rule, correlation or filter. `cost` counts in median built-in rules, None where the rule cannot run.

    `feeds` names the records which it would look at, "" where there are none; `lacks` those of them that never have
    some field it asks for. Of the test cases `n_cases` were tried and `n_failed` did not come out as they say.
    """

    path: str
    line: int
    rule_id: str
    title: str
    kind: str
    can_run: bool
    feeds: str = ""
    lacks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cost: float | None = None
    cost_words: tuple[str, ...] = ()
    asked_where: tuple[str, ...] = ()
    n_cases: int = 0
    n_failed: int = 0


class Checked(Struct, frozen=True, kw_only=True):
    """What came of it; findings in the order of path and line."""

    n_files: int
    n_indicators: int = 0
    rules: tuple[CheckedRule, ...]
    findings: tuple[Finding, ...]

    def n_of(self, grade: Grade) -> int:
        """How many findings are of this grade."""
        return sum(one.grade is grade for one in self.findings)

    @property
    def is_whole(self) -> bool:
        """Whether everything could be looked at."""
        return not any(one.code in NOT_LOOKED_AT for one in self.findings)


def with_indicators(checked: Checked, found: Sequence[tuple[int, Sequence[Finding]]]) -> Checked:
    """The same with what was said of files of indicators: (indicators read, findings) of each."""
    findings = [*checked.findings, *(one for _, own in found for one in own)]
    return replace(
        checked,
        n_files=checked.n_files + len(found),
        n_indicators=sum(n_read for n_read, _ in found),
        findings=tuple(sorted(findings, key=_order)),
    )


def _order(one: Finding) -> tuple[str, int, int, str]:
    return one.path, one.place.line, one.place.column, one.code


def check_content(
    files: Sequence[RuleFile], case_texts: Mapping[str, str], unread: Sequence[RuleFault], logs: Logs, *, now: datetime
) -> Checked:
    """Put together what the linter said of each file, what is wrong between them, and the outcome of their tests.

    `case_texts` are files of test cases by their path, `unread` what could not be opened.
    """
    findings = [_unread(one) for one in unread]
    cases, orphans = _cases_by_rule(files, case_texts)
    findings.extend(orphans)
    rules: list[CheckedRule] = []
    texts = {path: text.split("\n") for path, text in case_texts.items()}
    for file in files:
        findings.extend(_own(file))
        for number, review in enumerate(file.reviews):
            own = cases.get((file.path, number), ())
            tried = list(_tried(file.path, review, own, logs=logs, now=now))
            failures = [one for one in tried if one is not None]
            findings.extend(failures)
            if review.document.kind:
                rules.append(_rule(file.path, review, len(tried), len(failures)))
    findings.extend(check_together([(file.path, review.document) for file in files for review in file.reviews]))
    texts |= {
        file.path: file.text.split("\n")
        for file in files
        if any(not one.source and one.path == file.path for one in findings)
    }
    placed = sorted(sourced(findings, texts), key=_order)
    return Checked(n_files=len(files) + len(case_texts), rules=tuple(rules), findings=tuple(placed))


def _unread(fault: RuleFault) -> Finding:
    return replace(say("unreadable", START, fault.why), path=fault.path)


def _own(file: RuleFile) -> Iterator[Finding]:
    if file.has_mark:
        yield replace(say("byte-order-mark", START, "the file begins with a byte order mark"), path=file.path)
    for review in file.reviews:
        for one in review.findings:
            yield replace(one, path=file.path, rule_id=review.document.rule_id)


def _rule(path: str, review: Review, n_cases: int, n_failed: int) -> CheckedRule:
    document, cost = review.document, review.cost
    return CheckedRule(
        path=path,
        line=document.place.line,
        rule_id=document.rule_id,
        title=document.title,
        kind=document.kind,
        can_run=not any(one.grade is Grade.ERROR for one in review.findings),
        feeds=review.feeds,
        lacks=tuple((lack.feed, lack.fields) for lack in review.lacks),
        cost=None if cost is None else cost.ratio,
        cost_words=() if cost is None else cost.words,
        asked_where=() if cost is None else cost.required,
        n_cases=n_cases,
        n_failed=n_failed,
    )


_Key = tuple[str, int]
_Found = tuple[str, CaseFile]


def _cases_by_rule(
    files: Sequence[RuleFile], case_texts: Mapping[str, str]
) -> tuple[dict[_Key, list[_Found]], list[Finding]]:
    """(path, number of the document) of each rule -> its case files; and the findings about files without a rule."""
    found: dict[_Key, list[_Found]] = {}
    orphans: list[Finding] = []
    by_stem = {_stem(file.path): file for file in files}
    for path, text in case_texts.items():
        read = case_file(text)
        if read is None:
            continue
        orphans.extend(replace(one, path=path) for one in read.findings)
        key = _rule_named(read.rule, files) if read.rule else _only(by_stem.get(_stem(path)))
        if key is None:
            named = quoted(read.rule) if read.rule else "of the same name"
            what = f"no rule {named} is among those checked: the cases were not tried"
            orphans.append(replace(say("case-broken", START, what), path=path))
        else:
            found.setdefault(key, []).append((path, read))
    for file in files:
        for number, review in enumerate(file.reviews):
            if review.document.has_tests and (within := cases_within(file.text, number)) is not None:
                orphans.extend(replace(one, path=file.path) for one in within.findings)
                found.setdefault((file.path, number), []).append((file.path, within))
    return found, orphans


def _stem(path: str) -> str:
    lowered = next((path[: -len(suffix)] for suffix in _TEST_SUFFIXES if path.lower().endswith(suffix)), path)
    return lowered if lowered != path else path.rpartition(".")[0]


def _only(file: RuleFile | None) -> _Key | None:
    return None if file is None else (file.path, 0)


def _rule_named(name: str, files: Sequence[RuleFile]) -> _Key | None:
    """By id, or by the end of the path."""
    for file in files:
        for number, review in enumerate(file.reviews):
            if review.document.rule_id and review.document.rule_id.lower() == name.lower():
                return file.path, number
    parts = PurePosixPath(name).parts
    for file in files:
        own = PurePosixPath(file.path.replace(":", "/")).parts
        if parts and own[-len(parts) :] == parts:
            return file.path, 0
    return None


def _tried(
    rule_path: str, review: Review, found: Sequence[_Found], *, logs: Logs, now: datetime
) -> Iterator[Finding | None]:
    """The outcome of each test of a rule: None where it came out as it says."""
    if review.rule is None:
        return
    trial = Trial(review.rule)
    for path, cases in found:
        for case in cases.cases:
            yield _outcome(case, trial.on_record(case.record, case.format, now=now), path, review)
    if review.document.regression_path:
        yield from _regression(rule_path, review, trial, logs)


def _outcome(case: Case, tried: Tried, path: str, review: Review) -> Finding | None:
    if tried.why:
        what = f"the record of the test case {quoted(case.name)} cannot be read: {tried.why}"
        return replace(say("case-broken", case.place, what), path=path, rule_id=review.document.rule_id)
    finding = failed(case, tried.n_found, tried.n_read)
    return None if finding is None else replace(finding, path=path, rule_id=review.document.rule_id)


def _regression(rule_path: str, review: Review, trial: Trial, logs: Logs) -> Iterator[Finding | None]:
    """Tests whose logs are not there are not counted: the public set is shipped without them."""
    text = logs.text(rule_path, review.document.regression_path)
    for test in () if text is None else log_tests(text):
        chunks = logs.chunks(rule_path, test.path)
        if chunks is not None:
            tried = trial.on_chunks(chunks)
            yield _log_outcome(rule_path, review, test, tried)


def _log_outcome(rule_path: str, review: Review, test: LogTest, tried: Tried) -> Finding | None:
    is_well = tried.n_found > 0 if test.n_matches is None else tried.n_found == test.n_matches
    if is_well:
        return None
    wanted = "a match" if test.n_matches is None else f"{test.n_matches} matches"
    why = f" ({tried.why})" if tried.why else ""
    what = f"the regression test {quoted(PurePosixPath(test.path).name)} expects {wanted}; got {tried.n_found}{why}"
    return replace(say("case-failed", review.document.place, what), path=rule_path, rule_id=review.document.rule_id)

"""Every code of a finding: how grave it is and what it is about. The table in docs/content.md is made of this one."""

from typing import Final

from msgspec import Struct

from amagasa.detect.lint.finding import Finding, Grade, Place
from amagasa.vocab.text import show

E_, W_, N_ = Grade.ERROR, Grade.WARNING, Grade.NOTE


class Lint(Struct, frozen=True):
    """A kind of finding."""

    grade: Grade
    about: str


LINTS: Final[dict[str, Lint]] = {
    # The file.
    "not-yaml": Lint(E_, "The text is no YAML."),
    "empty": Lint(E_, "There is no document in the file."),
    "too-large": Lint(E_, "The document is larger, deeper or more repeated than a rule can be."),
    "not-a-rule": Lint(E_, "The document is no mapping with the keys of a rule."),
    "linter-died": Lint(E_, "The linter's process died over the file: it could not be looked at."),
    "unreadable": Lint(E_, "The file could not be read, or not to its end: it was not looked at."),
    "byte-order-mark": Lint(
        N_, "The file begins with a byte order mark; other tools may take it for a part of the key."
    ),
    "line-ends": Lint(N_, "Some lines end in CR LF, others in LF; or a lone CR stands in the text."),
    "tab": Lint(N_, "A tab stands between key and value; tools disagree about it."),
    "duplicate-key": Lint(W_, "A key stands twice in one mapping: YAML keeps the last and drops the others unsaid."),
    "unknown-allow": Lint(W_, "A comment allows a finding of a name that there is not."),
    # The head.
    "missing-key": Lint(E_, "A key is missing without which no rule can run."),
    "unknown-key": Lint(W_, "A key that Sigma does not know, but that looks like one it does."),
    "wrong-type": Lint(E_, "A key has a value of another kind than Sigma says, such as a list for a text."),
    "title-long": Lint(E_, "The title has more than 256 characters."),
    "no-id": Lint(W_, "Without an id a rule is known by its text: each edit makes another rule of it."),
    "id-not-uuid": Lint(E_, "The id is no UUID."),
    "no-level": Lint(W_, "Without a level the rule's alerts count as medium."),
    "unknown-level": Lint(E_, "The level is none of Sigma's five."),
    "unknown-status": Lint(E_, "The status is none of Sigma's five."),
    "no-status": Lint(N_, "Without a status nobody knows how far to trust the rule."),
    "retired": Lint(N_, "The rule's own status says that it is not to be used."),
    "no-description": Lint(N_, "The watch officer reads the description at three in the morning."),
    "date-form": Lint(E_, "A date is not written as YYYY-MM-DD."),
    "date-order": Lint(N_, "The rule was modified before it was written."),
    "tag-form": Lint(E_, "A tag is not of the form namespace.name."),
    "unknown-tactic": Lint(W_, "ATT&CK has no such tactic."),
    "unknown-technique": Lint(W_, "ATT&CK has no such technique."),
    "newer-technique": Lint(N_, "The technique's number is beyond the version of ATT&CK that is known here."),
    "retired-technique": Lint(W_, "ATT&CK has withdrawn the technique; another may have taken its place."),
    "related-form": Lint(E_, "An entry of `related` lacks its id or type, or names an unknown type."),
    # The log source.
    "logsource-empty": Lint(E_, "The log source names neither category nor product nor service."),
    "logsource-key": Lint(W_, "The log source has a key that Sigma does not know."),
    "logsource-case": Lint(N_, "Log sources are written in lower case."),
    "no-feed": Lint(W_, "No kind of record that is read here would ever be looked at by the rule."),
    "unknown-field": Lint(W_, "No record of the rule's log source has the field."),
    "field-typo": Lint(W_, "The field is a letter or two away from one which the log source has."),
    # The condition.
    "condition-syntax": Lint(E_, "The condition is not of Sigma's grammar."),
    "condition-old": Lint(E_, "Counting behind a pipe was taken out of Sigma: correlation rules do it."),
    "undefined-selection": Lint(E_, "The condition names a selection that is not there."),
    "selects-nothing": Lint(E_, "A pattern such as `1 of selection_*` fits no selection."),
    "unused-selection": Lint(W_, "A selection is written, and the condition does not use it."),
    "counts-a-filter": Lint(
        W_, "`1 of them` takes in what is named a filter: the rule matches where the filter holds."
    ),
    "not-all-of": Lint(W_, "`not all of filter_*` excludes only what every filter fits at once."),
    "mixed-and-or": Lint(N_, "`and` binds more tightly than `or`; brackets would say what is meant."),
    "always-true": Lint(W_, "The condition holds whatever the event."),
    "never-true": Lint(W_, "The condition can hold for no event."),
    "timeframe": Lint(W_, "`timeframe` beside the condition does nothing: correlation rules have a timespan."),
    # Selections.
    "empty-selection": Lint(E_, "A selection asks for nothing."),
    "selection-form": Lint(E_, "A selection is neither a mapping nor a list."),
    "unknown-modifier": Lint(E_, "Sigma has no such modifier."),
    "modifier-order": Lint(E_, "A modifier stands where it can not be applied."),
    "modifier-twice": Lint(N_, "A modifier stands twice."),
    "modifier-idle": Lint(W_, "A modifier changes nothing for these values."),
    "all-of-equals": Lint(W_, "A field cannot equal several texts at once."),
    "encoding-alone": Lint(W_, "Encoded text is compared with the whole field; `contains` was probably meant."),
    "no-field": Lint(E_, "A modifier needs a field and stands at a keyword."),
    "not-a-number": Lint(E_, "A comparison of size has a value that is no number."),
    "text-compared": Lint(W_, "A comparison of size asks a field that holds text."),
    "not-a-network": Lint(E_, "The value of `cidr` is no network."),
    "wide-network": Lint(W_, "The network holds every address."),
    "not-a-boolean": Lint(E_, "`exists` takes true or false."),
    "no-placeholder": Lint(W_, "`expand` stands at a value without a %placeholder%."),
    "placeholder-empty": Lint(E_, "A %placeholder% has no values here."),
    "wildcard-encoded": Lint(E_, "Text with wildcards cannot be encoded."),
    "too-many-dashes": Lint(E_, "`windash` takes five dashes in a value at most."),
    # Values.
    "yaml-type": Lint(W_, "YAML reads the value as something else than the text that stands there: quote it."),
    "empty-value": Lint(N_, "Nothing stands at a field: that is read as null, a field that is missing."),
    "yaml-escape": Lint(W_, "In double quotes a backslash and a letter became a control character: use single quotes."),
    "edge-wildcard": Lint(W_, "A wildcard at the edge of a value widens what its modifier says."),
    "idle-wildcard": Lint(N_, "A wildcard at the edge of a value that its modifier puts there anyway."),
    "literal-wildcard": Lint(W_, "A backslash before a wildcard makes it an ordinary character."),
    "single-backslash": Lint(W_, "Two backslashes are read as one: of a share or a device, four must be written."),
    "matches-any": Lint(N_, "The value matches whatever the field holds; `exists` says so more plainly."),
    "null-word": Lint(W_, "A text such as 'null' is not the missing value: write null without quotes."),
    "padded": Lint(W_, "A blank at the edge of a whole value is compared as well."),
    "odd-character": Lint(N_, "A character that no eye sees, or that an editor put in place of another."),
    "same-value": Lint(N_, "A value stands twice in a list."),
    "idle-value": Lint(N_, "A value of a list adds nothing: a shorter one matches whatever it does."),
    "short-keyword": Lint(N_, "A keyword so short that it stands in most records."),
    "never-equal": Lint(W_, "The field never holds such a value."),
    "hash-length": Lint(W_, "A hash of that kind has another length."),
    "event-id": Lint(W_, "No record of the rule's log source has this event identifier."),
    # Regular expressions.
    "regex-broken": Lint(E_, "The regular expression cannot be read."),
    "regex-not-linear": Lint(E_, "No engine runs the regular expression in time linear in the text."),
    "regex-plain": Lint(N_, "The regular expression is a plain text in disguise: a modifier is cheaper and clearer."),
    "regex-wildcard": Lint(W_, "Sigma's wildcards are none in a regular expression."),
    "regex-dot": Lint(N_, "A dot matches any character; the one of a file name or a domain is written \\."),
    "regex-edges": Lint(N_, "`.*` at the edge of a regular expression does nothing but cost."),
    "regex-case": Lint(N_, "A regular expression minds letter case, unlike everything else in Sigma: see `|re|i`."),
    # The rule as a whole.
    "cannot-run": Lint(E_, "The rule cannot run, for a reason that no other finding explains."),
    "matches-all": Lint(N_, "Every record of the log source, or of one of its events, satisfies the rule."),
    "only-negative": Lint(W_, "The rule names nothing that must be there: it is asked of every new event."),
    "costly": Lint(N_, "The rule costs many times what the median built-in rule costs."),
    # Correlations and filters.
    "unknown-correlation": Lint(E_, "The type of correlation is none of Sigma's."),
    "correlation-key": Lint(W_, "A correlation has a part that Sigma does not know, or one that nothing uses."),
    "correlation-ungrouped": Lint(N_, "Without group-by a correlation counts the events of everybody together."),
    "correlation-form": Lint(E_, "A correlation lacks a part or has one of the wrong form."),
    "unknown-rule": Lint(W_, "A correlation, filter or `related` names a rule that is not among those checked."),
    # The set.
    "duplicate-id": Lint(E_, "Two rules have the same id: one would replace the other."),
    "duplicate-title": Lint(N_, "Two rules have the same title: nobody can tell their alerts apart."),
    # Test cases.
    "case-failed": Lint(E_, "One of the rule's own test cases does not come out as it says."),
    "case-broken": Lint(E_, "A test case cannot be read."),
    # Indicators and patterns.
    "cannot-use": Lint(E_, "The indicator cannot be used."),
    "indicator-form": Lint(W_, "The value is none of the kind that the pattern asks for: it never matches."),
    "indicator-own": Lint(W_, "The indicator is an address or name that everybody's own network has."),
    "indicator-wide": Lint(W_, "The indicator fits so much that most of it is innocent."),
    "indicator-hash": Lint(W_, "The hash of an empty file, which every machine has."),
    "indicator-ended": Lint(W_, "The indicator's time is over: nothing is looked for."),
    "indicator-endless": Lint(N_, "The indicator says neither how sure it is nor until when it holds."),
    "duplicate-indicator": Lint(N_, "The same pattern stands there twice."),
}


def say(code: str, place: Place, what: str, *, expected: str = "", hint: str = "") -> Finding:
    """A finding of this code, with the code's own grade."""
    return Finding(code=code, grade=LINTS[code].grade, place=place, what=what, expected=expected, hint=hint)


def quoted(text: object, limit: int = 60) -> str:
    """Text of a rule within a sentence: escaped, cut and in quotes."""
    return f"'{show(str(text), limit)}'"

"""Rules for the linter's tests: a good one, changed in one place at a time."""

from typing import Final

from amagasa.detect.lint.document import lint
from amagasa.detect.lint.finding import Finding

GOOD: Final = """\
title: Certutil fetches a file
id: 7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0001
status: test
description: Certutil is told to fetch a file.
date: 2026-01-01
tags:
    - attack.command-and-control
    - attack.t1105
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\\certutil.exe'
        CommandLine|contains: 'urlcache'
    condition: selection
level: high
"""


def changed(old: str, new: str) -> str:
    """The good rule with one part written otherwise."""
    assert old in GOOD
    return GOOD.replace(old, new)


def selecting(items: str, condition: str = "selection") -> str:
    """The good rule with these items (lines, indented by nothing) for its selection."""
    indented = "".join(f"        {line}\n" for line in items.splitlines())
    start, _, rest = GOOD.partition("        Image")
    end = rest[rest.index("    condition:") :].replace("condition: selection", f"condition: {condition}")
    return f"{start}{indented}{end}"


def findings_of(text: str) -> list[Finding]:
    return [one for document in lint(text) for one in document.findings]


def codes_of(text: str) -> list[str]:
    return [one.code for one in findings_of(text)]


def only(text: str, code: str) -> Finding:
    found = [one for one in findings_of(text) if one.code == code]
    assert len(found) == 1, [(one.code, one.what) for one in findings_of(text)]
    return found[0]


def pointed_at(text: str, finding: Finding) -> str:
    """The characters of the text which the finding points to."""
    line = text.split("\n")[finding.place.line - 1]
    start = finding.place.column - 1
    return line[start : start + finding.place.n_characters]

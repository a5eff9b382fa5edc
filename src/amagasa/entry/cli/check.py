"""`amagasa content check`: rules looked over, in files, without a node."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amagasa.app.check_content import NOT_LOOKED_AT, Checked
from amagasa.detect.lint.codes import LINTS
from amagasa.detect.lint.codes_ja import ABOUT_JA
from amagasa.detect.lint.finding import Finding, Grade
from amagasa.entry.cli.language import LangOption, language
from amagasa.entry.cli.lint_report import Report, print_checked
from amagasa.entry.cli.options import AsJson, AsNdjson, show_list
from amagasa.entry.cli.output import Output, output_of, progress_bar, write_json, write_rows
from amagasa.entry.wiring_check import check_paths
from amagasa.vocab.errors import EXIT_COULD_NOT, EXIT_DONE, EXIT_FINDINGS

COLUMNS = ("path", "line", "column", "grade", "code", "what")


def check_command(  # noqa: PLR0913 - one parameter an option of the command line
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Rule files, folders, archives; else the built-in.")
    ] = None,
    *,
    placeholders: Annotated[
        list[Path] | None, typer.Option("--placeholders", help="TOML: what the placeholders of rules stand for.")
    ] = None,
    fail_on: Annotated[Grade, typer.Option("--fail-on", help="Exit 1 at findings this grave or graver.")] = Grade.ERROR,
    show: Annotated[Grade, typer.Option("--show", help="Show findings this grave or graver.")] = Grade.WARNING,
    rules: Annotated[bool, typer.Option("--rules", help="Say of each rule what feeds it and what it costs.")] = False,
    codes: Annotated[bool, typer.Option("--codes", help="List every kind of finding, and end.")] = False,
    lang: LangOption = None,
    as_json: AsJson = False,
    as_ndjson: AsNdjson = False,
) -> None:
    """Look rules over before they run: what is wrong and where, what feeds each rule, its cost, its test cases.

    Exit codes: 0 nothing found at --fail-on or above, 1 something was, 2 wrong usage, 3 some file could not be read.
    """
    if codes:
        about = {code: lint.about for code, lint in LINTS.items()} if language(lang) == "en" else ABOUT_JA
        listed = [{"code": code, "grade": lint.grade.value, "about": about[code]} for code, lint in LINTS.items()]
        show_list(listed, ("code", "grade", "about"), form=(as_json, as_ndjson), empty="")
        raise typer.Exit(EXIT_DONE)
    with progress_bar("looking over rules") as progress:
        checked = check_paths(paths or (), placeholders or (), now=datetime.now(UTC), progress=progress)
    form = output_of(as_json=as_json, as_ndjson=as_ndjson)
    if form is Output.TABLE:
        print_checked(checked, Report(show=show, is_each_rule=rules, lang=language(lang)))
    elif form is Output.JSON:
        write_json(document_of(checked))
    else:
        write_rows([public(one) for one in checked.findings], COLUMNS, form, empty="")
    raise typer.Exit(exit_code(checked, fail_on))


def exit_code(checked: Checked, fail_on: Grade) -> int:
    """1 where a finding is as grave as `fail_on`; else 3 where something could not be looked at; else 0."""
    if any(one.grade.rank >= fail_on.rank and one.code not in NOT_LOOKED_AT for one in checked.findings):
        return EXIT_FINDINGS
    return EXIT_DONE if checked.is_whole else EXIT_COULD_NOT


def document_of(checked: Checked) -> dict[str, Any]:
    """The document of `--json`."""
    return {
        "n_files": checked.n_files,
        "n_rules": len(checked.rules),
        "n_indicators": checked.n_indicators,
        "n_can_run": sum(rule.can_run for rule in checked.rules),
        "n_errors": checked.n_of(Grade.ERROR),
        "n_warnings": checked.n_of(Grade.WARNING),
        "n_notes": checked.n_of(Grade.NOTE),
        "findings": [public(one) for one in checked.findings],
        "rules": [
            msgspec.to_builtins(rule) | {"lacks": {feed: list(fields) for feed, fields in rule.lacks}}
            for rule in checked.rules
        ],
    }


def public(finding: Finding) -> dict[str, Any]:
    """One finding as scripts read it."""
    return {
        "path": finding.path,
        "line": finding.place.line,
        "column": finding.place.column,
        "n_characters": finding.place.n_characters,
        "grade": finding.grade.value,
        "code": finding.code,
        "rule_id": finding.rule_id,
        "what": finding.what,
        "expected": finding.expected,
        "hint": finding.hint,
        "source": finding.source,
    }

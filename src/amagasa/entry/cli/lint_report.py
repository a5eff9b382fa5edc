"""How a person reads what the linter found: each finding at its place with the line it points to, then the rules."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape

from amagasa.app.check_content import Checked, CheckedRule
from amagasa.detect.lint.finding import Finding, Grade
from amagasa.entry.cli.output import err, say
from amagasa.vocab.text import show as shown

# More rules than this are told of together.
MAX_EACH: Final = 10
MAX_SHOWN: Final = 500
_COLOURS: Final = {Grade.ERROR: "bold red", Grade.WARNING: "yellow", Grade.NOTE: "cyan"}
_PATH_CHARACTERS: Final = 400


def print_checked(checked: Checked, *, show: Grade, is_each_rule: bool) -> None:
    """Findings as grave as `show` on stdout, then what there is to know of the rules; the sums on stderr."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    wanted = [one for one in checked.findings if one.grade.rank >= show.rank]
    for one in wanted[:MAX_SHOWN]:
        _print_finding(console, one)
    if len(wanted) > MAX_SHOWN:
        console.print(f"... and {len(wanted) - MAX_SHOWN:,} more: --json has them all")
    runnable = [rule for rule in checked.rules if rule.kind == "rule"]
    if is_each_rule or len(runnable) <= MAX_EACH:
        for rule in runnable:
            _print_rule(console, rule)
    elif runnable:
        _print_together(console, runnable)
    _print_sums(checked, show)


def _print_finding(console: Console, one: Finding) -> None:
    colour = _COLOURS[one.grade]
    place = f"{shown(one.path, _PATH_CHARACTERS)}:{one.place.line}:{one.place.column}"
    console.print(
        f"[bold]{escape(place)}[/]: [{colour}]{one.grade.value}[/]: {escape(one.what)} [dim]\\[{one.code}][/]"
    )
    if one.source.strip():
        number = str(one.place.line)
        before, marked, after = _cut(one)
        line = f"{escape(before)}[{colour}]{escape(marked)}[/]{escape(after)}"
        console.print(f"[dim]{number:>6} |[/] {line}")
        console.print(f"[dim]       |[/] {' ' * _width(before)}[{colour}]{'^' * max(_width(marked), 1)}[/]")
    if one.expected:
        console.print(f"       [dim]=[/] expected {escape(one.expected)}")
    if one.hint:
        console.print(f"       [dim]=[/] {escape(one.hint)}")


def _cut(one: Finding) -> tuple[str, str, str]:
    """The source line in three: what stands before the place, at it, behind it. Each safe for a terminal."""
    caret = max(one.caret, 0)
    end = caret + max(one.place.n_characters, 0)
    parts = one.source[:caret], one.source[caret:end], one.source[end:].rstrip("\r\n")
    before, marked, after = (shown(part, 400) for part in parts)
    return before, marked, after


def _width(text: str) -> int:
    """Columns of a terminal: wide characters of East Asia take two."""
    return Console(width=1000).render_str(escape(text)).cell_len


def _print_rule(console: Console, rule: CheckedRule) -> None:
    console.print(f"\n[bold]{escape(shown(rule.title) or '(no title)')}[/]  [dim]{escape(_at(rule))}[/]")
    if not rule.can_run:
        console.print("  [red]cannot run[/]")
        return
    console.print(f"  fed by   {escape(rule.feeds) or '[yellow]nothing that is read here[/]'}")
    for feed, fields in rule.lacks[:6]:
        console.print(f"           [dim]{escape(feed)} never has {escape(', '.join(fields[:8]))}[/]")
    console.print(f"  cost     {_cost(rule)}")
    if rule.asked_where:
        more = f" or {len(rule.asked_where) - 3} others" if len(rule.asked_where) > 3 else ""
        console.print(f"           [dim]asked where {escape(' or '.join(rule.asked_where[:3]))}{more}[/]")
    console.print(f"  tests    {_tests(rule)}")


def _cost(rule: CheckedRule) -> str:
    if rule.cost is None:
        return "unknown"
    times = f"{rule.cost:g} x the median built-in rule"
    return times + (f": {escape('; '.join(rule.cost_words[:2]))}" if rule.cost_words else "")


def _tests(rule: CheckedRule) -> str:
    if not rule.n_cases:
        return "[dim]none[/]"
    passed = f"{rule.n_cases - rule.n_failed} of {rule.n_cases} pass"
    return f"[red]{passed}[/]" if rule.n_failed else f"[green]{passed}[/]"


def _at(rule: CheckedRule) -> str:
    return f"{shown(rule.path, _PATH_CHARACTERS)}:{rule.line}"


def _print_together(console: Console, rules: Sequence[CheckedRule]) -> None:
    running = [rule for rule in rules if rule.cost is not None]
    fed = [rule for rule in running if rule.feeds]
    console.print(f"\nof {len(running):,} rules that can run {len(fed):,} are fed by something that is read here")
    dearest = sorted(running, key=lambda rule: -(rule.cost or 0))[:5]
    if dearest:
        total = sum(rule.cost or 0 for rule in running)
        console.print(f"together they cost {total:,.0f} x the median built-in rule; the dearest:")
    for rule in dearest:
        words = f"  [dim]{escape(rule.cost_words[0])}[/]" if rule.cost_words else ""
        console.print(f"  {rule.cost:>6g} x  {escape(shown(rule.title, 70))}{words}")
    n_cases = sum(rule.n_cases for rule in rules)
    if n_cases:
        n_failed = sum(rule.n_failed for rule in rules)
        n_with = sum(rule.n_cases > 0 for rule in rules)
        console.print(f"{n_cases:,} test cases of {n_with:,} rules: {n_cases - n_failed:,} pass, {n_failed:,} fail")


def _print_sums(checked: Checked, show: Grade) -> None:
    n_cannot = sum(not rule.can_run for rule in checked.rules)
    counts = ", ".join(_several(checked.n_of(grade), grade.value) for grade in Grade)
    kinds = [_several(len(checked.rules), "rule")] if checked.rules or not checked.n_indicators else []
    kinds += [_several(checked.n_indicators, "indicator")] if checked.n_indicators else []
    what = f"{' and '.join(kinds)} in {_several(checked.n_files, 'file')}"
    err().print(f"[bold]{what}[/], {n_cannot:,} cannot run: {counts}")
    hidden = Counter(one.grade for one in checked.findings if one.grade.rank < show.rank)
    if hidden:
        words = " and ".join(_several(n, grade.value) for grade, n in hidden.items())
        say(f"{words} not shown: --show note")


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

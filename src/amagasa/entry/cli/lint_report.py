"""How a person reads what the linter found: each finding at its place with the line it points to, then the rules."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from amagasa.app.check_content import Checked, CheckedRule
from amagasa.detect.lint.codes_ja import ABOUT_JA
from amagasa.detect.lint.finding import Finding, Grade
from amagasa.entry.cli.output import err, say
from amagasa.vocab.text import show as shown

# More rules than this are told of together.
MAX_EACH: Final = 10
MAX_SHOWN: Final = 500
_COLOURS: Final = {Grade.ERROR: "bold red", Grade.WARNING: "yellow", Grade.NOTE: "cyan"}
_PATH_CHARACTERS: Final = 400
WORDS: Final[dict[str, tuple[str, str]]] = {
    "error": ("error", "エラー"),
    "warning": ("warning", "警告"),
    "note": ("note", "注意"),
    "rule": ("rule", "ルール"),
    "indicator": ("indicator", "インジケーター"),
    "file": ("file", "ファイル"),
    "more": ("... and {0} more: --json has them all", "... ほか {0} 件(--json ですべて)"),
    "expected": ("expected {0}", "期待: {0}"),
    "no-title": ("(no title)", "(タイトルなし)"),
    "cannot": ("cannot run", "実行できません"),
    "fed": ("fed by   ", "読む記録 "),
    "nothing": ("nothing that is read here", "ここで読むものはありません"),
    "never-has": ("{0} never has {1}", "{0} に {1} はありません"),
    "cost": ("cost     ", "手間     "),
    "unknown": ("unknown", "不明"),
    "times": ("{0} x the median built-in rule", "組み込みルールの中央値の {0} 倍"),
    "asked": ("asked where {0}", "評価するのは: {0}"),
    "or": (" or ", " または "),
    "others": (" or {0} others", " ほか {0} 件"),
    "tests": ("tests    ", "テスト   "),
    "none": ("none", "なし"),
    "passed": ("{0} of {1} pass", "{1} 件中 {0} 件が合格"),
    "running": (
        "of {0} rules that can run {1} are fed by something that is read here",
        "実行できるルール {0} 件のうち {1} 件に、ここで読む記録があります",
    ),
    "together": (
        "together they cost {0} x the median built-in rule; the dearest:",
        "合わせて組み込みルールの中央値の {0} 倍の手間です。最も重いもの:",
    ),
    "cases": (
        "{0} test cases of {1} rules: {2} pass, {3} fail",
        "ルール {1} 件のテスト {0} 件: 合格 {2}、不合格 {3}",
    ),
    "comma": (", ", "、"),
    "and": (" and ", "、"),
    "in": ("{0} in {1}", "{1}、{0}"),
    "sums": (", {0} cannot run: {1}", "、うち実行できないもの {0}: {1}"),
    "hidden": ("{0} not shown: --show note", "{0} は表示していません(--show note)"),
}


class Report(Struct, frozen=True, kw_only=True):
    """What is wanted of a report: findings as grave as `show`; of each rule, or of all together; in which language."""

    show: Grade
    is_each_rule: bool = False
    lang: str = "en"

    def word(self, key: str, *args: object) -> str:
        """A sentence of the report's own."""
        return WORDS[key][self.lang == "ja"].format(*args)


def print_checked(checked: Checked, report: Report) -> None:
    """Findings on stdout, then what there is to know of the rules; the sums on stderr."""
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    wanted = [one for one in checked.findings if one.grade.rank >= report.show.rank]
    for one in wanted[:MAX_SHOWN]:
        _print_finding(console, one, report)
    if len(wanted) > MAX_SHOWN:
        console.print(report.word("more", f"{len(wanted) - MAX_SHOWN:,}"))
    runnable = [rule for rule in checked.rules if rule.kind == "rule"]
    if report.is_each_rule or len(runnable) <= MAX_EACH:
        for rule in runnable:
            _print_rule(console, rule, report)
    elif runnable:
        _print_together(console, runnable, report)
    _print_sums(checked, report)


def _print_finding(console: Console, one: Finding, report: Report) -> None:
    """In Japanese the kind of finding is said first; what exactly was found follows as the linter words it."""
    colour = _COLOURS[one.grade]
    place = f"{shown(one.path, _PATH_CHARACTERS)}:{one.place.line}:{one.place.column}"
    about = ABOUT_JA.get(one.code, "") if report.lang == "ja" else ""
    what, detail = (about, one.what) if about else (one.what, "")
    grade = report.word(one.grade.value)
    console.print(f"[bold]{escape(place)}[/]: [{colour}]{grade}[/]: {escape(what)} [dim]\\[{one.code}][/]")
    if one.source.strip():
        number = str(one.place.line)
        before, marked, after = _cut(one)
        line = f"{escape(before)}[{colour}]{escape(marked)}[/]{escape(after)}"
        console.print(f"[dim]{number:>6} |[/] {line}")
        console.print(f"[dim]       |[/] {' ' * _width(before)}[{colour}]{'^' * max(_width(marked), 1)}[/]")
    if detail:
        console.print(f"       [dim]=[/] {escape(detail)}")
    if one.expected:
        console.print(f"       [dim]=[/] {report.word('expected', escape(one.expected))}")
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


def _print_rule(console: Console, rule: CheckedRule, report: Report) -> None:
    say_it = report.word
    title = escape(shown(rule.title) or say_it("no-title"))
    console.print(f"\n[bold]{title}[/]  [dim]{escape(_at(rule))}[/]")
    if not rule.can_run:
        console.print(f"  [red]{say_it('cannot')}[/]")
        return
    console.print(f"  {say_it('fed')}{escape(rule.feeds) or '[yellow]' + say_it('nothing') + '[/]'}")
    for feed, fields in rule.lacks[:6]:
        console.print(f"           [dim]{say_it('never-has', escape(feed), escape(', '.join(fields[:8])))}[/]")
    console.print(f"  {say_it('cost')}{_cost(rule, report)}")
    if rule.asked_where:
        more = say_it("others", len(rule.asked_where) - 3) if len(rule.asked_where) > 3 else ""
        where = escape(say_it("or").join(rule.asked_where[:3]))
        console.print(f"           [dim]{say_it('asked', where + more)}[/]")
    console.print(f"  {say_it('tests')}{_tests(rule, report)}")


def _cost(rule: CheckedRule, report: Report) -> str:
    if rule.cost is None:
        return report.word("unknown")
    times = report.word("times", f"{rule.cost:g}")
    return times + (f": {escape('; '.join(rule.cost_words[:2]))}" if rule.cost_words else "")


def _tests(rule: CheckedRule, report: Report) -> str:
    if not rule.n_cases:
        return f"[dim]{report.word('none')}[/]"
    passed = report.word("passed", rule.n_cases - rule.n_failed, rule.n_cases)
    return f"[red]{passed}[/]" if rule.n_failed else f"[green]{passed}[/]"


def _at(rule: CheckedRule) -> str:
    return f"{shown(rule.path, _PATH_CHARACTERS)}:{rule.line}"


def _print_together(console: Console, rules: Sequence[CheckedRule], report: Report) -> None:
    running = [rule for rule in rules if rule.cost is not None]
    fed = [rule for rule in running if rule.feeds]
    console.print("\n" + report.word("running", f"{len(running):,}", f"{len(fed):,}"))
    dearest = sorted(running, key=lambda rule: -(rule.cost or 0))[:5]
    if dearest:
        console.print(report.word("together", f"{sum(rule.cost or 0 for rule in running):,.0f}"))
    for rule in dearest:
        words = f"  [dim]{escape(rule.cost_words[0])}[/]" if rule.cost_words else ""
        console.print(f"  {rule.cost:>6g} x  {escape(shown(rule.title, 70))}{words}")
    n_cases = sum(rule.n_cases for rule in rules)
    if n_cases:
        n_failed = sum(rule.n_failed for rule in rules)
        n_with = sum(rule.n_cases > 0 for rule in rules)
        counts = (f"{n_cases:,}", f"{n_with:,}", f"{n_cases - n_failed:,}", f"{n_failed:,}")
        console.print(report.word("cases", *counts))


def _print_sums(checked: Checked, report: Report) -> None:
    n_cannot = sum(not rule.can_run for rule in checked.rules)
    counts = report.word("comma").join(_several(checked.n_of(grade), grade.value, report) for grade in Grade)
    kinds = [_several(len(checked.rules), "rule", report)] if checked.rules or not checked.n_indicators else []
    kinds += [_several(checked.n_indicators, "indicator", report)] if checked.n_indicators else []
    of = (report.word("and").join(kinds), _several(checked.n_files, "file", report))
    err().print(f"[bold]{report.word('in', *of)}[/]{report.word('sums', f'{n_cannot:,}', counts)}")
    hidden = Counter(one.grade for one in checked.findings if one.grade.rank < report.show.rank)
    if hidden:
        words = report.word("and").join(_several(n, grade.value, report) for grade, n in hidden.items())
        say(report.word("hidden", words))


def _several(number: int, what: str, report: Report) -> str:
    if report.lang == "ja":
        return f"{report.word(what)} {number:,}"
    return f"{number:,} {what}{'' if number == 1 else 's'}"

# ruff: noqa: E501 - a table reads best with a case a line
"""Every kind of finding that the text alone gives: what brings it about, where it points, what it says was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.lint.codes import LINTS
from amagasa.detect.lint.codes_ja import ABOUT_JA
from amagasa.detect.lint.document import lint
from amagasa.detect.lint.finding import Grade
from tests.detect.lint.rules import GOOD, changed, codes_of, findings_of, only, pointed_at, selecting

WITH_FILTER = selecting("CommandLine|contains: 'urlcache'", "selection and not filter").replace(
    "    condition", "    filter:\n        Image: 'C:\\a.exe'\n    condition"
)

# (what is written, the code, what is pointed at, a part of what is said to be meant)
HEADS = [
    (changed("high", "hgih"), "unknown-level", "hgih", "high"),
    (changed("level: high\n", ""), "no-level", "title", ""),
    (changed("status: test", "status: testing"), "unknown-status", "testing", "test"),
    (changed("status: test", "status: deprecated"), "retired", "deprecated", ""),
    (changed("status: test\n", ""), "no-status", "title", ""),
    (changed("id: 7f0b6f3a-54a2-4bfb-9d0c-2f9a1a1c0001\n", ""), "no-id", "title", ""),
    (changed("7f0b6f3a-54a2", "rule-1"), "id-not-uuid", "rule-1-4bfb-9d0c-2f9a1a1c0001", ""),
    (changed("2026-01-01", "01.01.2026"), "date-form", "01.01.2026", ""),
    (changed("2026-01-01", "2026-01-02\nmodified: 2026-01-01"), "date-order", "2026-01-01", ""),
    (changed("description: Certutil is told to fetch a file.\n", ""), "no-description", "title", ""),
    (changed("title: Certutil fetches a file\n", ""), "missing-key", "i", ""),
    (changed("Certutil fetches a file", "x" * 257), "title-long", "x" * 257, ""),
    (changed("Certutil fetches a file", "[1]"), "wrong-type", "[", ""),
    (changed("Certutil fetches a file", "2026"), "wrong-type", "2026", "quotes"),
    (changed("level: high", "level: high\nfalse_positives: [x]"), "unknown-key", "false_positives", "falsepositives"),
    (changed("t1105", "t1218.099"), "unknown-technique", "t1218.099", "T1218.0"),
    (changed("t1105", "t1073"), "retired-technique", "t1073", "T1574.001"),
    (changed("t1105", "t9999"), "newer-technique", "t9999", ""),
    (changed("command-and-control", "defence_evasion"), "unknown-tactic", "defence_evasion", "defense-evasion"),
    (changed("attack.t1105", "t1105"), "tag-form", "t1105", ""),
    (changed("attack.t1105", "atack.t1105"), "unknown-key", "atack", "attack"),
    (changed("level: high", "related: [{id: x, type: similr}]\nlevel: high"), "related-form", "similr", "similar"),
    (changed("level: high", "related: [{type: similar}]\nlevel: high"), "related-form", "{", ""),
    (changed("category: process_creation", "category: proces_creation"), "no-feed", "logsource", "process_creation"),
    (changed("category: process_creation", "category: Process_Creation"), "logsource-case", "Process_Creation", ""),
    (changed("    product", "    produkt"), "logsource-key", "produkt", "product"),
    (GOOD.replace("    category: process_creation\n    product: windows\n", "    definition: x\n"), "logsource-empty", "logsource", ""),
    (changed("level: high", "level: high\ntitle: again"), "duplicate-key", "title", ""),
]  # fmt: skip
MODIFIERS = [
    (selecting("Image|endswth: '\\a.exe'"), "unknown-modifier", "endswth", "endswith"),
    (selecting("Image|Contains: 'abc'"), "unknown-modifier", "Contains", "small letters"),
    (selecting("Image|regex: 'abc'"), "unknown-modifier", "regex", "re"),
    (selecting("Image|: 'abc'"), "unknown-modifier", ":", ""),
    (selecting("Image|contains|re: 'abc'"), "modifier-order", "re", ""),
    (selecting("CommandLine|i: 'abc'"), "modifier-order", "i", ""),
    (selecting("CommandLine|contains|base64: 'abc'"), "modifier-order", "base64", ""),
    (selecting("CommandLine|base64|wide: 'abc'"), "modifier-order", "wide", ""),
    (selecting("'|exists': true"), "no-field", "exists", ""),
    (selecting("CommandLine|contains|contains: 'abcd'"), "modifier-twice", "contains", ""),
    (selecting("CommandLine|contains|all: 'abcd'"), "modifier-idle", "all", "leave it out"),
    (selecting("CommandLine|contains|windash: 'abcd'"), "modifier-idle", "windash", ""),
    (selecting("ProcessId|cased: '12'"), "modifier-idle", "cased", ""),
    (selecting("OriginalFileName|all: [a.exe, b.exe]"), "all-of-equals", "all", "contains|all"),
    (selecting("CommandLine|base64offset: 'http://'"), "encoding-alone", "base64offset", "base64offset|contains"),
    (selecting("ProcessId|gt: 'four'"), "not-a-number", "'four'", ""),
    (selecting("ProcessId|gt: '4'"), "not-a-number", "'4'", "without quotes"),
    (selecting("Image|gt: 4"), "text-compared", "gt", ""),
    (selecting("User|cidr: '10.0.0.1/8'"), "not-a-network", "'10.0.0.1/8'", "10.0.0.0/8"),
    (selecting("User|cidr: '10.1.*'"), "not-a-network", "'10.1.*'", "10.1.0.0/16"),
    (selecting("User|cidr: '0.0.0.0/0'"), "wide-network", "'0.0.0.0/0'", ""),
    (selecting("User|exists: 'yes'"), "not-a-boolean", "'yes'", ""),
    (selecting("User|expand: 'admins'"), "no-placeholder", "'admins'", ""),
    (selecting("CommandLine|base64offset|contains: 'a*b'"), "wildcard-encoded", "'a*b'", ""),
    (selecting("CommandLine|windash|contains: ' -a -b -c -d -e -f'"), "too-many-dashes", "' -a -b -c -d -e -f'", ""),
]  # fmt: skip
VALUES = [
    (selecting("CommandLine|contains: no"), "yaml-type", "no", "'no'"),
    (selecting("CommandLine|contains: 0x1410"), "yaml-type", "0x1410", "'0x1410'"),
    (selecting("CommandLine|contains: 010"), "yaml-type", "010", "'010'"),
    (selecting("FileVersion: 1.10"), "yaml-type", "1.10", "'1.10'"),
    (selecting("CommandLine|contains: 2026-01-01"), "yaml-type", "2026-01-01", "'2026-01-01'"),
    (selecting("CommandLine:"), "empty-value", "", "null"),
    (selecting('Image: "C:\\temp\\new.exe"'), "yaml-escape", '"C:\\temp\\new.exe"', "single quotes"),
    (selecting("CommandLine|startswith: '*abc'"), "edge-wildcard", "*", "contains"),
    (selecting("CommandLine|endswith: 'abc*'"), "edge-wildcard", "*", "contains"),
    (selecting("CommandLine|contains: '*abc'"), "idle-wildcard", "*", ""),
    (selecting("CommandLine: '*'"), "matches-any", "'*'", ""),
    (selecting("CommandLine|contains: 'C:\\Temp\\*.exe'"), "literal-wildcard", "\\*", "\\\\*"),
    (selecting("CommandLine|startswith: '\\\\host\\share'"), "single-backslash", "\\\\", "four"),
    (selecting("User: 'null'"), "null-word", "'null'", "without quotes"),
    (selecting("User: 'abc '"), "padded", "'abc '", ""),
    (selecting("CommandLine|contains: 'a\u200bb'"), "odd-character", "\u200b", ""),
    (selecting("CommandLine|contains: '\u201cx\u201d'"), "odd-character", "\u201c", ""),
    (selecting("CommandLine|contains: [abcd, ABCD]"), "same-value", "ABCD", ""),
    (selecting("CommandLine|contains: [abc, xabcx]"), "idle-value", "xabcx", ""),
    (selecting("CommandLine|contains|all: [abc, xabcx]"), "idle-value", "abc", ""),
    (selecting("CommandLine|endswith: [x.js, '\\x.js']"), "idle-value", "'\\x.js'", ""),
    (selecting("- ab"), "short-keyword", "ab", ""),
]  # fmt: skip
SECURITY = GOOD.replace("category: process_creation", "service: security").replace(
    "Image|endswith", "TargetUserNme|endswith"
)
FIELDS = [
    (SECURITY, "field-typo", "TargetUserNme", "TargetUserName"),
    (selecting("Comandline|contains: abcd"), "unknown-field", "Comandline", "CommandLine"),
    (selecting("Image|fieldref: ParentImge"), "unknown-field", "ParentImge", "ParentImage"),
    (selecting("EventID: 11"), "event-id", "11", ""),
    (selecting("Image: 'cmd.exe'"), "never-equal", "'cmd.exe'", "endswith"),
    (selecting("Image|startswith: 'cmd'"), "never-equal", "'cmd'", ""),
    (selecting("OriginalFileName: '\\cmd.exe'"), "never-equal", "'\\cmd.exe'", "cmd.exe"),
    (selecting("Hashes: 'd41d8cd98f00b204e9800998ecf8427e'"), "never-equal", "'d41d8cd98f00b204e9800998ecf8427e'", "contains"),
    (selecting("Hashes|contains: 'MD5=abc'"), "hash-length", "abc", ""),
    (selecting("sha256: 'd41d8cd98f00b204e9800998ecf8427e'"), "hash-length", "'d41d8cd98f00b204e9800998ecf8427e'", ""),
]  # fmt: skip
EXPRESSIONS = [
    (selecting("CommandLine|re: 'a(b'"), "regex-broken", "(", ""),
    (selecting("CommandLine|re: '*.exe'"), "regex-broken", "*", ".*"),
    (selecting("CommandLine|re: 'a(?=b)'"), "regex-not-linear", "(?=", ""),
    (selecting("CommandLine|re: '(a)\\1'"), "regex-not-linear", "\\1", ""),
    (selecting("CommandLine|re: '.*foo\\.exe.*'"), "regex-plain", "'.*foo\\.exe.*'", "contains"),
    (selecting("CommandLine|re: '^foo'"), "regex-plain", "'^foo'", "startswith"),
    (selecting("CommandLine|re: 'foo$'"), "regex-plain", "'foo$'", "endswith"),
    (selecting("CommandLine|re|i: 'power*.exe'"), "regex-wildcard", "*", ".*"),
    (selecting("CommandLine|re|i: '[a-z]+cmd.exe'"), "regex-dot", ".", "\\."),
    (selecting("CommandLine|re|i: '.*[a-z]cmd'"), "regex-edges", ".*", ""),
    (selecting("CommandLine|re: '[0-9]+cmd'"), "regex-case", "'[0-9]+cmd'", "re|i"),
]  # fmt: skip
CONDITIONS = [
    (changed("condition: selection", "condition: selction"), "undefined-selection", "selction", "selection"),
    (changed("condition: selection", "condition: 1 of sel_*"), "selects-nothing", "sel_*", ""),
    (changed("condition: selection", "condition: selection and"), "condition-syntax", "d", ""),
    (changed("condition: selection", "condition: selection selection"), "condition-syntax", "selection", ""),
    (changed("condition: selection", "condition: (selection"), "condition-syntax", "n", ""),
    (changed("condition: selection", "condition: selection & x"), "condition-syntax", "&", ""),
    (changed("condition: selection", "condition: 2 of selection*"), "condition-syntax", "2", "1 of"),
    (changed("condition: selection", "condition: selection | count() > 5"), "condition-old", "| count", "correlation"),
    (changed("condition: selection", "condition: selection or not selection"), "always-true", "selection or not selection", ""),
    (changed("condition: selection", "condition: selection and not selection"), "never-true", "selection and not selection", ""),
    (WITH_FILTER.replace("selection and not filter", "1 of them"), "counts-a-filter", "them", ""),
    (WITH_FILTER.replace("selection and not filter", "selection"), "unused-selection", "filter", ""),
    (WITH_FILTER.replace("selection and not filter", "not all of *"), "not-all-of", "not all of *", "not 1 of *"),
    (WITH_FILTER.replace("selection and not filter", "selection or selection and filter"), "mixed-and-or", "s", ""),
    (changed("    condition", "    timeframe: 5m\n    condition"), "timeframe", "timeframe", "correlation"),
    (changed("    condition: selection\n", ""), "missing-key", "s", ""),
    (changed("        Image|endswith: '\\certutil.exe'\n        CommandLine|contains: 'urlcache'\n", "        {}\n"), "empty-selection", "{", ""),
    (selecting("Image: {a: b}"), "selection-form", "{", ""),
    (selecting("Image: [{a: b}]"), "selection-form", "{", ""),
]  # fmt: skip
FILES = [
    ("a: [b", "not-yaml", None, "bracket"),
    ("", "empty", None, ""),
    ("[" * 100, "too-large", None, ""),
    ("- a\n", "not-a-rule", None, ""),
    ("title: x\ndetections: {}\n", "not-a-rule", None, "detection"),
    (GOOD.replace("\n", "\r\n", 3), "line-ends", None, ""),
    (GOOD.replace("status: test", "status:\ttest"), "tab", None, ""),
    (GOOD + "# amagasa: allow no-such-thing\n", "unknown-allow", "no-such-thing", ""),
]
ALL = [*HEADS, *MODIFIERS, *VALUES, *FIELDS, *EXPRESSIONS, *CONDITIONS, *FILES]


@pytest.mark.parametrize(("text", "code", "at", "hint"), ALL, ids=[f"{n}-{one[1]}" for n, one in enumerate(ALL)])
def test_lint_of_a_rule_with_one_fault_says_so_at_its_place(text: str, code: str, at: str | None, hint: str) -> None:
    found = [one for one in findings_of(text) if one.code == code]
    assert found, [(one.code, one.what) for one in findings_of(text)]
    if at is not None:
        assert at in {pointed_at(text, one) for one in found}
    assert any(hint in one.hint + one.expected for one in found)


def test_lint_of_a_good_rule_says_nothing() -> None:
    assert codes_of(GOOD) == []


# What looks odd and is meant: none of these may be spoken of.
@pytest.mark.parametrize(
    "items",
    [
        "Image|endswith: ['\\cmd.exe', '\\powershell.exe']",
        "Image: ['System', 'C:\\Windows\\explorer.exe', null, '']",
        "CommandLine|contains|windash: ' -urlcache'",
        "CommandLine|contains: ['C:\\Users\\\\*\\AppData', '\\\\\\\\host\\share']",
        "CommandLine|base64offset|contains: 'http://'",
        "CommandLine|wide|base64offset|contains: 'http://'",
        "CommandLine|re|i: 'reg(\\.exe)?\\s+save\\s.*hklm'",
        "CommandLine|contains: '/path\\?query=1'",
        "CommandLine|contains: '%TEMP%'",
        "CommandLine|contains: ['👩\u200d🚀 abc']",
        "CommandLine|contains|all: ['reg ', ' save ']",
        "ProcessId|gt: 4",
        "Hashes|contains: 'MD5=d41d8cd98f00b204e9800998ecf8427e'",
        "TargetUserName|exists: true",
        "Image|fieldref|endswith: OriginalFileName",
    ],
)
def test_lint_of_what_is_meant_says_nothing(items: str) -> None:
    assert codes_of(selecting(items)) == []


def test_lint_reads_values_one_for_one_in_quotes_with_escapes() -> None:
    text = selecting("CommandLine|re: 'it''s a(?=b)'")
    assert pointed_at(text, only(text, "regex-not-linear")) == "'it''s a(?=b)'"


def test_comment_on_a_line_allows_a_finding_there_alone() -> None:
    text = selecting("CommandLine|contains: no # amagasa: allow yaml-type -- the word\nParentCommandLine|contains: no")
    assert [one.place.line for one in findings_of(text)] == [text[: text.index("ParentCommandLine")].count("\n") + 1]


def test_comment_of_its_own_allows_a_finding_everywhere() -> None:
    text = (
        selecting("CommandLine|contains: no\nParentCommandLine|contains: no") + "# amagasa: allow yaml-type, padded\n"
    )
    assert codes_of(text) == []


def test_comment_does_not_allow_an_error() -> None:
    text = changed("level: high", "level: hgih # amagasa: allow unknown-level")
    assert codes_of(text) == ["unknown-level"]


def test_lint_of_several_documents_keeps_their_findings_apart() -> None:
    first, second = lint(GOOD + "---\n" + changed("high", "hgih"))
    assert [one.code for one in first.findings] == []
    assert [(one.code, one.place.line) for one in second.findings] == [("unknown-level", GOOD.count("\n") * 2 + 1)]


def test_lint_of_a_collection_takes_what_is_global_into_each_rule() -> None:
    shared = "action: global\n" + GOOD[: GOOD.index("detection")]
    rest = "---\n" + GOOD[GOOD.index("detection") :]
    (one,) = lint(shared + rest)
    assert (one.kind, one.title, one.findings) == ("rule", "Certutil fetches a file", ())


def test_lint_of_a_hostile_document_gives_a_bounded_answer() -> None:
    values = "\n".join(f"    - no{'' if n % 2 else ' '}" for n in range(5_000))
    (one,) = lint(selecting(f"CommandLine|contains:\n{values}"))
    assert len(one.findings) == 300


HOSTILE = [
    "[" * 200_000,
    "- " * 100_000,
    "a: " * 50_000,
    "{" * 1_000 + "}" * 1_000,
    "a: &a [*a]",
    "a: &a {x: *a}",
    "&a [&b [&c [*a, *b]]]",
    "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [{','.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)),
    "a: !!python/object/apply:os.system ['true']",
    "? [complex, key]\n: value",
    "detection: {condition: " + "(" * 5_000 + "}",
    "detection: {a: {b: c}, condition: " + "not " * 5_000 + "a}",
    "title: x\ndetection:\n  a: {b|re: '" + "(" * 3_000 + "'}\n  condition: a",
    "title: x\ndetection:\n  a: {b|re: '" + "(a*)*" * 500 + "'}\n  condition: a",
    "\ufeff\ufefftitle: x",
    "title: \ud800",
    "\x00",
    "%YAML 3.0\n---\na",
    "<<: *x",
    "a: {<<: [1, 2]}",
    "detection: [[[[[[a]]]]]]",
    "detection: {a: [[[[[b]]]]], condition: a}",
    "id: " + "1" * 5_000,
    "level: " + "9" * 100_000,
    "date: 9999-99-99",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_lint_of_a_hostile_text_answers_with_places_in_it(text: str) -> None:
    lines = text.split("\n")
    for one in findings_of(text):
        assert 1 <= one.place.line <= len(lines) + 1
        assert one.place.column >= 1
        assert one.grade in Grade


FRAGMENTS = st.sampled_from(
    ["title", "detection", "selection", "condition", ": ", "\n", "    ", "- ", "'", '"', "|re", "|all", "*", "\\", "(", ")",
     "1 of ", "not ", "and ", "{", "}", "[", "]", "#", "&a ", "*a ", "null", "0x1", "level", "\t", "日本", "%x%", "---\n", "> \n"]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_lint_of_any_text_made_of_yaml_answers(text: str) -> None:
    for one in findings_of(GOOD + text):
        assert one.place.line >= 1


@given(st.text(max_size=60))
def test_lint_of_any_value_answers(value: str) -> None:
    quoted = value.replace("'", "''").replace("\n", " ").replace("\r", " ")
    for modifier in ("", "|contains", "|re", "|cidr", "|windash|contains", "|expand"):
        for one in findings_of(selecting(f"CommandLine{modifier}: '{quoted}'")):
            assert one.what


@pytest.mark.parametrize("text", [r"TargetObject|startswith: 'HKCR\ms-msdt\'", "Image: 'vmmem'"])
def test_what_sysmon_does_write_is_not_called_impossible(text: str) -> None:
    """Sysmon shortens HKEY_CLASSES_ROOT to HKCR, and gives the memory of virtual machines a name without a path."""
    assert "never-equal" not in codes_of(selecting(text))


def test_every_code_is_told_of_in_japanese_too() -> None:
    assert list(ABOUT_JA) == list(LINTS)

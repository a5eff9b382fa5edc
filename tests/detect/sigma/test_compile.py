"""Every modifier and every odd value, through the whole path: YAML, plan, a line of JSON, evaluation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.sigma.compile import compile_rules
from amagasa.detect.sigma.rule import Predicate
from amagasa.event.record import LogSource
from amagasa.vocab.severity import Level
from tests.detect.cases import does_match, found, plan_for, rule_text

S: dict[str, Any] = {"condition": "s"}


def fires(item: Any, **fields: Any) -> bool:
    return does_match({"s": item, "condition": "s"}, **fields)


@pytest.mark.parametrize(
    ("item", "value", "is_match"),
    [
        ({"A": "cmd"}, "CMD", True),
        ({"A": "cmd"}, "cmd ", False),
        ({"A": ""}, "", True),
        ({"A": ""}, "x", False),
        ({"A|contains": "wer"}, "PoWeRshell", True),
        ({"A|contains": ["x", "shell"]}, "powershell", True),
        ({"A|contains|all": ["x", "shell"]}, "powershell", False),
        ({"A|contains|all": ["p", "shell"]}, "powershell", True),
        ({"A|startswith": "-e"}, "-Enc", True),
        ({"A|startswith": "e"}, "-Enc", False),
        ({"A|endswith": r"\cmd.exe"}, r"C:\x\CMD.EXE", True),
        ({"A|endswith": r"\cmd.exe"}, r"C:\x\cmd.exe\n", False),
        ({"A|endswith": "exe"}, "a.exe\n", False),
        ({"A": "a*c"}, "a\nbc", True),
        ({"A": "a?c"}, "aäc", True),
        ({"A": "a?c"}, "ac", False),
        ({"A": "*"}, "", True),
        ({"A": "?*"}, "", False),
        ({"A": r"a\*c"}, "a*c", True),
        ({"A": r"a\*c"}, "abc", False),
        ({"A": r"a\\*"}, r"a\bc", True),
        ({"A": r"a\\*"}, "abc", False),
        ({"A": r"a\?c"}, "a?c", True),
        ({"A": r"c:\windows"}, r"C:\Windows", True),
        ({"A|contains": r"\\srv"}, r"\srv", True),
        ({"A|cased": "Cmd"}, "cmd", False),
        ({"A|cased": "Cmd"}, "Cmd", True),
        ({"A|contains|cased": "Cmd"}, "xCmdx", True),
        ({"A|contains|cased": "Cmd"}, "xcmdx", False),
        ({"A|re": "^a+$"}, "aaa", True),
        ({"A|re": "^a+$"}, "AAA", False),
        ({"A|re": "b"}, "abc", True),
        ({"A|re|i": "^a+$"}, "AAA", True),
        ({"A|re": "^b"}, "a\nb", False),
        ({"A|re|m": "^b"}, "a\nb", True),
        ({"A|re": "a.b"}, "a\nb", False),
        ({"A|re|s": "a.b"}, "a\nb", True),
        ({"A|re": "^.{2}$"}, "äö", True),
        ({"A|re": "^$"}, "", True),
        ({"A|re": "x{300}.{0,400}y{300}"}, "x" * 300 + "ä" * 400 + "y" * 300, True),
        ({"A|cidr": "10.0.0.0/8"}, "10.255.1.2", True),
        ({"A|cidr": "10.0.0.0/8"}, "11.0.0.1", False),
        ({"A|cidr": "10.0.0.0/8"}, "::ffff:10.1.1.1", True),
        ({"A|cidr": "10.0.0.0/8"}, "10.1", False),
        ({"A|cidr": "fe80::/10"}, "fe80::1%eth0", True),
        ({"A|base64": "foobar"}, "Zm9vYmFy", True),
        ({"A|base64offset|contains": "foobar"}, "AZvb2Jhcg", True),
        ({"A|base64offset|contains": "foobar"}, "xZm9vYmFy", True),
        ({"A|wide|base64offset|contains": "ping"}, "cABpAG4AZwA=", True),
        ({"A|contains|windash": "-enc"}, "x /enc", True),
        ({"A|contains|windash": "-enc"}, "x -enc", True),
        ({"A|contains|windash": "-enc"}, "x \u2013enc", True),
        ({"A|contains|windash": "-enc"}, "x \u2014enc", True),
        ({"A|contains|windash": "-enc"}, "x \u2015enc", True),
        ({"A|contains|windash": "-enc"}, "x +enc", False),
        ({"A|lt": 5}, 4, True),
        ({"A|lt": 5}, "4", True),
        ({"A|lt": 5}, 5, False),
        ({"A|lte": 5}, "5.0", True),
        ({"A|gt": 5}, "five", False),
        ({"A|gte": 5}, 5.5, True),
        ({"A": 4688}, "4688", True),
        ({"A": 4688}, 4688, True),
        ({"A": "1"}, 1, True),
        ({"A": 1}, True, False),
        ({"A": True}, True, True),
        ({"A": True}, "TRUE", True),
        ({"A": 1}, 1.0, True),
        ({"A": "0x10"}, 16, False),
        ({"A": None}, "", False),
        ({"A|exists": True}, "", True),
        ({"A|exists": False}, "", False),
        ({"A|contains": "b"}, ["a", "b"], True),
        ({"A|contains": "b"}, ["a", None], False),
        ({"A|contains": "\u212a"}, "\u212a", True),
    ],
)
def test_rule_of_one_item_matches_as_sigma_says(item: Any, value: Any, is_match: Any) -> None:
    assert fires(item, A=value) is is_match


def test_kelvin_sign_is_no_k_and_long_s_no_s() -> None:
    assert not fires({"A": "kill"}, A="\u212aill")
    assert not fires({"A": "\u212aill"}, A="kill")
    assert not fires({"A|contains": "su"}, A="\u017fu")
    assert fires({"A": "ÄΣ"}, A="äσ")


def test_null_matches_missing_and_null_alone() -> None:
    assert fires({"A": None, "B": "x"}, B="x")
    assert fires({"A": None, "B": "x"}, A=None, B="x")
    assert not fires({"A": None, "B": "x"}, A="", B="x")


def test_exists_false_matches_missing_and_not_null() -> None:
    assert fires({"A|exists": False, "B": "x"}, B="x")
    assert not fires({"A|exists": False, "B": "x"}, A=None, B="x")
    assert fires({"A|exists": True}, A=None)


@pytest.mark.parametrize(
    ("modifier", "left", "right", "is_match"),
    [
        ("fieldref", "x", "X", True),
        ("fieldref", "x", "y", False),
        ("fieldref|startswith", "xyz", "XY", True),
        ("fieldref|endswith", "xyz", "YZ", True),
        ("fieldref|contains", "xyz", "Y", True),
        ("fieldref|contains", "xyz", "q", False),
    ],
)
def test_field_reference_compares_two_fields(modifier: str, left: str, right: str, is_match: Any) -> None:
    assert fires({f"A|{modifier}": "B"}, A=left, B=right) is is_match


def test_field_reference_to_a_missing_field_never_matches() -> None:
    assert not fires({"A|fieldref": "B"}, A="x")
    assert not fires({"A|fieldref": "B", "C": "y"}, C="y")


@pytest.mark.parametrize(
    ("condition", "is_match"),
    [
        ("1 of sel_*", True),
        ("all of sel_*", False),
        ("1 of them", True),
        ("not all of sel_*", True),
        ("sel_a and not sel_b", True),
        ("sel_b or sel_a", True),
        ("not (sel_a or sel_b)", False),
        ("not sel_b", True),
        ("sel_a and (sel_b or not sel_b)", True),
    ],
)
def test_condition_joins_selections(condition: str, is_match: Any) -> None:
    detection = {"sel_a": {"A": "x"}, "sel_b": {"A": "y"}, "condition": condition}
    assert does_match(detection, A="x") is is_match


@pytest.mark.parametrize(
    ("keywords", "is_match"),
    [
        (["mimi"], True),
        (["kiwi", "MIMIKATZ"], True),
        (["kiwi"], False),
        ({"|all": ["mimikatz", "lsass"]}, True),
        ({"|all": ["mimikatz", "kiwi"]}, False),
        (["mimi*tz"], True),
        ({"|re": "mimi.atz"}, True),
        ([4242], True),
        (["Image"], False),
        ([r"c:\tools"], True),
        (["x"], False),
        (['say "hi"'], True),
    ],
)
def test_keywords_are_found_in_any_value_and_in_no_key(keywords: Any, is_match: Any) -> None:
    fields = {"Image": r"C:\Tools\mimikatz.bin", "Other": {"deep": ['lsass say "hi"', 4242]}}
    assert does_match({"k": keywords, "condition": "k"}, **fields) is is_match


def test_keyword_hidden_behind_escapes_is_found() -> None:
    from_escape = rb'{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","A":"\u006d\u0069mikatz"}'
    from_letters = from_escape.replace(rb"\u006d\u0069", b"mi")
    plan = plan_for({"k": ["mimikatz"], "condition": "k"})
    assert [one.record for one in found(plan, [from_escape, b"{}", from_letters])] == [1, 3]


def test_keyword_rule_with_a_negation_keeps_its_meaning() -> None:
    detection = {"k": ["mimikatz"], "s": {"A": "x"}, "condition": "s and not k"}
    assert does_match(detection, A="x")
    assert not does_match(detection, A="x", B="mimikatz")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [b", "not YAML"),
        ("", "empty"),
        ("- a\n- b", "mapping"),
        ("title: t\nlogsource: {product: windows}\n", "detection"),
        (rule_text({"s": {"A|expand": "%users%"}, **S}), "placeholder %users%"),
        (rule_text({"s": {"A|nonsense": "x"}, **S}), "nonsense"),
        (rule_text({"s": {"A|re": "(?<=a)b"}, **S}), "linear time"),
        (rule_text({"s": {"A|re": "("}, **S}), "linear time"),
        (rule_text({"s": {"A|re": r"(a)\1"}, **S}), "linear time"),
        (rule_text({"s": {"A": "x"}, "condition": "s | count() > 5"}), "pipe"),
        (rule_text({"s": {"A": "x"}, "condition": "s and t"}), "'t'"),
        ("title: c\ncorrelation: {type: event_count}\n", "no `condition`"),
        ("title: f\nfilter: {rules: [a]}\nlogsource: {product: windows}\n", "one condition"),
        ("x: &a [1,1]\ny: *b\n", "not YAML"),
        ("a: " + "[" * 5000, "YAML"),
    ],
)
def test_rule_that_cannot_run_is_a_fault_with_its_reason(text: str, why: str) -> None:
    rules, faults = compile_rules([("bad.yml", text), ("good.yml", rule_text({"s": {"A": "x"}, **S}))])
    assert len(rules) == 1
    assert [fault.path for fault in faults] == ["bad.yml"]
    assert why in faults[0].why


def test_document_of_several_rules_gives_each() -> None:
    text = rule_text({"s": {"A": "x"}, **S}) + "---\n" + rule_text({"s": {"A": "y"}, **S})
    rules, faults = compile_rules([("two.yml", text)])
    assert (len(rules), faults) == (2, ())
    assert rules[0].id != rules[1].id


def test_global_action_is_shared_by_the_documents_after_it() -> None:
    shared = "action: global\ntitle: t\nlevel: high\n---\n"
    text = shared + "logsource: {service: sysmon, product: windows}\ndetection: {s: {A: x}, condition: s}\n"
    rules, faults = compile_rules([("g.yml", text)])
    assert faults == ()
    assert rules[0].level is Level.HIGH


def test_rule_carries_its_description() -> None:
    tags = ["attack.t1003.001", "attack.credential-access", "cve.2020-1472"]
    text = rule_text({"s": {"A": "x"}, **S}, tags=tags, level="critical", id="929a690e-bef0-4204-a928-ef5e620d6fcc")
    (rule,), _ = compile_rules([("a.yml", text)], origin="identity--x")
    assert rule.id == "929a690e-bef0-4204-a928-ef5e620d6fcc"
    assert (rule.level, rule.path, rule.origin) == (Level.CRITICAL, "a.yml", "identity--x")
    assert (rule.techniques, rule.tactics) == (("T1003.001",), ("credential-access",))
    assert rule.logsource == LogSource(category="process_creation", product="windows")


def test_level_absent_is_medium() -> None:
    (rule,), _ = compile_rules([("a.yml", rule_text({"s": {"A": "x"}, **S}))])
    assert rule.level is Level.MEDIUM


def test_deletion_rule_does_not_take_a_creation_of_the_same_identifier() -> None:
    text = rule_text(
        {"s": {"TargetObject|contains": "run"}, **S}, logsource={"product": "windows", "category": "registry_delete"}
    )
    (rule,), _ = compile_rules([("a.yml", text)])
    assert any(atom.field == "EventType" and atom.predicate is Predicate.EQUALS for atom in rule.atoms)


@given(st.text(max_size=400))
def test_any_text_gives_rules_or_faults(text: str) -> None:
    rules, faults = compile_rules([("x.yml", text)])
    assert len(rules) + len(faults) >= 1

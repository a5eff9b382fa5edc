"""YAML with rules in it: collections, what stands twice, what would grow without end."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.detect.sigma.compile import compile_all, compile_rules
from amagasa.detect.sigma.document import mappings_of
from amagasa.vocab.severity import Level
from tests.detect.cases import rule_text

HEAD = "title: t\nlogsource: {product: windows}\n"
GLOBAL = "action: global\ntitle: shared\nlevel: high\ndetection: {condition: s}\n---\n"


def test_global_part_goes_over_every_rule_behind_it() -> None:
    parts = [f"logsource: {{service: {name}}}\ndetection: {{s: {{A: {name}}}}}\nlevel: low\n" for name in "ab"]
    rules, faults = compile_rules([("c", GLOBAL + "---\n".join(parts))])
    assert faults == ()
    assert [(rule.title, rule.level, rule.logsource.service) for rule in rules] == [
        ("shared", Level.HIGH, "a"),
        ("shared", Level.HIGH, "b"),
    ]


def test_reset_ends_what_is_global() -> None:
    text = GLOBAL + "action: reset\n---\n" + HEAD + "detection: {s: {A: x}, condition: s}\n"
    (rule,), _ = compile_rules([("c", text)])
    assert (rule.title, rule.level) == ("t", Level.MEDIUM)


def test_repeat_is_the_rule_before_with_changes() -> None:
    first = HEAD + "detection: {s: {A: x}, condition: s}\n"
    text = first + "---\naction: repeat\ntitle: again\ndetection: {s: {B: y}}\n---\naction: repeat\nlevel: low\n"
    rules, faults = compile_rules([("c", text)])
    assert faults == ()
    assert [(rule.title, len(rule.atoms), rule.level) for rule in rules] == [
        ("t", 1, Level.MEDIUM),
        ("again", 2, Level.MEDIUM),
        ("again", 2, Level.LOW),
    ]


def test_action_which_nobody_knows_is_a_fault_and_the_others_load() -> None:
    good = HEAD + "detection: {s: {A: x}, condition: s}\n"
    rules, faults = compile_rules([("c", f"action: dance\n---\n{good}")])
    assert len(rules) == 1
    assert "no action dance" in faults[0].why


def test_filter_beside_rules_takes_nothing_of_what_is_global() -> None:
    text = GLOBAL + "logsource: {product: windows}\nfilter: {rules: any, s: {A: x}, condition: not s}\ntitle: own\n"
    assert compile_all([("c", text)]).filters[0].title == "own"


@pytest.mark.parametrize("key", ["A", "A|contains", "condition"])
def test_key_that_stands_twice_is_a_fault(key: str) -> None:
    inner = f"{key}: x, {key}: y"
    text = HEAD + (
        "detection: {s: {A: x}, " + inner + "}"
        if key == "condition"
        else f"detection: {{s: {{{inner}}}, condition: s}}"
    )
    _, faults = compile_rules([("c", text)])
    assert f"the key {key} stands twice" in faults[0].why
    assert "line 3" in faults[0].why


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "detection:\n  s: &a [*a]\n  condition: s\n",
        HEAD + "detection: {s: {A: &a [*a]}, condition: s}\n",
        BOMB + HEAD + "detection: {s: *i, condition: s}\n",
        BOMB,
    ],
)
def test_aliases_without_end_are_a_fault(text: str) -> None:
    _, faults = compile_rules([("c", text)])
    assert "aliases" in faults[0].why


@pytest.mark.parametrize("depth", [60, 600, 6_000])
@pytest.mark.parametrize(
    "form",
    [
        HEAD + "detection: {s: OPENCLOSE, condition: s}\n",
        HEAD + "detection: {s: {A: x}, condition: '<s>'}\n",
        HEAD + "x: OPENCLOSE\nid: ''\ndetection: {s: {A: '%'}, t: {A|x: y}, condition: s}\n",
        "action: global\nx: OPENCLOSE\n---\nx: OPENCLOSE\n" + HEAD,
    ],
    ids=["selection", "condition", "beside", "global"],
)
def test_deep_document_is_a_fault_and_no_crash(form: str, depth: int) -> None:
    for opened, closed in ("[]", ("{a: ", "}")):
        text = form.replace("OPEN", opened * depth).replace("CLOSE", closed * depth)
        assert compile_all([("c", text.replace("<", "(" * depth).replace(">", ")" * depth))]).faults


def test_alias_that_is_small_is_read() -> None:
    text = HEAD + "detection:\n  s: &s {A: x}\n  t: {B: y}\n  u: [*s, {C: z}]\n  condition: u and not t\n"
    (rule,), faults = compile_rules([("c", text)])
    assert (len(rule.atoms), faults) == (3, ())


def test_date_in_a_detection_is_the_text_as_written() -> None:
    (rule,), _ = compile_rules([("c", HEAD + "detection: {s: {A: 2024-01-02}, condition: s}\n")])
    assert rule.atoms[0].value == "2024-01-02"


def test_rule_without_identifier_gets_one_that_its_text_decides() -> None:
    texts = [rule_text({"s": {"A": value}, "condition": "s"}) for value in "xxy"]
    one, again, other = (compile_rules([(str(place), text)])[0][0].id for place, text in enumerate(texts))
    assert one == again != other
    assert len(one) == 32


KEYS = [
    "detection",
    "filter",
    "logsource",
    "condition",
    "s",
    "A|re",
    "rules",
    "product",
    "related",
    "id",
    "tags",
    "title",
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["s", "not s", "any", "", "(", "%x%"])
)
structures = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | scalars, inner, max_size=5),
)


@settings(max_examples=400)
@given(structures)
def test_any_structure_gives_a_rule_a_filter_or_a_fault(structure: object) -> None:
    compiled = compile_all([("c", yaml.safe_dump(structure))])
    assert len(compiled.rules) + len(compiled.filters) + len(compiled.faults) == 1


@given(st.text(max_size=300))
def test_any_text_gives_mappings_or_problems(text: str) -> None:
    assert isinstance(list(mappings_of(text)), list)

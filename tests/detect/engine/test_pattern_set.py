import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.engine.pattern_set import ANY_CHARACTER, AT_END, CHOSEN_BY_RULE, FOLDED, PatternSet, refusal
from amagasa.detect.folding import escaped

letters = st.text(alphabet="ab.\\\n\0ä", min_size=1, max_size=4)
kinds = st.sampled_from(["in", "start", "end", "glob"])


def pattern_of(kind: str, text: str) -> tuple[str, int]:
    if kind == "end":
        return escaped(text), FOLDED | AT_END
    if kind == "start":
        return r"\A" + escaped(text), FOLDED
    if kind == "glob":
        return rf"\A(?:{escaped(text)}.*{escaped(text)})", ANY_CHARACTER | AT_END
    return escaped(text), FOLDED


def is_in(kind: str, text: str, subject: str) -> bool:
    if kind == "end":
        return subject.endswith(text)
    if kind == "start":
        return subject.startswith(text)
    if kind == "glob":
        return re.fullmatch(f"{re.escape(text)}.*{re.escape(text)}", subject, re.DOTALL) is not None
    return text in subject


@given(st.lists(st.tuples(kinds, letters), max_size=6), st.lists(letters, max_size=6))
def test_search_finds_what_plain_text_functions_find(wanted: list[tuple[str, str]], parts: list[str]) -> None:
    subject = "".join(parts)
    patterns = PatternSet([pattern_of(kind, text) for kind, text in wanted], {}, {})
    expected = [place for place, (kind, text) in enumerate(wanted) if is_in(kind, text, subject)]
    assert sorted(set(patterns.search(subject.encode()))) == expected


def test_one_refused_expression_leaves_the_others_at_their_places() -> None:
    wanted = [
        ("a", FOLDED),
        (r"(b)\1", CHOSEN_BY_RULE),
        ("c", FOLDED | AT_END),
        ("d.{0,900}e", CHOSEN_BY_RULE),
        ("f", FOLDED),
    ]
    patterns = PatternSet(wanted, {}, {})
    assert list(patterns.refused) == [1]
    assert sorted(patterns.search(b"a bb d" + b"x" * 800 + b"e f c")) == [0, 2, 3, 4]
    assert sorted(patterns.search(b"c f")) == [4]


@pytest.mark.parametrize(
    "expression",
    [
        r"(a|aa)+$",
        r"(x+x+)+y",
        r"(.*a){20}",
        r"(a?){500}a{500}",
        r".{0,900}b.{0,900}c",
        r"(.{1,200}[ab]){5}",
        "(a.*b.*c.*){30}",
    ],
)
@pytest.mark.timeout(20)
def test_catastrophic_expression_ends_on_a_megabyte(expression: str) -> None:
    assert refusal(expression, CHOSEN_BY_RULE) is None
    patterns = PatternSet([(expression, CHOSEN_BY_RULE)], {}, {})
    for subject in (b"a" * 1_000_000, b"x" * 1_000_000, b"ab1 cx" * 160_000):
        patterns.search(subject)


@pytest.mark.parametrize("expression", [r"(a)\1", "(?<=a)b", "a(?!b)", "(?>a+)b(?=c)", "a{100000}"])
def test_expression_of_no_linear_time_is_refused(expression: str) -> None:
    assert refusal(expression, CHOSEN_BY_RULE)


@pytest.mark.parametrize(
    "expression",
    [
        r"(?i)frombase64string.{0,400}(invoke|iex)|(deflatestream|gzipstream).{0,400}frombase64",
        r"(\w{1,20}\.){1,12}x",
        r"=[^&]{0,200}(union|select).{0,300}from",
    ],
)
def test_expression_that_takes_seconds_to_compile_is_left_to_the_other_engine(expression: str) -> None:
    made: dict[str, bytes] = {}
    patterns = PatternSet([("needle", FOLDED), (expression, CHOSEN_BY_RULE), ("hay$", CHOSEN_BY_RULE)], {}, made)
    assert [place for place, _ in patterns._alone] == [1]
    assert sorted(patterns.search(b"needle in the hay")) == [0, 2]
    assert refusal(expression, CHOSEN_BY_RULE) is None


def test_expression_left_to_the_other_engine_is_found_at_its_place() -> None:
    patterns = PatternSet([("x", FOLDED), (r"a.{0,90}b", CHOSEN_BY_RULE), ("y", FOLDED | AT_END)], {}, {})
    assert sorted(patterns.search(b"a 12 b y")) == [1, 2]
    assert patterns.search(b"y a") == []


@pytest.mark.parametrize(
    ("literals", "text"),
    [
        (["é\\cbxé", "ca", "\\ed---"], "\\bbae x ed za eabca"),
        (["baa.a", "--edx", "ba", ".\\c\\\\\\"], "-cbxé.a.ée éqze\\bézzba"),
        (["-ec.\\-d", "xace", "d-x-aaa", "c-cé", ".xx.é--", "beae.x"], "q\x00-db.aaz\x00- z-c-cé"),
        (["ä", "true", "a"], "on/opea\x00b\x00a\x00g\x00i\x00a\x00y\x00w\x00a\x00=\x00\nä"),
    ],
)
@pytest.mark.parametrize("flags", [FOLDED, FOLDED | AT_END])
def test_literal_that_ends_with_the_text_is_found_whatever_stands_beside_it(
    literals: list[str], text: str, flags: int
) -> None:
    patterns = PatternSet([(escaped(literal), flags) for literal in literals], {}, {})
    wanted = {literal for literal in literals if (text.endswith(literal) if flags & AT_END else literal in text)}
    assert {literals[place] for place in patterns.search(text.encode())} == wanted


words = st.text("abc.\\é\x00\n", min_size=1, max_size=4)


@given(st.lists(words, min_size=1, max_size=8, unique=True), st.text("abcd.\\é\x00\n", max_size=20), st.data())
def test_set_finds_what_python_finds(literals: list[str], text: str, data: st.DataObject) -> None:
    literals.sort()
    text += data.draw(st.sampled_from(["", *literals]))
    patterns = PatternSet([(escaped(literal), FOLDED) for literal in literals], {}, {})
    assert {literals[place] for place in patterns.search(text.encode())} == {one for one in literals if one in text}


@pytest.mark.parametrize(
    ("expression", "text", "is_found"),
    [("a$", "xa", True), ("^$", "", True), ("a[^b]", "a", False), ("a\\s", "a", False), ("(?s)a.", "a", False)],
)
def test_byte_behind_the_text_is_no_part_of_it(expression: str, text: str, *, is_found: bool) -> None:
    assert bool(PatternSet([(expression, CHOSEN_BY_RULE)], {}, {}).search(text.encode())) is is_found

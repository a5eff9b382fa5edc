import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amagasa.detect.engine.automaton import (
    HEAD_MARK,
    MAX_POSITIONS,
    TAIL_MARK,
    Automaton,
    automaton_of,
    min_length,
    packed,
)
from amagasa.detect.engine.expression import Letter, tree_of
from amagasa.detect.engine.literals import NOTHING, AllOf, Need, OneOf, need_of
from amagasa.detect.folding import fold

LETTERS = "abAB1 .\\-"
atoms = st.sampled_from(
    ["a", "b", "A", "1", r"\.", r"\\", " ", ".", "[ab]", "[^a]", "[a-c1]", r"\d", r"\w", r"\s", r"\S", r"\x41", "[Aa]"]
)
counts = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{1,3}", "{0,2}", "{9,}", "+?", "*?"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    rows = st.lists(inner, min_size=1, max_size=4).map("".join)
    groups = st.builds(lambda start, text, count: f"{start}{text}){count}", st.sampled_from(["(", "(?:"]), rows, counts)
    choices = st.lists(rows, min_size=2, max_size=3).map("|".join).map("(?:{})".format)
    return rows | groups | choices


expressions = st.builds(
    lambda flags, head, body, tail: flags + head + body + tail,
    st.sampled_from(["", "", "(?i)", "(?im)"]),
    st.sampled_from(["", "", "^", r"\A"]),
    st.recursive(st.builds("".join, st.tuples(atoms, counts)), grown, max_leaves=8),
    st.sampled_from(["", "", "$"]),
)
texts = st.text(alphabet=LETTERS, max_size=20) | st.sampled_from(["a\n", "\n", "ab\n", "a\nb"])


def is_met(need: Need, text: str) -> bool:
    if isinstance(need, str):
        return need in text
    met = [is_met(part, text) for part in need.parts]
    return all(met) if isinstance(need, AllOf) else any(met)


def arrives(automaton: Automaton, text: str) -> bool:
    """What the native half does, plainly."""

    def after(here: int) -> int:
        reached = automaton.first
        for place, follow in enumerate(automaton.follow):
            if here >> place & 1:
                reached |= follow
        return reached

    def taking(mark: int) -> int:
        return sum(1 << place for place, mask in enumerate(automaton.masks) if mask >> mark & 1)

    here = automaton.first & taking(HEAD_MARK)
    reached = here
    for mark in [*map(ord, text), TAIL_MARK]:
        here = after(here) & taking(mark)
        reached |= here
    return bool(reached & automaton.last) and len(text) >= automaton.min_length


@settings(max_examples=600)
@given(expressions, texts)
@example("a$", "a\n")
@example("(?i)[^A]b", "xB")
@example("^a|b$", "cb")
@example("(^a{4}$)|(^b{8}$)", "aaaa")
def test_text_that_matches_is_never_told_apart(expression: str, text: str) -> None:
    if re.search(expression, text) is None:
        return
    folded = fold(text)
    assert is_met(need_of(expression), folded)
    tree = tree_of(expression)
    automaton = automaton_of(tree) if tree is not None else None
    assert automaton is None or arrives(automaton, folded)


@pytest.mark.parametrize(
    ("expression", "need"),
    [
        (r"foo.*(bar|baz+)\d?", AllOf(("foo", OneOf(("bar", "baz"))))),
        ("[Rr][Uu][Nn]dll32", "rundll32"),
        (r"(?i)ECHO\s+X{3}", "echo"),
        (r"clipboard\]::\(", "clipboard]::("),
        ("clip]::", "clip]::"),
        ("`.*`", "`"),
        ("(ab)?cd", "cd"),
        ("x|yes", NOTHING),
        ("(?=foo)bar", NOTHING),
        (r"\Qab\E", NOTHING),
        ("", NOTHING),
        ("(" * 30 + "ab" + ")" * 30, NOTHING),
    ],
)
def test_need_of_says_what_a_match_must_hold(expression: str, need: Need) -> None:
    assert need_of(expression) == need


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"\s[a-f0-9]{64}\s", " 0123 abc "),
        ("^[a-z]{16}$", "abcdefgh"),
        (r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", "version 1.2"),
        (".{1000,}", "short"),
        ("(^[a-z]{4}$)|(^[a-z]{8}$)", "abcdefg"),
    ],
)
def test_automaton_tells_texts_that_do_not_match(expression: str, text: str) -> None:
    tree = tree_of(expression)
    assert tree is not None
    automaton = automaton_of(tree)
    assert automaton is not None
    assert not arrives(automaton, text)


@pytest.mark.parametrize("expression", ["a*", "", "(a|b?)", "[a-z]{9}" * 65])
def test_automaton_of_what_tells_nothing_or_too_much_is_none(expression: str) -> None:
    tree = tree_of(expression)
    assert tree is not None
    assert automaton_of(tree) is None


def test_min_length_counts_what_must_be_there() -> None:
    tree = tree_of("a{3,5}(bc|d)e?")
    assert tree is not None
    assert min_length(tree) == 4


@pytest.mark.parametrize("expression", ["[z-a]", "a{x}", "[", "(", "a)", r"\p{L}", "*a", "[[:alpha:]]", r"\1", "?"])
def test_tree_of_what_it_does_not_know_is_none(expression: str) -> None:
    assert tree_of(expression) is None


@given(st.text(max_size=30))
def test_tree_of_never_raises(expression: str) -> None:
    tree_of(expression)
    need_of(expression)


def test_letters_hold_small_ones_only() -> None:
    assert tree_of("[A-Z]") == tree_of("[a-z]")
    assert tree_of("Q") == Letter(1 << ord("q"))


@given(st.lists(st.sampled_from(["a{8}", "ab", "[a-z]{7}x", "a{8}b{8}c{8}d{8}"]), max_size=12))
def test_packed_words_hold_every_automaton(expressions: list[str]) -> None:
    made = []
    for code, expression in enumerate(expressions):
        tree = tree_of(expression)
        automaton = automaton_of(tree) if tree is not None else None
        assert automaton is not None
        made.append((automaton, code))
    words = packed(made)
    assert sorted(code for word in words for _, _, code in word.ends) == list(range(len(made)))
    assert all(len(word.masks) <= MAX_POSITIONS for word in words)
    assert sum(len(word.masks) for word in words) == sum(len(one.masks) for one, _ in made)

"""Conditions read as pySigma reads them; any text is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.conditions import SigmaCondition
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetections

from amagasa.detect.lint.condition import Branch, ConditionError, Join, Name, Of, Part, parse, selected

WORDS = ["a", "b", "sel_1", "not", "and", "or", "(", ")", "1 of", "all of", "any of", "them", "sel_*", "AND", "2 of"]
KNOWN = {name: {"x": "y"} for name in ("a", "b", "sel_1", "sel_2", "_c")}


def shape(part: Part) -> object:
    match part:
        case Name():
            return part.word.text
        case Of():
            return ("all" if part.is_all else "1", part.pattern.text)
        case Branch():
            return (part.join.value, *map(shape, part.parts))


def test_and_binds_before_or_and_not_before_and() -> None:
    assert shape(parse("a or not b and sel_1")) == ("or", "a", ("and", ("not", "b"), "sel_1"))


def test_brackets_bind_first() -> None:
    assert shape(parse("(a or b) and not (a)")) == ("and", ("or", "a", "b"), ("not", "a"))


def test_words_know_where_they_stand() -> None:
    part = parse("a and  1 of sel_*")
    assert isinstance(part, Branch)
    assert part.join is Join.AND
    assert isinstance(part.parts[1], Of)
    assert (part.parts[1].at, part.parts[1].pattern.at) == (7, 12)


def test_patterns_leave_out_what_begins_with_an_underscore() -> None:
    assert selected("them", list(KNOWN)) == ["a", "b", "sel_1", "sel_2"]
    assert selected("*", list(KNOWN)) == ["a", "b", "sel_1", "sel_2"]
    assert selected("_*", list(KNOWN)) == ["_c"]
    assert selected("sel_*", list(KNOWN)) == ["sel_1", "sel_2"]


@pytest.mark.parametrize("text", ["", "(", ")", "a b", "not", "a and", "1 of", "of", "a or or b", "(a", "a)", "1 of ("])
def test_condition_outside_of_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


def accepts(text: str) -> bool:
    """Whether pySigma takes the condition over selections that are there."""
    detections = SigmaDetections.from_dict({**KNOWN, "condition": text})
    try:
        SigmaCondition(text, detections).parse()
    except SigmaError:
        return False
    return True


@given(
    st.lists(st.sampled_from([word for word in WORDS if word not in {"AND", "2 of", "any of"}]), min_size=1, max_size=7)
)
def test_condition_is_taken_where_the_oracle_takes_it(words: list[str]) -> None:
    text = " ".join(words)
    try:
        parse(text)
    except ConditionError:
        assert not accepts(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    at = 0
    try:
        parse(text)
    except ConditionError as error:
        at = error.at
    assert 0 <= at <= len(text)

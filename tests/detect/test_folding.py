import re

from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.folding import escaped, fold


@given(st.text())
def test_fold_keeps_the_length_and_is_stable(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(), st.text())
def test_fold_of_a_part_is_a_part_of_the_fold(left: str, right: str) -> None:
    assert fold(left) + fold(right) == fold(left + right)


@given(st.characters(min_codepoint=0x80))
def test_fold_never_makes_ascii_of_another_character(character: str) -> None:
    assert not fold(character).isascii()


@given(st.text())
def test_escaped_text_matches_itself_alone(text: str) -> None:
    assert re.fullmatch(escaped(text), text, re.DOTALL)
    assert "\0" not in escaped(text)

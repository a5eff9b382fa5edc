import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.text import show

ANY = st.text(alphabet=st.characters(), max_size=60)


@given(ANY | st.binary(max_size=300), st.integers(-1, 40))
def test_anything_shown_is_short_and_harmless(value: str | bytes, limit: int) -> None:
    shown = show(value, limit)
    assert len(shown) <= max(limit, 1)
    shown.encode()
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    assert not any(unicodedata.bidirectional(character) in {"RLO", "LRO", "RLE", "LRE", "PDF"} for character in shown)
    assert not any(unicodedata.bidirectional(character) in {"RLI", "LRI", "FSI", "PDI"} for character in shown)


@given(ANY)
def test_text_shown_twice_is_shown_alike(text: str) -> None:
    assert show(show(text)) == show(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain 日本語 é", "plain 日本語 é"),
        ("a\r\n\x1b[31mb\x7f\x85", "a\\x0d\\x0a\\x1b[31mb\\x7f\\x85"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb\u00adc\u061cd\ufe0fe", "a\\u200bb\\u00adc\\u061cd\\ufe0fe"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        (b"a\xff\x00", "a\\xff\\x00"),
        ("", ""),
    ],
)
def test_text_with_traps_is_escaped(value: str | bytes, shown: str) -> None:
    assert show(value) == shown


def test_text_too_long_is_cut_with_an_ellipsis() -> None:
    assert show("a" * 200) == "a" * 200
    assert show("a" * 201) == "a" * 199 + "…"
    assert show("\x00" * 100, 10) == "\\x00\\x00\\…"
    assert show(b"\xe6\x97\xa5" * 1_000_000, 3) == "日日…"

"""Words that alerts and incidents are found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.incident.finding import (
    MAX_ASKED,
    MAX_CHARACTERS,
    MAX_PIECE,
    MAX_REMAINS,
    Sought,
    found_by_of_notes,
    found_by_of_techniques,
    sought_of,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("WIN-DC01.corp", ["win-dc01.corp", "dc01.corp", "corp"]),
        ("203.0.113.9", ["203.0.113.9"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("C:\\Windows\\cmd.exe", ["c:\\windows\\cmd.exe", "windows\\cmd.exe", "cmd.exe", "exe"]),
        ("mori@corp", ["mori@corp", "corp"]),
        ("電力会社", ["電力", "力会", "会社", "社"]),
        ("ｻｰﾊﾞ", ["サー", "ーバ", "バ"]),
        ("東京DC", ["東京", "京", "dc"]),
        ("ＡＢＣ", ["abc"]),
        ('a, (b) 「c」 "d"', ["a", "b", "c", "d"]),
        ("... --- \x00 \ud800", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_what_is_sought_is_a_beginning_or_a_run_of_pairs() -> None:
    assert sought_of("Dc01 電力会 電") == (
        Sought(("dc01",), is_begun=True),
        Sought(("電力", "力会"), is_begun=False),
        Sought(("電",), is_begun=True),
    )


def test_sub_technique_is_found_by_its_technique_too() -> None:
    assert found_by_of_techniques(["T1003.001", "T1003.002"]) == "t1003.001 t1003 t1003.002"
    assert found_by_of_techniques(['x" OR y', "t" * 100]) == ""


def test_newest_notes_are_found_where_there_are_too_many() -> None:
    assert found_by_of_notes(f"note{number}" for number in range(10_000)).split(" ")[0] == "note0"


@given(st.text(max_size=3_000))
def test_words_are_few_short_and_hold_no_quotation_mark(text: str) -> None:
    words = list(words_of(text))
    assert len(words) <= MAX_CHARACTERS * (MAX_REMAINS + 1)
    assert all(0 < len(word) <= MAX_PIECE and '"' not in word and not any(map(str.isspace, word)) for word in words)
    assert len(sought_of(text)) <= MAX_ASKED


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    words = list(words_of(text))
    for one in sought_of(text):
        last = one.words[-1]
        assert any(word.startswith(last) for word in words)

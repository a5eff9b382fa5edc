import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.ids import is_stix_id
from amagasa.vocab.tlp import Tlp, strictest, tlp_of_marking, tlp_of_word


@pytest.mark.parametrize("tlp", Tlp)
def test_marking_is_read_back_from_its_word_label_and_id(tlp: Tlp) -> None:
    assert tlp_of_word(tlp.word) is tlp
    assert tlp_of_word(tlp.label) is tlp
    assert tlp_of_word(f"  {tlp.name} ") is tlp
    assert tlp_of_marking(tlp.marking_id) is tlp
    assert is_stix_id(tlp.marking_id)


def test_markings_are_written_as_first_writes_them() -> None:
    assert [tlp.label for tlp in Tlp] == ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]


def test_markings_of_tlp_1_are_read_as_their_equals() -> None:
    assert tlp_of_word("white") is Tlp.CLEAR
    assert tlp_of_word("TLP:WHITE") is Tlp.CLEAR
    assert tlp_of_marking("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9") is Tlp.CLEAR
    assert tlp_of_marking("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed") is Tlp.RED


@given(st.text())
def test_word_which_is_no_marking_is_none(text: str) -> None:
    found = tlp_of_word(text)
    assert found is None or found.word.split("+")[0] in text.lower() or "white" in text.lower()
    assert tlp_of_marking(text) is None


def test_strictest_is_the_one_which_fewest_may_read() -> None:
    assert strictest([Tlp.GREEN, Tlp.AMBER_STRICT, Tlp.AMBER]) is Tlp.AMBER_STRICT
    assert strictest([]) is None

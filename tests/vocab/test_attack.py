from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.attack import TACTICS, tactics_of, techniques_of


def test_techniques_are_read_from_tags_in_order_each_once() -> None:
    tags = ["attack.t1003.001", "attack.T1190", "attack.execution", "attack.t1003.001", " attack.t1059 "]
    assert techniques_of(tags) == ("T1003.001", "T1190", "T1059")


def test_tags_which_name_no_technique_are_passed_over() -> None:
    tags = [
        "attack.t100",
        "attack.t10031",
        "attack.t1003.1",
        "t1003",
        "cve.2021-44228",
        "attack.t\uff11\uff10\uff10\uff13",
    ]
    assert techniques_of(tags) == ()


def test_tactics_are_read_in_both_spellings_and_in_the_order_of_the_matrix() -> None:
    tags = [
        "attack.impact",
        "attack.defense_evasion",
        "attack.defense-evasion",
        "attack.Initial_Access",
        "attack.g0016",
    ]
    assert tactics_of(tags) == ("initial-access", "defense-evasion", "impact")


def test_tactics_are_named_once_in_the_matrix() -> None:
    assert len(set(TACTICS)) == len(TACTICS) == 19


@given(st.lists(st.text(max_size=30)))
def test_any_tags_are_read(tags: list[str]) -> None:
    assert set(tactics_of(tags)) <= set(TACTICS)
    assert all(name.isascii() and name.startswith("T") for name in techniques_of(tags))

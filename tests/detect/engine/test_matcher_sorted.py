"""What a field's matcher keeps of its sorting, so that the next start neither writes nor sorts its patterns."""

import pytest

from amagasa.detect.engine.matcher import MANY, FieldMatcher, sorted_name
from amagasa.detect.sigma.rule import Atom, Predicate

KINDS = (Predicate.CONTAINS, Predicate.STARTSWITH, Predicate.ENDSWITH, Predicate.EQUALS, Predicate.REGEX)
ATOMS = {
    7 * place: Atom("F", KINDS[place % len(KINDS)], f"w{place:03d}", is_cased=place % 11 == 0)
    for place in range(2 * MANY)
}
VALUES = [
    f"a{head}w{place:03d}{tail}" for place in range(0, 2 * MANY, 3) for head in ("", "x") for tail in ("", "y")
] + [
    *(f"w{place:03d}" for place in range(2 * MANY)),
    *(f"W{place:03d} and more" for place in range(0, 2 * MANY, 5)),
    "",
    "日本",
]
NAME = sorted_name("digest", "F")


def made() -> tuple[FieldMatcher, dict[str, bytes]]:
    kept: dict[str, bytes] = {}
    return FieldMatcher(ATOMS, {}, kept, name=NAME), kept


def test_matcher_by_what_an_earlier_one_kept_holds_the_same_and_makes_nothing() -> None:
    first, kept = made()
    anew: dict[str, bytes] = {}
    second = FieldMatcher(ATOMS, kept, anew, name=NAME)
    assert anew == {}
    assert [second.held(value) for value in VALUES] == [first.held(value) for value in VALUES]
    assert any(first.held(value) for value in VALUES)


@pytest.mark.parametrize("damage", ["cut", "no database", "nothing"])
def test_matcher_of_what_cannot_be_used_is_made_anew(damage: str) -> None:
    first, kept = made()
    if damage == "cut":
        kept[NAME] = kept[NAME][:-5]
    elif damage == "no database":
        kept = {NAME: kept[NAME]}
    else:
        kept[NAME] = b""
    anew: dict[str, bytes] = {}
    second = FieldMatcher(ATOMS, kept, anew, name=NAME)
    assert NAME in anew
    assert [second.held(value) for value in VALUES] == [first.held(value) for value in VALUES]


def test_matcher_of_few_patterns_keeps_no_sorting() -> None:
    kept: dict[str, bytes] = {}
    FieldMatcher(dict(list(ATOMS.items())[:50]), {}, kept, name=NAME)
    assert NAME not in kept


def test_name_differs_by_plan_and_field() -> None:
    assert len({NAME, sorted_name("other", "F"), sorted_name("digest", "G")}) == 3

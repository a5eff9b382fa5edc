import pickle

import pytest

from amagasa.vocab.errors import AmagasaError, BadInputError, DeniedError, WorldError


def test_error_says_what_was_expected_what_came_and_what_happens_next() -> None:
    error = BadInputError("AMG-X", "no such port", expected="0 to 65535", got="a\x1b[2J", then="nothing was started")
    assert str(error) == "no such port; expected 0 to 65535; got a\\x1b[2J; nothing was started [AMG-X]"


def test_error_without_parts_is_one_sentence() -> None:
    assert str(WorldError("AMG-X", "the disk is gone")) == "the disk is gone [AMG-X]"


def test_error_with_a_flood_in_it_stays_short() -> None:
    assert len(str(WorldError("AMG-X", "x", got="a" * 1_000_000))) < 250


@pytest.mark.parametrize(("kind", "code"), [(BadInputError, 2), (WorldError, 3), (DeniedError, 2), (AmagasaError, 3)])
def test_error_has_the_exit_code_of_its_kind(kind: type[AmagasaError], code: int) -> None:
    assert kind("AMG-X", "x").exit_code == code


@pytest.mark.parametrize("kind", [BadInputError, WorldError, DeniedError])
def test_error_crosses_between_processes_whole(kind: type[AmagasaError]) -> None:
    error = kind("AMG-X", "what", expected="this", got="\x00", then="next")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is kind
    assert str(back) == str(error)

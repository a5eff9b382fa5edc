import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.vocab.severity import Level, Severity, level_of


@pytest.mark.parametrize("level", Level)
def test_level_has_the_severity_of_its_name(level: Level) -> None:
    assert level.severity.name == level.name
    assert level_of(level.value) is level
    assert level_of(f" {level.value.upper()} ") is level


@given(st.none() | st.text())
def test_level_unknown_is_medium(text: str | None) -> None:
    if (text or "").strip().lower() not in set(Level):
        assert level_of(text) is Level.MEDIUM


def test_severities_are_those_of_ocsf() -> None:
    assert [severity.value for severity in Severity] == [0, 1, 2, 3, 4, 5, 6]
    assert sorted(Level, key=lambda level: level.severity) == list(Level)

"""A node on one growing access log, with the journey's own rule alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.nodes import JourneyNode, node_in


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.touch()
    return path


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's folder to copy: it has the journey's own rule alone, so starts are quick and counts are exact."""
    home = tmp_path_factory.mktemp("watch")
    with node_in(home / "japan") as made:
        made.set_settings(lambda text: text.replace('# rules = ["builtin"]', "rules = []"))
        made.own_rule()
        made.follow("web", home / "access.log", form="access")
        return made.folder


@pytest.fixture
def node(tmp_path: Path, log: Path, pattern: Path) -> Iterator[JourneyNode]:
    with node_in(tmp_path / "japan", like=pattern) as made:
        made.set_settings(lambda text: text.replace(str(pattern.parent / "access.log"), str(log)))
        yield made

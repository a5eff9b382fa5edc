"""A node on one growing access log, with the journey's own rule alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.journeys.nodes import JourneyNode, node_in

# More than one wait of `nodes.DEADLINE_S`: what was waited for is then said, and not only that time was up.
TIMEOUT_S: Final = 1_800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes on a machine that others use: see TIMEOUT_S."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S), append=False)


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

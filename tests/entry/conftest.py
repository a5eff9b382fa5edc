from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.entry.link_world import Node, agree

from amagasa.share.agreement import Role


@pytest.fixture
def japan(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, "japan", "JP", Role.SUPPORTED)
    yield node
    node.store.close()


@pytest.fixture
def states(tmp_path: Path, japan: Node) -> Iterator[Node]:
    """The ally, under an agreement with Japan."""
    node = Node(tmp_path, "states", "US", Role.SUPPORTING)
    agree(japan, node)
    yield node
    node.store.close()

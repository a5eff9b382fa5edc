from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.entry.link_world import Node, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


@pytest.fixture
def japan(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]


@pytest.fixture
def states(nodes: tuple[Node, Node]) -> Node:
    """The ally, under an agreement with Japan."""
    return nodes[1]

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.entry.link_world import Node, two_nodes

from amagasa.entry.cli.main import main


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


@pytest.fixture
def typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """`amagasa` with these words, in an empty folder: how it ended, what it said, and what on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        shown = capsys.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0, shown.out, shown.err)

    return run

"""What is sent to a node is seen once, whatever happens to it: the short form of bench/chaos.py."""

from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.journeys.chaos import Chaos
from tests.journeys.nodes import JourneyNode, assert_composed, eventually


@pytest.mark.timeout(300)
def test_sources_of_every_kind_lose_and_double_nothing_over_kills_full_disks_and_locks(
    node: JourneyNode, log: Path, tmp_path: Path
) -> None:
    assert log.parent == tmp_path
    chaos = Chaos(node, tmp_path, seed=7)
    node.start()
    eventually(lambda: '"files_to_come": 0' in node.told(), about="the node's own rule is looked with")
    with closing(chaos):
        with ExitStack() as stack:
            senders = tuple(stack.enter_context(sender) for sender in chaos.senders())
            chaos.fill_disk(0.5)
            chaos.lock_store(1.0)
            chaos.lose_broker(0.2)
            for _ in range(2):
                chaos.kill()
                chaos.run_on(is_awaited=True)
        found = chaos.settle(senders)
    assert (found["n_lost"], found["n_doubled"]) == (0, 0), found
    assert all(row["n_attacks"] for row in found["sources"].values()), found
    assert found["sources"]["http"]["n_read_twice"] == found["sources"]["file"]["n_read_twice"] == 0
    assert_composed(node.told())
    assert node.terminate() == 0

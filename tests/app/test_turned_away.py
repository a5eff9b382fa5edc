"""What an ally was refused before any object was looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from amagasa.app.ports import CrossingState, Direction
from amagasa.app.turned_away import TurnedAway
from tests.entry.link_world import Node, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


def turned_away(node: Node) -> TurnedAway:
    return TurnedAway(node.store, node.book, node.clock, node.signals)


def reasons(node: Node) -> list[str]:
    return [one.why for one in node.crossings(Direction.IN, CrossingState.REFUSED)]


def test_turned_away_flood_is_a_leaf_for_each_power_of_ten(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    noting = turned_away(japan)
    for _ in range(250):
        noting.note(states.party.id, "AMG-TAXII-LARGE", "too large")
    assert reasons(japan) == [
        "too large [AMG-TAXII-LARGE]",
        "too large (10 times within an hour) [AMG-TAXII-LARGE]",
        "too large (100 times within an hour) [AMG-TAXII-LARGE]",
    ]
    with japan.store.read() as reading:
        (name,) = reading.ledgers.names()
        leaves = list(reading.ledgers.leaves(name))
    assert [leaf.why for leaf in leaves if leaf.act == "refusal"] == reasons(japan)


def test_turned_away_an_hour_later_is_named_again(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    noting = turned_away(japan)
    noting.note(states.party.id, "AMG-TAXII-LARGE", "too large")
    japan.clock.advance(3_600)
    noting.note(states.party.id, "AMG-TAXII-LARGE", "too large")
    assert reasons(japan) == ["too large [AMG-TAXII-LARGE]"] * 2


def test_turned_away_after_a_restart_within_the_hour_is_kept_once(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    for _ in range(2):
        turned_away(japan).note(states.party.id, "AMG-TAXII-LARGE", "too large")
    assert reasons(japan) == ["too large [AMG-TAXII-LARGE]"]


def test_turned_away_without_an_agreement_is_recorded_nowhere(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    turned_away(japan).note("identity--00000000-0000-4000-8000-00000000000f", "AMG-TAXII-LARGE", "too large")
    assert reasons(japan) == []

from collections.abc import Iterator
from pathlib import Path

import pytest

from amagasa.app.ports import CrossingState, Direction
from amagasa.app.receiving import Received, receive
from amagasa.share.agreement import Consent
from amagasa.vocab.errors import DeniedError
from amagasa.vocab.tlp import Tlp
from tests.entry.link_world import Node, agree, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with two_nodes(tmp_path) as both:
        yield both


def take_in(japan: Node, ally_id: str, objects: list[object]) -> Received:
    return receive(japan.store, japan.signals, ally_id, objects, book=japan.book, now=japan.clock.now())


def test_receive_unknown_ally_is_denied_and_nothing_is_looked_at(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    with pytest.raises(DeniedError, match="AMG-SHARE-FORCE"):
        take_in(japan, japan.party.id, [states.indicator()])
    assert japan.crossings(Direction.IN) == []


def test_receive_counts_each_object_once(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    received = take_in(japan, states.party.id, [states.indicator(1), 5, states.indicator(2, marking=Tlp.RED)])
    assert (len(received.taken), len(received.refused), received.n_new, received.n_content) == (1, 2, 1, 1)
    again = take_in(japan, states.party.id, [states.indicator(1)])
    assert (len(again.taken), again.n_new, again.n_content) == (1, 0, 0)


def test_receive_indicator_under_a_consent_clause_is_held_but_not_in_use(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    agree(japan, states, consent=Consent.RELEASE_OFFICER)
    take_in(japan, states.party.id, [states.indicator()])
    with japan.store.read() as reading:
        assert [item.is_active for item in reading.content()] == [False]


def test_receive_indicator_with_a_hostile_name_is_shown_escaped(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    take_in(japan, states.party.id, [states.indicator(name="\x1b[2Jscan\u202e")])
    with japan.store.read() as reading:
        assert [item.title for item in reading.content()] == ["\\x1b[2Jscan\\u202e"]


def test_receive_sighting_is_kept_as_an_object_and_a_crossing(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    take_in(japan, states.party.id, [states.sighting()])
    (crossing,) = japan.crossings(Direction.IN)
    assert (crossing.state, crossing.object_type, crossing.marking) == (CrossingState.ADMITTED, "sighting", "green")
    with japan.store.read() as reading:
        assert [stored.origin for stored in reading.objects([crossing.object_id])] == [states.party.id]
        assert reading.content() == []

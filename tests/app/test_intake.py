"""How much an ally may bring in a day."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.app.intake import BYTES_A_DAY, OBJECTS_A_DAY, limits_of, taken_today
from amagasa.app.receiving import Received, receive
from amagasa.share.terms import Budget, Role
from tests.entry.link_world import Node, two_nodes


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """Japan takes; the States may give two objects a day, which is six at once."""
    with two_nodes(tmp_path) as (japan, states):
        (agreement,) = japan.agreements
        budgets = (Budget(giver=Role.SUPPORTING, n_objects_a_day=2),)
        japan.agreements[:] = states.agreements[:] = [replace(agreement, budgets=budgets)]
        yield japan, states


def send(japan: Node, states: Node, *objects: dict[str, Any]) -> Received:
    given = (japan.store, japan.signals, states.party.id, list(objects))
    return receive(*given, book=japan.book, now=japan.clock.now())


def test_more_than_three_days_of_the_budget_is_refused_with_the_reason(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    got = send(japan, states, *(states.indicator(number) for number in range(8)))
    assert (len(got.taken), len(got.refused)) == (6, 2)
    assert all(one.why.endswith("[AMG-ADMIT-QUOTA]") for one in got.refused)
    assert send(japan, states, states.indicator(20)).taken == ()


def test_the_next_day_there_is_room_again(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    send(japan, states, *(states.indicator(number) for number in range(8)))
    japan.clock.advance(86_400)
    assert len(send(japan, states, states.indicator(20)).taken) == 1


def test_what_is_held_costs_nothing_and_a_retraction_always_comes_in(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    for _ in range(3):
        send(japan, states, *(states.indicator(number) for number in range(6)))
    (bond,) = japan.book.bonds()
    with japan.store.read() as reading:
        assert taken_today(reading, bond, japan.clock.now()).n_objects == 6
    revoked = states.indicator(1, seconds=1, revoked=True)
    assert [one.object_id for one in send(japan, states, revoked).taken] == [revoked["id"]]


def test_bytes_count_as_well(nodes: tuple[Node, Node]) -> None:
    japan, states = nodes
    (agreement,) = japan.agreements
    japan.agreements[:] = [replace(agreement, budgets=(Budget(giver=Role.SUPPORTING, n_bytes_a_day=400),))]
    got = send(japan, states, *(states.indicator(number) for number in range(4)))
    assert (len(got.taken), len(got.refused)) == (2, 2)


def test_without_a_budget_the_limits_are_wide(nodes: tuple[Node, Node]) -> None:
    japan, _ = nodes
    (agreement,) = japan.agreements
    japan.agreements[:] = [replace(agreement, budgets=())]
    (bond,) = japan.book.bonds()
    assert limits_of(bond) == (OBJECTS_A_DAY, BYTES_A_DAY)

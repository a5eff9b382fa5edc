"""What an ally gave is let go when its clause's term ends; the leaf that it came stays, and one says that it went."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from amagasa.app.ports import Crossing, Direction
from amagasa.app.receiving import Received, receive
from amagasa.app.retention import CODE, let_go
from amagasa.share.ledger import Act
from amagasa.share.terms import Handling
from tests.app.sides import Side
from tests.entry.link_world import agree, two_nodes

DAY_S = 86_400


class Taker:
    """Japan takes under a clause that lets it keep things for seven days."""

    def __init__(self, japan: Any, states: Any, *, keep_days: int | None = 7) -> None:
        self.side, self.states = Side(japan, 1), Side(states, 2)
        self.node = japan
        agreement = agree(japan, states)
        handling = Handling(keep_days=keep_days)
        clauses = tuple(replace(clause, handling=handling) for clause in agreement.clauses)
        japan.agreements[:] = [replace(agreement, clauses=clauses)]

    def take(self, **more: Any) -> Received:
        obj = self.states.node.indicator(**more)
        return receive(
            self.node.store,
            self.node.signals,
            self.states.node.party.id,
            [obj],
            book=self.node.book,
            now=self.node.clock.now(),
        )

    def let_go(self) -> int:
        return let_go(self.node.store, self.node.signals, self.node.book, now=self.node.clock.now())

    def holds(self, content_id: str) -> tuple[int, int]:
        """(objects, content items)."""
        with self.node.store.read() as reading:
            return len(reading.objects([content_id])), len(reading.content_items([content_id]))

    def log(self) -> list[Crossing]:
        return [one for one in self.node.crossings(Direction.IN) if one.object_type == "indicator"]


@pytest.fixture
def taker(tmp_path: Path) -> Iterator[Taker]:
    with two_nodes(tmp_path) as nodes:
        yield Taker(*nodes)


def test_what_is_over_is_let_go_wholly_and_the_record_proves_what_it_was(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    (before,) = taker.log()
    taker.node.clock.advance(7 * DAY_S + 1)
    assert taker.let_go() == 1
    assert taker.holds(content_id) == (0, 0)
    (after,) = taker.log()
    assert (after.content, after.why) == (b"", "let go after 7 days")
    admitted, gone = (
        next(leaf for leaf in taker.side.leaves() if leaf.act is act) for act in (Act.ADMISSION, Act.DELETION)
    )
    assert admitted.content == gone.content == hashlib.sha256(before.content).hexdigest()
    assert gone.object_id == content_id
    assert taker.let_go() == 0


def test_what_is_not_over_stays(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    taker.node.clock.advance(7 * DAY_S - 1)
    assert taker.let_go() == 0
    assert taker.holds(content_id) == (1, 1)


def test_newer_version_has_a_term_of_its_own(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    taker.node.clock.advance(5 * DAY_S)
    taker.take(seconds=60)
    taker.node.clock.advance(3 * DAY_S)
    assert taker.let_go() == 1
    assert taker.holds(content_id) == (1, 1)
    taker.node.clock.advance(5 * DAY_S)
    assert taker.let_go() == 1
    assert taker.holds(content_id) == (0, 0)


def test_sent_once_more_it_is_not_kept_for_a_second_term(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    taker.node.clock.advance(8 * DAY_S)
    taker.let_go()
    assert CODE in taker.take().refused[0].why
    assert taker.holds(content_id) == (0, 0)


def test_term_holds_when_the_agreement_has_ended(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    (agreement,) = taker.node.agreements
    taker.node.agreements[:] = [replace(agreement, valid_until_at=taker.node.clock.now() + timedelta(days=1))]
    taker.node.clock.advance(8 * DAY_S)
    assert taker.let_go() == 1
    assert taker.holds(content_id) == (0, 0)


def test_clause_without_a_term_keeps_all(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as nodes:
        taker = Taker(*nodes, keep_days=None)
        content_id = taker.take().outcomes[0].object_id
        taker.node.clock.advance(3_000 * DAY_S)
        assert taker.let_go() == 0
        assert taker.holds(content_id) == (1, 1)


def test_what_is_our_own_stays(taker: Taker) -> None:
    content_id = taker.take().outcomes[0].object_id
    with taker.node.store.write() as tx:
        (item,) = tx.content_items([content_id])
        tx.save_content(replace(item, origin=""))
    taker.node.clock.advance(8 * DAY_S)
    taker.let_go()
    assert taker.holds(content_id) == (0, 1)


def test_many_are_let_go_page_by_page(taker: Taker) -> None:
    for number in range(1, 8):
        taker.take(number=number)
    taker.node.clock.advance(8 * DAY_S)
    assert taker.let_go() == 7
    assert [leaf.act for leaf in taker.side.leaves()].count(Act.DELETION) == 7

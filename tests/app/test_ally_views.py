"""One ally looked at closely."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from amagasa.app.ally_views import AllyDetail, ally_detail
from amagasa.app.courier import CourierDesk
from amagasa.app.permissions import NODE, Actor
from amagasa.app.queries import MissingError
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.app.receiving import receive
from amagasa.vocab.errors import DeniedError
from amagasa.vocab.tlp import Tlp
from tests.app.test_courier import COURIER, Pair
from tests.entry.link_world import Node, two_nodes


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with two_nodes(tmp_path) as nodes:
        yield Pair(*nodes)


def detail(node: Node, ally: Node) -> AllyDetail:
    return ally_detail(node.store, NODE, ally.party.id, node.agreements, now=node.clock.now())


def test_ally_of_whom_nothing_is_known_yet_is_shown_with_its_papers(pair: Pair) -> None:
    seen = detail(pair.japan, pair.states)
    assert len(seen.papers.pin) == 64
    assert seen.papers.valid_until_at is not None
    assert (seen.line.is_up, seen.line.oldest_at, seen.counts, seen.refused) == (None, None, [], [])


def test_ally_with_a_certificate_that_cannot_be_read_has_no_pin(pair: Pair) -> None:
    broken = replace(pair.states.party, certificate="-----BEGIN CERTIFICATE-----")
    (agreement,) = pair.japan.agreements
    agreement = replace(agreement, parties=(pair.japan.party, broken))
    seen = ally_detail(pair.japan.store, NODE, broken.id, [agreement], now=pair.japan.clock.now())
    assert (seen.papers.pin, seen.papers.valid_until_at) == ("", None)


def test_ally_refusals_are_told_by_reason(pair: Pair) -> None:
    given = [pair.japan.indicator(number, marking=Tlp.RED) for number in range(3)] + [pair.japan.indicator(7)]
    japan, now = pair.japan.party.id, pair.states.clock.now()
    receive(pair.states.store, pair.states.signals, japan, given, book=pair.states.book, now=now)
    seen = detail(pair.states, pair.japan)
    assert [(one.n, one.code.startswith("AMG-")) for one in seen.refused] == [(3, True)]
    assert {(one.state.value, one.n) for one in seen.counts} == {("admitted", 1), ("refused", 3)}


def test_ally_that_has_not_acknowledged_is_shown_with_until_when(pair: Pair) -> None:
    (agreement,) = pair.japan.agreements
    now = pair.japan.clock.now()
    one = TakenBack(
        agreement=agreement.id, way=Way.AWAITED, object_id="indicator--x", version="1", cause="c", asked_at=now
    )
    with pair.japan.store.write() as tx:
        tx.receipts.save(one)
        tx.receipts.save(replace(one, object_id="indicator--y", asked_at=now - timedelta(days=1)))
        tx.receipts.save(replace(one, object_id="indicator--z", done_at=now))
    seen = detail(pair.japan, pair.states)
    assert [(row.object_id, row.is_overdue) for row in seen.awaited] == [
        ("indicator--y", True),
        ("indicator--x", False),
    ]
    assert seen.n_awaited == 2


def test_ally_waiting_and_courier_parts_are_shown(pair: Pair) -> None:
    pair.japan.release([pair.japan.indicator(number) for number in range(2_000)])
    assert detail(pair.japan, pair.states).line.oldest_at is not None
    _, second = pair.parts()
    desk: CourierDesk = pair.theirs
    desk.read(NODE, second, now=pair.states.clock.now())
    (seen,) = detail(pair.states, pair.japan).couriers
    assert (seen.courier, seen.n_parts, seen.is_whole, seen.missing) == (COURIER, 1, False, [1])


def test_ally_that_no_agreement_names_is_missing(pair: Pair) -> None:
    with pytest.raises(MissingError, match="AMG-ALLY-UNKNOWN"):
        ally_detail(pair.japan.store, NODE, "identity--x", pair.japan.agreements, now=pair.japan.clock.now())
    nobody = Actor(name="n", roles=frozenset())
    with pytest.raises(DeniedError):
        ally_detail(pair.japan.store, nobody, "identity--x", pair.japan.agreements, now=pair.japan.clock.now())
